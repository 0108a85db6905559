"""A handoff as we have it beside the same in each other system, and the line about it on its own page.

Owns the rows of that table and which values are marked as different. What was read is `leads.audit.sides`.
Pure: everything is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.utils.dateparse import parse_datetime

from leads.audit import sides
from leads.audit.checks import ABOUT, Code
from leads.models import Event, Finding
from leads.outbox import Wanted
from leads.presenters import times
from leads.presenters.signals import cut

STATUSES = {
    "pending": "Waits for an answer",
    "accepted": "Accepted",
    "contacted": "Contacted",
    "deferred": "Deferred",
    "rejected": "Rejected",
    "opportunity": "Opportunity",
    "disqualified": "Disqualified",
    "closed": "Closed",
}
_TROUBLES = {
    sides.UNREAD: "It could not be read",
    sides.MOVING: "Our last change was on its way",
    sides.ABSENT: "There is no record",
    sides.DELETED: "The record was deleted",
    sides.MERGED: "The record was merged",
}
# Checks that speak of where a handoff stands: of these a page can say what is shown there.
_OF_STATUS = frozenset(
    {
        Code.CRM_ACCEPTED_MAP_MQL, Code.CRM_REJECTED_MAP_MQL, Code.CRM_OPP_NOT_IN_MAP, Code.EXTERNAL_CHANGE,
        Code.TIME_REGRESSION,
    }
)  # fmt: skip
LONGEST = 120


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    title: str = ""
    differs: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """A column: whose it is, in which role, and when it was read."""

    name: str
    role: str
    when: str
    exact: str
    is_it: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    heads: Sequence[Head]
    rows: Sequence[tuple[str, Sequence[Cell]]] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Drifting:
    """A line on the handoff's page: what another system shows; `href` leads to the finding, "" for those who
    may not read it."""

    id: int
    text: str


def table(
    ours: Wanted | None,
    last: Event | None,
    theirs: Sequence[sides.Look],
    now: datetime,
    *,
    finding: Finding,
    opted_out: bool,
    is_fresh: bool,
) -> Table:
    """Ours and theirs side by side. With `is_fresh` addresses and refusals of mail are in it, which are not
    kept."""
    heads = [Head("Here", "as it stands", "now", "")]
    columns = [_ours(ours, last, now, opted_out=opted_out)]
    for one in theirs:
        at = parse_datetime(str(one.side.get("at") or ""))
        when, exact = (times.day(at, now), times.exact(at, now)) if at else ("", "")
        role = "" if one.connection.role == "other" else str(one.connection.get_role_display())
        is_it = one.connection.pk == finding.connection_id
        heads.append(Head(one.connection.name, role, "now" if is_fresh else when, exact, is_it))
        columns.append(_theirs(one, now))
    rows = []
    for name, label in _ROWS.items():
        own = columns[0].get(name, Cell(""))
        cells = [own, *(_marked(name, own, column.get(name, Cell(""))) for column in columns[1:])]
        if any(cell.text for cell in cells) and (is_fresh or name not in ("email", "mail")):
            rows.append((label, cells))
    return Table(heads, rows)


_ROWS = {
    "status": "Status", "shown": "Shown as", "reason": "Reason", "owner": "Holder",
    "deferred_until": "Deferred until", "revision": "Revision", "email": "E-mail", "mail": "May be mailed",
    "changed": "Last changed", "by": "By whom", "id": "Record",
}  # fmt: skip
_COMPARED = ("status", "reason", "owner", "deferred_until", "revision", "email", "mail")


def _marked(name: str, own: Cell, cell: Cell) -> Cell:
    is_other = name in _COMPARED and own.text != cell.text and not cell.differs
    # What a system is not told (no field is mapped for it) does not differ.
    return Cell(cell.text, cell.title, is_other and bool(cell.text)) if is_other else cell


def _ours(want: Wanted | None, last: Event | None, now: datetime, *, opted_out: bool) -> dict[str, Cell]:
    if want is None:
        return {"status": Cell("No handoff any more")}
    by = str(last.user or last.api_key or "the system") if last is not None else ""
    until = times.day(want.deferred_until, now) if want.deferred_until else ""
    changed = want.changed_at
    return {
        "status": Cell(STATUSES[str(want.status)]),
        "reason": Cell(want.reason),
        "owner": Cell(want.owner),
        "deferred_until": Cell(until),
        "revision": Cell(str(want.revision)),
        "email": Cell(cut(want.email, LONGEST)),
        "mail": Cell("no" if opted_out else "yes"),
        "changed": Cell(times.day(changed, now), times.exact(changed, now)) if changed else Cell(""),
        "by": Cell(cut(by, LONGEST)),
        "id": Cell(f"Handoff {want.handoff_id}"),
    }


def _theirs(one: sides.Look, now: datetime) -> dict[str, Cell]:
    side = one.side
    if one.error or side.get("trouble"):
        words = one.error or _TROUBLES.get(side["trouble"], "It says nothing")
        return {"status": Cell(cut(words, LONGEST), differs=True), "id": Cell(side.get("id", ""))}
    changed, until = (parse_datetime(str(side.get(key) or "")) for key in ("changed_at", "deferred_until"))
    mail = "" if one.opted_out is None else "no" if one.opted_out else "yes"
    return {
        "status": Cell(STATUSES.get(side.get("status", ""), "None that we know")),
        "shown": Cell(cut("; ".join(side.get("shown") or ()), 300)),
        "reason": Cell(side.get("reason", "")),
        "owner": Cell(side.get("owner", "")),
        "deferred_until": Cell(times.day(until, now) if until else ""),
        "revision": Cell(side.get("revision", "")),
        "email": Cell(cut(one.email, LONGEST)),
        "mail": Cell(mail),
        "changed": Cell(times.day(changed, now), times.exact(changed, now)) if changed else Cell(""),
        "by": Cell(cut(side.get("changed_by", ""), LONGEST)),
        "id": Cell(side.get("id", "")),
    }


def drifting(rows: Sequence[Finding]) -> list[Drifting]:
    """Open findings about a handoff (their connections loaded), for its own page: one line a system and what
    it says."""
    found: dict[str, Drifting] = {}
    for row in rows:
        status = STATUSES.get(row.sides.get(row.connection.slug, {}).get("status", ""), "")
        about = ABOUT[Code(row.check_code)].words
        text = f"{row.connection.name} shows “{status}”" if status and row.check_code in _OF_STATUS else ""
        text = text or f"{row.connection.name}: {about[:1].lower()}{about[1:]}"
        found.setdefault(text, Drifting(row.pk, text))
    return list(found.values())
