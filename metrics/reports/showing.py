"""A kept report in values for its templates: the page, the print and the mail say the same.

Pure: the kept content in, words and places out; the same content gives the same values. Everything in the
zone that the report was made in. Never asks the database.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from metrics import charts, words
from metrics.models import Report
from metrics.periods import Week, WeekRange
from metrics.reports import moving, opening, rows
from metrics.reports.rows import Contact, Holder, Reason, Source, Step
from metrics.terms import Target, Terms
from metrics.words import NOTHING, SHOWN, Shown, Status

MOST_IN_MAIL = 6
# Rejection is the other side of acceptance.
IN_TABLE = ("acceptance_rate", "mql_to_opportunity", "black_hole_rate", "contact_demo", "contact_standard")


@dataclass(frozen=True)
class Metric:
    """One figure: its last mature week with the verdict, the report's own week beside it, twelve weeks.

    `weeks` are (week, value, of, is mature) for the data table; `goal` says what it is held against.
    """

    key: str
    title: str
    status: Status
    value: str
    of: str
    week: str
    goal: str
    this: str
    this_of: str
    this_key: str
    is_early: bool
    mature_on: str
    trend: charts.Line
    spoken: str
    weeks: tuple[tuple[str, str, str, bool], ...]


@dataclass(frozen=True)
class Decision:
    """A decision of an earlier call, as it stood; `from_week` names the call of one carried over."""

    id: int
    week: str
    text: str
    owner: str
    until: str
    is_done: bool
    is_late: bool
    from_week: str


@dataclass(frozen=True)
class Page:
    """What every way out of a report shows. `made` and `terms` are sentences."""

    kept: dict[str, Any]
    week: Week
    title: str
    days: str
    title_line: str
    edition: int
    made: str
    terms: str
    span: str
    mqls: str
    mqls_before: str
    metrics: tuple[Metric, ...]
    moved: tuple[moving.Move, ...]
    anchor: str
    sources: tuple[Source, ...]
    source_bars: charts.Bars
    source_spoken: str
    reasons: tuple[Reason, ...]
    reason_chart: charts.Pareto
    reason_spoken: str
    rejections: int
    contact: tuple[Contact, ...]
    black_holes: tuple[Holder, ...]
    holes_week: str
    no_holes: int
    funnel: tuple[Step, ...]
    funnel_bars: charts.Bars
    funnel_spoken: str
    decisions: tuple[Decision, ...]
    proposals: tuple[dict[str, Any], ...]

    @property
    def early(self) -> list[Metric]:
        """The figures whose own week is not mature."""
        return [metric for metric in self.metrics if metric.is_early]

    @property
    def week_short(self) -> str:
        return words.short(self.week)

    @property
    def still(self) -> str:
        """The figures that did not move, in one sentence; "" when all did."""
        names = [SHOWN[move.key].title for move in self.moved if not move.way]
        if not names:
            return ""
        return f"No more than chance explains, or too few: {'; '.join(names)}."

    @property
    def twelve(self) -> list[tuple[str, list[str]]]:
        """The lines of the figures as rows of a table: the week, and the figures of IN_TABLE; what is not
        mature is in brackets."""
        by_key = {metric.key: metric.weeks for metric in self.metrics}
        return [
            (
                label,
                [
                    text if is_mature or text == NOTHING else f"({text})"
                    for _, text, _, is_mature in (by_key[key][place] for key in IN_TABLE)
                ],
            )
            for place, (label, *_) in enumerate(self.metrics[0].weeks)
        ]

    @property
    def most_sources(self) -> tuple[Source, ...]:
        """Those that a mail has room for."""
        return tuple(row for row in self.sources if row.share != NOTHING)[:MOST_IN_MAIL]


def shown(report: Report) -> Page:
    """The values of a made report."""
    kept = json.loads(report.kept)
    zone = ZoneInfo(kept["zone"])
    week = Week.parse(kept["week"])
    made = report.made_at.astimezone(zone)
    metrics = tuple(_metric(kept, each, zone) for each in kept["metrics"])
    sources, bars, spoken = rows.sources(kept)
    reasons, pareto, reason_spoken = rows.reasons(kept)
    steps, funnel_bars, funnel_spoken = rows.funnel(kept)
    first = week.plus(1 - len(kept["metrics"][0]["weeks"]))
    holes = next(each for each in kept["metrics"] if each["key"] == "black_hole_rate")["last"]
    return Page(
        kept=kept,
        week=week,
        title=f"Week {week.number}",
        days=words.days_of(week),
        title_line=f"week {week.number}, {words.days_of(week)} {week.sunday.year}",
        edition=report.edition,
        made=f"{made:%A} {made.day} {made:%B %Y, %H:%M} ({kept['zone']})",
        terms=_terms(kept, WeekRange(first, week, kept["zone"])),
        span=f"{words.short(first)} to {words.short(week)}",
        mqls=words.many(kept["mqls"], "MQL"),
        mqls_before=f"{kept['mqls_before']:,}",
        metrics=metrics,
        moved=tuple(moving.moved(kept["metrics"])),
        anchor=_short(kept["anchor"]),
        sources=sources,
        source_bars=bars,
        source_spoken=spoken,
        reasons=reasons,
        reason_chart=pareto,
        reason_spoken=reason_spoken,
        rejections=sum(each["count"] for each in kept["reasons"]),
        contact=rows.contact(kept),
        black_holes=rows.holders(kept),
        holes_week=_short(holes["week"] if holes else None),
        no_holes=sum(1 for each in kept["black_holes"] if not each["n"]),
        funnel=steps,
        funnel_bars=funnel_bars,
        funnel_spoken=funnel_spoken,
        decisions=tuple(_decision(each, made.date(), week) for each in kept["decisions"]),
        proposals=tuple(kept["proposals"]),
    )


def _metric(kept: dict[str, Any], each: dict[str, Any], zone: ZoneInfo) -> Metric:
    figure = SHOWN[each["key"]]
    last, this = each["last"], each["this"]
    goal, goal_text = _goal(each)
    points = [
        charts.Point(_short(week["week"]), _value(week, figure), _text(week, figure), week["mature"])
        for week in each["weeks"]
    ]
    mature = [point for point in points if point.is_mature and point.value is not None]
    spoken = f"{figure.title}: no mature week to show yet"
    if mature:
        low, high = (best(mature, key=lambda point: point.value or 0.0).text for best in (min, max))
        spoken = f"{figure.title}, {mature[0].label} to {mature[-1].label}: from {low} to {high}"
    ripe = datetime.fromisoformat(each["mature_at"]).astimezone(zone)
    return Metric(
        key=each["key"],
        title=figure.title,
        status=Status(*each["status"]),
        value=_text(last, figure) if last else NOTHING,
        of=_of(last, figure),
        week=_short(last["week"]) if last else "no mature week yet",
        goal=_held_against(each, figure, goal_text),
        this=_text(this, figure),
        this_of=_of(this, figure),
        this_key=opening.has(kept, f"{opening.THIS}{each['key']}"),
        is_early=not this["mature"],
        mature_on=f"{ripe.day} {ripe:%B}",
        trend=charts.trend(points, goal, goal_text),
        spoken=spoken,
        weeks=tuple(
            (point.label, point.text, _of(week, figure), point.is_mature)
            for point, week in zip(points, each["weeks"], strict=True)
        ),
    )


def _value(week: dict[str, Any], figure: Shown) -> float | None:
    if figure.is_time:
        value: float | None = week["value"]
        return value
    return week["n"] / week["of"] if week["of"] else None


def _text(week: dict[str, Any], figure: Shown) -> str:
    return words.text(_value(week, figure), figure)


def _of(week: dict[str, Any] | None, figure: Shown) -> str:
    if week is None or not week["of"]:
        return f"none {figure.counted}"
    which = figure.hits if not figure.is_time else "within target"
    return f"{week['n']:,} of {week['of']:,} {which}"


def _goal(each: dict[str, Any]) -> tuple[float | None, str]:
    """The target, or where there is none the own baseline."""
    if each["goal"] is not None:
        return each["goal"], each["goal_text"]
    hits, of = each["baseline"]
    return (hits / of, words.share(hits / of)) if of else (None, "")


def _held_against(each: dict[str, Any], figure: Shown, goal_text: str) -> str:
    if each["goal"] is None:
        return f"usual {goal_text}" if goal_text else ""
    return f"target {'above' if figure.key == 'acceptance_rate' else 'below'} {goal_text}"


def _decision(each: dict[str, Any], today: date, week: Week) -> Decision:
    until = date.fromisoformat(each["until"])
    earlier = each["week"] != week.plus(-1).name
    return Decision(
        id=each["id"],
        week=each["week"],
        text=each["text"],
        owner=each["owner"],
        until=f"{until.day} {until:%B}",
        is_done=each["is_done"],
        is_late=not each["is_done"] and until < today,
        from_week=_short(each["week"]) if earlier else "",
    )


def _terms(kept: dict[str, Any], weeks: WeekRange) -> str:
    targets = tuple(
        Target(
            starts_at=_moment(each["from"]),
            ends_at=_moment(each["until"]),
            contact={kind: timedelta(minutes=most) for kind, most in each["contact"].items()},
            version=each["version"],
        )
        for each in kept["terms"]
    )
    terms = Terms(datetime.fromisoformat(kept["as_of"]), targets)
    return words.judged_by(terms, weeks.span, weeks.zone)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _short(name: str | None) -> str:
    return words.short(Week.parse(name)) if name else ""
