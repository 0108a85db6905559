"""Calendars in words: a week, closed days, who works by them, and the spans that nobody covers.

Owns the wording. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from leads.presenters import times
from routing import hours
from routing.hours import Span

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ALL_DAY = ((0, hours.MINUTES_A_DAY),)
MOST_NAMED = 4


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed day in words. `id` is 0 when it cannot be taken away here."""

    id: int
    day: str
    exact: str
    name: str
    is_public: bool
    is_over: bool = False


def clock(minutes: int) -> str:
    """A time of day from minutes since midnight: "09:00", "24:00"."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def in_words(week: hours.Week) -> str:
    """ "Mon to Fri 09:00 to 12:00 and 13:00 to 18:00, Sat 10:00 to 14:00"; "around the clock"."""
    if all(day == ALL_DAY for day in week):
        return "around the clock"
    groups: list[tuple[int, int]] = []
    for number, day in enumerate(week):
        if not day:
            continue
        if groups and groups[-1][1] == number - 1 and week[groups[-1][0]] == day:
            groups[-1] = (groups[-1][0], number)
        else:
            groups.append((number, number))
    return ", ".join(f"{_days(first, last)} {_hours(week[first])}" for first, last in groups)


def _days(first: int, last: int) -> str:
    if first == last:
        return WEEKDAYS[first][:3]
    joined = " and " if last == first + 1 else " to "
    return f"{WEEKDAYS[first][:3]}{joined}{WEEKDAYS[last][:3]}"


def _hours(day: Sequence[tuple[int, int]]) -> str:
    if tuple(day) == ALL_DAY:
        return "all day"
    return " and ".join(f"{clock(start)} to {clock(end)}" for start, end in day)


def day_in_words(day: date, today: date) -> str:
    """ "Thu 24 Dec", with the year when it is another one."""
    short = f"{day:%a} {day.day} {day:%b}"
    return short if day.year == today.year else f"{short} {day.year}"


def runs(days: Sequence[tuple[date, str]], today: date) -> list[tuple[str, str]]:
    """Days in order with their names, those of one name that follow each other as one: "Mon 14 Dec to Wed 16
    Dec"."""
    found: list[tuple[date, date, str]] = []
    for day, name in days:
        if found and found[-1][2] == name and (day - found[-1][1]).days == 1:
            found[-1] = (found[-1][0], day, name)
        else:
            found.append((day, day, name))
    return [
        (day_in_words(a, today) if a == b else f"{day_in_words(a, today)} to {day_in_words(b, today)}", name)
        for a, b, name in found
    ]


def some(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """The first few of these, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def span_in_words(span: Span, now: datetime) -> str:
    """ "Sunday 29 Nov 02:00 to 06:00", in the viewer's zone; over midnight with both days."""
    begins, ends = times.local(span[0], now), times.local(span[1], now)
    first = f"{begins:%A} {begins.day} {begins:%b} {begins:%H:%M}"
    if ends.date() == begins.date():
        return f"{first} to {ends:%H:%M}"
    is_midnight = (ends.hour, ends.minute) == (0, 0) and (ends.date() - begins.date()).days == 1
    if is_midnight:
        return f"{first} to 24:00"
    return f"{first} to {ends:%A} {ends.day} {ends:%b} {ends:%H:%M}"
