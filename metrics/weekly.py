"""What is counted of each week, in a form that can be kept as JSON and added up over weeks.

Each function but `page` asks one query, grouped by week and whatever else, of the handoffs given to it, and
answers by the names of the weeks: a week without any is left out. Counts and shares can be added up;
percentiles cannot, so times to first contact are of the week alone. What counts is `metrics.measures`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
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
WRONG_CLOCK = timedelta(days=1)
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
    until = []
    for values in grouped.values("of_week", "of").annotate(**asked):
        name = Week.holding(values["of_week"]).name
        until.append((name, horizon.soonest(values)))
        if said := _said(values, names):
            found[name][values["of"]] = said
    return {name: {UNTIL: moment, GROUPS: found[name]} for name, moment in said_until(until).items()}


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


def reasons(
    rows: HandoffQuerySet, terms: Terms, zone: str, people: Chosen | None, since: datetime | None = None
) -> Weeks:
    """{week of the handoff: {reason code: {source: acts of rejection}}}; of the acts that `acted` gives."""
    # From the handoffs to their acts: each handoff is looked up once.
    acts: Any = rows.order_by().filter(_of_acts(terms, people, since, "rejections__"))
    acts = acts.annotate(week=week_of(zone)).values_list("week", "rejections__reason__code", "lead_source")
    found: defaultdict[str, dict[str, dict[str, int]]] = defaultdict(dict)
    for monday, code, source, count in acts.annotate(Count("rejections")):
        found[Week.holding(monday).name].setdefault(code, {})[source] = count
    return dict(found)


def acted(rows: HandoffQuerySet, terms: Terms, people: Chosen | None, since: datetime | None = None) -> Any:
    """The acts of rejection up to the moment that were not undone; those of the people that are asked for.

    `since` is before the first `mql_at` of the rows: an act comes after that, so that earlier ones are not
    read. A day before it they are, for clocks that go wrong.
    """
    acts = Rejection.objects.filter(_of_acts(terms, people, since), handoff__in=rows.order_by())
    return acts.order_by()


def _of_acts(terms: Terms, people: Chosen | None, since: datetime | None, prefix: str = "") -> Q:
    """Those acts; `prefix` leads to them from another table."""
    found = Q(**{f"{prefix}at__lte": terms.as_of, f"{prefix}undone_at__isnull": True})
    if since is not None:
        found &= Q(**{f"{prefix}at__gte": since - WRONG_CLOCK})
    if people is None:
        return found
    done = Q(**{f"{prefix}by__in": people.ids})
    return found & (done | Q(**{f"{prefix}by": None}) if people.nobody else done)


def said_until(moments: Iterable[tuple[str, datetime | None]]) -> dict[str, str | None]:
    """The soonest moment of each week that is named, in ISO format as under UNTIL."""
    found: dict[str, datetime | None] = {}
    for name, moment in moments:
        soonest = found.setdefault(name, moment)
        if moment is not None and (soonest is None or moment < soonest):
            found[name] = moment
    return {name: _iso(moment) for name, moment in found.items()}


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
