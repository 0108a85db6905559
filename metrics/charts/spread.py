"""How waits spread: one histogram a lead type under each other, on one log scale, with the targets.

Pure geometry like its folder. The buckets are evenly wide because their borders are evenly apart on the
scale; each is counted up to its border, which is included.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from metrics.charts import Mark

# Above the plot: the title, the target's words, the highest count, each with a line of its own.
TOP, PLOT, GAP = 50, 84, 16
AXIS = 22
# A label is not nearer to an end of the figure than this many percent.
EDGE = 12.0


@dataclass(frozen=True)
class Series:
    """What one histogram is to show: counts by bucket, and the target with its words, if there is one."""

    title: str
    counts: Sequence[int]
    note: str = ""
    target: timedelta | None = None
    target_text: str = ""


@dataclass(frozen=True)
class Column:
    """A bucket: x and width in percent, y of its top and height in pixels; late is beyond the target."""

    x: float
    width: float
    y: float
    height: float
    is_late: bool = False


@dataclass(frozen=True)
class Panel:
    title: str
    note: str
    text_y: int
    base: int
    columns: tuple[Column, ...]
    top: Mark | None
    target: Mark | None
    target_top: int


@dataclass(frozen=True)
class Spread:
    """`ticks` name borders of buckets, below all panels."""

    height: int
    axis_y: int
    panels: tuple[Panel, ...]
    ticks: tuple[Mark, ...]


def spread(
    series: Sequence[Series], borders: Sequence[timedelta], names: Sequence[tuple[timedelta, str]]
) -> Spread:
    """`borders` are the upper ones of all buckets but the last, `names` the borders that are named."""
    panels = tuple(_panel(each, borders, index) for index, each in enumerate(series))
    base = panels[-1].base if panels else TOP
    marks = tuple(Mark(place(border, borders), base + 16, text) for border, text in names)
    return Spread(base + AXIS, base, panels, marks)


def place(moment: timedelta, borders: Sequence[timedelta]) -> float:
    """Where a wait stands on the log scale, in percent of the width."""
    step = math.log(borders[-1] / borders[0]) / (len(borders) - 1)
    if moment <= timedelta(0):
        return 0.0
    steps = math.log(moment / borders[0]) / step
    return round(min(100.0, max(0.0, (steps + 1) * 100 / (len(borders) + 1))), 2)


def _panel(series: Series, borders: Sequence[timedelta], index: int) -> Panel:
    above = index * (TOP + PLOT + GAP)
    base = above + TOP + PLOT
    most = max(series.counts, default=0)
    width = 100 / (len(borders) + 1)
    columns = []
    for number, count in enumerate(series.counts):
        height = round(count / most * PLOT, 1) if most else 0.0
        # Something is never drawn as nothing.
        height = max(height, 1.0) if count else 0.0
        is_late = series.target is not None and (number == len(borders) or borders[number] > series.target)
        column = Column(round(number * width, 2), round(width, 2), base - height, height, is_late)
        columns.append(column)
    top = None
    if most:
        highest = columns[list(series.counts).index(most)]
        top = Mark(_inside(highest.x + width / 2), highest.y - 4, f"{most:,}")
    target = None
    if series.target is not None:
        at = place(series.target, borders)
        anchor = "end" if at > 60 else "start"
        target = Mark(at, above + 28, series.target_text, anchor=anchor)
    return Panel(series.title, series.note, above + 12, base, tuple(columns), top, target, above + 18)


def _inside(x: float) -> float:
    return round(min(100 - EDGE / 4, max(EDGE / 4, x)), 2)
