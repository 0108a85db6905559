"""What others did to the lead that somebody has open: who, what, when.

Owns the words for a page that time has overtaken. Somebody who held a handoff and lost it may no longer
see it, but is told by whom it was taken; anybody else learns nothing. Never writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from leads.choices import EventKind
from leads.lifecycle.guard import UNOBTRUSIVE
from leads.models import Event, Handoff
from leads.presenters import rows, times
from leads.views import worklist
from routing.models import User

HIDDEN = [str(kind) for kind in UNOBTRUSIVE - {EventKind.NOTED, EventKind.RAISED}]


@dataclass(frozen=True, slots=True)
class News:
    """`revision` is what the words already cover; `is_gone` when it left the person's list, `is_lost`
    when it left their sight as well."""

    id: int
    name: str
    text: str
    revision: int
    is_gone: bool
    is_lost: bool = False


def since(user: User, pk: int, revision: int, now: datetime) -> News | None:
    """What others did to this handoff after the revision that the page shows; None for nothing."""
    handoff = Handoff.objects.visible_to(user).filter(pk=pk).select_related("lead", "queue").first()
    if handoff is None:
        return lost(user, pk, now)
    if handoff.revision <= revision:
        return None
    later = Event.objects.filter(handoff=pk, number__gt=revision).exclude(kind__in=HIDDEN)
    event = later.exclude(user=user).select_related("user").order_by("-number").first()
    if event is None:
        return None
    is_gone = worklist.list_of(user, handoff) is None
    return News(pk, rows.name_of(handoff), _words(event, now), handoff.revision, is_gone)


def lost(user: User, pk: int, now: datetime) -> News | None:
    """Who took a handoff from its former holder; None for anybody who never held it."""
    held = Event.objects.filter(handoff=pk, data__set__assignee_id=user.pk).order_by("-number").first()
    if held is None:
        return None
    after = Event.objects.filter(handoff=pk, number__gt=held.number).exclude(kind__in=HIDDEN)
    event = after.exclude(user=user).select_related("user", "handoff__lead").order_by("number").first()
    if event is None:
        return None
    return News(pk, rows.name_of(event.handoff), _words(event, now), event.number, True, True)


def _words(event: Event, now: datetime) -> str:
    who = str(event.user) if event.user is not None else "The system"
    return f"{who}: {EventKind(event.kind).label.lower()}, {times.day(event.occurred_at, now)}."
