"""The pages of figures: the dashboard with nothing kept beside its five metrics in SQL written by hand, and
with all kept; the pages beside it; the report of a week.

Owns that SQL. It counts the five metrics of the same weeks at the same moment, by week and lead type, and no
more: no sources, no moment until which it holds. Measures; decides and asserts nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from metrics import pulse, snapshots
from metrics.address import BY, WEEKS
from metrics.models import Snapshot
from metrics.periods import Week, WeekRange
from metrics.reports import making
from routing.models import User

# Asks for a page and says how many milliseconds it took.
Ask = Callable[[str], float]
PAGES = ("diagnosis", "time", "loop", "gaming")
# The counted columns of HAND behind week and lead type.
COLUMNS = ("mqls", "accepted", "decided", "won", "assigned", "lost", "contacted", "mean", "median", "p90",
           "within")  # fmt: skip
HAND = """
SELECT {week} AS week, lead_type, count(*),
  count(*) FILTER (WHERE accepted_at <= %(now)s),
  count(*) FILTER (WHERE accepted_at <= %(now)s OR rejected_at <= %(now)s),
  count(*) FILTER (WHERE accepted_at <= %(now)s AND opportunity_at <= %(now)s),
  count(*) FILTER (WHERE assigned_at <= %(day_ago)s),
  count(*) FILTER (WHERE assigned_at <= %(day_ago)s
    AND (first_activity_at IS NULL OR first_activity_at > {a_day_later})),
  count(*) FILTER (WHERE first_contact_at <= %(now)s),
  avg({wait}) FILTER (WHERE first_contact_at <= %(now)s),
  {percentile_50} FILTER (WHERE first_contact_at <= %(now)s),
  {percentile_90} FILTER (WHERE first_contact_at <= %(now)s),
  count(*) FILTER (WHERE first_contact_at <= %(now)s
    AND {wait} <= CASE lead_type WHEN 'demo' THEN 5 ELSE 60 END)
FROM leads_handoff
WHERE mql_at >= %(start)s AND mql_at < %(end)s AND mql_at <= %(now)s
GROUP BY 1, 2
"""
# For an organisation in UTC, as the bench's is.
_WAIT = "extract(epoch FROM first_contact_at - mql_at) / 60"
_POSTGRESQL = {
    "week": "date_trunc('week', mql_at AT TIME ZONE 'UTC')::date",
    "a_day_later": "assigned_at + interval '24 hours'",
    "wait": _WAIT,
    "percentile_50": f"percentile_cont(0.5) WITHIN GROUP (ORDER BY {_WAIT})",
    "percentile_90": f"percentile_cont(0.9) WITHIN GROUP (ORDER BY {_WAIT})",
}
# SQLite has no percentile; the site teaches it one. Moments are text there, and compare as text.
_WAIT_LITE = "(julianday(first_contact_at) - julianday(mql_at)) * 1440"
_SQLITE = {
    "week": "date(mql_at, '-6 days', 'weekday 1')",
    "a_day_later": "strftime('%%Y-%%m-%%d %%H:%%M:%%S', assigned_at, '+24 hours')",
    "wait": _WAIT_LITE,
    "percentile_50": f"PERCENTILE_CONT({_WAIT_LITE}, 0.5)",
    "percentile_90": f"PERCENTILE_CONT({_WAIT_LITE}, 0.9)",
}


def by_hand(now: datetime) -> dict[tuple[date, str], dict[str, Any]]:
    """The five metrics of the twelve weeks to this one, by Monday and lead type."""
    span = _weeks(now).span
    values: dict[str, Any] = {
        "now": now,
        "day_ago": now - timedelta(days=1),
        "start": span.start,
        "end": span.end,
    }
    words = _POSTGRESQL if connection.vendor == "postgresql" else _SQLITE
    if connection.vendor == "sqlite":
        values = {name: connection.ops.adapt_datetimefield_value(at) for name, at in values.items()}
    with connection.cursor() as cursor:
        cursor.execute(HAND.format(**words), values)
        rows = cursor.fetchall()
    return {
        (date.fromisoformat(str(week)), kind): dict(zip(COLUMNS, counts, strict=True))
        for week, kind, *counts in rows
    }


def settle(now: datetime) -> None:
    """As the worker's minutes leave it: every event is settled, and the first page is kept."""
    for _ in range(600):
        snapshots.refresh(now)
        found = pulse.read(settings.ORG_TIME_ZONE)
        if found is not None and Snapshot.objects.exists():
            return
        time.sleep(1)
    raise RuntimeError("something on this server holds a transaction open")


def cold(ask: Ask, now: datetime, rounds: int) -> dict[str, list[float]]:
    """Milliseconds in turns: the SQL by hand, the dashboard with nothing kept and nothing drawn, and the
    pages beside it with nothing kept."""
    found: dict[str, list[float]] = {"hand_sql": [], "dashboard_cold": [], **{page: [] for page in PAGES}}
    for number in range(rounds):
        start = time.perf_counter()
        by_hand(now)
        found["hand_sql"].append((time.perf_counter() - start) * 1000)
        Snapshot.objects.all().delete()
        # Another table below the fold each time: what was drawn for one address is not shown at another.
        found["dashboard_cold"].append(ask(f"/dashboard/?by={BY[number % len(BY)]}"))
        for page in PAGES:
            Snapshot.objects.all().delete()
            found[page].append(ask(f"/dashboard/{page}/"))
    return found


def report(user: User, now: datetime, rounds: int) -> list[float]:
    """Milliseconds of making the report of the last week that is over, each time a new edition."""
    week = Week.of(now, settings.ORG_TIME_ZONE).plus(-1)
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        making.make(week, now, user)
        found.append((time.perf_counter() - start) * 1000)
    return found


def _weeks(now: datetime) -> WeekRange:
    zone = settings.ORG_TIME_ZONE
    return WeekRange.ending(Week.of(now, zone), WEEKS, zone)
