"""One handoff with all that is known of it, as JSON: lead, events, clocks, trace.

Owns the reading for it, in a constant number of queries, and the names that stand for our ids: people are
e-mail addresses, queues slugs. Writes nothing, decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from leads import explaining, time_spent
from leads.models import Activity, ApiKey, Company, Event, Handoff, Lead, RoutingDecision, Score
from leads.representation import handoff_json, lead_json, time
from routing.models import Queue, User

MOST_ACTIVITIES = 50
MOST_DECISIONS = 20
CLOCKS = (
    "received_at", "clock_started_at", "clock_runs_from", "completion_since", "completion_due_at", "ready_at",
    "assigned_at", "held_since", "accept_due_at", "acknowledged_at", "accepted_at", "rejected_at",
    "contact_due_at", "first_contact_at", "deferred_until", "next_touch_at", "next_due_at", "no_activity_at",
    "black_hole_at", "opportunity_at", "closed_at",
)  # fmt: skip
LEAD = (
    "email", "first_name", "last_name", "job_title", "phone", "country_code", "region", "postal_code",
    "timezone", "language", "linkedin_url", "custom",
)  # fmt: skip
# Columns and codes of the log that hold a person's or a queue's id, and their names outside.
PEOPLE = {
    "assignee_id": "assignee",
    "first_holder_id": "first_holder",
    "holder_at_24h_id": "holder_at_24h",
    "accepted_by_id": "accepted_by",
    "rejected_by_id": "rejected_by",
    "first_contact_by_id": "first_contact_by",
    "held_by": "held_by",
    "was_held_by": "was_held_by",
}
QUEUE = "queue_id"


def detail_json(handoff: Handoff, now: datetime) -> dict[str, Any]:
    """HANDOFF with `lead`, `events`, `clocks`, `trace`; lead, company, assignee, queue and policy loaded."""
    events = list(handoff.events.select_related("user", "api_key").order_by("number"))
    decisions = list(explaining.decisions_of(handoff).order_by("-at", "-pk")[:MOST_DECISIONS])
    decisions.reverse()
    return {
        **handoff_json(handoff),
        "lead": _lead(handoff.lead),
        "events": _events(events),
        "clocks": _clocks(handoff) | {"parts": _parts(handoff, now, events)},
        "trace": _trace(decisions),
    }


def _lead(lead: Lead) -> dict[str, Any]:
    score = lead.scores.order_by("-scored_at", "-pk").first()
    ids = lead.external_ids.order_by("pk").values_list("system", "object", "value")
    return {
        **lead_json(lead),
        **{name: getattr(lead, name) for name in LEAD},
        "consent": {"email_opt_out": lead.email_opt_out, "do_not_call": lead.do_not_call},
        "external_ids": [{"system": system, "object": kind, "id": value} for system, kind, value in ids],
        "company": _company(lead.company) if lead.company else None,
        "score": _score(score) if score else None,
        "activities": [
            _activity(row) for row in lead.activities.order_by("-occurred_at", "-pk")[:MOST_ACTIVITIES]
        ],
    }


def _company(company: Company) -> dict[str, Any]:
    names = ("name", "domain", "industry", "size_band", "employee_count", "country_code")
    return {**{name: getattr(company, name) for name in names}, "stage": str(company.stage)}


def _score(score: Score) -> dict[str, Any]:
    names = ("total", "fit", "intent", "behavior")
    return {**{name: getattr(score, name) for name in names}, "scored_at": time(score.scored_at)}


def _activity(activity: Activity) -> dict[str, Any]:
    return {
        "id": str(activity.pk),
        "kind": str(activity.kind),
        "occurred_at": time(activity.occurred_at),
        "title": activity.title,
        "url": activity.url,
        "campaign": activity.campaign,
    }


def _clocks(handoff: Handoff) -> dict[str, Any]:
    policy = handoff.policy
    told: dict[str, Any] = {"policy": f"{policy.slug} {policy.version}" if policy else None}
    return told | {name: time(getattr(handoff, name)) for name in CLOCKS}


def _parts(handoff: Handoff, now: datetime, events: list[Event]) -> list[dict[str, Any]]:
    """Where the time went, in order and without gap, in seconds to the microsecond. What still runs has no
    end and no length: as long as nothing happens, the same is told, and has the same ETag."""
    spent = time_spent.of_handoff(handoff, now, events)
    told = [
        {
            "kind": str(part.kind),
            "party": part.party,
            "holder": spent.people[part.holder].email if part.holder in spent.people else None,
            "queue": f"queue:{spent.queues[part.queue].slug}" if part.queue in spent.queues else None,
            "starts_at": time(part.starts_at),
            "ends_at": time(part.ends_at),
            "elapsed_seconds": part.elapsed.total_seconds(),
            "business_seconds": part.business.total_seconds(),
        }
        for part in spent.parts
    ]
    if told and handoff.first_contact_at is None and handoff.closed_at is None:
        told[-1] |= {"ends_at": None, "elapsed_seconds": None, "business_seconds": None}
    return told


def _events(events: list[Event]) -> list[dict[str, Any]]:
    named = _Named(event.data for event in events)
    return [
        {
            "number": event.number,
            "kind": str(event.kind),
            "stage": str(event.stage),
            "occurred_at": time(event.occurred_at),
            "recorded_at": time(event.recorded_at),
            "by": _by(event.user, event.api_key),
            "set": named(event.data.get("set") or {}),
            "data": named({name: v for name, v in event.data.items() if name not in ("set", "was")}),
        }
        for event in events
    ]


def _by(user: User | None, key: ApiKey | None) -> str:
    if user is not None:
        return user.email
    return f"key:{key.name}" if key is not None else "system"


class _Named:
    """Puts names in the place of the ids that the log holds; at most two queries for any number of events."""

    def __init__(self, data: Iterable[dict[str, Any]]) -> None:
        parts = [part for row in data for part in (row, row.get("set") or {})]
        people = {part[name] for part in parts for name in PEOPLE if part.get(name) is not None}
        queues = {part[QUEUE] for part in parts if part.get(QUEUE) is not None}
        self.people = dict(User.objects.filter(pk__in=people).values_list("pk", "email")) if people else {}
        self.queues = dict(Queue.objects.filter(pk__in=queues).values_list("pk", "slug")) if queues else {}

    def __call__(self, part: dict[str, Any]) -> dict[str, Any]:
        told: dict[str, Any] = {}
        for name, value in part.items():
            if name in PEOPLE:
                told[PEOPLE[name]] = self.people.get(value)
            elif name == QUEUE:
                told["queue"] = f"queue:{self.queues[value]}" if value in self.queues else None
            elif name.endswith("_id"):
                told[name] = None if value is None else str(value)
            else:
                told[name] = value
        return told


def _trace(decisions: list[RoutingDecision]) -> list[dict[str, Any]]:
    if not decisions:
        return []
    teller = explaining.Teller(decisions)
    return [
        {
            "at": time(decision.at),
            "ruleset": str(decision.ruleset_id) if decision.ruleset_id else None,
            "outcome": decision.outcome,
            "sentences": teller.sentences(decision),
            "facts": decision.facts,
            "trace": explaining.entries(decision),
            "candidates": decision.candidates,
        }
        for decision in decisions
    ]
