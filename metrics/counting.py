"""Figures by counting in the database: one query a dimension, whatever the number of handoffs.

Owns the dimensions and the queries. What counts is `metrics.measures`; who may see what, the caller's rows.
Groups by person follow each measure's own person, so they take one query for each kind of person.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.db.models import Avg, Case, CharField, Count, F, Q, Value, When
from django.db.models.expressions import Combinable

from leads.choices import SCORE_BANDS
from leads.querysets import HandoffQuerySet
from metrics import whose
from metrics.figures import KINDS, Figures, Rate
from metrics.filters import COLUMNS, Filters, in_band
from metrics.measures import BESIDE, CONTACT, MEASURES, MQLS, RATES, Measure
from metrics.periods import Week
from metrics.spans import Minutes, PercentileCont, week_of
from metrics.terms import Terms
from metrics.whose import Chosen

PERSONAL = ("rep", "team")
DIMENSIONS = ("week", *COLUMNS, "band", *PERSONAL)
_WAIT = Minutes(F("first_contact_at"), F("mql_at"))


def total(rows: HandoffQuerySet, terms: Terms, people: Chosen | None = None) -> Figures:
    """The figures of all these handoffs together; one query."""
    found = Figures()
    fill(found, rows.order_by().aggregate(**aggregates(terms, people)))
    return found


def by(
    dimension: str,
    rows: HandoffQuerySet,
    terms: Terms,
    zone: str,
    people: Chosen | None = None,
    only: Collection[str] | None = None,
) -> dict[str, Figures]:
    """The figures of each group, sorted by name; groups in which nothing counts are left out.

    `dimension` is one of DIMENSIONS. Groups are verbatim and case-sensitive, "" for none; weeks go by their
    name in the zone. `people` narrows each measure to those put down to them; `only` names the measures that
    are wanted, None is all.
    """
    found: defaultdict[str, Figures] = defaultdict(Figures)
    if dimension in PERSONAL:
        for who in whose.COLUMNS:
            asked = aggregates(terms, people, who, only)
            for values in _grouped(rows, whose.group(who, dimension, terms), asked) if asked else ():
                fill(found[values.pop("of")], values)
    else:
        for values in _grouped(rows, key(dimension, zone), aggregates(terms, people, None, only)):
            name = values.pop("of")
            fill(found[Week.holding(name).name if dimension == "week" else name], values)
    return {name: found[name] for name in sorted(found) if not found[name].is_empty}


def pick(filters: Filters, rows: HandoffQuerySet) -> HandoffQuerySet:
    """The handoffs that a filter lets through, but for whose they are."""
    return rows.filter(filters.where())


def key(dimension: str, zone: str) -> Combinable:
    """What a handoff is grouped by in a dimension that is the handoff's own."""
    if dimension == "week":
        return week_of(zone)
    if dimension == "band":
        whens = [When(in_band(name), then=Value(name)) for name, _, _ in SCORE_BANDS]
        return Case(*whens, default=Value(""), output_field=CharField())
    return F(COLUMNS[dimension])


def _grouped(rows: HandoffQuerySet, key: Combinable, asked: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    grouped: Any = rows.order_by().annotate(of=key).values("of").annotate(**asked)
    return iter(grouped)


def aggregates(
    terms: Terms, people: Chosen | None, who: str | None = None, only: Collection[str] | None = None
) -> dict[str, Any]:
    """What is counted, by the names that `fill` reads; with `who` only what is put down to that person, with
    `only` the measures of these names."""

    def narrowed(measure: Measure) -> Q:
        counts = measure.counts(terms)
        return counts if people is None else counts & people.condition(measure.who, terms)

    def wanted(name: str) -> bool:
        return who in (None, MEASURES[name].who) and (only is None or name in only)

    # Counted is `mql_at`, which every handoff has: times are then read from its index alone.
    asked: dict[str, Any] = {}
    if wanted("mqls"):
        asked["mqls"] = Count("mql_at", filter=narrowed(MQLS))
    for name, measure in (RATES | BESIDE).items():
        if wanted(name):
            counts = narrowed(measure)
            asked[f"{name}__all"] = Count("mql_at", filter=counts)
            asked[f"{name}__hits"] = Count("mql_at", filter=counts & measure.hit(terms))
    if wanted("time_to_first_contact"):
        for kind in KINDS:
            counts = narrowed(CONTACT) & Q(lead_type=kind)
            asked |= {
                f"{kind}__n": Count("mql_at", filter=counts),
                f"{kind}__within": Count("mql_at", filter=counts & CONTACT.hit(terms)),
                f"{kind}__mean": Avg(_WAIT, filter=counts),
                f"{kind}__median": PercentileCont(_WAIT, 0.5, filter=counts),
                f"{kind}__p90": PercentileCont(_WAIT, 0.9, filter=counts),
            }
    return asked


def fill(found: Figures, values: Mapping[str, Any]) -> None:
    """Put what was counted into its place; a person's figures come in several queries."""
    found.mqls = values.get("mqls", found.mqls)
    for rates in (found.rates, found.beside):
        for name in rates:
            if f"{name}__all" in values:
                rates[name] = Rate(values[f"{name}__hits"], values[f"{name}__all"])
    for kind, spread in found.contact.items():
        if f"{kind}__n" in values:
            spread.n = values[f"{kind}__n"]
            spread.within = Rate(values[f"{kind}__within"], spread.n)
            spread.mean, spread.median = values[f"{kind}__mean"], values[f"{kind}__median"]
            spread.p90 = values[f"{kind}__p90"]
