"""Many conditions asked of one lead at once: which fails on which leaf, and which holds.

Owns the index over the conditions of a version. Most documents are a row of steps that must all hold, and
most steps look for a value; so the steps that stand first in all documents are answered together, by one
look-up a field, then those that stand second, and so on. The answers are those of `Condition.failing`,
which is still asked of the few documents that have another shape. Nothing is described or worded here.

All conditions stand side by side in one whole number, a byte each, the first in the lowest: a byte of a
*mark* is 0 or 1, a byte of a *count* is the number of leaves passed so far, 50 at most.
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


def _steps(root: Group | None) -> tuple[Step, ...] | None:
    """A document as steps, in the order of its leaves; None for a shape that cannot be brought into it."""
    if root is None:
        return None
    if root.kind == "any":
        leaves = tuple(part for _, part in root.parts if isinstance(part, Leaf))
        return (Step(leaves),) if len(leaves) == len(root.parts) else None
    found: list[Step] = []
    for _, part in root.parts:
        if isinstance(part, Leaf):
            found.append(Step((part,), root.kind == "none"))
            continue
        leaves = tuple(leaf for leaf, _ in part.leaves())
        if root.kind == "all" and part.kind == "any":
            found.append(Step(leaves))
        elif root.kind == "all" or part.kind == "any":
            # "None of any of them" leaves each of them out.
            turned = "none" in (root.kind, part.kind)
            found.extend(Step((leaf,), turned) for leaf in leaves)
        else:
            return None
    return tuple(found)


class _Level:
    """The steps that stand at one place in all documents. `ended` marks the documents with no step left,
    `turned` the steps whose leaf must not hold, `widths` counts each step's leaves."""

    __slots__ = ("_asked", "_lookups", "_turned", "ended", "widths")

    def __init__(self, rows: Sequence[tuple[Step, ...] | None], depth: int) -> None:
        self.ended = self.widths = self._turned = 0
        marks: dict[Leaf, int] = {}
        for place, steps in enumerate(rows):
            mark = 1 << 8 * place
            if steps is None or len(steps) <= depth:
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
        rows = [_steps(condition.root) for condition in conditions]
        self._odd = tuple(place for place, steps in enumerate(rows) if steps is None)
        self._even = sum(1 << 8 * place for place, steps in enumerate(rows) if steps is not None)
        depth = max((len(steps) for steps in rows if steps is not None), default=0)
        self._levels = tuple(_Level(rows, at) for at in range(depth))

    def first(self, view: View) -> tuple[list[int], int | None]:
        """The place of the first condition that holds, None when none does, and for each one before it the
        number of the leaf on which it failed."""
        passed, holding = self._ask(view, only_first=True)
        place = _lowest(holding) if holding else None
        failed = list(passed.to_bytes(len(self._conditions), "little")[:place])
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
        found = [odd for odd in self._odd if self._conditions[odd].failing(view) is None]
        while holding:
            found.append(_lowest(holding))
            holding &= holding - 1
        return sorted(found)

    def _ask(self, view: View, only_first: bool) -> tuple[int, int]:
        """The count of leaves passed by each condition, and the mark of those that hold; with `only_first`
        both are right up to the first that holds, and nothing more is asked of those after it."""
        alive, passed, through = self._even, 0, 0
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
    """The place of the first condition marked."""
    return (mark & -mark).bit_length() // 8
