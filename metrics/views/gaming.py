"""The monitor of weak signals: their share of the conversions over the weeks, how they fare, and what jumped.

Covers what the person may see. What needs weak signals is `metrics.weak`, what is found `metrics.gaming`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from leads.models import MqlDefinition
from metrics import address, charts, cohorts, gaming, lists, query, ways, weak, words
from metrics.diagnosis import worst
from metrics.figures import Rate
from metrics.gaming import Counted, Definition
from metrics.periods import Week, WeekRange
from metrics.saying import STATES, Sayer, between
from metrics.tallying import Tally
from routing.reading import of_figures


@require_safe
@of_figures
def page(request: HttpRequest) -> HttpResponse:
    """The findings, two lines over sixteen weeks, and acceptance and conversion against the rest."""
    ways.reader(request)
    asked = address.read(request)
    weeks = WeekRange.ending(asked.weeks.last, gaming.WEEKS, asked.weeks.zone)
    question = query.Question(asked.as_of, weeks.span, filters=asked.filters)
    figures = query.Asked.of(question, address.visible(request))
    by_week = weak.by_week(figures, weeks.zone)
    counted = [_counted(week, by_week) for week in weeks]
    mature = [each for each in counted if _is_mature(each.week, "acceptance_rate", asked)]
    definitions = [
        Definition(row.version, row.threshold, row.in_force_from)
        for row in MqlDefinition.objects.order_by("in_force_from")
    ]
    fare = gaming.fare(
        _together(by_week, [each.week for each in mature]),
        _together(by_week, [week for week in weeks if _is_mature(week, "mql_to_opportunity", asked)]),
    )
    sayer = Sayer(asked, settled=_range(mature, weeks), ripe=_ripe(weeks, asked))
    found = [
        *gaming.findings(mature, definitions, lambda at: Week.of(at, weeks.zone)),
        *gaming.faring(fare),
    ]
    context = {
        "ways": ways.of(request, asked, "metrics:gaming"),
        "asked": asked,
        "span": f"{words.short(weeks.first)} to {words.short(weeks.last)}",
        "findings": [sayer.said(finding) for finding in found],
        "state": STATES[worst(found)],
        "share_line": _line(counted, mature, asked),
        "volume_line": _volume(counted, mature),
        "fare": _fare(fare),
        "fare_rows": _fare_rows(fare, sayer),
        "rows": [_row(each, mature, asked, weeks) for each in reversed(counted)],
        "versions": [
            (definition.version, definition.threshold, words.short(Week.of(definition.starts_at, weeks.zone)))
            for definition in definitions
            if weeks.first <= Week.of(definition.starts_at, weeks.zone) <= weeks.last
        ],
        "recent": gaming.RECENT,
        "earlier": gaming.EARLIER,
    }
    return render(request, "metrics/gaming.html", context)


def _counted(week: Week, by_week: Mapping[Week, Mapping[str, Tally]]) -> Counted:
    tallies = by_week.get(week, {})
    counts = {name: tallies.get(name, weak.EMPTY)["all"].numerator for name in weak.GROUPS}
    return Counted(week, sum(counts.values()), counts["weak"], counts["rest"])


def _is_mature(week: Week, measure: str, asked: address.Asked) -> bool:
    return cohorts.is_mature(week, measure, asked.weeks.zone, asked.as_of)


def _range(mature: Sequence[Counted], weeks: WeekRange) -> WeekRange | None:
    return WeekRange(mature[0].week, mature[-1].week, weeks.zone) if mature else None


def _ripe(weeks: WeekRange, asked: address.Asked) -> WeekRange | None:
    last = cohorts.last_mature(weeks, "mql_to_opportunity", weeks.zone, asked.as_of)
    return None if last is None else WeekRange(weeks.first, last, weeks.zone)


def _together(
    by_week: Mapping[Week, Mapping[str, Tally]], weeks: Sequence[Week]
) -> dict[str, dict[str, Rate]]:
    found: dict[str, dict[str, Rate]] = {name: dict(weak.EMPTY) for name in weak.GROUPS}
    for week in weeks:
        for group, tally in by_week.get(week, {}).items():
            for name, rate in tally.items():
                found[group][name] = found[group][name].plus(rate)
    return found


def _line(counted: Sequence[Counted], mature: Sequence[Counted], asked: address.Asked) -> charts.Line:
    """The share over the weeks; dashed is that of the mature weeks before the last ones."""
    points = [
        charts.Point(words.short(each.week), each.share.value, words.share(each.share.value), each in mature)
        for each in counted
    ]
    before = gaming.Period.of(mature[: -gaming.RECENT]).share.value
    high = max([point.value for point in points if point.value is not None] + [before or 0.0, 0.1])
    marks = [
        charts.Mark(100, value, words.share(value)) for value in charts.ticks(high) if value <= 1.0 + 1e-9
    ]
    return charts.line(points, before, "" if before is None else words.share(before), marks)


def _volume(counted: Sequence[Counted], mature: Sequence[Counted]) -> charts.Line:
    points = [
        charts.Point(words.short(each.week), float(each.mqls), f"{each.mqls:,}", each in mature)
        for each in counted
    ]
    earlier = gaming.Period.of(mature[: -gaming.RECENT])
    mean = earlier.mqls / earlier.weeks if earlier.weeks else None
    high = max([float(each.mqls) for each in counted] + [mean or 0.0, 1.0])
    marks = [charts.Mark(100, value, f"{value:,.0f}") for value in charts.ticks(high)]
    return charts.line(points, mean, "" if mean is None else f"{mean:,.0f}", marks)


_FARES = (
    ("Accepted, weak signals needed", "accepted", "now", "weak_decided"),
    ("Accepted, the rest", "accepted", "before", "rest_decided"),
    ("Opportunity, weak signals needed", "won", "now", "weak_accepted"),
    ("Opportunity, the rest", "won", "before", "rest_accepted"),
)


def _fares(fare: gaming.Fare) -> list[tuple[str, Rate, str]]:
    return [(label, getattr(getattr(fare, share), side), behind) for label, share, side, behind in _FARES]


def _fare(fare: gaming.Fare) -> charts.Bars:
    return charts.bars(
        [
            charts.Share(
                label=label,
                share=rate.value or 0.0,
                value=words.share(rate.value),
                detail=f"{rate.numerator:,} of {rate.denominator:,}",
            )
            for label, rate, _ in _fares(fare)
            if rate.denominator
        ]
    )


def _fare_rows(fare: gaming.Fare, sayer: Sayer) -> list[dict[str, str]]:
    return [
        {
            "label": label,
            "value": words.share(rate.value),
            "of": f"{rate.numerator:,} of {rate.denominator:,}" if rate.denominator else "",
            "between": between(rate),
            "href": sayer.list_of(behind, ripe=behind.endswith("accepted")) if rate.numerator else "",
        }
        for label, rate, behind in _fares(fare)
    ]


def _row(each: Counted, mature: Sequence[Counted], asked: address.Asked, weeks: WeekRange) -> dict[str, Any]:
    alone = weeks.only(each.week)
    return {
        "name": words.short(each.week),
        "days": words.days_of(each.week),
        "is_early": each not in mature,
        "mqls": f"{each.mqls:,}",
        "mqls_href": lists.address(asked, "loop_mqls", alone) if each.mqls else "",
        "judged": f"{each.share.denominator:,}",
        "weak": f"{each.weak:,}",
        "weak_href": lists.address(asked, "weak_all", alone) if each.weak else "",
        "share": words.share(each.share.value),
        "between": between(each.share),
    }
