"""The filters of the sync audit's findings, as they stand in the address.

Owns their names, bounds and what each selects. Without a word on it only what is open is shown. What cannot
be read, or names what is gone, selects nothing away and is said.
"""

from __future__ import annotations

import django_filters
from django.db.models import Q, QuerySet

from leads.audit.checks import ABOUT
from leads.filters import Told
from leads.models import Connection, Finding

OPEN, IGNORED, SETTLED, ANY = "open", "ignored", "settled", "any"
STATES = ((OPEN, "Open"), (IGNORED, "Ignored"), (SETTLED, "Settled"), (ANY, "Open or not"))
CHECKS = tuple((str(code), about.words) for code, about in ABOUT.items())
_GONE = {"invalid_choice": "There is no such connection, or no longer."}
_IGNORED = Q(resolution=Finding.Resolution.IGNORED)
_WHICH = {
    OPEN: Q(resolved_at__isnull=True),
    IGNORED: Q(resolved_at__isnull=False) & _IGNORED,
    SETTLED: Q(resolved_at__isnull=False) & ~_IGNORED,
    ANY: Q(),
}


class FindingFilter(Told, django_filters.FilterSet):
    """Check, severity, connection, state, handoff."""

    check = django_filters.ChoiceFilter(field_name="check_code", choices=CHECKS)
    severity = django_filters.ChoiceFilter(choices=Finding.Severity.choices)
    connection = django_filters.ModelChoiceFilter(
        queryset=Connection.objects.all(), to_field_name="slug", error_messages=_GONE
    )
    state = django_filters.ChoiceFilter(method="by_state", choices=STATES)
    handoff = django_filters.NumberFilter(min_value=1, max_value=2**62)

    class Meta:
        model = Finding
        fields: tuple[str, ...] = ()

    def by_state(self, rows: QuerySet[Finding], name: str, value: str) -> QuerySet[Finding]:
        return rows.filter(_WHICH[value])

    @property
    def rows(self) -> QuerySet[Finding]:
        """What is selected; what is open where nothing is said of it."""
        found: QuerySet[Finding] = self.qs
        return found if self.data.get("state") else found.filter(_WHICH[OPEN])
