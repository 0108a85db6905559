"""The filters and orders of the list of handoffs, as they stand in the address.

Owns their names, bounds and what each selects. What cannot be read, or names somebody who is gone, selects
nothing away and is said. Never widens what a person may see: the query that comes in is what they see.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import django_filters
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import DateTimeField, IntegerField, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Coalesce

from leads import attention, permissions, triaging
from leads.choices import CLOSED, OPEN, Check, LeadType, State
from leads.filters import Told
from leads.models import Handoff, Lead, RejectionReason
from leads.presenters import teams
from leads.search import finding
from routing.models import Calendar, Queue, Team
from routing.people import User

ANY_OPEN, ANY_CLOSED = "open", "closed"
STATES = (
    (ANY_OPEN, "Any open"),
    (ANY_CLOSED, "Any closed"),
    *((str(state), state.label) for state in State),
)
TRIAGE = "triage"
NEEDS = (
    ("late", "Overdue"),
    (attention.RISK, "At risk"),
    ("silent", "Silent"),
    ("unseen", "Never looked at"),
    ("hole", "Black hole"),
    ("unowned", "Unowned"),
    ("lost", "Nobody answers"),
    (TRIAGE, "To decide in triage"),
)
WHOSE = (("mine", "Held by me"), ("watched", "My teams and queues"))
# At risk is seen by the clock, not by a column: so many of the soonest due are looked at.
MOST_LOOKED_AT = 500
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
LEAST = -(2**31)
_YEARS = (MinValueValidator(date(1970, 1, 1)), MaxValueValidator(date(9000, 1, 1)))
# The orders, each by a column that is never null; the first is what the list begins with.
ORDERS = {
    "-mql": ("-mql_at", "-id"),
    "mql": ("mql_at", "id"),
    "due": ("due", "id"),
    "-due": ("-due", "-id"),
    "-score": ("-points", "-id"),
    "score": ("points", "id"),
    "-changed": ("-updated_at", "-id"),
    "changed": ("updated_at", "id"),
}
FIRST = "-mql"


def _gone(what: str) -> dict[str, str]:
    return {"invalid_choice": f"There is no such {what}, or no longer."}


class HandoffFilter(Told, django_filters.FilterSet):
    """Words, state, what it needs, whose it is, and the facts that were frozen with it."""

    q = django_filters.CharFilter(method="by_words", max_length=finding.LONGEST)
    state = django_filters.ChoiceFilter(method="by_state", choices=STATES)
    needs = django_filters.ChoiceFilter(method="by_need", choices=NEEDS)
    whose = django_filters.ChoiceFilter(method="by_whose", choices=WHOSE)
    holder = django_filters.ModelChoiceFilter(
        field_name="assignee", queryset=User.objects.all(), error_messages=_gone("person")
    )
    team = django_filters.ModelChoiceFilter(
        method="by_team", queryset=Team.objects.all(), error_messages=_gone("team")
    )
    queue = django_filters.ModelChoiceFilter(
        method="by_queue", queryset=Queue.objects.all(), error_messages=_gone("queue")
    )
    type = django_filters.ChoiceFilter(method="by_type", choices=LeadType.choices)
    source = django_filters.CharFilter(field_name="lead_source", max_length=2000)
    campaign = django_filters.CharFilter(field_name="campaign", max_length=2000)
    territory = django_filters.CharFilter(field_name="territory", max_length=50)
    rule = django_filters.CharFilter(field_name="rule_name", max_length=120)
    reason = django_filters.ModelChoiceFilter(
        field_name="rejection_reason",
        queryset=RejectionReason.objects.all(),
        to_field_name="code",
        error_messages=_gone("reason"),
    )
    check = django_filters.ChoiceFilter(method="by_check", choices=Check.choices)
    since = django_filters.DateFilter(method="by_since", validators=_YEARS)
    until = django_filters.DateFilter(method="by_until", validators=_YEARS)

    class Meta:
        model = Handoff
        fields: tuple[str, ...] = ()

    def __init__(self, data: Any, queryset: QuerySet[Handoff], *, user: User, now: datetime) -> None:
        """`now` is in the viewer's zone, which dates are read in."""
        super().__init__(data, queryset=queryset)
        self.user, self.now = user, now

    def by_words(self, handoffs: QuerySet[Handoff], name: str, value: str) -> QuerySet[Handoff]:
        words = value.strip().removeprefix("#")
        fits = Q(pk=int(words)) if words.isascii() and words.isdigit() and len(words) < 19 else Q(pk__in=())
        leads = Lead.objects.filter(
            finding.matching(value, permissions.sees_personal_data(self.user))
        ).order_by()
        return handoffs.filter(fits | Q(lead__in=leads.values("pk")))

    def by_state(self, handoffs: QuerySet[Handoff], name: str, value: str) -> QuerySet[Handoff]:
        if value == ANY_OPEN:
            return handoffs.filter(state__in=[str(state) for state in OPEN], is_history=False)
        if value == ANY_CLOSED:
            return handoffs.filter(Q(state__in=[str(state) for state in CLOSED]) | Q(is_history=True))
        return handoffs.filter(state=value)

    def by_need(self, handoffs: QuerySet[Handoff], name: str, value: str) -> QuerySet[Handoff]:
        if value == TRIAGE:
            return handoffs.filter(pk__in=triaging.rejections().order_by().values("pk"))
        fits = next(fits for key, fits, _ in attention.conditions(self.now) if key == value)
        handoffs = handoffs.filter(fits, is_history=False, state__in=[str(state) for state in OPEN])
        return handoffs.filter(pk__in=self._at_risk(handoffs)) if value == attention.RISK else handoffs

    def _at_risk(self, handoffs: QuerySet[Handoff]) -> list[int]:
        """Those whose clock says so, as the team page says it; three queries."""
        default = Calendar.objects.filter(is_default=True).first()
        hours = default.hours() if default else None
        rows = handoffs.select_related(
            "policy", "queue__calendar", "assignee__calendar", "assignee__team__calendar"
        ).order_by("next_due_at", "pk")[:MOST_LOOKED_AT]
        return [row.pk for row in rows if teams.is_at_risk(row, self.now, hours)]

    def by_whose(self, handoffs: QuerySet[Handoff], name: str, value: str) -> QuerySet[Handoff]:
        if value == "mine":
            return handoffs.filter(assignee=self.user)
        return handoffs.filter(attention.watched_by(self.user))

    def by_team(self, handoffs: QuerySet[Handoff], name: str, value: Team) -> QuerySet[Handoff]:
        return handoffs.filter(attention.of_team(value.pk))

    def by_queue(self, handoffs: QuerySet[Handoff], name: str, value: Queue) -> QuerySet[Handoff]:
        if value.kind == Queue.Kind.COMPLETION:
            return handoffs.filter(state=State.INCOMPLETE, is_history=False)
        return handoffs.filter(queue=value, state=State.QUEUED, is_history=False)

    def by_type(self, handoffs: QuerySet[Handoff], name: str, value: str) -> QuerySet[Handoff]:
        """By the targets that run: raised to demo is demo."""
        if value == LeadType.DEMO:
            return handoffs.filter(Q(lead_type=LeadType.DEMO) | Q(raised_at__isnull=False))
        return handoffs.filter(lead_type=value, raised_at__isnull=True)

    def by_check(self, handoffs: QuerySet[Handoff], name: str, value: str) -> QuerySet[Handoff]:
        waiting = handoffs.filter(state=State.INCOMPLETE, is_history=False)
        return waiting.annotate(lacks=Cast("missing", TextField())).filter(lacks__contains=f'"{value}"')

    def by_since(self, handoffs: QuerySet[Handoff], name: str, value: Any) -> QuerySet[Handoff]:
        return handoffs.filter(mql_at__gte=datetime.combine(value, time(), self.now.tzinfo))

    def by_until(self, handoffs: QuerySet[Handoff], name: str, value: Any) -> QuerySet[Handoff]:
        """That day too."""
        return handoffs.filter(
            mql_at__lt=datetime.combine(value + timedelta(days=1), time(), self.now.tzinfo)
        )


def in_order(handoffs: QuerySet[Handoff], sort: str) -> tuple[QuerySet[Handoff], tuple[str, ...]]:
    """The query with what it is ordered by, and that order: what has no deadline comes after what has one,
    what has no score below what has one."""
    order = ORDERS.get(sort, ORDERS[FIRST])
    if "due" in order[0]:
        late = Value(LATEST, output_field=DateTimeField())
        handoffs = handoffs.annotate(due=Coalesce("next_due_at", late))
    elif "points" in order[0]:
        handoffs = handoffs.annotate(
            points=Coalesce("score_total", Value(LEAST, output_field=IntegerField()))
        )
    return handoffs, order
