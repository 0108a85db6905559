"""Who needs help: a manager's rows, and each rep's load in figures.

Owns what is overdue, at risk, silent, a black hole or unowned, in words and in that order of weight. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from leads.choices import State
from leads.models import Handoff
from leads.presenters import rows, times
from leads.presenters.clocks import Clock, holders_calendar, of_handoff
from leads.presenters.rows import Flag
from routing import hours


@dataclass(frozen=True, slots=True)
class TeamRow:
    """One handoff that somebody has to look at. `why` says what is wrong with it."""

    id: int
    revision: int
    name: str
    sub: str
    holder: str
    why: str
    flags: tuple[Flag, ...]
    clock: Clock | None


@dataclass(slots=True)
class Group:
    """A section; `empty` is what is said when nothing is in it. `count` may be more than are shown: `more`
    is then the query of the page that has all."""

    key: str
    title: str
    hint: str
    empty: str
    rows: list[TeamRow] = field(default_factory=list)
    count: str = "0"
    is_alarm: bool = False
    more: str = ""


@dataclass(frozen=True, slots=True)
class RepLine:
    """One person's work in figures. `load` is what holds a turn, `cap` the most they may hold."""

    id: int
    name: str
    team: str
    answer: int
    contact: int
    follow: int
    deferred: int
    late: int
    silent: int
    load: int
    cap: str
    share: int | None
    note: str


# key, title, hint, what is said when it is empty, whether it is an alarm
GROUPS = (
    (
        "lost",
        "Nobody answers for these",
        "their holder cannot answer; the sweep moves them on within minutes",
        "",
        True,
    ),
    ("late", "Overdue", "longest late first", "Nothing is past its deadline.", True),
    (
        "hole",
        "Black holes",
        "a day without any act of sales",
        "Every lead was touched within a day of reaching sales.",
        True,
    ),
    ("silent", "Silent", "opened or held, and then nothing", "Nobody sits on a lead in silence.", False),
    (
        "risk",
        "At risk",
        "more than half of the time is used",
        "Everything else is well within its time.",
        False,
    ),
    (
        "unowned",
        "Unowned",
        "waiting in a queue for somebody to claim them",
        "No lead waits in a queue: each has a person.",
        False,
    ),
)


def groups() -> dict[str, Group]:
    """The sections by key, in order, without rows."""
    return {
        key: Group(key, title, hint, empty, is_alarm=is_alarm) for key, title, hint, empty, is_alarm in GROUPS
    }


def chosen() -> Group:
    """The section of a handoff that somebody came for, whether or not it needs help."""
    return Group("chosen", "To reassign", "", "")


def row(handoff: Handoff, key: str, now: datetime, default: hours.Calendar | None) -> TeamRow:
    """The row of a handoff whose lead, company, policy, assignee (with team) and queue are loaded."""
    return TeamRow(
        id=handoff.pk,
        revision=handoff.revision,
        name=rows.name_of(handoff),
        sub=rows.sub_of(handoff),
        holder=holder(handoff),
        why=why(handoff, key, now),
        flags=rows.flags_of(handoff),
        clock=of_handoff(handoff, now, holders_calendar(handoff, default)),
    )


def holder(handoff: Handoff) -> str:
    if handoff.state == State.QUEUED and handoff.queue is not None:
        return f"Queue {handoff.queue}"
    return str(handoff.assignee) if handoff.assignee is not None else "Nobody"


def why(handoff: Handoff, key: str, now: datetime) -> str:
    """What is wrong, in a few words; for one that needs nobody's help, its state."""
    if not key:
        return str(handoff.get_state_display())
    if key == "lost":
        return "The holder is no longer active" if handoff.assignee is not None else "It has no holder"
    if key == "hole" and handoff.assigned_at is not None:
        return f"Nothing done since {times.day(handoff.assigned_at, now)}"
    if key == "silent":
        viewed, active = handoff.viewed_at, handoff.last_activity_at
        if viewed is not None and (active is None or active < viewed):
            return f"Looked at {times.day(viewed, now)}, then nothing"
        since = max(at for at in (handoff.held_since, active, handoff.mql_at) if at)
        return f"No activity for {times.length(now - since)}"
    if key == "unowned" and handoff.held_since is not None:
        return f"Waits for {times.length(now - handoff.held_since)}"
    return "To contact" if handoff.state == State.ACCEPTED else "To answer"


def is_at_risk(clock: Clock | None) -> bool:
    return clock is not None and clock.state in ("soon", "late")


def totals(lines: Iterable[RepLine]) -> Mapping[str, int]:
    """The last line of the table."""
    found = {"answer": 0, "contact": 0, "follow": 0, "deferred": 0, "late": 0, "silent": 0, "load": 0}
    for line in lines:
        for name in found:
            found[name] += getattr(line, name)
    return found
