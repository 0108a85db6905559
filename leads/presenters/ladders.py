"""A policy read aloud: its targets, each step of its ladder as a sentence, and what two versions differ in.

Owns the words. Pure: names of people and queues come in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from leads.presenters import times
from leads.presenters.reading import Piece, value
from routing import sla

# The name of what a step points at: ("rep", id) or ("queue", id).
Name = Callable[[str, str], str]

ROLES = {
    "rep": "the rep",
    "manager": "their manager",
    "queue_owner": "the queue\u2019s owner",
    "marketing": "marketing ops",
}
ACTS = {
    "flag": "the lead is flagged as lying still",
    "mark": "the lead is marked as a black hole",
    "raise": "the lead is put before others",
    "reassign": "the lead goes to the next person who can take it, else to the overflow queue",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that two versions say differently; "" where one does not say it."""

    label: str
    before: str
    after: str


def length(span: sla.Target) -> str:
    """A target in words: "2 h of working time", "5 min around the clock"."""
    if not span.business:
        return f"{times.minutes(span.minutes)} around the clock"
    # A day of working time is no day: it is counted in hours.
    hours, minutes = divmod(span.minutes, 60)
    words = f"{hours} h {minutes:02}" if hours and minutes else f"{hours} h" if hours else f"{minutes} min"
    return f"{words} of working time"


def targets(policy: sla.Policy) -> list[tuple[str, str]]:
    """Each target with its label."""
    return [(label, length(sla.target(policy, name))) for name, label in sla.TARGETS.items()]


def says(step: sla.Step, name: Name) -> list[Piece]:
    """A step as a sentence with its values marked."""
    return [*_when(step), Piece(", "), *_what(step, name), *_told(step, name), Piece(".")]


def sentence(step: sla.Step, name: Name) -> str:
    return "".join(piece.text for piece in says(step, name))


def _when(step: sla.Step) -> list[Piece]:
    called = sla.CLOCKS[step.clock]
    if step.after is not None:
        return [value(length(step.after)), Piece(f" after {called} is over")]
    if step.share == 100:
        return [Piece("When "), value(called), Piece(" is over")]
    return [Piece("At "), value(f"{step.share} %"), Piece(f" of {called}")]


def _what(step: sla.Step, name: Name) -> list[Piece]:
    if step.what == "queue":
        return [Piece("the lead moves to "), value(name("queue", str(step.queue)))]
    return [Piece(ACTS[step.what])] if step.what in ACTS else []


def _told(step: sla.Step, name: Name) -> list[Piece]:
    people = [who(one, name) for one in step.who]
    if not people:
        return [] if step.what != "tell" else [value("nobody"), Piece(" is told")]
    found = [] if step.what == "tell" else [Piece(", and ")]
    for number, one in enumerate(people):
        if number:
            found.append(Piece(" and " if number == len(people) - 1 else ", "))
        found.append(value(one))
    return [*found, Piece(" is told" if len(people) == 1 else " are told")]


def who(one: str, name: Name) -> str:
    """A role or a person in words."""
    pk = sla.person_id(one)
    return ROLES.get(one, one) if pk is None else name("rep", str(pk))


def compared(before: sla.Policy, after: sla.Policy, called: tuple[str, str], name: Name) -> list[Change]:
    """All that two versions say differently. `called` are their names."""
    found = [Change("Name", *called)] if called[0] != called[1] else []
    old, new = dict(targets(before)), dict(targets(after))
    found += [Change(label, old[label], words) for label, words in new.items() if old[label] != words]
    return found + _steps(before.steps, after.steps, name)


def _steps(before: Sequence[sla.Step], after: Sequence[sla.Step], name: Name) -> list[Change]:
    old, new = _by_code(before), _by_code(after)
    found = []
    for code, step in new.items():
        if code not in old:
            found.append(Change("Step", "", sentence(step, name)))
        elif old[code] != step:
            found.append(Change("Step", sentence(old[code], name), sentence(step, name)))
    found += [Change("Step", sentence(step, name), "") for code, step in old.items() if code not in new]
    kept = [code for code in new if code in old]
    if kept != [code for code in old if code in new]:
        found.append(Change("Order of the steps", "", "changed"))
    return found


def _by_code(steps: Iterable[sla.Step]) -> dict[str, sla.Step]:
    return {step.code: step for step in steps}
