"""What if: how many past windows another target would have broken, next to the one in force.

Pure. A window is a stretch in which somebody owed something, read from a handoff's log; both targets are
held against the same stretches by the same calendars, so that the two counts differ by the target alone. It
looks back and proposes nothing. The definitions stand in CLOCKS and are shown on the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from leads.choices import OPEN, EventKind, LeadType, State
from leads.models import Event
from leads.timing import standing
from routing import hours
from routing.sla import Target

# name of the target, what it is called, what counts as one window
CLOCKS = {
    "accept": (
        "Answer",
        "A window runs from the moment a person or queue holds a lead until it is answered, taken away or "
        "closed. Each holder has their own.",
    ),
    "contact": (
        "First contact",
        "A window is the lead’s own clock: from conversion (or complete data, the end of a deferral, the "
        "raise to demo) to the first contact, or to the close without one. One a lead; put down to who made "
        "the contact, else to who holds it.",
    ),
    "no_activity": (
        "No activity",
        "A window is each stretch in which a lead that is owed an answer or a contact saw no act of sales.",
    ),
    "completion": (
        "Data completion",
        "A window is each stay in data completion, marketing’s own time.",
    ),
}
_HELD = (State.ASSIGNED, State.QUEUED)
_OWED = (State.ASSIGNED, State.QUEUED, State.ACCEPTED)


class Window(NamedTuple):
    """A stretch in which something was owed by a person, a queue or (neither) marketing. Open: no end."""

    handoff: int
    lead_type: str
    person: int | None
    queue: int | None
    starts_at: datetime
    ends_at: datetime | None


Calendars = Callable[[Window], hours.Hours | None]


def windows(handoff: int, log: Sequence[Event], clock: str) -> Iterator[Window]:
    """The windows of one clock in the whole log of one handoff, by number."""
    yield from _BY_CLOCK[clock](handoff, standing(log))


def is_broken(window: Window, target: Target, calendar: hours.Hours | None, now: datetime) -> bool:
    """Whether the target was over before the window was. At the last moment is in time."""
    working = hours.between(window.starts_at, window.ends_at or now, calendar if target.business else None)
    return working.total_seconds() > target.minutes * 60


@dataclass
class Tally:
    """How many windows there were, and how many each of the two targets breaks."""

    windows: int = 0
    before: int = 0
    after: int = 0

    def add(self, before: bool, after: bool) -> None:
        self.windows += 1
        self.before += before
        self.after += after

    @property
    def difference(self) -> int:
        return self.after - self.before


class Broken(NamedTuple):
    """A window that one of the two targets breaks."""

    window: Window
    before: bool
    after: bool


@dataclass
class Answer:
    """The counts in all, by holder (person, queue) and by lead type; and the broken windows, newest first
    by when they began, at most as many as were asked for."""

    total: Tally = field(default_factory=Tally)
    by_holder: dict[tuple[int | None, int | None], Tally] = field(default_factory=dict)
    by_type: dict[str, Tally] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)
    is_cut: bool = False


def compare(
    found: Iterable[Window], before: Target, after: Target, calendar: Calendars, now: datetime, most: int
) -> Answer:
    """Hold both targets against every window; keeps no more of them than `most`."""
    answer = Answer()
    for window in found:
        hours_of = calendar(window)
        old, new = is_broken(window, before, hours_of, now), is_broken(window, after, hours_of, now)
        answer.total.add(old, new)
        answer.by_holder.setdefault((window.person, window.queue), Tally()).add(old, new)
        answer.by_type.setdefault(window.lead_type, Tally()).add(old, new)
        if not (old or new):
            continue
        if len(answer.broken) < most:
            answer.broken.append(Broken(window, old, new))
        else:
            answer.is_cut = True
    answer.broken.sort(key=lambda row: (row.window.starts_at, row.window.handoff), reverse=True)
    return answer


def _accept(handoff: int, log: Sequence[Event]) -> Iterator[Window]:
    columns: dict[str, Any] = {}
    running: Window | None = None
    for event in log:
        changed = event.data.get("set", {})
        columns |= changed
        if running is not None and ("window" in changed or columns.get("state") not in _HELD):
            yield running._replace(ends_at=max(event.occurred_at, running.starts_at))
            running = None
        if "window" in changed and columns.get("state") in _HELD:
            since = _instant(columns.get("held_since")) or event.occurred_at
            running = _window(handoff, columns, since)
    if running is not None:
        yield running


def _contact(handoff: int, log: Sequence[Event]) -> Iterator[Window]:
    columns: dict[str, Any] = {}
    for event in log:
        columns |= event.data.get("set", {})
    start = _instant(columns.get("clock_runs_from")) or _instant(columns.get("clock_started_at"))
    if start is None or columns.get("assigned_at") is None:
        return
    contacted = _instant(columns.get("first_contact_at"))
    for name in ("raised_at", "deferred_until"):
        later = _instant(columns.get(name))
        if later is not None and (contacted is None or later <= contacted):
            start = max(start, later)
    ends_at = contacted or _instant(columns.get("closed_at"))
    if ends_at is not None and ends_at < start:
        # Closed while it was deferred: nothing was owed yet.
        return
    if ends_at is None and columns.get("state") not in OPEN:
        return
    window = _window(handoff, columns, start)._replace(ends_at=ends_at)
    by = columns.get("first_contact_by_id")
    yield window._replace(person=by, queue=None) if by else window


def _no_activity(handoff: int, log: Sequence[Event]) -> Iterator[Window]:
    columns: dict[str, Any] = {}
    running: Window | None = None
    for event in log:
        changed = event.data.get("set", {})
        columns |= changed
        is_act = "last_activity_at" in changed or "window" in changed
        if running is not None and (is_act or columns.get("state") not in _OWED):
            if event.occurred_at > running.starts_at:
                yield running._replace(ends_at=event.occurred_at)
            running = None
        if running is None and columns.get("state") in _OWED and columns.get("held_since"):
            running = _window(handoff, columns, event.occurred_at)
    if running is not None:
        yield running


def _completion(handoff: int, log: Sequence[Event]) -> Iterator[Window]:
    columns: dict[str, Any] = {}
    running: Window | None = None
    for event in log:
        columns |= event.data.get("set", {})
        since = columns.get("completion_since")
        waits = columns.get("state") == State.INCOMPLETE and since is not None
        if running is not None and not waits:
            yield running._replace(ends_at=max(event.occurred_at, running.starts_at))
            running = None
        if running is None and waits:
            start = _instant(since) or event.occurred_at
            running = Window(handoff, _type(columns), None, None, start, None)
    if running is not None:
        yield running


_BY_CLOCK = {
    "accept": _accept,
    "contact": _contact,
    "no_activity": _no_activity,
    "completion": _completion,
}
# Events that neither begin nor end a window of any clock, and need not be read.
SILENT = (EventKind.VIEWED, EventKind.FLAGGED, EventKind.BLACK_HOLE, EventKind.CANCELLED)


def _window(handoff: int, columns: dict[str, Any], since: datetime) -> Window:
    person = columns.get("assignee_id")
    queue = columns.get("queue_id") if person is None else None
    return Window(handoff, _type(columns), person, queue, since, None)


def _type(columns: dict[str, Any]) -> str:
    """The lead type whose targets ran: demo once raised."""
    return LeadType.DEMO if columns.get("raised_at") else str(columns.get("lead_type") or LeadType.STANDARD)


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
