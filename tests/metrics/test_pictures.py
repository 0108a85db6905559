"""The figures below the fold: marks within the box, labels apart, and the words fit the numbers."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics import pictures, shapes
from metrics.charts.funnel import Stage, funnel
from metrics.charts.heat import LEVELS, heat, level
from metrics.charts.spread import PLOT, Series, place, spread
from metrics.charts.stack import LEFT, RIGHT, shares
from metrics.terms import SHIPPED

BUCKETS = len(shapes.BORDERS) + 1
counts = st.lists(st.integers(0, 10_000), min_size=BUCKETS, max_size=BUCKETS) | st.just([0] * BUCKETS)
spans = st.integers(0, 10**7).map(lambda seconds: timedelta(seconds=seconds))


def test_the_borders_hold_the_targets_and_are_evenly_apart_on_the_log_scale() -> None:
    found = shapes.BORDERS
    assert len(found) == 17
    assert {timedelta(seconds=25), timedelta(minutes=5), timedelta(hours=1), timedelta(hours=12)} < set(found)
    assert (found[0], found[-1]) == (shapes.SHORTEST, shapes.LONGEST)
    places = [place(border, found) for border in found]
    assert all(right - left == pytest.approx(100 / BUCKETS, abs=0.15) for left, right in pairwise(places))
    assert places[-1] == pytest.approx(100 - 100 / BUCKETS, abs=0.01)


@settings(max_examples=120)
@given(st.lists(st.tuples(counts, st.none() | spans), max_size=2))
def test_a_spread_stays_within_its_box(drawn: list[tuple[list[int], timedelta | None]]) -> None:
    series = [Series("Demo", each, "n", target, "target") for each, target in drawn]
    figure = spread(series, shapes.BORDERS, pictures.NAMED)
    assert len(figure.panels) == len(series)
    for panel, (each, target) in zip(figure.panels, drawn, strict=True):
        assert len(panel.columns) == BUCKETS
        for column, count in zip(panel.columns, each, strict=True):
            assert column.x >= 0 and column.x + column.width <= 100.1
            assert column.y + column.height == pytest.approx(panel.base)
            assert 0 <= column.height <= PLOT
            assert (column.height > 0) == (count > 0)
        # Words stand in three lines of their own.
        lines = [
            panel.text_y,
            *([panel.target.y] if panel.target else []),
            *([panel.top.y] if panel.top else []),
        ]
        assert all(below - above >= 14 for above, below in pairwise(lines))
        assert (panel.top is None) == (not any(each))
        if target is not None and panel.target:
            late = [column.x for column in panel.columns if column.is_late]
            # What is green lies left of the dashed line, and the line does not cut through a green column.
            green = [column for column in panel.columns if not column.is_late]
            assert all(column.x + column.width <= panel.target.x + 0.05 for column in green)
            assert late
        assert panel.base <= figure.height
    bottoms = [0, *(panel.base for panel in figure.panels)]
    assert all(panel.text_y - 12 >= bottom for panel, bottom in zip(figure.panels, bottoms, strict=False))
    # 5 names of the axis, 36 px wide at most, do not touch on 328 px.
    assert all((right.x - left.x) * 3.28 >= 40 for left, right in pairwise(figure.ticks))


@given(st.lists(st.integers(0, 10_000), max_size=5))
def test_a_funnel_is_of_the_first_stage(each: list[int]) -> None:
    each.sort(reverse=True)
    figure = funnel([Stage(str(count), count, "") for count in each])
    assert len(figure.steps) == len(each)
    for step in figure.steps:
        assert step.width >= 0 and step.width + step.lost <= 100.02
        assert step.text_y < step.y < step.note_y <= figure.height
    assert [step.width for step in figure.steps] == sorted(
        (step.width for step in figure.steps), reverse=True
    )
    if each and each[0]:
        assert figure.steps[0].width == 100


@given(
    st.dictionaries(
        st.tuples(st.integers(1, 7), st.integers(0, 23)), st.tuples(st.floats(0, 1e6), st.text(max_size=3))
    ),
    st.floats(0, 1e6),
)
def test_a_heat_map_has_a_cell_for_each_hour(
    values: dict[tuple[int, int], tuple[float, str]], most: float
) -> None:
    figure = heat(values, pictures.DAYS, most)
    assert len({(cell.x, cell.y) for cell in figure.cells}) == 168
    for cell in figure.cells:
        assert cell.x >= 10 and cell.x + cell.width <= 100.1
        assert cell.y >= 0 and cell.y + cell.height < figure.height
        assert 0 <= cell.level <= LEVELS
    assert [mark.label for mark in figure.hours] == ["0:00", "6:00", "12:00", "18:00"]


def test_something_is_never_drawn_as_nothing() -> None:
    assert [level(value, 100) for value in (0, 0.1, 50, 100, 200)] == [0, 1, 2, 5, 5]
    assert level(1, 0) == 0


@given(st.lists(st.tuples(st.text(), st.lists(st.integers(0, 10**6), min_size=5, max_size=5)), max_size=20))
def test_a_stack_fills_its_row_and_no_more(rows: list[tuple[str, list[int]]]) -> None:
    figure = shares(rows, ["a", "b", "c", "d", "e"])
    for row, (_, each) in zip(figure.rows, rows, strict=True):
        assert row.y + 16 <= figure.height
        assert len(row.short) <= 9 and len(row.label) <= 24
        assert len(row.parts) == sum(count > 0 for count in each)
        if row.parts:
            assert row.parts[0].x == LEFT
            assert row.parts[-1].x + row.parts[-1].width == pytest.approx(RIGHT, abs=0.02)
            for left, right in pairwise(row.parts):
                assert left.x + left.width == pytest.approx(right.x, abs=0.02)
        assert all(part.width >= 2.3 * len(part.text) for part in row.parts)


def test_nothing_is_said_to_be_nothing() -> None:
    assert pictures.waits({"demo": [0] * BUCKETS, "standard": [0] * BUCKETS}, SHIPPED[0]).is_empty
    assert pictures.stages({stage: [0, None] for stage in shapes.STAGES}).is_empty
    assert pictures.hours({}).is_empty
    assert pictures.outcomes({}, "week").is_empty


def test_waits_say_what_is_within_the_target() -> None:
    demo = [0] * BUCKETS
    demo[4], demo[5] = 3, 1  # up to 5 minutes, and longer
    found = pictures.waits({"demo": demo, "standard": [0] * BUCKETS}, SHIPPED[0])
    assert found.spoken == "Time to first contact: demo 75 % within 5 min"
    assert found.figure.panels[0].note == "4 first contacts, 75 % within 5 min"
    assert found.rows[4] == ("up to 5:00", ("3", "0"))
    assert found.rows[-1][0] == "over 6 days"


def test_stages_name_the_leak() -> None:
    values = zip(shapes.STAGES, ([10, None], [9, 0.5], [9, 1.0], [5, 30.0], [4, 60.0]), strict=True)
    found = pictures.stages(dict(values))
    assert found.spoken == "Of 10 MQLs most are lost before acknowledged: 4 (44 %)"
    assert found.rows[3] == ("Acknowledged", "5", "50 %", "4", "30 min")


def test_one_late_of_one_is_not_as_dark_as_ten_of_ten() -> None:
    cells = {(day, hour): [0, 0, 0] for day in range(1, 8) for hour in range(24)}
    cells[1, 9], cells[2, 9] = [1, 1, 0], [10, 10, 0]
    found = pictures.hours(cells)
    one, ten = (next(cell for cell in found.late.cells if day in cell.text) for day in ("Mon 9:", "Tue 9:"))
    assert (one.level, ten.level) == (1, 4)
    assert found.spoken == "Most MQLs come Tue 9:00 to 10:00: 10 MQLs"
    assert found.rows[9] == ("9:00", ("1 (1 late)", "10 (10 late)", "", "", "", "", ""))


@pytest.mark.parametrize("by", ["week", "source"])
def test_ten_thousand_sources_are_cut_and_said(by: str) -> None:
    counted = {
        f"2026-W{n % 50 + 1:02d}" if by == "week" else f"s{n}": Counter(rejected=n) for n in range(10_000)
    }
    found = pictures.outcomes(counted, by)
    assert len(found.figure.rows) == 12
    assert found.left_out == len(counted) - 12
    assert len(found.rows) <= 50
