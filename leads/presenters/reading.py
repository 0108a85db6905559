"""A rule read aloud in pieces: the grammar, and the values that a page marks.

Owns the cutting of a sentence into pieces and the comparing of two: what was added, what was struck. The
words are `routing.conditions`. Pure: names come in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from routing.conditions import sentence
from routing.conditions.operators import as_list
from routing.conditions.sentences import leaf_sentence

# Private characters that no stored name may bring along: they are taken out before.
_OPEN, _CLOSE, _NEW, _GONE = "\ue000", "\ue001", "\ue002", "\ue003"
_MARKS = re.compile(f"[{_OPEN}{_CLOSE}{_NEW}{_GONE}]")
_PIECE = re.compile(f"{_OPEN}([{_NEW}{_GONE}]?)([^{_OPEN}{_CLOSE}]*){_CLOSE}")
_KIND = {"": "value", _NEW: "added", _GONE: "removed"}


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a sentence. `kind` is "" for grammar, else "value", "added" or "removed"."""

    text: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Called:
    """Names of what conditions refer to: territories and lists by slug, people by id."""

    territories: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, str] = field(default_factory=dict)
    people: Mapping[str, str] = field(default_factory=dict)


def aloud(document: Any, called: Called) -> list[Piece]:
    """The document as a sentence with its values marked."""
    return pieces(sentence(_named(document, called), called.territories, _mark))


def compared(before: Any, after: Any, called: Called) -> list[Piece]:
    """The sentence of `after` with what it has and `before` had not added, and the other way round struck.

    Documents of one shape are compared condition by condition; others stand beside each other whole.
    """
    old, new = _named(before, called), _named(after, called)
    if old == new:
        return aloud(after, called)
    if not (_is_flat(old) and _is_flat(new) and old.keys() == new.keys()):
        gone = Piece(_bare(sentence(old, called.territories)), "removed")
        return [gone, Piece(" "), Piece(_bare(sentence(new, called.territories)), "added")]
    kind = next(iter(new))
    clauses = _clauses(old[kind], new[kind], called, kind == "none")
    return pieces((" or " if kind == "any" else " and ").join(clauses)) if clauses else [Piece("every lead")]


def pieces(marked: str) -> list[Piece]:
    """A text with marks, cut at them."""
    found, at = [], 0
    for match in _PIECE.finditer(marked):
        if match.start() > at:
            found.append(Piece(marked[at : match.start()]))
        found.append(Piece(match.group(2), _KIND[match.group(1)]))
        at = match.end()
    return [*found, Piece(marked[at:])] if at < len(marked) else found


def value(text: str, kind: str = "value") -> Piece:
    """A name as a piece of its own."""
    return Piece(_bare(text), kind)


def _mark(shown: str) -> str:
    return f"{_OPEN}{_bare(shown)}{_CLOSE}"


def _marker(new: set[str], gone: set[str]) -> Callable[[str], str]:
    def mark(shown: str) -> str:
        sign = _NEW if shown in new else _GONE if shown in gone else ""
        return f"{_OPEN}{sign}{_bare(shown)}{_CLOSE}"

    return mark


def _bare(text: str) -> str:
    return _MARKS.sub("", text)


def _is_flat(document: Any) -> bool:
    parts = next(iter(document.values())) if isinstance(document, Mapping) and len(document) == 1 else None
    return isinstance(parts, list) and all(isinstance(part, Mapping) and "op" in part for part in parts)


def _clauses(old: list[Any], new: list[Any], called: Called, negated: bool) -> list[str]:
    """The conditions in order of the new document, those that are gone at the end."""
    left = list(old)
    found = []
    for leaf in new:
        same = leaf if leaf in left else next((other for other in left if _alike(other, leaf)), None)
        if same is None:
            found.append(_whole(leaf, called, negated, _NEW))
            continue
        left.remove(same)
        found.append(_both(same, leaf, called, negated))
    return found + [_whole(leaf, called, negated, _GONE) for leaf in left]


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return (one.get("field"), one.get("op")) == (other.get("field"), other.get("op"))


def _whole(leaf: Mapping[str, Any], called: Called, negated: bool, sign: str) -> str:
    return f"{_OPEN}{sign}{_bare(leaf_sentence(leaf, called.territories, negated))}{_CLOSE}"


def _both(old: Mapping[str, Any], new: Mapping[str, Any], called: Called, negated: bool) -> str:
    """One condition whose values changed: what is new and what is gone first, so that no cut hides it."""
    had, has = _shown(old, called), _shown(new, called)
    added = [item for item, words in has.items() if words not in had.values()]
    struck = [item for item, words in had.items() if words not in has.values()]
    if isinstance(new.get("value"), Mapping) or not isinstance(new.get("value"), list) or not had:
        if old == new:
            return leaf_sentence(new, called.territories, negated, _mark)
        words = leaf_sentence(old, called.territories, negated, _marker(set(), set(had.values())))
        return f"{words}, now {_only(new, called)}" if had else _whole(new, called, negated, _NEW)
    kept = [item for item, words in has.items() if words in had.values()]
    merged = dict(new) | {"value": [*added, *struck, *kept]}
    mark = _marker({has[item] for item in added}, {had[item] for item in struck})
    return leaf_sentence(merged, called.territories, negated, mark)


def _only(leaf: Mapping[str, Any], called: Called) -> str:
    """The new value of a condition by itself."""
    shown = " ".join(words for words in _shown(leaf, called).values())
    return f"{_OPEN}{_NEW}{_bare(shown)}{_CLOSE}"


def _shown(leaf: Mapping[str, Any], called: Called) -> dict[Any, str]:
    """Each value of a condition as its sentence shows it."""
    found: dict[Any, str] = {}

    def remember(words: str) -> str:
        caught.append(words)
        return words

    given = leaf.get("value")
    if given is None:
        return found
    for item in as_list(given):
        caught: list[str] = []
        whole = given if isinstance(given, Mapping) else [item] if isinstance(given, list) else item
        leaf_sentence(dict(leaf) | {"value": whole}, called.territories, False, remember)
        key = item if isinstance(item, str | int | float | bool) else "range"
        found[key] = caught[0] if caught else str(item)
    return found


def _named(document: Any, called: Called) -> Any:
    """A copy for reading in which lists and people stand with their names instead of slugs and ids."""
    if isinstance(document, Mapping) and "op" in document:
        leaf = dict(document)
        if leaf.get("op") == "in_list":
            leaf["value"] = called.lists.get(str(leaf.get("value")), leaf.get("value"))
        elif leaf.get("field") == "account_owner" and leaf.get("value") is not None:
            names = [called.people.get(str(item), str(item)) for item in as_list(leaf["value"])]
            leaf["value"] = names if isinstance(leaf["value"], list) else names[0]
        return leaf
    if isinstance(document, Mapping):
        return {
            kind: [_named(part, called) for part in parts] if isinstance(parts, list) else parts
            for kind, parts in document.items()
        }
    return document
