"""The interval holds what it must: the share, the ends, and what is known of it from the literature."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.intervals import wilson

cases = st.integers(0, 10_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))


# Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998).
@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_it_is_the_published_one(hits: int, of: int, low: float, high: float) -> None:
    assert wilson(hits, of) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@given(cases)
def test_it_holds_the_share_and_lies_between_none_and_all(case: tuple[int, int]) -> None:
    hits, of = case
    low, high = wilson(hits, of)
    assert 0 <= low < high <= 1
    if of:
        assert low <= hits / of <= high
    assert (low == 0) == (hits == 0)
    assert (high == 1) == (hits == of)


@given(cases)
def test_the_other_half_is_its_mirror(case: tuple[int, int]) -> None:
    hits, of = case
    low, high = wilson(hits, of)
    assert wilson(of - hits, of) == (pytest.approx(1 - high), pytest.approx(1 - low))


@given(cases, st.integers(2, 20))
def test_more_cases_say_more(case: tuple[int, int], times: int) -> None:
    hits, of = case
    low, high = wilson(hits, of)
    many = wilson(hits * times, of * times)
    assert many[1] - many[0] <= high - low


@given(cases.filter(lambda case: case[0] < case[1]))
def test_one_hit_more_moves_it_up(case: tuple[int, int]) -> None:
    hits, of = case
    assert all(more >= less for less, more in zip(wilson(hits, of), wilson(hits + 1, of), strict=True))


@pytest.mark.parametrize(("hits", "of"), [(-1, 4), (5, 4), (0, -1)])
def test_what_is_no_share_is_refused(hits: int, of: int) -> None:
    with pytest.raises(ValueError, match="is no share"):
        wilson(hits, of)
