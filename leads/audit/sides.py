"""What each system has of a handoff, side by side: ours, the CRM's, the marketing platform's.

Owns the shape in which a run keeps that with a finding, and reading it once more for whoever looks. What is
kept are states, ids and times, never an address of a lead; those are only in what is read anew. Writes
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from leads import outbox
from leads.audit.checks import Side
from leads.connectors.addresses import Forbidden
from leads.connectors.base import Seen
from leads.connectors.client import Unreachable
from leads.connectors.delivering import IMPATIENT, UNEXPECTED, opened
from leads.connectors.keeping import Keeper
from leads.models import Connection, RemoteRecord
from leads.outbox import Wanted
from leads.representation import time
from leads.sealing import CannotOpen

# Of what a mapping speaks of, by our names: what is shown beside the status.
SHOWN = ("reason", "owner", "revision", "deferred_until")
LONGEST = 200
# Why a system has no say in it.
UNREAD, MOVING, ABSENT, DELETED, MERGED = "unread", "moving", "absent", "deleted", "merged"


@dataclass(frozen=True, slots=True)
class Look:
    """One system, as it is kept or at this moment: what `told` gives. Only a fresh look has the address and
    the refusal of mail that stand there, and an `error` that says in words why it could not be read."""

    connection: Connection
    side: Mapping[str, Any]
    email: str = ""
    opted_out: bool | None = None
    error: str = ""


def known(connection: Connection, wants: Sequence[Wanted]) -> dict[int, RemoteRecord]:
    """What we last wrote there, by lead; the record that has an id where there are several."""
    rows = RemoteRecord.objects.filter(connection=connection, lead__in=[want.lead_id for want in wants])
    return {row.lead_id: row for row in rows.order_by("remote_id", "pk")}


def side_of(
    connector: Keeper, want: Wanted, records: Sequence[Seen] | None, row: RemoteRecord | None
) -> Side:
    """One system as it was read for one handoff; `row` is what we know of its record."""
    connection = connector.connection
    kept = row.remote_id if row else ""
    by_system = (value for (name, _), value in want.ids.items() if name == connection.id_system)
    return Side(
        connection_id=connection.pk,
        role=Connection.Role(connection.role),
        mapping=connector.mapping,
        expected=connector.expected(want),
        records=records,
        known_id=kept or next(by_system, ""),
        seen_before=row.seen if row else {},
        seen_before_at=row.seen_at if row else None,
        kept={seen.remote_id: connector.keeps(seen) for seen in records or ()},
    )


def all_told(read: Mapping[str, Side | str], at: datetime) -> dict[str, Any]:
    """Every system as it was read for one handoff, by slug; a text is why one says nothing."""
    return {slug: silent(one, at) if isinstance(one, str) else told(one, at) for slug, one in read.items()}


def told(side: Side, at: datetime) -> dict[str, Any]:
    """What it says of the handoff: "status" of ours ("" for none that we know), "shown" the values that say
    so, SHOWN, "id", when it was last changed and by whom; or in "trouble" why it says nothing. "at" is when
    it was read."""
    seen = side.seen
    if seen is None:
        return _silent(side, at)
    names, mapping = side.mapping.fields, side.mapping
    fields = dict.fromkeys((*mapping.status_fields, *([names["status"]] if names.get("status") else [])))
    shown = [f"{name}: {seen.values.get(name, '') or 'nothing'}"[:LONGEST] for name in fields]
    found = {name: seen.values.get(names.get(name, ""), "")[:LONGEST] for name in SHOWN}
    # One of ours by the name that we know them by.
    ours = {theirs: email for email, theirs in mapping.owners.items()}
    found["owner"] = ours.get(found["owner"], found["owner"])
    return {
        "status": str(mapping.status_of(seen.values, side.kept.get(seen.remote_id, ())) or ""),
        "shown": shown,
        **{name: value for name, value in found.items() if value},
        "id": seen.remote_id[:LONGEST],
        "changed_at": time(seen.changed_at),
        "changed_by": seen.changed_by[:LONGEST],
        "at": time(at),
    }


def _silent(side: Side, at: datetime) -> dict[str, Any]:
    if side.records is None:
        return silent(UNREAD, at)
    merged = next((seen.merged_into for seen in side.records if seen.merged_into), "")
    if merged:
        return silent(MERGED, at) | {"id": merged[:LONGEST]}
    return silent(DELETED if side.records else ABSENT, at)


def silent(trouble: str, at: datetime) -> dict[str, Any]:
    """A system that says nothing of it, and why."""
    return {"trouble": trouble, "at": time(at)}


def look(lead_id: int, connections: Sequence[Connection], now: datetime) -> list[Look]:
    """Each of these systems as it is at this moment, within seconds and within its rate budget."""
    want = outbox.wanted([lead_id]).get(lead_id)
    return [_look(connection, want, now) for connection in connections] if want is not None else []


def _look(connection: Connection, want: Wanted, now: datetime) -> Look:
    unread = silent(UNREAD, now)
    if outbox.spend(connection.pk, 1, now) > timedelta(0):
        return Look(connection, unread, error="It may not be called more often at this moment. Look again.")
    try:
        with opened(connection, IMPATIENT) as connector:
            if not isinstance(connector, Keeper):
                return Look(connection, unread, error="It keeps no state of handoffs.")
            records = connector.fetch([want], now).get(want.lead_id, [])
            side = side_of(connector, want, records, known(connection, [want]).get(want.lead_id))
            seen = side.seen
            email, opted_out = (seen.email, seen.opted_out) if seen is not None else ("", None)
            return Look(connection, told(side, now), email, opted_out)
    except (Unreachable, CannotOpen, Forbidden) as error:
        return Look(connection, unread, error=str(error))
    except UNEXPECTED:
        return Look(connection, unread, error="Its answer could not be understood.")
