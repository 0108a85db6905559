"""The filters of the logs of deliveries, of calls that came in and of access, as they stand in the address.

Owns their names, bounds and what each selects. What cannot be read, or names what is gone, selects nothing
away and is said.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import django_filters
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import Q, QuerySet

from leads.connecting import health
from leads.filters import Told
from leads.models import AccessEntry, Connection, Delivery, InboundCall, Lead
from leads.search import finding
from routing.people import User

WAITING = "waiting"
STATUSES = ((WAITING, "Waiting or being sent"), *Delivery.Status.choices)
_YEARS = (MinValueValidator(date(1970, 1, 1)), MaxValueValidator(date(9000, 1, 1)))
_DATE = {"invalid": "Write the date as 2026-03-31."}
_GONE = {"invalid_choice": "There is no such connection, or no longer."}


def _since(rows: QuerySet[Any], name: str, value: date) -> QuerySet[Any]:
    return rows.filter(**{f"{name}__gte": datetime.combine(value, time.min, tzinfo=UTC)})


def _until(rows: QuerySet[Any], name: str, value: date) -> QuerySet[Any]:
    """The last day is included."""
    return rows.filter(**{f"{name}__lt": datetime.combine(value, time.min, tzinfo=UTC) + timedelta(days=1)})


class DeliveryFilter(Told, django_filters.FilterSet):
    """Words of the lead or a message's id, connection, status, kind, type, handoff, and when it was owed."""

    q = django_filters.CharFilter(method="by_words", max_length=finding.LONGEST)
    connection = django_filters.ModelChoiceFilter(
        queryset=Connection.objects.all(), to_field_name="slug", error_messages=_GONE
    )
    status = django_filters.ChoiceFilter(method="by_status", choices=STATUSES)
    kind = django_filters.ChoiceFilter(choices=Delivery.Kind.choices)
    type = django_filters.CharFilter(max_length=60)
    handoff = django_filters.NumberFilter(min_value=1, max_value=2**62)
    lead = django_filters.NumberFilter(min_value=1, max_value=2**62)
    since = django_filters.DateFilter(
        field_name="created_at", method=_since, validators=_YEARS, error_messages=_DATE
    )
    until = django_filters.DateFilter(
        field_name="created_at", method=_until, validators=_YEARS, error_messages=_DATE
    )

    class Meta:
        model = Delivery
        fields: tuple[str, ...] = ()

    def by_words(self, rows: QuerySet[Delivery], name: str, value: str) -> QuerySet[Delivery]:
        words = value.strip()
        if words.startswith("msg_"):
            return rows.filter(message_id=words)
        # Only marketing ops and admins come here, who see addresses.
        leads = Lead.objects.filter(finding.matching(words, personal=True)).order_by().values("pk")
        return rows.filter(lead__in=leads)

    def by_status(self, rows: QuerySet[Delivery], name: str, value: str) -> QuerySet[Delivery]:
        if value == WAITING:
            return rows.filter(done_at__isnull=True)
        if value == Delivery.Status.DEAD:
            return rows.filter(health.dead())
        return rows.filter(status=value)


class CallFilter(Told, django_filters.FilterSet):
    """The identity of a call, connection, status, whether it came again, and when it came."""

    q = django_filters.CharFilter(field_name="identity", lookup_expr="exact", max_length=200)
    connection = django_filters.ModelChoiceFilter(
        queryset=Connection.objects.all(), to_field_name="slug", error_messages=_GONE
    )
    status = django_filters.ChoiceFilter(choices=InboundCall.Status.choices)
    again = django_filters.ChoiceFilter(
        method="by_repeats", choices=(("yes", "Came again"), ("other", "Came again with another body"))
    )
    since = django_filters.DateFilter(
        field_name="received_at", method=_since, validators=_YEARS, error_messages=_DATE
    )
    until = django_filters.DateFilter(
        field_name="received_at", method=_until, validators=_YEARS, error_messages=_DATE
    )

    class Meta:
        model = InboundCall
        fields: tuple[str, ...] = ()

    def by_repeats(self, rows: QuerySet[InboundCall], name: str, value: str) -> QuerySet[InboundCall]:
        return rows.filter(Q(differing_repeats__gt=0) if value == "other" else Q(repeats__gt=0))


# Kinds of things that an entry of the access log can be about.
ABOUT = (
    ("person", "A person"),
    ("lead", "A lead"),
    ("file", "A file"),
    ("key", "An API key"),
    ("connection", "A connection"),
    ("rules", "Rules"),
    ("policy", "A policy"),
    ("proposal", "A proposal"),
    ("definition", "The MQL definition"),
    ("rejectionreason", "A rejection reason"),
    ("preflightsettings", "The pre-flight checks"),
)
NOBODY = "nobody"


class AccessFilter(Told, django_filters.FilterSet):
    """What was done, by whom ("nobody" for the system and the unknown), about what, and when."""

    kind = django_filters.ChoiceFilter(choices=AccessEntry.Kind.choices)
    by = django_filters.ModelChoiceFilter(
        field_name="user",
        queryset=User.objects.all(),
        null_label="Nobody",
        null_value=NOBODY,
        error_messages={"invalid_choice": "There is no such person, or no longer."},
    )
    about = django_filters.ChoiceFilter(choices=ABOUT)
    number = django_filters.CharFilter(field_name="about_id", lookup_expr="exact", max_length=100)
    since = django_filters.DateFilter(field_name="at", method=_since, validators=_YEARS, error_messages=_DATE)
    until = django_filters.DateFilter(field_name="at", method=_until, validators=_YEARS, error_messages=_DATE)

    class Meta:
        model = AccessEntry
        fields: tuple[str, ...] = ()
