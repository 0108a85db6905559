"""Rule health: what about a ruleset deserves a look, rule by rule, and what no rule was meant for.

Owns the findings and their words. Pure: people, pools, counts and dates come in as plain values
(`routing.standing` reads them). "Unreachable" is only said where it is proved. It changes nothing and
keeps nothing from being published; what does is `publish.check`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from routing.conditions.operators import text
from routing.facts import Facts
from routing.implication import Meaning, Reader, implies

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
    """The findings of each rule by its id, the grave ones first; [] for a rule in good health.

    `counts` are those of the last 90 days; a rule that is not in them routed nothing.
    """
    blocked = unreachable(document)
    found = {}
    for rule in document.get("rules") or ():
        pk = str(rule["id"])
        state, count = world.rules.get(pk, RuleState()), counts.get(pk, Count())
        findings = [*_of_places(rule, document, world), *_of_review(state, today)]
        if pk in blocked:
            findings.append(Finding("unreachable", blocked[pk], is_grave=True))
        if rule.get("policy") and rule["policy"] not in world.policies:
            words = f"Its SLA policy \u201c{rule['policy']}\u201d is not in force; the default is used."
            findings.append(Finding("policy", words))
        findings += _of_count(rule, state, count, today)
        found[pk] = sorted(findings, key=lambda finding: not finding.is_grave)
    return found


def unreachable(document: Mapping[str, Any]) -> dict[str, str]:
    """The rules that no lead can reach, by id, each with the reason: its conditions exclude each other, or an
    earlier rule takes every lead that it would take. Only what is proved."""
    reader = Reader(document.get("territories") or {}, document.get("lists") or {})
    earlier: list[tuple[int, Mapping[str, Any], Meaning]] = []
    found: dict[str, str] = {}
    for number, rule in enumerate(document.get("rules") or (), start=1):
        meaning = reader.meaning(rule.get("when"))
        if meaning.is_impossible:
            found[str(rule["id"])] = "No lead can meet its conditions: they exclude each other."
            continue
        winner = next((entry for entry in earlier if implies(meaning, entry[2])), None)
        if winner is None:
            earlier.append((number, rule, meaning))
            continue
        place, other, wider = winner
        takes = "every lead" if wider.is_everything else "every lead that this one would take"
        found[str(rule["id"])] = (
            f"It is never reached: rule {place} \u201c{other.get('name')}\u201d takes {takes}."
        )
    return found


def _of_places(rule: Mapping[str, Any], document: Mapping[str, Any], world: World) -> list[Finding]:
    """What is wrong with where it sends its leads."""
    target = rule.get("target") or {}
    found = _of_place(target, "", document, world)
    if rule.get("fallback"):
        found += _of_place(rule["fallback"], "fallback, ", document, world)
    return found


def _of_place(
    place: Mapping[str, Any], role: str, document: Mapping[str, Any], world: World
) -> list[Finding]:
    kind, who = str(place.get("kind") or ""), str(place.get("id") or "")
    start, is_grave = f"Its {role}" if role else "Its target, ", not role
    if kind == "territory_owner" and who:
        territory = (document.get("territories") or {}).get(who) or {}
        owner = territory.get("owner")
        start += f"the owner of {territory.get('name') or who}, "
        if not owner:
            return [Finding("inactive", f"{start}is nobody.", is_grave)]
        kind, who = "rep", str(owner)
    if kind == "rep":
        return _of_person(world.people.get(who), start, is_grave)
    if kind == "pool":
        return _of_pool(world.pools.get(who), world, start, is_grave)
    return []


def _of_person(person: Person | None, start: str, is_grave: bool) -> list[Finding]:
    if person is None:
        return [Finding("inactive", f"{start}a person, is gone.", is_grave)]
    if not person.active:
        return [Finding("inactive", f"{start}{person.name}, is no longer active.", is_grave)]
    if person.away_until is not None:
        return [Finding("away", f"{start}{person.name}, is away until {day_words(person.away_until)}.")]
    return []


def _of_pool(pool: PoolState | None, world: World, start: str, is_grave: bool) -> list[Finding]:
    if pool is None:
        return [Finding("empty", f"{start}a pool, is gone.", is_grave)]
    start += f"the pool {pool.name}, "
    if not pool.members:
        return [Finding("empty", f"{start}has nobody in rotation.", is_grave)]
    active = [world.people[who] for who in pool.members if who in world.people and world.people[who].active]
    if not active:
        return [Finding("empty", f"{start}has no active member.", is_grave)]
    back = [person.away_until for person in active if person.away_until is not None]
    if len(back) == len(active):
        return [Finding("away", f"{start}has all its members away until {day_words(min(back))}.", is_grave)]
    return []


def _of_review(state: RuleState, today: date) -> list[Finding]:
    found = []
    if state.owner is None:
        found.append(Finding("no_owner", "Nobody owns it: its reviews go to marketing ops."))
    if state.due_on is not None and state.due_on < today:
        late = (today - state.due_on).days
        found.append(Finding("overdue", f"Its review is {late} day{'' if late == 1 else 's'} overdue."))
    if state.last_reviewed is None:
        found.append(Finding("never_reviewed", "It was never reviewed."))
    return found


def _of_count(rule: Mapping[str, Any], state: RuleState, count: Count, today: date) -> list[Finding]:
    # That the last resort never had to be used is good news.
    is_young = state.since is not None and (today - state.since).days < UNUSED_DAYS
    if not count.routed:
        if is_young or rule.get("when") == {"all": []}:
            return []
        return [Finding("unused", f"It routed no lead in the last {UNUSED_DAYS} days.")]
    wrong = count.out_of_territory
    if wrong < FEWEST_REJECTED or wrong * 100 < count.routed * SHARE_REJECTED:
        return []
    words = f"{wrong:,} of its {count.routed:,} leads were rejected as out of territory."
    return [Finding("out_of_territory", words, is_grave=True)]


def day_words(day: date) -> str:
    """A day as it stands in a sentence: "12 March 2026"."""
    return f"{day.day} {day:%B %Y}"


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
    lead that a rule placed. Values are counted as they are written, but without regard to case."""
    totals: Counter[str] = Counter()
    tables: dict[str, dict[str, Counter[str]]] = {name: {} for name in SEGMENTS}
    written: dict[tuple[str, str], str] = {}
    for facts, outcome in cases:
        totals["routed"] += 1
        if outcome not in ("overflow", "nothing"):
            continue
        totals[outcome] += 1
        for name in SEGMENTS:
            raw = str(getattr(facts, name) or "").strip()
            key = text(raw)
            written.setdefault((name, key), raw)
            tables[name].setdefault(key, Counter())[outcome] += 1
    segments = {}
    for name, table in tables.items():
        rows = [
            Segment(written[name, key], count["overflow"], count["nothing"]) for key, count in table.items()
        ]
        segments[name] = tuple(sorted(rows, key=lambda row: (-row.total, row.value))[:top])
    return Coverage(totals["routed"], totals["overflow"], totals["nothing"], segments)
