"""What the diagnosis counts of each week, in a form that can be kept.

Like `metrics.weekly`: handoffs in, counts by the names of the weeks out, which add up over weeks; only the
medians of the stages do not, and are of all the handoffs given. What counts is `metrics.stages` and
`metrics.measures`. Finds and words nothing.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Q

from leads.querysets import HandoffQuerySet
from metrics import horizon, stages, tallying
from metrics.filters import NO_FILTERS
from metrics.measures import RATES, Measure, happened
from metrics.periods import Week
from metrics.query import Asked
from metrics.spans import Minutes, PercentileCont, week_of
from metrics.tallying import BAND, Tally
from metrics.terms import Terms
from metrics.weekly import GROUPS, UNTIL, WRONG_CLOCK, Weeks, said_until
from metrics.whose import Chosen

# A score band's: what went wrong at each stage, what was accepted, and what of it was won.
BANDED: dict[str, Measure] = {
    **stages.STAGES,
    "accepted": RATES["acceptance_rate"],
    "won": RATES["mql_to_opportunity"],
}
# What a stage begins and ends with, for its median time.
STEPS = (
    ("mql_at", "received_at"),
    ("received_at", "ready_at"),
    ("ready_at", "assigned_at"),
    ("assigned_at", "acknowledged_at"),
    ("acknowledged_at", "first_contact_at"),
)
# What is hit by an act of rejection is counted apart: to look for the acts of each handoff took longer than
# all the rest together.
_BY_ACTS = "misrouted"
_LEFT_OUT = Measure(stages.MISROUTED.counts, lambda terms: Q(pk__isnull=True), stages.MISROUTED.who, "")


def bands(
    rows: HandoffQuerySet, terms: Terms, zone: str, people: Chosen | None, since: datetime | None = None
) -> Weeks:
    """{week: {UNTIL: the next moment of these handoffs, deadlines too, GROUPS: {score band: counts of
    BANDED}}}; two queries. `since` is as in `weekly.acted`."""
    figures, week = Asked(rows, terms, NO_FILTERS, people), week_of(zone)
    grouped: Any = rows.order_by().annotate(of_week=week, of=BAND).values("of_week", "of")
    grouped = grouped.annotate(**horizon.asked(terms.as_of, deadlines=True))
    found: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    until = []
    for values, tally in tallying.grouped(grouped, figures, BANDED | {_BY_ACTS: _LEFT_OUT}):
        name = Week.holding(values["of_week"]).name
        until.append((name, horizon.soonest(values)))
        found[name][values["of"]] = _kept(tally)
    acts = stages.misrouting(terms)
    if since is not None:
        acts = acts.filter(at__gte=since - WRONG_CLOCK)
    hits: Any = rows.filter(tallying.condition(figures, stages.MISROUTED), pk__in=acts.values("handoff"))
    hits = hits.order_by().annotate(of_week=week, of=BAND).values_list("of_week", "of").annotate(Count("pk"))
    for monday, band, count in hits:
        found[Week.holding(monday).name][band][_BY_ACTS][0] = count
    return {name: {UNTIL: moment, GROUPS: found[name]} for name, moment in said_until(until).items()}


def decided(rows: HandoffQuerySet, terms: Terms, zone: str, people: Chosen | None) -> Weeks:
    """{week: {source: [rejected, decided]}}, without sources of which nothing was decided."""
    figures = Asked(rows, terms, NO_FILTERS, people)
    measure = RATES["rejection_rate"]
    judged: Any = rows.filter(tallying.condition(figures, measure)).order_by()
    judged = judged.annotate(of_week=week_of(zone), of=F("lead_source")).values("of_week", "of")
    found: defaultdict[str, dict[str, list[int]]] = defaultdict(dict)
    for values, tally in tallying.grouped(judged, figures, {"rejected": measure}):
        found[Week.holding(values["of_week"]).name][values["of"]] = _kept(tally)["rejected"]
    return dict(found)


def medians(rows: HandoffQuerySet, terms: Terms, zone: str, people: Chosen | None) -> dict[str, float | None]:
    """{what ends a step: the median minutes from what begins it}, of all the weeks together."""
    figures, asked = Asked(rows, terms, NO_FILTERS, people), {}
    for start, end in STEPS:
        done = Measure(
            lambda terms, start=start, end=end: happened(start, terms) & happened(end, terms),  # type: ignore[misc]
            stages.assigned,
            "first_holder",
            "",
        )
        wait = Minutes(F(end), F(start))
        asked[f"until_{end}"] = PercentileCont(wait, 0.5, filter=tallying.condition(figures, done))
    found = rows.order_by().aggregate(**asked)
    return {end: found[f"until_{end}"] for _, end in STEPS}


def _kept(found: Tally) -> dict[str, list[int]]:
    return {name: [rate.numerator, rate.denominator] for name, rate in found.items()}
