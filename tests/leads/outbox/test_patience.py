"""Backoff, the breaker and the rate budget: whatever happens, they keep within their bounds."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from leads.outbox.patience import (
    FIRST_PROBE,
    IN_A_ROW,
    LONGEST_PROBE,
    LONGEST_RETRY_AFTER,
    LONGEST_WAIT,
    LOOKED_AT,
    MOST_STATE_ATTEMPTS,
    WEBHOOK_WAITS,
    Breaker,
    Bucket,
    most_attempts,
    throttled_wait,
    wait,
)
from tests.conftest import NOW

CHANCES = st.floats(0, 1)
ASKED = st.none() | st.integers(0, 10**6).map(lambda seconds: timedelta(seconds=seconds))


@given(st.booleans(), st.integers(1, 500), CHANCES, ASKED)
def test_a_wait_is_never_shorter_than_asked_and_never_longer_than_a_day_and_a_tenth(
    is_state, attempts, chance, asked
):
    waiting = wait(is_state, attempts, chance, asked)
    least = min(asked or timedelta(0), LONGEST_RETRY_AFTER)
    most = LONGEST_WAIT if is_state else WEBHOOK_WAITS[-1] * 1.1
    assert least <= waiting <= max(least, most)


@given(st.integers(1, 500), CHANCES)
def test_a_state_backs_off_by_full_jitter_below_a_doubling_ceiling(attempts, chance):
    ceiling = min(900.0, 5 * 2.0 ** (attempts - 1))
    assert abs(wait(True, attempts, chance).total_seconds() - ceiling * chance) < 1e-3


@given(st.integers(1, 9), CHANCES)
def test_an_event_keeps_the_published_schedule(attempts, chance):
    plain = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)[attempts - 1]
    assert plain <= wait(False, attempts, chance).total_seconds() <= plain * 1.1


def test_how_often_and_how_long_is_tried():
    assert (most_attempts(False), most_attempts(True)) == (10, MOST_STATE_ATTEMPTS)
    # The tenth attempt is made some 75 hours after the first.
    assert sum(WEBHOOK_WAITS, timedelta(0)) == timedelta(hours=75, minutes=35, seconds=5)
    # In the middle of the jitter, a state is asked for through about half a day, at most through a day.
    waits = [wait(True, attempt, 1) for attempt in range(1, MOST_STATE_ATTEMPTS)]
    assert timedelta(hours=20) < sum(waits, timedelta(0)) < timedelta(hours=25)


@given(CHANCES, ASKED)
def test_who_asks_to_wait_is_waited_for_and_a_tenth_longer_at_most(chance, asked):
    least = timedelta(seconds=10) if asked is None else min(asked, LONGEST_RETRY_AFTER)
    assert least <= throttled_wait(chance, asked) <= least * 1.1


STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 2000)), max_size=80)


@given(STEPS)
def test_the_breaker_opens_and_closes_as_stated(steps):
    """A model told in other words: what was seen since the last good probe, one outcome after the other."""
    breaker, moment, row, seen = Breaker(), NOW, 0, []
    for is_good, seconds in steps:
        moment += timedelta(seconds=seconds)
        if breaker.lets(moment) == 0:
            assert breaker.probe_at > moment
            continue
        was_open, trips = breaker.is_open, breaker.trips
        assert breaker.lets(moment) == (1 if was_open else None)
        breaker = breaker.after([is_good], moment)
        row = 0 if is_good else row + 1
        seen = [] if is_good and was_open else seen
        seen = [*seen, is_good][-LOOKED_AT:]
        if is_good:
            assert not breaker.is_open and breaker.trips == 0
            continue
        half = len(seen) == LOOKED_AT and seen.count(False) * 2 >= LOOKED_AT
        assert breaker.is_open == (was_open or row >= IN_A_ROW or half)
        if breaker.is_open:
            assert breaker.probe_at == moment + min(LONGEST_PROBE, FIRST_PROBE * 2**trips)
            assert breaker.trips == trips + 1


@given(st.lists(st.booleans(), max_size=60))
def test_what_the_breaker_keeps_fits_its_columns(outcomes):
    breaker = Breaker().after(outcomes, NOW)
    assert len(breaker.outcomes) <= LOOKED_AT
    assert breaker.failures <= len(outcomes)


TAKES = st.lists(st.tuples(st.floats(-3, 20), st.integers(0, 40)), min_size=1, max_size=60)


@given(st.floats(0.1, 200), st.integers(1, 50), TAKES)
def test_no_stretch_of_time_sees_more_calls_than_burst_and_rate_allow(rate, burst, takes):
    bucket, moment, made = Bucket(rate, burst), NOW, []
    for seconds, wanted in takes:
        moment += timedelta(seconds=seconds)
        given_ = min(wanted, bucket.room(moment))
        assert 0 <= given_ <= burst
        if given_:
            bucket = bucket.less(given_, moment)
            assert bucket.tokens >= 0
            made.append((moment, given_))
    for first in range(len(made)):
        for last in range(first, len(made)):
            calls = sum(number for _, number in made[first : last + 1])
            # A clock that goes back fills nothing, so the latest moment seen counts.
            ends = max(at for at, _ in made[: last + 1])
            begins = max(at for at, _ in made[: first + 1])
            assert calls <= burst + rate * (ends - begins).total_seconds() + 1e-6


@given(st.floats(0.1, 200), st.integers(1, 50), st.integers(1, 50))
def test_after_the_wait_there_is_room_and_before_it_there_is_none(rate, burst, calls):
    calls = min(calls, burst)
    spent = Bucket(rate, burst).less(burst, NOW)
    waiting = spent.wait(NOW, calls)
    assert spent.room(NOW + waiting + timedelta(milliseconds=1)) >= calls
    assert spent.room(NOW + waiting * 0.99 - timedelta(milliseconds=1)) < calls


def test_a_clock_set_back_takes_nothing_away_and_gives_nothing():
    spent = Bucket(10, 20).less(20, NOW)
    assert spent.room(NOW - timedelta(hours=1)) == 0
    assert spent.filled(NOW - timedelta(hours=1)).at == NOW
    assert spent.room(NOW + timedelta(hours=1)) == 20
