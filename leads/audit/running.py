"""One run of the audit: every open and recently closed handoff against each system that keeps its state.

Owns the order, the slices and the counting of what could be compared at all, so that "no findings" is never
said of what nobody could read. Reads the other systems within their rate budgets; writes findings only.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Min, Q

from leads import outbox, slices
from leads.audit import checks, findings, lags
from leads.audit.findings import Sighting
from leads.choices import OPEN
from leads.connectors import opened
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
    return SyncRun.objects.create(created_at=now, created_by=user, status=slices.WAITING, system=system)


def work(run: SyncRun, now: datetime, seconds: float = slices.SECONDS) -> bool:
    """One slice of a run; whether there is more to do. False too when another process has it."""
    return _slices.work(run, now, _part, seconds)


def _part(run: SyncRun, pace: slices.Pace) -> bool:
    connections = keepers(run.system)
    with ExitStack() as stack:
        connectors: list[Keeper] = []
        for connection in connections:
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


def _candidates(run: SyncRun) -> list[Handoff]:
    """The next handoffs to look at, by id."""
    rows = Handoff.objects.filter(pk__gt=run.after, is_history=False)
    recent = Q(closed_at__gte=run.created_at - RECENT)
    rows = rows.filter(Q(state__in=[str(state) for state in OPEN]) | recent)
    return list(rows.only("pk", "lead_id").order_by("pk")[:CHUNK])


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
    # An older handoff of a lead is spoken for by its newest one.
    wants = [want for want in found.values() if want.handoff_id in ids]
    leads = Lead.objects.in_bulk([want.lead_id for want in wants])
    counts = {name: Counter(numbers) for name, numbers in run.counts.items()}
    sightings: list[Sighting] = []
    looked_at: dict[int, list[int]] = {}
    readable = {connector.connection.pk for connector in connectors}
    for connection in connections:
        count = counts.setdefault(connection.slug, Counter())
        if connection.pk not in readable:
            count["unreachable"] += len(wants)
    for connector in connectors:
        connection, count = connector.connection, counts[connector.connection.slug]
        settled, moving = _settled(connection, wants, now)
        count["in_flight"] += len(moving)
        records = _read(connector, settled, now)
        if records is None:
            count["unreachable"] += len(settled)
            continue
        known = _known(connection, settled)
        for want in settled:
            side = _side(connector, want, records.get(want.lead_id, []), known.get(want.lead_id))
            lead = leads[want.lead_id]
            key = normalise_email(lead.email) or ""
            drifts = checks.drifts(want, side, opted_out=lead.email_opt_out, email_key=key)
            count["compared"] += 1
            count["differed" if drifts else "agreed"] += 1
            sightings += [Sighting(drift, want.handoff_id, want.lead_id) for drift in drifts]
        looked_at[connection.pk] = [want.handoff_id for want in settled]
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


def _read(connector: Keeper, wants: Sequence[Wanted], now: datetime) -> dict[int, list[Seen]] | None:
    """The records there, within the rate budget; None when they could not be read."""
    if not wants:
        return {}
    calls = max(1, -(-len(wants) // max(1, connector.batch)))
    while (pause := outbox.spend(connector.connection.pk, calls, now)) > timedelta(0):
        time.sleep(min(pause.total_seconds(), LONGEST_PAUSE))
        now += pause
    try:
        return connector.fetch(wants, now)
    except Unreachable as error:
        log.warning("a system could not be read", connection=connector.connection.slug, error=str(error))
    except UNEXPECTED:
        log.exception("a system's answer could not be understood", connection=connector.connection.slug)
    return None


def _known(connection: Connection, wants: Sequence[Wanted]) -> dict[int, RemoteRecord]:
    """What we last wrote there, by lead; the record that has an id where there are several."""
    rows = RemoteRecord.objects.filter(connection=connection, lead__in=[want.lead_id for want in wants])
    return {row.lead_id: row for row in rows.order_by("remote_id", "pk")}


def _side(
    connector: Keeper, want: Wanted, records: Sequence[Seen], known: RemoteRecord | None
) -> checks.Side:
    connection = connector.connection
    kept = known.remote_id if known else ""
    return checks.Side(
        connection_id=connection.pk,
        role=Connection.Role(connection.role),
        mapping=connector.mapping,
        expected=connector.expected(want),
        records=records,
        known_id=kept
        or next((value for (name, _), value in want.ids.items() if name == connection.id_system), ""),
        written_at=known.written_at if known else None,
        seen_before_at=known.seen_at if known else None,
    )


def _finish(run: SyncRun, connections: Sequence[Connection], pace: slices.Pace) -> None:
    """What is wrong with the connections themselves, how long writes take, and the end of the run."""
    now, sightings = pace.at, []
    for connection in connections:
        owed = Delivery.objects.filter(connection=connection, done_at__isnull=True)
        minutes = connection.options.get("poll_minutes")
        pulse = checks.Pulse(
            connection.pk,
            connection.polled_at,
            timedelta(minutes=float(minutes)) if minutes else None,
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
        _slices.save(
            run,
            None,
            status=SyncRun.Status.DONE,
            finished_at=now,
            new_findings=run.new_findings + new,
            lags=lags.measured(connections, now),
            versions={one.slug: str(one.options.get("api_version", "")) for one in connections},
        )
