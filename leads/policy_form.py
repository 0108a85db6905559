"""The policy editor: targets and the rungs of a ladder as rows of a form, and what was typed as values.

Owns the names of the form's fields, the commands of its buttons (add, remove, up, down), the codes of the
steps and the words for what is wrong with a row. Whether a policy is sound as a whole is `routing.sla`. Pure:
no database, no request; what was typed is kept as it was typed, right or wrong.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from routing import sla

UNITS = (("minutes", "minutes"), ("hours", "hours"), ("days", "days"))
IN_MINUTES = {"minutes": 1, "hours": 60, "days": 24 * 60}
BASES = (("business", "of working time"), ("elapsed", "around the clock"))
MEASURES = (
    ("share", "percent of"),
    ("minutes", "minutes after the end of"),
    ("hours", "hours after the end of"),
    ("days", "days after the end of"),
)
WHO = (
    ("rep", "The rep"),
    ("manager", "Their manager"),
    ("queue_owner", "The queue\u2019s owner"),
    ("marketing", "Marketing ops"),
)
WHAT = (
    ("tell", "Only tell them"),
    ("flag", "Flag it as lying still"),
    ("mark", "Mark it as a black hole"),
    ("raise", "Put it before others"),
    ("reassign", "Give it to the next person"),
    ("queue", "Move it to the queue"),
)
# Rows beyond what a ladder may hold are read, so that the refusal can show them; not without end.
MOST_ROWS = 60
MOST_PEOPLE = 10
NO_DAYS = "Working time is counted in minutes or hours: a day of it would be three days of work."

_NUMBER = re.compile(r"[0-9]{1,6}")
_COMMAND = re.compile(r"(add)|(?:(remove|up|down)\.([0-9]{1,2}))")


class Sent(Protocol):
    """What a browser sent: Django's QueryDict, or anything that answers as it does."""

    def getlist(self, key: str) -> list[str]: ...
    def __contains__(self, key: object) -> bool: ...


@dataclass
class Span:
    """A target as it is typed."""

    name: str
    label: str
    number: str = ""
    unit: str = "hours"
    base: str = "business"
    error: str = ""

    def target(self) -> sla.Target | None:
        """The target; None with `error` set when it is none."""
        minutes = _minutes(self.number, self.unit, self.base)
        if isinstance(minutes, str):
            self.error = minutes
            return None
        return sla.Target(minutes, self.base == "business")


@dataclass
class Rung:
    """A step as it is typed."""

    code: str = ""
    number: str = "100"
    measure: str = "share"
    base: str = "business"
    clock: str = "acceptance"
    who: list[str] = field(default_factory=lambda: ["manager"])
    people: list[str] = field(default_factory=list)
    what: str = "tell"
    queue: str = ""
    errors: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, step: sla.Step) -> Rung:
        number, measure, base = str(step.share), "share", "business"
        if step.after is not None:
            number, measure = _units(step.after)
            base = "business" if step.after.business else "elapsed"
        return cls(
            code=step.code,
            number=number,
            measure=measure,
            base=base,
            clock=step.clock,
            who=[who for who in step.who if who in sla.WHO],
            people=[str(pk) for who in step.who if (pk := sla.person_id(who)) is not None],
            what=step.what,
            queue=str(step.queue or ""),
        )

    def step(self, people: Collection[str], queues: Collection[str]) -> sla.Step | None:
        """The step, under a code of its own moment; None with `errors` set when it is none."""
        self.errors = []
        share, after = None, None
        if self.measure == "share":
            share = int(self.number) if _NUMBER.fullmatch(self.number) else 0
            if not 1 <= share <= 100:
                self.errors.append("Write a percentage from 1 to 100.")
        else:
            minutes = _minutes(self.number, self.measure, self.base)
            if isinstance(minutes, str):
                self.errors.append(minutes)
            else:
                after = sla.Target(minutes, self.base == "business")
        if not set(self.people) <= set(people):
            self.errors.append("Choose people who are active, or nobody.")
        if self.what == "queue" and self.queue not in queues:
            self.errors.append("Choose the queue it moves to.")
        if self.errors:
            return None
        who = [*self.who, *(f"person:{int(pk)}" for pk in self.people)]
        queue = int(self.queue) if self.what == "queue" else None
        return sla.Step(self._code(share, after), self.clock, share, after, tuple(who), self.what, queue)

    @staticmethod
    def _code(share: int | None, after: sla.Target | None) -> str:
        return f"at_{share}" if after is None else f"after_{after.minutes}"

    @property
    def needs_base(self) -> bool:
        return self.measure != "share"


@dataclass
class Editor:
    """All that the editor holds. `focus` is the id of what the page puts the cursor on after a command."""

    spans: list[Span]
    rungs: list[Rung]
    focus: str = ""

    @classmethod
    def of(cls, policy: sla.Policy) -> Editor:
        spans = []
        for name, label in sla.TARGETS.items():
            target = sla.target(policy, name)
            number, unit = _units(target)
            spans.append(Span(name, label, number, unit, "business" if target.business else "elapsed"))
        return cls(spans, [Rung.of(step) for step in policy.steps])

    @classmethod
    def sent(cls, data: Sent) -> Editor:
        """What came from the form; of choices only those that are offered."""
        spans = [
            Span(
                name,
                label,
                _last(data, f"t.{name}.number", 20),
                _one(data, f"t.{name}.unit", UNITS),
                _one(data, f"t.{name}.base", BASES),
            )
            for name, label in sla.TARGETS.items()
        ]
        rungs = []
        for number in range(MOST_ROWS):
            if f"l.{number}.number" not in data:
                break
            rungs.append(_rung(data, f"l.{number}"))
        return cls(spans, rungs)

    def act(self, command: str) -> None:
        """What one of the buttons does: "add", "remove.3", "up.3", "down.3"."""
        found = _COMMAND.fullmatch(command)
        if found is None:
            return
        if found.group(1):
            if len(self.rungs) < MOST_ROWS:
                self.rungs.append(Rung())
            self.focus = f"l-{len(self.rungs) - 1}-number"
            return
        verb, at = found.group(2), int(found.group(3))
        if at >= len(self.rungs):
            return
        if verb == "remove":
            del self.rungs[at]
            self.focus = f"l-{min(at, len(self.rungs) - 1)}-remove" if self.rungs else "l-add"
            return
        to = at - 1 if verb == "up" else at + 1
        if 0 <= to < len(self.rungs):
            self.rungs.insert(to, self.rungs.pop(at))
            self.focus = f"l-{to}-{verb}"

    def targets(self) -> dict[str, sla.Target] | None:
        """The targets by name; None when one of them is none."""
        found = {span.name: span.target() for span in self.spans}
        sound = {name: target for name, target in found.items() if target is not None}
        return sound if len(sound) == len(found) else None

    def steps(
        self, stored: Sequence[sla.Step], people: Collection[str], queues: Collection[str]
    ) -> list[sla.Step] | None:
        """The ladder; None when a row is no step.

        A step that stands at the same moment of the same clock as a stored one keeps its code, which is how
        histories name it; one that was moved in time is another step.
        """
        made = [rung.step(people, queues) for rung in self.rungs]
        sound = [step for step in made if step is not None]
        if len(sound) != len(made):
            return None
        by_code = {step.code: step for step in stored}
        kept: dict[int, str] = {}
        for number, (rung, step) in enumerate(zip(self.rungs, sound, strict=True)):
            known = by_code.get(rung.code)
            if known is not None and _moment(known) == _moment(step) and rung.code not in kept.values():
                kept[number] = rung.code
        taken = {*kept.values(), *by_code}
        for number, step in enumerate(sound):
            if number not in kept:
                kept[number] = _free(f"{step.clock}_{step.code}", taken)
                taken.add(kept[number])
        return [_named(step, kept[number]) for number, step in enumerate(sound)]

    @property
    def has_errors(self) -> bool:
        return any(span.error for span in self.spans) or any(rung.errors for rung in self.rungs)


def _minutes(number: str, unit: str, base: str) -> int | str:
    """How many minutes these are; or what is wrong, as a sentence."""
    if not _NUMBER.fullmatch(number) or int(number) < 1:
        return "Write a whole number from 1."
    if unit == "days" and base == "business":
        return NO_DAYS
    minutes = int(number) * IN_MINUTES[unit]
    return minutes if minutes <= sla.MOST_MINUTES else "At most 366 days."


def _units(target: sla.Target) -> tuple[str, str]:
    """Number and unit of a target, in the largest unit that fits."""
    units: Iterable[str] = ("hours",) if target.business else ("days", "hours")
    for unit in units:
        if target.minutes and target.minutes % IN_MINUTES[unit] == 0:
            return str(target.minutes // IN_MINUTES[unit]), unit
    return str(target.minutes), "minutes"


def _rung(data: Sent, name: str) -> Rung:
    return Rung(
        code=_last(data, f"{name}.code", 30),
        number=_last(data, f"{name}.number", 20),
        measure=_one(data, f"{name}.measure", MEASURES),
        base=_one(data, f"{name}.base", BASES),
        clock=_one(data, f"{name}.clock", sla.CLOCKS.items()),
        who=[who for who, _ in WHO if who in data.getlist(f"{name}.who")],
        people=list(dict.fromkeys(pk[:20] for pk in data.getlist(f"{name}.person") if pk))[:MOST_PEOPLE],
        what=_one(data, f"{name}.what", WHAT),
        queue=_last(data, f"{name}.queue", 20),
    )


def _last(data: Sent, key: str, most: int) -> str:
    return "".join(data.getlist(key)[-1:]).strip()[:most]


def _one(data: Sent, key: str, offered: Iterable[tuple[str, str]]) -> str:
    """The one that was chosen; the first of those offered for anything else."""
    known = [choice for choice, _ in offered]
    chosen = _last(data, key, 20)
    return chosen if chosen in known else known[0]


def _moment(step: sla.Step) -> tuple[str, int | None, sla.Target | None]:
    return step.clock, step.share, step.after


def _named(step: sla.Step, code: str) -> sla.Step:
    return sla.Step(code, step.clock, step.share, step.after, step.who, step.what, step.queue)


def _free(base: str, taken: Collection[str]) -> str:
    number, code = 2, base[:30]
    while code in taken:
        code, number = f"{base[:26]}_{number}", number + 1
    return code
