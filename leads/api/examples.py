"""What goes in and what comes back, shown in the OpenAPI document: one lead's way, a body for each operation.

Owns made-up values, nobody's data. Tests hold each against its schema. Decides nothing, and nothing is read
from here but for the document.
"""

from __future__ import annotations

from typing import Any

_FEMKE = "femke@handoff.example.com"
_OTTO = "otto@handoff.example.com"

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "map-2026-11-22-0001",
    "source": "/map/main",
    "type": "lead.qualified",
    "time": "2026-11-22T09:14:05Z",
    "data": {
        "lead": {
            "external_ids": [{"system": "mautic", "object": "contact", "id": "15"}],
            "email": "ada@lovelace-engines.com",
            "first_name": "Ada",
            "last_name": "Lovelace",
            "job_title": "VP Operations",
            "country_code": "DE",
            "consent": {"email_opt_out": False, "do_not_call": False},
        },
        "company": {"name": "Lovelace Engines", "domain": "lovelace-engines.com", "employee_count": 420},
        "score": {
            "total": 81,
            "previous_total": 62,
            "scored_at": "2026-11-22T09:14:00Z",
            "fit": {
                "score": 29,
                "max": 50,
                "reasons": [{"code": "size", "label": "201-500 people", "points": 15}],
            },
            "intent": {"score": 33, "max": 40, "reasons": []},
            "behavior": {"score": 19, "max": 25, "reasons": []},
        },
        "activities": [
            {
                "id": "hit-7",
                "kind": "pricing_view",
                "occurred_at": "2026-11-22T09:10:00Z",
                "title": "Pricing",
                "url": "https://www.example.com/pricing",
                "points": 8,
            }
        ],
        "source": {"lead_source": "Webinar", "channel": "Event", "utm_campaign": "ops-webinar"},
        "trigger": {
            "kind": "demo_request",
            "reason": "Demo form",
            "occurred_at": "2026-11-22T09:14:00Z",
        },
    },
}
ACTIVITY: dict[str, Any] = {
    "specversion": "1.0",
    "id": "map-2026-11-22-0002",
    "source": "/map/main",
    "type": "lead.activity",
    "time": "2026-11-22T09:20:00Z",
    "data": {
        "lead": {"email": "ada@lovelace-engines.com"},
        "activities": [
            {
                "id": "chat-3",
                "kind": "chat",
                "occurred_at": "2026-11-22T09:19:30Z",
                "title": "Do you support SSO?",
            }
        ],
    },
}
HANDOFF: dict[str, Any] = {
    "id": "4711",
    "url": "https://handoff.example.com/handoffs/4711/",
    "state": "assigned",
    "lead_type": "demo",
    "trigger": "demo_request",
    "mql_at": "2026-11-22T09:14:00Z",
    "assignee": _FEMKE,
    "queue": None,
    "rule": "Enterprise demos",
    "ruleset": "12",
    "missing": [],
    "clock_started_at": "2026-11-22T09:14:00Z",
    "accept_due_at": "2026-11-22T09:19:06Z",
    "contact_due_at": "2026-11-22T09:19:00Z",
    "next_due_at": "2026-11-22T09:19:00Z",
    "revision": 3,
}
ANSWER: dict[str, Any] = {
    "id": EVENT["id"],
    "status": "processed",
    "reason": None,
    "lead": {"id": "2042", "url": "https://handoff.example.com/leads/2042/"},
    "handoff": HANDOFF,
    "errors": [],
}
BATCH_ANSWER: dict[str, Any] = {
    "results": [
        ANSWER,
        {
            "id": "map-2026-11-22-0003",
            "status": "invalid",
            "reason": "no_identity",
            "lead": None,
            "handoff": None,
            "errors": [
                {
                    "pointer": "/data/lead",
                    "code": "no_identity",
                    "detail": "A lead needs an e-mail address or an external id.",
                }
            ],
        },
    ]
}
PAGE: dict[str, Any] = {"results": [HANDOFF], "next": None, "latest": "60312"}

# What each verb takes, by its name.
ACTS: dict[str, dict[str, Any]] = {
    "accept": {"on_behalf_of": _FEMKE},
    "claim": {"on_behalf_of": _FEMKE},
    "reject": {
        "on_behalf_of": _FEMKE,
        "reason": "timing",
        "note": "Budget comes in spring",
        "until": "2027-03-01",
    },
    "defer": {
        "on_behalf_of": _FEMKE,
        "until": "2026-12-01T09:00:00Z",
        "explanation": "Asked for a call after the fair",
    },
    "contact": {
        "on_behalf_of": _FEMKE,
        "channel": "phone",
        "outcome": "reached",
        "at": "2026-11-22T09:17:00Z",
        "activity_id": "88123",
        "note": "Wants a quote for 40 seats",
        "next_touch_at": "2026-11-29T09:00:00Z",
        "asked_for": False,
    },
    "opportunity": {
        "on_behalf_of": _FEMKE,
        "external_id": "006-1",
        "amount": "12500.00",
        "currency": "EUR",
        "stage": "Proposal",
        "at": "2026-11-24T14:00:00Z",
    },
    "disqualify": {"on_behalf_of": _FEMKE, "reason": "not_icp", "note": "A student project"},
    "note": {"on_behalf_of": _FEMKE, "text": "Met her at the fair last year"},
    "reassign": {
        "on_behalf_of": "mia@handoff.example.com",
        "to": "jonas@handoff.example.com",
        "reason": "Femke is at the fair",
    },
    "resume": {"on_behalf_of": _FEMKE},
    "waive": {
        "on_behalf_of": _OTTO,
        "check": "company_name",
        "reason": "A freelancer, works under her own name",
    },
    "recheck": {"on_behalf_of": _OTTO},
    "discard": {"on_behalf_of": _OTTO, "reason": "A test entry"},
}

_LATE = "Cannot accept: rejected by jonas@handoff.example.com at 2026-11-22 09:16 UTC."
PROBLEMS: dict[int, dict[str, Any]] = {
    404: {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is no such handoff, or it is not this person's to see.",
        "errors": [],
    },
    409: {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": _LATE,
        "code": "not_allowed",
        "state": "rejected",
        "by": "jonas@handoff.example.com",
        "at": "2026-11-22T09:16:20Z",
        "errors": [],
    },
    422: {
        "type": "about:blank",
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "Some fields are not valid.",
        "errors": [{"pointer": "/email", "code": "invalid", "detail": "Say which field, and why."}],
    },
}
