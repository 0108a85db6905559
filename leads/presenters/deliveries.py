"""What went out and came in, as it is read: a line of the log, one delivery with its attempts, a call.

Owns the words and the columns of the files. Bodies are shown to those who run integrations, as text; what an
attempt keeps was cut and freed of secrets when it was made. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leads.models import Delivery, DeliveryAttempt, InboundCall
from leads.presenters import times
from leads.presenters.signals import cut

WITH = ("connection", "lead__company", "handoff")
TONES = {"dead": "late", "sending": "line", "pending": "line", "failed": "late", "waiting": "line"}
LONGEST_BODY = 20_000
OUTCOMES = {
    "done": "Delivered",
    "transient": "Failed, tried again",
    "throttled": "Asked to wait",
    "permanent": "Refused for good",
    "unauthorised": "Credentials refused",
    "gone": "Wants no more",
}

# What became of events, where the code alone does not say it.
OF_EVENTS = {
    "strangers": "about nobody known here",
    "unknown_type": "of an unknown type",
    "nobody": "naming nobody",
    "bad_id": "with a wrong id",
    "too_long": "too long",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A delivery on the list. `next` is when it is tried again, "" when it is settled."""

    id: int
    connection: str
    slug: str
    what: str
    who: str
    handoff: int | None
    status: str
    tone: str
    attempts: int
    answer: str
    error: str
    when: str
    exact: str
    next: str
    lag: str


@dataclass(frozen=True, slots=True)
class Attempt:
    number: int
    when: str
    exact: str
    took: str
    outcome: str
    tone: str
    status: str
    request: str
    answer: str
    error: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call that came in, on the list and on its own page."""

    id: int
    connection: str
    slug: str
    identity: str
    status: str
    tone: str
    outcome: str
    error: str
    when: str
    exact: str
    tries: int
    next: str
    repeats: str
    may_retry: bool


def line(row: Delivery, now: datetime) -> Line:
    settled = row.done_at
    is_waiting = row.status == Delivery.Status.PENDING
    return Line(
        id=row.pk,
        connection=row.connection.name,
        slug=row.connection.slug,
        what=what(row),
        who=str(row.lead) if row.lead else "",
        handoff=row.handoff_id,
        status=str(row.get_status_display()),
        tone=TONES.get(row.status, ""),
        attempts=row.attempts,
        answer=str(row.last_status or ""),
        error=cut(row.last_error, 160),
        when=times.day(row.created_at, now),
        exact=times.exact(row.created_at, now),
        next=_next(row.next_attempt_at, now) if is_waiting else "",
        lag=times.length(settled - row.occurred_at) if settled and row.status == "done" else "",
    )


def what(row: Delivery) -> str:
    """What it is about: "handoff.accepted", "State, revision 4", "Erasure"."""
    if row.kind == Delivery.Kind.STATE:
        return f"State, revision {row.revision}"
    return row.type or str(row.get_kind_display())


def _next(at: datetime, now: datetime) -> str:
    return "now" if at <= now else times.by(at, now)


def attempt(row: DeliveryAttempt, now: datetime) -> Attempt:
    return Attempt(
        number=row.number,
        when=times.day(row.at, now),
        exact=times.exact(row.at, now),
        took=f"{row.milliseconds:,} ms",
        outcome=OUTCOMES.get(row.outcome, row.outcome),
        tone="" if row.outcome == "done" else "late",
        status=str(row.status or ""),
        request=row.request,
        answer=pretty(row.answer),
        error=row.error,
    )


def pretty(text: str) -> str:
    """JSON with its structure shown; any other text as it is; cut where nobody reads on."""
    try:
        shown = json.dumps(json.loads(text), indent=2, ensure_ascii=False) if text else ""
    except (ValueError, RecursionError):
        shown = text
    return shown if len(shown) <= LONGEST_BODY else f"{shown[:LONGEST_BODY]}…"


HEADER = (
    "delivery", "connection", "kind", "type", "lead", "handoff", "revision", "status", "attempts",
    "last answer", "last error", "message id", "happened at", "owed at", "settled at",
    "next attempt at", "note",
)  # fmt: skip


def as_cells(row: Delivery) -> Sequence[Any]:
    """A delivery as a line of a file; nobody's name or address."""
    is_waiting = row.status == Delivery.Status.PENDING
    return (
        row.pk, row.connection.name, row.kind, row.type, row.lead_id, row.handoff_id, row.revision,
        row.get_status_display(), row.attempts, row.last_status, row.last_error, row.message_id,
        row.occurred_at, row.created_at, row.done_at, row.next_attempt_at if is_waiting else None, row.note,
    )  # fmt: skip


def call(row: InboundCall, now: datetime) -> Call:
    is_waiting = row.status == InboundCall.Status.WAITING
    return Call(
        id=row.pk,
        connection=row.connection.name,
        slug=row.connection.slug,
        identity=row.identity,
        status=str(row.get_status_display()),
        tone=TONES.get(row.status, ""),
        outcome=outcome(row),
        error=cut(row.error, 160),
        when=times.day(row.received_at, now),
        exact=times.exact(row.received_at, now),
        tries=row.tries,
        next=_next(row.try_after, now) if is_waiting else "",
        repeats=_repeats(row),
        may_retry=not is_waiting,
    )


def outcome(row: InboundCall) -> str:
    """What became of it: "2 events: 1 processed, 1 duplicate"."""
    counts = dict(row.outcome)
    events = counts.pop("events", None)
    if events is None:
        return ""
    # PostgreSQL keeps no order of these.
    told = ", ".join(f"{counts[name]} {OF_EVENTS.get(name, name)}" for name in sorted(counts, key=_place))
    return f"{events} event{'' if events == 1 else 's'}{': ' if told else ''}{told}"


def _place(name: str) -> tuple[int, str]:
    known = ("processed", "duplicate", "ignored", "invalid")
    return (known.index(name) if name in known else len(known), name)


def _repeats(row: InboundCall) -> str:
    if not row.repeats:
        return ""
    again = f"came {row.repeats} more time{'' if row.repeats == 1 else 's'}"
    return f"{again}, {row.differing_repeats} with another body" if row.differing_repeats else again


CALL_HEADER = (
    "call", "connection", "identity", "status", "outcome", "error", "tries", "received at", "settled at",
    "repeats", "differing repeats",
)  # fmt: skip


def call_cells(row: InboundCall) -> Sequence[Any]:
    return (
        row.pk, row.connection.name, row.identity, row.get_status_display(), outcome(row), row.error,
        row.tries, row.received_at, row.done_at, row.repeats, row.differing_repeats,
    )  # fmt: skip
