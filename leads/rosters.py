"""The duty roster of a pool: who is on duty now, and the spans of the next days that nobody covers.

Owns the reading of a pool with a calendar into `routing.staffing`'s values, and the words. A pool without a
calendar is no roster. Changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from leads.presenters.calendars import span_in_words
from routing import hours, staffing
from routing.models import Calendar, Pool, PoolMember
from routing.models.calendars import prepare
from routing.people import Absence
from routing.staffing import Member

DAYS = 14
MOST_GAPS = 12


@dataclass(frozen=True, slots=True)
class Roster:
    """A pool's roster in words. `is_on`: the roster's own hours run now. `gaps` are the first of them, `more`
    says how many others there are."""

    calendar: int
    name: str
    is_on: bool
    on_duty: list[str]
    gaps: list[str]
    more: int
    members: int
    days: int = DAYS


def members(pool: Pool, start: datetime, end: datetime) -> list[tuple[PoolMember, Member]]:
    """The members in rotation, each with their hours and their absences in this span. Six queries at most."""
    seats = list(
        pool.seats.filter(is_active=True, user__is_active=True)
        .select_related("user__calendar", "user__team__calendar")
        .order_by("user__name", "user__email")
    )
    default = Calendar.objects.filter(is_default=True).first()
    rows = [_calendar(seat) or default for seat in seats]
    prepare(row for row in rows if row is not None)
    away: dict[int, list[hours.Span]] = {}
    absences = Absence.objects.filter(user__seats__in=seats, starts_at__lt=end, ends_at__gt=start)
    for user, starts, ends in absences.values_list("user", "starts_at", "ends_at").distinct():
        away.setdefault(user, []).append((starts, ends))
    return [
        (seat, Member(row.hours() if row is not None else None, tuple(away.get(seat.user_id, ()))))
        for seat, row in zip(seats, rows, strict=True)
    ]


def of_pool(pool: Pool, now: datetime) -> Roster | None:
    """The roster of a pool with a calendar, from now on and in `now`'s zone; None for any other pool."""
    if pool.pk is None or pool.calendar is None:
        return None
    end = now + timedelta(days=DAYS)
    seated = members(pool, now, end)
    wanted = pool.calendar.hours()
    found = staffing.gaps(wanted, [member for _, member in seated], now, end)
    return Roster(
        calendar=pool.calendar.pk,
        name=pool.calendar.name,
        is_on=hours.is_open(now, wanted),
        on_duty=[str(seat.user) for seat, member in seated if staffing.on_duty(member, now)],
        gaps=[span_in_words(span, now) for span in found[:MOST_GAPS]],
        more=max(0, len(found) - MOST_GAPS),
        members=len(seated),
    )


def staffed_hours(pool: Pool, now: datetime) -> hours.Hours | None:
    """The time in which somebody of this pool works, for `hours.between`: the base of targets within staffed
    hours. Absences do not count: they come and go, and a target is not to change with them.

    Raises hours.InvalidCalendar for a pool without members.
    """
    return staffing.staffed(member.calendar for _, member in members(pool, now, now))


def _calendar(seat: PoolMember) -> Calendar | None:
    return seat.user.calendar or (seat.user.team.calendar if seat.user.team else None)
