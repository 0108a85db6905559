"""Who is there when: the working time of several people together, and the spans that nobody covers.

Owns the answers for a duty roster. Pure interval arithmetic over `routing.hours`: calendars and absences come
in as values, spans in UTC go out. Never reads a clock or the database, and knows no pool.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from routing import hours
from routing.hours import AnyOf, Calendar, Hours, Span


@dataclass(frozen=True, slots=True)
class Member:
    """When one person works: their calendar (None: at any time), less the spans in which they are away."""

    calendar: Calendar | None
    away: tuple[Span, ...] = ()


def staffed(calendars: Iterable[Calendar | None]) -> Hours | None:
    """The time in which at least one of these works, as something that `hours` counts in.

    `hours.between(a, b, staffed(...))` is the time within staffed hours. None, which is any time, when one of
    them has no calendar. Raises InvalidCalendar when there are none.
    """
    known: set[Calendar] = set()
    for calendar in calendars:
        if calendar is None:
            return None
        known.add(calendar)
    return known.pop() if len(known) == 1 else AnyOf(frozenset(known))


def gaps(roster: Hours | None, members: Sequence[Member], start: datetime, end: datetime) -> list[Span]:
    """The spans of the roster's hours from `start` to `end` in which no member is there; in order, in UTC."""
    wanted = list(hours.spans(start, end, roster))
    for span in _merged(there for member in members for there in present(member, start, end)):
        wanted = _without(wanted, span)
    return wanted


def present(member: Member, start: datetime, end: datetime) -> list[Span]:
    """The spans from `start` to `end` in which this member works and is not away; in order, in UTC."""
    found = list(hours.spans(start, end, member.calendar))
    for begins, ends in member.away:
        found = _without(found, (begins.astimezone(UTC), ends.astimezone(UTC)))
    return found


def on_duty(member: Member, at: datetime) -> bool:
    """Does this member work at this moment, and is not away? The moment at which an absence ends counts."""
    is_away = any(begins <= at < ends for begins, ends in member.away)
    return not is_away and hours.is_open(at, member.calendar)


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Spans in order, those that touch or overlap as one."""
    found: list[Span] = []
    for begins, ends in sorted(spans):
        if found and begins <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], ends))
        else:
            found.append((begins, ends))
    return found


def _without(spans: Iterable[Span], taken: Span) -> list[Span]:
    """What is left of these spans when one is taken out of each."""
    low, high = taken
    left: list[Span] = []
    for begins, ends in spans:
        if high <= begins or ends <= low:
            left.append((begins, ends))
            continue
        if begins < low:
            left.append((begins, low))
        if high < ends:
            left.append((high, ends))
    return left
