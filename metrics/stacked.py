"""Where the segments of stacked bars stand, for inline SVG drawn by a template.

Pure geometry, like `metrics.charts`: x in percent of the width, y in pixels. Labels stand on segments that
have room for them; what is too small for a word is in the table. Segments touch and never overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FULL = 82.0
ROW, BAR = 46, 16
# A label of so many characters needs so much of the width, at 360 px too.
PER_CHARACTER, AIR = 2.3, 1.5


@dataclass(frozen=True)
class Piece:
    """A part of a bar: its size in the bars' unit, its tone ("a", "m1" and so on) and its value in words."""

    size: float
    tone: str
    text: str


@dataclass(frozen=True)
class Row:
    """A bar: its name, what stands beside the name, its parts, and its whole in words."""

    label: str
    detail: str
    pieces: Sequence[Piece]
    value: str


@dataclass(frozen=True)
class Segment:
    x: float
    width: float
    tone: str
    text: str

    @property
    def middle(self) -> float:
        return round(self.x + self.width / 2, 2)


@dataclass(frozen=True)
class Bar:
    """`y` of the name, `top` of the bar, `text_y` of what stands on it; `end` is where the value begins."""

    label: str
    detail: str
    value: str
    y: int
    top: int
    text_y: int
    end: float
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Stack:
    height: int
    bars: tuple[Bar, ...]


def stack(rows: Sequence[Row]) -> Stack:
    """Bars under each other on one scale, the largest taking FULL percent. Negative sizes count as
    nothing."""
    largest = max((sum(max(0.0, piece.size) for piece in row.pieces) for row in rows), default=0.0)
    bars = []
    for index, row in enumerate(rows):
        top = index * ROW + 18
        segments, before = [], 0.0
        for piece in row.pieces:
            size = max(0.0, piece.size)
            if not size or not largest:
                continue
            x, end = _place(before, largest), _place(before + size, largest)
            before += size
            width = round(end - x, 2)
            has_room = width >= len(piece.text) * PER_CHARACTER + AIR
            segments.append(Segment(x, width, piece.tone, piece.text if has_room else ""))
        end = _place(before, largest) if largest else 0.0
        bars.append(Bar(row.label, row.detail, row.value, top - 6, top, top + 12, end, tuple(segments)))
    return Stack(len(rows) * ROW, tuple(bars))


def _place(size: float, largest: float) -> float:
    return round(min(1.0, size / largest) * FULL, 2)
