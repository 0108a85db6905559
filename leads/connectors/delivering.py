"""Sending what is owed: claim, call, settle, until nothing is due or the time is up.

Owns the loop and what a successful write leaves behind (the record's id, the values written). No
transaction is open while another system is called. Which rows and when is `leads.outbox`; what is said is
the connector's.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TypeVar

import httpx
import structlog
from django.db import transaction

from leads.connectors.addresses import Forbidden
from leads.connectors.base import Connector, NotOffered, Pushed
from leads.connectors.client import TIMEOUT, Http, Unreachable
from leads.connectors.kinds import CONNECTORS
from leads.models import Connection, Delivery, ExternalId, RemoteRecord
from leads.outbox import Outcome, Result, Wanted, claim, settle, wanted
from leads.sealing import CannotOpen

log = structlog.get_logger(__name__)

Clock = Callable[[], datetime]
T = TypeVar("T")
# An answer of a shape that the connector did not expect. It is logged with its place, tried again, and given
# up in the end like any other failure; the rest of the outbox goes on.
UNEXPECTED = (LookupError, TypeError, ValueError, AttributeError)


def worker_name() -> str:
    """This process, as a lease names it."""
    return f"{socket.gethostname()[:24]}:{os.getpid()}"


# While somebody waits for a page.
IMPATIENT = httpx.Timeout(8.0, connect=4.0)


@contextmanager
def opened(connection: Connection, timeout: httpx.Timeout = TIMEOUT) -> Iterator[Connector]:
    """The connector of a connection, with its client open meanwhile. Raises CannotOpen."""
    with Http(connection.base_url, timeout=timeout) as http:
        yield CONNECTORS[Connection.Kind(connection.kind)](connection, http)


def due(now: datetime) -> list[Connection]:
    """The active connections to which something is owed by now."""
    owed = Delivery.objects.filter(done_at__isnull=True, locked_until__isnull=True, next_attempt_at__lte=now)
    return list(Connection.objects.filter(is_active=True, pk__in=owed.values("connection")).order_by("pk"))


def deliver(connection: Connection, clock: Clock, *, seconds: float, worker: str = "") -> int:
    """Send what this connection is owed, for so many seconds at most; how many were delivered."""
    ends, worker, sent = time.monotonic() + seconds, worker or worker_name(), 0
    try:
        with opened(connection) as connector:
            while time.monotonic() < ends:
                rows = claim(connection.pk, connector.batch, clock(), worker, calls=connector.calls)
                if not rows:
                    break
                sent += _attempt(connector, rows, clock, worker)
    except CannotOpen as error:
        Connection.objects.filter(pk=connection.pk).update(paused_why=str(error), paused_until=None)
    return sent


def deliver_one(delivery: Delivery, clock: Clock, *, worker: str = "") -> bool:
    """Send this one now, within seconds, if it is due and its connection may be called; whether it was
    tried. What came of it stands in its row."""
    worker = worker or f"{worker_name()}:page"[:40]
    try:
        with opened(delivery.connection, IMPATIENT) as connector:
            rows = claim(delivery.connection_id, 1, clock(), worker, calls=connector.calls, only=delivery.pk)
            if rows:
                _attempt(connector, rows, clock, worker)
    except CannotOpen as error:
        Connection.objects.filter(pk=delivery.connection_id).update(paused_why=str(error), paused_until=None)
        return False
    return bool(rows)


def _attempt(connector: Connector, rows: Sequence[Delivery], clock: Clock, worker: str) -> int:
    """The one attempt that was claimed for these rows; how many were delivered."""
    outcomes: dict[int, Outcome] = {}
    states = [row for row in rows if row.kind == Delivery.Kind.STATE]
    erasures = [row for row in rows if row.kind == Delivery.Kind.ERASE]
    others = [row for row in rows if row not in states and row not in erasures]
    written: list[tuple[Wanted, Pushed]] = []
    if states:
        now_wanted = wanted([row.lead_id for row in states if row.lead_id is not None])
        there = [row for row in states if row.lead_id in now_wanted]
        gone = Outcome(Result.DONE, request="Nothing: this lead has no handoff any more.")
        outcomes |= {row.pk: gone for row in states if row.lead_id not in now_wanted}
        wants = [now_wanted[row.lead_id] for row in there if row.lead_id is not None]
        pushed = _tried(lambda: connector.push(wants, clock()), len(wants), Pushed) if wants else []
        for row, want, result in zip(there, wants, pushed, strict=True):
            outcomes[row.pk] = result.outcome
            if result.outcome.result == Result.DONE:
                written.append((want, result))
    for group, send in ((erasures, connector.forget), (others, connector.post)):
        results = _tried(partial(send, group, clock()), len(group), _itself) if group else []
        outcomes |= {row.pk: result for row, result in zip(group, results, strict=True)}
    now = clock()
    with transaction.atomic():
        _remember(connector.connection, written, now)
        return settle(connector.connection.pk, [(row, outcomes[row.pk]) for row in rows], now, worker)


def _itself(outcome: Outcome) -> Outcome:
    return outcome


def _tried(call: Callable[[], list[T]], number: int, of: Callable[[Outcome], T]) -> list[T]:
    """What the connector says of each, or the same failure for all of them when it could not say."""
    try:
        return call()
    except Unreachable as error:
        outcome = Outcome(Result.TRANSIENT, error=str(error))
    except (NotOffered, Forbidden) as error:
        outcome = Outcome(Result.PERMANENT, error=str(error))
    except UNEXPECTED as error:
        log.exception("a connector stumbled over an answer")
        outcome = Outcome(
            Result.TRANSIENT, error=f"The answer could not be understood ({type(error).__name__})."
        )
    return [of(outcome)] * number


def _remember(connection: Connection, written: Sequence[tuple[Wanted, Pushed]], now: datetime) -> None:
    """The records that were written: their ids, the values that stand there now, and for which revision."""
    rows = [
        RemoteRecord(
            connection=connection,
            lead_id=want.lead_id,
            handoff_id=want.handoff_id,
            object=result.object,
            remote_id=result.remote_id,
            revision=want.revision,
            written=dict(result.written),
            written_at=now,
        )
        for want, result in written
        if result.object
    ]
    RemoteRecord.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["connection", "lead", "object"],
        update_fields=["handoff", "remote_id", "revision", "written", "written_at"],
    )
    new = [
        ExternalId(
            lead_id=want.lead_id, system=connection.id_system, object=result.object, value=result.remote_id
        )
        for want, result in written
        if result.remote_id
        and connection.id_system
        and want.ids.get((connection.id_system, result.object)) != result.remote_id
    ]
    ExternalId.objects.bulk_create(new, ignore_conflicts=True)
