"""The rows of the inbox: who, why, how long there is, and what to beware of.

Owns a row's words and flags, and which section a handoff stands in. The rows are loaded with
`with_context`; `has_duplicate` and `has_strong_signal` come annotated. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from leads.choices import Channel, EventKind, LeadType, Outcome, State
from leads.models import ContactAttempt, Event, Handoff
from leads.presenters import consent, times
from leads.presenters.clocks import Clock, of_handoff
from leads.presenters.flags import Flag
from leads.presenters.qualifying import why_row
from leads.presenters.signals import cut
from routing import hours

SPOKEN_CHANNEL = {
    Channel.PHONE: "by phone",
    Channel.EMAIL: "by e-mail",
    Channel.DIRECT_MESSAGE: "by direct message",
    Channel.MEETING: "in a meeting",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One handoff in a list. `note` replaces title and company where the lead's own words say more."""

    id: int
    revision: int
    name: str
    sub: str
    why: str
    flags: tuple[Flag, ...]
    clock: Clock | None
    is_demo: bool
    company: str = ""
    is_current: bool = False
    note: str = ""


@dataclass(slots=True)
class Section:
    """A heading with its rows; `count` may be more than are shown."""

    key: str
    title: str
    hint: str
    rows: list[Row] = field(default_factory=list)
    count: int = 0


@dataclass(frozen=True, slots=True)
class DoneRow:
    """Something that was finished today, in one line."""

    id: int
    name: str
    text: str
    time: str
    exact: str
    is_no: bool
    is_current: bool = False


# In the order of the page: (key, title, hint).
MINE = (
    (State.ASSIGNED, "Answer now", "soonest due first"),
    (State.ACCEPTED, "Contact now", "accepted, not yet contacted"),
    (State.WORKING, "Follow up", "by next touch"),
    (State.DEFERRED, "Coming back", "deferred, soonest first"),
)


def name_of(handoff: Handoff, *, personal: bool = True) -> str:
    """The lead's name, else (for those who may see it) the address, else a number."""
    lead = handoff.lead
    return cut(lead.full_name or (lead.email if personal else "") or f"Lead {lead.pk}", 90)


def sub_of(handoff: Handoff) -> str:
    """Title and company, as far as they are known."""
    parts = [cut(handoff.lead.job_title, 90), company_of(handoff)]
    return ", ".join(part for part in parts if part)


def company_of(handoff: Handoff) -> str:
    company = handoff.lead.company
    return cut(str(company), 90) if company is not None else ""


def flags_of(handoff: Handoff, *, has_duplicate: bool = False, is_weak: bool = False) -> tuple[Flag, ...]:
    """What stands beside the name: what is forbidden, then what is hot, then what is doubtful, then what
    went wrong."""
    flags = [*consent.flags(handoff.lead)]
    if handoff.effective_type == LeadType.DEMO:
        flags.append(Flag("Demo", "accent"))
    if handoff.priority:
        flags.append(Flag("First in line", "late"))
    if handoff.triggered_again_at is not None:
        flags.append(Flag("Hot again"))
    if has_duplicate:
        flags.append(Flag("Duplicate?", "soon"))
    if is_weak:
        flags.append(Flag("Weak signals", "soon"))
    if handoff.black_hole_at is not None:
        flags.append(Flag("Black hole", "late"))
    elif handoff.no_activity_at is not None:
        flags.append(Flag("No activity", "late"))
    return tuple(flags)


def row(
    handoff: Handoff,
    now: datetime,
    calendar: hours.Calendar | None,
    *,
    note: str = "",
    open_id: int | None = None,
) -> Row:
    """The row of one handoff whose lead, company, policy, score and trigger activity are loaded."""
    return Row(
        id=handoff.pk,
        revision=handoff.revision,
        name=name_of(handoff),
        sub=sub_of(handoff),
        why="" if note else why_row(handoff, handoff.trigger_activity, handoff.score),
        flags=flags_of(
            handoff,
            has_duplicate=getattr(handoff, "has_duplicate", False),
            is_weak=not getattr(handoff, "has_strong_signal", True),
        ),
        clock=of_handoff(handoff, now, calendar),
        is_demo=handoff.effective_type == LeadType.DEMO,
        company=company_of(handoff),
        is_current=handoff.pk == open_id,
        note=note,
    )


def sections(
    handoffs: Iterable[Handoff],
    counts: Mapping[str, int],
    now: datetime,
    calendar: hours.Calendar | None,
    notes: Mapping[int, str],
    open_id: int | None = None,
) -> list[Section]:
    """The rep's own work in its four sections, in the order it came; empty sections are left out."""
    by_state = {str(state): Section(str(state), title, hint) for state, title, hint in MINE}
    for handoff in handoffs:
        section = by_state.get(handoff.state)
        if section is not None:
            section.rows.append(row(handoff, now, calendar, note=notes.get(handoff.pk, ""), open_id=open_id))
    for section in by_state.values():
        section.count = max(counts.get(section.key, 0), len(section.rows))
    return [section for section in by_state.values() if section.rows]


def marked(found: Iterable[Section], open_id: int | None) -> list[Section]:
    """The same sections with another row as the current one."""
    out = []
    for section in found:
        rows = [replace(item, is_current=item.id == open_id) for item in section.rows]
        out.append(replace(section, rows=rows))
    return out


def attempt_words(attempt: ContactAttempt) -> str:
    """An attempt in words: "reached by phone", "voicemail", "no answer in a meeting"."""
    return outcome_words(attempt.channel, attempt.outcome)


def outcome_words(channel: str, outcome: str) -> str:
    if outcome not in Outcome.values:
        return "contacted"
    words = Outcome(outcome).label.lower()
    if outcome == Outcome.VOICEMAIL or channel not in Channel.values:
        return words
    return f"{words} {SPOKEN_CHANNEL[Channel(channel)]}"


def latest_notes(written: Iterable[tuple[int, datetime, str, str, str]], now: datetime) -> dict[int, str]:
    """For deferred leads their words, for leads in work the last attempt.

    written: of handoffs by id and when, oldest first, the words of a deferral, or the channel and the outcome
    of an attempt (which a deferral has none of).
    """
    notes: dict[int, str] = {}
    for handoff, at, explanation, channel, outcome in written:
        if outcome:
            words = outcome_words(channel, outcome)
            notes[handoff] = f"{words[0].upper()}{words[1:]}, {times.day(at, now)}"
        else:
            notes[handoff] = f"“{cut(explanation, 120)}”"
    return notes


DONE = {
    EventKind.REJECTED,
    EventKind.DEFERRED,
    EventKind.CONTACTED,
    EventKind.CONVERTED,
    EventKind.DISQUALIFIED,
}


def done_today(
    events: Iterable[Event], reasons: Mapping[str, str], now: datetime, open_id: int | None = None
) -> list[DoneRow]:
    """What a person finished, newest first: the last act on each handoff, what was undone left out.

    events: that person's of today, oldest first, of the kinds in DONE and `undone`, with the lead loaded.
    """
    kept = list(events)
    undone = {
        (event.handoff_id, number)
        for event in kept
        if event.kind == EventKind.UNDONE and isinstance(event.data, dict)
        for number in event.data.get("undid", ())
    }
    latest: dict[int, Event] = {}
    for event in kept:
        if event.kind != EventKind.UNDONE and (event.handoff_id, event.number) not in undone:
            latest[event.handoff_id] = event
    last = sorted(latest.values(), key=lambda event: event.recorded_at, reverse=True)
    return [
        DoneRow(
            id=event.handoff_id,
            name=name_of(event.handoff),
            text=_done_words(event, reasons, now),
            time=times.clock_time(event.recorded_at, now),
            exact=times.exact(event.recorded_at, now),
            is_no=event.kind in (EventKind.REJECTED, EventKind.DISQUALIFIED),
            is_current=event.handoff_id == open_id,
        )
        for event in last
    ]


def _done_words(event: Event, reasons: Mapping[str, str], now: datetime) -> str:
    data: dict[str, Any] = event.data if isinstance(event.data, dict) else {}
    if event.kind == EventKind.CONTACTED:
        return outcome_words(str(data.get("channel", "")), str(data.get("outcome", "")))
    if event.kind == EventKind.DEFERRED:
        until = event.handoff.deferred_until
        return f"deferred to {times.moment(until, now)}" if until else "deferred"
    if event.kind == EventKind.CONVERTED:
        return "opportunity"
    code = str(data.get("reason", ""))
    word = "rejected" if event.kind == EventKind.REJECTED else "disqualified"
    label = reasons.get(code, code.replace("_", " ")).lower()
    return f"{word}, {label}" if label else word
