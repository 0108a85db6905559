"""One run of the audit: every open and recently closed handoff against each system that keeps its state.

Owns the order, the slices and the counting of what could be compared at all, so that "no findings" is never
said of what nobody could read. Reads the other systems within their rate budgets; writes findings only.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Min, Q, QuerySet

from leads import outbox, slices
from leads.audit import alerting, checks, findings, lags, sides
from leads.audit.findings import Sighting
from leads.choices import OPEN
from leads.connectors import opened, polling
from leads.connectors.base import Seen
from leads.connectors.client import Unreachable
from leads.connectors.delivering import UNEXPECTED
from leads.connectors.keeping import Keeper
from leads.identity import normalise_email
from leads.models import Connection, Delivery, Handoff, Lead, RemoteRecord, SyncRun
from leads.outbox import Wanted
from leads.outbox.owing import KEEPS_STATE
from leads.sealing import CannotOpen
from routing.people import User

log = structlog.get_logger(__name__)

CHUNK = 200
# How long after its end a handoff is still compared.
RECENT = timedelta(days=30)
# What changed later than this may be on its way.
GRACE = timedelta(minutes=15)
LONGEST_PAUSE = 2.0
# While it waits for a rate budget, it says so often, in seconds, that it lives.
SAID_EVERY = 10.0

_slices = slices.Slices(SyncRun, progress="handoffs", unit="handoffs", order="created_at")
unfinished = _slices.unfinished


def keepers(system: str = "") -> list[Connection]:
    """The active connections that keep a handoff's state; those of one `system` (slug or kind) alone."""
    rows = Connection.objects.filter(is_active=True, kind__in=[str(kind) for kind in KEEPS_STATE])
    return list(rows.filter(Q(slug=system) | Q(kind=system)) if system else rows)


def start(now: datetime, user: User | None = None, system: str = "") -> SyncRun:
    """A run that waits for the worker; the one that is under way for the same, if there is one."""
    for run in SyncRun.objects.filter(status__in=slices.UNFINISHED, system=system):
        return run
    run = SyncRun(created_at=now, created_by=user, status=slices.WAITING, system=system)
    run.total = _in_question(run).count()
    run.save()
    return run


def work(run: SyncRun, now: datetime, seconds: float = slices.SECONDS) -> bool:
    """One slice of a run; whether there is more to do. False too when another process has it. What came of
    it is told once it is over."""
    is_left = _slices.work(run, now, _part, seconds)
    if not is_left:
        over = SyncRun.objects.filter(pk=run.pk, told_at__isnull=True).exclude(status__in=slices.UNFINISHED)
        for ended in over:
            alerting.tell(ended, now)
    return is_left


def _part(run: SyncRun, pace: slices.Pace) -> bool:
    connections = _of_run(run)
    with ExitStack() as stack:
        connectors: list[Keeper] = []
        for connection in connections:
            if not connection.is_active:
                continue
            try:
                connector = stack.enter_context(opened(connection))
            except CannotOpen:
                log.warning("a connection cannot be audited", connection=connection.slug)
                continue
            if isinstance(connector, Keeper):
                connectors.append(connector)
        while chunk := _candidates(run):
            _look(run, chunk, connections, connectors, pace)
            if pace.is_over():
                return True
    _finish(run, connections, pace)
    return False


def _of_run(run: SyncRun) -> list[Connection]:
    """The connections that it began with: one that is switched off meanwhile counts as unreachable, one that
    is switched on is the next run's."""
    if not run.after:
        return keepers(run.system)
    return list(Connection.objects.filter(slug__in=run.counts))


def _in_question(run: SyncRun) -> QuerySet[Handoff]:
    """What is open or was closed recently."""
    recent = Q(closed_at__gte=run.created_at - RECENT)
    return Handoff.objects.filter(Q(state__in=[str(state) for state in OPEN]) | recent, is_history=False)


def _candidates(run: SyncRun) -> list[Handoff]:
    """The next handoffs to look at, by id."""
    rows = _in_question(run).filter(pk__gt=run.after)
    return list(rows.only("pk", "lead_id", "closed_at").order_by("pk")[:CHUNK])


def _look(
    run: SyncRun,
    chunk: Sequence[Handoff],
    connections: Sequence[Connection],
    connectors: Sequence[Keeper],
    pace: slices.Pace,
) -> None:
    now = pace.at
    found = outbox.wanted({handoff.lead_id for handoff in chunk})
    ids = {handoff.pk for handoff in chunk}
    closed = {handoff.pk for handoff in chunk if handoff.closed_at is not None}
    # An older handoff of a lead is spoken for by its newest one.
    wants = [want for want in found.values() if want.handoff_id in ids]
    leads = Lead.objects.only("email", "email_opt_out").in_bulk([want.lead_id for want in wants])
    counts = {name: Counter(numbers) for name, numbers in run.counts.items()}
    drifting: list[tuple[checks.Drift, Wanted]] = []
    read: dict[int, dict[str, checks.Side | str]] = {want.lead_id: {} for want in wants}
    looked_at: dict[int, list[int]] = {}
    readable = {connector.connection.pk for connector in connectors}
    for connection in connections:
        count = counts.setdefault(connection.slug, Counter())
        if connection.pk not in readable:
            count["unreachable"] += len(wants)
            _silent(read, connection, wants, sides.UNREAD)
    for connector in connectors:
        connection, count = connector.connection, counts[connector.connection.slug]
        settled, moving = _settled(connection, _its_own(connection, wants, closed), now)
        count["in_flight"] += len(moving)
        _silent(read, connection, moving, sides.MOVING)
        records = _read(connector, settled, run, pace)
        if records is None:
            count["unreachable"] += len(settled)
            _silent(read, connection, settled, sides.UNREAD)
            continue
        known = sides.known(connection, settled)
        for want in settled:
            side = sides.side_of(connector, want, records.get(want.lead_id, []), known.get(want.lead_id))
            read[want.lead_id][connection.slug] = side
            lead = leads[want.lead_id]
            key = normalise_email(lead.email) or ""
            found_here = checks.drifts(want, side, opted_out=lead.email_opt_out, email_key=key)
            count["compared"] += 1
            count["differed" if found_here else "agreed"] += 1
            drifting += [(drift, want) for drift in found_here]
        looked_at[connection.pk] = [want.handoff_id for want in settled]
    sightings = [
        Sighting(drift, want.handoff_id, want.lead_id, sides=sides.all_told(read[want.lead_id], now))
        for drift, want in drifting
    ]
    with transaction.atomic():
        new = findings.keep(sightings, run, now)
        findings.resolve_unseen(looked_at, sightings, now)
        _slices.save(
            run,
            now,
            after=chunk[-1].pk,
            handoffs=run.handoffs + len(chunk),
            counts={name: dict(numbers) for name, numbers in counts.items()},
            new_findings=run.new_findings + new,
        )


def _silent(
    read: dict[int, dict[str, checks.Side | str]],
    connection: Connection,
    wants: Sequence[Wanted],
    trouble: str,
) -> None:
    for want in wants:
        read[want.lead_id][connection.slug] = trouble


def _its_own(connection: Connection, wants: Sequence[Wanted], closed: Collection[int]) -> list[Wanted]:
    """Those that the connection has to do with: what was closed before it was connected was never owed to it,
    and is nobody's drift."""
    leads = [want.lead_id for want in wants if want.handoff_id in closed]
    told = set(
        RemoteRecord.objects.filter(connection=connection, lead__in=leads).values_list("lead", flat=True)
    )
    owed = Delivery.objects.filter(connection=connection, lead__in=leads).order_by()
    told |= set(owed.values_list("lead", flat=True))
    return [want for want in wants if want.handoff_id not in closed or want.lead_id in told]


def _settled(
    connection: Connection, wants: Sequence[Wanted], now: datetime
) -> tuple[list[Wanted], list[Wanted]]:
    """Those that should have arrived there by now, and those on their way."""
    owed = set(
        Delivery.objects.filter(
            connection=connection, lead__in=[want.lead_id for want in wants], done_at__isnull=True
        ).values_list("lead", flat=True)
    )
    settled: list[Wanted] = []
    moving: list[Wanted] = []
    for want in wants:
        is_young = want.changed_at is not None and now - want.changed_at < GRACE
        (moving if want.lead_id in owed or is_young else settled).append(want)
    return settled, moving


def _read(
    connector: Keeper, wants: Sequence[Wanted], run: SyncRun, pace: slices.Pace
) -> dict[int, list[Seen]] | None:
    """The records there, a batch at a time, within the rate budget; None when they could not be read."""
    found: dict[int, list[Seen]] = {}
    size = max(1, connector.batch)
    for start in range(0, len(wants), size):
        _wait(connector, 1, run, pace)
        before = connector.http.made
        try:
            found |= connector.fetch(wants[start : start + size], pace.at)
        except Unreachable as error:
            log.warning("a system could not be read", connection=connector.connection.slug, error=str(error))
            return None
        except UNEXPECTED:
            log.exception("a system's answer could not be understood", connection=connector.connection.slug)
            return None
        # A record that is looked for by address, or is gone, costs calls of its own.
        _wait(connector, connector.http.made - before - 1, run, pace)
    return found


def _wait(connector: Keeper, calls: int, run: SyncRun, pace: slices.Pace) -> None:
    """Take so many calls out of the rate budget, waiting for them; meanwhile the claim of the run stands."""
    connection, said = connector.connection, time.monotonic()
    while calls > 0:
        part = min(calls, max(1, connection.burst))
        while (pause := outbox.spend(connection.pk, part, pace.at)) > timedelta(0):
            time.sleep(min(pause.total_seconds(), LONGEST_PAUSE))
            if time.monotonic() - said > SAID_EVERY:
                _slices.save(run, pace.at)
                said = time.monotonic()
        calls -= part


def _finish(run: SyncRun, connections: Sequence[Connection], pace: slices.Pace) -> None:
    """What is wrong with the connections themselves, how long writes take, and the end of the run."""
    now, sightings = pace.at, []
    for connection in connections:
        owed = Delivery.objects.filter(connection=connection, done_at__isnull=True)
        minutes = polling.minutes(connection) if connection.kind in polling.pollable() else 0
        pulse = checks.Pulse(
            connection.pk,
            connection.polled_at,
            timedelta(minutes=minutes) if minutes else None,
            owed.aggregate(oldest=Min("created_at"))["oldest"],
        )
        sightings += [Sighting(drift) for drift in checks.of_connection(pulse, now)]
        dead = Delivery.objects.filter(connection=connection, status=Delivery.Status.DEAD).order_by("-pk")
        for row in dead.only("pk", "handoff_id", "lead_id", "last_status", "connection_id")[:1000]:
            values = {"theirs": str(row.last_status or "no answer")}
            drift = checks.Drift(checks.Code.DEAD_LETTER, connection.pk, values)
            sightings.append(Sighting(drift, None, row.lead_id, of=f"d{row.pk}"))
    with transaction.atomic():
        new = findings.keep(sightings, run, now)
        findings.resolve_others([one.pk for one in connections], sightings, now)
        _resolve_left(run, connections, now)
        _slices.save(
            run,
            None,
            status=SyncRun.Status.DONE,
            finished_at=now,
            new_findings=run.new_findings + new,
            lags=lags.measured(connections, now),
            versions={one.slug: str(one.options.get("api_version", "")) for one in connections},
        )


def _resolve_left(run: SyncRun, connections: Sequence[Connection], now: datetime) -> None:
    """What was found of handoffs that nobody asks for any more (closed long ago, merged, erased, followed by
    a newer one) is no drift now. What could not be read, or is on its way, stays as it was."""
    rows = findings.unseen(run, [one.pk for one in connections])
    keys = sorted(set(rows.values_list("handoff", "handoff__lead")))
    for start in range(0, len(keys), CHUNK):
        part = keys[start : start + CHUNK]
        spoken = {want.handoff_id for want in outbox.wanted({lead_id for _, lead_id in part}).values()}
        asked = set(_in_question(run).filter(pk__in=[pk for pk, _ in part]).values_list("pk", flat=True))
        findings.resolve_of([pk for pk, _ in part if pk not in spoken & asked], now)
