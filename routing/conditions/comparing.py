"""What each operator asks of a fact that is known, as a small function made once per version.

Owns the comparable form of facts (`reading`), the test of each operator (`make_test`) and what a
look-up can answer (`sought`). A fact that is missing or unreadable has no comparable form,
and no test but `absent` holds for it. Groups, verdicts and words are made elsewhere; documents reach this
room only after they were found sound.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from routing.conditions.operators import CUSTOM, as_list, number, postal, text, words
from routing.facts import FIELDS, Facts

# Under this name the comparable facts hold the territories of the lead,
TERRITORY = "territory"
# and after this one the words of a field, for the leaves that ask whether it contains one.
WORDS = "words of "

Known = Mapping[str, Any]
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


def reading(fields: Collection[str]) -> Callable[[Facts], dict[str, Any]]:
    """A function that gives each of these facts as its tests compare it; what is missing or unreadable has
    no entry. A fact of several values (a list, or a custom field as text and as number) is a tuple."""
    plain = tuple((name, _normal(name, field.kind)) for name, field in FIELDS.items() if name in fields)
    custom = tuple((name, name[len(CUSTOM) :]) for name in sorted(fields) if name.startswith(CUSTOM))
    worded = tuple((name, name[len(WORDS) :]) for name in sorted(fields) if name.startswith(WORDS))

    def read(facts: Facts) -> dict[str, Any]:
        known: dict[str, Any] = {}
        for name, normal in plain:
            raw = getattr(facts, name)
            if raw is not None and raw != "":
                made = normal(raw)
                if made or (normal is number and made is not None):
                    known[name] = made
        for name, own in custom:
            made = text(facts.custom.get(own))
            if made:
                known[name] = (made, number(facts.custom[own]))
        for name, of in worded:
            value = known.get(of, ())
            texts = value[:1] if of.startswith(CUSTOM) else value if isinstance(value, tuple) else (value,)
            known[name] = tuple(map(words, texts))
        return known

    return read


def _normal(name: str, kind: str) -> Callable[[Any], Any]:
    if kind == "number":
        return number
    if kind == "list":
        return _texts
    return postal if name == "postal_code" else text


def _texts(values: Collection[Any]) -> tuple[str, ...]:
    return tuple(made for made in map(text, values) if made)


class Sought(NamedTuple):
    """What a leaf looks for, where a look-up can answer it: one of some `values`, a text that starts with
    one of them, or a number from `low` to `high`, both included."""

    kind: Literal["one_of", "starts", "span"]
    values: frozenset[Any] = frozenset()
    low: Decimal | None = None
    high: Decimal | None = None


def sought(field: str, op: str, value: Any, lists: Lists) -> Sought | None:
    """What this sound leaf looks for; None for those that are answered by a test only."""
    if op == "in_territory":
        return Sought("one_of", frozenset(as_list(value)))
    if op == "range":
        return Sought("span", low=number(value.get("min")), high=number(value.get("max")))
    if op not in ("equals", "in", "in_list", "starts_with"):
        return None

    def wanted(normal: Callable[[Any], Any]) -> frozenset[Any]:
        return lists.values(value, normal) if op == "in_list" else _set(as_list(value), normal)

    is_postal = field == "postal_code"
    if op == "starts_with" or (op == "in_list" and is_postal):
        # A list of postal codes may hold whole codes and the beginnings of codes alike.
        return Sought("starts", wanted(postal if is_postal else text))
    if field.startswith(CUSTOM):
        return Sought("one_of", wanted(text) | wanted(number))
    if FIELDS[field].kind == "number":
        return Sought("one_of", wanted(number))
    return Sought("one_of", wanted(postal if is_postal else text))


def make_test(field: str, op: str, value: Any, looks_for: Sought | None) -> Test:
    """The test of one sound leaf. No test holds for a missing fact but `absent`."""
    if op == "present":
        return lambda known: field in known
    if op == "absent":
        return lambda known: field not in known
    custom = field.startswith(CUSTOM)
    several = custom or field == TERRITORY or FIELDS[field].kind == "list"
    if looks_for is None:
        return _word_test(WORDS + field, tuple(words(w) for w in as_list(value)))
    if looks_for.kind == "span":
        return _span_test(field, looks_for.low, looks_for.high, custom)
    wanted = looks_for.values
    if looks_for.kind == "starts":
        return _start_test(field, wanted, custom)
    if several:
        return lambda known: not wanted.isdisjoint(known.get(field, ()))
    return lambda known: known.get(field) in wanted


def _span_test(field: str, low: Decimal | None, high: Decimal | None, custom: bool) -> Test:
    def test(known: Known) -> bool:
        value = known.get(field)
        if custom and value is not None:
            value = value[1]
        if value is None:
            return False
        return (low is None or low <= value) and (high is None or value <= high)

    return test


def _word_test(name: str, wanted: tuple[str, ...]) -> Test:
    def test(known: Known) -> bool:
        return any(word in text for text in known[name] for word in wanted)

    return test


def _start_test(field: str, starts: frozenset[str], custom: bool) -> Test:
    lengths = tuple(sorted({len(start) for start in starts}))

    def test(known: Known) -> bool:
        value = known.get(field)
        if value is None:
            return False
        if custom:
            value = value[0]
        return any(value[:length] in starts for length in lengths)

    return test
