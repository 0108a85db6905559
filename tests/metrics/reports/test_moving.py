"""What is called a move, and what is not: sentences by example, intervals by what they must hold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.intervals import wilson
from metrics.reports.moving import difference, moved


def metric(before: tuple[int, int], last: tuple[int, int], key: str = "acceptance_rate") -> dict[str, Any]:
    weeks = [
        {"week": name, "n": n, "of": of, "mature": True, "value": 7.5}
        for name, (n, of) in (("2026-W08", before), ("2026-W09", last))
    ]
    return {"key": key, "is_time": key.startswith("contact"), "weeks": weeks, "last": weeks[-1]}


def sentence(*weeks: tuple[int, int], key: str = "acceptance_rate") -> str:
    (move,) = moved([metric(*weeks, key)])
    return f"{move.way}|{move.text}"


def test_a_large_difference_of_many_is_a_move() -> None:
    assert sentence((70, 100), (40, 100)) == (
        "down|Acceptance rate: 70 % (70 of 100) in W08, 40 % (40 of 100) in W09. "
        "It is down by 16 to 42 points, by a 95 % interval."
    )
    assert sentence((40, 100), (70, 100)).startswith("up|")


def test_a_small_difference_or_one_of_few_is_none() -> None:
    assert sentence((70, 100), (66, 100)).endswith("No more than chance explains.")
    assert sentence((4, 5), (1, 5)).endswith("Too few to say that it moved.")
    assert sentence((40, 100), (0, 0)).endswith(
        "40 % (40 of 100) in W08, nothing in W09. Too few to say that it moved."
    )


def test_of_a_time_the_share_within_target_moves() -> None:
    said = sentence((80, 100), (40, 100), key="contact_demo")
    assert "7:30 (80 of 100 within target) in W08" in said
    assert "The share within target is down by" in said


def test_without_two_weeks_there_is_no_sentence() -> None:
    alone = metric((1, 1), (1, 1))
    assert moved([alone | {"last": None}]) == []
    assert moved([alone | {"weeks": alone["weeks"][1:]}]) == []
    assert moved([metric((0, 0), (0, 0))]) == []


def test_what_moved_comes_first() -> None:
    ways = [move.way for move in moved([metric((50, 100), (51, 100)), metric((90, 100), (10, 100))])]
    assert ways == ["down", ""]


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17, 857-872, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_of_a_share_is_the_published_one(hits: int, of: int, low: float, high: float) -> None:
    assert wilson(hits, of) == pytest.approx((low, high), abs=0.0001)


@pytest.mark.parametrize(
    ("one", "two", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17, 873-890, table II, method 10.
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_the_interval_of_a_difference_is_the_published_one(
    one: tuple[int, int], two: tuple[int, int], low: float, high: float
) -> None:
    assert difference(two, one) == pytest.approx((low, high), abs=0.0001)


pairs = st.integers(1, 500).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))


@given(pairs, pairs)
def test_the_interval_holds_the_difference_and_turns_with_it(
    one: tuple[int, int], two: tuple[int, int]
) -> None:
    low, high = difference(one, two)
    assert -1.000001 <= low <= two[0] / two[1] - one[0] / one[1] <= high <= 1.000001
    assert difference(two, one) == pytest.approx((-high, -low))
