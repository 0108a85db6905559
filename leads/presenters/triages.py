"""What waits for marketing's decision, in words: a rejection, what followed it, how often it was so before.

Owns the sentences of the triage page. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from leads.choices import NextStep, TriggerKind
from leads.models import Handoff, Rejection, TriageItem
from leads.presenters import consent, people, rows, times
from leads.presenters.flags import Flag
from leads.presenters.repair import PairLine
from leads.presenters.signals import cut
from leads.receivers import Receiver
from leads.triaging import Before

SUPPRESSED = "suppressed"
ORDINALS = {1: "first", 2: "second", 3: "third"}


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to decide on. `note` is what somebody wrote, `follows` what happened since, `again` that it
    is not the first time; `handoff` the one to open, if there is one."""

    id: int
    name: str
    sub: str
    what: str
    note: str
    who: str
    when: str
    exact: str
    source: str
    lead: int
    handoff: int | None
    rule: str = ""
    follows: str = ""
    again: str = ""
    may_lift: bool = False
    flags: Sequence[Flag] = ()


@dataclass
class Decision:
    """The opened rejection: what was typed, what is wrong with it, and what the acts would do."""

    line: Line
    revision: int
    form: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    until: str = ""
    soonest: str = ""
    latest: str = ""
    recycling: str = ""
    fields: Sequence[tuple[str, str]] = ()
    pairs: Sequence[PairLine] = ()
    may_accept: bool = False
    may_send_back: bool = True
    # Who it may be handed to, and who not, with why.
    receivers: Sequence[Receiver] = ()
    passed_over: Sequence[Receiver] = ()


def rejection(
    handoff: Handoff, act: Rejection | None, before: Before, settled: TriageItem | None, now: datetime
) -> Line:
    """The row of a rejected handoff (lead, company, reason, who rejected loaded) with its last rejection."""
    by = act.by if act is not None else handoff.rejected_by
    at = handoff.closed_at or handoff.updated_at
    return Line(
        id=handoff.pk,
        name=rows.name_of(handoff),
        sub=rows.sub_of(handoff),
        what=handoff.rejection_reason.label if handoff.rejection_reason else "Rejected",
        note=cut(act.note, 300) if act is not None else "",
        who=str(by) if by else "",
        when=times.day(at, now),
        exact=times.exact(at, now),
        source=cut(handoff.lead_source, 60),
        lead=handoff.lead_id,
        handoff=handoff.pk,
        rule=cut(handoff.rule_name, 80),
        follows=_follows(handoff, act, settled, now),
        again=_again(before),
        flags=consent.flags(handoff.lead),
    )


def _follows(handoff: Handoff, act: Rejection | None, settled: TriageItem | None, now: datetime) -> str:
    """What followed: "Back to marketing until Tue 9 Jun", "Let stand by Otto Maier"."""
    if handoff.is_history:
        return "Imported"
    if settled is not None:
        return f"Let stand by {settled.settled_by or 'somebody'}"
    step = handoff.next_step
    words = str(NextStep(step).label) if step in NextStep.values else ""
    until = act.until if act is not None else None
    if step == NextStep.RECYCLED:
        until = until or handoff.lead.cool_off_until
        return f"{words} until {times.moment(until, now)}" if until is not None else words
    return words


def _again(before: Before) -> str:
    if before.rejected < 2:
        return ""
    times_ = ORDINALS.get(before.rejected, f"{before.rejected}th")
    return f"The {times_} time that this lead is rejected"


def recycling(before: Before) -> str:
    """What a recycle would be the how-manieth of."""
    if not before.recycled:
        return "It comes back by itself when the lead qualifies anew after that day."
    often = "once" if before.recycled == 1 else f"{before.recycled} times"
    return f"It was sent back to marketing {often} before. Another round may only repeat the answer."


def item(found: TriageItem, now: datetime) -> Line:
    """The row of something that came in and opened no handoff (lead and company loaded)."""
    data: dict[str, Any] = found.data if isinstance(found.data, dict) else {}
    handoff, reason = data.get("handoff"), str(data.get("reason") or "")
    return Line(
        id=found.pk,
        name=people.name_of(found.lead, personal=True),
        sub=people.sub_of(found.lead),
        what=_what(found.kind, data),
        note=f"Suppressed as {cut(reason.replace('_', ' '), 60)}" if reason else "",
        who="",
        when=times.day(found.at, now),
        exact=times.exact(found.at, now),
        source=cut(found.lead.lead_source, 60),
        lead=found.lead_id,
        handoff=handoff if isinstance(handoff, int) else None,
        may_lift=found.kind == SUPPRESSED,
        flags=consent.flags(found.lead),
    )


def _what(kind: str, data: Mapping[str, Any]) -> str:
    if kind == "won_anyway":
        state = str(data.get("state") or "closed")
        return f"{state.capitalize()}, yet there is an opportunity"
    if kind == SUPPRESSED:
        trigger = str(data.get("trigger") or "")
        asked = TriggerKind(trigger).label.lower() if trigger in TriggerKind.values else "a new trigger"
        return f"Suppressed, yet: {asked}"
    return kind.replace("_", " ").capitalize()
