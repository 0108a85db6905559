"""Spans of time in the organisation's zone: ISO weeks, ranges of days, and the names they go by.

Pure: no database, no clock. A week begins on Monday 00:00 local time and ends where the next begins, so
a week with a change of the clock is an hour shorter or longer. Instants are UTC.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_YEARS = range(1970, 2200)
_NAME = re.compile(r"(\d{4})-W(\d{2})")


@dataclass(frozen=True, order=True)
class Week:
    """An ISO week; its name is like "2026-W41" (four-digit ISO year, two-digit week)."""

    year: int
    number: int

    @classmethod
    def of(cls, instant: datetime, zone: str) -> Week:
        """The week that an instant falls in, as a clock on the wall in that zone says."""
        iso = instant.astimezone(ZoneInfo(zone)).isocalendar()
        return cls(iso.year, iso.week)

    @classmethod
    def holding(cls, day: date) -> Week:
        """The week that a day falls in."""
        iso = day.isocalendar()
        return cls(iso.year, iso.week)

    @classmethod
    def parse(cls, name: str) -> Week:
        """The week called "2026-W41"; ValueError when there is none."""
        match = _NAME.fullmatch(name)
        if not match:
            raise ValueError(f"{name!r} is not a week such as 2026-W41")
        week = cls(int(match[1]), int(match[2]))
        try:
            known = week.monday.year in _YEARS
        except ValueError:
            known = False
        if not known:
            raise ValueError(f"there is no week {name}")
        return week

    @property
    def name(self) -> str:
        return f"{self.year:04d}-W{self.number:02d}"

    @property
    def monday(self) -> date:
        return date.fromisocalendar(self.year, self.number, 1)

    @property
    def sunday(self) -> date:
        return self.monday + timedelta(days=6)

    def plus(self, weeks: int) -> Week:
        """The week so many weeks later (earlier when negative)."""
        iso = (self.monday + timedelta(weeks=weeks)).isocalendar()
        return Week(iso.year, iso.week)

    def span(self, zone: str) -> Span:
        """From its Monday 00:00 to the next, local time."""
        return Span(_midnight(self.monday, zone), _midnight(self.monday + timedelta(days=7), zone))


@dataclass(frozen=True)
class Span:
    """From `start` until just before `end`; None is open. UTC instants."""

    start: datetime | None = None
    end: datetime | None = None

    def holds(self, instant: datetime) -> bool:
        return (self.start is None or instant >= self.start) and (self.end is None or instant < self.end)


EVERYTHING = Span()


def days(first: date | None, last: date | None, zone: str) -> Span:
    """From the first day's beginning to the last day's end (that day included), local time."""
    if first is not None and last is not None and last < first:
        raise ValueError(f"{last} is before {first}")
    return Span(
        None if first is None else _midnight(first, zone),
        None if last is None else _midnight(last + timedelta(days=1), zone),
    )


@dataclass(frozen=True)
class WeekRange:
    """Consecutive weeks, both ends included, in a zone."""

    first: Week
    last: Week
    zone: str

    @classmethod
    def ending(cls, last: Week, count: int, zone: str) -> WeekRange:
        """So many weeks up to and with the last."""
        return cls(last.plus(1 - count), last, zone)

    def __iter__(self) -> Iterator[Week]:
        week = self.first
        while week <= self.last:
            yield week
            week = week.plus(1)

    def __len__(self) -> int:
        return max(0, (self.last.monday - self.first.monday).days // 7 + 1)

    @property
    def span(self) -> Span:
        return Span(self.first.span(self.zone).start, self.last.span(self.zone).end)

    def only(self, week: Week) -> WeekRange:
        return WeekRange(week, week, self.zone)


class WeekFinder:
    """Finds the week of many instants quickly: a look-up between borders in place of calendar arithmetic."""

    def __init__(self, zone: str) -> None:
        self.zone = zone
        self._borders: list[datetime] = []
        self._weeks: list[Week] = []

    def of(self, instant: datetime) -> Week:
        place = bisect_right(self._borders, instant) - 1
        if 0 <= place < len(self._weeks):
            return self._weeks[place]
        self._grow(instant)
        return self._weeks[bisect_right(self._borders, instant) - 1]

    def _grow(self, instant: datetime) -> None:
        week = Week.of(instant, self.zone)
        first = min(week, self._weeks[0]) if self._weeks else week
        last = max(week, self._weeks[-1]) if self._weeks else week
        self._weeks = []
        while first <= last:
            self._weeks.append(first)
            first = first.plus(1)
        self._borders = [_midnight(each.monday, self.zone) for each in self._weeks]
        self._borders.append(_midnight(last.monday + timedelta(days=7), self.zone))


@lru_cache(maxsize=4096)
def _midnight(day: date, zone: str) -> datetime:
    """The instant at which a local day begins.

    Where the clock jumps over midnight, the day begins when the jump is done, which is what the offset
    before it (fold 0) gives.
    """
    return datetime.combine(day, time.min, ZoneInfo(zone)).astimezone(UTC)
