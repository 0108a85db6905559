"""A lead as a row of a list and as the head of its own page.

Owns the words for where a lead stands. A viewer without personal data gets neither address nor number.
Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from leads.choices import LeadType, State
from leads.models import Handoff, Lead, Score
from leads.presenters import consent, times
from leads.presenters.flags import Flag
from leads.presenters.signals import cut


@dataclass(frozen=True, slots=True)
class LeadRow:
    """One lead in a list. `state` is that of the latest handoff that the viewer sees."""

    id: int
    name: str
    sub: str
    email: str
    state: str
    holder: str
    source: str
    score: str
    when: str
    exact: str
    flags: tuple[Flag, ...]
    handoff: int | None


@dataclass(frozen=True, slots=True)
class HandoffLine:
    """One handoff on its lead's page; `is_mine` when the viewer may open it."""

    id: int
    state: str
    is_open: bool
    what: str
    holder: str
    when: str
    exact: str
    ended: str


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """One scoring: total, parts in words, when."""

    total: int
    parts: str
    when: str
    exact: str


def name_of(lead: Lead, *, personal: bool) -> str:
    return cut(lead.full_name or (lead.email if personal else "") or f"Lead {lead.pk}", 90)


def sub_of(lead: Lead) -> str:
    """Title and company (the company is loaded)."""
    parts = [cut(lead.job_title, 90), cut(str(lead.company), 90) if lead.company is not None else ""]
    return ", ".join(part for part in parts if part)


def row(lead: Lead, handoff: Handoff | None, now: datetime, *, personal: bool) -> LeadRow:
    """The row of a lead (its company loaded) with its latest handoff (assignee and queue loaded)."""
    return LeadRow(
        id=lead.pk,
        name=name_of(lead, personal=personal),
        sub=sub_of(lead),
        email=cut(lead.email, 90) if personal else "",
        state=state_words(handoff) if handoff else "No handoff",
        holder=holder_words(handoff) if handoff else "",
        source=cut(lead.lead_source, 60),
        score="" if handoff is None or handoff.score_total is None else str(handoff.score_total),
        when=times.day(lead.updated_at, now),
        exact=times.exact(lead.updated_at, now),
        flags=flags(lead, handoff),
        handoff=handoff.pk if handoff else None,
    )


def flags(lead: Lead, handoff: Handoff | None) -> tuple[Flag, ...]:
    found = [*consent.flags(lead)]
    if handoff is not None and handoff.is_open and handoff.effective_type == LeadType.DEMO:
        found.append(Flag("Demo", "accent"))
    if lead.suppressed_at is not None:
        found.append(Flag("Suppressed", "late"))
    if handoff is not None and handoff.is_open and handoff.black_hole_at is not None:
        found.append(Flag("Black hole", "late"))
    return tuple(found)


def state_words(handoff: Handoff) -> str:
    """Where it stands: "Assigned", "Rejected: Wrong title or role" (the reason is loaded)."""
    words = str(handoff.get_state_display())
    if handoff.state == State.REJECTED and handoff.rejection_reason is not None:
        words += f": {handoff.rejection_reason.label.lower()}"
    return f"{words}, imported" if handoff.is_history else words


def holder_words(handoff: Handoff) -> str:
    """Who has it, while somebody does."""
    if not handoff.is_open:
        return str(handoff.assignee) if handoff.assignee is not None else ""
    if handoff.state == State.INCOMPLETE:
        return "Marketing"
    if handoff.state == State.QUEUED and handoff.queue is not None:
        return f"Queue {handoff.queue}"
    return str(handoff.assignee) if handoff.assignee is not None else ""


def handoff_line(handoff: Handoff, what: str, now: datetime) -> HandoffLine:
    """`what` says why it opened; assignee, queue and reason are loaded."""
    ended = f"ended {times.day(handoff.closed_at, now)}" if handoff.closed_at else ""
    return HandoffLine(
        id=handoff.pk,
        state=state_words(handoff),
        is_open=handoff.is_open,
        what=what,
        holder=holder_words(handoff),
        when=times.day(handoff.mql_at, now),
        exact=times.exact(handoff.mql_at, now),
        ended=ended,
    )


def score_line(score: Score, now: datetime) -> ScoreLine:
    parts = [
        f"{label} {value}"
        for label, value in (("fit", score.fit), ("intent", score.intent), ("behavior", score.behavior))
        if value is not None
    ]
    return ScoreLine(
        score.total,
        ", ".join(parts) or "only the total came",
        times.day(score.scored_at, now),
        times.exact(score.scored_at, now),
    )


def known_as(ids: Sequence[tuple[str, str, str]]) -> list[str]:
    """Ids elsewhere in words: "mautic contact 15"."""
    return [" ".join(cut(part, 80) for part in (system, kind, value) if part) for system, kind, value in ids]
