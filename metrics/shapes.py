"""Counts for the figures below the fold: how waits spread, where stages leak, when leads come, what became.

Like `metrics.weekly`: one query each over the handoffs given to it, answers that can be kept as JSON. All but
the stages are by week and add up. Owns the borders of the spread. Places and words are the charts'.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Case, CharField, Count, F, IntegerField, Q, Value, When
from django.db.models.functions import ExtractHour, ExtractIsoWeekDay

from leads.querysets import HandoffQuerySet
from metrics.measures import CONTACT, contacted, happened
from metrics.periods import Week
from metrics.spans import Minutes, PercentileCont, week_of
from metrics.terms import Terms
from metrics.whose import Chosen

# From 25 seconds to 6 days each border is 12 times the one four steps before, over 5 min, 1 h and 12 h.
STEPS = 4
SHORTEST, LONGEST = timedelta(seconds=25), timedelta(days=6)
STAGES = ("mql", "ready", "assigned", "acknowledged", "contacted")
# The column whose moment says that a stage is done, in order.
_DONE = ("mql_at", "ready_at", "assigned_at", "acknowledged_at", "first_contact_at")
NONE_YET = "none"


def borders() -> list[timedelta]:
    """The upper borders of the buckets of waits, each included, evenly apart on a log scale.

    25 s, ..., 5 min, ..., 1 h, ..., 12 h, ..., 6 days; beyond the last is one bucket more.
    """
    found: list[timedelta] = []
    step = 0
    while not found or found[-1] < LONGEST:
        whole, part = divmod(step, STEPS)
        # Exact where the steps meet, so that a target there is a border of its bucket.
        exact = SHORTEST * 12**whole
        found.append(
            exact if not part else timedelta(seconds=round(exact.total_seconds() * 12 ** (part / STEPS)))
        )
        step += 1
    return found


BORDERS = tuple(borders())


def spread(rows: HandoffQuerySet, terms: Terms, zone: str, people: Chosen | None) -> dict[str, Any]:
    """{week: {lead type: {bucket: contacted}}}; bucket n is a wait up to BORDERS[n], the last one beyond."""
    counts = _counted(rows, contacted(terms), CONTACT.who, terms, people)
    whens = [
        When(first_contact_at__lte=F("mql_at") + border, then=Value(place))
        for place, border in enumerate(BORDERS)
    ]
    bucket = Case(*whens, default=Value(len(BORDERS)), output_field=IntegerField())
    grouped: Any = counts.annotate(of_week=week_of(zone), bucket=bucket)
    found: defaultdict[str, dict[str, dict[str, int]]] = defaultdict(dict)
    for week, kind, place, count in grouped.values_list("of_week", "lead_type", "bucket").annotate(
        Count("mql_at")
    ):
        found[Week.holding(week).name].setdefault(kind, {})[str(place)] = count
    return dict(found)


def hours(rows: HandoffQuerySet, terms: Terms, zone: str, people: Chosen | None) -> dict[str, Any]:
    """{week: {"day-hour": [MQLs, contacted, within target]}}: day 1 is Monday, in the zone."""
    counts = _counted(rows, Q(), "first_holder", terms, people)
    asked = {
        "mqls": Count("mql_at"),
        "contacted": Count("mql_at", filter=contacted(terms)),
        "within": Count("mql_at", filter=contacted(terms) & CONTACT.hit(terms)),
    }
    there = ZoneInfo(zone)
    grouped: Any = counts.annotate(
        of_week=week_of(zone),
        day=ExtractIsoWeekDay("mql_at", tzinfo=there),
        hour=ExtractHour("mql_at", tzinfo=there),
    )
    found: defaultdict[str, dict[str, list[int]]] = defaultdict(dict)
    for row in grouped.values("of_week", "day", "hour").annotate(**asked):
        name = Week.holding(row["of_week"]).name
        found[name][f"{row['day']}-{row['hour']}"] = [row["mqls"], row["contacted"], row["within"]]
    return dict(found)


def dispositions(rows: HandoffQuerySet, terms: Terms, zone: str, people: Chosen | None) -> dict[str, Any]:
    """{week: {source: {disposition: MQLs}}}; NONE_YET is those without one, by the first holder."""
    counts = _counted(rows, Q(), "first_holder", terms, people)
    said = Case(
        When(happened("disposition_at", terms) & ~Q(disposition=""), then=F("disposition")),
        default=Value(NONE_YET),
        output_field=CharField(),
    )
    grouped: Any = counts.annotate(of_week=week_of(zone), said=said)
    found: defaultdict[str, dict[str, dict[str, int]]] = defaultdict(dict)
    for week, source, outcome, count in grouped.values_list("of_week", "lead_source", "said").annotate(
        Count("mql_at")
    ):
        found[Week.holding(week).name].setdefault(source, {})[outcome] = count
    return dict(found)


def stages(rows: HandoffQuerySet, terms: Terms, zone: str, people: Chosen | None) -> dict[str, Any]:
    """{stage: [handoffs that came so far, median minutes from the stage before]}, by the first holder.

    Whoever came to a later stage came through the earlier ones, also where nobody noted when (imported
    history).
    """
    asked: dict[str, Any] = {}
    for place, stage in enumerate(STAGES):
        came = Q()
        for column in _DONE[place:]:
            came |= happened(column, terms)
        asked[f"{stage}_n"] = Count("mql_at", filter=came)
        if place:
            before, column = _DONE[place - 1], _DONE[place]
            both = happened(before, terms) & happened(column, terms) & Q(**{f"{column}__gte": F(before)})
            asked[f"{stage}_median"] = PercentileCont(Minutes(F(column), F(before)), 0.5, filter=both)
    found = _counted(rows, Q(), "first_holder", terms, people).aggregate(**asked)
    return {stage: [found[f"{stage}_n"], found.get(f"{stage}_median")] for stage in STAGES}


def _counted(
    rows: HandoffQuerySet, counts: Q, who: str, terms: Terms, people: Chosen | None
) -> HandoffQuerySet:
    rows = rows.order_by().filter(counts)
    return rows.filter(people.condition(who, terms)) if people is not None else rows
