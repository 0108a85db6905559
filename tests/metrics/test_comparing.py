"""Whether a share or a volume moved: by example, by symmetry, and never from too few."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.comparing import Compared, Moved, proportions, volumes
from metrics.figures import Rate
from metrics.intervals import wilson

RATES = st.integers(0, 400).flatmap(lambda n: st.integers(0, n).map(lambda x: Rate(x, n)))
OPPOSITE = {Moved.UP: Moved.DOWN, Moved.DOWN: Moved.UP}


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(0, 0, 0.0, 1.0), (0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)],
)
def test_the_interval_of_the_literature(hits: int, of: int, low: float, high: float) -> None:
    found = wilson(hits, of)
    assert found == pytest.approx((low, high), abs=1e-4)


@given(rate=RATES)
def test_an_interval_holds_its_share_within_nought_and_one(rate: Rate) -> None:
    low, high = wilson(rate.numerator, rate.denominator)
    assert 0 <= low <= high <= 1
    if rate.value is not None:
        assert low - 1e-9 <= rate.value <= high + 1e-9


@given(rate=RATES.filter(lambda rate: rate.denominator > 0), times=st.integers(2, 20))
def test_more_of_the_same_is_surer(rate: Rate, times: int) -> None:
    low, high = wilson(rate.numerator, rate.denominator)
    closer, nearer = wilson(rate.numerator * times, rate.denominator * times)
    assert nearer - closer < high - low


@pytest.mark.parametrize(
    ("now", "before", "moved"),
    [
        (Rate(60, 100), Rate(40, 100), Moved.UP),  # z = 2.83
        (Rate(40, 100), Rate(60, 100), Moved.DOWN),
        (Rate(53, 100), Rate(47, 100), Moved.SAME),  # z = 0.85
        (Rate(57, 100), Rate(43, 100), Moved.UP),  # z = 1.98
        (Rate(56, 100), Rate(43, 100), Moved.SAME),  # z = 1.84
        (Rate(9, 9), Rate(0, 9), Moved.UNKNOWN),  # 4.5 expected
        (Rate(10, 10), Rate(0, 10), Moved.UP),
        (Rate(0, 0), Rate(50, 100), Moved.UNKNOWN),
        (Rate(0, 100), Rate(0, 100), Moved.UNKNOWN),
    ],
)
def test_two_proportions(now: Rate, before: Rate, moved: Moved) -> None:
    assert proportions(now, before) == moved
    assert Compared(now, before).moved == moved


@given(now=RATES, before=RATES)
def test_the_test_looks_the_same_from_either_side(now: Rate, before: Rate) -> None:
    found = proportions(now, before)
    assert proportions(before, now) == OPPOSITE.get(found, found)
    other = Compared(now, before).opposite
    assert other.moved == OPPOSITE.get(found, found)
    assert other.opposite == Compared(now, before)


@given(rate=RATES)
def test_the_same_share_has_not_moved(rate: Rate) -> None:
    assert proportions(rate, rate) in (Moved.SAME, Moved.UNKNOWN)


@pytest.mark.parametrize(
    ("counts", "moved"),
    [
        ((60, 4, 120, 12), Moved.UP),  # 15 a week after 10
        ((40, 4, 120, 12), Moved.SAME),
        ((20, 4, 120, 12), Moved.DOWN),
        ((4, 4, 8, 12), Moved.UNKNOWN),  # 3 expected
        ((9, 0, 9, 4), Moved.UNKNOWN),
    ],
)
def test_volumes_a_week(counts: tuple[int, int, int, int], moved: Moved) -> None:
    assert volumes(*counts) == moved


@given(
    now=st.integers(0, 500), before=st.integers(0, 500), weeks=st.integers(1, 8), earlier=st.integers(1, 12)
)
def test_volumes_agree_with_the_formula(now: int, before: int, weeks: int, earlier: int) -> None:
    p, n = weeks / (weeks + earlier), now + before
    found = volumes(now, weeks, before, earlier)
    if n * min(p, 1 - p) < 5:
        assert found == Moved.UNKNOWN
    else:
        z = (now / n - p) / math.sqrt(p * (1 - p) / n)
        assert (found in (Moved.UP, Moved.DOWN)) == (abs(z) >= 1.959964) or abs(abs(z) - 1.959964) < 1e-9
