"""What another MQL definition would have done to the last months: who qualified, and what came of them.

Pure. Handoffs that are alike in what qualified them (trigger, score) share a row with their outcomes, so
that both definitions are asked of the same past. Of those that the other one would not have handed over the
outcome is known. Of those that it would have handed over besides nobody knows how they would have fared: they
are counted and never given a rate. It looks back and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from leads.choices import LeadType, TriggerKind
from leads.patterns import interval


class Definition(NamedTuple):
    """What makes an MQL: so many points, and the kinds of trigger that make a demo lead."""

    threshold: int
    high_intent: tuple[str, ...]

    def qualifies(self, trigger: str, score: int | None) -> bool:
        """Whether a handoff of this trigger and score at conversion would be one. Forms and flags are one at
        any score, and so is what came without a score: it was taken at its word."""
        return trigger != TriggerKind.SCORE_THRESHOLD or score is None or score >= self.threshold

    def lead_type(self, trigger: str) -> str:
        return str(LeadType.DEMO if trigger in self.high_intent else LeadType.STANDARD)


class Alike(NamedTuple):
    """Handoffs of one trigger and one score at conversion, and what came of them. `rejected` are those
    without an acceptance, `converted` those accepted with an opportunity."""

    trigger: str
    score: int | None
    mqls: int
    accepted: int
    rejected: int
    converted: int


class Point(NamedTuple):
    """One scoring of a lead: whether it is of the time that is looked at, and whether the lead was suppressed
    or left alone then, which holds a crossing back. None is no."""

    lead: int
    total: int
    is_inside: bool | None
    is_held_back: bool | None


@dataclass
class Tally:
    """Handoffs with their outcomes. Acceptance is accepted / (accepted + rejected); conversion is accepted
    with an opportunity / accepted."""

    mqls: int = 0
    accepted: int = 0
    rejected: int = 0
    converted: int = 0

    def add(self, alike: Alike) -> None:
        self.mqls += alike.mqls
        self.accepted += alike.accepted
        self.rejected += alike.rejected
        self.converted += alike.converted

    @property
    def acceptance(self) -> Rate:
        return Rate(self.accepted, self.accepted + self.rejected)

    @property
    def conversion(self) -> Rate:
        return Rate(self.converted, self.accepted)


class Rate(NamedTuple):
    """A share, and Wilson's interval of the true one at 95 % (`leads.patterns.interval`)."""

    numerator: int
    denominator: int

    @property
    def value(self) -> float | None:
        return self.numerator / self.denominator if self.denominator else None

    @property
    def between(self) -> tuple[float, float]:
        return interval(self.numerator, self.denominator)


@dataclass
class Outcome:
    """What a definition makes of the past: in all and by the lead type that it gives."""

    total: Tally = field(default_factory=Tally)
    demo: Tally = field(default_factory=Tally)
    standard: Tally = field(default_factory=Tally)


@dataclass
class Comparison:
    """Two definitions on one past. `lost` qualified by the old one alone, `gained` by the new one alone, both
    with their outcomes; `retyped` qualify by both, as another lead type."""

    old: Outcome = field(default_factory=Outcome)
    new: Outcome = field(default_factory=Outcome)
    lost: Tally = field(default_factory=Tally)
    gained: Tally = field(default_factory=Tally)
    retyped: Tally = field(default_factory=Tally)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, kept: dict[str, Any]) -> Comparison:
        """What `to_json` gave."""
        old, new = (
            Outcome(**{part: Tally(**values) for part, values in kept[name].items()})
            for name in ("old", "new")
        )
        lost, gained, retyped = (Tally(**kept[name]) for name in ("lost", "gained", "retyped"))
        return cls(old, new, lost, gained, retyped)


def compare(alikes: Iterable[Alike], old: Definition, new: Definition) -> Comparison:
    """Both definitions held against the same handoffs; one pass."""
    found = Comparison()
    for alike in alikes:
        qualified = [d.qualifies(alike.trigger, alike.score) for d in (old, new)]
        for is_one, definition, outcome in zip(qualified, (old, new), (found.old, found.new), strict=True):
            if is_one:
                outcome.total.add(alike)
                getattr(outcome, definition.lead_type(alike.trigger)).add(alike)
        match qualified:
            case [True, False]:
                found.lost.add(alike)
            case [False, True]:
                found.gained.add(alike)
            case [True, True] if old.lead_type(alike.trigger) != new.lead_type(alike.trigger):
                found.retyped.add(alike)
    return found


def newcomers(points: Iterable[Point], old: int, new: int) -> Iterator[int]:
    """The leads whose score crossed the new, lower threshold in the time that is looked at and never the old
    one.

    `points` are all scores of leads that sales did not have in that time, by lead and then in order of time.
    A crossing is a score at or above the threshold after one below it, or after none; what holds crossings
    back held this one back too.
    """
    for lead, own in groupby(points, key=itemgetter(0)):
        before: int | None = None
        crossed_new = crossed_old = False
        for _, total, is_inside, is_held_back in own:
            if is_inside:
                crossed_old |= _crosses(before, total, old)
                crossed_new |= _crosses(before, total, new) and not is_held_back
            before = total
        if crossed_new and not crossed_old:
            yield lead


def _crosses(before: int | None, total: int, threshold: int) -> bool:
    return total >= threshold and (before is None or before < threshold)
