"""Two leads that may be one person, side by side.

Owns which values stand beside each other and where they differ. The leads and their companies are loaded,
counts come in. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from leads.models import DuplicatePair, Handoff, Lead
from leads.presenters import people, times
from leads.presenters.repair import SAME
from leads.presenters.signals import cut

TELLING = frozenset({"Name", "E-mail", "Phone", "Title", "Company", "Domain", "Country"})


@dataclass(frozen=True, slots=True)
class Line:
    """One value of both; `differs` when both have one and they are not the same."""

    label: str
    first: str
    second: str
    differs: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair as it is shown. `decided` says in words who settled it and how; "" while it is open."""

    id: int
    first: int
    second: int
    first_name: str
    second_name: str
    why: str
    found: str
    exact: str
    lines: tuple[Line, ...]
    both_open: bool
    decided: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What belongs to the leads of some pairs, by lead: activities, handoffs, the open one, ids elsewhere."""

    activities: Mapping[int, int]
    handoffs: Mapping[int, int]
    open: Mapping[int, Handoff]
    ids: Mapping[int, list[str]]


def pair(row: DuplicatePair, known: Known, now: datetime) -> Pair:
    """The pair with both leads, their companies and who decided loaded."""
    first, second = row.first, row.second
    same = SAME.get(str(row.evidence.get("same")) if isinstance(row.evidence, dict) else "", "")
    values = zip(_values(first, known, now), _values(second, known, now), strict=True)
    return Pair(
        id=row.pk,
        first=first.pk,
        second=second.pk,
        first_name=people.name_of(first, personal=True),
        second_name=people.name_of(second, personal=True),
        why=f"{same}, similar name" if same in ("same company", "same phone") else same,
        found=times.day(row.found_at, now),
        exact=times.exact(row.found_at, now),
        lines=tuple(
            Line(label, one, other, _differs(label, one, other)) for (label, one), (_, other) in values
        ),
        both_open=first.pk in known.open and second.pk in known.open,
        decided=decided_words(row, now),
    )


def _differs(label: str, one: str, other: str) -> bool:
    """Whether the two say different things of the person; counts and dates say nothing of that."""
    return label in TELLING and bool(one and other) and one.casefold() != other.casefold()


def decided_words(row: DuplicatePair, now: datetime) -> str:
    """Who settled the pair, how and when; "" while it is open."""
    if row.status == DuplicatePair.Status.OPEN:
        return ""
    by = f" by {row.decided_by}" if row.decided_by else ""
    at = f", {times.day(row.decided_at, now)}" if row.decided_at else ""
    return f"{row.get_status_display()}{by}{at}."


def _values(lead: Lead, known: Known, now: datetime) -> list[tuple[str, str]]:
    company = lead.company
    handoff = known.open.get(lead.pk)
    count = known.handoffs.get(lead.pk, 0)
    where = f"{people.state_words(handoff)}, {people.holder_words(handoff)}" if handoff else "none open"
    return [
        ("Name", cut(lead.full_name, 120)),
        ("E-mail", cut(lead.email, 120)),
        ("Phone", cut(lead.phone, 60)),
        ("Title", cut(lead.job_title, 120)),
        ("Company", cut(company.name, 120) if company else ""),
        ("Domain", (company.domain or "") if company else ""),
        ("Country", lead.country_code),
        ("Source", cut(lead.lead_source, 80)),
        ("Ids", cut(", ".join(known.ids.get(lead.pk, [])), 160)),
        ("Known since", times.moment(lead.created_at, now)),
        ("Activities", str(known.activities.get(lead.pk, 0))),
        ("Handoffs", f"{count}, {where}" if count else "none"),
    ]
