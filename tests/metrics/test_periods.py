"""Weeks in a zone: their borders, their names, and that the quick finder agrees with the calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.periods import Span, Week, WeekFinder, WeekRange, days

AMSTERDAM = "Europe/Amsterdam"
# Santiago and Beirut change their clocks at midnight; Kathmandu is 5:45 ahead; Apia skipped a day.
ZONES = ["UTC", AMSTERDAM, "America/Santiago", "Asia/Beirut", "Asia/Kathmandu", "Pacific/Apia"]
instants = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "zone", "name"),
    [
        ("2026-10-04T21:59:59", AMSTERDAM, "2026-W40"),  # Sunday 23:59:59
        ("2026-10-04T22:00:00", AMSTERDAM, "2026-W41"),  # Monday 00:00
        ("2026-10-04T22:00:00", "UTC", "2026-W40"),
        ("2026-10-25T22:59:59", AMSTERDAM, "2026-W43"),  # the clock went back that morning
        ("2026-10-25T23:00:00", AMSTERDAM, "2026-W44"),
        ("2026-03-29T21:59:59", AMSTERDAM, "2026-W13"),  # the clock went forward that morning
        ("2026-03-29T22:00:00", AMSTERDAM, "2026-W14"),
        ("2025-12-28T22:59:59", AMSTERDAM, "2025-W52"),
        ("2025-12-28T23:00:00", AMSTERDAM, "2026-W01"),  # ISO years begin before or after the first
        ("2026-12-31T12:00:00", "UTC", "2026-W53"),
        ("2027-01-03T23:59:59", "UTC", "2026-W53"),
        ("2027-01-04T00:00:00", "UTC", "2027-W01"),
    ],
)
def test_the_week_of_an_instant(at: str, zone: str, name: str) -> None:
    assert Week.of(utc(at), zone).name == name
    assert WeekFinder(zone).of(utc(at)).name == name


def test_a_week_with_a_change_of_the_clock_is_an_hour_longer_or_shorter() -> None:
    def hours(name: str) -> float:
        span = Week.parse(name).span(AMSTERDAM)
        assert span.start and span.end
        return (span.end - span.start) / timedelta(hours=1)

    assert [hours(f"2026-W{number}") for number in ("12", "13", "43", "44")] == [168, 167, 169, 168]


@settings(max_examples=200, deadline=None)
@given(instants, st.sampled_from(ZONES))
def test_an_instant_is_in_the_span_of_its_week_and_of_no_other(at: datetime, zone: str) -> None:
    week = Week.of(at, zone)
    assert week.span(zone).holds(at)
    assert not week.plus(1).span(zone).holds(at)
    assert not week.plus(-1).span(zone).holds(at)
    assert week.span(zone).end == week.plus(1).span(zone).start


@settings(max_examples=60, deadline=None)
@given(st.lists(instants, max_size=8), st.sampled_from(ZONES))
def test_the_finder_agrees_with_the_calendar(times: list[datetime], zone: str) -> None:
    finder = WeekFinder(zone)
    assert [finder.of(at) for at in times] == [Week.of(at, zone) for at in times]


@settings(max_examples=100, deadline=None)
@given(st.dates(date(1971, 1, 1), date(2190, 1, 1)), st.integers(-600, 600))
def test_names_and_steps_go_there_and_back(day: date, step: int) -> None:
    iso = day.isocalendar()
    week = Week(iso.year, iso.week)
    assert week.plus(step).plus(-step) == week
    assert (week.plus(step) > week) == (step > 0)
    assert Week.parse(week.name) == week
    assert week.monday <= day <= week.sunday


@pytest.mark.parametrize(
    "name", ["2026-W54", "2025-W53", "2026-W00", "2026W01", "2026-41", "", "9999-W01", "0000-W01"]
)
def test_there_is_no_such_week(name: str) -> None:
    with pytest.raises(ValueError, match="week"):
        Week.parse(name)


def test_a_range_holds_its_weeks_in_order() -> None:
    weeks = WeekRange.ending(Week(2026, 2), 4, AMSTERDAM)
    assert [week.name for week in weeks] == ["2025-W51", "2025-W52", "2026-W01", "2026-W02"]
    assert len(weeks) == 4
    assert weeks.span == Span(utc("2025-12-14T23:00:00"), utc("2026-01-11T23:00:00"))
    assert list(weeks.only(Week(2026, 1))) == [Week(2026, 1)]
    assert len(WeekRange(Week(2026, 2), Week(2026, 1), AMSTERDAM)) == 0


def test_days_are_local_and_the_last_is_included() -> None:
    span = days(date(2026, 3, 28), date(2026, 3, 29), AMSTERDAM)
    assert span == Span(utc("2026-03-27T23:00:00"), utc("2026-03-29T22:00:00"))
    assert days(None, None, AMSTERDAM) == Span(None, None)
    with pytest.raises(ValueError, match="is before"):
        days(date(2026, 3, 2), date(2026, 3, 1), "UTC")


def test_where_the_clock_jumps_over_midnight_the_day_begins_when_it_is_done() -> None:
    # In Santiago, Sunday 8 September 2024 began at 01:00.
    span = days(date(2024, 9, 8), date(2024, 9, 8), "America/Santiago")
    assert span.start
    assert span.start.astimezone(ZoneInfo("America/Santiago")).isoformat() == "2024-09-08T01:00:00-03:00"
