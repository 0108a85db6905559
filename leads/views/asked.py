"""What the page of a lead or a handoff asks for by its id, as queries that are written once.

Owns those queries and how many rows each gives, the newest first. Never words anything; what one may see was
decided by whoever found the lead or the handoff.
"""

from __future__ import annotations

from django.db.models import Count, Q, QuerySet

from leads.choices import DIRECT_INTERACTIONS
from leads.models import (
    Activity,
    ContactAttempt,
    Deferral,
    DuplicatePair,
    Event,
    Finding,
    Inspection,
    Lead,
    Note,
    Rejection,
    RejectionReason,
    RoutingDecision,
)
from routing.prepared import prepared

MOST_DIRECT, MOST_OTHER, MOST_EVENTS, MOST_WRITTEN, MOST_FOUND = 25, 100, 200, 50, 5
_DIRECT = sorted(str(kind) for kind in DIRECT_INTERACTIONS)


@prepared
def direct_activities(lead: int) -> QuerySet[Activity]:
    own = Activity.objects.filter(lead=lead, kind__in=_DIRECT)
    return own.order_by("-occurred_at", "-id")[:MOST_DIRECT]


@prepared
def other_activities(lead: int) -> QuerySet[Activity]:
    own = Activity.objects.filter(lead=lead).exclude(kind__in=_DIRECT)
    return own.order_by("-occurred_at", "-id")[:MOST_OTHER]


@prepared
def pairs(lead: int) -> QuerySet[DuplicatePair, int]:
    """Whether it may be the same as another: one pair that nobody has decided, if there is one."""
    own = DuplicatePair.objects.filter(Q(first=lead) | Q(second=lead), status=DuplicatePair.Status.OPEN)
    return own.values_list("pk", flat=True)[:1]


@prepared
def others_of_company(company: int, lead: int) -> QuerySet[Lead, tuple[int | None, int, int]]:
    """How many others come from there and how many handoffs they have; no row where there are none."""
    others = Lead.objects.filter(company=company, merged_into__isnull=True).exclude(pk=lead)
    counted = others.order_by().values_list("company")
    return counted.annotate(leads=Count("pk", distinct=True), all=Count("handoffs"))


@prepared
def events(handoff: int) -> QuerySet[Event]:
    own = Event.objects.filter(handoff=handoff).select_related("user", "api_key")
    return own.order_by("-number")[:MOST_EVENTS]


@prepared
def findings(handoff: int) -> QuerySet[Finding]:
    """What the sync audit has open about it."""
    own = Finding.objects.filter(handoff=handoff, resolved_at__isnull=True)
    return own.select_related("connection").order_by("first_seen_at", "id")[:MOST_FOUND]


@prepared
def notes(handoff: int) -> QuerySet[Note]:
    return Note.objects.filter(handoff=handoff).order_by("-at")[:MOST_WRITTEN]


@prepared
def rejections(handoff: int) -> QuerySet[Rejection]:
    own = Rejection.objects.filter(handoff=handoff).select_related("reason")
    return own.order_by("-at")[:MOST_WRITTEN]


@prepared
def deferrals(handoff: int) -> QuerySet[Deferral]:
    return Deferral.objects.filter(handoff=handoff).order_by("-at")[:MOST_WRITTEN]


@prepared
def attempts(handoff: int) -> QuerySet[ContactAttempt]:
    return ContactAttempt.objects.filter(handoff=handoff).order_by("-at")[:MOST_WRITTEN]


@prepared
def decision(handoff: int) -> QuerySet[RoutingDecision]:
    return RoutingDecision.objects.filter(handoff=handoff).order_by("-at", "-id")[:1]


@prepared
def inspection(handoff: int) -> QuerySet[Inspection]:
    return Inspection.objects.filter(handoff=handoff).order_by("-at", "-id")[:1]


@prepared
def reasons() -> QuerySet[RejectionReason]:
    return RejectionReason.objects.filter(is_active=True)
