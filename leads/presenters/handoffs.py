"""A handoff as a row of the list of handoffs, and as a line of its file.

Owns the columns: their names, what stands in them, which of them order the list. Whoever is not shown
personal data gets names, no addresses. Pure; the rows are loaded with `WITH`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leads.choices import LeadType
from leads.models import Handoff
from leads.presenters import consent, people, rows, times
from leads.presenters.clocks import Clock, holders_calendar, of_handoff
from leads.presenters.flags import Flag
from leads.presenters.signals import cut
from routing import hours

WITH = (
    "lead__company", "policy", "queue__calendar", "assignee__calendar", "assignee__team__calendar",
    "rejection_reason",
)  # fmt: skip
LONGEST = 60


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `value` is what the file says; a moment or a number is worded for the page. `sort` is the
    name of its order in the address, "" for none."""

    code: str
    label: str
    value: Callable[[Handoff], Any]
    sort: str = ""
    is_number: bool = False
    is_shown: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A column's words for one handoff; `label` names it where there is no room for heads."""

    label: str
    text: str
    exact: str = ""
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class HandoffRow:
    """One handoff: who, where it stands, how long there is, and the chosen columns."""

    id: int
    revision: int
    name: str
    sub: str
    flags: tuple[Flag, ...]
    state: str
    holder: str
    clock: Clock | None
    cells: Sequence[Cell]


def _team(handoff: Handoff) -> str:
    return handoff.assignee.team.name if handoff.assignee is not None and handoff.assignee.team else ""


def _type(handoff: Handoff) -> str:
    raised = ", raised" if handoff.raised_at and handoff.lead_type != LeadType.DEMO else ""
    return f"{LeadType(handoff.effective_type).label}{raised}"


COLUMNS = (
    Column("source", "Source", lambda row: row.lead_source, is_shown=True),
    Column("score", "Score", lambda row: row.score_total, "score", is_number=True, is_shown=True),
    Column("mql", "Qualified", lambda row: row.mql_at, "mql", is_shown=True),
    Column("changed", "Changed", lambda row: row.updated_at, "changed"),
    Column("type", "Type", _type),
    Column("trigger", "Trigger", lambda row: row.get_trigger_display()),
    Column("channel", "Channel", lambda row: row.channel),
    Column("campaign", "Campaign", lambda row: row.campaign),
    Column("rule", "Rule", lambda row: row.rule_name),
    Column("territory", "Territory", lambda row: row.territory),
    Column("team", "Team", _team),
    Column("assigned", "Assigned", lambda row: row.assigned_at),
    Column("accepted", "Accepted", lambda row: row.accepted_at),
    Column("contacted", "First contact", lambda row: row.first_contact_at),
    Column("rejected", "Rejected", lambda row: row.rejected_at),
    Column("opportunity", "Opportunity", lambda row: row.opportunity_at),
)
BY_CODE = {column.code: column for column in COLUMNS}
SHOWN = tuple(column.code for column in COLUMNS if column.is_shown)
HEADER = (
    "handoff", "lead", "name", "job title", "company", "e-mail", "no e-mail", "do not call", "state",
    "holder", "due",
    *(column.label.lower() for column in COLUMNS),
)  # fmt: skip


def chosen(codes: Iterable[str]) -> tuple[Column, ...]:
    """These columns in their fixed order, without what there is none of; the usual ones for none."""
    wanted = set(codes) & BY_CODE.keys() or set(SHOWN)
    return tuple(column for column in COLUMNS if column.code in wanted)


def row(
    handoff: Handoff,
    columns: Iterable[Column],
    now: datetime,
    calendar: hours.Calendar | None,
    *,
    personal: bool,
) -> HandoffRow:
    return HandoffRow(
        id=handoff.pk,
        revision=handoff.revision,
        name=rows.name_of(handoff, personal=personal),
        sub=rows.sub_of(handoff),
        flags=rows.flags_of(handoff) if handoff.is_open else (),
        state=people.state_words(handoff),
        holder=people.holder_words(handoff),
        clock=of_handoff(handoff, now, holders_calendar(handoff, calendar)) if handoff.is_open else None,
        cells=[_cell(column, handoff, now) for column in columns],
    )


def _cell(column: Column, handoff: Handoff, now: datetime) -> Cell:
    value = column.value(handoff)
    if isinstance(value, datetime):
        return Cell(column.label, times.day(value, now), times.exact(value, now))
    text = "" if value is None else cut(str(value), LONGEST)
    return Cell(column.label, text, is_number=column.is_number)


def line(handoff: Handoff, *, personal: bool) -> tuple[Any, ...]:
    """All columns, whatever the page shows: a file is filtered where it is opened."""
    lead = handoff.lead
    return (
        handoff.pk,
        lead.pk,
        lead.full_name,
        lead.job_title,
        lead.company.name if lead.company else "",
        lead.email if personal else "",
        consent.yes(lead.email_opt_out),
        consent.yes(lead.do_not_call),
        people.state_words(handoff),
        people.holder_words(handoff),
        handoff.next_due_at,
        *(column.value(handoff) for column in COLUMNS),
    )
