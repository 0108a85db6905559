"""The filters of the lists of leads, accounts, imports, duplicates and messages, as addresses name them.

Owns their names, bounds and what each selects. What cannot be read selects nothing away and is said. Never
widens what a person may see: the query comes from `leads.search.finding`.
"""

from __future__ import annotations

from typing import Any

import django_filters
from django.core.validators import RegexValidator
from django.db.models import Exists, OuterRef, Q, QuerySet

from leads import notifications as telling
from leads import permissions
from leads.choices import OPEN, CompanyStage, LeadType, State
from leads.models import Company, DuplicatePair, Handoff, Lead, LeadImport, Notification
from leads.search import finding
from routing.people import User

NONE, ANY_OPEN = "none", "open"
STATES = (
    (ANY_OPEN, "Any open"),
    *((str(state), state.label) for state in OPEN),
    *((str(state), state.label) for state in State if state not in OPEN),
    (NONE, "No handoff"),
)
ORDERS = {
    "changed": ("-updated_at", "-id"),
    "unchanged": ("updated_at", "id"),
    "newest": ("-id",),
    "oldest": ("id",),
    "name": ("name_key", "id"),
}
ORDER_WORDS = (
    ("changed", "Last changed first"),
    ("unchanged", "Longest unchanged first"),
    ("newest", "Newest first"),
    ("oldest", "Oldest first"),
    ("name", "By name"),
)


class Told:
    """What every filter says of itself."""

    data: Any
    filters: Any
    form: Any

    @property
    def problems(self) -> list[str]:
        """What cannot be read, in words."""
        return [f"{name.capitalize()}: {errors[0]}" for name, errors in self.form.errors.items()]

    @property
    def is_narrowed(self) -> bool:
        return any(self.data.get(name) for name in self.filters)


class LeadFilter(Told, django_filters.FilterSet):
    """Words, state of a handoff, lead type, source, country, company, holder."""

    q = django_filters.CharFilter(method="by_words", max_length=finding.LONGEST)
    state = django_filters.ChoiceFilter(method="by_handoff", choices=STATES)
    type = django_filters.ChoiceFilter(method="by_handoff", choices=LeadType.choices)
    holder = django_filters.NumberFilter(method="by_handoff", min_value=1, max_value=2**62)
    source = django_filters.CharFilter(field_name="lead_source", lookup_expr="exact", max_length=2000)
    country = django_filters.CharFilter(method="by_country", max_length=2)
    company = django_filters.NumberFilter(field_name="company_id", min_value=1, max_value=2**62)

    class Meta:
        model = Lead
        fields: tuple[str, ...] = ()

    def __init__(self, data: Any, queryset: QuerySet[Lead], *, user: User) -> None:
        super().__init__(data, queryset=queryset)
        self.user = user
        self._is_by_handoff = False

    def by_words(self, leads: QuerySet[Lead], name: str, value: str) -> QuerySet[Lead]:
        personal = permissions.sees_personal_data(self.user)
        return leads.filter(finding.matching(value, personal))

    def by_country(self, leads: QuerySet[Lead], name: str, value: str) -> QuerySet[Lead]:
        return leads.filter(country_code=value.upper())

    def by_handoff(self, leads: QuerySet[Lead], name: str, value: Any) -> QuerySet[Lead]:
        """One handoff has to fit state, type and holder together, so they are asked for at once."""
        if self._is_by_handoff:
            return leads
        self._is_by_handoff = True
        given = self.form.cleaned_data
        seen = Handoff.objects.visible_to(self.user).filter(lead=OuterRef("pk")).order_by()
        if given.get("state") == NONE:
            return leads.filter(~Exists(seen))
        if given.get("state") == ANY_OPEN:
            seen = seen.open()
        elif given.get("state"):
            seen = seen.filter(state=given["state"])
        if given.get("type") == LeadType.DEMO:
            seen = seen.filter(Q(lead_type=LeadType.DEMO) | Q(raised_at__isnull=False))
        elif given.get("type"):
            seen = seen.filter(lead_type=given["type"], raised_at__isnull=True)
        if given.get("holder"):
            seen = seen.filter(assignee=int(given["holder"]))
        return leads.filter(Exists(seen))


class ImportFilter(Told, django_filters.FilterSet):
    """Words of the file's name, where it stands, who took it."""

    q = django_filters.CharFilter(field_name="name", lookup_expr="icontains", max_length=finding.LONGEST)
    status = django_filters.ChoiceFilter(choices=LeadImport.Status.choices)
    by = django_filters.ModelChoiceFilter(
        field_name="created_by",
        queryset=User.objects.all(),
        error_messages={"invalid_choice": "There is no such person, or no longer."},
    )

    class Meta:
        model = LeadImport
        fields: tuple[str, ...] = ()


class PairFilter(Told, django_filters.FilterSet):
    """Words of either of the two leads."""

    q = django_filters.CharFilter(method="by_words", max_length=finding.LONGEST)

    class Meta:
        model = DuplicatePair
        fields: tuple[str, ...] = ()

    def by_words(self, found: QuerySet[DuplicatePair], name: str, value: str) -> QuerySet[DuplicatePair]:
        # Only marketing ops and admins come here, who see addresses.
        leads = Lead.objects.filter(finding.matching(value, personal=True)).order_by().values("pk")
        return found.filter(Q(first__in=leads) | Q(second__in=leads))


class NotificationFilter(Told, django_filters.FilterSet):
    """Words of the lead or the company that a message names, of what happened, or of its rule or queue."""

    q = django_filters.CharFilter(method="by_words", max_length=finding.LONGEST)

    class Meta:
        model = Notification
        fields: tuple[str, ...] = ()

    def by_words(self, messages: QuerySet[Notification], name: str, value: str) -> QuerySet[Notification]:
        # A message outlives the sight of its lead and names no address, so none finds it.
        leads = Lead.objects.filter(finding.matching(value, personal=False)).order_by().values("pk")
        words = finding.plain(value).casefold()
        kinds = [kind for kind, head in telling.HEADS.items() if words and words in head.casefold()]
        return messages.filter(
            Q(handoff__lead__in=leads)
            | Q(kind__in=kinds)
            | Q(data__rule__icontains=finding.plain(value))
            | Q(data__queue__icontains=finding.plain(value))
        )


class AccountFilter(Told, django_filters.FilterSet):
    """Words of the name or the domain, owner, stage, named or not."""

    q = django_filters.CharFilter(method="by_words", max_length=finding.LONGEST)
    owner = django_filters.CharFilter(
        method="by_owner", validators=[RegexValidator(rf"^({NONE}|\d{{1,18}})$", "Choose one of the list.")]
    )
    stage = django_filters.ChoiceFilter(choices=CompanyStage.choices)
    named = django_filters.ChoiceFilter(method="by_named", choices=(("yes", "Named"), ("no", "Not named")))

    class Meta:
        model = Company
        fields: tuple[str, ...] = ()

    def by_words(self, companies: QuerySet[Company], name: str, value: str) -> QuerySet[Company]:
        return companies.filter(finding.matching_companies(value))

    def by_owner(self, companies: QuerySet[Company], name: str, value: str) -> QuerySet[Company]:
        return companies.filter(owner__isnull=True) if value == NONE else companies.filter(owner=int(value))

    def by_named(self, companies: QuerySet[Company], name: str, value: str) -> QuerySet[Company]:
        return companies.filter(is_named_account=value == "yes")
