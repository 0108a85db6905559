"""Look-ups over leaves that ask for the same field: which of them a value meets, in one go.

Owns the three kinds (one of some values, the start of a text, a span of numbers). A look-up gives the marks
of the leaves that hold, put together; what a mark stands for is the caller's. The answers are those of the
leaves' own tests.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from routing.conditions.comparing import Sought
from routing.conditions.evaluation import Leaf
from routing.conditions.operators import CUSTOM

Lookup = Callable[[Any], int]
# A leaf that looks for more values than this is asked by itself: an index of them would be large.
_MOST_VALUES = 100


def is_indexed(leaf: Leaf) -> bool:
    """Whether a look-up answers this leaf."""
    return leaf.looks_for is not None and len(leaf.looks_for.values) <= _MOST_VALUES


def lookups(marks: Mapping[Leaf, int]) -> tuple[tuple[str, Lookup], ...]:
    """Look-ups that together answer these leaves, each with its field."""
    alike: dict[tuple[str, str], list[tuple[Sought, int]]] = {}
    for leaf, mark in marks.items():
        if leaf.looks_for is not None:
            alike.setdefault((leaf.field, leaf.looks_for.kind), []).append((leaf.looks_for, mark))
    made: list[tuple[str, Lookup]] = []
    for (field, kind), rows in alike.items():
        lookup = _BUILDERS[kind](rows)
        made.append((field, _of_custom(kind, lookup) if field.startswith(CUSTOM) else lookup))
    return tuple(made)


def _one_of(rows: list[tuple[Sought, int]]) -> Lookup:
    table = _table(rows)

    def lookup(value: Any) -> int:
        if not isinstance(value, tuple):
            return table.get(value, 0)
        met = 0
        for one in value:
            met |= table.get(one, 0)
        return met

    return lookup


def _starts(rows: list[tuple[Sought, int]]) -> Lookup:
    table = _table(rows)
    lengths = tuple(sorted({len(start) for start in table}))

    def lookup(value: str) -> int:
        met = 0
        for length in lengths:
            met |= table.get(value[:length], 0)
        return met

    return lookup


def _span(rows: list[tuple[Sought, int]]) -> Lookup:
    """With n ends in order there are 2n + 1 places a number can be at: before the first end, on it, between
    it and the second, and so on. For each place the marks are put together beforehand."""
    ends = sorted({end for span, _ in rows for end in (span.low, span.high) if end is not None})
    marks = [0] * (2 * len(ends) + 1)

    def place(value: Decimal) -> int:
        return bisect_left(ends, value) + bisect_right(ends, value)

    for span, mark in rows:
        low = 0 if span.low is None else place(span.low)
        high = len(marks) - 1 if span.high is None else place(span.high)
        for at in range(low, high + 1):
            marks[at] |= mark
    return lambda value: marks[place(value)]


_BUILDERS: Mapping[str, Callable[[list[tuple[Sought, int]]], Lookup]] = {
    "one_of": _one_of,
    "starts": _starts,
    "span": _span,
}


def _of_custom(kind: str, lookup: Lookup) -> Lookup:
    """A custom field is known as text and as number: its start is the text's, a span is the number's."""
    if kind == "starts":
        return lambda value: lookup(value[0])
    if kind == "span":
        return lambda value: 0 if value[1] is None else lookup(value[1])
    return lookup


def _table(rows: list[tuple[Sought, int]]) -> dict[Any, int]:
    table: dict[Any, int] = {}
    for sought, mark in rows:
        for value in sought.values:
            table[value] = table.get(value, 0) | mark
    return table
