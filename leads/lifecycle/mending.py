"""An open handoff without a holder or without its deadline gets them back: the net under every other verb.

Owns `mend`. Nothing in here happens while the verbs do their work; a row that was edited in a shell or lost
in a restore does. What the log says comes first; what is then still missing is decided anew.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction

from leads import projection
from leads.choices import HOLDS_TURN, EventKind, Stage, State
from leads.lifecycle import guard
from leads.lifecycle.act import Act
from leads.lifecycle.answering import resume_in
from leads.lifecycle.book import Book, clocks
from leads.lifecycle.draining import free
from leads.lifecycle.placing import route_again
from leads.models import Handoff
from routing import sla

NO_HOLDER, NO_DEADLINE = "nobody held it", "its deadline was wrong"


@transaction.atomic
def mend(handoff_id: int, act: Act) -> str:
    """Give it a holder and the deadline that its clocks say; why that was needed, "" when it was not."""
    handoff = guard.locked(handoff_id)
    why = _wrong(handoff)
    if not why:
        return ""
    if any(found.column != "events" for found in projection.rebuild(handoff_id)):
        handoff = guard.locked(handoff_id)
    book = Book(act)
    if _wrong(handoff) == NO_HOLDER:
        free(handoff, act.now)
        route_again(book, handoff, EventKind.REPAIRED, why=why)
    else:
        book.write(handoff, EventKind.REPAIRED, Stage.AFTER, _deadlines(book, handoff), why=why)
        if handoff.state == State.DEFERRED and handoff.deferred_until is None:
            resume_in(book, handoff)
    book.save()
    return why


def _wrong(handoff: Handoff) -> str:
    """What is wrong with it; the same as `HandoffQuerySet.astray` selects."""
    if not handoff.is_open or handoff.is_quiet:
        return ""
    held = (*HOLDS_TURN, State.WORKING)
    if handoff.state in held and handoff.assignee_id is None:
        return NO_HOLDER
    if handoff.state == State.QUEUED and handoff.queue_id is None:
        return NO_HOLDER
    if handoff.state == State.WORKING:
        return ""
    expected = sla.next_deadline(clocks(handoff))
    asleep = handoff.state == State.DEFERRED and handoff.next_step_at is None
    return NO_DEADLINE if expected is None or handoff.next_due_at != expected or asleep else ""


def _deadlines(book: Book, handoff: Handoff) -> dict[str, Any]:
    """The columns from which the deadline follows, where they are empty; from now on, by today's hours."""
    if sla.next_deadline(clocks(handoff)) is not None:
        return {}
    policy, calendar = book.policy(handoff), book.calendar(handoff)
    if handoff.state == State.INCOMPLETE:
        since = handoff.completion_since or book.now
        return {
            "completion_since": since,
            "completion_due_at": sla.deadline(since, policy.completion, calendar),
        }
    if handoff.state in (State.ASSIGNED, State.QUEUED):
        return {"accept_due_at": sla.deadline(book.now, policy.accept, calendar)}
    if handoff.state == State.ACCEPTED:
        return {"contact_due_at": sla.deadline(book.now, policy.contact, calendar)}
    return {}
