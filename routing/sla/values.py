"""The words of a policy as values: targets, steps, a policy, and what a handoff's clocks say.

Owns what a single step or target may be; whether a whole policy is sound is `routing.sla.soundness`. Never
reads the time, never looks at a lead, a handoff or the database.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime

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
# What a step may do. These two take the lead from its holder.
WHAT = frozenset({"tell", "flag", "mark", "reassign", "queue", "raise"})
MOVES = frozenset({"reassign", "queue"})

_PERSON = re.compile(r"person:([1-9][0-9]{0,17})")


def person_id(who: str) -> int | None:
    """The id of the person that "person:12" names; None for a role."""
    found = _PERSON.fullmatch(who)
    return int(found.group(1)) if found else None


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
    after: how long after its end. who: those who are told, of WHO, or "person:ID". what: `tell` only tells;
    `flag` and `mark` also set the flag or the mark; `raise` puts the lead before others; `reassign` gives it
    to the next person who can take it, `queue` to the queue of this id. Raises ValueError for anything else.
    """

    code: str
    clock: str
    share: int | None
    after: Target | None
    who: tuple[str, ...]
    what: str
    queue: int | None = None

    def __post_init__(self) -> None:
        if self.clock not in RUNS_IN:
            raise ValueError(f"Step {self.code}: there is no clock called {self.clock!r}.")
        if (self.share is None) == (self.after is None):
            raise ValueError(f"Step {self.code} needs either a share of the window or a time after its end.")
        if self.share is not None and not 1 <= self.share <= 100:
            raise ValueError(f"Step {self.code}: a share is 1 to 100 percent, not {self.share}.")
        unknown = sorted(who for who in set(self.who) - WHO if person_id(who) is None)
        if unknown:
            raise ValueError(f"Step {self.code}: nobody is called {', '.join(unknown)}.")
        if self.what not in WHAT:
            raise ValueError(f"Step {self.code}: {self.what!r} is not one of {', '.join(sorted(WHAT))}.")
        if (self.what == "queue") != (self.queue is not None):
            raise ValueError(
                f"Step {self.code}: a step names a queue when it moves the lead there, else none."
            )

    @property
    def is_at_end(self) -> bool:
        """Whether it comes when its clock's time is over, or later."""
        return self.share == 100 or self.after is not None


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
    holders' windows, `visits` stays in completion. first_assigned_late: when sales first held the handoff, a
    step of the lead's own clock was already due. is_acknowledged: sales has answered once, be it another
    holder. Each of its deferrals gives the first contact a time of its own.
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
    deferrals: int = 0
    visits: int = 0


@dataclass(frozen=True, slots=True)
class Due:
    """A step, its window and the instant it is due. Its `key`, code and window, is unique per handoff.
    `ends` is when the time of its clock is over."""

    step: Step
    window: str
    at: datetime
    ends: datetime | None = field(default=None, compare=False)

    @property
    def key(self) -> tuple[str, str]:
        return self.step.code, self.window


# Stands in for every step of the lead's clock that was due before the first assignment.
DELIVERED_LATE = Step("delivered_late", "contact", 100, None, ("marketing", "manager"), "tell")
