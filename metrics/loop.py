"""The closed loop: what became of marketing's leads, by source or by campaign, and lead by lead.

Owns these counts and the rows of the file. One query a kind of count, whatever the number of handoffs; of
groups only the largest are told one by one. Money is added up by currency and never across them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import groupby, islice
from operator import attrgetter
from typing import Any

from django.db.models import Count, F, Q, Sum

from leads.choices import State
from leads.models import ExternalId
from metrics import tallying
from metrics.measures import EVERY, Measure, accepted, contacted, decided, happened
from metrics.query import Asked
from metrics.tallying import Tally
from metrics.terms import Terms

MOST_GROUPS = 50
COLUMNS = {"source": "lead_source", "campaign": "campaign"}


def won(terms: Terms) -> Q:
    return happened("opportunity_at", terms)


# Measure, what is counted, what of it are hits, about.
MEASURES: dict[str, tuple[Measure, str, str, str]] = {
    "mqls": (
        Measure(lambda terms: EVERY, lambda terms: EVERY, "first_holder", "All MQLs."),
        "MQLs",
        "MQLs",
        "Leads whose trigger fired",
    ),
    "accepted": (
        Measure(decided, accepted, "decider", "Accepted / decided."),
        "decided",
        "accepted",
        "Accepted by sales",
    ),
    "rejected": (
        Measure(decided, lambda terms: ~accepted(terms), "decider", "Rejected / decided."),
        "decided",
        "rejected",
        "Rejected by sales, and accepted by nobody",
    ),
    "contacted": (
        Measure(lambda terms: EVERY, contacted, "contacter", "Contacted / MQLs."),
        "MQLs",
        "contacted",
        "A first attempt was logged",
    ),
    "won": (
        Measure(lambda terms: EVERY, won, "accepter", "With an opportunity / MQLs."),
        "MQLs",
        "with an opportunity",
        "Became an opportunity, whatever their state",
    ),
}


@dataclass
class Group:
    """What became of a source's or a campaign's leads. `reasons` are (code, acts of rejection), the most
    first; `amounts` (currency, sum, how many of the opportunities had one)."""

    name: str
    tally: Tally
    reasons: list[tuple[str, int]] = field(default_factory=list)
    amounts: list[tuple[str, Decimal, int]] = field(default_factory=list)

    @property
    def mqls(self) -> int:
        return self.tally["mqls"].numerator


@dataclass(frozen=True)
class Loop:
    """All together; the groups with the most MQLs; how many others there are, with how many MQLs."""

    total: Group
    groups: Sequence[Group]
    others: int
    other_mqls: int


def read(figures: Asked, kind: str) -> Loop:
    """By "source" or "campaign"; seven queries."""
    column = COLUMNS[kind]
    measures = {name: measure for name, (measure, *_) in MEASURES.items()}
    tally, more = tallying.total(figures, measures, groups=Count(column, distinct=True))
    whole = Group("", tally, list(figures.reasons().items()))
    found = tallying.largest(F(column), figures, measures, "mqls", MOST_GROUPS)
    groups = {name: Group(name, each) for name, each in found.items()}
    here = Q(**{f"{column}__in": list(groups)})
    acts = figures.acts().filter(**{f"handoff__{column}__in": list(groups)})
    for name, code, count in acts.values_list(f"handoff__{column}", "reason__code").annotate(Count("pk")):
        groups[name].reasons.append((code, count))
    opportunities = tallying.listed(figures, measures["won"], "hits").order_by()
    priced: Any = opportunities.filter(opportunity_amount__isnull=False)
    sums = {"sum": Sum("opportunity_amount"), "n": Count("pk")}
    for row in priced.values("opportunity_currency").annotate(**sums):
        whole.amounts.append((row["opportunity_currency"], row["sum"], row["n"]))
    for row in priced.filter(here).values(column, "opportunity_currency").annotate(**sums):
        groups[row[column]].amounts.append((row["opportunity_currency"], row["sum"], row["n"]))
    for group in (whole, *groups.values()):
        group.reasons.sort(key=lambda pair: (-pair[1], pair[0]))
        group.amounts.sort(key=lambda each: (-each[2], each[0]))
    rest = whole.mqls - sum(group.mqls for group in groups.values())
    return Loop(whole, list(groups.values()), more["groups"] - len(groups), rest)


# The file

HEADER = (
    "lead",
    "system",
    "object",
    "id",
    "status",
    "reason",
    "mql_at",
    "accepted_at",
    "contacted_at",
    "opportunity_at",
    "opportunity_amount",
    "opportunity_currency",
)
# What one lead is known by elsewhere, where it is known by several names in one system.
JOINED = "; "


def rows(figures: Asked, system: str) -> Iterator[tuple[Any, ...]]:
    """One row a lead, as its latest handoff of the span stands as of the moment; read as it is written.

    With a `system` the id is the lead's there (empty where it has none), else all its ids side by side.
    Who was erased is in no row.
    """
    # Whoever was erased may have handoffs that had ended before, with their states.
    kept = figures.rows.filter(lead__erased_at__isnull=True)
    handoffs = kept.exclude(state=State.ERASED).order_by("lead_id", "-mql_at", "-pk")
    if figures.people is not None:
        handoffs = handoffs.filter(tallying.condition(figures, MEASURES["mqls"][0]))
    read = handoffs.values_list(*_READ, named=True).iterator(CHUNK)
    latest = (next(of_lead) for _, of_lead in groupby(read, key=attrgetter("lead_id")))
    while chunk := list(islice(latest, CHUNK)):
        known = _known([row.lead_id for row in chunk], system)
        for row in chunk:
            yield _row(row, known[row.lead_id], figures.terms.as_of)


CHUNK = 1000
_READ = (
    "lead_id",
    "mql_at",
    "accepted_at",
    "rejected_at",
    "first_contact_at",
    "deferred_at",
    "closed_at",
    "opportunity_at",
    "opportunity_amount",
    "opportunity_currency",
    "rejection_reason__code",
)


def _known(leads: Sequence[int], system: str) -> Mapping[int, Sequence[tuple[str, str, str]]]:
    """What these leads are known by elsewhere, the first known first."""
    ids = ExternalId.objects.filter(lead__in=leads).order_by("pk")
    if system:
        ids = ids.filter(system=system)
    found: defaultdict[int, list[tuple[str, str, str]]] = defaultdict(list)
    for lead, *known in ids.values_list("lead", "system", "object", "value"):
        found[lead].append((known[0], known[1], known[2]))
    return found


def _row(handoff: Any, known: Sequence[tuple[str, str, str]], as_of: datetime) -> tuple[Any, ...]:
    status = status_of(handoff, as_of)
    opportunity_at = _seen(handoff.opportunity_at, as_of)
    return (
        handoff.lead_id,
        *(JOINED.join(each[place] for each in known) for place in range(3)),
        status,
        (handoff.rejection_reason__code or "") if status == "rejected" else "",
        handoff.mql_at,
        _seen(handoff.accepted_at, as_of),
        _seen(handoff.first_contact_at, as_of),
        opportunity_at,
        handoff.opportunity_amount if opportunity_at else None,
        handoff.opportunity_currency if opportunity_at else "",
    )


def status_of(handoff: Any, as_of: datetime) -> str:
    """How far a handoff (or its columns) came: opportunity, rejected, contacted, accepted, deferred, else
    open or closed."""
    seen = {
        name: _seen(getattr(handoff, column), as_of)
        for name, column in (
            ("opportunity", "opportunity_at"),
            ("rejected", "rejected_at"),
            ("contacted", "first_contact_at"),
            ("accepted", "accepted_at"),
            ("deferred", "deferred_at"),
        )
    }
    if seen["rejected"] and seen["accepted"] and seen["rejected"] < seen["accepted"]:
        # Somebody else took it after the first one's no.
        seen["rejected"] = None
    reached = next((name for name, at in seen.items() if at is not None), "")
    return reached or ("closed" if _seen(handoff.closed_at, as_of) else "open")


def _seen(at: datetime | None, as_of: datetime) -> datetime | None:
    """What had occurred by the moment."""
    return None if at is None or at > as_of else at
