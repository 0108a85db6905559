"""Territories that hold the same leads: what their conditions alone say, and what past leads show.

Owns the pairs and their words. Pure: the document and the facts of past leads come in. An overlap is no
fault, since the first rule that matches decides; it is shown because two owners may each think a lead theirs.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

from routing.conditions import Compiler, View, reading
from routing.facts import Facts
from routing.implication import Reader, disjoint, implies

# What stands in conditions alone. "unknown" is neither proved apart nor proved one within the other.
Relation = Literal["same", "first_within_second", "second_within_first", "unknown"]


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two territories by slug, how they stand to each other by their conditions, how many of the given leads
    both hold, and one of these (what stood beside its facts)."""

    first: str
    second: str
    relation: Relation
    count: int
    example: Hashable | None

    def words(self, names: Mapping[str, str]) -> str:
        """One sentence; `names` maps slugs to names."""
        one, two = names.get(self.first, self.first), names.get(self.second, self.second)
        shared = f"{self.count:,} lead{'' if self.count == 1 else 's'} of both"
        said = {
            "same": f"{one} and {two} hold the same leads",
            "first_within_second": f"{one} lies within {two}",
            "second_within_first": f"{two} lies within {one}",
            "unknown": f"{one} and {two} overlap",
        }[self.relation]
        return f"{said}; {shared} so far." if self.count else f"{said}."


def overlaps(document: Mapping[str, Any], cases: Iterable[tuple[Hashable, Facts]] = ()) -> list[Overlap]:
    """The pairs of territories that share leads, the most shared first.

    A pair is named when one is proved to lie within the other, or when one of `cases` (a reference and the
    facts of a past lead) is in both; pairs that are proved apart are not asked.
    """
    territories = document.get("territories") or {}
    lists = document.get("lists") or {}
    reader = Reader({}, lists)
    meanings = {slug: reader.meaning(territories[slug].get("when")) for slug in sorted(territories)}
    relations: dict[tuple[str, str], Relation] = {}
    for one, two in combinations(meanings, 2):
        first, second = meanings[one], meanings[two]
        if not disjoint(first, second):
            relations[one, two] = _relation(implies(first, second), implies(second, first))
    counts, examples = _shared({slug for pair in relations for slug in pair}, territories, lists, cases)
    found = [
        Overlap(*pair, relation, counts.get(pair, 0), examples.get(pair))
        for pair, relation in relations.items()
        if relation != "unknown" or pair in counts
    ]
    return sorted(found, key=lambda overlap: (-overlap.count, overlap.first, overlap.second))


def _relation(first_within: bool, second_within: bool) -> Relation:
    if first_within and second_within:
        return "same"
    return "first_within_second" if first_within else "second_within_first" if second_within else "unknown"


def _shared(
    slugs: set[str],
    territories: Mapping[str, Mapping[str, Any]],
    lists: Mapping[str, Any],
    cases: Iterable[tuple[Hashable, Facts]],
) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], Hashable]]:
    """How many leads each pair holds together, and the first of them."""
    compiler = Compiler(lists)
    conditions = {
        slug: compiler.condition(territories[slug].get("when"), of_territory=True) for slug in sorted(slugs)
    }
    read = reading(compiler.fields)
    counts: dict[tuple[str, str], int] = {}
    examples: dict[tuple[str, str], Hashable] = {}
    for reference, facts in cases if len(slugs) > 1 else ():
        view = View(facts, read(facts))
        held = [slug for slug, condition in conditions.items() if condition.failing(view) is None]
        for pair in combinations(held, 2):
            counts[pair] = counts.get(pair, 0) + 1
            examples.setdefault(pair, reference)
    return counts, examples
