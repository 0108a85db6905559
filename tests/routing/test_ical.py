"""What is read of an iCalendar file, what is named as left out, and what no file may cost."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from routing import ical
from routing.ical import MOST_BYTES, MOST_DAYS, MOST_EVENTS, Unreadable, read

YEAR = 2026


def file_of(*events: str) -> str:
    body = "".join(f"BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\n" for event in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\n{body}END:VCALENDAR\r\n"


def whole(first: str, *lines: str, name: str = "Ours") -> str:
    return "\r\n".join((f"DTSTART;VALUE=DATE:{first}", f"SUMMARY:{name}", *lines))


def days(*events: str) -> list[date]:
    found = read(file_of(*events), YEAR)
    assert found.skipped == ()
    return [item.day for item in found.days]


def why(event: str) -> str:
    found = read(file_of(event), YEAR)
    assert found.days == ()
    [skipped] = found.skipped
    return skipped.why


def test_a_whole_day() -> None:
    [found] = read(file_of(whole("20261224", name="Christmas Eve")), YEAR).days
    assert (found.day, found.name) == (date(2026, 12, 24), "Christmas Eve")


def test_a_span_of_days_ends_before_its_end() -> None:
    assert days(whole("20261230", "DTEND;VALUE=DATE:20270102")) == [
        date(2026, 12, 30),
        date(2026, 12, 31),
        date(2027, 1, 1),
    ]
    assert days(whole("20261230", "DURATION:P2D")) == [date(2026, 12, 30), date(2026, 12, 31)]
    # Some programs end a whole day on itself.
    assert days(whole("20261230", "DTEND;VALUE=DATE:20261230")) == [date(2026, 12, 30)]


def test_midnight_to_midnight_is_a_whole_day() -> None:
    assert days("DTSTART:20260501T000000\r\nDTEND:20260502T000000") == [date(2026, 5, 1)]


def test_a_yearly_repeat_is_written_out_for_three_years() -> None:
    assert days(whole("20101224", "RRULE:FREQ=YEARLY")) == [date(y, 12, 24) for y in (2026, 2027, 2028)]
    assert days(whole("20001126", "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH")) == [
        date(2026, 11, 26),
        date(2027, 11, 25),
        date(2028, 11, 23),
    ]
    assert days(whole("20000529", "RRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO")) == [
        date(2026, 5, 25),
        date(2027, 5, 31),
        date(2028, 5, 29),
    ]


def test_a_leap_day_repeats_in_leap_years() -> None:
    assert days(whole("20200229", "RRULE:FREQ=YEARLY")) == [date(2028, 2, 29)]


def test_a_repeating_span_that_began_last_year_reaches_into_this_one() -> None:
    found = days(whole("20201230", "DTEND;VALUE=DATE:20210102", "RRULE:FREQ=YEARLY"))
    assert found[:3] == [date(2026, 1, 1), date(2026, 12, 30), date(2026, 12, 31)]
    assert found[-1] == date(2028, 12, 31)


def test_repeats_that_are_counted_ended_or_excepted() -> None:
    assert days(whole("20200103", "RRULE:FREQ=YEARLY;COUNT=8")) == [date(2026, 1, 3), date(2027, 1, 3)]
    assert days(whole("20200103", "RRULE:FREQ=YEARLY;UNTIL=20270102")) == [date(2026, 1, 3)]
    assert days(whole("20200103", "RRULE:FREQ=YEARLY;INTERVAL=4")) == [date(2028, 1, 3)]
    lines = ("RRULE:FREQ=YEARLY", "EXDATE;VALUE=DATE:20270103", "RDATE;VALUE=DATE:20260601")
    assert days(whole("20200103", *lines)) == [date(2026, 1, 3), date(2026, 6, 1), date(2028, 1, 3)]


def test_a_day_that_stands_there_twice_is_one() -> None:
    found = read(file_of(whole("20261225", name="Christmas"), whole("20261225", name="Jul")), YEAR)
    assert [(item.day, item.name) for item in found.days] == [(date(2026, 12, 25), "Christmas")]


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("DTSTART:20260501T090000Z\r\nDTEND:20260501T100000Z", "a time of day"),
        ("DTSTART:20260501T090000Z", "a time of day"),
        (whole("20260105", "RRULE:FREQ=WEEKLY"), "repeats weekly"),
        (whole("20260105", "RRULE:FREQ=YEARLY;BYDAY=MO"), "names no month"),
        (whole("20260105", "RRULE:FREQ=YEARLY;BYWEEKNO=20"), "BYWEEKNO"),
        (whole("20200105", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), "none from 2026 to 2028"),
        (whole("20260105", "RRULE:FREQ=YEARLY;BYMONTH=99"), "cannot be"),
        (whole("20260105", "RRULE:FREQ=YEARLY;BYDAY=9QQ;BYMONTH=1"), "cannot be read"),
        (whole("20260105", "RRULE:FREQ=YEARLY", "RRULE:FREQ=YEARLY"), "cannot be read"),
        (whole("20200105", "RRULE:FREQ=YEARLY;COUNT=2"), "none from 2026"),
        (whole("20250105"), "before 2026"),
        (whole("20500105"), "after 2035"),
        (whole("18000105", "RRULE:FREQ=YEARLY"), "year 1800"),
        (whole("20260105", "DTEND;VALUE=DATE:20260101"), "ends before it begins"),
        (whole("20260105", "DTEND;VALUE=DATE:20260801"), "lasts 208 days"),
        (whole("20260105", "DTEND:20260106T000000Z"), "ends with a time"),
        (whole("20260105", "STATUS:CANCELLED"), "cancelled"),
        (whole("20260105", "RECURRENCE-ID;VALUE=DATE:20260106"), "one day of a series"),
        (whole("20260105", "EXDATE;VALUE=DATE:20260105"), "no day is left"),
        (whole("2026xx05"), "cannot be read"),
        (whole("20260105", "DTSTART;VALUE=DATE:20260106"), "more than one DTSTART"),
        ("SUMMARY:Never", "first day"),
    ],
)
def test_everything_else_is_named_with_the_reason(event: str, said: str) -> None:
    assert said in why(event)


def test_what_is_left_out_spoils_none_of_the_others() -> None:
    found = read(file_of("SUMMARY:Never", whole("20261224"), "garbage", whole("20261231")), YEAR)
    assert [item.day for item in found.days] == [date(2026, 12, 24), date(2026, 12, 31)]
    assert [item.name for item in found.skipped] == ["Never", "An event without a name"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", "nothing in it"),
        ("  \r\n ", "nothing in it"),
        ("Christmas, 25 December", "no line BEGIN:VCALENDAR"),
        ("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "no event"),
        (b"\xff\xfe\x00B", "not UTF-8"),
        (b"x" * (MOST_BYTES + 1), "larger than 1,024 KiB"),
        ("ä" * (MOST_BYTES // 2 + 1), "more than 1,024 KiB"),
        ("x" * (MOST_BYTES + 1), "more than 1,024 KiB"),
        ("BEGIN:VCALENDAR\r\nno colon\r\nEND:VCALENDAR", "cannot be read"),
        ("BEGIN:VCALENDAR\r\n" * 9000, "too many parts"),
        (file_of(*(["A:1"] * (MOST_EVENTS + 1))), "2,001 events"),
    ],
)
def test_what_is_no_such_file_is_refused(data: Any, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        read(data, YEAR)


def test_hostile_text_is_bounded_and_harmless() -> None:
    name = "<script>x</script>\x00\x1b[31m" + "a" * 5000
    [found] = read(file_of(whole("20261224", name=name)), YEAR).days
    assert len(found.name) == 120
    assert found.name.isprintable()
    nested = "BEGIN:VCALENDAR\r\n" * 3000 + file_of(whole("20261224")) + "END:VCALENDAR\r\n" * 3000
    assert [item.day for item in read(nested, YEAR).days] == [date(2026, 12, 24)]


def test_no_file_takes_more_days_than_the_bound() -> None:
    events = [whole(f"{2026 + n // 4}0{1 + n % 4 * 2}01", "DURATION:P59D", name=f"s{n}") for n in range(40)]
    found = read(file_of(*events), YEAR)
    assert len(found.days) == MOST_DAYS // 59 * 59
    assert {item.why for item in found.skipped} == {"at most 2,000 days are taken from one file"}


def test_repeats_cost_no_more_than_their_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thousand rules that name every month, counted from 1901: what is worked out is bounded."""
    worked_out: list[int] = []
    real = ical._Yearly._of_month

    def counted(self: ical._Yearly, year: int, month: int) -> set[date]:
        worked_out.append(month)
        return real(self, year, month)

    monkeypatch.setattr(ical._Yearly, "_of_month", counted)
    months = ",".join(str(month) for month in range(1, 13))
    rule = f"RRULE:FREQ=YEARLY;COUNT=90000;BYMONTH={months};BYDAY=MO,TU,WE,TH,FR"
    found = read(file_of(*(whole("19010101", rule, name=str(n)) for n in range(MOST_EVENTS))), YEAR)
    assert len(worked_out) <= ical.MOST_MONTHS
    assert found.skipped[-1].why == "too many repeats stand before it in this file"


# Rules of every shape that is read, against the library that everybody uses for them.


@st.composite
def rules(draw: st.DrawFn) -> str:
    parts = ["FREQ=YEARLY"]
    if draw(st.booleans()):
        months = draw(st.lists(st.integers(1, 12), min_size=1, max_size=3, unique=True))
        parts.append("BYMONTH=" + ",".join(map(str, months)))
        if draw(st.booleans()):
            numbers = st.integers(-31, 31).filter(bool)
            chosen = draw(st.lists(numbers, min_size=1, max_size=8, unique=True))
            parts.append("BYMONTHDAY=" + ",".join(map(str, chosen)))
        if draw(st.booleans()):
            weekday = st.sampled_from(ical._WEEKDAYS)
            plain = "BYMONTHDAY" in parts[-1]
            place = st.just("") if plain else st.sampled_from(["", "1", "2", "4", "5", "-1", "-2"])
            pairs = draw(st.lists(st.tuples(place, weekday), min_size=1, max_size=3, unique=True))
            parts.append("BYDAY=" + ",".join(n + day for n, day in pairs))
        if len(parts) > 2 and draw(st.booleans()):
            parts.append(f"BYSETPOS={draw(st.sampled_from([1, 2, -1, -2]))}")
    if draw(st.booleans()):
        parts.append(f"INTERVAL={draw(st.integers(1, 4))}")
    if draw(st.booleans()):
        parts.append(draw(st.sampled_from(["COUNT=3", "COUNT=11", "COUNT=40", "UNTIL=20270610"])))
    return ";".join(parts)


@settings(max_examples=200, deadline=None)
@given(rules(), st.dates(date(1990, 1, 1), date(2027, 12, 31)))
def test_yearly_rules_agree_with_dateutil(rule: str, start: date) -> None:
    first = datetime(start.year, start.month, start.day)
    ends = datetime(2029, 1, 1)
    bounded = rule if "UNTIL" in rule or "COUNT" in rule else f"{rule};UNTIL=20281231"
    theirs = rrulestr(bounded, dtstart=first)
    # dateutil does not count a first day that its own rule does not hit; the standard does.
    assume(next(iter(theirs), None) == first)
    expected = [at.date() for at in theirs.between(datetime(2026, 1, 1), ends, inc=True) if at < ends]
    found = read(file_of(whole(f"{start:%Y%m%d}", f"RRULE:{rule}")), YEAR)
    assert [item.day for item in found.days] == expected


def test_the_window_moves_with_the_year() -> None:
    found = read(file_of(whole("20101224", "RRULE:FREQ=YEARLY")), 2030)
    assert [item.day.year for item in found.days] == [2030, 2031, 2032]
