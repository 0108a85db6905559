"""Deadlines of a policy and the steps of its ladder that are due at a moment.

Owns the way from the values to instants. It never recomputes a deadline that was stored: acceptance, contact
and completion end where their column says. What has fired already comes in as a set; who acts on a step is
the sweep.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from routing.hours import Calendar, add, between
from routing.sla.values import (
    DELIVERED_LATE,
    FROM_BEFORE_ASSIGNMENT,
    RUNS_IN,
    Clocks,
    Due,
    Policy,
    Step,
    Target,
)


def deadline(start: datetime, target: Target, calendar: Calendar | None) -> datetime:
    """The instant, in UTC, at which a target that runs from `start` is reached. Raises as hours.add does."""
    return add(start, timedelta(minutes=target.minutes), calendar if target.business else None)


def scheduled(policy: Policy, clocks: Clocks, calendar: Calendar | None) -> tuple[Due, ...]:
    """Every step that runs in the present state, fired or not, by time and then in the policy's order.

    Steps of the lead's clock due before a late first assignment come as one DELIVERED_LATE, due at it.
    A clock whose instants are not set has no steps.
    """
    windows = {
        clock: _window(clock, policy, clocks, calendar)
        for clock, states in RUNS_IN.items()
        if clocks.state in states
    }
    found: list[Due] = []
    late = False
    for step in policy.steps:
        span = windows.get(step.clock)
        if span is None:
            continue
        at = _moment(step, span, _target(policy, step.clock), calendar)
        if (
            clocks.first_assigned_late
            and clocks.assigned_at is not None
            and step.clock in FROM_BEFORE_ASSIGNMENT
            and at < clocks.assigned_at
        ):
            if not late:
                found.append(Due(DELIVERED_LATE, "lead", clocks.assigned_at, clocks.assigned_at))
            late = True
            continue
        found.append(Due(step, _name(step.clock, clocks), at, span[1]))
    return tuple(sorted(found, key=lambda due_step: due_step.at))


def due(
    policy: Policy,
    clocks: Clocks,
    calendar: Calendar | None,
    fired: frozenset[tuple[str, str]],
    now: datetime,
) -> tuple[Due, ...]:
    """The steps to fire now: at or before `now` and not in `fired` (pairs of code and window), in order."""
    return tuple(item for item in _unfired(policy, clocks, calendar, fired) if item.at <= now)


def next_at(
    policy: Policy, clocks: Clocks, calendar: Calendar | None, fired: frozenset[tuple[str, str]]
) -> datetime | None:
    """When the next step that has not fired is due, be it past; None when no step is left."""
    return next((item.at for item in _unfired(policy, clocks, calendar, fired)), None)


def next_deadline(clocks: Clocks) -> datetime | None:
    """The deadline of whoever is accountable in this state; None where nobody has one, or it is not set."""
    candidates: tuple[datetime | None, ...]
    match clocks.state:
        case "incomplete":
            candidates = (clocks.completion_due_at,)
        case "queued" | "assigned":
            candidates = (clocks.accept_due_at, clocks.contact_due_at)
        case "accepted":
            candidates = (clocks.contact_due_at,)
        case "deferred":
            candidates = (clocks.deferred_until,)
        case _:
            candidates = ()
    return min((at for at in candidates if at is not None), default=None)


def _unfired(
    policy: Policy, clocks: Clocks, calendar: Calendar | None, fired: frozenset[tuple[str, str]]
) -> Iterator[Due]:
    return (item for item in scheduled(policy, clocks, calendar) if item.key not in fired)


def _target(policy: Policy, clock: str) -> Target:
    return {
        "acceptance": policy.accept,
        "contact": policy.contact,
        "unacknowledged": policy.unacknowledged,
        "idle": policy.no_activity,
        "black_hole": policy.black_hole,
        "completion": policy.completion,
    }[clock]


def _window(
    clock: str, policy: Policy, clocks: Clocks, calendar: Calendar | None
) -> tuple[datetime, datetime] | None:
    """Start and end of a clock's window, the end as stored where it is; None when the clock does not run."""
    start: datetime | None
    end: datetime | None
    match clock:
        case "acceptance":
            start, end = clocks.held_since, clocks.accept_due_at
        case "contact":
            start, end = clocks.clock_started_at, clocks.contact_due_at
        case "completion":
            start, end = clocks.completion_since, clocks.completion_due_at
        case "unacknowledged":
            start = None if clocks.is_acknowledged else clocks.clock_started_at
            end = None if start is None else deadline(start, policy.unacknowledged, calendar)
        case "idle":
            start = clocks.held_since
            if start is not None and clocks.last_activity_at is not None:
                start = max(start, clocks.last_activity_at)
            end = None if start is None else deadline(start, policy.no_activity, calendar)
        case _:
            start = None if clocks.first_activity_at is not None else clocks.assigned_at
            end = None if start is None else deadline(start, policy.black_hole, calendar)
    return None if start is None or end is None else (start, end)


def _moment(
    step: Step, span: tuple[datetime, datetime], target: Target, calendar: Calendar | None
) -> datetime:
    """When a step is due in a window that runs from span[0] to span[1]."""
    start, end = span
    if step.after is not None:
        return deadline(end, step.after, calendar)
    # A deadline that was moved may lie before its window's start; there is nothing to interpolate then.
    if step.share is None or step.share == 100 or end <= start:
        return end
    base = calendar if target.business else None
    # The calendar may have been edited since the deadline was set, so that the window holds no working time.
    return min(end, add(start, between(start, end, base) * step.share // 100, base))


def _name(clock: str, clocks: Clocks) -> str:
    """The window a step is remembered under: the holder's, the stay in completion, the time to the first
    contact after a deferral, or the lead's one."""
    if clock in ("acceptance", "idle"):
        return f"w{clocks.window}"
    if clock == "completion":
        return f"c{clocks.visits}"
    return f"d{clocks.deferrals}" if clock == "contact" and clocks.deferrals else "lead"
