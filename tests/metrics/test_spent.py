"""Stacked bars: in the box, touching, in proportion; and the sums they show add up exactly."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.timing import Kind, Part
from metrics import spent
from metrics.charts.stack import FULL, Length, Piece, lengths
from metrics.spent import SLOTS
from tests.conftest import NOW

PIECES = st.lists(
    st.builds(Piece, st.floats(-5, 1e7), st.sampled_from(["a", "m1"]), st.text(max_size=12)), max_size=8
)
ROWS = st.lists(st.builds(Length, st.text(max_size=8), st.just(""), PIECES, st.just("")), max_size=6)


@given(rows=ROWS)
def test_segments_touch_and_stay_in_the_box(rows: list[Length]) -> None:
    drawn = lengths(rows)
    assert len(drawn.rows) == len(rows)
    for bar in drawn.rows:
        assert 0 < bar.label_y < bar.y < bar.text_y <= drawn.height
        place = 0.0
        for segment in bar.parts:
            assert segment.x == pytest.approx(place, abs=0.011)
            assert segment.width >= 0
            place = segment.x + segment.width
        assert place <= FULL + 0.02
    tops = [bar.y for bar in drawn.rows]
    assert tops == sorted(set(tops))


@given(rows=ROWS.filter(lambda rows: any(piece.size > 0 for row in rows for piece in row.pieces)))
def test_the_largest_takes_the_whole_width(rows: list[Length]) -> None:
    ends = [part.x + part.width for bar in lengths(rows).rows for part in bar.parts]
    assert max(ends) == pytest.approx(FULL, abs=0.02)


def test_nothing_and_noughts() -> None:
    assert lengths([]).height == 0
    [bar] = lengths([Length("All", "", [Piece(0.0, "a", "0 s")], "0 s")]).rows
    assert bar.parts == ()


def test_words_stand_only_where_there_is_room() -> None:
    [bar] = lengths([Length("All", "", [Piece(95, "a", "95 min"), Piece(5, "b", "5 min")], "100 min")]).rows
    assert [segment.text for segment in bar.parts] == ["95 min", ""]
    assert [segment.width for segment in bar.parts] == [72.2, 3.8]


# The sums

SPANS = st.integers(0, 10**13).map(lambda us: timedelta(microseconds=us))
PARTS = st.lists(
    st.builds(
        lambda kind, queue, elapsed, business: Part(
            kind, None, 1 if queue and kind == Kind.ROUTING else None, NOW, NOW, elapsed, business
        ),
        st.sampled_from(list(Kind)),
        st.booleans(),
        SPANS,
        SPANS,
    ),
    max_size=6,
)


@given(handoffs=st.lists(st.tuples(st.sampled_from(["demo", "standard"]), PARTS), max_size=6))
def test_the_parts_make_the_whole_exactly(handoffs: list[tuple[str, list[Part]]]) -> None:
    found = spent.add_up(handoffs)
    every = [part for _, parts in handoffs for part in parts]
    for base in ("elapsed", "business"):
        assert found[""].total(base) == sum((getattr(part, base) for part in every), timedelta(0))
        kinds = [sums.total(base) for name, sums in found.items() if name]
        assert found[""].total(base) == sum(kinds, timedelta(0))
        parties = found[""].by_party(base)
        assert timedelta(microseconds=parties.total()) == found[""].total(base)
        for party in ("marketing", "sales"):
            mine = sum((getattr(part, base) for part in every if part.party == party), timedelta(0))
            assert timedelta(microseconds=parties[party]) == mine
        if found[""].total(base):
            assert sum(found[""].share(base, slot) or 0 for slot in SLOTS) == pytest.approx(1)
    assert found[""].handoffs == len(handoffs)


def test_of_nothing_there_is_no_mean() -> None:
    sums = spent.add_up([])[""]
    assert sums.mean("elapsed") == timedelta(0)
    assert sums.share("elapsed", SLOTS[0]) is None
