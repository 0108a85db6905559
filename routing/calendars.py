"""Calendars edited by people: their week, their place, their closed days.

Owns the writing of these rows and what every edit keeps true: there is working time, the revision is raised
once, the history says who. Two editors of the week see each other (`draft.Stale`); closed days are added and
taken away one by one and never collide. Moves no deadline: that is for whoever holds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time

from django.db import transaction

from routing import draft, holidays, hours
from routing.models import Calendar, CalendarInterval, ClosedDay, User

LONGEST_NAME = 120
LONGEST_REASON = 100
MOST_CLOSED_DAYS = 4_000


class TooMany(ValueError):
    """The calendar would hold more closed days than anybody can mean."""


@transaction.atomic
def save(
    row: Calendar, expected_revision: int, user: User | None, week: hours.Week, now: datetime
) -> Calendar:
    """Store an edited calendar with its week, if it still is at the revision that the edit came from.

    Another country or subdivision brings its own holidays, from this year on. Raises draft.Stale,
    hours.InvalidCalendar when there is no working time, and holidays.UnknownPlace.
    """
    hours.Calendar(row.time_zone, week)
    if row.country:
        holidays.known(row.country, row.subdivision)
    before = Calendar.objects.filter(pk=row.pk).first() if row.pk else None
    draft.signed(row, user, reason=_said(row, week, before))
    draft.save(row, expected_revision, user)
    wanted = {(day, *pair) for day, pairs in enumerate(week) for pair in pairs}
    stored = set(row.intervals.values_list("weekday", "start_minute", "end_minute"))
    if wanted != stored:
        row.intervals.all().delete()
        CalendarInterval.objects.bulk_create(
            CalendarInterval(calendar=row, weekday=day, start_minute=start, end_minute=end)
            for day, start, end in sorted(wanted)
        )
    if before is None or _place(before) != _place(row):
        holidays.replace(row, now.year)
    _opens(row, now)
    row.refresh_from_db(fields=["revision"])
    return row


@transaction.atomic
def close(calendar_id: int, days: Mapping[date, str], user: User | None, now: datetime) -> int:
    """Close these days, by name; a day that is closed already stays as it is. How many were new.

    Raises hours.InvalidCalendar when no working time would be left, and TooMany.
    """
    row = Calendar.objects.select_for_update().get(pk=calendar_id)
    held = set(row.closed_days.values_list("day", flat=True))
    new = {day: name for day, name in days.items() if day not in held}
    if len(held) + len(new) > MOST_CLOSED_DAYS:
        raise TooMany(f"A calendar holds at most {MOST_CLOSED_DAYS:,} closed days.")
    if not new:
        return 0
    ClosedDay.objects.bulk_create(
        ClosedDay(calendar=row, day=day, name=name[:LONGEST_NAME]) for day, name in sorted(new.items())
    )
    first, last = min(new), max(new)
    said = f"Closed {first}" if first == last else f"Closed {len(new)} days from {first} to {last}"
    _edited(row, user, said)
    _opens(row, now)
    return len(new)


@transaction.atomic
def reopen(calendar_id: int, day_id: int, user: User | None) -> ClosedDay | None:
    """Take a closed day away; None when it is gone already."""
    row = Calendar.objects.select_for_update().get(pk=calendar_id)
    found = row.closed_days.filter(pk=day_id).first()
    if found is not None:
        found.delete()
        _edited(row, user, f"No longer closed on {found.day}")
    return found


@transaction.atomic
def take_holidays(calendar_id: int, year: int, user: User | None, now: datetime) -> int:
    """Copy the public holidays of a year; 0 when it was copied before. Raises holidays.UnknownPlace."""
    row = Calendar.objects.select_for_update().get(pk=calendar_id)
    if year in holidays.copied(row):
        return 0
    count = holidays.take(row, [year])
    row.refresh_from_db(fields=["revision"])
    _edited(row, user, f"Took over the holidays of {year}")
    _opens(row, now)
    return count


def _edited(row: Calendar, user: User | None, reason: str) -> None:
    row.revision += 1
    draft.signed(row, user, reason=reason[:LONGEST_REASON])
    row.save(update_fields=["revision"])


def _opens(row: Calendar, now: datetime) -> None:
    """Raises hours.InvalidCalendar when some stretch of closed days is longer than anything can wait."""
    compiled = Calendar.objects.get(pk=row.pk).compile()
    looked_until = hours.next_open(now, compiled)
    for day in sorted(compiled.closed):
        moment = datetime.combine(day, time(12), tzinfo=UTC)
        if moment > looked_until:
            looked_until = hours.next_open(moment, compiled)


def _place(row: Calendar) -> tuple[str, str]:
    return row.country, row.subdivision


def _said(row: Calendar, week: hours.Week, before: Calendar | None) -> str:
    """What an edit changed, for the history; its columns show in the entry itself."""
    if before is None:
        return "Made"
    changed = [] if before.compile().week == week else ["hours"]
    changed += [] if _place(before) == _place(row) else ["holidays"]
    changed += [] if before.time_zone == row.time_zone else ["zone"]
    changed += [] if before.name == row.name else ["name"]
    return f"Changed {', '.join(changed)}" if changed else ""
