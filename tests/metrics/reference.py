"""The figures once more, in plain Python over one row a handoff: what the database's counting is held
against.

Row by row and group by group, as the definitions read; slow, and with nothing in common with `metrics` but
the definitions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from metrics.periods import WeekFinder


class Fact(NamedTuple):
    """One handoff as the figures see it. Instants in UTC, people by id, None for what did not happen."""

    id: int
    mql_at: datetime
    lead_type: str
    lead_source: str
    first_holder_id: int | None = None
    assigned_at: datetime | None = None
    holder_at_24h_id: int | None = None
    accepted_at: datetime | None = None
    accepted_by_id: int | None = None
    rejected_at: datetime | None = None
    rejected_by_id: int | None = None
    first_contact_at: datetime | None = None
    first_contact_by_id: int | None = None
    first_activity_at: datetime | None = None
    opportunity_at: datetime | None = None


def as_seen(facts: Iterable[Fact], as_of: datetime) -> Iterator[Fact]:
    """The facts that exist as of a moment: what occurred later is not there, nor are later handoffs."""

    def seen(at: datetime | None) -> datetime | None:
        return None if at is None or at > as_of else at

    for fact in facts:
        if fact.mql_at <= as_of:
            yield fact._replace(
                assigned_at=seen(fact.assigned_at),
                accepted_at=seen(fact.accepted_at),
                rejected_at=seen(fact.rejected_at),
                first_contact_at=seen(fact.first_contact_at),
                first_activity_at=seen(fact.first_activity_at),
                opportunity_at=seen(fact.opportunity_at),
            )


@dataclass(frozen=True)
class People:
    """Who stands behind an id, by e-mail, and the team they are in now."""

    emails: dict[int, str]
    teams: dict[int, str]

    def email(self, person: int | None) -> str:
        return "" if person is None else self.emails.get(person, "")

    def team(self, person: int | None) -> str:
        return "" if person is None else self.teams.get(person, "")


BLACK_HOLE = timedelta(hours=24)
TARGET = {"demo": timedelta(minutes=5), "standard": timedelta(minutes=60)}


class Verdict(NamedTuple):
    """A handoff that counts: whether it is a hit, and whom it is put down to (None: a queue, nobody)."""

    hit: bool
    who: int | None


def acceptance_rate(fact: Fact, as_of: datetime) -> Verdict | None:
    """Accepted / (accepted + rejected); target above 70 %, alarm below 50 %.

    Accepted: has `accepted_at`. Rejected: has `rejected_at` and no `accepted_at`, whatever followed. The
    rest is in neither. Put down to who decided.
    """
    if fact.accepted_at is not None:
        return Verdict(True, fact.accepted_by_id)
    if fact.rejected_at is not None:
        return Verdict(False, fact.rejected_by_id)
    return None


def time_to_first_contact(fact: Fact, as_of: datetime) -> Verdict | None:
    """First contact less `mql_at`, elapsed, of those contacted: mean, median, 90th percentile, by lead type.

    A hit is within target (<=): demo 5 minutes, standard 60. The type is the one at `mql_at`, also when it
    was raised later. Put down to who made the contact.
    """
    if fact.first_contact_at is None:
        return None
    return Verdict(fact.first_contact_at - fact.mql_at <= TARGET[fact.lead_type], fact.first_contact_by_id)


def mql_to_opportunity(fact: Fact, as_of: datetime) -> Verdict | None:
    """Accepted with `opportunity_at` / accepted; target: the own baseline. Put down to who accepted."""
    if fact.accepted_at is None:
        return None
    return Verdict(fact.opportunity_at is not None, fact.accepted_by_id)


def rejection_rate(fact: Fact, as_of: datetime) -> Verdict | None:
    """Rejected / (accepted + rejected), read per source; a source above 60 % is an alarm.

    The other side of the acceptance rate: the same handoffs count. Put down to who decided.
    """
    decided = acceptance_rate(fact, as_of)
    return None if decided is None else Verdict(not decided.hit, decided.who)


def black_hole_rate(fact: Fact, as_of: datetime) -> Verdict | None:
    """No sales activity within 24 h of `assigned_at` / assigned at least 24 h ago; target below 10 %.

    Activity at 24 h exactly is in time. Put down to the holder at 24 h.
    """
    if fact.assigned_at is None or fact.assigned_at + BLACK_HOLE > as_of:
        return None
    active = fact.first_activity_at is not None and fact.first_activity_at <= fact.assigned_at + BLACK_HOLE
    return Verdict(not active, fact.holder_at_24h_id)


def clean_handoff_rate(fact: Fact, as_of: datetime) -> Verdict | None:
    """Accepted and contacted / all MQLs. Put down to the first holder."""
    clean = fact.accepted_at is not None and fact.first_contact_at is not None
    return Verdict(clean, fact.first_holder_id)


def mqls(fact: Fact, as_of: datetime) -> Verdict | None:
    """Every handoff; its trigger fired. Put down to the first holder."""
    return Verdict(True, fact.first_holder_id)


Measure = Callable[[Fact, datetime], Verdict | None]
RATES: dict[str, Measure] = {
    "acceptance_rate": acceptance_rate,
    "mql_to_opportunity": mql_to_opportunity,
    "rejection_rate": rejection_rate,
    "black_hole_rate": black_hole_rate,
    "clean_handoff_rate": clean_handoff_rate,
}
MEASURES: dict[str, Measure] = {
    "mqls": mqls,
    **RATES,
    "time_to_first_contact": time_to_first_contact,
}


@dataclass
class Rate:
    """A share as it is shown: with its numerator and denominator."""

    numerator: int = 0
    denominator: int = 0

    @property
    def value(self) -> float | None:
        """The share between 0 and 1, or None when nothing counts."""
        return self.numerator / self.denominator if self.denominator else None

    def add(self, hit: bool) -> None:
        self.denominator += 1
        self.numerator += hit


@dataclass
class Spread:
    """Elapsed times to first contact of one lead type, and how many of them were within target."""

    times: list[timedelta] = field(default_factory=list)
    within: Rate = field(default_factory=Rate)

    @property
    def n(self) -> int:
        return len(self.times)

    @property
    def mean(self) -> float | None:
        """Minutes."""
        return sum(self.times, timedelta()) / timedelta(minutes=1) / self.n if self.times else None

    def percentile(self, share: float) -> float | None:
        """Minutes; see `percentile`."""
        found = percentile(sorted(self.times), share)
        return None if found is None else found / timedelta(minutes=1)


@dataclass
class Figures:
    """All figures of one group."""

    mqls: int = 0
    rates: dict[str, Rate] = field(default_factory=lambda: {name: Rate() for name in RATES})
    contact: dict[str, Spread] = field(default_factory=lambda: {kind: Spread() for kind in TARGET})

    def as_json(self) -> dict[str, Any]:
        """Keys and rounding of the contract: shares to six places, minutes to three."""
        return {
            "mqls": self.mqls,
            **{name: _rate_json(rate) for name, rate in self.rates.items()},
            "time_to_first_contact": {kind: _spread_json(each) for kind, each in self.contact.items()},
        }


# A dimension names the group of a handoff, or of the person that a measure puts it down to; None is no group.
Dimension = Callable[[Fact, int | None], str | None]
Belongs = Callable[[Fact, int | None], bool]


def total(fact: Fact, who: int | None) -> str:
    return "total"


def dimensions(people: People, weeks: WeekFinder) -> dict[str, Dimension]:
    """The groups there are, by name. Sources are verbatim and case-sensitive, "" for none."""
    return {
        "source": lambda fact, who: fact.lead_source,
        "week": lambda fact, who: weeks.of(fact.mql_at).name,
        "rep": lambda fact, who: people.email(who),
        "team": lambda fact, who: people.team(who),
        "type": lambda fact, who: fact.lead_type,
    }


def within(dimension: Dimension, belongs: Belongs | None) -> Dimension:
    """The dimension over only what belongs; the rest is in no group. None: everything belongs."""
    if belongs is None:
        return dimension
    return lambda fact, who: dimension(fact, who) if belongs(fact, who) else None


def figures(
    facts: Iterable[Fact], as_of: datetime, dimensions: Mapping[str, Dimension]
) -> dict[str, dict[str, Figures]]:
    """For each dimension the figures of each of its groups, sorted by name; one pass over the facts.

    Groups by person follow each measure's own person.
    """
    result: dict[str, dict[str, Figures]] = {name: {} for name in dimensions}
    groups: list[tuple[Dimension, defaultdict[str | None, Figures]]] = [
        (dimension, defaultdict(Figures)) for dimension in dimensions.values()
    ]
    for fact in facts:
        contacted = time_to_first_contact(fact, as_of)
        rates = [
            (name, verdict)
            for name, measure in RATES.items()
            if (verdict := measure(fact, as_of)) is not None
        ]
        for by, found in groups:
            found[by(fact, fact.first_holder_id)].mqls += 1
            for name, verdict in rates:
                found[by(fact, verdict.who)].rates[name].add(verdict.hit)
            if contacted is not None and fact.first_contact_at is not None:
                spread = found[by(fact, contacted.who)].contact[fact.lead_type]
                spread.times.append(fact.first_contact_at - fact.mql_at)
                spread.within.add(contacted.hit)
    for name, (_, found) in zip(result, groups, strict=True):
        result[name] = {key: found[key] for key in sorted(key for key in found if key is not None)}
    return result


def behind(
    facts: Iterable[Fact],
    as_of: datetime,
    measure: str,
    hit: bool | None = None,
    belongs: Belongs | None = None,
) -> list[Fact]:
    """The handoffs behind a figure: all that count, or only the hits or the misses.

    `belongs` keeps those of one group or filter, asked with the person that the measure puts it down to.
    """
    look = MEASURES[measure]
    kept = []
    for fact in facts:
        verdict = look(fact, as_of)
        if verdict is None or (hit is not None and verdict.hit is not hit):
            continue
        if belongs is None or belongs(fact, verdict.who):
            kept.append(fact)
    return kept


def percentile(ordered: Sequence[timedelta], share: float) -> timedelta | None:
    """The value below which that share lies, by linear interpolation (as PERCENTILE_CONT); None of nothing.

    `ordered` is ascending, `share` between 0 and 1.
    """
    if not ordered:
        return None
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def report(
    facts: Sequence[Fact],
    as_of: datetime,
    groups: Mapping[str, Dimension],
    reasons: Mapping[str, int] | None = None,
    belongs: Belongs | None = None,
) -> dict[str, Any]:
    """The contract's shape: `as_of`, `total`, one `by_<name>` a group, `rejections_by_reason` if given."""
    wanted = {"total": total, **groups}
    every = figures(facts, as_of, {name: within(each, belongs) for name, each in wanted.items()})
    answer: dict[str, Any] = {
        "as_of": as_of.isoformat().replace("+00:00", "Z"),
        "total": every["total"].get("total", Figures()).as_json(),
    }
    for name in groups:
        answer[f"by_{name}"] = {key: each.as_json() for key, each in every[name].items()}
    if reasons is not None:
        answer["rejections_by_reason"] = dict(sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0])))
    return answer


def _rounded(value: float | None, places: int) -> float | None:
    return None if value is None else round(value, places)


def _rate_json(rate: Rate) -> dict[str, Any]:
    return {
        "numerator": rate.numerator,
        "denominator": rate.denominator,
        "rate": _rounded(rate.value, 6),
    }


def _spread_json(spread: Spread) -> dict[str, Any]:
    return {
        "n": spread.n,
        "mean_minutes": _rounded(spread.mean, 3),
        "median_minutes": _rounded(spread.percentile(0.5), 3),
        "p90_minutes": _rounded(spread.percentile(0.9), 3),
        "within_target": _rate_json(spread.within),
    }
