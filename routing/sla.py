"""Deadlines of a policy and the steps of its ladder that are due at a moment.

Owns the values Target, Step, Policy and Clocks, the default policies, and the way from them to instants.
Pure: plain values in, plain values out. It never reads the time, never looks at a lead, a handoff or the
database, never tells anybody, and never recomputes a deadline that was stored: acceptance, contact and
completion end where their column says. What has fired already comes in as a set; who acts on it is the sweep.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from routing.hours import Calendar, add, between

# The states in which the steps of each clock run. A closed state, or `working`, is in none of them.
RUNS_IN: dict[str, frozenset[str]] = {
    "acceptance": frozenset({"assigned", "queued"}),
    "unacknowledged": frozenset({"assigned", "queued"}),
    "contact": frozenset({"assigned", "queued", "accepted"}),
    "idle": frozenset({"assigned", "queued", "accepted"}),
    "black_hole": frozenset({"assigned", "queued", "accepted", "deferred"}),
    "completion": frozenset({"incomplete"}),
}
# Clocks that started before anybody in sales held the handoff.
FROM_BEFORE_ASSIGNMENT = frozenset({"contact", "unacknowledged"})
WHO = frozenset({"rep", "manager", "queue_owner", "marketing"})
WHAT = frozenset({"tell", "flag", "mark"})

HOUR = 60


@dataclass(frozen=True, slots=True)
class Target:
    """A length of time in minutes, business (of the holder's calendar) or elapsed."""

    minutes: int
    business: bool

    def __post_init__(self) -> None:
        if self.minutes < 0:
            raise ValueError(f"A target cannot be negative: {self.minutes} minutes.")


@dataclass(frozen=True, slots=True)
class Step:
    """One rung of the ladder: at a share of a clock's window, or a while after its end, do something.

    clock: a key of RUNS_IN. share: percent of the window, 1 to 100, 100 being its end; or else
    after: how long after its end. who: those who are told, of WHO. what: `tell` only tells; `flag` and `mark`
    also set the flag or the mark. Raises ValueError for anything else.
    """

    code: str
    clock: str
    share: int | None
    after: Target | None
    who: tuple[str, ...]
    what: str

    def __post_init__(self) -> None:
        if self.clock not in RUNS_IN:
            raise ValueError(f"Step {self.code}: there is no clock called {self.clock!r}.")
        if (self.share is None) == (self.after is None):
            raise ValueError(f"Step {self.code} needs either a share of the window or a time after its end.")
        if self.share is not None and not 1 <= self.share <= 100:
            raise ValueError(f"Step {self.code}: a share is 1 to 100 percent, not {self.share}.")
        if not WHO.issuperset(self.who):
            raise ValueError(f"Step {self.code}: nobody is called {', '.join(sorted(set(self.who) - WHO))}.")
        if self.what not in WHAT:
            raise ValueError(f"Step {self.code}: {self.what!r} is not one of {', '.join(sorted(WHAT))}.")


@dataclass(frozen=True, slots=True)
class Policy:
    """The targets and the ladder of one lead type, in one version. Raises ValueError when a code repeats."""

    id: int
    slug: str
    version: int
    lead_type: str
    accept: Target
    contact: Target
    unacknowledged: Target
    no_activity: Target
    black_hole: Target
    completion: Target
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        codes = [step.code for step in self.steps]
        # A step that fired is remembered by its code; a second one of that name would never fire.
        if len(set(codes)) != len(codes):
            raise ValueError(f"Policy {self.slug}: a step's code appears twice in {', '.join(codes)}.")


@dataclass(frozen=True, slots=True)
class Clocks:
    """What a handoff's clocks say: its state, its instants (aware, None = not set) and its window's number.

    The lead's clock runs from clock_started_at; the holder's window from held_since; `window` counts
    holders' windows and stays in completion. first_assigned_late: when sales first held the handoff, a step
    of the lead's own clock was already due. is_acknowledged: sales has answered once, be it another holder.
    """

    state: str
    clock_started_at: datetime | None
    held_since: datetime | None
    assigned_at: datetime | None
    completion_since: datetime | None
    accept_due_at: datetime | None
    contact_due_at: datetime | None
    completion_due_at: datetime | None
    last_activity_at: datetime | None
    first_activity_at: datetime | None
    window: int
    deferred_until: datetime | None
    first_assigned_late: bool = False
    is_acknowledged: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """A step, its window and the instant it is due. Its `key`, code and window, is unique per handoff."""

    step: Step
    window: str
    at: datetime

    @property
    def key(self) -> tuple[str, str]:
        return self.step.code, self.window


# Stands in for every step of the lead's clock that was due before the first assignment.
DELIVERED_LATE = Step("delivered_late", "contact", 100, None, ("marketing", "manager"), "tell")


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
                found.append(Due(DELIVERED_LATE, "lead", clocks.assigned_at))
            late = True
            continue
        found.append(Due(step, _name(step.clock, clocks.window), at))
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


def default_steps() -> tuple[Step, ...]:
    """The ladder both default policies ship with."""
    return (
        Step("accept_50", "acceptance", 50, None, ("rep",), "tell"),
        Step("accept_80", "acceptance", 80, None, ("rep",), "tell"),
        Step("accept_breach", "acceptance", 100, None, ("rep", "manager"), "tell"),
        Step("unacknowledged", "unacknowledged", 100, None, ("manager",), "tell"),
        Step("contact_breach", "contact", 100, None, ("rep", "manager"), "tell"),
        Step("no_activity", "idle", 100, None, ("manager",), "flag"),
        Step("black_hole", "black_hole", 100, None, ("manager",), "mark"),
        Step("completion_breach", "completion", 100, None, ("queue_owner",), "tell"),
    )


def default_policies() -> tuple[Policy, ...]:
    """The policies a new installation starts with, `demo` and `standard`; id 0, for they are not stored."""
    unacknowledged = Target(2 * HOUR, business=True)
    no_activity = Target(4 * HOUR, business=True)
    black_hole = Target(24 * HOUR, business=False)
    demo = Policy(
        id=0,
        slug="demo",
        version=1,
        lead_type="demo",
        accept=Target(5, business=False),
        contact=Target(5, business=False),
        unacknowledged=unacknowledged,
        no_activity=no_activity,
        black_hole=black_hole,
        completion=Target(1 * HOUR, business=False),
        steps=default_steps(),
    )
    standard = Policy(
        id=0,
        slug="standard",
        version=1,
        lead_type="standard",
        accept=Target(2 * HOUR, business=True),
        contact=Target(60, business=True),
        unacknowledged=unacknowledged,
        no_activity=no_activity,
        black_hole=black_hole,
        completion=Target(4 * HOUR, business=True),
        steps=default_steps(),
    )
    return demo, standard


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


def _name(clock: str, window: int) -> str:
    """The window a step is remembered under: the holder's, the stay in completion, or the lead's one."""
    if clock in ("acceptance", "idle"):
        return f"w{window}"
    return f"c{window}" if clock == "completion" else "lead"
