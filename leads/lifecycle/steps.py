"""What time does to a handoff: ladder steps, the end of a deferral, follow-ups, stale work.

Owns `fire`, the one transaction that the sweep runs per handoff. A unique row per step makes a crash, a
second worker or a repeat harmless.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from leads import notifications
from leads.choices import EventKind, Stage, State
from leads.lifecycle import guard
from leads.lifecycle.act import Act
from leads.lifecycle.answering import follow_up, resume_in
from leads.lifecycle.book import STALE_AFTER, Book, clocks
from leads.models import Handoff
from routing import sla
from routing.people import User

FLAG, MARK = "flag", "mark"


@transaction.atomic
def fire(handoff_id: int, now: datetime) -> list[dict[str, Any]]:
    """Everything due on this handoff by `now`, in order: one small dict a step.

    Keys: handoff, step, due_at, fired_at, told (e-mail addresses). Empty when nothing was due after all.
    """
    handoff = guard.locked(handoff_id)
    if handoff.is_history:
        return []
    book = Book(Act(now))
    fired: list[dict[str, Any]] = []
    if handoff.follow_up_at is not None and handoff.follow_up_at <= now:
        due_at = handoff.follow_up_at
        follow_up(book, handoff)
        fired.append(_told(handoff, "follow_up", due_at, now, []))
    if handoff.state == State.DEFERRED and handoff.deferred_until and handoff.deferred_until <= now:
        due_at = handoff.deferred_until
        resume_in(book, handoff)
        # Whoever holds it now was told by the move itself.
        told = [handoff.assignee] if handoff.assignee and not handoff.is_quiet else []
        fired.append(_told(handoff, "resume", due_at, now, told))
    if handoff.state == State.WORKING and (handoff.last_activity_at or now) + STALE_AFTER <= now:
        fired.append(_stale(book, handoff))
    if handoff.is_open and not handoff.is_quiet:
        fired += _ladder(book, handoff)
    if not fired and handoff.next_step_at is not None and handoff.next_step_at <= now:
        # The stored moment was out of date (a step became pointless): set it anew, so that it is
        # not looked at each minute for ever.
        book.write(handoff, EventKind.RECHECKED, Stage.AFTER)
    book.save()
    return fired


def _ladder(book: Book, handoff: Handoff) -> list[dict[str, Any]]:
    policy, calendar = book.policy(handoff), book.calendar(handoff)
    due = sla.due(policy, clocks(handoff), calendar, book.fired(handoff), book.now)
    if not due:
        return []
    book.mark_fired(handoff, due)
    fired = []
    for step in due:
        told = notifications.recipients(handoff, step.step.who, book.now)
        changes: dict[str, Any] = {}
        kind = EventKind.ESCALATED
        if step.step.what == FLAG:
            kind, changes = EventKind.FLAGGED, {"no_activity_at": step.at}
        elif step.step.what == MARK:
            kind, changes = EventKind.BLACK_HOLE, {"black_hole_at": step.at}
        stage = Stage.ENRICHMENT if handoff.state == State.INCOMPLETE else Stage.ACCEPTANCE
        book.write(
            handoff,
            kind,
            stage,
            changes,
            occurred_at=step.at,
            step=step.step.code,
            window=step.window,
            told=[person.pk for person in told],
        )
        book.tell(handoff, step.step.code, told, {"due_at": step.at.isoformat()})
        fired.append(_told(handoff, step.step.code, step.at, book.now, told))
    return fired


def _stale(book: Book, handoff: Handoff) -> dict[str, Any]:
    due_at = (handoff.last_activity_at or book.now) + STALE_AFTER
    told = [] if handoff.is_quiet else notifications.recipients(handoff, ("manager",), book.now)
    changes = {"state": State.SUPERSEDED, "close_reason": "stale", "closed_at": book.now}
    book.write(handoff, EventKind.SUPERSEDED, Stage.AFTER, changes, reason="stale")
    book.tell(handoff, "stale", told)
    return _told(handoff, "stale", due_at, book.now, told)


def _told(handoff: Handoff, step: str, due_at: datetime, now: datetime, told: list[User]) -> dict[str, Any]:
    return {
        "handoff": str(handoff.pk),
        "step": step,
        "due_at": due_at.isoformat(),
        "fired_at": now.isoformat(),
        "told": [person.email for person in told],
    }
