"""Calendars as rows: weekly intervals, public holidays (snapshotted) and own closed days.

Owns the stored form and its translation into `hours.Calendar`; the arithmetic lives in `routing.hours`.
Holidays are copied in once per year, so an upgrade of the holiday library moves no deadline.
"""

from __future__ import annotations

import logging
import zoneinfo
from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords

from routing import hours as business_hours
from routing.lean import Lean

logger = logging.getLogger(__name__)

MOST_KEPT = 512


def validate_zone(value: str) -> None:
    """Refuse a time zone that the system does not know."""
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValidationError(f"{value} is not a known time zone; an example is Europe/Berlin") from None


class Calendar(Lean):
    """Working time in one time zone."""

    name = models.CharField(max_length=100, unique=True)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_zone])
    country = models.CharField(max_length=2, blank=True, help_text="ISO country whose public holidays count")
    subdivision = models.CharField(max_length=10, blank=True)
    is_default = models.BooleanField(default=False)
    revision = models.PositiveIntegerField(
        default=1, help_text="raised with every edit; processes keep the compiled hours of a revision"
    )
    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"], condition=Q(is_default=True), name="one_default_calendar"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def hours(self) -> business_hours.Calendar:
        """This calendar as the pure value that `routing.hours` works on; three queries per revision.
        Raises InvalidCalendar when its rows are none."""
        found = _kept.get((self.pk, self.revision))
        return found or prepare([self]).get(self.pk) or self.compile()

    def compile(self) -> business_hours.Calendar:
        """The pure value from the rows as they are now."""
        week: list[list[tuple[int, int]]] = [[] for _ in range(7)]
        for row in self.intervals.all():
            week[row.weekday].append((row.start_minute, row.end_minute))
        return business_hours.Calendar(
            zone=self.time_zone,
            week=tuple(tuple(sorted(day)) for day in week),
            closed=frozenset(row.day for row in self.closed_days.all()),
        )


class CalendarInterval(Lean):
    """Working time on one weekday (0 is Monday), in minutes since local midnight."""

    calendar = models.ForeignKey(Calendar, on_delete=models.CASCADE, related_name="intervals")
    weekday = models.PositiveSmallIntegerField()
    start_minute = models.PositiveSmallIntegerField()
    end_minute = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["weekday", "start_minute"]
        constraints = [
            models.CheckConstraint(condition=Q(weekday__lte=6), name="interval_weekday"),
            models.CheckConstraint(
                condition=Q(end_minute__gt=F("start_minute")) & Q(end_minute__lte=1440),
                name="interval_in_order",
            ),
            models.UniqueConstraint(
                fields=["calendar", "weekday", "start_minute"], name="one_interval_per_start"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.weekday} {self.start_minute}-{self.end_minute}"


class ClosedDay(Lean):
    """A day without working time: a public holiday as it was known, or a day of the organisation's own."""

    calendar = models.ForeignKey(Calendar, on_delete=models.CASCADE, related_name="closed_days")
    day = models.DateField()
    name = models.CharField(max_length=120, blank=True)
    is_public = models.BooleanField(default=False)

    class Meta:
        ordering = ["day"]
        constraints = [models.UniqueConstraint(fields=["calendar", "day"], name="one_closed_day")]

    def __str__(self) -> str:
        return f"{self.day} {self.name}"


# By id and revision: a process keeps the hours of a calendar until the next edit of it.
_kept: dict[tuple[int, int], business_hours.Calendar] = {}


def prepare(calendars: Iterable[Calendar]) -> dict[int, business_hours.Calendar]:
    """Read the hours of those of these calendars that are not kept yet: three queries, whatever their number.

    By id; as they are in the database, whatever was read with the rows before. One that has no hours, as a
    shell or a restore may leave it, is left out: only what needs it fails.
    """
    new = {row.pk: row.revision for row in calendars if (row.pk, row.revision) not in _kept}
    if not new:
        return {}
    rows = Calendar.objects.filter(pk__in=new).prefetch_related("intervals", "closed_days")
    found: dict[int, business_hours.Calendar] = {}
    for row in rows:
        try:
            found[row.pk] = row.compile()
        except business_hours.InvalidCalendar as error:
            logger.error("calendar %s (%s) has no hours: %s", row.pk, row.name, error)
    if len(_kept) + len(found) > MOST_KEPT:
        _kept.clear()
    _kept.update({(pk, new[pk]): compiled for pk, compiled in found.items()})
    return found


def forget_compiled() -> None:
    """Drop the kept hours (tests roll rows back under this cache)."""
    _kept.clear()
