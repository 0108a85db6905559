"""What is counted of each week, in a form that can be kept as JSON and added up over weeks.

Each function but `page` asks one query, grouped by week and whatever else, of the handoffs given to it, and
answers by the names of the weeks: a week without any is left out. Counts and shares can be added up;
percentiles cannot, so times to first contact are of the week alone. What counts is `metrics.measures`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Q

from leads.models import Rejection
from leads.querysets import HandoffQuerySet
from metrics import counting, horizon
from metrics.figures import KINDS, Figures, Rate, Spread
from metrics.measures import BESIDE, RATES, contacted
from metrics.periods import Week
from metrics.spans import week_of
from metrics.terms import Terms
from metrics.whose import Chosen

Weeks = dict[str, Any]
# What the section beside the five shows.
ASIDE = ("clean_handoff_rate", *BESIDE)
UNTIL, GROUPS, TIMES = "until", "groups", "times"


def page(rows: HandoffQuerySet, terms: Terms, zone: str, people: Chosen | None) -> Weeks:
    """What the dashboard itself shows: `rates`, and under TIMES what `contact` says of the week; two
    queries."""
    found, times = rates(rows, terms, zone, people), contact(rows, terms, zone, people)
    return {name: {**found.get(name, {}), TIMES: times.get(name, {})} for name in {*found, *times}}


def rates(rows: HandoffQuerySet, terms: Terms, zone: str, people: Chosen | None) -> Weeks:
    """{week: {source: {"mqls": n, measure: [hits, counted]}}} of the five and clean handoffs, and with them
    under UNTIL the next moment of these handoffs (`metrics.horizon`) in ISO format, or None."""
    names = ("mqls", *RATES)
    asked = counting.aggregates(terms, people, None, names) | horizon.asked(terms.as_of)
    grouped: Any = rows.order_by().annotate(of_week=week_of(zone), of=F("lead_source"))
    found: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    until: defaultdict[str, list[datetime]] = defaultdict(list)
    for values in grouped.values("of_week", "of").annotate(**asked):
        name = Week.holding(values["of_week"]).name
        if (moment := horizon.soonest(values)) is not None:
            until[name].append(moment)
        if said := _said(values, names):
            found[name][values["of"]] = said
    return {
        name: {UNTIL: _iso(min(until[name], default=None)), GROUPS: found[name]} for name in {*found, *until}
    }


def beside(rows: HandoffQuerySet, terms: Terms, zone: str, people: Chosen | None) -> Weeks:
    """{week: {measure: [hits, counted]}} of what stands beside the five."""
    asked = counting.aggregates(terms, people, None, ASIDE)
    grouped: Any = rows.order_by().annotate(of_week=week_of(zone)).values("of_week").annotate(**asked)
    found = {Week.holding(values["of_week"]).name: _said(values, ASIDE) for values in grouped}
    return {name: said for name, said in found.items() if said}


def contact(rows: HandoffQuerySet, terms: Terms, zone: str, people: Chosen | None) -> Weeks:
    """{week: {lead type: [contacted, within target, mean, median, 90th percentile]}}, minutes."""
    rows = rows.filter(contacted(terms))
    found = counting.by("week", rows, terms, zone, people, only=("time_to_first_contact",))
    return {
        week: {
            kind: [each.n, each.within.numerator, each.mean, each.median, each.p90]
            for kind, each in figures.contact.items()
        }
        for week, figures in found.items()
    }


def reasons(rows: HandoffQuerySet, terms: Terms, zone: str, people: Chosen | None) -> Weeks:
    """{week of the handoff: {reason code: acts of rejection}}; see `metrics.query.Asked.reasons`."""
    acts = acted(rows, terms, people)
    week = week_of(zone, "handoff__mql_at")
    grouped: Any = acts.annotate(week=week).values_list("week", "reason__code").annotate(Count("pk"))
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for monday, code, count in grouped:
        found[Week.holding(monday).name][code] = count
    return dict(found)


def acted(rows: HandoffQuerySet, terms: Terms, people: Chosen | None) -> Any:
    """The acts of rejection up to the moment that were not undone; those of the people that are asked for."""
    acts = Rejection.objects.filter(handoff__in=rows.order_by(), at__lte=terms.as_of, undone_at__isnull=True)
    if people is not None:
        done = Q(by__in=people.ids)
        acts = acts.filter(done | Q(by=None) if people.nobody else done)
    return acts.order_by()


# Back from what is kept


def figures(shares: Iterable[Mapping[str, Any]], times: Mapping[str, Any]) -> Figures:
    """The figures of some shares added up, with the times of one week."""
    found = Figures()
    for values in shares:
        _add(found, values)
    for kind in KINDS if times else ():
        n, within, mean, median, p90 = times[kind]
        found.contact[kind] = Spread(n, mean, median, p90, Rate(within, n))
    return found


def groups(shares: Iterable[Mapping[str, Mapping[str, Any]]]) -> dict[str, Figures]:
    """The shares of each group added up over some weeks, sorted by name."""
    found: defaultdict[str, Figures] = defaultdict(Figures)
    for of_week in shares:
        for name, values in of_week.items():
            _add(found[name], values)
    return {name: found[name] for name in sorted(found)}


def _add(found: Figures, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if name == "mqls":
            found.mqls += value
        else:
            into = found.rates if name in found.rates else found.beside
            into[name] = into[name].plus(Rate(*value))


def _said(values: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """What an aggregated row counts, without what is nothing of nothing."""
    said: dict[str, Any] = {}
    for name in names:
        if name == "mqls":
            said |= {name: values[name]} if values[name] else {}
        elif values[f"{name}__all"]:
            said[name] = [values[f"{name}__hits"], values[f"{name}__all"]]
    return said


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
