"""The content of a report, gathered once: figures of twelve weeks and the handoffs behind them, plain data.

Owns the shape that is kept. A report covers the whole organisation; it names those who sell, and of leads
nothing but their numbers, for it outlives an erasure. Counts with numerator and denominator, times in
minutes, moments in UTC. Judged when made, so that a later target judges no earlier report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, F, Q
from django.db.models.expressions import Combinable

from leads.models import RejectionReason
from metrics import cohorts, measures, query, words
from metrics.figures import KINDS, Figures
from metrics.measures import happened
from metrics.periods import Week, WeekRange
from metrics.query import Asked
from metrics.reports import behind, tabled
from metrics.reports.opening import THIS
from metrics.spans import Minutes, PercentileCont
from metrics.terms import Target, Terms
from metrics.words import SHOWN, Reading, Shown, Status

# Of the shape; a reader of kept reports tells by it. Since 2 the rows of the tables have lists too.
FORMAT = 2
WEEKS = 12
FIVE = (
    "acceptance_rate",
    "contact_demo",
    "contact_standard",
    "mql_to_opportunity",
    "rejection_rate",
    "black_hole_rate",
)
MOST_SOURCES, MOST_REPS, LONGEST_NAME = 60, 60, 200
_REACHED = ("ready_at", "assigned_at", "acknowledged_at", "first_contact_at")


@dataclass(frozen=True)
class Proposal:
    """An open proposal of the agreement: what it would change, who made it for which side, since when."""

    title: str
    by: str
    side: str
    since: str
    href: str


@dataclass(frozen=True)
class Decision:
    """A decision of an earlier call as it stood when the report was made."""

    id: int
    week: str
    text: str
    owner: str
    until: str
    is_done: bool


def gather(
    week: Week,
    as_of: datetime,
    decisions: Sequence[Decision] = (),
    proposals: Sequence[Proposal] = (),
) -> dict[str, Any]:
    """The report of a week by what had occurred as of a moment; a constant number of queries.

    `last` of a metric is its last mature week (None: there is none), `this` the report's own week.
    """
    zone = settings.ORG_TIME_ZONE
    weeks = WeekRange.ending(week, WEEKS, zone)
    asked = Asked.of(query.Question(as_of, weeks.span))
    by_week = asked.by("week")
    # What the figures of the weeks are held against.
    held = asked.terms.at_end(weeks.span)
    metrics = [_metric(SHOWN[key], by_week, weeks, as_of, held) for key in FIVE]
    last = {each["key"]: each["last"] for each in metrics}
    anchor = _last_week(last["rejection_rate"])
    holes = _last_week(last["black_hole_rate"])
    sources, names = _sources(asked, anchor, zone)
    _judge(metrics, sources)
    reasons = _reasons(asked)
    black_holes, people = _black_holes(asked, holes, zone)
    this = by_week.get(week.name, Figures())
    # What is not mature yet stands beside what is.
    early = {each["key"]: week for each in metrics if not each["this"]["mature"]}
    return {
        "format": FORMAT,
        "week": week.name,
        "zone": zone,
        "as_of": moment(as_of),
        "terms": terms(asked.terms),
        "mqls": this.mqls,
        "mqls_before": by_week.get(week.plus(-1).name, Figures()).mqls,
        "mqls_in_weeks": sum(each.mqls for each in by_week.values()),
        "metrics": metrics,
        "anchor": anchor.name if anchor else None,
        "sources": sources[:MOST_SOURCES],
        "reasons": reasons,
        "contact": [_contact(kind, by_week, anchor, held) for kind in KINDS],
        "black_holes": black_holes,
        "funnel": _funnel(asked, anchor, zone),
        "decisions": [asdict(each) for each in decisions],
        "proposals": [asdict(each) for each in proposals],
        "lists": behind.kept(
            {
                **behind.lists(
                    asked, {key: _last_week(value) for key, value in last.items()} | {"mqls": week}, zone
                ),
                **{f"{THIS}{key}": rows for key, rows in behind.lists(asked, early, zone).items()},
                **tabled.sources(asked, names),
                **tabled.reasons(asked, [each["code"] for each in reasons]),
                **tabled.holders(asked, people, holes, zone),
                **tabled.stages(asked, _reached(asked.terms), anchor, zone),
            },
            as_of,
        ),
    }


def moment(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def terms(found: Terms) -> list[dict[str, Any]]:
    """The versions of the targets, times in minutes."""
    return [
        {
            "version": target.version,
            "from": moment(target.starts_at) if target.starts_at else None,
            "until": moment(target.ends_at) if target.ends_at else None,
            "contact": {kind: each.total_seconds() / 60 for kind, each in sorted(target.contact.items())},
            "accept": {kind: each.total_seconds() / 60 for kind, each in sorted(target.accept.items())},
        }
        for target in found.targets
    ]


def _metric(
    shown: Shown, by_week: dict[str, Figures], weeks: WeekRange, as_of: datetime, held: Target
) -> dict[str, Any]:
    goal, goal_text = words.goal_of(shown, held)
    each = []
    for week in weeks:
        reading = words.read(by_week.get(week.name), shown)
        is_mature = cohorts.is_mature(week, shown.measure, weeks.zone, as_of)
        value = {"week": week.name, "n": reading.numerator, "of": reading.denominator, "mature": is_mature}
        each.append(value | {"value": _rounded(reading.value)} if shown.is_time else value)
    mature = [week for week in each if week["mature"]]
    return {
        "key": shown.key,
        "is_time": shown.is_time,
        "goal": goal,
        "goal_text": goal_text,
        "weeks": each,
        "last": mature[-1] if mature else None,
        "this": each[-1],
        "mature_at": moment(cohorts.mature_at(weeks.last, shown.measure, weeks.zone)),
        # Pooled over the mature weeks: what the figure usually is.
        "baseline": [sum(week["n"] for week in mature), sum(week["of"] for week in mature)],
    }


def _judge(metrics: list[dict[str, Any]], sources: list[dict[str, Any]]) -> None:
    """Adds the verdict on each figure's last mature week."""
    readings = {each["key"]: _reading(each) for each in metrics}
    rejected = [Reading(each["n"] / each["of"], each["n"], each["of"]) for each in sources if each["of"]]
    for each in metrics:
        reading = readings[each["key"]]
        hits, of = each["baseline"]
        status: Status
        if each["is_time"]:
            status = words.judge_time(reading, each["goal"])
        elif each["key"] == "acceptance_rate":
            status = words.judge_acceptance(reading)
        elif each["key"] == "mql_to_opportunity":
            status = words.judge_opportunity(reading, hits / of if of else None)
        elif each["key"] == "rejection_rate":
            status = words.judge_rejection(rejected)
        else:
            status = words.judge_black_holes(reading)
        each["status"] = [status.tone, status.text]


def _reading(metric: dict[str, Any]) -> Reading:
    last = metric["last"] or {"n": 0, "of": 0}
    value = last.get("value") if metric["is_time"] else (last["n"] / last["of"] if last["of"] else None)
    return Reading(value, last["n"], last["of"])


def _last_week(last: dict[str, Any] | None) -> Week | None:
    return Week.parse(last["week"]) if last else None


def _sources(asked: Asked, week: Week | None, zone: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Each source, most MQLs first, with its rejection over all weeks and over the last mature one; and the
    whole names of those that are kept."""
    measure = measures.RATES["rejection_rate"]
    counts, hit = measure.counts(asked.terms), measure.counts(asked.terms) & measure.hit(asked.terms)
    span = week.span(zone) if week else None
    own = Q(mql_at__gte=span.start, mql_at__lt=span.end) if span else Q(pk__isnull=True)
    rows = (
        asked.rows.order_by()
        .values("lead_source")
        .annotate(
            mqls=Count("pk"),
            n=Count("pk", filter=hit),
            of=Count("pk", filter=counts),
            week_n=Count("pk", filter=hit & own),
            week_of=Count("pk", filter=counts & own),
        )
    )
    ordered = sorted(rows, key=lambda row: (-row["mqls"], row["lead_source"]))
    found = [
        {
            "name": row["lead_source"][:LONGEST_NAME],
            "mqls": row["mqls"],
            "n": row["n"],
            "of": row["of"],
            "week_n": row["week_n"],
            "week_of": row["week_of"],
        }
        for row in ordered
    ]
    return found, [row["lead_source"] for row in ordered[:MOST_SOURCES]]


def _reasons(asked: Asked) -> list[dict[str, Any]]:
    labels = dict(RejectionReason.objects.values_list("code", "label"))
    counts = sorted(asked.reasons().items(), key=lambda pair: (-pair[1], pair[0]))
    return [{"code": code, "label": labels.get(code, code), "count": count} for code, count in counts]


def _contact(kind: str, by_week: dict[str, Figures], week: Week | None, held: Target) -> dict[str, Any]:
    spread = (by_week.get(week.name) if week else None) or Figures()
    found = spread.contact[kind]
    return {
        "type": kind,
        "n": found.n,
        "mean": _rounded(found.mean),
        "median": _rounded(found.median),
        "p90": _rounded(found.p90),
        "within": found.within.numerator,
        "target": held.contact[kind].total_seconds() / 60,
    }


def _black_holes(asked: Asked, week: Week | None, zone: str) -> tuple[list[dict[str, Any]], list[int | None]]:
    """Who held what nobody touched, most first; "" is nobody in person, a queue's. And their numbers."""
    if week is None:
        return [], []
    measure = measures.RATES["black_hole_rate"]
    rows = query.within(week.span(zone), asked.terms.as_of, asked.rows).order_by()
    held = rows.filter(measure.counts(asked.terms)).values(
        "holder_at_24h", "holder_at_24h__name", "holder_at_24h__email"
    )
    found = held.annotate(n=Count("pk", filter=measure.hit(asked.terms)), of=Count("pk"))
    named = [
        (
            {
                "rep": row["holder_at_24h__name"] or row["holder_at_24h__email"] or "",
                "n": row["n"],
                "of": row["of"],
            },
            row["holder_at_24h"],
        )
        for row in found
    ]
    named.sort(key=lambda pair: (-pair[0]["n"], -pair[0]["of"], pair[0]["rep"], pair[1] or 0))
    return [row for row, _ in named[:MOST_REPS]], [who for _, who in named[:MOST_REPS]]


def _reached(terms: Terms) -> list[Q]:
    """Who has reached each stage after the first; who reached a later one has reached the earlier ones, also
    in imported history."""
    found = [Q(pk__isnull=True)]
    for column in reversed(_REACHED):
        found.append(found[-1] | happened(column, terms))
    return found[:0:-1]


def _funnel(asked: Asked, week: Week | None, zone: str) -> list[dict[str, Any]]:
    """How many of the last mature week reached each of the five stages, and the median minutes of the
    step."""
    if week is None:
        return []
    stages = ("Complete", "Assigned", "Answered", "Contacted")
    rows = query.within(week.span(zone), asked.terms.as_of, asked.rows).order_by()
    wanted: dict[str, Any] = {"all": Count("pk")}
    for column, reached in zip(_REACHED, _reached(asked.terms), strict=True):
        wanted[f"reached_{column}"] = Count("pk", filter=reached)
    for before, column in zip(("mql_at", *_REACHED), _REACHED, strict=False):
        both = (
            happened(before, asked.terms) & happened(column, asked.terms) & Q(**{f"{column}__gte": F(before)})
        )
        step: Combinable = Minutes(F(column), F(before))
        wanted[f"median_{column}"] = PercentileCont(step, 0.5, filter=both)
    found = rows.aggregate(**wanted)
    steps = [{"stage": "MQL", "count": found["all"], "median": None}]
    for stage, column in zip(stages, _REACHED, strict=True):
        steps.append(
            {
                "stage": stage,
                "count": found[f"reached_{column}"],
                "median": _rounded(found[f"median_{column}"]),
            }
        )
    return steps


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
