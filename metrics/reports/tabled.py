"""The handoffs behind the rows of a report's tables, kept with it like those behind its figures.

Owns which are kept: of each source, reason, holder and stage a few, those to talk about first. A list goes by
its table and the place of its row in it ("source.0"), for names may be long or alike. One query a table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import Case, F, IntegerField, Q, Value, When, Window
from django.db.models.functions import RowNumber

from leads.querysets import HandoffQuerySet
from metrics import measures, query
from metrics.periods import Week
from metrics.query import Asked

# Of a row; how many there are stands in the table.
MOST_IN_ROW = 50
# What a handoff counts as in a list: it is what the figure counts, it is not, or it is not decided yet.
HIT, MISS, NEITHER = 1, 0, 2
Lists = dict[str, list[list[int]]]


def sources(asked: Asked, names: Sequence[str]) -> Lists:
    """The MQLs of each source: rejected, then accepted, then what sales has not decided on."""
    measure = measures.RATES["rejection_rate"]
    counts, hit = measure.counts(asked.terms), measure.hit(asked.terms)
    rows = asked.rows.filter(lead_source__in=names).annotate(
        place_of=_first((counts & hit, 0), (counts, 1), other=2)
    )
    codes = {0: HIT, 1: MISS, 2: NEITHER}
    found = _few(rows, "lead_source")
    return _placed("source", names, ((name, pk, codes[order]) for name, pk, order in found))


def reasons(asked: Asked, codes: Sequence[str]) -> Lists:
    """The acts of rejection with each reason, the latest first; a handoff rejected twice stands twice."""
    ordered = Window(RowNumber(), partition_by=F("reason__code"), order_by=[F("at").desc(), F("pk").asc()])
    acts = asked.acts().annotate(row=ordered).filter(row__lte=MOST_IN_ROW)
    found = acts.order_by("row").values_list("reason__code", "handoff_id")
    return _placed("reason", codes, ((code, pk, HIT) for code, pk in found))


def holders(asked: Asked, people: Sequence[int | None], week: Week | None, zone: str) -> Lists:
    """What each held at 24 hours: black holes first. None is nobody in person."""
    if week is None:
        return {}
    measure = measures.RATES["black_hole_rate"]
    rows = query.within(week.span(zone), asked.terms.as_of, asked.rows).filter(measure.counts(asked.terms))
    found = _few(rows.annotate(place_of=_first((measure.hit(asked.terms), 0), other=1)), "holder_at_24h_id")
    return _placed("holder", people, ((who, pk, MISS if order else HIT) for who, pk, order in found))


def stages(asked: Asked, reached: Sequence[Q], week: Week | None, zone: str) -> Lists:
    """Who came to each stage: those who got no further than the one before it first. `reached` are the stages
    after the first, in order; who is at a later one has reached the earlier ones."""
    if week is None:
        return {}
    rows = query.within(week.span(zone), asked.terms.as_of, asked.rows)
    furthest = _first(*((each, place) for place, each in reversed(list(enumerate(reached, 1)))), other=0)
    at: defaultdict[int, list[int]] = defaultdict(list)
    for _, pk, place in _few(rows.annotate(place_of=furthest), "place_of"):
        at[place].append(pk)
    lists: Lists = {}
    for stage in range(len(reached) + 1):
        came = [
            [pk, HIT if place >= stage else MISS]
            for place in range(max(0, stage - 1), len(reached) + 1)
            for pk in at[place]
        ]
        lists[f"stage.{stage}"] = came[:MOST_IN_ROW]
    return lists


def _first(*cases: tuple[Q, int], other: int) -> Case:
    """The place of a handoff in its list: that of the first case that it is."""
    return Case(
        *(When(case, then=Value(place)) for case, place in cases),
        default=Value(other),
        output_field=IntegerField(),
    )


def _few(rows: HandoffQuerySet, group: str) -> list[tuple[Any, int, int]]:
    """Of each group, a column's, at most MOST_IN_ROW as (group, number, place), by place."""
    ordered = Window(RowNumber(), partition_by=F(group), order_by=[F("place_of").asc(), F("pk").asc()])
    few = rows.order_by().annotate(row=ordered).filter(row__lte=MOST_IN_ROW).order_by("row")
    columns = dict.fromkeys((group, "pk", "place_of"))
    return [(row[group], row["pk"], row["place_of"]) for row in few.values(*columns)]


def _placed(table: str, names: Sequence[Any], found: Iterable[tuple[Any, int, int]]) -> Lists:
    """By the place of their row; a row without handoffs has an empty list."""
    lists: Mapping[Any, list[list[int]]] = {name: [] for name in names}
    for name, pk, code in found:
        if name in lists:
            lists[name].append([pk, code])
    return {f"{table}.{place}": lists[name] for place, name in enumerate(names)}
