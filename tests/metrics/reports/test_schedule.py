"""When a report is due: by example around changes of the clock, and what holds at any moment anywhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.periods import Week
from metrics.reports.schedule import Schedule, is_over, last_due, last_over, next_due

ZONES = (
    "UTC",
    "Europe/Amsterdam",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
)
moments = st.datetimes(datetime(2011, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))
schedules = st.builds(Schedule, st.integers(0, 6), st.integers(0, 23), st.sampled_from(ZONES))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("weekday", "hour", "zone", "after", "due"),
    [
        (0, 7, "UTC", "2026-03-09T06:59:59", "2026-03-09T07:00:00"),
        (0, 7, "UTC", "2026-03-09T07:00:00", "2026-03-16T07:00:00"),
        # The Monday after the clock went forward is an hour earlier in UTC; and back again in autumn.
        (0, 7, "Europe/Amsterdam", "2026-03-25T00:00:00", "2026-03-30T05:00:00"),
        (0, 7, "Europe/Amsterdam", "2026-10-20T00:00:00", "2026-10-26T06:00:00"),
        # 02:00 is not there on 29 March: when the jump is done. 02:00 comes twice on 25 October: the first.
        (6, 2, "Europe/Amsterdam", "2026-03-28T00:00:00", "2026-03-29T01:00:00"),
        (6, 2, "Europe/Amsterdam", "2026-10-24T00:00:00", "2026-10-25T00:00:00"),
        (6, 2, "Europe/Amsterdam", "2026-10-25T00:00:00", "2026-11-01T01:00:00"),
        # Half an hour of it is missing on Lord Howe.
        (6, 2, "Australia/Lord_Howe", "2026-10-02T00:00:00", "2026-10-03T15:30:00"),
        # The turn of the year, in a year of 53 weeks.
        (0, 0, "UTC", "2026-12-31T23:00:00", "2027-01-04T00:00:00"),
    ],
)
def test_when_the_next_is_due(weekday: int, hour: int, zone: str, after: str, due: str) -> None:
    assert next_due(at(after), Schedule(weekday, hour, zone)) == at(due)


@given(moments, schedules)
def test_the_next_is_the_first_later_one_and_the_last_the_latest_that_came(
    now: datetime, schedule: Schedule
) -> None:
    following, last = next_due(now, schedule), last_due(now, schedule)
    assert last <= now < following
    assert next_due(last, schedule) == following
    assert last_due(following, schedule) == following
    assert timedelta(days=5) < following - last < timedelta(days=9)


@given(moments, schedules)
def test_it_is_the_hour_on_the_wall_or_just_after_a_jump(now: datetime, schedule: Schedule) -> None:
    due = next_due(now, schedule)
    there = due.astimezone(ZoneInfo(schedule.zone))
    if (there.weekday(), there.hour, there.minute) != (schedule.weekday, schedule.hour, 0):
        before = (due - timedelta(days=1, hours=1)).astimezone(ZoneInfo(schedule.zone))
        assert before.utcoffset() != there.utcoffset(), "no change of the clock excuses it"
    else:
        assert there.fold == 0


@given(moments, st.sampled_from(ZONES))
def test_a_week_is_over_at_its_very_end(now: datetime, zone: str) -> None:
    week = last_over(now, zone)
    assert is_over(week, now, zone) and not is_over(week.plus(1), now, zone)
    end = week.span(zone).end
    assert end is not None
    assert is_over(week, end, zone) and not is_over(week, end - timedelta(microseconds=1), zone)


@given(moments, schedules)
def test_each_due_moment_has_a_week_of_its_own(now: datetime, schedule: Schedule) -> None:
    one, two = last_due(now, schedule), next_due(now, schedule)
    weeks = [last_over(moment, schedule.zone) for moment in (one, two)]
    assert weeks[1] == weeks[0].plus(1)


def test_it_says_itself() -> None:
    assert Schedule(0, 7, "UTC").words == "Monday at 07:00"
    assert Schedule(6, 23, "UTC").in_week(Week(2026, 1)) == at("2026-01-04T23:00:00")
