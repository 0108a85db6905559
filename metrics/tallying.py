"""A few measures, counted by one group in one query: what the diagnosis and its like need, and no more.

Owns the query. `metrics.counting` gives all figures of the contract at once; here the caller names the
measures, which may be its own. What counts is the measure's, who may see what the caller's rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import Case, CharField, Count, Q, Value, When
from django.db.models.expressions import Combinable

from leads.choices import SCORE_BANDS
from leads.querysets import HandoffQuerySet
from metrics.figures import Rate
from metrics.filters import in_band
from metrics.measures import Measure
from metrics.query import Asked

Tally = dict[str, Rate]
BAND: Combinable = Case(
    *(When(in_band(name), then=Value(name)) for name, _, _ in SCORE_BANDS),
    default=Value(""),
    output_field=CharField(),
)


def total(figures: Asked, measures: Mapping[str, Measure], **more: Any) -> tuple[Tally, dict[str, Any]]:
    """All these handoffs together; `more` are further aggregates, given back by their names."""
    values = figures.rows.order_by().aggregate(**_asked(figures, measures), **more)
    return _tally(values, measures), {name: values[name] for name in more}


def by(key: Combinable, figures: Asked, measures: Mapping[str, Measure]) -> dict[Any, Tally]:
    """The same for each group. Groups in which nothing counts are there, with noughts."""
    grouped: Any = figures.rows.order_by().annotate(of=key).values("of")
    return {
        values["of"]: _tally(values, measures) for values in grouped.annotate(**_asked(figures, measures))
    }


def grouped(
    values: Any, figures: Asked, measures: Mapping[str, Measure]
) -> Iterator[tuple[dict[str, Any], Tally]]:
    """For rows that are grouped already (`values` of a queryset): each group's values and its tally."""
    for row in values.annotate(**_asked(figures, measures)):
        yield row, _tally(row, measures)


def largest(
    key: Combinable, figures: Asked, measures: Mapping[str, Measure], name: str, most: int
) -> dict[Any, Tally]:
    """The groups with the most hits of the measure `name`, at most so many, in that order; without those
    that have none."""
    grouped: Any = figures.rows.order_by().annotate(of=key).values("of").annotate(**_asked(figures, measures))
    ordered = grouped.filter(**{f"{name}__hits__gt": 0}).order_by(f"-{name}__hits", "of")
    return {values["of"]: _tally(values, measures) for values in ordered[:most]}


def listed(figures: Asked, measure: Measure, part: str) -> HandoffQuerySet:
    """The handoffs behind: `part` is all, hits or misses."""
    counts, hit = condition(figures, measure), measure.hit(figures.terms)
    return figures.rows.filter({"all": counts, "hits": counts & hit, "misses": counts & ~hit}[part])


def condition(figures: Asked, measure: Measure) -> Q:
    """What counts, narrowed to the people that the question is about."""
    counts = measure.counts(figures.terms)
    if figures.people is None:
        return counts
    return counts & figures.people.condition(measure.who, figures.terms)


def _asked(figures: Asked, measures: Mapping[str, Measure]) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    for name, measure in measures.items():
        counts = condition(figures, measure)
        asked[f"{name}__all"] = Count("pk", filter=counts)
        asked[f"{name}__hits"] = Count("pk", filter=counts & measure.hit(figures.terms))
    return asked


def _tally(values: Mapping[str, Any], measures: Mapping[str, Measure]) -> Tally:
    return {name: Rate(values[f"{name}__hits"], values[f"{name}__all"]) for name in measures}
