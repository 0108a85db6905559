"""The next moment at which time alone changes what a week's figures say.

A figure as of now asks of each moment in a row whether it has come. So it stays the same until the next
moment that has not: of a fact written for the future, of a deadline that still can be missed, of 24 hours
after an assignment. Owns that list; each column that `metrics.measures` compares with the moment is in it,
which a test holds. It looks at all handoffs of a week: it may be early for some of them and is never late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Min, Q

from leads.models import Handoff, Rejection
from metrics.measures import BLACK_HOLE, STILL_OWED
from metrics.periods import Span, Week
from metrics.spans import week_of

# Facts: they count from their moment on.
FACTS = (
    "ready_at",
    "assigned_at",
    "acknowledged_at",
    "accepted_at",
    "rejected_at",
    "first_contact_at",
    "disposition_at",
    "disposed_at",
    "opportunity_at",
    "no_activity_at",
    "closed_at",
)
# Deadlines of what is still owed: missed from just after their moment on.
DEADLINES = ("accept_due_at", "contact_due_at")
_NEXT, _HELD = "next_", "held_since_then"


def of(
    weeks: Sequence[Week], now: datetime, zone: str, *, deadlines: bool = False
) -> Mapping[Week, datetime | None]:
    """For each week the next such moment after now, None if there is none; at most three queries.

    Deadlines matter only to what judges the undone by them; in a busy week one passes each minute.
    """
    if not weeks:
        return {}
    wanted = asked(now, deadlines=deadlines)
    rows: Any = Handoff.objects.filter(within(weeks, zone), mql_at__lte=now).order_by()
    rows = rows.annotate(week=week_of(zone)).values("week").annotate(**wanted)
    return with_others({Week.holding(row.pop("week")): soonest(row) for row in rows}, weeks, now, zone)


def with_others(
    rows: Mapping[Week, datetime | None], weeks: Sequence[Week], now: datetime, zone: str
) -> dict[Week, datetime | None]:
    """The moments of the rows of these weeks together with those that no such row has."""
    found = {week: [moment] if (moment := rows.get(week)) else [] for week in weeks}
    late = [week for week in weeks if _ends(week, zone) > now]
    if late:
        # What has not fired yet is no handoff yet; its week comes when the first of it does.
        after = Handoff.objects.filter(within(late, zone), mql_at__gt=now).order_by("mql_at")
        coming = after.values_list("mql_at", flat=True).first()
        if coming is not None:
            for week in late:
                found[week].append(coming)
    rejected = Rejection.objects.filter(at__gt=now).order_by("at").values_list("at", flat=True).first()
    if rejected is not None:
        for moments in found.values():
            moments.append(rejected)
    return {week: min(moments, default=None) for week, moments in found.items()}


def asked(now: datetime, *, deadlines: bool = False) -> dict[str, Any]:
    """What to aggregate over handoffs for `soonest`."""
    found: dict[str, Any] = {f"{_NEXT}{name}": Min(name, filter=Q(**{f"{name}__gt": now})) for name in FACTS}
    found[_HELD] = Min("assigned_at", filter=Q(assigned_at__gt=now - BLACK_HOLE))
    return found | _asked_deadlines(now) if deadlines else found


def _asked_deadlines(now: datetime) -> dict[str, Any]:
    """A deadline of this very moment is missed the next: then the moment is now itself."""
    return {
        f"{_NEXT}{name}": Min(name, filter=Q(**{f"{name}__gte": now}, state__in=STILL_OWED))
        for name in DEADLINES
    }


def soonest(row: Mapping[str, Any]) -> datetime | None:
    """The next moment of an aggregated row."""
    moments = [value for name, value in row.items() if name.startswith(_NEXT) and value is not None]
    if row[_HELD] is not None:
        moments.append(row[_HELD] + BLACK_HOLE)
    return min(moments, default=None)


def within(weeks: Sequence[Week], zone: str, column: str = "mql_at") -> Q:
    """The condition that a column lies in one of these weeks: one range for each run of them."""
    found = Q()
    for span in runs(weeks, zone):
        found |= Q(**{f"{column}__gte": span.start, f"{column}__lt": span.end})
    return found


def runs(weeks: Sequence[Week], zone: str) -> list[Span]:
    """The spans that these weeks make, those that follow one another together."""
    spans: list[Span] = []
    last: Week | None = None
    for week in sorted(weeks):
        span = week.span(zone)
        if last is not None and last.plus(1) == week:
            spans[-1] = Span(spans[-1].start, span.end)
        else:
            spans.append(span)
        last = week
    return spans


def _ends(week: Week, zone: str) -> datetime:
    end = week.span(zone).end
    assert end is not None  # noqa: S101 - a week always ends
    return end
