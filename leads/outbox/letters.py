"""Dead letters: what was given up is sent once more, or let go with a reason.

Owns both verbs, each done once however often it is asked for. A replayed event keeps its id, so that whoever
has it already knows it again; a state is owed anew, for its values are those of now. Sends nothing.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from leads.models import Connection, Delivery
from leads.outbox import waking
from leads.outbox.owing import owe_states

Kind, Status = Delivery.Kind, Delivery.Status


class NeedsNote(ValueError):
    """Nothing is let go without a word why."""


@transaction.atomic
def replay(delivery: Delivery, now: datetime) -> bool:
    """Send what was given up once more, with all its attempts before it; False when it is no dead letter
    any more, or its lead has no state to be written."""
    dead = Delivery.objects.select_for_update(no_key=True).filter(pk=delivery.pk, status=Status.DEAD)
    if (row := dead.select_related("connection").first()) is None:
        return False
    if row.kind == Kind.STATE:
        return _state_anew(row, row.connection, now)
    row.status, row.done_at = Status.PENDING, None
    row.attempts, row.next_attempt_at = 0, now
    row.save(update_fields=["status", "done_at", "attempts", "next_attempt_at"])
    waking.soon(waking.DELIVER, now, [now])
    return True


def _state_anew(row: Delivery, connection: Connection, now: datetime) -> bool:
    if row.lead_id is None or not owe_states(connection, [row.lead_id], now):
        return False
    row.status, row.done_at = Status.SUPERSEDED, now
    row.save(update_fields=["status", "done_at"])
    return True


def discard(delivery: Delivery, note: str) -> bool:
    """Let a dead letter go, with the reason; False when it is none any more. Raises NeedsNote."""
    note = note.strip()
    if not note:
        raise NeedsNote("Say why it is let go.")
    dead = Delivery.objects.filter(pk=delivery.pk, status=Status.DEAD)
    return bool(dead.update(status=Status.DISCARDED, note=note[:300]))
