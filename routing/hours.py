"""Business time: spans and instants counted in the working hours of a calendar.

Owns the values Calendar and AnyOf and the questions about them: add, between, is_open, next_open, spans.
Works by interval arithmetic on UTC instants: the working time of one UTC day is worked out once per calendar
and kept, and a span is paid out day by day. It never steps through hours, minutes or seconds, never reads a
clock, a setting or the database, and knows nothing of policies or deadlines (see sla.py).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
EPOCH_WEEKDAY = date(1970, 1, 1).weekday()
MICROSECOND = timedelta(microseconds=1)
NOTHING = timedelta(0)

MINUTES_A_DAY = 24 * 60
SECONDS_A_DAY = 24 * 60 * 60
MICROSECONDS = 1_000_000
MICROSECONDS_A_DAY = SECONDS_A_DAY * MICROSECONDS

# Day numbers count from 1970-01-01. The margin at both ends keeps local dates inside what `date` can hold.
FIRST_DAY = date(1, 1, 3).toordinal() - EPOCH_ORDINAL
LAST_DAY = date(9999, 12, 29).toordinal() - EPOCH_ORDINAL

LONGEST_CLOSURE_DAYS = 1100
CALENDARS_KEPT = 64
DAYS_KEPT = 4000

Week = tuple[tuple[tuple[int, int], ...], ...]
Span = tuple[datetime, datetime]


class InvalidCalendar(ValueError):
    """The calendar is malformed, or has no working time where some is needed. The text says which."""


@dataclass(frozen=True)
class Calendar:
    """Working hours in one time zone; an immutable value that is compared and hashed by its content.

    zone: IANA name. week: seven days, Monday first, each a tuple of (start, end) in minutes since local
    midnight, 0 <= start < end <= 1440, sorted and disjoint. closed: local dates without working time.
    An instant is working time when its own local wall-clock time lies in an interval (end excluded). So
    minutes skipped by daylight saving do not count, repeated ones count twice, and an ordinary day of an
    interval ending at 1440 runs on into an interval starting at 0 on the next.
    Raises InvalidCalendar.
    """

    zone: str
    week: Week
    closed: frozenset[date] = frozenset()
    # Kept because every question looks the calendar up by hash, and a year of holidays is slow to hash anew.
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _load_zone(self.zone)
        _check_week(self.week)
        if not isinstance(self.closed, frozenset):
            raise InvalidCalendar("The closed days of a calendar must be a frozenset of dates.")
        for day in self.closed:
            # A datetime is a date by inheritance but never equals one, so it would close nothing, silently.
            if type(day) is not date:
                raise InvalidCalendar(f"A closed day must be a date, not {day!r}.")
        object.__setattr__(self, "_hash", hash((self.zone, self.week, self.closed)))

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[type["Calendar"], tuple[str, Week, frozenset[date]]]:
        # Text hashes differently in every process; a pickled copy must work its hash out anew.
        return Calendar, (self.zone, self.week, self.closed)


@dataclass(frozen=True)
class AnyOf:
    """Time that is working time in at least one of several calendars: when somebody of them is there.

    Immutable, compared and hashed by its content like a Calendar. Raises InvalidCalendar for none at all.
    """

    calendars: frozenset[Calendar]

    def __post_init__(self) -> None:
        if not self.calendars:
            raise InvalidCalendar("Working time of no calendar at all is none.")

    @property
    def zone(self) -> str:
        return ", ".join(sorted({calendar.zone for calendar in self.calendars}))


Hours = Calendar | AnyOf


def add(start: datetime, span: timedelta, calendar: Hours | None) -> datetime:
    """The instant, in UTC, at which `span` of working time has passed since `start`.

    A start outside working hours counts from the next opening; a span that ends exactly at closing ends at
    that closing instant; a span of zero gives the next opening. Without a calendar time is elapsed.
    Raises ValueError for a naive start or a negative span, InvalidCalendar when the calendar stays closed
    for more than LONGEST_CLOSURE_DAYS on end, OverflowError past the year 9999.
    """
    at = _microseconds(start)
    if span < NOTHING:
        raise ValueError(f"A span of time cannot be negative: {span}.")
    if calendar is None:
        return _instant(at) + span
    days = _days(calendar)
    left = span // MICROSECOND
    number = at // MICROSECONDS_A_DAY
    for begin, end in days[number].intervals:
        if end > at:
            begin = max(begin, at)
            if left <= end - begin:
                return _instant(begin + left)
            left -= end - begin
    closed_days = 0
    while True:
        number += 1
        total, intervals = days[number]
        if not total:
            closed_days += 1
            if closed_days > LONGEST_CLOSURE_DAYS:
                raise InvalidCalendar(
                    f"The calendar ({calendar.zone}) has no working time in the {LONGEST_CLOSURE_DAYS} days "
                    f"before {_date(number)}; look at its closed days."
                )
            continue
        closed_days = 0
        if total < left:
            left -= total
            continue
        for begin, end in intervals:
            if left <= end - begin:
                return _instant(begin + left)
            left -= end - begin


def between(a: datetime, b: datetime, calendar: Hours | None) -> timedelta:
    """The working time from `a` to `b`, negative when `b` is the earlier; elapsed without a calendar.

    between(a, add(a, span)) is span, and between(a, b) + between(b, c) is between(a, c), exactly.
    Raises ValueError for a naive instant.
    """
    first, last = _microseconds(a), _microseconds(b)
    if calendar is None:
        return timedelta(microseconds=last - first)
    if last < first:
        return -between(b, a, calendar)
    days = _days(calendar)
    first_day, last_day = first // MICROSECONDS_A_DAY, last // MICROSECONDS_A_DAY
    whole = sum(days[number].total for number in range(first_day, last_day))
    return timedelta(microseconds=whole + _until(days[last_day], last) - _until(days[first_day], first))


def is_open(at: datetime, calendar: Hours | None) -> bool:
    """Is `at` working time? An opening instant is, a closing instant is not. Without a calendar, always."""
    moment = _microseconds(at)
    if calendar is None:
        return True
    day = _days(calendar)[moment // MICROSECONDS_A_DAY]
    return any(begin <= moment < end for begin, end in day.intervals)


def next_open(at: datetime, calendar: Hours | None) -> datetime:
    """The first working instant at or after `at`, in UTC. Raises as `add` does."""
    return add(at, NOTHING, calendar)


def spans(a: datetime, b: datetime, calendar: Hours | None) -> tuple[Span, ...]:
    """The stretches of working time from `a` to `b`, in UTC, in order, none touching the next.

    Without a calendar all of it is one. Raises ValueError for a naive instant.
    """
    first, last = _microseconds(a), _microseconds(b)
    if last <= first:
        return ()
    if calendar is None:
        return ((_instant(first), _instant(last)),)
    days = _days(calendar)
    cut = (
        (max(begin, first), min(end, last))
        for number in range(first // MICROSECONDS_A_DAY, (last - 1) // MICROSECONDS_A_DAY + 1)
        for begin, end in days[number].intervals
        if begin < last and end > first
    )
    return tuple((_instant(begin), _instant(end)) for begin, end in _joined(cut))


class _Day(NamedTuple):
    """Working time of one UTC day: its total and its (begin, end) pairs, in microseconds since 1970."""

    total: int
    intervals: tuple[tuple[int, int], ...]


class _Days(dict[int, _Day]):
    """The days of one calendar by day number since 1970 in UTC, each worked out when first asked for."""

    def __init__(self, calendar: Hours) -> None:
        super().__init__()
        self.calendar = calendar

    def __missing__(self, number: int) -> _Day:
        if not FIRST_DAY <= number <= LAST_DAY:
            raise OverflowError("Business time reaches outside the years 1 to 9999.")
        if len(self) >= DAYS_KEPT:
            self.clear()
        if isinstance(self.calendar, AnyOf):
            found = [pair for one in self.calendar.calendars for pair in _days(one)[number].intervals]
            intervals = tuple(_joined(sorted(found)))
        else:
            intervals = _work_out(self.calendar, _load_zone(self.calendar.zone), number)
        day = self[number] = _Day(sum(end - begin for begin, end in intervals), intervals)
        return day


@lru_cache(maxsize=CALENDARS_KEPT)
def _days(calendar: Hours) -> _Days:
    return _Days(calendar)


def _work_out(calendar: Calendar, zone: ZoneInfo, number: int) -> tuple[tuple[int, int], ...]:
    """The (begin, end) pairs of a UTC day, in microseconds since 1970.

    Going from UTC to local time is never ambiguous, so cutting by UTC day leaves no gap, fold or skipped date
    to decide about: each stretch of constant offset is shifted to local time, cut with the hours of the
    local dates it touches, and shifted back.
    """
    found: list[tuple[int, int]] = []
    for begin, end, offset in _stretches(zone, number * SECONDS_A_DAY, (number + 1) * SECONDS_A_DAY):
        local_begin, local_end = begin + offset, end + offset
        for local_day in range(local_begin // SECONDS_A_DAY, (local_end - 1) // SECONDS_A_DAY + 1):
            opening_hours = calendar.week[(local_day + EPOCH_WEEKDAY) % 7]
            if not opening_hours or _date(local_day) in calendar.closed:
                continue
            midnight = local_day * SECONDS_A_DAY
            for opens, closes in opening_hours:
                low = max(midnight + opens * 60, local_begin)
                high = min(midnight + closes * 60, local_end)
                if low < high:
                    found.append(((low - offset) * MICROSECONDS, (high - offset) * MICROSECONDS))
    return tuple(found)


def _joined(pairs: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Pairs in the order of their beginnings, those that touch or overlap as one."""
    begin = end = None
    for low, high in pairs:
        if begin is None or end is None:
            begin, end = low, high
        elif low > end:
            yield begin, end
            begin, end = low, high
        else:
            end = max(end, high)
    if begin is not None and end is not None:
        yield begin, end


def _stretches(zone: ZoneInfo, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Cut a UTC day (seconds since 1970) into (begin, end, UTC offset in seconds) of constant offset.

    Looks at both ends only: no zone has ever changed its offset twice within a day (the least is four days).
    """
    before, after = _offset(zone, begin), _offset(zone, end)
    if before == after:
        yield begin, end, before
        return
    low, high = begin, end
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, middle) == before:
            low = middle
        else:
            high = middle
    yield begin, high, before
    if high < end:
        yield high, end, after


def _offset(zone: ZoneInfo, second: int) -> int:
    local = (EPOCH + timedelta(seconds=second)).astimezone(zone)
    return (local.utcoffset() or NOTHING) // timedelta(seconds=1)


def _until(day: _Day, moment: int) -> int:
    """Working microseconds of `day` before `moment`, an instant of that day."""
    return sum(min(end, moment) - begin for begin, end in day.intervals if begin < moment)


def _microseconds(at: datetime) -> int:
    if at.utcoffset() is None:
        raise ValueError(f"An instant needs a time zone: {at!r} has none.")
    # EPOCH is in another zone object than `at` or in UTC itself, so this subtracts instants, not wall times.
    return (at - EPOCH) // MICROSECOND


def _instant(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


def _date(number: int) -> date:
    return date.fromordinal(number + EPOCH_ORDINAL)


def _load_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    # ZoneInfo answers a bad key by KeyError, ValueError, TypeError or, for a folder's name, an OSError.
    except (KeyError, ValueError, TypeError, AttributeError, OSError) as error:
        raise InvalidCalendar(f"There is no time zone called {name!r}.") from error


def _check_week(week: Week) -> None:
    if not isinstance(week, tuple) or len(week) != 7:
        raise InvalidCalendar("The week of a calendar must be a tuple of seven days, Monday first.")
    for index, day in enumerate(week):
        name = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")[index]
        if not isinstance(day, tuple):
            raise InvalidCalendar(f"{name} must be a tuple of (start, end) pairs, not {day!r}.")
        last_end = 0
        for pair in day:
            if (
                not isinstance(pair, tuple)
                or len(pair) != 2
                or any(type(minute) is not int for minute in pair)
            ):
                raise InvalidCalendar(f"{name}: {pair!r} is not a (start, end) pair of whole minutes.")
            start, end = pair
            if not 0 <= start < end <= MINUTES_A_DAY:
                raise InvalidCalendar(
                    f"{name}: {start} to {end} is not an interval within 0 to {MINUTES_A_DAY} minutes."
                )
            if start < last_end:
                raise InvalidCalendar(
                    f"{name}: {start} to {end} overlaps or precedes the interval before it."
                )
            last_end = end
    if not any(week):
        raise InvalidCalendar("A calendar needs some working time; every day of its week is closed.")
