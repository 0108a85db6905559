"""Where the marks of a figure stand: lines, bars and their labels, for inline SVG drawn by the templates.

Pure geometry. x is in percent of the width and y in pixels, so that text keeps its size from 360 px up.
Never draws what is not mature into a line, and never cuts an axis without saying its ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

# The plot of a line takes this share of the width; to the right of it stands what the dashed line means.
TREND_WIDTH = 70.0
LINE_WIDTH = 89.0
BAR_FROM, BAR_FULL = 35.0, 40.0
PARETO_FROM, PARETO_FULL = 41.0, 57.0
ROW = 26
# Labels nearer than this many pixels would touch.
CLOSE = 14
# The words of a low point reach so far below it.
LOW = 22
# What is smaller is drawn as nothing: no share or minute is.
SMALLEST = 1e-6
# Characters that fit beside a bar, on wide and on narrow screens; the Pareto has counts there too.
LABEL, SHORT_LABEL = 26, 17
LONG_LABEL, NARROW_LABEL = 30, 12
# Steps that a clock has: minutes, hours, days, weeks; all in minutes.
CLOCK = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080)


@dataclass(frozen=True)
class Point:
    """One week of a line: its label, its value (None: nothing to show), the value in words, its maturity."""

    label: str
    value: float | None
    text: str = ""
    is_mature: bool = True


@dataclass(frozen=True)
class Mark:
    """A mark of the figure: x in percent, y in pixels, its label and its value in words.

    The words of a low point go below it, where the line does not run through them.
    """

    x: float
    y: float
    label: str = ""
    text: str = ""
    anchor: str = "middle"
    is_low: bool = False


@dataclass(frozen=True)
class Hatch:
    """A band of weeks that are not mature: x and width in percent."""

    x: float
    width: float


@dataclass(frozen=True)
class Line:
    """A line over weeks. `segments` are polyline points in a box `box` units wide and `height` px high;
    `alone` are the mature points that no segment touches."""

    width: float
    height: int
    bottom: float
    box: int
    segments: tuple[str, ...]
    points: tuple[Mark, ...]
    early: tuple[Mark, ...]
    hatches: tuple[Hatch, ...]
    last: Mark | None
    goal: Mark | None
    labels: tuple[Mark, ...]
    ticks: tuple[Mark, ...] = ()
    alone: tuple[Mark, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.points and not self.early


@dataclass(frozen=True)
class Share:
    """What a bar is to show: a share between 0 and 1, in words, and its own baseline if there is one."""

    label: str
    share: float
    value: str
    detail: str = ""
    own: float | None = None
    is_bad: bool = False


@dataclass(frozen=True)
class Bar:
    """A row of a bar chart; x, width and tick in percent, y of its top in pixels.

    `short` is the label for narrow screens; the table has the whole in any case.
    """

    label: str
    short: str
    y: float
    text_y: float
    x: float
    width: float
    value: str
    detail: str = ""
    tick: float | None = None
    is_bad: bool = False


@dataclass(frozen=True)
class Bars:
    """Rows of bars under each other, with an upright line at a limit."""

    height: int
    rows: tuple[Bar, ...]
    limit: float | None = None
    limit_text: str = ""


@dataclass(frozen=True)
class Pareto:
    """Bars from most to least with the line that adds them up (points in a box of 100 by `height`)."""

    bars: Bars
    line: str
    dots: tuple[Mark, ...]


def trend(points: Sequence[Point], goal: float | None, goal_text: str = "") -> Line:
    """A small line for a tile, its axis fitted to what it shows. Heights: 74 px, plot from 8 to 52."""
    values = [point.value for point in points if point.value is not None and point.is_mature]
    low, high = _fitted([*values, *([] if goal is None else [goal])])
    drawn = _line(points, goal, goal_text, low, high, width=TREND_WIDTH, top=8, bottom=52, height=74)
    return replace(drawn, labels=_end_labels(drawn))


def line(points: Sequence[Point], goal: float | None, goal_text: str, tick_text: Sequence[Mark] = ()) -> Line:
    """A large line from zero up, every week named. Heights: 300 px, plot from 24 to 264.

    `tick_text` are the ticks with their words, y being the value; see `ticks`.
    """
    high = max((mark.y for mark in tick_text), default=1.0)
    drawn = _line(points, goal, goal_text, 0.0, high, width=LINE_WIDTH, top=24, bottom=264, height=300)
    labels = tuple(
        Mark(mark.x, 288, mark.label, anchor="start" if index == 0 else "middle")
        for index, mark in enumerate(_places(points, LINE_WIDTH))
    )
    placed = [Mark(100, _y(mark.y, 0.0, high, 24, 264), mark.label, mark.text) for mark in tick_text]
    # The goal's own value stands among them; a tick too close to it gives way.
    free = tuple(mark for mark in placed if drawn.goal is None or abs(mark.y - drawn.goal.y) >= CLOSE)
    placed_points = _lows(drawn.points, drawn.bottom)
    last = placed_points[-1] if placed_points else None
    return replace(drawn, points=placed_points, last=last, labels=labels, ticks=free)


def ticks(high: float, count: int = 4) -> list[float]:
    """Round values from 0 to at least `high`, about `count` steps apart by 1, 2 or 5 times a power of ten."""
    if not math.isfinite(high) or high < SMALLEST:
        return [0.0, 1.0]
    raw = high / count
    power: float = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    steps = math.ceil(high / step - 1e-9)
    return [index * step for index in range(steps + 1)]


def clock_ticks(high: float, count: int = 4) -> list[float]:
    """The same for minutes: steps that a clock has, so that an axis says 6 h and not 8 h 20."""
    wanted = max(high, 0.0) / count
    step = next((each for each in CLOCK if each >= wanted * (1 - 1e-9)), 0)
    if not step:
        return [day * 1440 for day in ticks(high / 1440, count)]
    return [float(index * step) for index in range(max(1, math.ceil(high / step - 1e-9)) + 1)]


def bars(rows: Sequence[Share], limit: float | None = None, limit_text: str = "") -> Bars:
    """Shares as bars under each other; the limit is a share too."""
    placed = tuple(
        Bar(
            label=cut(row.label, LABEL),
            short=cut(row.label, SHORT_LABEL),
            y=21 + ROW * index,
            text_y=32 + ROW * index,
            x=BAR_FROM,
            width=round(_clamped(row.share) * BAR_FULL, 2),
            value=row.value,
            detail=row.detail,
            tick=None if row.own is None else round(BAR_FROM + _clamped(row.own) * BAR_FULL, 2),
            is_bad=row.is_bad,
        )
        for index, row in enumerate(rows)
    )
    at = None if limit is None else round(BAR_FROM + _clamped(limit) * BAR_FULL, 2)
    return Bars(18 + ROW * len(rows), placed, at, limit_text)


def pareto(rows: Sequence[tuple[str, int]], total: int) -> Pareto:
    """Counts from most to least, and the line of what they make together of the total.

    Rows of (label, count). Marked are the first ones, up to where they make four fifths.
    """
    whole = max(total, 1)
    together = 0
    placed, corners, dots = [], [], []
    for index, (label, count) in enumerate(rows):
        together += count
        share = together / whole
        y = 21 + ROW * index
        is_bad = (together - count) / whole < 0.8
        width = round(count / whole * PARETO_FULL, 2)
        placed.append(
            Bar(
                cut(label, LONG_LABEL),
                cut(label, NARROW_LABEL),
                y,
                y + 11,
                PARETO_FROM,
                width,
                f"{count:,}",
                f"{share:.0%}",
                is_bad=is_bad,
            )
        )
        corners.append(f"{share * 100:.1f},{y + 7}")
        dots.append(Mark(round(PARETO_FROM + share * PARETO_FULL, 2), y + 7, label, f"{share:.0%}"))
    limit = round(PARETO_FROM + 0.8 * PARETO_FULL, 2)
    return Pareto(
        Bars(18 + ROW * len(rows), tuple(placed), limit, "80 % of all"), " ".join(corners), tuple(dots)
    )


def cut(text: str, most: int) -> str:
    """A label of at most so many characters, ending in an ellipsis where it is cut."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _line(
    points: Sequence[Point],
    goal: float | None,
    goal_text: str,
    low: float,
    high: float,
    *,
    width: float,
    top: int,
    bottom: int,
    height: int,
) -> Line:
    def y(value: float) -> float:
        return _y(value, low, high, top, bottom)

    segments: list[list[str]] = [[]]
    marks, early = [], []
    drawn = [point.value is not None and point.is_mature for point in points]
    alone = []
    for index, (point, place) in enumerate(zip(points, _places(points, width), strict=True)):
        if point.value is None or not point.is_mature:
            segments.append([])
        if point.value is None:
            continue
        mark = Mark(place.x, y(point.value), point.label, point.text)
        if point.is_mature:
            segments[-1].append(f"{index},{mark.y}")
            marks.append(mark)
            if not any(drawn[max(0, index - 1) : index] + drawn[index + 1 : index + 2]):
                alone.append(mark)
        else:
            early.append(mark)
    return Line(
        width=width,
        height=height,
        bottom=bottom,
        box=max(1, len(points) - 1),
        segments=tuple(" ".join(part) for part in segments if len(part) > 1),
        alone=tuple(alone),
        points=tuple(marks),
        early=tuple(early),
        hatches=tuple(_hatches(points, width)),
        last=marks[-1] if marks else None,
        goal=None if goal is None else Mark(100, y(goal), goal_text, goal_text),
        labels=(),
    )


def _lows(points: Sequence[Mark], bottom: float) -> tuple[Mark, ...]:
    """The points, those below both neighbours marked, but where their words would stand on the axis."""
    found = []
    for index, point in enumerate(points):
        beside = [points[other].y for other in (index - 1, index + 1) if 0 <= other < len(points)]
        has_room = bool(beside) and point.y + LOW <= bottom
        found.append(replace(point, is_low=has_room and all(point.y > y for y in beside)))
    return tuple(found)


def _places(points: Sequence[Point], width: float) -> list[Mark]:
    """Where each week stands on the x axis."""
    step = width / max(1, len(points) - 1)
    return [Mark(round(index * step, 2), 0, point.label) for index, point in enumerate(points)]


def _hatches(points: Sequence[Point], width: float) -> list[Hatch]:
    """Bands over runs of weeks that are not mature, half a week to either side, within the plot."""
    step = width / max(1, len(points) - 1)
    found: list[tuple[int, int]] = []
    for index, point in enumerate(points):
        if point.is_mature:
            continue
        if found and found[-1][1] == index - 1:
            found[-1] = (found[-1][0], index)
        else:
            found.append((index, index))
    bands = []
    for first, last in found:
        start = max(0.0, (first - 0.5) * step)
        end = min(width, (last + 0.5) * step)
        bands.append(Hatch(round(start, 2), round(end - start, 2)))
    return bands


def _end_labels(line: Line) -> tuple[Mark, ...]:
    """The first week's name and the last mature one's, unless they would touch."""
    if line.last is None:
        return ()
    first, last = line.points[0], line.last
    labels = [Mark(last.x, 71, last.label, anchor="start" if last.x < 6 else "middle")]
    if last.x - first.x >= 32:
        labels.insert(0, Mark(first.x, 71, first.label, anchor="start" if first.x < 6 else "middle"))
    return tuple(labels)


def _fitted(values: Sequence[float]) -> tuple[float, float]:
    """The span of values with a tenth of air above and below."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    air = (high - low) * 0.1 or abs(high) * 0.1 or 1.0
    return low - air, high + air


def _y(value: float, low: float, high: float, top: int, bottom: int) -> float:
    share = (value - low) / (high - low) if high > low else 0.5
    return round(bottom - _clamped(share) * (bottom - top), 1)


def _clamped(share: float) -> float:
    return min(1.0, max(0.0, share))
