"""Closed days out of an iCalendar file: whole days and spans of days, yearly repeats written out.

Owns what is read of such a file, its bounds, and the words for what is left out: every event is either read
or named with the reason. Parsing the text is the icalendar library's. Pure: text in, days out; never reads a
clock, never writes, and never follows an address in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from icalendar import Calendar
from icalendar.cal import Component
from icalendar.error import BrokenCalendarProperty

MOST_BYTES = 1024 * 1024
MOST_EVENTS = 2_000
MOST_DAYS = 2_000
LONGEST_SPAN = 92
YEARS = 3
LONGEST_NAME = 120
LONGEST_WORDS = 200
# A repeat counts from its first day, year by year; nobody's holidays began before this.
FIRST_YEAR = 1900
MOST_IN_A_RULE = 62
# So many months are worked out for the repeats of one file; a rule of holidays takes three, one a year.
MOST_MONTHS = 20_000

_DAY = timedelta(days=1)
_EVENT = re.compile(r"^BEGIN:VEVENT\s*$", re.IGNORECASE | re.MULTILINE)
_BEGIN = re.compile(r"^BEGIN:", re.IGNORECASE | re.MULTILINE)
_BY_DAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_KNOWN = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYMONTH", "BYMONTHDAY", "BYDAY", "BYSETPOS", "WKST"}
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


class Unreadable(ValueError):
    """Nothing can be read of this text. The message says why, for a person."""


@dataclass(frozen=True, slots=True)
class Day:
    """A day to be closed, and what the file calls it."""

    day: date
    name: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """An event that was left out, or read in part, and why."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name}: {self.why}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file holds: its days in order, each once (the first name wins), and what was left out."""

    days: tuple[Day, ...]
    skipped: tuple[Skipped, ...]


class _LeftOut(Exception):
    """Why an event is not read."""


@dataclass
class _Work:
    """What may still be spent on the repeats of a file, however they are written."""

    months: int = MOST_MONTHS

    def spend(self, months: int) -> None:
        if months > self.months:
            raise _LeftOut("too many repeats stand before it in this file")
        self.months -= months


def read(data: bytes | str, first_year: int) -> Reading:
    """The days of this file from `first_year` on; what repeats every year, for YEARS years.

    Raises Unreadable.
    """
    components = _parse(_text(data))
    last = date(first_year + YEARS - 1, 12, 31)
    work = _Work()
    found: dict[date, str] = {}
    skipped: list[Skipped] = []
    for component in components:
        name = _name(component)
        try:
            days = _days(component, date(first_year, 1, 1), last, work)
            if len(found) + len(days - found.keys()) > MOST_DAYS:
                raise _LeftOut(f"at most {MOST_DAYS:,} days are taken from one file")
        except (_LeftOut, BrokenCalendarProperty) as left_out:
            why = str(left_out) if isinstance(left_out, _LeftOut) else "its days or its rule cannot be read"
            skipped.append(Skipped(name or "An event without a name", why))
            continue
        for day in days:
            found.setdefault(day, name)
    return Reading(tuple(Day(day, found[day]) for day in sorted(found)), tuple(skipped))


def _text(data: bytes | str) -> str:
    if isinstance(data, str):
        # What was pasted is bounded as a file is.
        if len(data) > MOST_BYTES or len(data.encode(errors="replace")) > MOST_BYTES:
            raise Unreadable(f"This is more than {MOST_BYTES // 1024:,} KiB.")
        return data.removeprefix("\ufeff")
    if len(data) > MOST_BYTES:
        raise Unreadable(f"The file is larger than {MOST_BYTES // 1024:,} KiB.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("The file is not UTF-8, as iCalendar files are.") from None


def _parse(text: str) -> list[Component]:
    if not text.strip():
        raise Unreadable("There is nothing in it.")
    if not _BEGIN.search(text):
        raise Unreadable("This is no iCalendar file: it has no line BEGIN:VCALENDAR.")
    events = len(_EVENT.findall(text))
    if events > MOST_EVENTS:
        raise Unreadable(f"It holds {events:,} events; at most {MOST_EVENTS:,} are read.")
    # An event can hold a few alarms; a calendar some time zones with two rules each.
    if len(_BEGIN.findall(text)) > 4 * MOST_EVENTS:
        raise Unreadable("It holds too many parts to be a list of holidays.")
    try:
        roots = Calendar.from_ical(text, multiple=True)
        found = [event for root in roots for event in root.walk("VEVENT")]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        words = _CONTROL.sub(" ", str(error))[:LONGEST_WORDS]
        raise Unreadable(f"This cannot be read as an iCalendar file: {words}") from error
    if not found:
        raise Unreadable("It holds no event.")
    return found


def _name(event: Component) -> str:
    value = event.get("SUMMARY", "")
    words = str(value[0] if isinstance(value, list) and value else value)
    return " ".join(_CONTROL.sub(" ", words).split())[:LONGEST_NAME]


def _days(event: Component, first: date, last: date, work: _Work) -> set[date]:
    """The days of one event; repeats between `first` and `last`. Raises _LeftOut."""
    if str(event.get("STATUS", "")).upper() == "CANCELLED":
        raise _LeftOut("it is cancelled")
    if "RECURRENCE-ID" in event:
        raise _LeftOut("it moves one day of a series, which is read as the series says")
    start, length = _span(event)
    rule = event.get("RRULE")
    if rule is not None:
        starts = set(_Yearly(rule, start).starts(first - length * _DAY, last, work))
        if not starts and not event.get("RDATE"):
            raise _LeftOut(f"its repeats have none from {first.year} to {last.year}")
    else:
        if start + (length - 1) * _DAY < first:
            raise _LeftOut(f"it is before {first.year}")
        if start > date(last.year + 7, 12, 31):
            raise _LeftOut(f"it is after {last.year + 7}")
        starts = {start}
    starts = (starts | _dates(event.get("RDATE"))) - _dates(event.get("EXDATE"))
    days = {day + number * _DAY for day in starts for number in range(length)}
    within = {day for day in days if day >= first and (rule is None or day <= last)}
    if not within:
        raise _LeftOut("no day is left of it")
    return within


def _span(event: Component) -> tuple[date, int]:
    """First day and number of days of a whole-day event. Raises _LeftOut."""
    start = _moment(event, "DTSTART")
    if start is None:
        raise _LeftOut("its first day cannot be read")
    if not FIRST_YEAR <= start.year <= 9000:
        raise _LeftOut(f"it begins in the year {start.year}")
    end = _moment(event, "DTEND")
    if end is None and "DURATION" in event:
        length = getattr(event.get("DURATION"), "dt", None)
        if not isinstance(length, timedelta) or abs(length) > timedelta(days=10_000):
            raise _LeftOut("its length cannot be read")
        end = start + length
    if isinstance(start, datetime):
        # Some programs write a whole day as midnight to midnight.
        is_whole = isinstance(end, datetime) and start.time() == time() == end.time() and end > start
        if not is_whole:
            raise _LeftOut("it has a time of day; only whole days are closed")
    elif isinstance(end, datetime):
        raise _LeftOut("it begins with a day and ends with a time")
    first = start.date() if isinstance(start, datetime) else start
    until = end.date() if isinstance(end, datetime) else end
    length_in_days = 1 if until is None else (until - first).days
    if length_in_days < 0:
        raise _LeftOut("it ends before it begins")
    if length_in_days > LONGEST_SPAN:
        raise _LeftOut(f"it lasts {length_in_days:,} days; at most {LONGEST_SPAN} are read")
    # Some programs end a whole-day event on the day itself.
    return first, max(1, length_in_days)


def _moment(event: Component, name: str) -> date | datetime | None:
    """A date or moment of an event; None where there is none. Raises _LeftOut when it stands there twice."""
    value = event.get(name)
    if isinstance(value, list):
        raise _LeftOut(f"it has more than one {name}")
    found = getattr(value, "dt", None)
    if found is None and value is not None:
        raise _LeftOut(f"its {name} cannot be read")
    if found is not None and not isinstance(found, date):
        raise _LeftOut(f"its {name} is neither a day nor a moment")
    return found


def _dates(value: Any) -> set[date]:
    """The days of RDATE or EXDATE, which can stand in one line or many."""
    found: set[date] = set()
    for line in value if isinstance(value, list) else [value] if value is not None else []:
        for item in getattr(line, "dts", ()):
            moment = getattr(item, "dt", None)
            if isinstance(moment, datetime):
                found.add(moment.date())
            elif isinstance(moment, date):
                found.add(moment)
    return found


class _Yearly:
    """A rule that repeats every so many years: on its own day, or on days of named months.

    Each year is worked out from the months that the rule names: no rule, however it is written, is searched
    for day by day. Raises _LeftOut for every other rule.
    """

    def __init__(self, rule: Any, start: date) -> None:
        if isinstance(rule, list) or not hasattr(rule, "get"):
            raise _LeftOut("its repeat rule cannot be read")
        parts = {str(name).upper(): value for name, value in rule.items()}
        often = str(_first(parts.get("FREQ"))).upper()
        if often != "YEARLY":
            raise _LeftOut(f"it repeats {often.lower()[:20]}; only yearly repeats are read")
        if unknown := sorted(parts.keys() - _KNOWN):
            raise _LeftOut(f"its repeat rule has {unknown[0][:20]}, which is not read")
        self.start = start
        self.months = _numbers(parts.get("BYMONTH"), 1, 12)
        self.month_days = _numbers(parts.get("BYMONTHDAY"), -31, 31)
        self.positions = _numbers(parts.get("BYSETPOS"), -366, 366)
        self.weekdays = [_weekday(value) for value in _listed(parts.get("BYDAY"))]
        if not self.months and (self.month_days or self.weekdays):
            raise _LeftOut("its repeat rule names no month")
        self.interval = next(iter(_numbers(parts.get("INTERVAL"), 1, 1000)), 1)
        self.count = next(iter(_numbers(parts.get("COUNT"), 1, 100_000)), None)
        until = _first(parts.get("UNTIL"))
        if until is not None and not isinstance(until, date):
            raise _LeftOut("the end of its repeats cannot be read")
        self.until = until.date() if isinstance(until, datetime) else until

    def starts(self, first: date, last: date, work: _Work) -> Iterator[date]:
        """Its days between these two. The first counts, as the standard says, whether the rule hits it or
        not."""
        number = 0
        begins = self.start.year if self.count is not None else max(self.start.year, first.year)
        begins += -(begins - self.start.year) % self.interval
        for year in range(begins, last.year + 1, self.interval):
            work.spend(max(1, len(self.months)))
            days = self._of(year)
            if year == self.start.year:
                days = sorted({day for day in days if day >= self.start} | {self.start})
            for day in days:
                number += 1
                is_over = self.count is not None and number > self.count
                if is_over or day > last or (self.until is not None and day > self.until):
                    return
                if day >= first:
                    yield day

    def _of(self, year: int) -> list[date]:
        found: set[date] = set()
        for month in self.months or [self.start.month]:
            found |= self._of_month(year, month)
        days = sorted(found)
        if not self.positions:
            return days
        places = {place - 1 if place > 0 else len(days) + place for place in self.positions if place}
        return [day for place, day in enumerate(days) if place in places]

    def _of_month(self, year: int, month: int) -> set[date]:
        length = (date(year + month // 12, month % 12 + 1, 1) - _DAY).day
        numbers: set[int] | None = None
        if self.month_days:
            numbers = {day if day > 0 else length + 1 + day for day in self.month_days if day}
        if self.weekdays:
            first_weekday = date(year, month, 1).weekday()
            hits: set[int] = set()
            for place, weekday in self.weekdays:
                all_of_it = list(range(1 + (weekday - first_weekday) % 7, length + 1, 7))
                if place is None:
                    hits |= set(all_of_it)
                elif 0 < abs(place) <= len(all_of_it):
                    hits.add(all_of_it[place - 1 if place > 0 else place])
            numbers = hits if numbers is None else numbers & hits
        if numbers is None:
            numbers = {self.start.day}
        return {date(year, month, day) for day in numbers if 1 <= day <= length}


def _listed(value: Any) -> list[Any]:
    found = list(value) if isinstance(value, list | tuple) else [] if value is None else [value]
    if len(found) > MOST_IN_A_RULE:
        raise _LeftOut("its repeat rule is too long")
    return found


def _first(value: Any) -> Any:
    return next(iter(_listed(value)), None)


def _numbers(value: Any, low: int, high: int) -> list[int]:
    try:
        found = [int(item) for item in _listed(value)]
    except (TypeError, ValueError):
        raise _LeftOut("its repeat rule cannot be read") from None
    if not all(low <= number <= high for number in found):
        raise _LeftOut("its repeat rule has a number that cannot be")
    return found


def _weekday(value: Any) -> tuple[int | None, int]:
    match = _BY_DAY.fullmatch(str(value).upper())
    if match is None:
        raise _LeftOut("its repeat rule cannot be read")
    return (int(match[1]) if match[1] else None), _WEEKDAYS.index(match[2])
