"""What a change owes to whom, written in the change's own transaction.

Owns which connection hears of which event, that a newer state supersedes an older one that still waits, and
that an act within its ten seconds of undo has not left yet. Set-wise: one question when nobody is connected,
a handful of statements however many handoffs changed. Sends nothing and calls nobody.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from leads.choices import EventKind, LeadType
from leads.models import Connection, Delivery, DeliveryAttempt, Event, ExternalId, Handoff, RemoteRecord
from leads.outbox import catalogue, waking
from routing.prepared import prepared

Kind, Status = Delivery.Kind, Delivery.Status
# An act can be taken back for ten seconds; two more, so that what is taken back at the last moment is
# withdrawn before anybody looks for it.
LEAVES_AFTER = timedelta(seconds=12)
# Who keeps a record of a lead, is called at each event, or tells people.
KEEPS_STATE = frozenset({Connection.Kind.MAUTIC, Connection.Kind.HUBSPOT, Connection.Kind.SALESFORCE})
TELLS_PEOPLE = frozenset({Connection.Kind.SLACK, Connection.Kind.TEAMS})
# Logged beside the record where the connection wants it: `options["activities"]`.
LOGGED = frozenset({EventKind.CONTACTED, EventKind.NOTED})
# Said to a holder before a deadline is missed; any other step of a ladder is an escalation.
_REMINDERS = frozenset({"accept_50", "accept_80"})
_ESCALATIONS = frozenset({EventKind.ESCALATED, EventKind.FLAGGED, EventKind.BLACK_HOLE})


def new_id() -> str:
    """A message's id: the same on every retry. Without a full stop, which separates what is signed."""
    return f"msg_{uuid.uuid4().hex}"


@prepared
def _active() -> QuerySet[Connection]:
    return Connection.objects.filter(is_active=True).order_by("pk")


def owe(events: Sequence[Event], now: datetime) -> None:
    """Write what these saved events of this transaction owe to the active connections. The events' handoffs
    are as the act left them; imported history owes nothing."""
    told = [event for event in events if not event.handoff.is_history]
    if not told:
        return
    connections = _active()
    if not connections:
        return
    _withdraw(told, now)
    rows: list[Delivery] = []
    keepers = [one for one in connections if one.kind in KEEPS_STATE]
    if keepers:
        rows += _states(keepers, told, now)
    ids = _external_ids(told) if any(one.kind == Connection.Kind.WEBHOOK for one in connections) else {}
    for connection in connections:
        for event in told:
            kind = EventKind(event.kind)
            if connection.kind == Connection.Kind.WEBHOOK:
                if kind in catalogue.TYPES and _wants(connection, catalogue.TYPES[kind]):
                    text = catalogue.body(event, event.handoff, ids.get(event.handoff.lead_id, ()))
                    rows.append(_row(connection, event, Kind.EVENT, now, catalogue.TYPES[kind], text))
            elif connection.kind in TELLS_PEOPLE:
                if name := _message(connection, event):
                    rows.append(_row(connection, event, Kind.MESSAGE, now, name))
            elif connection.kind in KEEPS_STATE and kind in LOGGED and connection.options.get("activities"):
                rows.append(_row(connection, event, Kind.EVENT, now, str(kind)))
    _write(rows, now)


def owe_states(connection: Connection, lead_ids: Collection[int], now: datetime) -> int:
    """The present state of these leads is owed to one connection: the first sync, a repair, a replay. How
    many rows that was; it leaves at once."""
    newest: dict[int, Handoff] = {}
    for handoff in Handoff.objects.filter(lead__in=lead_ids, is_history=False).order_by("mql_at", "pk"):
        newest[handoff.lead_id] = handoff
    _supersede([connection.pk], list(newest), now)
    rows = [
        Delivery(
            connection=connection,
            lead_id=lead_id,
            handoff=handoff,
            kind=Kind.STATE,
            message_id=new_id(),
            revision=handoff.revision,
            next_attempt_at=now,
            occurred_at=now,
            created_at=now,
        )
        for lead_id, handoff in newest.items()
    ]
    return _write(rows, now)


def withdraw_all(lead_ids: Collection[int], now: datetime) -> None:
    """Nothing more leaves of these leads, and what others answered about them is emptied: it may repeat what
    they know of the person."""
    waiting = Delivery.objects.filter(lead__in=lead_ids, done_at__isnull=True, status=Status.PENDING)
    waiting.exclude(kind=Kind.ERASE).update(status=Status.WITHDRAWN, done_at=now, body="")
    DeliveryAttempt.objects.filter(delivery__lead__in=lead_ids).update(request="", answer="", error="")


def owe_erasure(lead_ids: Collection[int], now: datetime) -> int:
    """These people are to be forgotten wherever a record of them is kept; how many rows that was. Call it
    before their ids are emptied: the rows hold the ids there and nothing else, and those only until they are
    done. Whatever else waits for these leads is withdrawn."""
    withdraw_all(lead_ids, now)
    keepers = list(Connection.objects.filter(is_active=True, kind__in=[str(kind) for kind in KEEPS_STATE]))
    records: dict[tuple[int, int], set[tuple[str, str]]] = {}
    known = RemoteRecord.objects.filter(lead__in=lead_ids, connection__in=keepers).exclude(remote_id="")
    for connection_id, lead_id, kind, value in known.values_list("connection", "lead", "object", "remote_id"):
        records.setdefault((connection_id, lead_id), set()).add((kind, value))
    ids = ExternalId.objects.filter(lead__in=lead_ids).values_list("lead", "system", "object", "value")
    for lead_id, system, kind, value in ids:
        for connection in keepers:
            if connection.id_system == system:
                records.setdefault((connection.pk, lead_id), set()).add((kind, value))
    rows = [
        Delivery(
            connection_id=connection_id,
            lead_id=lead_id,
            kind=Kind.ERASE,
            message_id=new_id(),
            body=json.dumps(sorted(found)),
            next_attempt_at=now,
            occurred_at=now,
            created_at=now,
        )
        for (connection_id, lead_id), found in records.items()
    ]
    return _write(rows, now)


def _write(rows: Sequence[Delivery], now: datetime) -> int:
    Delivery.objects.bulk_create(rows, batch_size=500)
    waking.soon(waking.DELIVER, now, {row.next_attempt_at for row in rows})
    return len(rows)


def _states(connections: Iterable[Connection], events: Sequence[Event], now: datetime) -> list[Delivery]:
    """One state a lead and connection, for the last of its events that says where the handoff stands."""
    last: dict[int, Event] = {}
    for event in events:
        if EventKind(event.kind) not in catalogue.SILENT:
            last[event.handoff.lead_id] = event
    if not last:
        return []
    connections = list(connections)
    _supersede([one.pk for one in connections], list(last), now)
    return [_row(connection, event, Kind.STATE, now) for connection in connections for event in last.values()]


def _supersede(connection_ids: Collection[int], lead_ids: Collection[int], now: datetime) -> None:
    older = Delivery.objects.filter(
        connection__in=connection_ids, lead__in=lead_ids, kind=Kind.STATE, status=Status.PENDING
    )
    older.filter(done_at__isnull=True).update(status=Status.SUPERSEDED, done_at=now)


def _withdraw(events: Iterable[Event], now: datetime) -> None:
    """What tells of an act that was taken back does not leave, if it still waits."""
    undone = Q()
    for event in events:
        if event.kind == EventKind.UNDONE:
            undone |= Q(handoff_id=event.handoff_id, revision__in=event.data.get("undid", ()))
    if undone:
        waiting = Delivery.objects.filter(undone, done_at__isnull=True, status=Status.PENDING)
        waiting.exclude(kind=Kind.STATE).update(status=Status.WITHDRAWN, done_at=now)


def _row(
    connection: Connection, event: Event, kind: Delivery.Kind, now: datetime, name: str = "", text: str = ""
) -> Delivery:
    return Delivery(
        connection=connection,
        lead_id=event.handoff.lead_id,
        handoff_id=event.handoff_id,
        kind=kind,
        type=name,
        message_id=new_id(),
        body=text,
        revision=event.number,
        # What nobody did can't be taken back: it leaves at once.
        next_attempt_at=now + LEAVES_AFTER if event.user_id else now,
        occurred_at=event.recorded_at,
        created_at=now,
    )


def _wants(connection: Connection, name: str) -> bool:
    """Whether this webhook is called for this type: for all of them where none were chosen. One without an
    address only calls us."""
    if not connection.base_url:
        return False
    chosen = connection.options.get("types")
    return not chosen or name in chosen


def _message(connection: Connection, event: Event) -> str:
    """What people are told of it by this connection: "escalation", "reminder", "new_demo" or ""."""
    if event.handoff.is_quiet:
        return ""
    kind = EventKind(event.kind)
    told = connection.options.get("tells", ["escalation", "new_demo"])
    if kind in _ESCALATIONS:
        name = "reminder" if event.data.get("step") in _REMINDERS else "escalation"
        return name if name in told else ""
    is_first = kind in (EventKind.ASSIGNED, EventKind.QUEUED) and event.handoff.window == 1
    if is_first and event.handoff.effective_type == LeadType.DEMO and "new_demo" in told:
        return "new_demo"
    return ""


def _external_ids(events: Iterable[Event]) -> Mapping[int, list[tuple[str, str, str]]]:
    found: dict[int, list[tuple[str, str, str]]] = {}
    rows = ExternalId.objects.filter(lead__in={event.handoff.lead_id for event in events})
    for lead_id, *parts in rows.order_by("pk").values_list("lead_id", "system", "object", "value"):
        found.setdefault(lead_id, []).append((parts[0], parts[1], parts[2]))
    return found
