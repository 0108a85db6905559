"""The check of a condition document before it is saved.

Owns the messages a person reads beside a form, in the field's own words, each with a JSON pointer to the
place. Hostile documents cost no more than a large honest one: depth, leaves, lists and texts are bounded,
and looking stops at the bound. It changes nothing and never guesses what was meant.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from routing.conditions.operators import (
    CUSTOM,
    MAX_BITS,
    MAX_FIELD_NAME,
    MAX_LEAVES,
    MAX_TEXT,
    MAX_VALUES,
    OPERATORS,
    field_of,
    number,
    operators_for,
    text,
    words,
)
from routing.facts import Field

GROUPS = ("all", "any", "none")
_MAX_PROBLEMS = 50


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a document: where (JSON pointer, "" for the whole) and what, as a sentence."""

    pointer: str
    message: str


def validate(
    doc: Any,
    *,
    territories: Collection[str] | None = None,
    lists: Collection[str] | None = None,
    of_territory: bool = False,
) -> list[Problem]:
    """The problems of a condition document, in its order; [] when it may be saved.

    `territories` and `lists`, when given, are the names that exist: others are problems. `of_territory`
    says that the document defines a territory, which cannot itself ask for a territory.
    """
    return _Check(territories, lists, of_territory, vocabulary=True).run(doc)


def is_sound(doc: Any) -> bool:
    """Whether a stored document can be evaluated. Words a closed choice no longer has are let pass, so that
    an old version is replayed as it was."""
    return not _Check(None, None, False, vocabulary=False).run(doc)


class _Check:
    def __init__(
        self,
        territories: Collection[str] | None,
        lists: Collection[str] | None,
        of_territory: bool,
        vocabulary: bool,
    ) -> None:
        self.territories = territories
        self.lists = lists
        self.of_territory = of_territory
        self.vocabulary = vocabulary
        self.leaves = 0
        self.problems: list[Problem] = []

    def run(self, doc: Any) -> list[Problem]:
        self._group(doc, "", nested=False)
        if self.leaves > MAX_LEAVES:
            self._add(
                "", f"A rule can have at most {MAX_LEAVES} conditions; use a named list for many values."
            )
        return self.problems[:_MAX_PROBLEMS]

    def _add(self, pointer: str, message: str) -> None:
        self.problems.append(Problem(pointer, message))

    def _group(self, group: Any, pointer: str, nested: bool) -> None:
        if not isinstance(group, dict):
            return self._add(pointer, "Conditions are a group: all, any or none of a list.")
        if len(group) != 1 or next(iter(group)) not in GROUPS:
            return self._add(pointer, "A group is exactly one of: all, any, none.")
        kind, parts = next(iter(group.items()))
        where = f"{pointer}/{kind}"
        if not isinstance(parts, list):
            return self._add(where, "A group holds a list of conditions.")
        if not parts and (nested or kind != "all"):
            return self._add(where, "Add at least one condition to this group, or remove it.")
        for position, part in enumerate(parts):
            if self.leaves > MAX_LEAVES or len(self.problems) >= _MAX_PROBLEMS or position > MAX_LEAVES:
                self.leaves = max(self.leaves, position)
                return None
            place = f"{where}/{position}"
            if isinstance(part, dict) and any(kind in part for kind in GROUPS):
                if nested:
                    self._add(place, "Groups can be nested once, not deeper.")
                else:
                    self._group(part, place, nested=True)
            else:
                self.leaves += 1
                self._leaf(part, place)
        return None

    def _leaf(self, leaf: Any, pointer: str) -> None:
        if not isinstance(leaf, dict):
            return self._add(pointer, "A condition names a field, an operator and a value.")
        if any(key not in ("field", "op", "value") for key in leaf):
            return self._add(pointer, "A condition has a field, an operator and a value, nothing else.")
        op = leaf.get("op")
        operator = OPERATORS.get(op) if isinstance(op, str) else None
        if not isinstance(op, str) or operator is None:
            return self._add(f"{pointer}/op", "Choose how to compare: " + ", ".join(OPERATORS) + ".")
        if op == "in_territory":
            return self._territory(leaf, pointer)
        name = leaf.get("field")
        field = field_of(name)
        if field is None or not isinstance(name, str):
            return self._add(f"{pointer}/field", _unknown_field(name))
        if op not in operators_for(name):
            fitting = ", ".join(OPERATORS[o].label for o in operators_for(name))
            message = (
                f"{field.title} cannot be compared with \u201c{operator.label}\u201d; it takes: {fitting}."
            )
            return self._add(f"{pointer}/op", message)
        value, place = leaf.get("value"), f"{pointer}/value"
        custom = name.startswith(CUSTOM)
        if operator.takes == "nothing":
            if value is not None:
                self._add(place, f"{field.title} \u201c{operator.label}\u201d takes no value.")
        elif operator.takes == "range":
            self._range(field, value, place)
        elif operator.takes == "list":
            self._name(value, place, f"{field.title}: choose a named list.", self.lists, "list")
        elif operator.takes == "some" and isinstance(value, list):
            self._several(field, custom, op, value, place)
        elif op == "in":
            self._add(place, f"{field.title} needs a list of values.")
        else:
            self._one(field, custom, op, value, place)
        return None

    def _several(self, field: Field, custom: bool, op: str, values: list[Any], place: str) -> None:
        if not values:
            return self._add(place, f"{field.title} needs at least one value.")
        if len(values) > MAX_VALUES:
            return self._add(place, f"{field.title} can be compared with at most {MAX_VALUES:,} values.")
        for position, value in enumerate(values):
            if len(self.problems) >= _MAX_PROBLEMS:
                return None
            self._one(field, custom, op, value, f"{place}/{position}")
        return None

    def _one(self, field: Field, custom: bool, op: str, value: Any, place: str) -> None:
        if isinstance(value, str) and len(value) > MAX_TEXT:
            return self._add(place, f"{field.title}: a value can have at most {MAX_TEXT:,} characters.")
        if field.kind == "number":
            if number(value) is None:
                self._add(place, f"{field.title} is a number; {_quoted(value)} is none.")
            return None
        if not isinstance(value, str) and (isinstance(value, list | dict) or value is None):
            return self._add(place, f"{field.title} needs a value.")
        if isinstance(value, bool) and not custom:
            return self._add(place, f"{field.title} is text, not true or false.")
        if not text(value) or (op == "contains_word" and not words(value).strip()):
            what = "a word" if op == "contains_word" else "a value"
            return self._add(
                place, f"{field.title} needs {what}; for leads without one use \u201cis not known\u201d."
            )
        if field.choices and self.vocabulary and text(value) not in {text(c) for c in field.choices}:
            known = ", ".join(field.choices)
            return self._add(place, f"{field.title} has no value {_quoted(value)}; it is one of: {known}.")
        return None

    def _range(self, field: Field, value: Any, place: str) -> None:
        if not isinstance(value, dict) or any(key not in ("min", "max") for key in value):
            return self._add(place, f"{field.title} needs a smallest value, a largest value, or both.")
        ends = {key: end for key, end in value.items() if end is not None}
        if not ends:
            return self._add(place, f"{field.title} needs a smallest value, a largest value, or both.")
        for key, end in ends.items():
            if number(end) is None:
                self._add(f"{place}/{key}", f"{field.title} is a number; {_quoted(end)} is none.")
        low, high = number(ends.get("min")), number(ends.get("max"))
        if low is not None and high is not None and low > high:
            self._add(place, f"{field.title}: the smallest value {low:f} is above the largest, {high:f}.")
        return None

    def _territory(self, leaf: dict[str, Any], pointer: str) -> None:
        if self.of_territory:
            return self._add(pointer, "A territory cannot be defined by a territory.")
        if leaf.get("field") not in (None, "territory"):
            return self._add(
                f"{pointer}/field", "\u201cIs in the territory\u201d is asked of the lead, not of a field."
            )
        value, place = leaf.get("value"), f"{pointer}/value"
        message = "Choose a territory."
        if not isinstance(value, list):
            return self._name(value, place, message, self.territories, "territory")
        if not value or len(value) > MAX_VALUES:
            return self._add(
                place, "Choose at least one territory." if not value else "Too many territories."
            )
        for position, slug in enumerate(value):
            if len(self.problems) < _MAX_PROBLEMS:
                self._name(slug, f"{place}/{position}", message, self.territories, "territory")
        return None

    def _name(self, value: Any, place: str, message: str, known: Collection[str] | None, what: str) -> None:
        if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT:
            self._add(place, message)
        elif known is not None and value not in known:
            self._add(place, f"There is no {what} {_quoted(value)}.")


def _unknown_field(name: Any) -> str:
    if isinstance(name, str) and name.startswith(CUSTOM):
        return (
            f"A custom field needs a name of at most {MAX_FIELD_NAME} characters after \u201c{CUSTOM}\u201d."
        )
    if name is None or name == "":
        return "Choose a field."
    return f"There is no field {_quoted(name)}."


def _quoted(value: Any) -> str:
    """What was typed, short enough to stand in a message."""
    if value is None or value == "":
        return "an empty value"
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        return "such a long number"
    shown = str(value)
    return "\u201c" + (shown if len(shown) <= 40 else shown[:39] + "\u2026") + "\u201d"
