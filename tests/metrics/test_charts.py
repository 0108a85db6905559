"""Where the marks stand: within the figure, in order, and honest about what is not there."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics import charts
from metrics.charts import Point, Share

values = st.none() | st.floats(0, 1e6, allow_nan=False)
points = st.lists(
    st.builds(Point, st.text(max_size=4), values, st.text(max_size=6), st.booleans()), max_size=24
)


def week(number: int, value: float | None, mature: bool = True) -> Point:
    return Point(f"W{number:02d}", value, "" if value is None else f"{value:.0%}", mature)


@settings(max_examples=150, deadline=None)
@given(points, st.none() | st.floats(0, 1e6))
def test_every_mark_is_within_the_figure(shown: list[Point], goal: float | None) -> None:
    high = max([point.value for point in shown if point.value is not None] + [goal or 0])
    ticks = [charts.Mark(100, value, "x") for value in charts.ticks(high)]
    for line in (charts.trend(shown, goal), charts.line(shown, goal, "goal", ticks)):
        marks = [*line.points, *line.early, *line.labels, *line.ticks, *([line.goal] if line.goal else [])]
        assert all(0 <= mark.x <= 100 and 0 <= mark.y <= line.height for mark in marks)
        assert all(hatch.x >= 0 and hatch.x + hatch.width <= line.width + 0.02 for hatch in line.hatches)
        assert [mark.x for mark in line.points] == sorted(mark.x for mark in line.points)
        mature = [point for point in shown if point.is_mature and point.value is not None]
        assert len(line.points) == len(mature)
        assert len(line.points) + len(line.early) == sum(point.value is not None for point in shown)
        assert (line.last is None) == (not mature)
        for segment in line.segments:
            corners = segment.split(" ")
            assert len(corners) > 1
            assert all(0 <= int(corner.split(",")[0]) <= line.box for corner in corners)


def test_the_line_leaves_out_what_is_not_mature_and_breaks_where_a_week_is_missing() -> None:
    shown = [week(1, 0.5), week(2, 0.6), week(3, None), week(4, 0.7), week(5, 0.8), week(6, 0.1, False)]
    line = charts.trend(shown, 0.7, "70 %")
    assert len(line.segments) == 2
    assert [segment.split(",")[0] for segment in line.segments] == ["0", "3"]
    assert line.last is not None
    assert line.last.label == "W05"
    assert [mark.label for mark in line.early] == ["W06"]
    (hatch,) = line.hatches
    assert hatch.x == pytest.approx(4.5 * charts.TREND_WIDTH / 5, abs=0.01)


def test_weeks_that_are_not_mature_share_one_band() -> None:
    shown = [week(1, 0.5, False), week(2, 0.5), *(week(number, None, False) for number in (3, 4, 5))]
    bands = charts.trend(shown, None).hatches
    assert [(band.x, band.width) for band in bands] == [(0.0, 8.75), (26.25, 43.75)]


def test_a_higher_value_stands_higher() -> None:
    line = charts.trend([week(1, 0.2), week(2, 0.9), week(3, 0.5)], 0.7, "70 %")
    first, second, third = (mark.y for mark in line.points)
    assert second < third < first
    assert line.goal is not None
    assert second < line.goal.y < third


@pytest.mark.parametrize("shown", [[], [week(1, None)], [week(1, 0.5)], [week(n, 0.0) for n in (1, 2)]])
def test_nothing_one_point_and_all_zero_can_be_drawn(shown: list[Point]) -> None:
    ticks = [charts.Mark(100, value, "x") for value in charts.ticks(0)]
    for line in (charts.trend(shown, None), charts.line(shown, None, "", ticks)):
        assert line.is_empty == (not any(point.value is not None for point in shown))
        assert all(math.isfinite(mark.y) for mark in line.points)


def test_the_words_of_a_low_point_go_below_it() -> None:
    shown = [week(1, 0.5), week(2, 0.2), week(3, 0.9), week(4, 0.9), week(5, 0.1)]
    ticks = [charts.Mark(100, value, str(value)) for value in (0.0, 0.5, 1.0)]
    line = charts.line(shown, 0.52, "52 %", ticks)
    assert [mark.is_low for mark in line.points] == [False, True, False, False, True]
    assert line.last == line.points[-1]
    # The tick beside the goal's own value gives way to it.
    assert [mark.label for mark in line.ticks] == ["0.0", "1.0"]


def test_labels_of_a_short_line_do_not_touch() -> None:
    shown = [week(1, 0.5), week(2, 0.6), *(week(number, None, False) for number in range(3, 13))]
    assert [label.label for label in charts.trend(shown, None).labels] == ["W02"]
    whole = charts.trend([week(number, 0.5) for number in range(1, 13)], None)
    assert [label.label for label in whole.labels] == ["W01", "W12"]


@settings(max_examples=200, deadline=None)
@given(st.floats(1e-6, 1e9))
def test_ticks_are_round_and_reach_the_highest_value(high: float) -> None:
    found = charts.ticks(high)
    assert found[0] == 0
    assert found[-1] >= high * (1 - 1e-9)
    assert 2 <= len(found) <= 6
    step = found[1]
    digit = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert any(digit == pytest.approx(round_step) for round_step in (1, 2, 5, 10))


@pytest.mark.parametrize(
    ("high", "expected"),
    [
        (0, [0, 1]),
        (5e-324, [0, 1]),
        (math.inf, [0, 1]),
        (0.95, [0, 0.5, 1]),
        (75, [0, 20, 40, 60, 80]),
        (12, [0, 5, 10, 15]),
    ],
)
def test_ticks(high: float, expected: list[float]) -> None:
    assert charts.ticks(high) == pytest.approx(expected)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.builds(Share, st.text(), st.floats(-1, 2), st.text(), st.text(), st.none() | st.floats(-1, 2)),
        max_size=12,
    )
)
def test_bars_stay_within_their_part(rows: list[Share]) -> None:
    drawn = charts.bars(rows, 0.6, "alarm")
    assert len(drawn.rows) == len(rows)
    for bar in drawn.rows:
        assert 0 <= bar.width <= charts.BAR_FULL
        assert bar.y + 14 <= drawn.height
        assert bar.tick is None or charts.BAR_FROM <= bar.tick <= charts.BAR_FROM + charts.BAR_FULL
    assert drawn.limit == charts.BAR_FROM + 0.6 * charts.BAR_FULL


def test_a_pareto_adds_up_and_marks_the_first_four_fifths() -> None:
    drawn = charts.pareto([("a", 50), ("b", 25), ("c", 15), ("d", 10)], 100)
    assert [dot.text for dot in drawn.dots] == ["50%", "75%", "90%", "100%"]
    assert [bar.is_bad for bar in drawn.bars.rows] == [True, True, True, False]
    assert [bar.width for bar in drawn.bars.rows] == sorted(
        (bar.width for bar in drawn.bars.rows), reverse=True
    )
    assert charts.pareto([], 0).line == ""


def test_long_labels_are_cut() -> None:
    assert charts.cut("Content syndication", 12) == "Content syn…"
    assert charts.cut("Webinar", 12) == "Webinar"
    assert len(charts.cut("x" * 500, 20)) == 20


def test_a_week_alone_between_missing_ones_is_a_dot_of_its_own() -> None:
    shown = [week(1, 0.5), week(2, None), week(3, 0.6), week(4, 0.7), week(5, None), week(6, 0.8, False)]
    line = charts.trend(shown, None)
    assert [mark.label for mark in line.alone] == ["W01"]
    assert len(line.segments) == 1


def test_words_go_below_a_low_point_only_where_they_do_not_stand_on_the_axis() -> None:
    ticks = [charts.Mark(100, value, "x") for value in charts.ticks(1.0)]
    high = charts.line([week(1, 0.9), week(2, 0.5), week(3, 0.9)], None, "", ticks)
    low = charts.line([week(1, 0.9), week(2, 0.0), week(3, 0.9)], None, "", ticks)
    assert [mark.is_low for mark in high.points] == [False, True, False]
    assert [mark.is_low for mark in low.points] == [False, False, False]


@given(st.floats(0, 1e6))
def test_the_axis_of_a_time_has_the_steps_of_a_clock(high: float) -> None:
    ticks = charts.clock_ticks(high)
    assert ticks[0] == 0 and ticks[-1] >= high * (1 - 1e-6) and 2 <= len(ticks) <= 6
    step = ticks[1]
    assert step in charts.CLOCK or step % 1440 == 0
    assert ticks == pytest.approx([index * step for index in range(len(ticks))])


def test_hours_and_days_are_whole_on_the_axis() -> None:
    assert charts.clock_ticks(1500) == [0, 720, 1440, 2160]
    assert charts.clock_ticks(100) == [0, 30, 60, 90, 120]
    assert charts.clock_ticks(0) == [0, 1]
