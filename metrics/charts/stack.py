"""Bars of parts that make a whole, one row under the other.

Pure geometry like its folder. A part says its share inside where there is room; a row of nothing is empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from metrics.charts import cut

ROW, BAR = 26, 16
LEFT, RIGHT = 22.0, 88.0
# A share is written where the part is at least so wide, in percent of the figure: 34 px on a phone.
ROOM = 10.5
# Characters that fit beside a row, on wide and on narrow screens; the table has the whole in any case.
LABEL, SHORT_LABEL = 24, 9


@dataclass(frozen=True)
class Part:
    """A part of a row: its tone is a class of the style sheet, x and width are percent."""

    tone: str
    x: float
    width: float
    middle: float
    text: str


@dataclass(frozen=True)
class Row:
    label: str
    short: str
    y: int
    text_y: int
    total: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Stack:
    height: int
    rows: tuple[Row, ...]


def stack(rows: Sequence[tuple[str, Sequence[int]]], tones: Sequence[str]) -> Stack:
    """Rows of (label, counts), the counts in the order of the tones."""
    placed = []
    for index, (label, counts) in enumerate(rows):
        total, together = sum(counts), 0
        parts = []
        for tone, count in zip(tones, counts, strict=True):
            if count:
                start, end = _x(together, total), _x(together + count, total)
                share = f"{count / total:.0%}" if end - start >= ROOM else ""
                parts.append(Part(tone, start, round(end - start, 2), round((start + end) / 2, 2), share))
            together += count
        y = 2 + index * ROW
        placed.append(Row(cut(label, LABEL), cut(label, SHORT_LABEL), y, y + 12, f"{total:,}", tuple(parts)))
    return Stack(4 + ROW * len(rows), tuple(placed))


def _x(count: int, total: int) -> float:
    return round(LEFT + count / total * (RIGHT - LEFT), 2)
