"""Undo: within ten seconds, by the same person, if nobody else has acted.

Owns the compensating event. The log keeps both: an undone act is no activity and no acknowledgment.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from leads.choices import HOLDS_TURN, EventKind, Stage
from leads.lifecycle import guard
from leads.lifecycle.act import Act, Refused
from leads.lifecycle.answering import UNDO_FOR
from leads.lifecycle.book import DERIVED, Book, turn_ref
from leads.lifecycle.draining import free
from leads.lifecycle.opening import raise_to_demo
from leads.models import Event, Handoff, Notification
from leads.projection import decode
from routing import rotation

UNDOABLE = frozenset(
    {EventKind.ACCEPTED, EventKind.CLAIMED, EventKind.REJECTED, EventKind.DEFERRED, EventKind.CONTACTED}
    | {EventKind.CONVERTED, EventKind.DISQUALIFIED, EventKind.NOTED, EventKind.UNFLAGGED}
)


@transaction.atomic
def undo(handoff_id: int, act: Act, *, revision: int | None = None) -> Handoff:
    """Take back this person's last act on the handoff: all events that the act wrote."""
    handoff = guard.locked(handoff_id)
    events = _last_act(handoff)
    if not events:
        raise _too_late(handoff)
    last = events[0]
    mine = act.user is not None and last.user_id == act.user.pk
    kinds = {EventKind(event.kind) for event in events}
    if not mine or not kinds <= UNDOABLE or act.now - last.recorded_at > UNDO_FOR:
        raise _too_late(handoff)
    held_before = turn_holder(handoff)
    book = Book(act)
    was = restored(handoff, events)
    book.write(handoff, EventKind.UNDONE, Stage.AFTER, was, undid=[event.number for event in events])
    if handoff.raised_at is not None and handoff.raised_at > last.recorded_at:
        # The lead asked for a demo meanwhile: the clocks that came back are a demo's.
        raise_to_demo(book, handoff, handoff.raised_at)
    turn_back(handoff, held_before, act.now)
    _take_rows_back(handoff, act, last.recorded_at)
    book.save()
    return handoff


def restored(handoff: Handoff, events: list[Event]) -> dict[str, Any]:
    """What the columns were before these events, newest first; without what has been set again since, which
    is not this act's to take back."""
    after: dict[str, Any] = {}
    before: dict[str, Any] = {}
    for event in events:
        for name, value in event.data.get("was", {}).items():
            if name not in DERIVED:
                after.setdefault(name, event.data["set"].get(name))
                before[name] = value
    return {
        name: decode(name, value)
        for name, value in before.items()
        if getattr(handoff, name) == decode(name, after[name])
    }


def _take_rows_back(handoff: Handoff, act: Act, at: datetime) -> None:
    """What the act wrote beside the handoff: what it said is marked undone, what it set off never was."""
    for rows in (handoff.rejections, handoff.deferral_rows, handoff.notes):
        rows.filter(by=act.user, at=at).update(undone_at=act.now)
    handoff.attempts.filter(by=act.user, recorded_at=at).update(undone_at=act.now)
    handoff.complaints.filter(by=act.user, at=at).delete()
    handoff.lead.triage_items.filter(at=at, data__handoff=handoff.pk, settled_at__isnull=True).delete()
    handoff.notifications.filter(created_at=at).exclude(mail=Notification.Mail.SENT).delete()


def _last_act(handoff: Handoff) -> list[Event]:
    """The latest events that were written together, newest first; unobtrusive ones do not stand between."""
    hidden = {str(kind) for kind in guard.UNOBTRUSIVE - {EventKind.NOTED, EventKind.UNFLAGGED}}
    recent = [e for e in handoff.events.order_by("-number")[:12] if e.kind not in hidden]
    if not recent:
        return []
    moment, user_id = recent[0].recorded_at, recent[0].user_id
    together = []
    for event in recent:
        if event.recorded_at != moment or event.user_id != user_id:
            break
        together.append(event)
    return together


def _too_late(handoff: Handoff) -> Refused:
    error = guard.refusal(handoff, "undo")
    error.message = f"This can no longer be undone. {error.message}"
    return error


def turn_holder(handoff: Handoff) -> int | None:
    return handoff.assignee_id if handoff.state in HOLDS_TURN else None


def turn_back(handoff: Handoff, before: int | None, now: datetime) -> None:
    after = turn_holder(handoff)
    if before == after:
        return
    if before is not None:
        turn = free(handoff, now)
        if turn is not None:
            rotation.give_back(turn, now)
    if after is not None:
        rotation.reopen(turn_ref(handoff), after)
