"""Union and gaps, held against known weeks and against an oracle that looks at every minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing import hours
from routing.hours import AnyOf, Calendar, InvalidCalendar, Span
from routing.staffing import Member, gaps, on_duty, present, staffed
from tests.routing.test_hours import calendars, instants

MINUTE = timedelta(minutes=1)
NINE_TO_FIVE = ((540, 1020),)
WORKDAYS = (NINE_TO_FIVE,) * 5 + ((), ())
ALWAYS = Calendar("UTC", (((0, 1440),),) * 7)
BERLIN = Calendar("Europe/Berlin", WORKDAYS)
NEW_YORK = Calendar("America/New_York", WORKDAYS)
SYDNEY = Calendar("Australia/Sydney", WORKDAYS)
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def test_two_sites_cover_more_than_one_does() -> None:
    # A Tuesday in January: Berlin works 08 to 16 UTC, New York 14 to 22 UTC.
    both = staffed([BERLIN, NEW_YORK])
    day = utc(2026, 1, 13)
    assert hours.spans(day, day + timedelta(days=1), both) == ((utc(2026, 1, 13, 8), utc(2026, 1, 13, 22)),)
    assert hours.between(day, day + timedelta(days=1), both) == timedelta(hours=14)
    assert hours.is_open(utc(2026, 1, 13, 21, 59), both) and not hours.is_open(utc(2026, 1, 13, 22), both)
    # Friday 21:00 UTC: an hour of New York is left, then Monday in Berlin.
    assert hours.add(utc(2026, 1, 16, 21), timedelta(hours=2), both) == utc(2026, 1, 19, 9)


def test_the_time_within_staffed_hours_beside_the_elapsed_time() -> None:
    asked, answered = utc(2026, 1, 17, 23), utc(2026, 1, 19, 8, 4)  # Saturday night, Monday morning
    assert hours.between(asked, answered, None) == timedelta(hours=33, minutes=4)
    assert hours.between(asked, answered, staffed([BERLIN, NEW_YORK])) == timedelta(minutes=4)


def test_one_calendar_is_itself_and_none_of_them_is_any_time() -> None:
    assert staffed([BERLIN, BERLIN]) is BERLIN
    assert staffed([BERLIN, None]) is None
    assert staffed([BERLIN, NEW_YORK]) == staffed([NEW_YORK, BERLIN])
    with pytest.raises(InvalidCalendar, match="no calendar"):
        staffed([])


def test_the_error_of_a_union_that_never_opens_names_its_zones() -> None:
    closed = frozenset(utc(2026, 1, 1).date() + timedelta(days=n) for n in range(1500))
    both = staffed([Calendar(zone, WORKDAYS, closed) for zone in ("Europe/Berlin", "America/New_York")])
    with pytest.raises(InvalidCalendar, match="America/New_York, Europe/Berlin"):
        hours.add(utc(2026, 1, 2), timedelta(hours=1), both)


def test_nobody_at_night_is_a_gap() -> None:
    """Three sites around the world leave the hours between Sydney's evening and Berlin's morning."""
    members = [Member(BERLIN), Member(NEW_YORK), Member(SYDNEY)]
    # In January Sydney works 22 to 06 UTC, Berlin 08 to 16, New York 14 to 22.
    found = gaps(ALWAYS, members, utc(2026, 1, 13), utc(2026, 1, 14))
    assert found == [(utc(2026, 1, 13, 6), utc(2026, 1, 13, 8))]


def test_an_absence_opens_a_gap_and_only_within_the_rosters_hours() -> None:
    # Away Tuesday noon to Thursday noon, in Berlin.
    away = (datetime(2026, 1, 13, 12, tzinfo=ZoneInfo("Europe/Berlin")), utc(2026, 1, 15, 11))
    alone = Member(BERLIN, (away,))
    week = gaps(BERLIN, [alone], utc(2026, 1, 12), utc(2026, 1, 19))
    assert week == [
        (utc(2026, 1, 13, 11), utc(2026, 1, 13, 16)),
        (utc(2026, 1, 14, 8), utc(2026, 1, 14, 16)),
        (utc(2026, 1, 15, 8), utc(2026, 1, 15, 11)),
    ]
    assert not on_duty(alone, utc(2026, 1, 15, 10, 59)) and on_duty(alone, utc(2026, 1, 15, 11))
    assert gaps(BERLIN, [alone, Member(BERLIN)], utc(2026, 1, 12), utc(2026, 1, 19)) == []


def test_a_roster_without_members_is_one_gap() -> None:
    assert gaps(None, [], utc(2026, 1, 12), utc(2026, 1, 14)) == [(utc(2026, 1, 12), utc(2026, 1, 14))]
    assert gaps(None, [Member(None)], utc(2026, 1, 12), utc(2026, 1, 14)) == []
    assert gaps(ALWAYS, [], utc(2026, 1, 14), utc(2026, 1, 12)) == []


@pytest.mark.parametrize(
    ("zone", "change"),
    [
        ("Europe/Berlin", utc(2026, 3, 29)),
        ("Europe/Berlin", utc(2026, 10, 25)),
        ("America/New_York", utc(2026, 3, 8)),
        ("America/New_York", utc(2026, 11, 1)),
        ("Australia/Lord_Howe", utc(2026, 4, 4)),
        ("Australia/Lord_Howe", utc(2026, 10, 3)),
    ],
)
def test_around_the_clock_has_no_gap_on_the_day_the_clocks_change(zone: str, change: datetime) -> None:
    early = Member(Calendar(zone, (((0, 720),),) * 7))
    late = Member(Calendar(zone, (((720, 1440),),) * 7))
    span = (change - timedelta(days=1), change + timedelta(days=2))
    assert gaps(None, [early, late], *span) == []
    both = staffed([early.calendar, late.calendar])
    assert hours.between(*span, both) == timedelta(days=3)


# The oracle looks at every minute. Every edge lies on one, so that a minute is in or out as a whole.


def minutes(spans: list[Span] | tuple[Span, ...], start: datetime) -> set[int]:
    found: set[int] = set()
    for begins, ends in spans:
        found |= set(range((begins - start) // MINUTE, (ends - start) // MINUTE))
    return found


def works(at: datetime, calendar: Calendar | None) -> bool:
    if calendar is None:
        return True
    local = at.astimezone(ZoneInfo(calendar.zone))
    minute = local.hour * 60 + local.minute
    is_closed = local.date() in calendar.closed
    return not is_closed and any(a <= minute < b for a, b in calendar.week[local.weekday()])


@st.composite
def rosters(draw: st.DrawFn) -> tuple[Calendar | None, list[Member], datetime, datetime]:
    start = draw(instants(draw(st.sampled_from(ZONES)))).replace(second=0, microsecond=0)
    length = draw(st.integers(1, 5 * 24 * 60))
    some = st.sampled_from(ZONES).flatmap(lambda zone: calendars(zone, start))
    members = []
    for _ in range(draw(st.integers(0, 4))):
        edges = draw(st.lists(st.integers(-500, length + 500), max_size=4, unique=True))
        pairs = zip(edges[::2], edges[1::2], strict=False)
        away = tuple((start + MINUTE * min(pair), start + MINUTE * max(pair)) for pair in pairs)
        members.append(Member(draw(st.one_of(some, some, st.none())), away))
    return draw(st.one_of(some, st.none())), members, start, start + MINUTE * length


@settings(max_examples=60, deadline=None)
@given(rosters())
def test_gaps_agree_with_looking_at_every_minute(
    roster: tuple[Calendar | None, list[Member], datetime, datetime],
) -> None:
    calendar, members, start, end = roster
    found = gaps(calendar, members, start, end)
    expected = set()
    for number in range((end - start) // MINUTE):
        at = start + MINUTE * number
        there = any(
            works(at, member.calendar) and not any(a <= at < b for a, b in member.away) for member in members
        )
        assert there == any(on_duty(member, at) for member in members)
        if works(at, calendar) and not there:
            expected.add(number)
    assert minutes(found, start) == expected
    # In order, and none touches the next: a gap is told once.
    assert all(one[1] < other[0] for one, other in pairwise(found))
    assert all(begins < ends for begins, ends in found)


@settings(max_examples=60, deadline=None)
@given(rosters(), st.integers(1, 10**6))
def test_a_union_agrees_with_looking_at_every_minute(
    roster: tuple[Calendar | None, list[Member], datetime, datetime], share: int
) -> None:
    _, members, start, end = roster
    known = [member.calendar for member in members if member.calendar is not None]
    if not known:
        return
    both = staffed(known)
    expected = {
        number
        for number in range((end - start) // MINUTE)
        if any(works(start + MINUTE * number, calendar) for calendar in known)
    }
    assert minutes(hours.spans(start, end, both), start) == expected
    total = hours.between(start, end, both)
    assert total == MINUTE * len(expected)
    assert hours.between(end, start, both) == -total
    assert hours.is_open(start, both) == (0 in expected)
    if total:
        span = total * share // 10**6
        assert hours.between(start, hours.add(start, span, both), both) == span
        assert hours.next_open(start, both) == start + MINUTE * min(expected)


def test_present_is_the_calendar_less_the_absences() -> None:
    away = ((utc(2026, 1, 13, 10), utc(2026, 1, 13, 11)), (utc(2026, 1, 13, 10, 30), utc(2026, 1, 13, 12)))
    assert present(Member(BERLIN, away), utc(2026, 1, 13), utc(2026, 1, 14)) == [
        (utc(2026, 1, 13, 8), utc(2026, 1, 13, 10)),
        (utc(2026, 1, 13, 12), utc(2026, 1, 13, 16)),
    ]


def test_a_union_works_out_each_day_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []
    real = hours._work_out

    def counted(calendar: Calendar, zone: ZoneInfo, number: int) -> tuple[tuple[int, int], ...]:
        looked_at.append(number)
        return real(calendar, zone, number)

    monkeypatch.setattr(hours, "_work_out", counted)
    hours._days.cache_clear()
    both = staffed([BERLIN, NEW_YORK])
    for _ in range(3):
        hours.between(utc(2026, 1, 5), utc(2026, 2, 4), both)
    # 30 whole days and the one that the end lies on, of two calendars.
    assert len(looked_at) == 2 * 31
    assert isinstance(both, AnyOf)
