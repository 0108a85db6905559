"""An example of each outgoing event, whole and by its schema, for whoever builds a receiver.

Owns one made-up handoff and what each type says of it. Pure and always the same; no example is anybody.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

# When it happened, how it stands then, and what the event says beside that.
_WORDS: Mapping[str, str] = {
    "handoff.opened": "A lead was qualified: its handoff begins.",
    "handoff.incomplete": "It lacks data and waits with marketing.",
    "handoff.assigned": "A rep or a queue holds it now.",
    "handoff.accepted": "The rep took it on.",
    "handoff.rejected": "The rep turned it down, with a reason.",
    "handoff.deferred": "The rep put it off until a date.",
    "handoff.contacted": "An attempt to reach the lead was logged.",
    "handoff.converted": "It became an opportunity.",
    "handoff.disqualified": "It was worked and nothing will come of it.",
    "handoff.discarded": "Marketing threw it away before sales had it.",
    "handoff.superseded": "A newer handoff of the same lead took its place, or it went stale.",
    "handoff.reassigned": "It was given to somebody else.",
    "handoff.escalated": "A deadline passed and somebody was told, or it was taken away.",
}
_HELD: Mapping[str, Any] = {
    "assignee": "jonas@example.com",
    "rule": "Enterprise demos",
    "ruleset": "12",
    "clock_started_at": "2026-03-10T10:42:18Z",
    "accept_due_at": "2026-03-10T10:47:18Z",
    "contact_due_at": "2026-03-10T10:47:18Z",
    "next_due_at": "2026-03-10T10:47:18Z",
}
_TAKEN: Mapping[str, Any] = {**_HELD, "accept_due_at": None}
_CLOSED: Mapping[str, Any] = {**_TAKEN, "contact_due_at": None, "next_due_at": None}
_SAYS: Mapping[str, tuple[int, str, str, Mapping[str, Any], Mapping[str, Any]]] = {
    "handoff.opened": (1, "opened", "trigger", {"state": "incomplete"}, {"re_engaged_from": None}),
    "handoff.incomplete": (
        2,
        "held",
        "enrichment",
        {"state": "incomplete", "missing": ["company_name"], "next_due_at": "2026-03-10T11:42:18Z"},
        {},
    ),
    "handoff.assigned": (
        3,
        "assigned",
        "routing",
        {**_HELD, "state": "assigned"},
        {"window": 1, "why": "rule"},
    ),
    "handoff.accepted": (4, "accepted", "acceptance", {**_TAKEN, "state": "accepted"}, {}),
    "handoff.rejected": (
        4,
        "rejected",
        "acceptance",
        {**_CLOSED, "state": "rejected"},
        {"rejection": 118, "reason": "wrong_title", "held_by": 7, "rule": "6"},
    ),
    "handoff.deferred": (
        4,
        "deferred",
        "acceptance",
        {**_TAKEN, "state": "deferred", "contact_due_at": "2026-04-01T09:00:00Z"},
        {},
    ),
    "handoff.contacted": (
        5,
        "contacted",
        "contact",
        {**_CLOSED, "state": "working"},
        {"channel": "phone", "outcome": "reached", "activity": 339, "logged_late": False},
    ),
    "handoff.converted": (6, "converted", "after", {**_CLOSED, "state": "converted"}, {}),
    "handoff.disqualified": (
        6,
        "disqualified",
        "after",
        {**_CLOSED, "state": "disqualified"},
        {"reason": "timing"},
    ),
    "handoff.discarded": (
        3,
        "discarded",
        "enrichment",
        {"state": "discarded", "missing": ["company_name"]},
        {},
    ),
    "handoff.superseded": (
        7,
        "superseded",
        "after",
        {**_CLOSED, "state": "superseded"},
        {"reason": "re_engaged"},
    ),
    "handoff.reassigned": (
        4,
        "reassigned",
        "routing",
        {**_HELD, "state": "assigned", "assignee": "rosa@example.com"},
        {"window": 2, "turn": 104},
    ),
    "handoff.escalated": (
        4,
        "escalated",
        "acceptance",
        {**_HELD, "state": "assigned"},
        {"step": "accept_80", "window": "w1", "told": [6]},
    ),
}
_HANDOFF: Mapping[str, Any] = {
    "id": "4711",
    "url": "https://handoff.example.com/handoffs/4711/",
    "state": "assigned",
    "lead_type": "demo",
    "trigger": "demo_request",
    "mql_at": "2026-03-10T10:42:18Z",
    "assignee": None,
    "queue": None,
    "rule": None,
    "ruleset": None,
    "missing": [],
    "clock_started_at": None,
    "accept_due_at": None,
    "contact_due_at": None,
    "next_due_at": None,
    "revision": 1,
}
# What the system does by itself nobody did.
_BY_ITSELF = frozenset({"opened", "held", "assigned", "superseded", "escalated"})


def words(type_name: str) -> str:
    """What it tells, in a sentence."""
    return _WORDS[type_name]


def example(type_name: str) -> dict[str, Any]:
    """A whole body of this type."""
    number, kind, stage, handoff, details = _SAYS[type_name]
    return {
        "type": type_name,
        "timestamp": "2026-03-10T10:44:02Z",
        "data": {
            "revision": number,
            "handoff": {**_HANDOFF, **handoff, "revision": number},
            "lead": {
                "id": "1815",
                "external_ids": [{"system": "mautic", "object": "contact", "id": "15"}],
            },
            "event": {
                "kind": kind,
                "stage": stage,
                "recorded_at": "2026-03-10T10:44:02Z",
                "by": None if kind in _BY_ITSELF else "jonas@example.com",
                "details": dict(details),
            },
        },
    }


def shown(document: Mapping[str, Any]) -> str:
    """A document as a page shows it."""
    return json.dumps(document, indent=2, ensure_ascii=False)


# How a receiver knows that a call is ours: over the bytes as they came, with nothing but Python.
VERIFYING = '''import base64, hashlib, hmac, time

def verify(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Whether this call was signed with the secret ("whsec_...") within the last five minutes."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    message_id, sent_at = headers["webhook-id"], headers["webhook-timestamp"]
    if abs(time.time() - int(sent_at)) > 300:
        return False
    signed = f"{message_id}.{sent_at}.".encode() + body
    wanted = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    given = [item.removeprefix("v1,") for item in headers["webhook-signature"].split(" ")]
    return any(hmac.compare_digest(wanted, one) for one in given)
'''
