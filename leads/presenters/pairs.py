"""Two leads that may be one person, side by side, and merges that were made of such.

Owns which values stand beside each other, where they differ, and what is proposed, in words. The leads and
their companies are loaded, counts come in. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from leads import choosing
from leads.models import DuplicatePair, Handoff, Lead, Merge
from leads.presenters import people, times
from leads.presenters.repair import SAME
from leads.presenters.signals import cut


@dataclass(frozen=True, slots=True)
class Line:
    """One value of both. With a `key` somebody can choose; `side` is whose is chosen and `why` says what
    speaks for the proposal."""

    label: str
    first: str
    second: str
    key: str = ""
    side: str = ""
    why: str = ""

    @property
    def differs(self) -> bool:
        return bool(self.key)


@dataclass(frozen=True, slots=True)
class MergeLine:
    """A merge that was made. `why_not` says why it cannot be undone; "" while it can."""

    id: int
    text: str
    exact: str
    why_not: str
    is_undone: bool


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
    stays: str
    seen: tuple[str, str]
    decided: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class Decided:
    """A pair on the list of what was decided. `merged` is one of two that were made one: its page leads to
    the lead that stayed."""

    id: int
    names: str
    words: str
    exact: str
    merged: int | None


@dataclass(frozen=True, slots=True)
class Known:
    """What belongs to the leads of some pairs, by lead: activities, handoffs, the open one, ids elsewhere."""

    activities: Mapping[int, int]
    handoffs: Mapping[int, int]
    open: Mapping[int, Handoff]
    ids: Mapping[int, list[str]]


def pair(
    row: DuplicatePair,
    known: Known,
    now: datetime,
    chosen: Mapping[str, str] | None = None,
) -> Pair:
    """The pair with both leads, their companies and who decided loaded. `chosen` is what somebody chose on a
    form: "first" or "second" by group, and "stays"."""
    first, second = row.first, row.second
    same = SAME.get(str(row.evidence.get("same")) if isinstance(row.evidence, dict) else "", "")
    picked = chosen or {}
    stays = choosing.stays(first, second, known.open, known.handoffs)
    values = zip(_values(first, known, now), _values(second, known, now), strict=True)
    rest = [Line(label, one, other) for (label, one), (_, other) in values]
    return Pair(
        id=row.pk,
        first=first.pk,
        second=second.pk,
        first_name=people.name_of(first, personal=True),
        second_name=people.name_of(second, personal=True),
        why=f"{same}, similar name" if same in ("same company", "same phone") else same,
        found=times.day(row.found_at, now),
        exact=times.exact(row.found_at, now),
        lines=(*_chosen(choosing.choices(first, second, stays), picked), *rest),
        both_open=first.pk in known.open and second.pk in known.open,
        stays=picked.get("stays") or stays,
        seen=(first.updated_at.isoformat(), second.updated_at.isoformat()),
        decided=decided_words(row, now),
        status=row.status,
    )


def decided_line(row: DuplicatePair, now: datetime) -> Decided:
    """A pair that is decided, with both leads and who decided loaded."""
    names = [people.name_of(lead, personal=True) for lead in (row.first, row.second)]
    return Decided(
        id=row.pk,
        names=" and ".join(names),
        words=decided_words(row, now),
        exact=times.exact(row.decided_at, now) if row.decided_at else "",
        merged=row.first_id if row.status == DuplicatePair.Status.MERGED else None,
    )


def _chosen(choices: Collection[choosing.Choice], picked: Mapping[str, str]) -> list[Line]:
    """What both say, what differs with a choice; what neither knows is left out."""
    return [
        Line(
            choice.group.label,
            cut(choice.first, 160),
            cut(choice.second, 160),
            key=choice.group.key if choice.is_open else "",
            side=(picked.get(choice.group.key) or choice.side) if choice.is_open else "",
            why=choice.why if choice.is_open else "",
        )
        for choice in choices
        if choice.first or choice.second
    ]


def merge_line(merge: Merge, why_not: str, now: datetime) -> MergeLine:
    """A merge whose leads and people are loaded, as its history says it."""
    by = str(merge.by) if merge.by else "the system"
    gone = people.name_of(merge.gone, personal=True)
    text = f"{gone} (lead {merge.gone_id}) was merged into this lead by {by}, {times.day(merge.at, now)}"
    if merge.undone_at is not None:
        who = str(merge.undone_by) if merge.undone_by else "the system"
        text += f"; undone by {who}, {times.day(merge.undone_at, now)}"
    return MergeLine(merge.pk, f"{text}.", times.exact(merge.at, now), why_not, merge.undone_at is not None)


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
        ("Domain", (company.domain or "") if company else ""),
        ("Ids", cut(", ".join(known.ids.get(lead.pk, [])), 160)),
        ("Known since", times.moment(lead.created_at, now)),
        ("Activities", str(known.activities.get(lead.pk, 0))),
        ("Handoffs", f"{count}, {where}" if count else "none"),
    ]
