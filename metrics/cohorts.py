"""When a week's figures may be read: each measure needs time for the facts to come in.

Pure. A cohort is what became an MQL in one week; it is mature for a measure so long after the week's
end. What is not mature is shown, marked, and left out of the trend.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from metrics.measures import BESIDE
from metrics.periods import Week

# How long after the end of the week a figure of it still moves as a matter of course.
DEFAULT_WAITS: Mapping[str, timedelta] = {
    "acceptance_rate": timedelta(days=7),
    "time_to_first_contact": timedelta(days=7),
    "mql_to_opportunity": timedelta(days=45),
    "rejection_rate": timedelta(days=7),
    "black_hole_rate": timedelta(hours=24),
    "clean_handoff_rate": timedelta(days=7),
    **dict.fromkeys(BESIDE, timedelta(days=7)),
}


Waits = Mapping[str, timedelta]


def mature_at(week: Week, measure: str, zone: str, waits: Waits = DEFAULT_WAITS) -> datetime:
    """The instant from which the figure of this week may be read."""
    end = week.span(zone).end
    assert end is not None  # noqa: S101 - a week always ends
    return end + waits[measure]


def is_mature(week: Week, measure: str, zone: str, as_of: datetime, waits: Waits = DEFAULT_WAITS) -> bool:
    return as_of >= mature_at(week, measure, zone, waits)


def last_mature(
    weeks: Iterable[Week],
    measure: str,
    zone: str,
    as_of: datetime,
    waits: Waits = DEFAULT_WAITS,
) -> Week | None:
    """The latest of these weeks that is mature, or None."""
    latest_first = sorted(weeks, reverse=True)
    return next((week for week in latest_first if is_mature(week, measure, zone, as_of, waits)), None)
