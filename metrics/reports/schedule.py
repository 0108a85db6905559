"""When a report is due, and about which week: a weekday and an hour on the wall of the organisation's zone.

Pure: no database, no clock of its own. An hour that the clock jumps over is due when the jump is done; of an
hour that comes twice the first is meant. Instants are UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from metrics.periods import Week

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Schedule:
    """Each week on this weekday (Monday is 0) at this full hour, as a clock on the wall in `zone` says."""

    weekday: int
    hour: int
    zone: str

    @property
    def words(self) -> str:
        return f"{DAYS[self.weekday]} at {self.hour:02}:00"

    def in_week(self, week: Week) -> datetime:
        """The moment in this ISO week."""
        wall = datetime.combine(week.monday + timedelta(days=self.weekday), time(self.hour))
        # The offset before a jump (fold 0) gives, for an hour that there is not, the moment when it is done.
        return wall.replace(tzinfo=ZoneInfo(self.zone)).astimezone(UTC)


def next_due(after: datetime, schedule: Schedule) -> datetime:
    """The first moment of the schedule that is later than `after`."""
    week = Week.of(after, schedule.zone).plus(-1)
    while (at := schedule.in_week(week)) <= after:
        week = week.plus(1)
    return at


def last_due(now: datetime, schedule: Schedule) -> datetime:
    """The latest moment of the schedule that has come."""
    week = Week.of(now, schedule.zone).plus(1)
    while (at := schedule.in_week(week)) > now:
        week = week.plus(-1)
    return at


def last_over(now: datetime, zone: str) -> Week:
    """The last week that is over."""
    return Week.of(now, zone).plus(-1)


def is_over(week: Week, now: datetime, zone: str) -> bool:
    end = week.span(zone).end
    return end is not None and end <= now
