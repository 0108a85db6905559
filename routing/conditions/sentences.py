"""A condition read aloud: "country is DE or AT and score is 80 to 100".

Owns the words for operators, values and groups, and for a failed condition as a decision keeps it. Long
lists are cut, so that a sentence stays a sentence. It reads documents as they are: what cannot be read is
said to be unreadable, nothing is raised.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from routing.conditions.operators import as_list, field_of, number
from routing.conditions.validation import is_sound
from routing.facts import Field

_SHOWN = 6
_SHOWN_TEXT = 60
# What is done to each value that is shown, so that a page can mark it; by default nothing.
Mark = Callable[[str], str]
_PLAIN = re.compile(r"[\w.+-]+( (?!and |or )[\w.&/+-]+)*")


def sentence(doc: Any, territories: Mapping[str, str] | None = None, mark: Mark = str) -> str:
    """The document as one English clause without a full stop; "every lead" for the catch-all.

    `territories` maps slugs to names; a slug without one is read as it is. `mark` is asked for each value
    as it is shown.
    """
    if not is_sound(doc):
        return "conditions that cannot be read"
    if doc == {"all": []}:
        return "every lead"
    return _group(doc, territories or {}, False, mark)


def leaf_sentence(
    leaf: Mapping[str, Any],
    territories: Mapping[str, str] | None = None,
    negated: bool = False,
    mark: Mark = str,
) -> str:
    """One condition as a clause: "country is DE or AT"; `negated` for "country is neither DE nor AT".
    `leaf` may be a document's leaf or the failed condition of a trace, with "more" for values cut away."""
    op, value, more = leaf.get("op"), leaf.get("value"), leaf.get("more", 0)
    if op == "in_territory":
        names = [mark((territories or {}).get(slug, slug)) for slug in as_list(value)]
        return f"territory {_is(names, more, negated)}"
    name = leaf.get("field")
    field = field_of(name)
    if field is None:
        return "a condition that cannot be read"
    label, plural = field.label, field.kind == "list"
    be, do = ("are", "do") if plural else ("is", "does")
    no = " not" if negated else ""
    if op in ("present", "absent"):
        known = (op == "present") != negated
        return f"{label} {be} {'' if known else 'not '}known"
    if op == "range":
        return f"{label} {be}{no} {mark(_span(value))}"
    if op == "in_list":
        verb = f"{do} not include one" if negated and plural else "include one" if plural else f"{be}{no}"
        called = mark(f"\u201c{_clip(str(value))}\u201d")
        return f"{label} {verb} {'of' if plural else 'in'} the list {called}"
    values = [mark(_value(item, field)) for item in as_list(value)]
    if op == "starts_with":
        verb = f"{do} not start with" if negated else "start with" if plural else "starts with"
        return f"{label} {verb} {_or(values, more)}"
    if op == "contains_word":
        verb = f"{do} not contain" if negated else "contain" if plural else "contains"
        return f"{label} {verb} the word {_or(values, more)}"
    if plural:
        return f"{label} {'do not include' if negated else 'include'} {_or(values, more)}"
    return f"{label} {_is(values, more, negated)}"


def seen_words(leaf: Mapping[str, Any], territories: Mapping[str, str] | None = None) -> str:
    """What a failed condition met: "country is US", "country is not known"."""
    name, seen = leaf.get("field"), leaf.get("seen")
    if leaf.get("op") == "in_territory":
        if seen is not None:
            return f"territory is {(territories or {}).get(seen, seen)}"
        because = leaf.get("because")
        return seen_words(because) if because else "the lead is in none"
    field = field_of(name)
    if field is None:
        return "its conditions cannot be read"
    be = "are" if field.kind == "list" else "is"
    if seen is None:
        return f"{field.label} {be} not known"
    values = [_value(item, field) for item in as_list(seen)]
    return f"{field.label} {be} {_join(values, 'and')}"


def _group(group: Mapping[str, Any], names: Mapping[str, str], nested: bool, mark: Mark) -> str:
    kind, parts = next(iter(group.items()))
    if kind == "none" and any("op" not in part for part in parts):
        clauses = [_part(part, names, False, mark) for part in parts]
        return f"none of these holds: {'; '.join(clauses)}"
    clauses = [_part(part, names, kind == "none", mark) for part in parts]
    joined = (" or " if kind == "any" else " and ").join(clauses)
    return f"({joined})" if nested and len(clauses) > 1 else joined


def _part(part: Mapping[str, Any], names: Mapping[str, str], negated: bool, mark: Mark) -> str:
    return leaf_sentence(part, names, negated, mark) if "op" in part else _group(part, names, True, mark)


def _is(values: list[str], more: int, negated: bool) -> str:
    if not negated:
        return f"is {_or(values, more)}"
    if len(values) + more == 1:
        return f"is not {values[0]}"
    if len(values) + more == 2:
        return f"is neither {values[0]} nor {values[1]}"
    return f"is none of {_join(_cut(values, more), 'and')}"


def _or(values: list[str], more: int = 0) -> str:
    return _join(_cut(values, more), "or")


def _cut(values: list[str], more: int) -> list[str]:
    shown = values if len(values) <= _SHOWN and not more else values[: _SHOWN - 1]
    rest = len(values) + more - len(shown)
    return [*shown, f"{rest:,} other{'s' if rest > 1 else ''}"] if rest else shown


def _join(values: list[str], word: str) -> str:
    return values[0] if len(values) == 1 else f"{', '.join(values[:-1])} {word} {values[-1]}"


def _span(value: Any) -> str:
    low, high = number(value.get("min")), number(value.get("max"))
    if low is not None and high is not None:
        return f"{low:,f} to {high:,f}" if low != high else f"{low:,f}"
    return f"{low:,f} or more" if low is not None else f"{high:,f} or less"


def _value(value: Any, field: Field) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    amount = number(value) if field.kind == "number" else None
    if amount is not None:
        return f"{amount:,f}"
    shown = _clip(str(value))
    if field.choices:
        return shown.replace("_", " ")
    return shown if _PLAIN.fullmatch(shown) else f"\u201c{shown}\u201d"


def _clip(shown: str) -> str:
    shown = " ".join(shown.split())
    return shown if len(shown) <= _SHOWN_TEXT else shown[: _SHOWN_TEXT - 1] + "\u2026"
