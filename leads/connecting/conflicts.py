"""What two systems say differently of one person, where one of them is the stated owner: read.

Owns which of these stand (not settled, of a lead that is still one) and how they are narrowed. They are kept
and settled by `leads.connectors.arriving`; the words are `leads.presenters.conflicts`.
"""

from __future__ import annotations

import django_filters
from django.db.models import Q, QuerySet

from leads.filters import Told
from leads.models import Connection, FieldConflict
from routing.prepared import prepared

# Of one person, on their page.
MOST = 10
FIELDS = ("field", "value", "said_at", "found_at", "settled_at", "owner__name", "other__name")


def kept() -> QuerySet[FieldConflict]:
    """All of them, those that are settled too."""
    return FieldConflict.objects.filter(lead__merged_into__isnull=True)


def standing(connection: Connection) -> QuerySet[FieldConflict]:
    """Those that are not settled, in which this connection is the owner or says otherwise."""
    return kept().filter(_with(connection), settled_at__isnull=True)


@prepared
def of_lead(lead: int) -> QuerySet[FieldConflict]:
    """Those of one lead that are not settled, the latest first."""
    own = FieldConflict.objects.filter(lead=lead, settled_at__isnull=True)
    told = own.select_related("owner", "other").only(*FIELDS, "lead")
    return told.order_by("-found_at", "-pk")[:MOST]


def _with(connection: Connection) -> Q:
    return Q(owner=connection) | Q(other=connection)


class ConflictFilter(Told, django_filters.FilterSet):
    """A connection, as owner or as the one that says otherwise; a field by its name ("lead.phone"); whether
    it is settled: only those that are not, where nothing is chosen."""

    connection = django_filters.ModelChoiceFilter(
        method="by_connection",
        queryset=Connection.objects.all(),
        to_field_name="slug",
        error_messages={"invalid_choice": "There is no such connection, or no longer."},
    )
    field = django_filters.CharFilter(max_length=120)
    lead = django_filters.NumberFilter(min_value=1, max_value=2**62)
    settled = django_filters.ChoiceFilter(
        method="by_settled", choices=(("yes", "Settled"), ("any", "Settled or not"))
    )

    class Meta:
        model = FieldConflict
        fields: tuple[str, ...] = ()

    @property
    def qs(self) -> QuerySet[FieldConflict]:
        rows: QuerySet[FieldConflict] = super().qs
        return rows if self.data.get("settled") in ("yes", "any") else rows.filter(settled_at__isnull=True)

    def by_connection(
        self, rows: QuerySet[FieldConflict], name: str, value: Connection
    ) -> QuerySet[FieldConflict]:
        return rows.filter(_with(value))

    def by_settled(self, rows: QuerySet[FieldConflict], name: str, value: str) -> QuerySet[FieldConflict]:
        return rows.filter(settled_at__isnull=False) if value == "yes" else rows
