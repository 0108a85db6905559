"""Business time, held against known dates and against an oracle that steps through every minute."""

import pickle
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing import hours
from routing.hours import Calendar, InvalidCalendar, add, between, is_open, next_open

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NOTHING = timedelta(0)

OFF = ()
NINE_TO_SIX = ((540, 1080),)
ALL_DAY = ((0, 1440),)
ZONES = (
    "Europe/Amsterdam",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "UTC",
)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
OFFICE = Calendar("Europe/Amsterdam", (NINE_TO_SIX,) * 5 + (OFF, OFF))


def every_day(zone: str, *intervals: tuple[int, int]) -> Calendar:
    return Calendar(zone, (tuple(intervals),) * 7)


def amsterdam(*parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=AMSTERDAM, fold=fold)


# The oracle


def open_by_wall_clock(at: datetime, calendar: Calendar, zone: ZoneInfo) -> bool:
    local = at.astimezone(zone)
    minute = local.hour * 60 + local.minute
    return local.date() not in calendar.closed and any(
        start <= minute < end for start, end in calendar.week[local.weekday()]
    )


def minutes_of(a: datetime, b: datetime, calendar: Calendar) -> list[tuple[datetime, datetime]]:
    """The open stretches of [a, b), each at most one minute long, found by looking at every minute."""
    zone = ZoneInfo(calendar.zone)
    found = []
    begin = a
    while begin < b:
        end = min(b, begin.replace(second=0, microsecond=0) + MINUTE)
        if open_by_wall_clock(begin, calendar, zone):
            found.append((begin, end))
        begin = end
    return found


@cache
def changes_of_offset(zone_name: str) -> tuple[datetime, ...]:
    """The days from 1995 to 2034 on which the zone changed its offset."""
    zone = ZoneInfo(zone_name)
    days = [datetime(1995, 1, 1, tzinfo=UTC) + DAY * n for n in range(40 * 365)]
    return tuple(
        day
        for day, following in pairwise(days)
        if day.astimezone(zone).utcoffset() != following.astimezone(zone).utcoffset()
    )


@st.composite
def instants(draw: st.DrawFn, zone_name: str) -> datetime:
    """Instants from 1995 to 2034, every second one near a change of the zone's offset, where there is one."""
    changes = changes_of_offset(zone_name)
    if changes and draw(st.booleans()):
        day = draw(st.sampled_from(changes)) - draw(st.integers(0, 3)) * DAY
    else:
        day = datetime(1995, 1, 1, tzinfo=UTC) + draw(st.integers(0, 39 * 365)) * DAY
    return day + timedelta(microseconds=draw(st.integers(0, 86_400_000_000 - 1)))


@st.composite
def days_of_work(draw: st.DrawFn) -> tuple[tuple[int, int], ...]:
    edges = st.one_of(st.sampled_from((0, 60, 90, 120, 150, 180, 540, 1080, 1440)), st.integers(0, 1440))
    points = sorted(draw(st.lists(edges, unique=True, max_size=6)))
    return tuple(zip(points[::2], points[1::2], strict=False))


@st.composite
def calendars(draw: st.DrawFn, zone_name: str, near: datetime) -> Calendar:
    week = [draw(days_of_work()) for _ in range(7)]
    if not any(week):
        week[draw(st.integers(0, 6))] = NINE_TO_SIX
    closed = draw(st.frozensets(st.integers(-2, 10), max_size=4))
    return Calendar(zone_name, tuple(week), frozenset(near.date() + DAY * n for n in closed))


@st.composite
def situations(draw: st.DrawFn) -> tuple[Calendar, datetime]:
    zone_name = draw(st.sampled_from(ZONES))
    start = draw(instants(zone_name))
    return draw(calendars(zone_name, start)), start


spans = st.builds(
    timedelta,
    microseconds=st.one_of(
        st.integers(1, 40 * 3_600_000_000), st.integers(1, 3000).map(lambda minutes: minutes * 60_000_000)
    ),
)


@settings(max_examples=120, deadline=None)
@given(situations(), st.integers(0, 6 * 24 * 60), st.integers(0, 59_999_999), st.integers(0, 10**6))
def test_every_answer_agrees_with_counting_minutes(
    situation: tuple[Calendar, datetime], minutes: int, micros: int, share: int
) -> None:
    calendar, a = situation
    b = a + MINUTE * minutes + timedelta(microseconds=micros)
    stretches = minutes_of(a, b, calendar)
    total = sum((end - begin for begin, end in stretches), NOTHING)

    assert between(a, b, calendar) == total
    assert between(b, a, calendar) == -total
    assert is_open(a, calendar) == open_by_wall_clock(a, calendar, ZoneInfo(calendar.zone))
    if not stretches:
        assert next_open(a, calendar) >= b
        return
    assert next_open(a, calendar) == stretches[0][0]

    span = total * share // 10**6
    if span:
        left = span
        for begin, end in stretches:
            if left <= end - begin:
                assert add(a, span, calendar) == begin + left
                break
            left -= end - begin


@settings(max_examples=150, deadline=None)
@given(situations(), spans, spans)
def test_spans_are_measured_as_they_were_added(
    situation: tuple[Calendar, datetime], first: timedelta, second: timedelta
) -> None:
    calendar, start = situation
    end = add(start, first, calendar)
    assert between(start, end, calendar) == first
    assert add(end, second, calendar) == add(start, first + second, calendar)
    assert add(next_open(start, calendar), first, calendar) == end
    assert between(start, next_open(start, calendar), calendar) == NOTHING


@settings(max_examples=150, deadline=None)
@given(situations(), spans, spans, st.integers(0, 10**12))
def test_later_starts_and_longer_spans_never_end_earlier(
    situation: tuple[Calendar, datetime], span: timedelta, more: timedelta, later: int
) -> None:
    calendar, start = situation
    other = start + timedelta(microseconds=later)
    assert add(start, span, calendar) <= add(other, span, calendar)
    assert start <= next_open(start, calendar) < add(start, span, calendar)
    assert add(start, span, calendar) < add(start, span + more, calendar)


@settings(max_examples=150, deadline=None)
@given(situations(), st.lists(st.integers(-(10**14), 10**14), min_size=2, max_size=2))
def test_parts_make_up_the_whole_over_years(situation: tuple[Calendar, datetime], offsets: list[int]) -> None:
    calendar, a = situation
    b, c = (a + timedelta(microseconds=offset) for offset in offsets)
    assert between(a, b, calendar) + between(b, c, calendar) == between(a, c, calendar)
    assert between(a, b, calendar) == -between(b, a, calendar)
    assert abs(between(a, b, calendar)) <= abs(b - a)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ZONES), st.data())
def test_a_calendar_that_never_closes_counts_elapsed_time(zone_name: str, data: st.DataObject) -> None:
    start = data.draw(instants(zone_name))
    span = data.draw(spans)
    assert add(start, span, every_day(zone_name, (0, 1440))) == start + span


# Known dates


@pytest.mark.parametrize("hour", [15, 23])
def test_saturday_plus_two_hours_is_due_monday_at_eleven(hour: int) -> None:
    saturday = amsterdam(2026, 6, 6, hour)
    assert add(saturday, 2 * HOUR, OFFICE) == amsterdam(2026, 6, 8, 11)


def test_results_are_in_utc() -> None:
    assert add(amsterdam(2026, 6, 8, 10), HOUR, OFFICE).tzinfo is UTC
    assert add(amsterdam(2026, 6, 8, 10), HOUR, None).tzinfo is UTC
    assert next_open(amsterdam(2026, 6, 8, 10), None).tzinfo is UTC


def test_a_span_that_ends_at_closing_is_due_then() -> None:
    assert add(amsterdam(2026, 6, 8, 16), 2 * HOUR, OFFICE) == amsterdam(2026, 6, 8, 18)
    assert add(amsterdam(2026, 6, 8, 16), 2 * HOUR + MINUTE, OFFICE) == amsterdam(2026, 6, 9, 9, 1)
    assert add(amsterdam(2026, 6, 5, 18), HOUR, OFFICE) == amsterdam(2026, 6, 8, 10)


def test_no_span_leads_to_the_next_opening() -> None:
    assert add(amsterdam(2026, 6, 6, 12), NOTHING, OFFICE) == amsterdam(2026, 6, 8, 9)
    assert next_open(amsterdam(2026, 6, 8, 18), OFFICE) == amsterdam(2026, 6, 9, 9)
    assert next_open(amsterdam(2026, 6, 8, 12, 34), OFFICE) == amsterdam(2026, 6, 8, 12, 34)


def test_opening_is_open_and_closing_is_not() -> None:
    assert is_open(amsterdam(2026, 6, 8, 9), OFFICE)
    assert not is_open(amsterdam(2026, 6, 8, 18), OFFICE)
    assert not is_open(amsterdam(2026, 6, 7, 12), OFFICE)
    assert is_open(amsterdam(2026, 6, 7, 12), None)


def test_lunch_breaks_and_holidays_do_not_count() -> None:
    split = ((540, 720), (780, 1080))
    calendar = Calendar("Europe/Amsterdam", (split,) * 5 + (OFF, OFF), frozenset({date(2026, 4, 27)}))
    friday = amsterdam(2026, 4, 24, 11)
    assert add(friday, 2 * HOUR, calendar) == amsterdam(2026, 4, 24, 14)
    assert add(friday, 7 * HOUR, calendar) == amsterdam(2026, 4, 28, 10)
    assert between(friday, amsterdam(2026, 4, 28, 10), calendar) == 7 * HOUR


def test_a_night_shift_runs_on_through_midnight() -> None:
    calendar = every_day("America/New_York", (0, 120), (1080, 1440))
    evening = datetime(2026, 6, 8, 23, tzinfo=ZoneInfo("America/New_York"))
    assert add(evening, 3 * HOUR, calendar) == evening + 3 * HOUR
    assert add(evening, 4 * HOUR, calendar) == evening + 20 * HOUR


def test_a_year_of_weekdays() -> None:
    start, end = amsterdam(2025, 1, 1), amsterdam(2026, 1, 1)
    assert between(start, end, OFFICE) == 261 * 9 * HOUR
    assert add(start, 261 * 9 * HOUR, OFFICE) == amsterdam(2025, 12, 31, 18)


def test_elapsed_time_looks_through_daylight_saving() -> None:
    before, after = amsterdam(2026, 10, 25, 2, 30), amsterdam(2026, 10, 25, 2, 30, fold=1)
    assert between(before, after, None) == HOUR
    assert between(after, before, None) == -HOUR
    assert add(before, HOUR, None) == after.astimezone(UTC)


def test_hours_lost_in_spring_do_not_count() -> None:
    # On 29 March 2026 the clock goes from 02:00 to 03:00.
    assert (
        between(amsterdam(2026, 3, 29), amsterdam(2026, 3, 30), every_day(AMSTERDAM.key, (0, 1440)))
        == 23 * HOUR
    )
    calendar = every_day(AMSTERDAM.key, (90, 150))
    assert between(amsterdam(2026, 3, 29), amsterdam(2026, 3, 30), calendar) == HOUR / 2
    assert add(amsterdam(2026, 3, 29), HOUR / 2, calendar) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    inside = every_day(AMSTERDAM.key, (125, 170))
    assert next_open(amsterdam(2026, 3, 28, 12), inside) == amsterdam(2026, 3, 30, 2, 5)


def test_hours_repeated_in_autumn_count_twice() -> None:
    # On 25 October 2026 the hour from 02:00 to 03:00 comes twice; 02:30 closes, and 02:00 opens again.
    calendar = every_day(AMSTERDAM.key, (90, 150))
    midnight = amsterdam(2026, 10, 25)
    assert between(midnight, amsterdam(2026, 10, 26), calendar) == HOUR * 3 / 2
    assert not is_open(amsterdam(2026, 10, 25, 2, 45), calendar)
    assert is_open(amsterdam(2026, 10, 25, 2, 15, fold=1), calendar)
    assert add(midnight, 70 * MINUTE, calendar) == datetime(2026, 10, 25, 1, 10, tzinfo=UTC)


def test_lord_howe_moves_by_half_an_hour() -> None:
    zone = ZoneInfo("Australia/Lord_Howe")
    calendar = every_day(zone.key, (90, 180))
    # 5 April 2026: 02:00 becomes 01:30. 4 October 2026: 02:00 becomes 02:30.
    for day, worked in ((datetime(2026, 4, 5, tzinfo=zone), 120), (datetime(2026, 10, 4, tzinfo=zone), 60)):
        assert between(day, day + DAY, calendar) == MINUTE * worked


def test_apia_had_no_thirtieth_of_december_in_2011() -> None:
    zone = ZoneInfo("Pacific/Apia")
    calendar = Calendar(zone.key, (NINE_TO_SIX,) * 7)
    thursday = datetime(2011, 12, 29, 17, tzinfo=zone)
    assert add(thursday, 2 * HOUR, calendar) == datetime(2011, 12, 31, 10, tzinfo=zone)
    weekdays = Calendar(zone.key, (NINE_TO_SIX,) * 5 + (OFF, OFF))
    assert add(thursday, 2 * HOUR, weekdays) == datetime(2012, 1, 2, 10, tzinfo=zone)
    assert between(thursday, datetime(2012, 1, 1, tzinfo=zone), calendar) == 10 * HOUR


def test_offsets_of_local_mean_time_have_seconds() -> None:
    # In 1850 Kolkata was 5:53:28 ahead of Greenwich; the seconds are kept.
    zone = ZoneInfo("Asia/Kolkata")
    day = datetime(1850, 6, 5, tzinfo=zone)
    offset = day.utcoffset()
    assert offset is not None and offset.seconds % 60
    assert between(day, day + DAY, every_day(zone.key, (540, 1080))) == 9 * HOUR


# Cost: days looked at, not seconds, so that it holds on any machine


@pytest.fixture
def days_worked_out(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Day numbers in the order they were worked out, starting from an empty memory."""
    worked_out: list[int] = []
    work_out = hours._work_out

    def count(calendar: Calendar, zone: ZoneInfo, number: int) -> hours._Day:
        worked_out.append(number)
        return work_out(calendar, zone, number)

    monkeypatch.setattr(hours, "_work_out", count)
    hours._days.cache_clear()
    return worked_out


def test_thirty_days_look_at_no_more_than_thirty_two_once(days_worked_out: list[int]) -> None:
    start = amsterdam(2026, 3, 16, 10, 17)
    span = between(start, start + 30 * DAY, OFFICE)
    assert len(days_worked_out) <= 32
    hours._days.cache_clear()
    days_worked_out.clear()

    end = add(start, span, OFFICE)
    assert start + 29 * DAY < end <= start + 30 * DAY
    assert len(days_worked_out) <= 32
    assert len(set(days_worked_out)) == len(days_worked_out)

    # An equal calendar, as the database gives a new one each time, finds the same memory.
    twin = Calendar(OFFICE.zone, OFFICE.week, OFFICE.closed)
    days_worked_out.clear()
    assert add(start, span, twin) == end
    assert between(start, end, twin) == span
    assert days_worked_out == []


def test_a_long_span_looks_at_each_day_once(days_worked_out: list[int]) -> None:
    start = amsterdam(2020, 1, 1)
    end = add(start, 5 * 261 * 9 * HOUR, OFFICE)
    assert len(days_worked_out) <= (end - start).days + 2


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hours, "DAYS_KEPT", 50)
    hours._days.cache_clear()
    start = amsterdam(2025, 1, 1)
    assert between(start, amsterdam(2026, 1, 1), OFFICE) == 261 * 9 * HOUR
    assert len(hours._days(OFFICE)) <= 50


# Refusals


def test_naive_instants_are_refused() -> None:
    naive = datetime(2026, 6, 8, 10)
    aware = amsterdam(2026, 6, 8, 10)
    for calendar in (OFFICE, None):
        with pytest.raises(ValueError, match="time zone"):
            add(naive, HOUR, calendar)
        with pytest.raises(ValueError, match="time zone"):
            between(aware, naive, calendar)
        with pytest.raises(ValueError, match="time zone"):
            is_open(naive, calendar)


def test_negative_spans_are_refused() -> None:
    for calendar in (OFFICE, None):
        with pytest.raises(ValueError, match="negative"):
            add(amsterdam(2026, 6, 8, 10), -MINUTE, calendar)


@pytest.mark.parametrize(
    ("zone", "week", "closed", "message"),
    [
        ("Europe/Atlantis", (NINE_TO_SIX,) * 7, frozenset(), "Atlantis"),
        ("", (NINE_TO_SIX,) * 7, frozenset(), "time zone"),
        ("../etc/passwd", (NINE_TO_SIX,) * 7, frozenset(), "time zone"),
        ("Europe", (NINE_TO_SIX,) * 7, frozenset(), "time zone"),
        (None, (NINE_TO_SIX,) * 7, frozenset(), "time zone"),
        ("UTC", (OFF,) * 7, frozenset(), "needs some working time"),
        ("UTC", (NINE_TO_SIX,) * 6, frozenset(), "seven days"),
        ("UTC", [NINE_TO_SIX] * 7, frozenset(), "seven days"),
        ("UTC", (OFF, [(540, 1080)], OFF, OFF, OFF, OFF, OFF), frozenset(), "Tuesday"),
        ("UTC", (((540,),),) + (OFF,) * 6, frozenset(), "Monday.*not a .start, end. pair"),
        ("UTC", (((540.0, 600),),) + (OFF,) * 6, frozenset(), "whole minutes"),
        ("UTC", (((600, 600),),) + (OFF,) * 6, frozenset(), "600 to 600"),
        ("UTC", (((-1, 600),),) + (OFF,) * 6, frozenset(), "-1 to 600"),
        ("UTC", (((540, 1441),),) + (OFF,) * 6, frozenset(), "540 to 1441"),
        ("UTC", (((540, 700), (699, 800)),) + (OFF,) * 6, frozenset(), "699 to 800 overlaps"),
        ("UTC", (((800, 900), (540, 700)),) + (OFF,) * 6, frozenset(), "precedes"),
        ("UTC", (NINE_TO_SIX,) * 7, {date(2026, 1, 1)}, "frozenset"),
        ("UTC", (NINE_TO_SIX,) * 7, frozenset({datetime(2026, 1, 1)}), "must be a date"),
    ],
)
def test_malformed_calendars_are_refused(zone: str, week: hours.Week, closed: object, message: str) -> None:
    with pytest.raises(InvalidCalendar, match=message):
        Calendar(zone, week, closed)  # type: ignore[arg-type]


def test_touching_intervals_are_one() -> None:
    calendar = every_day("UTC", (540, 720), (720, 1080))
    assert add(datetime(2026, 6, 8, 11, tzinfo=UTC), 3 * HOUR, calendar) == datetime(
        2026, 6, 8, 14, tzinfo=UTC
    )


def test_a_calendar_closed_for_years_says_so() -> None:
    closed = frozenset(date(2026, 1, 1) + DAY * n for n in range(2000))
    calendar = Calendar("UTC", (NINE_TO_SIX,) * 7, closed)
    with pytest.raises(InvalidCalendar, match="no working time in the 1100 days"):
        add(datetime(2026, 1, 5, tzinfo=UTC), HOUR, calendar)
    assert between(datetime(2026, 1, 5, tzinfo=UTC), datetime(2030, 1, 5, tzinfo=UTC), calendar) == NOTHING


def test_a_closure_of_a_year_is_waited_for() -> None:
    closed = frozenset(date(2026, 1, 1) + DAY * n for n in range(365))
    calendar = Calendar("UTC", (NINE_TO_SIX,) * 7, closed)
    assert add(datetime(2026, 1, 5, tzinfo=UTC), HOUR, calendar) == datetime(2027, 1, 1, 10, tzinfo=UTC)


def test_the_end_of_the_calendar_is_an_error() -> None:
    with pytest.raises(OverflowError):
        add(datetime(9999, 12, 20, tzinfo=UTC), timedelta(days=400), OFFICE)
    with pytest.raises(OverflowError):
        add(datetime(9999, 12, 20, tzinfo=UTC), timedelta(days=400), None)


def test_a_calendar_survives_pickling_into_another_process() -> None:
    data = pickle.dumps(OFFICE)
    # A kept hash would be wrong wherever text is hashed with another seed.
    assert b"_hash" not in data
    copy = pickle.loads(data)
    assert copy == OFFICE
    assert hash(copy) == hash(OFFICE)
