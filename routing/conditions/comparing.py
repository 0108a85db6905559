"""What each operator asks of a fact that is known, as a small function made once per version.

Owns the comparable form of facts (`comparable`) and the test of each operator (`make_test`). A fact that is
missing or unreadable has no comparable form, and no test but `absent` holds for it. Groups, verdicts and
words are made elsewhere; documents reach this room only after they were found sound.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any

from routing.conditions.operators import CUSTOM, as_list, number, postal, text, words
from routing.facts import FIELDS, Facts


class Known(dict[str, Any]):
    """The comparable facts of one lead by field name; a test may also ask for the lead's territories."""

    __slots__ = ()

    def within(self, slug: str) -> bool:
        """Whether the lead is in the territory; here none is known."""
        return False


Test = Callable[[Known], bool]


class Lists:
    """The named lists of one version, each made comparable once however many rules ask for it."""

    def __init__(self, lists: Mapping[str, Collection[Any]]) -> None:
        self._raw = lists
        self._made: dict[tuple[str, Callable[[Any], Any]], frozenset[Any]] = {}

    def values(self, name: str, normal: Callable[[Any], Any]) -> frozenset[Any]:
        """The list's values as `normal` makes them; empty for a list that does not exist."""
        key = (name, normal)
        if key not in self._made:
            self._made[key] = _set(self._raw.get(name) or (), normal)
        return self._made[key]


def _set(values: Collection[Any], normal: Callable[[Any], Any]) -> frozenset[Any]:
    return frozenset(made for made in map(normal, values) if made is not None and made != "")


def comparable(facts: Facts) -> dict[str, Any]:
    """Each known fact as its tests compare it; what is missing or unreadable has no entry."""
    values: dict[str, Any] = {}
    for name, kind in _KINDS:
        raw = getattr(facts, name)
        if raw is None or raw == "":
            continue
        if kind == "number":
            made: Any = number(raw)
            if made is None:
                continue
        elif kind == "list":
            made = tuple(t for t in map(text, raw) if t)
        else:
            made = postal(raw) if name == "postal_code" else text(raw)
        if made or kind == "number":
            values[name] = made
    for name, raw in facts.custom.items():
        made = text(raw)
        if made:
            values[CUSTOM + name] = (made, number(raw))
    return values


_KINDS = tuple((name, field.kind) for name, field in FIELDS.items())


def make_test(field: str, op: str, value: Any, lists: Lists) -> Test:
    """The test of one sound leaf that asks for a field. No test holds for a missing fact but `absent`."""
    if op == "present":
        return lambda known: field in known
    if op == "absent":
        return lambda known: field not in known
    custom = field.startswith(CUSTOM)
    kind = "custom" if custom else FIELDS[field].kind
    if op == "range":
        return _range_test(field, number(value.get("min")), number(value.get("max")), custom)
    if op == "contains_word":
        return _word_test(field, tuple(words(w) for w in as_list(value)), kind)

    def wanted(normal: Callable[[Any], Any]) -> frozenset[Any]:
        return lists.values(value, normal) if op == "in_list" else _set(as_list(value), normal)

    if kind == "number":
        numbers = wanted(number)
        return lambda known: known.get(field) in numbers
    texts = wanted(postal if field == "postal_code" else text)
    if op == "starts_with" or (op == "in_list" and field == "postal_code"):
        # A list of postal codes may hold whole codes and the beginnings of codes alike.
        return _prefix_test(field, texts, custom)
    if custom:
        return _custom_test(field, texts, wanted(number))
    if kind == "list":
        return lambda known: not texts.isdisjoint(known.get(field, ()))
    return lambda known: known.get(field) in texts


def _range_test(field: str, low: Decimal | None, high: Decimal | None, custom: bool) -> Test:
    def test(known: Known) -> bool:
        value = known.get(field)
        if custom and value is not None:
            value = value[1]
        if value is None:
            return False
        return (low is None or low <= value) and (high is None or value <= high)

    return test


def _word_test(field: str, wanted: tuple[str, ...], kind: str) -> Test:
    def test(known: Known) -> bool:
        value = known.get(field)
        if value is None:
            return False
        texts = value if kind == "list" else value[:1] if kind == "custom" else (value,)
        return any(word in words(t) for t in texts for word in wanted)

    return test


def _prefix_test(field: str, prefixes: frozenset[str], custom: bool) -> Test:
    lengths = tuple(sorted({len(p) for p in prefixes}))

    def test(known: Known) -> bool:
        value = known.get(field)
        if value is None:
            return False
        if custom:
            value = value[0]
        return any(value[:length] in prefixes for length in lengths)

    return test


def _custom_test(field: str, texts: frozenset[str], numbers: frozenset[Decimal]) -> Test:
    def test(known: Known) -> bool:
        value = known.get(field)
        return value is not None and (value[0] in texts or (value[1] is not None and value[1] in numbers))

    return test


def territory_test(slugs: tuple[str, ...]) -> Test:
    if len(slugs) == 1:
        slug = slugs[0]
        return lambda known: known.within(slug)
    return lambda known: any(known.within(slug) for slug in slugs)
