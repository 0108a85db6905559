"""The filters of the list of leads, as they stand in the address.

Owns their names, bounds and what each selects. What cannot be read selects nothing away and is said. Never
widens what a person may see: the query comes from `leads.searching`.
"""

from __future__ import annotations

from typing import Any

import django_filters
from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet

from leads import permissions, searching
from leads.choices import OPEN, LeadType, State
from leads.models import Handoff, Lead
from routing.people import User

NONE, ANY_OPEN = "none", "open"
STATES = (
    (ANY_OPEN, "Any open"),
    *((str(state), state.label) for state in OPEN),
    *((str(state), state.label) for state in State if state not in OPEN),
    (NONE, "No handoff"),
)
ORDERS = {"changed": ("-updated_at", "-id"), "newest": ("-id",)}


class LeadFilter(django_filters.FilterSet):
    """Words, state of a handoff, lead type, source, country, company, holder."""

    q = django_filters.CharFilter(method="by_words", max_length=searching.LONGEST)
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
        return leads.filter(searching.matching(value, personal))

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

    @property
    def problems(self) -> list[str]:
        """What cannot be read, in words."""
        form: forms.Form = self.form
        return [f"{name.capitalize()}: {errors[0]}" for name, errors in form.errors.items()]

    @property
    def is_narrowed(self) -> bool:
        return any(self.data.get(name) for name in self.filters)
