"""What other systems send: stored as it came, answered at once, taken in later.

Owns storing (once for each identity), and making canonical events of it for the intake. The answer to the
sender does not wait for that: some of them drop what is not answered in seconds. Never judges an event.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import structlog
from django.db import DatabaseError, IntegrityError, transaction
from django.db import connection as database
from django.db.models import F

from leads.connectors import arriving
from leads.connectors.base import Arrived, Unreadable
from leads.connectors.client import Unreachable
from leads.connectors.delivering import UNEXPECTED, opened
from leads.models import Connection, InboundCall
from leads.outbox import waking
from leads.sealing import CannotOpen
from routing.locking import locked_first

log = structlog.get_logger(__name__)
Status = InboundCall.Status
MOST_TRIES = 8
# Doubled from try to try; the lease of one who takes a call in, as well.
RETRY = timedelta(seconds=30)


def digest(text: str) -> str:
    """The digest by which the secret part of a connection's address is looked up."""
    return hashlib.sha256(text.encode()).hexdigest()


def store(connection: Connection, arrived: Arrived, identity: str, now: datetime) -> bool:
    """Keep a call, and ask for somebody to take it in; False when it came before (then it is counted, and
    marked when its body differs)."""
    body_digest = hashlib.sha256(arrived.body).hexdigest()
    try:
        with transaction.atomic():
            InboundCall.objects.create(
                connection=connection,
                identity=identity[:200],
                body=arrived.body,
                body_digest=body_digest,
                received_at=now,
                try_after=now,
            )
    except IntegrityError:
        again = InboundCall.objects.filter(connection=connection, identity=identity[:200])
        again.update(repeats=F("repeats") + 1)
        again.exclude(body_digest=body_digest).update(differing_repeats=F("differing_repeats") + 1)
        return False
    Connection.objects.filter(pk=connection.pk).update(last_in_at=now)
    waking.soon(waking.TAKE_CALLS, now, [now])
    return True


def take_waiting(clock: Callable[[], datetime], *, seconds: float) -> int:
    """Take in what is stored and waits, oldest first; how many calls."""
    ends, taken = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        call = _claim(clock())
        if call is None:
            break
        if call.status == Status.WAITING:
            _take(call, clock())
            taken += 1
    return taken


@transaction.atomic
def _claim(now: datetime) -> InboundCall | None:
    """The oldest waiting call, its try counted and its next one set: a crash costs one try, and what brings
    every worker down is given up like all else."""
    skips = database.features.has_select_for_update_skip_locked
    waiting = InboundCall.objects.filter(status=Status.WAITING, try_after__lte=now)
    waiting = waiting.select_related("connection").order_by("try_after", "id")
    call = locked_first(waiting, skip_locked=skips)
    if call is None:
        return None
    if call.tries >= MOST_TRIES:
        call.status, call.done_at = Status.FAILED, now
        call.error = "Whoever took it in never came to an end."
        call.save(update_fields=["status", "done_at", "error"])
        return call
    call.tries += 1
    call.try_after = now + RETRY * 2 ** min(call.tries, 10)
    call.save(update_fields=["tries", "try_after"])
    return call


def _take(call: InboundCall, now: datetime) -> None:
    error = ""
    try:
        with opened(call.connection) as connector:
            connector.start()
            events = connector.translate(bytes(call.body), call.identity, call.received_at)
        counts = arriving.take(call.connection, events, now)
        counts["events"] += connector.left_out.total()
    except Unreadable as problem:
        call.status, error = Status.FAILED, str(problem)
    except (Unreachable, CannotOpen) as problem:
        error = str(problem)
    except (*UNEXPECTED, DatabaseError) as problem:
        log.exception("a stored call could not be taken in", call=call.pk)
        error = f"It could not be understood ({type(problem).__name__})."
    else:
        call.status = _status(counts, len(events), connector.left_out.total())
        call.outcome = counts | connector.left_out
        call.error = " ".join(connector.remarks)[:300]
    if error and call.tries >= MOST_TRIES:
        call.status = Status.FAILED
    if error or call.status == Status.WAITING:
        call.error = error[:300]
    call.done_at = None if call.status == Status.WAITING else now
    call.save(update_fields=["status", "outcome", "error", "done_at"])


def _status(counts: Mapping[str, int], events: int, left_out: int) -> Status:
    """What became of a call by what became of its events: ignored when none is of interest here."""
    if not events:
        return Status.FAILED if left_out else Status.IGNORED
    return Status.IGNORED if counts.get("strangers") == events else Status.TAKEN


def again(call: InboundCall, now: datetime) -> bool:
    """Let a settled call be taken in once more; False when it waits already, or says nothing any more."""
    settled = InboundCall.objects.filter(pk=call.pk).exclude(status=Status.WAITING).exclude(body=b"")
    return bool(settled.update(status=Status.WAITING, tries=0, try_after=now, error="", done_at=None))
