"""By which version of the agreement a moment and a span are judged, and how that is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.agreement import SHIPPED_FIGURE
from metrics import words
from metrics.periods import EVERYTHING, Span
from metrics.terms import SHIPPED, Target, Terms
from routing import sla

DAY = timedelta(days=1)
START = datetime(2026, 9, 7, tzinfo=UTC)


def versions(*days: int) -> tuple[Target, ...]:
    """Version 1 of all time before, and one more from each day on; version n wants 5 n minutes of demos."""
    starts = [None, *(START + day * DAY for day in days)]
    ends = [*starts[1:], None]
    return tuple(
        Target(start, end, {"demo": timedelta(minutes=5 * n), "standard": timedelta(hours=1)}, version=n)
        for n, (start, end) in enumerate(zip(starts, ends, strict=True), 1)
    )


def test_what_is_shipped_stands_where_it_is_made() -> None:
    minutes = {kind: each / timedelta(minutes=1) for kind, each in SHIPPED[0].contact.items()}
    assert (
        minutes == {str(kind): most for kind, most in SHIPPED_FIGURE.items()} == {"demo": 5, "standard": 60}
    )
    accept = {policy.lead_type: policy.accept.minutes for policy in sla.default_policies()}
    assert {kind: each / timedelta(minutes=1) for kind, each in SHIPPED[0].accept.items()} == accept


@pytest.mark.parametrize(("day", "number"), [(-10_000, 1), (-1, 1), (0, 2), (1, 2), (7, 3), (900, 3)])
def test_a_moment_is_judged_by_the_version_of_its_time(day: int, number: int) -> None:
    assert Terms(START, versions(0, 7)).target(START + day * DAY).version == number


@pytest.mark.parametrize(
    ("first", "last", "as_of", "numbers"),
    [
        (-14, -7, 900, [1]),
        (-7, 0, 900, [1]),  # the second begins when the span is over
        (-7, 1, 900, [1, 2]),
        (0, 7, 900, [2]),
        (-7, 14, 900, [1, 2, 3]),
        (-7, 14, 3, [1, 2]),  # the third has not begun at the moment that is looked at
        (-7, 14, -1, [1]),
        (8, 14, 900, [3]),
    ],
)
def test_the_versions_of_a_span(first: int, last: int, as_of: int, numbers: list[int]) -> None:
    terms = Terms(START + as_of * DAY, versions(0, 7))
    span = Span(START + first * DAY, START + last * DAY)
    assert [target.version for target in terms.within(span)] == numbers
    assert terms.at_end(span).version == numbers[-1]


@given(
    days=st.lists(st.integers(-40, 40), unique=True, max_size=4).map(sorted),
    first=st.integers(-50, 50),
    length=st.integers(1, 30),
    as_of=st.integers(-60, 60),
)
def test_whoever_is_judged_in_a_span_is_judged_by_one_of_its_versions(
    days: list[int], first: int, length: int, as_of: int
) -> None:
    terms = Terms(START + as_of * DAY, versions(*days))
    found = terms.within(Span(START + first * DAY, START + (first + length) * DAY))
    assert found[-1] == terms.at_end(Span(None, START + (first + length) * DAY))
    judged = {terms.target(START + day * DAY).version for day in range(first, min(first + length, as_of + 1))}
    # Until the moment that is looked at, each version of the span judges somebody.
    assert judged <= {target.version for target in found}
    assert not judged or judged == {target.version for target in found}
    assert terms.within(EVERYTHING)[-1] == terms.at_end(EVERYTHING) == terms.target(terms.as_of)


def test_it_is_said_by_which_version_and_that_it_changed() -> None:
    weeks = Span(START - 7 * DAY, START + 7 * DAY)
    said = words.judged_by(Terms(START + DAY), weeks, "UTC")
    assert said == "First contact is held against the targets as shipped: demo 5 min, standard 60 min"
    terms = Terms(START + DAY, versions(0))
    earlier = Span(START - 7 * DAY, START)
    assert words.judged_by(terms, earlier, "UTC") == (
        "First contact is held against version 1 of the agreement: demo 5 min, standard 60 min"
    )
    same = tuple(replace(each, contact=versions(0)[0].contact) for each in versions(0))
    assert words.judged_by(Terms(START + DAY, same), weeks, "UTC") == (
        "Version 2 of the agreement holds since 7 September 2026; first contact is held against the same "
        "times as before it: demo 5 min, standard 60 min"
    )
    assert words.judged_by(terms, weeks, "UTC") == (
        "Version 2 of the agreement holds since 7 September 2026: demo 10 min, standard 60 min. Before it in "
        "these weeks version 1, demo 5 min, standard 60 min. Each handoff is judged by the version of its "
        "time; the targets and verdicts are those of the last one"
    )
