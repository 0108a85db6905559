"""Deadlines at the edges of clocks: arrivals on a Saturday, a holiday, after hours; two stretches a day; the
days on which the clocks change, in three zones; a rep whose zone is not the site's."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from leads.models import Handoff
from routing import hours, sla
from routing.models import Calendar, ClosedDay, User
from tests.conftest import Cast
from tests.factories import make_handoff

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
NIGHT_SHIFT = (0, 360)


def works(user: User, zone: str, *stretches: tuple[int, int], days: range = range(5)) -> Calendar:
    row = Calendar.objects.create(name=f"{zone} of {user.pk}", time_zone=zone)
    for day in days:
        for start, end in stretches or ((540, 1080),):
            row.intervals.create(weekday=day, start_minute=start, end_minute=end)
    user.calendar = row
    user.save()
    return row


def arrives(user: User, zone: str, *parts: int, fold: int = 0, kind: str = "score_threshold") -> Handoff:
    at = datetime(*parts, tzinfo=ZoneInfo(zone), fold=fold)
    return make_handoff("assigned", user, at=at, kind=kind)


def local(at: datetime | None, zone: str) -> str:
    assert at is not None
    return f"{at.astimezone(ZoneInfo(zone)):%a %d %b %H:%M}"


def due(handoff: Handoff, zone: str) -> tuple[str, str]:
    """When it is to be accepted (two hours) and contacted (one hour), by the clock there."""
    return local(handoff.accept_due_at, zone), local(handoff.contact_due_at, zone)


def test_a_lead_that_arrives_on_saturday(cast: Cast) -> None:
    works(cast.femke, "Europe/Berlin")
    handoff = arrives(cast.femke, "Europe/Berlin", 2026, 3, 7, 23)
    assert due(handoff, "Europe/Berlin") == ("Mon 09 Mar 11:00", "Mon 09 Mar 10:00")


def test_a_demo_that_arrives_on_saturday_does_not_wait(cast: Cast) -> None:
    works(cast.femke, "Europe/Berlin")
    handoff = arrives(cast.femke, "Europe/Berlin", 2026, 3, 7, 23, kind="demo_request")
    assert due(handoff, "Europe/Berlin") == ("Sat 07 Mar 23:05", "Sat 07 Mar 23:05")


def test_a_lead_that_arrives_on_a_holiday(cast: Cast) -> None:
    row = works(cast.femke, "Europe/Berlin")
    ClosedDay.objects.create(calendar=row, day=date(2026, 4, 3), name="Good Friday", is_public=True)
    ClosedDay.objects.create(calendar=row, day=date(2026, 4, 6), name="Easter Monday", is_public=True)
    handoff = arrives(cast.femke, "Europe/Berlin", 2026, 4, 3, 10)
    assert due(handoff, "Europe/Berlin") == ("Tue 07 Apr 11:00", "Tue 07 Apr 10:00")
    # What began on the day before is carried over it.
    handoff = arrives(cast.femke, "Europe/Berlin", 2026, 4, 2, 17)
    assert due(handoff, "Europe/Berlin") == ("Tue 07 Apr 10:00", "Thu 02 Apr 18:00")


def test_a_lead_that_arrives_after_hours(cast: Cast) -> None:
    works(cast.femke, "Europe/Berlin")
    for hour, minute in ((18, 0), (23, 59)):
        handoff = arrives(cast.femke, "Europe/Berlin", 2026, 3, 10, hour, minute)
        assert due(handoff, "Europe/Berlin") == ("Wed 11 Mar 11:00", "Wed 11 Mar 10:00")
    handoff = arrives(cast.femke, "Europe/Berlin", 2026, 3, 10, 17, 59)
    assert due(handoff, "Europe/Berlin") == ("Wed 11 Mar 10:59", "Wed 11 Mar 09:59")
    handoff = arrives(cast.femke, "Europe/Berlin", 2026, 3, 10, 4)
    assert due(handoff, "Europe/Berlin") == ("Tue 10 Mar 11:00", "Tue 10 Mar 10:00")


def test_two_intervals_a_day(cast: Cast) -> None:
    works(cast.femke, "Europe/Berlin", (540, 720), (840, 1080))
    handoff = arrives(cast.femke, "Europe/Berlin", 2026, 3, 10, 11, 30)
    assert due(handoff, "Europe/Berlin") == ("Tue 10 Mar 15:30", "Tue 10 Mar 14:30")
    handoff = arrives(cast.femke, "Europe/Berlin", 2026, 3, 10, 13)
    assert due(handoff, "Europe/Berlin") == ("Tue 10 Mar 16:00", "Tue 10 Mar 15:00")
    # One that ends with the first stretch ends there, not at the beginning of the next.
    handoff = arrives(cast.femke, "Europe/Berlin", 2026, 3, 10, 11)
    assert due(handoff, "Europe/Berlin") == ("Tue 10 Mar 15:00", "Tue 10 Mar 12:00")


def test_a_reps_zone_unlike_the_sites(cast: Cast) -> None:
    """The site counts in UTC. Jonas works in New York and Rosa in Sydney: each answers in the morning."""
    works(cast.jonas, "America/New_York")
    works(cast.rosa, "Australia/Sydney")
    site = arrives(cast.femke, "UTC", 2026, 3, 10, 10)
    assert due(site, "UTC") == ("Tue 10 Mar 12:00", "Tue 10 Mar 11:00")
    there = arrives(cast.jonas, "UTC", 2026, 3, 10, 10)
    assert due(there, "America/New_York") == ("Tue 10 Mar 11:00", "Tue 10 Mar 10:00")
    assert due(there, "UTC") == ("Tue 10 Mar 15:00", "Tue 10 Mar 14:00")
    # It is evening in Sydney already, so it is tomorrow there, and still today in UTC.
    away = arrives(cast.rosa, "UTC", 2026, 3, 10, 10)
    assert due(away, "Australia/Sydney") == ("Wed 11 Mar 11:00", "Wed 11 Mar 10:00")
    assert due(away, "UTC") == ("Wed 11 Mar 00:00", "Tue 10 Mar 23:00")


# (zone, the Sunday of the change, what the clocks do then in minutes, when)
CHANGES = (
    ("Europe/Berlin", date(2026, 3, 29), 60),
    ("Europe/Berlin", date(2026, 10, 25), -60),
    ("America/New_York", date(2026, 3, 8), 60),
    ("America/New_York", date(2026, 11, 1), -60),
    ("Australia/Lord_Howe", date(2026, 10, 4), 30),
    ("Australia/Lord_Howe", date(2026, 4, 5), -30),
)
BY_NAME = [f"{zone} {'spring' if forward > 0 else 'autumn'}" for zone, _, forward in CHANGES]


@pytest.mark.parametrize(("zone", "sunday", "forward"), CHANGES, ids=BY_NAME)
def test_clocks_that_change_over_a_weekend_move_no_office_hour(
    cast: Cast, zone: str, sunday: date, forward: int
) -> None:
    """Friday 17:00 plus two business hours is Monday 10:00 by the clock on the wall, on both changes."""
    works(cast.femke, zone)
    friday, monday = sunday - timedelta(days=2), sunday + timedelta(days=1)
    handoff = arrives(cast.femke, zone, friday.year, friday.month, friday.day, 17)
    assert local(handoff.accept_due_at, zone) == f"{monday:%a %d %b} 10:00"
    assert handoff.accept_due_at is not None
    # Three nights and two days lie between, an hour (or half of one) more or less than usual.
    assert handoff.accept_due_at - handoff.mql_at == timedelta(hours=65) - MINUTE * forward


@pytest.mark.parametrize(("zone", "sunday", "forward"), CHANGES, ids=BY_NAME)
def test_a_night_shift_works_the_hours_that_there_are(
    cast: Cast, zone: str, sunday: date, forward: int
) -> None:
    """From midnight to six on the Sunday of the change: skipped time does not count, repeated time counts
    twice."""
    works(cast.femke, zone, NIGHT_SHIFT, days=range(7))
    handoff = arrives(cast.femke, zone, sunday.year, sunday.month, sunday.day, 1)
    assert handoff.accept_due_at is not None
    # Two hours of work are two hours that passed; the wall shows them shifted.
    assert handoff.accept_due_at - handoff.mql_at == 2 * HOUR
    shown = datetime(2026, 1, 1, 3) + MINUTE * forward
    assert local(handoff.accept_due_at, zone)[-5:] == f"{shown:%H:%M}"
    row = Calendar.objects.get(time_zone=zone)
    midnight = datetime(sunday.year, sunday.month, sunday.day, tzinfo=ZoneInfo(zone))
    morning = datetime(sunday.year, sunday.month, sunday.day, 12, tzinfo=ZoneInfo(zone))
    assert hours.between(midnight, morning, row.hours()) == 6 * HOUR - MINUTE * forward


@pytest.mark.parametrize(("zone", "sunday", "forward"), CHANGES, ids=BY_NAME)
def test_an_elapsed_target_looks_through_the_change(
    cast: Cast, zone: str, sunday: date, forward: int
) -> None:
    handoff = arrives(cast.femke, zone, sunday.year, sunday.month, sunday.day, 1, 58, kind="demo_request")
    assert handoff.accept_due_at == handoff.mql_at + 5 * MINUTE
    day = sla.deadline(handoff.mql_at, sla.Target(24 * 60, business=False), None)
    assert day - handoff.mql_at == timedelta(hours=24)


def test_an_hour_that_there_is_twice_is_told_apart(cast: Cast) -> None:
    """02:30 comes twice on the night the clocks go back in Berlin: both are an hour apart and due so."""
    works(cast.femke, "Europe/Berlin", NIGHT_SHIFT, days=range(7))
    first = arrives(cast.femke, "Europe/Berlin", 2026, 10, 25, 2, 30)
    second = arrives(cast.femke, "Europe/Berlin", 2026, 10, 25, 2, 30, fold=1)
    assert first.accept_due_at is not None and second.accept_due_at is not None
    assert second.mql_at - first.mql_at == HOUR
    assert second.accept_due_at - first.accept_due_at == HOUR
    assert local(first.accept_due_at, "Europe/Berlin") == "Sun 25 Oct 03:30"
    assert local(second.accept_due_at, "Europe/Berlin") == "Sun 25 Oct 04:30"
