"""Bars of parts that make a whole, one row under the other: as shares, or as lengths on one scale.

Pure geometry like its folder. A part has its words inside where there is room for them, what is too small for
a word is in the table; parts touch and never overlap, and a row of nothing is empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from metrics.charts import cut

BAR = 16
# Shares: the label beside the bar, each row as wide as the others.
ROW = 26
LEFT, RIGHT = 22.0, 88.0
# Lengths: the label above the bar, the longest from the left edge to here; its value stands behind it.
TALL_ROW = 46
FULL = 76.0
# Words of so many characters need so much of the width, at 360 px too.
PER_CHARACTER, AIR = 2.3, 3.6
# Characters that fit beside a row, on wide and on narrow screens; the table has the whole in any case.
LABEL, SHORT_LABEL = 24, 9


@dataclass(frozen=True)
class Piece:
    """A part to be: its size in the unit of its row, its tone (a class of the style sheet), its words."""

    size: float
    tone: str
    text: str


@dataclass(frozen=True)
class Length:
    """A row of lengths: its name, what stands beside the name, its pieces, and its whole in words."""

    label: str
    detail: str
    pieces: Sequence[Piece]
    value: str


@dataclass(frozen=True)
class Part:
    """A part of a row; x and width are percent."""

    tone: str
    x: float
    width: float
    text: str

    @property
    def middle(self) -> float:
        return round(self.x + self.width / 2, 2)


@dataclass(frozen=True)
class Row:
    """`label_y` of the name, `y` of the bar's top, `text_y` of what stands on it and at its end."""

    label: str
    short: str
    detail: str
    label_y: int
    y: int
    text_y: int
    value: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Stack:
    height: int
    rows: tuple[Row, ...]


def shares(rows: Sequence[tuple[str, Sequence[int]]], tones: Sequence[str]) -> Stack:
    """Rows of (label, counts), the counts in the order of the tones; each row is a whole."""
    placed = []
    for index, (label, counts) in enumerate(rows):
        total = sum(counts)
        pieces = [
            Piece(count, tone, f"{count / total:.0%}" if total else "")
            for tone, count in zip(tones, counts, strict=True)
        ]
        y = 2 + index * ROW
        parts = _parts(pieces, total, LEFT, RIGHT)
        short = cut(label, SHORT_LABEL)
        placed.append(Row(cut(label, LABEL), short, "", y + 12, y, y + 12, f"{total:,}", parts))
    return Stack(4 + ROW * len(rows), tuple(placed))


def lengths(rows: Sequence[Length]) -> Stack:
    """Bars on one scale, the longest taking FULL percent. Negative sizes count as nothing."""
    longest = max((sum(max(0.0, piece.size) for piece in row.pieces) for row in rows), default=0.0)
    placed = []
    for index, row in enumerate(rows):
        y = 18 + index * TALL_ROW
        parts = _parts(row.pieces, longest, 0.0, FULL)
        placed.append(Row(row.label, row.label, row.detail, y - 6, y, y + 12, row.value, parts))
    return Stack(TALL_ROW * len(rows), tuple(placed))


def _parts(pieces: Sequence[Piece], whole: float, left: float, right: float) -> tuple[Part, ...]:
    """The pieces one after the other, the whole reaching from left to right."""
    parts, before = [], 0.0
    for piece in pieces:
        size = max(0.0, piece.size)
        if not size or not whole:
            continue
        x, end = (round(left + min(1.0, at / whole) * (right - left), 2) for at in (before, before + size))
        before += size
        width = round(end - x, 2)
        has_room = width >= len(piece.text) * PER_CHARACTER + AIR
        parts.append(Part(piece.tone, x, width, piece.text if has_room else ""))
    return tuple(parts)
