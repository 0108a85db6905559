"""The handoff that stands for a lead in a list: of those that the viewer sees the newest, an open one first.

Owns that query, one for any number of leads, and what of a handoff is read for it. Never words it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.db.models import QuerySet

from leads.models import Handoff, Lead
from leads.querysets import Sight, sight_of
from routing.people import User
from routing.prepared import prepared

# What says where a lead stands; the rest of these wide tables is left where it is.
_FIELDS = (
    "lead_id", "state", "is_history", "lead_type", "raised_at", "mql_at", "score_total", "black_hole_at",
    "assignee__name", "assignee__email", "queue__name", "rejection_reason__label",
)  # fmt: skip


def of(user: User, leads: Iterable[Lead]) -> dict[int, Handoff]:
    """By lead. What is read of them are state, holder, queue, reason, kind, score and when they qualified."""
    ids = [lead.pk for lead in leads]
    if not ids:
        return {}
    sight = sight_of(user)
    found: dict[int, Handoff] = {}
    for handoff in _all_of(ids) if sight is None else _seen_of(ids, *sight.values):
        if handoff.is_open or not (handoff.lead_id in found and found[handoff.lead_id].is_open):
            found[handoff.lead_id] = handoff
    return found


@prepared
def _all_of(leads: Collection[int]) -> QuerySet[Handoff]:
    return _told(Handoff.objects.filter(lead__in=leads))


@prepared
def _seen_of(
    leads: Collection[int], people: Collection[int], queues: Collection[int], is_of_incomplete: bool
) -> QuerySet[Handoff]:
    return _told(Handoff.objects.filter(Sight(people, queues, is_of_incomplete).condition, lead__in=leads))


def _told(handoffs: QuerySet[Handoff]) -> QuerySet[Handoff]:
    beside = handoffs.select_related("assignee", "queue", "rejection_reason")
    return beside.only(*_FIELDS).order_by("mql_at", "pk")
