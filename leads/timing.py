"""Where the time of one handoff went: each instant from conversion to first contact belongs to one part.

Owns the parts and what an instant counts as, by the state that the log says it was in. An act that was
undone is as if it had never been; a contact counts from its own time, whenever it was logged. Pure: it
reads no clock and no database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from leads.choices import EventKind, State
from leads.models import Event
from routing import hours

NOTHING = timedelta(0)
# What says in whose hands it is.
_MOVES = frozenset({"state", "assignee_id", "queue_id", "completion_since"})


class Kind(StrEnum):
    """What an instant was spent on. Received and not yet held by anybody is routing, whoever is to blame:
    also the moments before it was looked at, and between a rejection and the way it went on."""

    INTAKE = "intake"
    COMPLETION = "completion"
    ROUTING = "routing"
    ACKNOWLEDGMENT = "acknowledgment"
    CONTACT = "contact"
    DEFERRAL = "deferral"


_BY_STATE = {
    State.QUEUED: Kind.ROUTING,
    State.ASSIGNED: Kind.ACKNOWLEDGMENT,
    State.ACCEPTED: Kind.CONTACT,
    State.WORKING: Kind.CONTACT,
    State.DEFERRED: Kind.DEFERRAL,
    State.REJECTED: Kind.ROUTING,
}
# The calendar of this person, of this queue, or (neither) the default one; None counts every hour.
Calendars = Callable[[int | None, int | None], hours.Hours | None]


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of one kind in the hands of one holder: a person's id, a queue's, or neither."""

    kind: Kind
    holder: int | None
    queue: int | None
    starts_at: datetime
    ends_at: datetime
    elapsed: timedelta
    business: timedelta

    @property
    def party(self) -> str:
        """Who answers for it by the agreement. Sales has it from the moment somebody or a queue holds it."""
        by_sales = self.queue is not None or self.kind in (Kind.ACKNOWLEDGMENT, Kind.CONTACT, Kind.DEFERRAL)
        return "sales" if by_sales else "marketing"


@dataclass(frozen=True, slots=True)
class _Place:
    kind: Kind
    holder: int | None = None
    queue: int | None = None


def parts(events: Sequence[Event], calendar: Calendars, until: datetime) -> list[Part]:
    """The parts in order, without gap or overlap; those of no length are left out.

    `events` is the whole log by number. They end at the first contact, else where it was closed, else at
    `until`; never after `until`.
    """
    log = standing(events)
    columns: dict[str, Any] = {}
    for event in log:
        columns |= event.data.get("set", {})
    start = _instant(columns.get("mql_at"))
    if start is None:
        return []
    stop = _instant(columns.get("first_contact_at")) or _instant(columns.get("closed_at")) or until
    stop = min(stop, until)
    found: list[Part] = []
    place, since = _Place(Kind.INTAKE), start
    for at, then in _moves(log, _instant(columns.get("received_at")) or start):
        at = min(max(at, since), stop)
        if then == place:
            continue
        if at > since:
            found.append(_part(place, since, at, calendar))
            since = at
        place = then
    if stop > since:
        found.append(_part(place, since, stop, calendar))
    return _joined(found)


def total(found: Iterable[Part]) -> tuple[timedelta, timedelta]:
    """Elapsed and business time of all parts together."""
    listed = list(found)
    return sum((part.elapsed for part in listed), NOTHING), sum((part.business for part in listed), NOTHING)


def standing(events: Sequence[Event]) -> list[Event]:
    """The log without what was undone, and without the undoing: what is left is what happened."""
    undone = {number for event in events for number in event.data.get("undid", ())}
    return [event for event in events if event.number not in undone and event.kind != EventKind.UNDONE]


def _moves(log: Sequence[Event], received_at: datetime) -> Iterable[tuple[datetime, _Place]]:
    """When it came into which place, in the order of the log.

    An acceptance or contact that was logged late goes back in time, but never before the first contact,
    where the parts end; so the order of the log is the order of time as far as it matters.
    """
    columns: dict[str, Any] = {}
    place, reached = _Place(Kind.ROUTING), received_at
    yield received_at, place
    for event in log:
        changed = event.data.get("set", {})
        columns |= changed
        if _MOVES.isdisjoint(changed) or event.kind == EventKind.OPENED:
            continue
        reached = max(reached, event.occurred_at)
        place = _place(columns, place)
        yield reached, place


def _place(columns: dict[str, Any], before: _Place) -> _Place:
    state = columns.get("state")
    if state == State.INCOMPLETE:
        return _Place(Kind.COMPLETION if columns.get("completion_since") else Kind.ROUTING)
    kind = _BY_STATE.get(State(state)) if state in State.values else None
    if kind is None:
        # Closed: where it lay until then is where the last moments belong.
        return before
    if state == State.REJECTED:
        return _Place(kind)
    if state == State.QUEUED:
        return _Place(kind, queue=columns.get("queue_id"))
    return _Place(kind, holder=columns.get("assignee_id"))


def _part(place: _Place, since: datetime, until: datetime, calendar: Calendars) -> Part:
    business = hours.between(since, until, calendar(place.holder, place.queue))
    return Part(place.kind, place.holder, place.queue, since, until, until - since, business)


def _joined(found: Sequence[Part]) -> list[Part]:
    """Neighbours of one kind and holder as one: a moment elsewhere that took no time tells nothing."""
    joined: list[Part] = []
    for part in found:
        last = joined[-1] if joined else None
        if last is not None and (last.kind, last.holder, last.queue) == (part.kind, part.holder, part.queue):
            both = last.elapsed + part.elapsed, last.business + part.business
            joined[-1] = Part(part.kind, part.holder, part.queue, last.starts_at, part.ends_at, *both)
        else:
            joined.append(part)
    return joined


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
