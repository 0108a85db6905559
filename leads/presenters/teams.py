"""Who needs help: a manager's rows, and each rep's load in figures.

Owns what is overdue, at risk, silent, a black hole or unowned, in words and in that order of weight. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from leads.choices import State
from leads.models import Handoff
from leads.presenters import rows, times
from leads.presenters.clocks import Clock, holders_calendar, of_handoff
from leads.presenters.flags import Flag
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
    (
        "hole",
        "Black holes",
        "a day without any act of sales",
        "Every lead was touched within a day of reaching sales.",
        True,
    ),
    ("silent", "Silent", "looked at, and then nothing", "Nobody sits on a lead in silence.", True),
    (
        "unseen",
        "Never looked at",
        "held for hours and not opened once",
        "No lead lies unopened for long.",
        True,
    ),
    (
        "late",
        "Overdue",
        "past their time and not silent yet, longest late first",
        "Nothing is past its deadline.",
        True,
    ),
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
    calendar = holders_calendar(handoff, default)
    return TeamRow(
        id=handoff.pk,
        revision=handoff.revision,
        name=rows.name_of(handoff),
        sub=rows.sub_of(handoff),
        holder=holder(handoff),
        why=why(handoff, key, now, calendar),
        flags=rows.flags_of(handoff),
        clock=of_handoff(handoff, now, calendar),
    )


def holder(handoff: Handoff) -> str:
    if handoff.state == State.QUEUED and handoff.queue is not None:
        return f"Queue {handoff.queue}"
    return str(handoff.assignee) if handoff.assignee is not None else "Nobody"


def why(handoff: Handoff, key: str, now: datetime, calendar: hours.Calendar | None) -> str:
    """What is wrong, in a few words; for one that needs nobody's help, its state."""
    if not key:
        return str(handoff.get_state_display())
    if key == "lost":
        return "The holder is no longer active" if handoff.assignee is not None else "It has no holder"
    if quiet := silence(handoff, now, calendar):
        return quiet
    if key == "hole" and handoff.assigned_at is not None:
        return f"Nothing done since {times.day(handoff.assigned_at, now)}"
    if key == "unowned" and handoff.held_since is not None:
        return f"Waits for {times.length(now - handoff.held_since)}"
    return "To contact" if handoff.state == State.ACCEPTED else "To answer"


def silence(handoff: Handoff, now: datetime, calendar: hours.Calendar | None) -> str:
    """What a holder who does nothing is doing, in words with the times; "" while they are not silent.

    Looked at by this window's holder and then nothing for the policy's time without activity is a silent
    rejection; flagged and never looked at is a black hole in the making, and after a day it is one.
    """
    if handoff.state not in (State.ASSIGNED, State.ACCEPTED):
        return ""
    viewed, active, held = handoff.viewed_at, handoff.last_activity_at, handoff.held_since
    if viewed is not None and (active is None or active < viewed):
        if hours.between(viewed, now, _quiet_hours(handoff, calendar)) >= _quiet_for(handoff):
            return f"Silent rejection: looked at {times.day(viewed, now)}, then nothing"
        return f"Looked at {times.day(viewed, now)}, nothing since" if _is_flagged(handoff) else ""
    if not _is_flagged(handoff) or held is None:
        return ""
    if viewed is None and (active is None or active < held):
        making = "Black hole" if handoff.black_hole_at is not None else "Black hole in the making"
        return f"{making}: never looked at since {times.day(held, now)}"
    since = max(at for at in (held, active) if at)
    return f"No activity for {times.length(now - since)}"


def _is_flagged(handoff: Handoff) -> bool:
    return handoff.no_activity_at is not None or handoff.black_hole_at is not None


def _quiet_for(handoff: Handoff) -> timedelta:
    policy = handoff.policy
    return timedelta(minutes=policy.no_activity_minutes if policy is not None else 240)


def _quiet_hours(handoff: Handoff, calendar: hours.Calendar | None) -> hours.Calendar | None:
    policy = handoff.policy
    return calendar if policy is None or policy.no_activity_business else None


def is_at_risk(handoff: Handoff, now: datetime, default: hours.Calendar | None) -> bool:
    """Whether its clock says so (loaded as for a row)."""
    clock = of_handoff(handoff, now, holders_calendar(handoff, default))
    return clock is not None and clock.state in ("soon", "late")


def totals(lines: Iterable[RepLine]) -> Mapping[str, int]:
    """The last line of the table."""
    found = {"answer": 0, "contact": 0, "follow": 0, "deferred": 0, "late": 0, "silent": 0, "load": 0}
    for line in lines:
        for name in found:
            found[name] += getattr(line, name)
    return found
