"""What happened to a handoff as others hear of it: the types, their bodies, their schemas.

Owns which event of the log is which outgoing type, the body (Standard Webhooks 1.0: type, timestamp, data)
and its JSON Schema. A body holds ids, codes and colleagues' addresses: nothing of the lead's person.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from leads.choices import EventKind
from leads.models import Event, Handoff
from leads.representation import handoff_json, time

TYPES: Mapping[EventKind, str] = {
    EventKind.OPENED: "handoff.opened",
    EventKind.HELD: "handoff.incomplete",
    EventKind.ASSIGNED: "handoff.assigned",
    EventKind.QUEUED: "handoff.assigned",
    EventKind.CLAIMED: "handoff.assigned",
    EventKind.RESUMED: "handoff.assigned",
    EventKind.ACCEPTED: "handoff.accepted",
    EventKind.REJECTED: "handoff.rejected",
    EventKind.DEFERRED: "handoff.deferred",
    EventKind.CONTACTED: "handoff.contacted",
    EventKind.CONVERTED: "handoff.converted",
    EventKind.DISQUALIFIED: "handoff.disqualified",
    EventKind.DISCARDED: "handoff.discarded",
    EventKind.SUPERSEDED: "handoff.superseded",
    EventKind.REASSIGNED: "handoff.reassigned",
    EventKind.ESCALATED: "handoff.escalated",
    EventKind.FLAGGED: "handoff.escalated",
    EventKind.BLACK_HOLE: "handoff.escalated",
}
ALL_TYPES = tuple(dict.fromkeys(TYPES.values()))
# What leaves a record in another system as it is: it says nothing of where the handoff stands.
SILENT = frozenset(
    {EventKind.TRIGGERED_AGAIN, EventKind.RAISED, EventKind.WAIVED, EventKind.RECHECKED, EventKind.NOTED}
    | {EventKind.FLAGGED, EventKind.BLACK_HOLE, EventKind.UNFLAGGED, EventKind.RECLOCKED}
    | {EventKind.CANCELLED, EventKind.VIEWED, EventKind.FOLLOWED_UP, EventKind.ERASED}
)
SPEAKING = tuple(str(kind) for kind in EventKind if kind not in SILENT)
_BOOKKEEPING = frozenset({"set", "was"})


def body(event: Event, handoff: Handoff, external_ids: Iterable[tuple[str, str, str]]) -> str:
    """The body of what tells of this event, as it is signed and sent; `external_ids` of the lead as (system,
    object, id). The handoff is as the act left it, `revision` is the event's own."""
    content = {
        "type": TYPES[EventKind(event.kind)],
        "timestamp": time(event.occurred_at),
        "data": {
            "revision": event.number,
            "handoff": handoff_json(handoff),
            "lead": {
                "id": str(handoff.lead_id),
                "external_ids": [
                    {"system": system, "object": kind, "id": value} for system, kind, value in external_ids
                ],
            },
            "event": {
                "kind": event.kind,
                "stage": event.stage,
                "recorded_at": time(event.recorded_at),
                "by": event.user.email if event.user else None,
                "details": {name: value for name, value in event.data.items() if name not in _BOOKKEEPING},
            },
        },
    }
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


# A type of its own, so that nobody takes a test for a lead.
TEST = "handoff.test"


def sample(now: datetime) -> str:
    """The body of a test event."""
    return json.dumps({"type": TEST, "timestamp": time(now), "data": {}}, separators=(",", ":"))


_TEXT = {"type": "string"}
_TIME = {"type": "string", "format": "date-time"}


def _or_null(kind: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [dict(kind), {"type": "null"}]}


_HANDOFF = {
    "id": _TEXT, "url": _TEXT, "state": _TEXT, "lead_type": {"enum": ["demo", "standard"]}, "trigger": _TEXT,
    "mql_at": _TIME, "assignee": _or_null(_TEXT), "queue": _or_null(_TEXT), "rule": _or_null(_TEXT),
    "ruleset": _or_null(_TEXT), "missing": {"type": "array", "items": _TEXT},
    "clock_started_at": _or_null(_TIME), "accept_due_at": _or_null(_TIME), "contact_due_at": _or_null(_TIME),
    "next_due_at": _or_null(_TIME), "revision": {"type": "integer", "minimum": 1},
}  # fmt: skip
_EXTERNAL_ID = {"system": _TEXT, "object": _TEXT, "id": _TEXT}


def _object(members: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": sorted(members), "properties": dict(members)}


def schema(type_name: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the body of this type. Further members may come."""
    lead = {"id": _TEXT, "external_ids": {"type": "array", "items": _object(_EXTERNAL_ID)}}
    event = {
        "kind": _TEXT, "stage": _TEXT, "recorded_at": _TIME, "by": _or_null(_TEXT),
        "details": {"type": "object"},
    }  # fmt: skip
    data = {
        "revision": {"type": "integer", "minimum": 1},
        "handoff": _object(_HANDOFF),
        "lead": _object(lead),
        "event": _object(event),
    }
    members = {"type": {"const": type_name}, "timestamp": _TIME, "data": _object(data)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": type_name,
        **_object(members),
    }
