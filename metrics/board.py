"""The upper half of the dashboard: five tiles against their targets, and a figure's line over the weeks.

Figures in, plain values for the template out. Numbers come from `metrics.query`, places from
`metrics.charts`, words from `metrics.words`. Sources, reasons and people are `metrics.tables`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from metrics import charts, cohorts, words
from metrics.counted import Counted
from metrics.periods import Week, WeekRange
from metrics.words import MQLS, SHOWN, Reading, Shown, Status

# Gives the address of the list behind a figure: (shown, part, weeks, filters on top of the page's own).
Behind = Callable[[Shown, str, WeekRange, Mapping[str, str]], str]


@dataclass(frozen=True)
class Tile:
    """One of the five metrics: the last mature week, this week beside it, the line of the weeks before."""

    title: str
    status: Status
    value: str
    of: str
    more: str
    this_week: str
    trend: charts.Line
    spoken: str
    href: str


@dataclass(frozen=True)
class WeekRow:
    """A week of the data table: what it is, and numerator and denominator with their lists."""

    name: str
    days: str
    value: str
    between: str
    numerator: str
    denominator: str
    hits_href: str
    counted_href: str
    is_early: bool
    mature_on: str


@dataclass(frozen=True)
class Weekly:
    """The line of one figure over the weeks with its table; `goal` says what the dashed line is."""

    shown: Shown
    line: charts.Line
    spoken: str
    goal: str
    rows: tuple[WeekRow, ...]
    early: int


class Board:
    """The figures of some weeks, counted once; each part of the page is worked out from them."""

    def __init__(self, counted: Counted, behind: Behind) -> None:
        self.weeks = counted.weeks
        self.zone = self.weeks.zone
        self.as_of = counted.terms.as_of
        self.target = counted.terms.at_end(self.weeks.span)
        self.judged_by = words.judged_by(counted.terms, self.weeks.span, self.zone)
        self.behind = behind
        self.by_week = counted.by_week
        self.by_source = counted.by_source
        anchor = self.anchor
        self.by_source_in_week = counted.by_source_in(anchor) if anchor else {}

    # Tiles

    def tiles(self) -> list[Tile]:
        return [
            self._tile(SHOWN["acceptance_rate"], words.judge_acceptance),
            self._contact_tile(),
            self._tile(
                SHOWN["mql_to_opportunity"],
                lambda reading: words.judge_opportunity(reading, self._baseline(SHOWN["mql_to_opportunity"])),
            ),
            self._tile(SHOWN["rejection_rate"], lambda reading: self._judge_sources()),
            self._tile(SHOWN["black_hole_rate"], words.judge_black_holes),
        ]

    def _tile(self, shown: Shown, judge: Callable[[Reading], Status]) -> Tile:
        week = self._mature_week(shown)
        reading = self._reading(shown, week)
        of = f"of {reading.denominator:,} {shown.counted}" if reading.denominator else ""
        return Tile(
            title=shown.title,
            status=judge(reading),
            value=words.told(reading, shown),
            of=", ".join(part for part in (of, _in(week)) if part),
            more=f"{_hits(reading, shown)}. {self._target(shown)}",
            this_week=self._this_week(shown),
            trend=self._trend(shown),
            spoken=self._spoken(shown),
            href=self._week_href(shown, week),
        )

    def _contact_tile(self) -> Tile:
        demo, standard = SHOWN["contact_demo"], SHOWN["contact_standard"]
        week = self._mature_week(demo)
        quick, usual = self._reading(demo, week), self._reading(standard, week)
        contacted = quick.denominator + usual.denominator
        return Tile(
            title="Time to first contact",
            status=words.judge_contact(quick, usual, self.target),
            value=words.text(quick.value, demo),
            of=f"demo, {_in(week)}",
            more=f"{words.text(usual.value, standard)} standard; medians of {contacted:,}."
            f" Target {self._agreed(demo)} and {self._agreed(standard)}",
            this_week=self._this_week(demo, "demo"),
            trend=self._trend(demo),
            spoken=self._spoken(demo),
            href=self._week_href(demo, week, {"type": ""}),
        )

    def _this_week(self, shown: Shown, what: str = "") -> str:
        """The week that is not over yet, or the last of the range when the page looks back."""
        week = self.weeks.last
        if week == self._mature_week(shown):
            return ""
        reading = self._reading(shown, week)
        if not reading.denominator:
            return f"{words.short(week)} so far: none {shown.counted}"
        kind = f" {what}" if what else ""
        if not shown.is_time and reading.denominator < words.ENOUGH:
            return f"{words.short(week)} so far: {words.told(reading, shown)}{kind}"
        value = words.text(reading.value, shown)
        return f"{words.short(week)} so far: {value} of {reading.denominator:,}{kind}"

    def _target(self, shown: Shown) -> str:
        if shown.key == "acceptance_rate":
            return f"Target above {self._agreed(shown)}"
        if shown.key == "black_hole_rate":
            return f"Target below {self._agreed(shown)}"
        baseline = self._baseline(shown)
        own = "" if baseline is None else f"Own baseline {words.share(baseline)}"
        if shown.key == "rejection_rate":
            return f"{own}; alarm above {words.share(words.SOURCE_ALARM)} a source".lstrip("; ")
        return own

    def _judge_sources(self) -> Status:
        """Looks at each source over all the weeks shown: a single week of one source says little."""
        rejection = SHOWN["rejection_rate"]
        return words.judge_rejection([words.read(each, rejection) for each in self.by_source.values()])

    def _baseline(self, shown: Shown) -> float | None:
        """The share over all mature weeks shown, pooled; None for times and where nothing counts."""
        if shown.is_time:
            return None
        readings = [self._reading(shown, week) for week in self.weeks if self._is_mature(shown, week)]
        counted = sum(reading.denominator for reading in readings)
        return sum(reading.numerator for reading in readings) / counted if counted else None

    def _trend(self, shown: Shown) -> charts.Line:
        goal, goal_text = self._goal(shown)
        return charts.trend(self._points(shown), goal, goal_text)

    def _goal(self, shown: Shown) -> tuple[float | None, str]:
        """The dashed line: the target, or where there is none the own baseline."""
        goal, text = words.goal_of(shown, self.target)
        if goal is not None:
            return goal, text
        baseline = self._baseline(shown)
        return baseline, "" if baseline is None else words.share(baseline)

    def _agreed(self, shown: Shown) -> str:
        return words.goal_of(shown, self.target)[1]

    def _kind(self, shown: Shown) -> str:
        return "target" if self._agreed(shown) else "own baseline"

    def _points(self, shown: Shown) -> list[charts.Point]:
        points = []
        for week in self.weeks:
            reading = self._reading(shown, week)
            text = words.text(reading.value, shown)
            points.append(charts.Point(words.short(week), reading.value, text, self._is_mature(shown, week)))
        return points

    def _spoken(self, shown: Shown) -> str:
        """The finding of the line in a sentence, for the figure's title."""
        mature = [point for point in self._points(shown) if point.is_mature and point.value is not None]
        if not mature:
            return f"{shown.title}: no mature week to show yet"
        values = sorted((point.value or 0.0, point.text) for point in mature)
        low, high = values[0][1], values[-1][1]
        span = mature[0].label if len(mature) == 1 else f"{mature[0].label} to {mature[-1].label}"
        between = low if low == high else f"between {low} and {high}"
        goal, goal_text = self._goal(shown)
        against = f"; {self._kind(shown)} {goal_text}" if goal is not None else ""
        early = len(self.weeks) - sum(self._is_mature(shown, week) for week in self.weeks)
        waiting = f". {words.many(early, 'week')} not mature" if early else ""
        return f"{shown.title}, {span}: {between}, last {mature[-1].text}{against}{waiting}"

    # The line over the weeks

    def weekly(self, shown: Shown) -> Weekly:
        points = self._points(shown)
        goal, goal_text = self._goal(shown)
        high = max([point.value for point in points if point.value is not None] + [goal or 0.0])
        marks = [charts.Mark(100, value, words.text(value, shown)) for value in _ticks(high, shown)]
        rows = tuple(self._week_row(shown, week) for week in reversed(list(self.weeks)))
        return Weekly(
            shown=shown,
            line=charts.line(points, goal, goal_text, marks),
            spoken=self._spoken(shown),
            goal="" if goal is None else f"{self._kind(shown)}, {goal_text}",
            rows=rows,
            early=sum(row.is_early for row in rows),
        )

    def _week_row(self, shown: Shown, week: Week) -> WeekRow:
        reading = self._reading(shown, week)
        alone = self.weeks.only(week)
        ripe = cohorts.mature_at(week, shown.measure, self.zone)
        return WeekRow(
            name=words.short(week),
            days=words.days_of(week),
            value=words.text(reading.value, shown),
            between="" if shown.is_time else words.between(reading),
            numerator=f"{reading.numerator:,}",
            denominator=f"{reading.denominator:,}",
            hits_href=self.behind(shown, "hits", alone, {}) if reading.numerator else "",
            counted_href=self.behind(shown, "all", alone, {}) if reading.denominator else "",
            is_early=not self._is_mature(shown, week),
            mature_on=f"{ripe.day} {ripe:%B}",
        )

    # Shared

    @property
    def mqls(self) -> str:
        """MQLs of the last week shown, in words."""
        found = self.by_week.get(self.weeks.last.name)
        return words.many(found.mqls if found else 0, "MQL")

    @property
    def mqls_href(self) -> str:
        """Where their list is; "" for none."""
        if self.weeks.last.name not in self.by_week:
            return ""
        return self.behind(MQLS, "all", self.weeks.only(self.weeks.last), {})

    @property
    def anchor(self) -> Week | None:
        """The last week whose rejections are mature."""
        return self._mature_week(SHOWN["rejection_rate"])

    def _reading(self, shown: Shown, week: Week | None) -> Reading:
        return words.read(self.by_week.get(week.name) if week else None, shown)

    def _is_mature(self, shown: Shown, week: Week) -> bool:
        return cohorts.is_mature(week, shown.measure, self.zone, self.as_of)

    def _mature_week(self, shown: Shown) -> Week | None:
        return cohorts.last_mature(self.weeks, shown.measure, self.zone, self.as_of)

    def _week_href(self, shown: Shown, week: Week | None, extra: Mapping[str, str] | None = None) -> str:
        return self.behind(shown, "all", self.weeks.only(week or self.weeks.last), extra or {})


def _hits(reading: Reading, shown: Shown) -> str:
    """What the numerator is, with what the share may be."""
    interval = words.between(reading)
    return f"{reading.numerator:,} {shown.hits}" + (f" (95 % interval {interval})" if interval else "")


def _in(week: Week | None) -> str:
    return words.short(week) if week else "no mature week yet"


def _ticks(high: float, shown: Shown) -> list[float]:
    """Round values for the axis: whole minutes, or shares of at most 1."""
    if shown.is_time:
        return charts.clock_ticks(high)
    return [value for value in charts.ticks(max(high, 0.1)) if value <= 1.0 + 1e-9]
