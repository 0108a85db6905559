"""A week of hours as a grid: seven rows of 24 cells, the darker the more.

Pure geometry like its folder. Five strengths and nothing; what a cell says stands in its title and in the
table beside the figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from metrics.charts import Mark

LEFT, TOP, ROW = 10.0, 4, 20
LEVELS = 5
HOURS, DAYS = 24, 7
NAMED = (0, 6, 12, 18)


@dataclass(frozen=True)
class Cell:
    """x and width in percent, y and height in pixels; level 0 is nothing, LEVELS the most."""

    x: float
    y: int
    width: float
    height: int
    level: int
    text: str


@dataclass(frozen=True)
class Heat:
    height: int
    cells: tuple[Cell, ...]
    days: tuple[Mark, ...]
    hours: tuple[Mark, ...]


def heat(values: Mapping[tuple[int, int], tuple[float, str]], names: Sequence[str], most: float) -> Heat:
    """`values` are (value, words) by weekday (1 is `names[0]`) and hour; `most` is the one of full strength.

    Whatever is above nothing has at least the weakest strength.
    """
    width = (100 - LEFT) / HOURS
    cells = []
    for day in range(DAYS):
        for hour in range(HOURS):
            value, text = values.get((day + 1, hour), (0.0, ""))
            x = round(LEFT + hour * width, 2)
            cells.append(Cell(x, TOP + day * ROW, round(width, 2), ROW, level(value, most), text))
    below = TOP + DAYS * ROW
    days = tuple(Mark(0, TOP + day * ROW + 14, name) for day, name in enumerate(names))
    hours = tuple(
        Mark(round(LEFT + hour * width, 2), below + 15, f"{hour}:00", anchor="start") for hour in NAMED
    )
    return Heat(below + 20, tuple(cells), days, hours)


def level(value: float, most: float) -> int:
    """How strong a value is drawn."""
    if value <= 0 or most <= 0:
        return 0
    return min(LEVELS, max(1, round(min(1.0, value / most) * LEVELS)))
