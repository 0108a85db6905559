"""What somebody watches over, as queries that are written once: by state, and the first of each section.

Owns those queries; which section a handoff stands in is `leads.attention`. Asked of a part (a team, a person)
they are written anew. Never decides whose work one may see.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from django.db.models import Case, Count, F, QuerySet, Value, When, Window
from django.db.models.functions import RowNumber

from leads import attention
from leads.choices import State
from leads.models import Handoff
from leads.roles import Can, can
from routing.people import User
from routing.prepared import prepared

MOST_FIRST = 60  # of a section; of those that are still in time, some are at risk
_ROW_FIELDS = (
    "id", "state", "revision", "lead_type", "raised_at", "triggered_again_at", "mql_at", "held_since",
    "assigned_at", "last_activity_at", "viewed_at", "accept_due_at", "contact_due_at", "completion_due_at",
    "next_due_at", "next_touch_at", "deferred_until", "no_activity_at", "black_hole_at", "is_history",
    "priority",
    "lead__first_name", "lead__last_name", "lead__email", "lead__job_title",
    "lead__email_opt_out", "lead__do_not_call",
    "lead__company__name", "lead__company__domain",
    "policy__accept_minutes", "policy__accept_business", "policy__contact_minutes",
    "policy__contact_business", "policy__completion_minutes", "policy__completion_business",
    "policy__no_activity_minutes", "policy__no_activity_business",
    "assignee__name", "assignee__email", "assignee__is_active",
    "assignee__calendar__revision", "assignee__team__name", "assignee__team__calendar__revision",
    "queue__name", "queue__calendar__revision",
)  # fmt: skip

# section, id, how many are in the section, the place in it
First = tuple[str, int, int, int]


def states(user: User, part: QuerySet[Handoff] | None) -> Iterable[tuple[str, int]]:
    """How many there are in each state but `incomplete`: of this part, or of all that is theirs to watch."""
    if part is not None:
        return _states(part)
    if can(user, Can.WATCH_ALL):
        return _states_of_all()
    return _states_of_some(*attention.ids_watched_by(user))


def firsts(user: User, part: QuerySet[Handoff] | None, now: datetime, most: int) -> Iterable[First]:
    """Which rows come first in each section, and how many there are in it; one narrow query."""
    if part is not None or most != MOST_FIRST:
        rows = Handoff.objects.open().filter(attention.watched_by(user)) if part is None else part
        return _firsts(rows, now, most)
    if can(user, Can.WATCH_ALL):
        return _firsts_of_all(now)
    return _firsts_of_some(*attention.ids_watched_by(user), now)


@prepared
def read(ids: Collection[int]) -> QuerySet[Handoff]:
    """These handoffs with what a row of the page needs; the rest of wide tables stays where it is."""
    rows = Handoff.objects.filter(pk__in=ids).select_related(
        "lead__company", "policy", "queue__calendar", "assignee__calendar", "assignee__team__calendar"
    )
    return rows.only(*_ROW_FIELDS)


def _states(rows: QuerySet[Handoff]) -> QuerySet[Handoff, tuple[str, int]]:
    return rows.exclude(state=State.INCOMPLETE).order_by().values_list("state").annotate(n=Count("pk"))


@prepared
def _states_of_all() -> QuerySet[Handoff, tuple[str, int]]:
    return _states(Handoff.objects.open())


@prepared
def _states_of_some(people: Collection[int], queues: Collection[int]) -> QuerySet[Handoff, tuple[str, int]]:
    return _states(Handoff.objects.open().filter(attention.held_by(people, queues)))


def _firsts(rows: QuerySet[Handoff], now: datetime, most: int) -> QuerySet[Handoff, First]:
    conditions = attention.conditions(now)
    section = Case(*(When(fits, then=Value(key)) for key, fits, _ in conditions))
    at = Case(*(When(section=key, then=F(order[0])) for key, _, order in conditions))
    return (
        rows.order_by()
        .annotate(section=section)
        .filter(section__isnull=False)
        .annotate(
            place=Window(RowNumber(), partition_by="section", order_by=[at, "pk"]),
            many=Window(Count("pk"), partition_by="section"),
        )
        .filter(place__lte=most)
        .values_list("section", "pk", "many", "place")
    )


@prepared
def _firsts_of_all(now: datetime) -> QuerySet[Handoff, First]:
    return _firsts(Handoff.objects.open(), now, MOST_FIRST)


@prepared
def _firsts_of_some(
    people: Collection[int], queues: Collection[int], now: datetime
) -> QuerySet[Handoff, First]:
    return _firsts(Handoff.objects.open().filter(attention.held_by(people, queues)), now, MOST_FIRST)
