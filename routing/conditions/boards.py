"""Many conditions asked of one lead at once: which fails on which leaf, and which holds.

Owns the index over the conditions of a version. A document is brought into rows, one of which must hold, of
steps that must all hold; most are a single row, and most steps look for a value. So the steps that stand
first in all rows are answered together, by one look-up a field, then those that stand second, and so on.
The answers are those of `Condition.failing`, which is still asked of the rare document that has no such
form. Nothing is described or worded here.

All rows stand side by side in one whole number, a byte each, the first in the lowest: a byte of a *mark* is
0 or 1, a byte of a *count* is the number of leaves passed so far, 50 at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from routing.conditions.evaluation import Condition, Group, Leaf, View
from routing.conditions.indexes import is_indexed, lookups

_BYTE = 255


class Step(NamedTuple):
    """A part of a document that must hold: one of the leaves does, or with `turned` its only leaf does not.
    When it fails, it fails on its first leaf."""

    leaves: tuple[Leaf, ...]
    turned: bool = False


Row = tuple[Step, ...]


def _rows(root: Group | None) -> tuple[Row, ...] | None:
    """A document as rows of steps, in the order of its leaves; None when it has no such form. Where none of
    the rows holds, the first says on which leaf the document fails."""
    if root is None:
        return None
    parts = [part for _, part in root.parts]
    if root.kind == "all":
        return (tuple(step for part in parts for step in _holds(part)),)
    if root.kind == "any":
        if all(isinstance(part, Leaf) or part.kind == "any" for part in parts):
            return ((Step(_leaves(root)),),)
        return tuple(_holds(part) for part in parts)
    if any(isinstance(part, Group) and part.kind == "all" for part in parts):
        return None
    return (tuple(step for part in parts for step in _does_not_hold(part)),)


def _holds(part: Leaf | Group) -> Row:
    if isinstance(part, Leaf):
        return (Step((part,)),)
    if part.kind == "any":
        return (Step(_leaves(part)),)
    return tuple(Step((leaf,), part.kind == "none") for leaf in _leaves(part))


def _does_not_hold(part: Leaf | Group) -> Row:
    if isinstance(part, Leaf):
        return (Step((part,), True),)
    if part.kind == "none":
        return (Step(_leaves(part)),)
    return tuple(Step((leaf,), True) for leaf in _leaves(part))


def _leaves(group: Group) -> tuple[Leaf, ...]:
    return tuple(leaf for leaf, _ in group.leaves())


class _Level:
    """The steps that stand at one place in all rows. `ended` marks the rows with no step left, `turned` the
    steps whose leaf must not hold, `widths` counts each step's leaves."""

    __slots__ = ("_asked", "_lookups", "_turned", "ended", "widths")

    def __init__(self, rows: Sequence[Row], depth: int) -> None:
        self.ended = self.widths = self._turned = 0
        marks: dict[Leaf, int] = {}
        for at, steps in enumerate(rows):
            mark = 1 << 8 * at
            if len(steps) <= depth:
                self.ended |= mark
                continue
            step = steps[depth]
            self.widths += mark * len(step.leaves)
            self._turned |= mark * step.turned
            for leaf in step.leaves:
                marks[leaf] = marks.get(leaf, 0) | mark
        self._lookups = lookups({leaf: mark for leaf, mark in marks.items() if is_indexed(leaf)})
        self._asked = tuple((leaf, mark) for leaf, mark in marks.items() if not is_indexed(leaf))

    def holding(self, view: View, alive: int) -> int:
        """Marks the steps that hold; only those marked `alive` need be right."""
        met = 0
        for field, lookup in self._lookups:
            value = view.get(field)
            if value is not None:
                met |= lookup(value)
        for leaf, mark in self._asked:
            if alive & mark and view.holds(leaf):
                met |= mark
        return met ^ self._turned


class Board:
    """The conditions of one version in order. Immutable; safe to share between threads."""

    def __init__(self, conditions: Sequence[Condition]) -> None:
        self._conditions = tuple(conditions)
        rows: list[Row] = []
        # For each condition its first row, for each row its condition, and the conditions without rows.
        self._heads: list[int] = []
        self._places: list[int] = []
        self._odd: list[int] = []
        self._all = 0
        for place, condition in enumerate(conditions):
            made = _rows(condition.root)
            if made is None:
                self._odd.append(place)
                made = ((),)
            else:
                for at in range(len(rows), len(rows) + len(made)):
                    self._all |= 1 << 8 * at
            self._heads.append(len(rows))
            self._places += [place] * len(made)
            rows += made
        depth = max(map(len, rows), default=0)
        self._levels = tuple(_Level(rows, at) for at in range(depth))

    def first(self, view: View) -> tuple[list[int], int | None]:
        """The place of the first condition that holds, None when none does, and for each one before it the
        number of the leaf on which it failed."""
        passed, holding = self._ask(view, only_first=True)
        place = self._places[_lowest(holding)] if holding else None
        counts = passed.to_bytes(len(self._places), "little")
        failed = [counts[head] for head in self._heads[:place]]
        for odd in self._odd:
            if odd >= len(failed):
                break
            number = self._conditions[odd].failing(view)
            if number is None:
                return failed[:odd], odd
            failed[odd] = number
        return failed, place

    def holding(self, view: View) -> list[int]:
        """The places of all conditions that hold, in order."""
        _, holding = self._ask(view, only_first=False)
        found = {odd for odd in self._odd if self._conditions[odd].failing(view) is None}
        while holding:
            found.add(self._places[_lowest(holding)])
            holding &= holding - 1
        return sorted(found)

    def _ask(self, view: View, only_first: bool) -> tuple[int, int]:
        """The count of leaves passed in each row, and the mark of the rows that hold; with `only_first`
        both are right up to the first that holds, and nothing more is asked of those after it."""
        alive, passed, through = self._all, 0, 0
        for level in self._levels:
            if ended := alive & level.ended:
                through |= ended
                alive &= (ended & -ended) - 1 if only_first else ~ended
            if not alive:
                break
            alive &= level.holding(view, alive)
            passed += alive * _BYTE & level.widths
        return passed, through | alive


def _lowest(mark: int) -> int:
    """The first row marked."""
    return (mark & -mark).bit_length() // 8
