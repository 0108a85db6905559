"""What another system says of a handoff: taken over by somebody who looked at both, or overruled.

Owns both verbs. What was done elsewhere is no act of the rep; adopting it is the act of whoever does so, and
the log names them. What is adopted is only what can be said without knowing more than the other system does.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from leads.choices import EventKind, Stage, State
from leads.lifecycle import guard
from leads.lifecycle.act import Act, Invalid
from leads.lifecycle.answering import mark_accepted, mark_rejected
from leads.lifecycle.book import Book
from leads.models import Handoff

ADOPTABLE = ("accepted", "rejected")


@transaction.atomic
def adopt(
    handoff_id: int, act: Act, *, status: str, reason: str = "", note: str = "", until: datetime | None = None
) -> Handoff:
    """The other system's answer becomes ours: "accepted", or "rejected" with a reason of ours. The holder
    stays who they are. Raises Refused where the handoff's state does not allow it."""
    if status not in ADOPTABLE:
        raise Invalid({"status": f"Only {' or '.join(ADOPTABLE)} can be adopted; ask whoever holds it."})
    handoff = guard.locked(handoff_id)
    wanted = f"adopt {status}"
    guard.require_state(handoff, (State.ASSIGNED, State.ACCEPTED), wanted)
    if act.user is None:
        raise guard.refusal(handoff, wanted)
    book = Book(act)
    if status == "rejected":
        mark_rejected(book, handoff, act.user, reason=reason, note=note, until=until)
    elif handoff.state == State.ASSIGNED:
        mark_accepted(book, handoff, act.now)
    book.save()
    return handoff


@transaction.atomic
def resend(handoff_id: int, act: Act, *, check: str) -> Handoff:
    """Ours stands: it is written to every system again, under a new revision. `check` is what was found."""
    handoff = guard.locked(handoff_id)
    book = Book(act)
    book.write(
        handoff, EventKind.REPAIRED, Stage.AFTER, check=check, why="written to the other systems again"
    )
    book.save()
    return handoff
