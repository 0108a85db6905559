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
from django.db.models import Count, Exists, OuterRef

from leads.connectors.addresses import Forbidden
from leads.connectors.base import Connector, Denied, NotOffered, Pushed
from leads.connectors.client import TIMEOUT, Http, Unreachable
from leads.connectors.kinds import CONNECTORS
from leads.models import Connection, Delivery, ExternalId, Lead, RemoteRecord
from leads.outbox import MOST_WORKERS, Outcome, Result, Wanted, budget_wait, claim, lets, settle, wanted
from leads.sealing import CannotOpen

log = structlog.get_logger(__name__)

Clock = Callable[[], datetime]
T = TypeVar("T")
# With so many due at one connection a second worker shares in them.
SHARED = 300
SHORTEST_WAIT = 0.01
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
    """The connections to which something is owed by now and may be sent, but for those that enough workers
    are at already. Who answers well comes first: who does not is waited for longest."""
    owed = Delivery.objects.filter(
        connection=OuterRef("pk"), done_at__isnull=True, locked_until__isnull=True, next_attempt_at__lte=now
    )
    found = Connection.objects.filter(Exists(owed), is_active=True).order_by("failures", "pk")
    leased = Delivery.objects.filter(locked_until__isnull=False, locked_until__gt=now).order_by()
    at_it = dict(leased.values_list("connection").annotate(Count("locked_by", distinct=True)))
    return [one for one in found if lets(one, now) and at_it.get(one.pk, 0) < MOST_WORKERS]


def is_much(connection: Connection, now: datetime) -> bool:
    """Whether so much is due that another worker should share in it."""
    owed = Delivery.objects.filter(connection=connection, done_at__isnull=True, locked_until__isnull=True)
    return owed.filter(next_attempt_at__lte=now).order_by()[:SHARED].count() == SHARED


def deliver(connection: Connection, clock: Clock, *, seconds: float, worker: str = "") -> int:
    """Send what this connection is owed, for about so many seconds; how many were delivered. Where only the
    rate budget is in the way, it is waited for."""
    ends, worker, sent = time.monotonic() + seconds, worker or worker_name(), 0
    try:
        with opened(connection) as connector:
            while (left := ends - time.monotonic()) > 0:
                rows = claim(connection.pk, connector.batch, clock(), worker, calls=connector.calls)
                if rows:
                    sent += _attempt(connector, rows, clock, worker)
                    continue
                wait = budget_wait(connection.pk, clock(), calls=connector.calls)
                if wait is None or wait.total_seconds() >= left:
                    break
                time.sleep(max(SHORTEST_WAIT, wait.total_seconds()))
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
    connector.start()
    outcomes: dict[int, Outcome] = {}
    states = [row for row in rows if row.kind == Delivery.Kind.STATE]
    erasures = [row for row in rows if row.kind == Delivery.Kind.ERASE]
    others = [row for row in rows if row.kind in (Delivery.Kind.EVENT, Delivery.Kind.MESSAGE)]
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
        results = call()
        if len(results) != number:
            raise ValueError(f"{len(results)} outcomes of {number} deliveries")
        return results
    except Denied as error:
        outcome = Outcome(Result.UNAUTHORISED, error=str(error))
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
    """The records that were written: their ids, the values that stand there now, and for which revision.

    A lead may have been merged while its state was on its way: then its record went with the merge, unless
    it is one that nobody knows yet."""
    if not written:
        return
    merged = Lead.objects.filter(pk__in=[want.lead_id for want, _ in written], merged_into__isnull=False)
    into = dict(merged.values_list("pk", "merged_into_id"))
    records = RemoteRecord.objects.filter(connection=connection, lead__in=set(into.values()))
    known = set(records.values_list("object", "remote_id")) if into else set()
    # In the order of the leads, whose rows are locked in it everywhere.
    written = sorted(
        (
            (want, result)
            for want, result in written
            if want.lead_id not in into or (result.object, result.remote_id) not in known
        ),
        key=lambda pair: pair[0].lead_id,
    )
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
            lead_id=into.get(want.lead_id, want.lead_id),
            system=connection.id_system,
            object=result.object,
            value=result.remote_id,
        )
        for want, result in written
        if result.remote_id
        and connection.id_system
        and want.ids.get((connection.id_system, result.object)) != result.remote_id
    ]
    ExternalId.objects.bulk_create(new, ignore_conflicts=True)
