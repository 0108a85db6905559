"""What two ruleset documents differ in, as data with words that a page or a message can show.

Owns the comparison: rules added, removed, changed part by part and moved, territories, named lists and
settings. Pure: names of people, pools and queues come in. It knows neither the draft nor a version.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from routing.conditions import sentence

Name = Callable[[str, str], str]
Kind = Literal["added", "removed", "changed", "moved"]

MOST_SHOWN = 20

ACCOUNT_FIRST = {
    "owned": "every company that has an owner",
    "customers": "customers only",
    "never": "no company, the rules alone decide",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that reads otherwise: what, and how it read before and reads now ("" for not there)."""

    name: str
    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class RuleChange:
    """One rule that differs. `id` is the rule's id as in documents; `before` and `after` are its numbers in
    order, from 1, None where it is not there. A changed rule may have moved as well (`moved`). For an added
    or removed rule `parts` holds all it says."""

    id: str
    name: str
    kind: Kind
    parts: tuple[Part, ...]
    before: int | None
    after: int | None
    moved: bool = False


@dataclass(frozen=True, slots=True)
class TerritoryChange:
    slug: str
    name: str
    kind: Kind
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class ListChange:
    """A named list whose values differ: how many came and went, and the first of them."""

    slug: str
    kind: Kind
    added: int
    removed: int
    some_added: tuple[str, ...]
    some_removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Diff:
    """All that differs; falsy when nothing does."""

    rules: tuple[RuleChange, ...]
    territories: tuple[TerritoryChange, ...]
    lists: tuple[ListChange, ...]
    settings: tuple[Part, ...]

    def __bool__(self) -> bool:
        return bool(self.rules or self.territories or self.lists or self.settings)


def diff(before: Mapping[str, Any], after: Mapping[str, Any], name: Name | None = None) -> Diff:
    """What `after` says otherwise than `before`; rules in the order of `after`, removed ones at the end.

    `name(kind, id)` gives the name of a rep, pool or queue, as for `engine.explain`.
    """
    called = name or _called
    return Diff(
        rules=_rules(before, after, called),
        territories=_territories(before, after, called),
        lists=_lists(before, after),
        settings=_settings(before, after, called),
    )


def summary(found: Diff) -> str:
    """The differences on one line: "2 rules changed, 1 added; 1 list changed"."""
    said = []
    for changes, one, many in (
        (found.rules, "rule", "rules"),
        (found.territories, "territory", "territories"),
        (found.lists, "list", "lists"),
    ):
        counts = [(kind, sum(1 for change in changes if change.kind == kind)) for kind in _ORDER]
        told = [(kind, count) for kind, count in counts if count]
        if told:
            words = [f"{count} {kind}" for kind, count in told]
            kind, count = told[0]
            words[0] = f"{count} {one if count == 1 else many} {kind}"
            said.append(", ".join(words))
    if found.settings:
        said.append(" and ".join(part.label for part in found.settings) + " changed")
    return "; ".join(said) or "No difference"


_ORDER: tuple[Kind, ...] = ("changed", "added", "removed", "moved")


def _rules(before: Mapping[str, Any], after: Mapping[str, Any], called: Name) -> tuple[RuleChange, ...]:
    old = {str(rule["id"]): rule for rule in before.get("rules") or ()}
    new = {str(rule["id"]): rule for rule in after.get("rules") or ()}
    was = {pk: number for number, pk in enumerate(old, start=1)}
    names_old, names_new = _territory_names(before), _territory_names(after)
    stayed = _in_place([was[pk] for pk in new if pk in was])
    found = []
    for number, (pk, rule) in enumerate(new.items(), start=1):
        title = str(rule.get("name") or f"Rule {number}")
        read = _rule_parts(rule, names_new, called)
        if pk not in old:
            parts = tuple(Part(key, _LABELS[key], "", words) for key, words in read.items() if words)
            found.append(RuleChange(pk, title, "added", parts, None, number))
            continue
        parts = _changed(
            _rule_parts(old[pk], names_old, called), read, [key for key in read if _said(old[pk], rule, key)]
        )
        moved = was[pk] not in stayed
        if parts or moved:
            kind: Kind = "changed" if parts else "moved"
            found.append(RuleChange(pk, title, kind, parts, was[pk], number, moved))
    for pk, rule in old.items():
        if pk not in new:
            read = _rule_parts(rule, names_old, called)
            parts = tuple(Part(key, _LABELS[key], words, "") for key, words in read.items() if words)
            title = str(rule.get("name") or f"Rule {was[pk]}")
            found.append(RuleChange(pk, title, "removed", parts, was[pk], None))
    return tuple(found)


_LABELS = {
    "name": "Name",
    "when": "Conditions",
    "target": "Goes to",
    "fallback": "Else to",
    "policy": "SLA policy",
    "owner": "Owner",
}


def _said(old: Mapping[str, Any], new: Mapping[str, Any], key: str) -> bool:
    """Whether this part is another one; compared as data, since two values can read alike."""
    return bool((old.get(key) or None) != (new.get(key) or None))


def _rule_parts(rule: Mapping[str, Any], territories: Mapping[str, str], called: Name) -> dict[str, str]:
    return {
        "name": str(rule.get("name") or ""),
        "when": sentence(rule.get("when"), territories),
        "target": place_words(rule.get("target"), territories, called),
        "fallback": place_words(rule.get("fallback"), territories, called),
        "policy": str(rule.get("policy") or ""),
    }


def _changed(old: Mapping[str, str], new: Mapping[str, str], keys: Sequence[str]) -> tuple[Part, ...]:
    return tuple(Part(key, _LABELS[key], old[key], new[key]) for key in keys)


def place_words(place: Mapping[str, Any] | None, territories: Mapping[str, str], called: Name) -> str:
    """A target or fallback in words; "" for none."""
    if not place:
        return ""
    kind, who = str(place.get("kind") or ""), str(place.get("id") or "")
    if kind == "account_owner":
        return "the owner of the account"
    if kind == "territory_owner":
        return (
            f"the owner of {territories.get(who, who)}" if who else "the owner of the lead\u2019s territory"
        )
    return called(kind, who)


def _territories(
    before: Mapping[str, Any], after: Mapping[str, Any], called: Name
) -> tuple[TerritoryChange, ...]:
    old, new = before.get("territories") or {}, after.get("territories") or {}
    found = []
    for slug in sorted({*old, *new}):
        was, now = old.get(slug), new.get(slug)
        read_old, read_new = _territory_parts(was, called), _territory_parts(now, called)
        keys = [key for key in read_new if _said(was or {}, now or {}, key)]
        if keys:
            kind: Kind = "changed" if was and now else "added" if now else "removed"
            title = str((now or was or {}).get("name") or slug)
            found.append(TerritoryChange(slug, title, kind, _changed(read_old, read_new, keys)))
    return tuple(found)


def _territory_parts(row: Mapping[str, Any] | None, called: Name) -> dict[str, str]:
    if row is None:
        return {"name": "", "when": "", "owner": ""}
    owner = row.get("owner")
    return {
        "name": str(row.get("name") or ""),
        "when": sentence(row.get("when")),
        "owner": called("rep", str(owner)) if owner else "",
    }


def _lists(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[ListChange, ...]:
    old, new = before.get("lists") or {}, after.get("lists") or {}
    found = []
    for slug in sorted({*old, *new}):
        was, now = list(map(str, old.get(slug) or ())), list(map(str, new.get(slug) or ()))
        came, went = _without(now, set(was)), _without(was, set(now))
        kind: Kind = "changed" if slug in old and slug in new else "added" if slug in new else "removed"
        if kind == "changed" and not came and not went:
            continue
        found.append(
            ListChange(slug, kind, len(came), len(went), tuple(came[:MOST_SHOWN]), tuple(went[:MOST_SHOWN]))
        )
    return tuple(found)


def _without(values: list[str], others: set[str]) -> list[str]:
    return [value for value in dict.fromkeys(values) if value not in others]


def _settings(before: Mapping[str, Any], after: Mapping[str, Any], called: Name) -> tuple[Part, ...]:
    found = []
    was, now = before.get("account_first") or "owned", after.get("account_first") or "owned"
    if was != now:
        words = [ACCOUNT_FIRST.get(str(value), str(value)) for value in (was, now)]
        found.append(Part("account_first", "account owners first", *words))
    if _said(before, after, "overflow"):
        places = [place_words(document.get("overflow"), {}, called) for document in (before, after)]
        found.append(Part("overflow", "overflow", *places))
    return tuple(found)


def _in_place(numbers: list[int]) -> set[int]:
    """The largest set of rules that kept their order among each other: all others moved."""
    tails: list[int] = []
    chain: list[int] = []
    previous: dict[int, int | None] = {}
    for number in numbers:
        place = bisect_left(tails, number)
        previous[number] = chain[place - 1] if place else None
        tails[place : place + 1] = [number]
        chain[place : place + 1] = [number]
    kept: set[int] = set()
    last: int | None = tails[-1] if tails else None
    while last is not None:
        kept.add(last)
        last = previous[last]
    return kept


def _territory_names(document: Mapping[str, Any]) -> dict[str, str]:
    return {slug: str(row.get("name") or slug) for slug, row in (document.get("territories") or {}).items()}


def _called(kind: str, who: str) -> str:
    return f"user {who}" if kind == "rep" else f"the {kind} {who}"
