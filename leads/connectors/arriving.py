"""What comes in from a system that keeps records: sifted, given to the intake, and remembered.

Owns the order of those three, and what is kept of a record (digests of what it said, values of its fields)
and of what was said against a field's owner. Memory is written after the intake has taken the events: a
crash between makes the same events again, which the intake knows. Calls no other system.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import transaction

from leads import intake
from leads.connectors import facts
from leads.connectors.base import Seen
from leads.connectors.facts import Event, Key
from leads.connectors.sifting import KNOWN_ONLY, Desk, Record, Verdict
from leads.models import Connection, ExternalId, FieldConflict, RemoteRecord
from leads.outbox.owing import KEEPS_STATE


def take(connection: Connection, events: Sequence[Event], now: datetime) -> dict[str, int]:
    """Take these events of a connection in, in order; how many of each outcome: "events" that came,
    "unchanged", "strangers", "conflicts", and the intake's own."""
    counts = {"events": len(events)}
    if connection.kind not in KEEPS_STATE or not connection.id_system:
        wanted = _of_interest(connection, events)
        if len(wanted) < len(events):
            counts["strangers"] = len(events) - len(wanted)
        _count(counts, intake.receive(wanted, None, now, quiet=connection.is_quiet) if wanted else [])
        return counts
    desk = Desk(connection, events, now)
    sifted = desk.sift()
    answers = intake.receive(sifted.events, None, now, quiet=connection.is_quiet) if sifted.events else []
    leads: dict[Key, int] = {}
    failed: set[Key] = set()
    for key, answer in zip(sifted.keys, answers, strict=True):
        if key is not None and answer["status"] == "invalid":
            failed.add(key)
        elif key is not None and answer["lead"]:
            leads[key] = int(answer["lead"]["id"])
    records = {key: record for key, record in desk.records.items() if key not in failed}
    for key, record in records.items():
        record.lead_id = leads.get(key) or record.lead_id
    with transaction.atomic():
        _keep(connection, records)
        conflicts = _keep_verdicts(connection, records, sifted.verdicts, now)
    found = {"unchanged": sifted.unchanged, "strangers": sifted.strangers, "conflicts": conflicts}
    counts |= {name: count for name, count in found.items() if count}
    _count(counts, answers)
    return counts


def _of_interest(connection: Connection, events: Sequence[Event]) -> list[Event]:
    """These events without those that are of interest only where the person is known, and is not: neither
    from before nor by an event that comes first."""
    system = connection.id_system
    marked = [event for event in events if event.get(KNOWN_ONLY)] if system else []
    values = {value for event in marked for _, value in facts.ids(event, system)}
    rows = ExternalId.objects.filter(system=system, value__in=values) if values else ExternalId.objects.none()
    known = set(rows.values_list("object", "value"))
    found = []
    for event in events:
        named = facts.ids(event, system)
        if system and event.get(KNOWN_ONLY) and not known & set(named):
            continue
        known |= set(named)
        found.append({name: value for name, value in event.items() if name != KNOWN_ONLY})
    return found


def _count(counts: dict[str, int], answers: Sequence[Mapping[str, object]]) -> None:
    for answer in answers:
        status = str(answer["status"])
        counts[status] = counts.get(status, 0) + 1


def _keep(connection: Connection, records: Mapping[Key, Record]) -> None:
    """Put down what the records said, where it is known of whom."""
    said = {
        key: (record.lead_id, record.said)
        for key, record in records.items()
        if record.said and record.lead_id is not None
    }
    rows = RemoteRecord.objects.select_for_update(of=("self",)).filter(
        connection=connection, remote_id__in={value for _, value in said}
    )
    known = {(row.object, row.remote_id): row for row in rows}
    new = []
    for key, (lead_id, told) in said.items():
        row = known.get(key)
        if row is None:
            kind, value = key
            new.append(
                RemoteRecord(connection=connection, lead_id=lead_id, object=kind, remote_id=value, facts=told)
            )
            continue
        for name, entry in told.items():
            # Another worker may have read a later state of the record meanwhile.
            if row.facts.get(name, ["", ""])[1] <= entry[1]:
                row.facts[name] = entry
    RemoteRecord.objects.bulk_update(known.values(), ["facts"])
    # A second record of one lead there has no place of its own; the audit tells of it.
    RemoteRecord.objects.bulk_create(new, ignore_conflicts=True)


def _keep_verdicts(
    connection: Connection,
    records: Mapping[Key, Record],
    verdicts: Mapping[Key, Sequence[Verdict]],
    now: datetime,
) -> int:
    """Keep what was said against an owner and settle what agrees now; how many stand against one."""
    rows: dict[tuple[int, str], FieldConflict] = {}
    for key, said in verdicts.items():
        lead_id = records[key].lead_id if key in records else None
        if lead_id is None:
            continue
        for verdict in said:
            if verdict.value is not None:
                rows[lead_id, verdict.field] = FieldConflict(
                    lead_id=lead_id,
                    field=verdict.field,
                    owner_id=verdict.owner_id,
                    other=connection,
                    value=verdict.value,
                    said_at=verdict.at,
                    found_at=now,
                )
                continue
            mine = FieldConflict.objects.filter(
                lead=lead_id, field=verdict.field, owner=verdict.owner_id, settled_at__isnull=True
            )
            if verdict.owner_id != connection.pk:
                mine = mine.filter(other=connection)
            mine.update(settled_at=now)
    FieldConflict.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        unique_fields=["lead", "field", "other"],
        update_fields=["owner", "value", "said_at", "settled_at"],
    )
    return len(rows)


def look(connection: Connection, records: Sequence[Seen], now: datetime) -> None:
    """Keep the values that these records have there now, for those that are of a lead here."""
    by_key = {(one.object, one.remote_id): one for one in records}
    values = {value for _, value in by_key}
    ids = ExternalId.objects.filter(system=connection.id_system, value__in=values)
    leads = {(kind, value): lead for kind, value, lead in ids.values_list("object", "value", "lead_id")}
    with transaction.atomic():
        rows = RemoteRecord.objects.select_for_update(of=("self",)).filter(
            connection=connection, remote_id__in=values
        )
        known = {(row.object, row.remote_id): row for row in rows}
        for key, row in known.items():
            if key in by_key:
                row.seen, row.seen_at = dict(by_key[key].values), now
        RemoteRecord.objects.bulk_update(known.values(), ["seen", "seen_at"])
        RemoteRecord.objects.bulk_create(
            [
                RemoteRecord(
                    connection=connection,
                    lead_id=lead,
                    object=key[0],
                    remote_id=key[1],
                    seen=dict(by_key[key].values),
                    seen_at=now,
                )
                for key, lead in leads.items()
                if key in by_key and key not in known
            ],
            ignore_conflicts=True,
        )
