"""What time does to a handoff: ladder steps, the end of a deferral, follow-ups, stale work.

Owns `fire`, the one transaction that the sweep runs per handoff. A unique row per step makes a crash, a
second worker or a repeat harmless. A step that fires more than 90 seconds after its time is marked late.

Cancelled: a step whose time had come and that no sweep had fired yet, when an act (an answer, a reassignment,
a step that moved the lead) took that time back. It does not fire; one CANCELLED event, last of what the act
wrote, names all such steps in the order of their time, with the act. A step whose time had not come simply
never comes and is no news. Should the act be undone, or the clock run out anew, the step fires after all:
only a row of FiredStep says that it did. The writing of it is `Book.save`.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from leads.choices import EventKind, Stage, State
from leads.lifecycle import guard
from leads.lifecycle.act import Act
from leads.lifecycle.answering import follow_up, resume_in
from leads.lifecycle.book import STALE_AFTER, Book
from leads.lifecycle.draining import free
from leads.lifecycle.moving import reroute_in
from leads.lifecycle.placing import give
from leads.models import Handoff
from routing import sla
from routing.people import User
from routing.rotation import Seating

FLAG, MARK, RAISE, REASSIGN, QUEUE = "flag", "mark", "raise", "reassign", "queue"
# A minute between two sweeps, and what one of them takes: what comes later than that is late.
ON_TIME = timedelta(seconds=90)
SHIPPED = frozenset(step.code for step in (*sla.default_steps(), sla.DELIVERED_LATE))
# In which words a step is told that is not as shipped: by what it did, else by its clock, before the end of
# its time and from then on.
_BY_ACT = {RAISE: "put_first", REASSIGN: "taken_away", QUEUE: "taken_away"}
_BEFORE = {
    "acceptance": "accept_80",
    "unacknowledged": "unacknowledged",
    "contact": "contact_soon",
    "idle": "no_activity",
    "black_hole": "no_activity",
    "completion": "completion_soon",
}
_AFTER = {
    "acceptance": "accept_breach",
    "unacknowledged": "unacknowledged",
    "contact": "contact_breach",
    "idle": "no_activity",
    "black_hole": "black_hole",
    "completion": "completion_breach",
}


@transaction.atomic
def fire(handoff_id: int, now: datetime) -> list[dict[str, Any]]:
    """Everything due on this handoff by `now`, in order: one small dict a step.

    Keys: handoff, step, due_at, fired_at, told (e-mail addresses), late (seconds, 0 when in time). Empty when
    nothing was due after all.
    """
    book = Book(Act(now))
    fired = fire_in(book, guard.locked(handoff_id))
    book.save()
    return fired


def fire_in(book: Book, handoff: Handoff) -> list[dict[str, Any]]:
    """See `fire`; within somebody else's transaction, on a locked handoff."""
    if handoff.is_history:
        return []
    now = book.now
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
    return fired


def _ladder(book: Book, handoff: Handoff) -> list[dict[str, Any]]:
    """Every step that is due, in order. Once one has moved the handoff, only what still holds is fired."""
    fired: list[dict[str, Any]] = []
    said: set[tuple[str, int]] = set()
    due = deque(book.due(handoff))
    window = handoff.window
    while due:
        item = due.popleft()
        if item.step.what in sla.MOVES and handoff.window != window:
            # One move a firing: who just got it has time of their own.
            break
        fired.append(_step(book, handoff, item, said))
        if item.step.what in sla.MOVES:
            due = deque(book.due(handoff))
    return fired


def _step(book: Book, handoff: Handoff, item: sla.Due, said: set[tuple[str, int]]) -> dict[str, Any]:
    """Fire one step: remembered, done, written down and told. `said` holds which message this firing has told
    whom: two steps of one moment say the same to nobody twice."""
    step = item.step
    book.mark_fired(handoff, [item])
    moves = _takes_away(handoff, step)
    # Nobody to take it from: then it is a breach like any other, and somebody is told.
    kind = _AFTER[step.clock] if step.what in sla.MOVES and not moves else _message(step)
    told = book.recipients(handoff, step.who)
    if not told and step.who and step.is_at_end:
        # A queue has no rep to tell, and a rep may be gone: a breach is never nobody's.
        told = book.recipients(handoff, ("manager",))
    told = [person for person in told if (kind, person.pk) not in said]
    said |= {(kind, person.pk) for person in told}
    codes: dict[str, Any] = {"step": step.code, "window": item.window, "told": [person.pk for person in told]}
    if step.what != "tell":
        codes["what"] = step.what
    if late := _late(item.at, book.now):
        codes["late"] = late
    if moves and step.what == REASSIGN:
        reroute_in(book, handoff, step.code, **codes)
    elif moves and step.queue is not None:
        holder = handoff.assignee_id
        free(handoff, book.now)
        place = Seating("queue", "ladder", queue=book.queue(step.queue))
        book.write(handoff, EventKind.ESCALATED, Stage.ROUTING, why=step.code, was_held_by=holder, **codes)
        give(book, handoff, place, EventKind.QUEUED, why=step.code)
    else:
        _write(book, handoff, item, codes)
    ends = item.ends or item.at
    book.tell(handoff, kind, told, {"due_at": ends.isoformat()})
    return _told(handoff, step.code, item.at, book.now, told)


def _write(book: Book, handoff: Handoff, item: sla.Due, codes: dict[str, Any]) -> None:
    """The event of a step that leaves the handoff where it is, as of the time it was due."""
    changes: dict[str, Any] = {}
    kind = EventKind.ESCALATED
    if item.step.what == FLAG:
        kind, changes = EventKind.FLAGGED, {"no_activity_at": item.at}
    elif item.step.what == MARK:
        kind, changes = EventKind.BLACK_HOLE, {"black_hole_at": item.at}
    elif item.step.what == RAISE:
        changes = {"priority": handoff.priority + 1}
    stage = Stage.ENRICHMENT if handoff.state == State.INCOMPLETE else Stage.ACCEPTANCE
    book.write(handoff, kind, stage, changes, occurred_at=item.at, **codes)


def _takes_away(handoff: Handoff, step: sla.Step) -> bool:
    """Whether this step moves the handoff: a queue lets nothing lapse, and what is there stays there."""
    if step.what == REASSIGN:
        return bool(handoff.state == State.ASSIGNED)
    return step.what == QUEUE and (handoff.state == State.ASSIGNED or handoff.queue_id != step.queue)


def _message(step: sla.Step) -> str:
    if step.what in _BY_ACT:
        return _BY_ACT[step.what]
    return step.code if step.code in SHIPPED else (_AFTER if step.is_at_end else _BEFORE)[step.clock]


def _late(due_at: datetime, now: datetime) -> int:
    """How many seconds past its time something fires; 0 as long as that is what a sweep a minute takes."""
    return int((now - due_at).total_seconds()) if now - due_at > ON_TIME else 0


def _stale(book: Book, handoff: Handoff) -> dict[str, Any]:
    due_at = (handoff.last_activity_at or book.now) + STALE_AFTER
    told = [] if handoff.is_quiet else book.recipients(handoff, ("manager",))
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
        "late": _late(due_at, now),
    }
