"""The demo's integrations: three connections that are switched off, with a log, a conflict and an audit.

Owns the story. No secret is set and nothing runs, so nothing ever leaves; what is owed, answered and found is
written as those who run would have left it. Rows of these logs only: no handoff is touched. Where somebody
has a connection already, there is no story.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from leads.audit import findings, lags
from leads.audit.checks import Code, Drift
from leads.audit.findings import Sighting
from leads.choices import EventKind
from leads.connecting import changing
from leads.connecting.changing import Edit
from leads.models import (
    Connection,
    Delivery,
    DeliveryAttempt,
    Event,
    ExternalId,
    FieldConflict,
    Handoff,
    InboundCall,
    RemoteRecord,
    SyncRun,
)
from leads.outbox import catalogue
from routing.people import User

Kind, Role, Status = Connection.Kind, Connection.Role, Delivery.Status
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
HOST = "handoff.example.com"
TOLD, STATES = 16, 8
# Whose employees the CRM and the marketing platform disagree about.
DISPUTED = "adaeze"
# The audit runs at night.
AUDITED = 6 * HOUR


def make(now: datetime, start: datetime, users: Mapping[str, User], leads: Mapping[str, int]) -> None:
    """The whole of it as of `now`; `leads` are the living inbox's by their scene."""
    if Connection.objects.exists():
        return
    edit = Edit(users["otto"], start)
    crm_options = {"owns": ["company.employee_count"]}
    mautic = _connection(edit, Kind.MAUTIC, "Mautic", Role.MAP, "mautic", {})
    salesforce = _connection(edit, Kind.SALESFORCE, "Salesforce", Role.CRM, "salesforce", crm_options)
    warehouse = _connection(edit, Kind.WEBHOOK, "Data warehouse", Role.OTHER, "warehouse", {})
    told = Event.objects.filter(
        handoff__is_history=False, kind__in=catalogue.TYPES, recorded_at__lt=now - 2 * MINUTE
    )
    events = list(told.select_related("handoff__lead").order_by("-recorded_at", "-pk")[:TOLD])[::-1]
    dead = _sent(warehouse, events, now)
    for connection in (mautic, salesforce):
        _written(connection, events[-STATES:], now)
    _called(mautic, now)
    _disagree(leads[DISPUTED], salesforce, mautic, now)
    _audited(mautic, salesforce, dead, now)


def _connection(
    edit: Edit, kind: Connection.Kind, name: str, role: Connection.Role, host: str, options: dict[str, Any]
) -> Connection:
    values = {
        "name": name,
        "role": role,
        "base_url": f"https://{host}.{HOST}{'/handoff' if kind == Kind.WEBHOOK else ''}",
        "id_system": "" if kind == Kind.WEBHOOK else str(kind),
        "options": options,
    }
    return changing.make(kind, edit, values)


def _sent(warehouse: Connection, events: Sequence[Event], now: datetime) -> Delivery:
    """Each event told; the newest two wait, one was refused for good, which is given back."""
    rows = []
    for place, event in enumerate(events):
        kind = catalogue.TYPES[EventKind(event.kind)]
        body = catalogue.body(event, event.handoff, ())
        rows.append(_delivery(warehouse, event, place, kind=Delivery.Kind.EVENT, type=kind, body=body))
    for row in rows[:-2]:
        _done(row, 200)
    refused = rows[len(rows) // 2]
    refused.status, refused.attempts, refused.last_status = Status.DEAD, 3, 503
    refused.last_error = "The other side answered 503."
    refused.done_at = refused.created_at + 2 * MINUTE
    Delivery.objects.bulk_create(rows)
    _tried(rows)
    _lived(warehouse, rows, now)
    return refused


def _written(connection: Connection, events: Sequence[Event], now: datetime) -> None:
    """The state after each of these events; in the CRM one was refused, and the newest still waits."""
    rows = [
        _delivery(connection, event, place, kind=Delivery.Kind.STATE) for place, event in enumerate(events)
    ]
    for row in rows[:-1]:
        _done(row, 200)
    if connection.kind == Kind.SALESFORCE:
        rows[1].status, rows[1].last_status = Status.DEAD, 400
        rows[1].last_error = "Required fields are missing: [Company]"
    Delivery.objects.bulk_create(rows)
    _tried(rows)
    _lived(connection, rows, now)


def _delivery(connection: Connection, event: Event, place: int, **what: Any) -> Delivery:
    at = event.recorded_at
    return Delivery(
        connection=connection,
        lead_id=event.handoff.lead_id,
        handoff_id=event.handoff_id,
        revision=event.number,
        # The same in each demo; nobody else's ids look like this.
        message_id=f"msg_demo_{connection.slug}_{place:03}",
        next_attempt_at=at,
        occurred_at=at,
        created_at=at,
        **what,
    )


def _done(row: Delivery, status: int) -> None:
    row.status, row.attempts, row.last_status = Status.DONE, 1, status
    row.done_at = row.created_at + timedelta(seconds=1 + row.revision % 4)


def _tried(rows: Sequence[Delivery]) -> None:
    """The attempts that these deliveries came by."""
    attempts = []
    for row in rows:
        is_dead = row.status == Status.DEAD
        what = row.type or f"state of lead {row.lead_id}, revision {row.revision}"
        for number in range(1, row.attempts + 1):
            attempts.append(
                DeliveryAttempt(
                    delivery=row,
                    number=number,
                    at=row.created_at + (number - 1) * timedelta(seconds=40),
                    milliseconds=90 + 37 * (row.revision % 5),
                    status=row.last_status,
                    outcome=("transient" if number < row.attempts else "permanent") if is_dead else "done",
                    request=f"POST {what}",
                    answer="" if is_dead else '{"ok":true}',
                    error=row.last_error,
                )
            )
    DeliveryAttempt.objects.bulk_create(attempts)


def _lived(connection: Connection, rows: Sequence[Delivery], now: datetime) -> None:
    last = max((row.done_at for row in rows if row.done_at), default=now)
    last_in = now - 12 * MINUTE if connection.kind == Kind.MAUTIC else None
    Connection.objects.filter(pk=connection.pk).update(last_out_at=last, last_in_at=last_in)


def _called(mautic: Connection, now: datetime) -> None:
    """What it sent us: taken, passed over, known already, and one call that made no sense."""
    calls: Sequence[tuple[timedelta, str, dict[str, int], str]] = (
        (5 * HOUR, "lead_post_save_new", {"events": 1, "processed": 1}, ""),
        (4 * HOUR, "lead_points_change", {"events": 1, "processed": 1}, ""),
        (3 * HOUR, "lead_post_save_update", {"events": 2, "processed": 1, "conflicts": 1}, ""),
        (HOUR, "", {}, "The body is not JSON."),
        (40 * MINUTE, "email_on_open", {"events": 3, "processed": 2, "strangers": 1}, ""),
        (12 * MINUTE, "lead_post_save_update", {"events": 1, "unchanged": 1}, ""),
    )
    rows = []
    for place, (ago, kind, outcome, error) in enumerate(calls):
        text = (
            json.dumps({f"mautic.{kind}": [{"contact": {"id": 100 + place}}]}) if kind else "<html>502</html>"
        )
        digest = hashlib.sha256(f"{place}{text}".encode()).hexdigest()
        rows.append(
            InboundCall(
                connection=mautic,
                identity=f"sha256:{digest}",
                body=text.encode(),
                body_digest=digest,
                received_at=now - ago,
                try_after=now - ago,
                status=InboundCall.Status.FAILED if error else InboundCall.Status.TAKEN,
                tries=1,
                outcome=outcome,
                error=error,
                done_at=now - ago + timedelta(seconds=1),
                repeats=int(place == 2),
            )
        )
    InboundCall.objects.bulk_create(rows)


def _disagree(lead_id: int, owner: Connection, other: Connection, now: datetime) -> None:
    FieldConflict.objects.create(
        lead_id=lead_id,
        field="company.employee_count",
        owner=owner,
        other=other,
        value="250",
        said_at=now - 3 * HOUR,
        found_at=now - 3 * HOUR,
    )


def _audited(mautic: Connection, salesforce: Connection, dead: Delivery, now: datetime) -> None:
    """Two nights: in the first all agreed, in the second three things did not."""
    compared = Handoff.objects.open().count()
    last = now - AUDITED
    _run(last - DAY, compared, {mautic.slug: 0, salesforce.slug: 0}, [mautic, salesforce])
    run = _run(last, compared, {mautic.slug: 1, salesforce.slug: 1}, [mautic, salesforce])
    held = Handoff.objects.live().select_related("assignee", "lead").order_by("mql_at", "pk")
    accepted, worked = held.filter(state="accepted").first(), held.filter(state="working").first()
    sightings = [
        Sighting(
            Drift(Code.DEAD_LETTER, dead.connection_id, {"theirs": str(dead.last_status)}),
            None,
            dead.lead_id,
            of=f"d{dead.pk}",
        )
    ]
    if accepted is not None:
        there = {"handoff_status": "pending", "stage": "MQL", "tags": "mql"}
        values = {"ours": "accepted", "theirs": ", ".join(there.values()), "field": ", ".join(there)}
        drift = Drift(Code.CRM_ACCEPTED_MAP_MQL, mautic.pk, values)
        sightings.append(Sighting(drift, accepted.pk, accepted.lead_id))
        _record(mautic, accepted, there, last)
    if worked is not None and worked.assignee is not None:
        values = {"ours": worked.assignee.email, "theirs": f"sales.desk@{HOST}", "field": "OwnerId"}
        drift = Drift(Code.CRM_OWNER_NE_APP_OWNER, salesforce.pk, values)
        sightings.append(Sighting(drift, worked.pk, worked.lead_id))
        _record(salesforce, worked, {"OwnerId": values["theirs"]}, last)
    run.new_findings = findings.keep(sightings, run, last)
    run.save(update_fields=["new_findings"])


def _run(
    at: datetime, compared: int, differed: Mapping[str, int], connections: Sequence[Connection]
) -> SyncRun:
    counts = {
        slug: {"compared": compared, "agreed": compared - number, "differed": number}
        for slug, number in differed.items()
    }
    return SyncRun.objects.create(
        created_at=at,
        worked_at=at,
        finished_at=at + timedelta(seconds=8),
        status=SyncRun.Status.DONE,
        tries=1,
        handoffs=compared,
        counts=counts,
        lags=lags.measured(connections, at + AUDITED),
        versions=dict.fromkeys(counts, ""),
    )


def _record(connection: Connection, handoff: Handoff, seen: Mapping[str, str], at: datetime) -> None:
    """Their record, as the audit saw it."""
    known = ExternalId.objects.filter(lead=handoff.lead_id, system=connection.id_system).first()
    RemoteRecord.objects.create(
        connection=connection,
        lead=handoff.lead,
        handoff=handoff,
        object=known.object if known else "Lead",
        remote_id=known.value if known else f"00Q5e{handoff.lead_id:010}AAA",
        revision=handoff.revision,
        seen=dict(seen),
        seen_at=at,
    )
