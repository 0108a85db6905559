"""Where a handoff's time went, as a stacked bar with a table beside it.

Owns the names of the parts, their tones, and whose they are in words. What counts as what is
`leads.timing`. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from leads import timing
from leads.models import Handoff
from leads.presenters import times
from leads.timing import Kind, Part

LABELS = {
    Kind.INTAKE: "Delivery to us",
    Kind.COMPLETION: "Data completion",
    Kind.ROUTING: "Routing",
    Kind.ACKNOWLEDGMENT: "Waiting for an answer",
    Kind.CONTACT: "Waiting for contact",
    Kind.DEFERRAL: "Deferred",
}
TONES = {
    Kind.INTAKE: "m3",
    Kind.COMPLETION: "m1",
    Kind.ROUTING: "m2",
    Kind.ACKNOWLEDGMENT: "a",
    Kind.CONTACT: "b",
    Kind.DEFERRAL: "c",
}


@dataclass(frozen=True, slots=True)
class Share:
    """What one holder had of one part. x and width in percent of the bar; `exact` to the microsecond."""

    label: str
    holder: str
    party: str
    tone: str
    elapsed: str
    business: str
    exact: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class TimeSpent:
    """The bar and its table. `until` says what the time ends with."""

    shares: tuple[Share, ...]
    elapsed: str
    business: str
    exact: str
    until: str
    words: str


def time_spent(
    handoff: Handoff, parts: Sequence[Part], people: Mapping[int, Any], queues: Mapping[int, Any], me: int
) -> TimeSpent | None:
    """None when no time has passed. Parts of one kind and holder are one share, in the order they began."""
    elapsed, business = timing.total(parts)
    if not elapsed:
        return None
    sums: dict[tuple[Kind, str, str], list[timedelta]] = {}
    for part in parts:
        key = part.kind, _holder(part, people, queues, me), part.party
        sums[key] = [one + other for one, other in zip(sums.get(key, _NONE), _spans(part), strict=True)]
    shares, before = [], timedelta(0)
    for (kind, holder, party), (length, working) in sums.items():
        shares.append(
            Share(
                label="Waiting in a queue" if kind == Kind.ROUTING and party == "sales" else LABELS[kind],
                holder=holder,
                party=party.capitalize(),
                tone=TONES[kind],
                elapsed=times.length(length),
                business=times.length(working),
                exact=str(length),
                x=round(before / elapsed * 100, 2),
                width=round(length / elapsed * 100, 2),
            )
        )
        before += length
    return TimeSpent(
        shares=tuple(shares),
        elapsed=times.length(elapsed),
        business=times.length(business),
        exact=str(elapsed),
        until=_until(handoff),
        words=", ".join(
            f"{share.label}{f' ({share.holder})' if share.holder else ''} {share.elapsed}" for share in shares
        ),
    )


_NONE = [timedelta(0), timedelta(0)]


def _spans(part: Part) -> tuple[timedelta, timedelta]:
    return part.elapsed, part.business


def _holder(part: Part, people: Mapping[int, Any], queues: Mapping[int, Any], me: int) -> str:
    if part.holder is not None:
        return "You" if part.holder == me else str(people.get(part.holder, "somebody"))
    queue = queues.get(part.queue) if part.queue is not None else None
    return f"Queue {queue}" if queue is not None else ""


def _until(handoff: Handoff) -> str:
    if handoff.first_contact_at is not None:
        return "from conversion to first contact"
    return "since conversion" if handoff.is_open else "from conversion until it was closed"
