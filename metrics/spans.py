"""Spans of time in the database: minutes between two moments, their percentiles, and the week of a moment.

Owns the expressions, two of which both databases need said differently, and SQLite's own aggregate for
percentiles (`metrics.apps` hands it to each connection). Never knows a measure.
"""

from __future__ import annotations

from sqlite3 import Connection
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Aggregate, DateField, FloatField, Func
from django.db.models.functions import TruncWeek

MICROSECONDS_A_MINUTE = 60_000_000


class Minutes(Func):
    """Elapsed minutes from the second moment to the first, as a float; null when one of them is."""

    arity = 2
    output_field = FloatField()
    template = "(EXTRACT(EPOCH FROM (%(expressions)s))::double precision / 60)"
    arg_joiner = " - "

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = f"(django_timestamp_diff(%(expressions)s) / {MICROSECONDS_A_MINUTE}.0)"
        return self.as_sql(compiler, connection, template=template, arg_joiner=", ", **context)


class PercentileCont(Aggregate):
    """The value below which a share of the values lies, by linear interpolation; null of nothing.

    SQL's PERCENTILE_CONT: of n values in order, at place (n - 1) * share counted from 0.
    """

    function = "PERCENTILE_CONT"
    output_field = FloatField()
    template = "%(function)s(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"

    def __init__(self, expression: Any, share: float = 0.5, **extra: Any) -> None:
        super().__init__(expression, share=float(share), **extra)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        # An aggregate with a filter builds its template on its own one and takes no other.
        said = self.copy()
        said.template = "%(function)s(%(expressions)s, %(share)s)"
        return said.as_sql(compiler, connection, **context)


def week_of(zone: str, column: str = "mql_at") -> TruncWeek:
    """The Monday of a column's week in the zone, to group by."""
    return TruncWeek(column, output_field=DateField(), tzinfo=ZoneInfo(zone))


class Percentiles:
    """SQLite's PERCENTILE_CONT(value, share), in Python."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self.share = 0.5

    def step(self, value: float | None, share: float) -> None:
        if value is not None:
            self.values.append(value)
        self.share = share

    def finalize(self) -> float | None:
        return interpolated(sorted(self.values), self.share)


def interpolated(ordered: list[float], share: float) -> float | None:
    """The percentile of values in ascending order; `share` between 0 and 1, None of nothing."""
    if not ordered:
        return None
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def teach(connection: Connection) -> None:
    """Give a connection to SQLite its aggregate."""
    connection.create_aggregate("PERCENTILE_CONT", 2, Percentiles)  # type: ignore[arg-type]
