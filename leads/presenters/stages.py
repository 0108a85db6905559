"""The five stages with who, when and how long, and the history of a handoff in words.

Owns the wording of the log. People are named by a mapping from id, so that the log itself needs no
names. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from leads.choices import CLOSED, Check, EventKind, NextStep, State, TriggerKind
from leads.models import ContactAttempt, Deferral, Event, Handoff, Inspection, Note, Rejection
from leads.presenters import clocks, times
from leads.presenters.rows import attempt_words, outcome_words
from leads.presenters.signals import cut
from routing import sla
from routing.people import User


@dataclass(frozen=True, slots=True)
class Step:
    """One stage of the rail. status: "done", "now", "todo". `took` is a length, or "… so far"."""

    label: str
    status: str
    note: str
    took: str = ""
    exact: str = ""

    @property
    def icon(self) -> str:
        return {"done": "check", "now": "now", "todo": "ring"}[self.status]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the history: when, who, what, and the words that were written."""

    at: datetime
    when: str
    exact: str
    who: str
    text: str
    words: str = ""


def called(user: User | None, me: int | None) -> str:
    """ "You", or the person's name; "nobody" for none."""
    if user is None:
        return "nobody"
    return "You" if user.pk == me else str(user)


def missing_words(handoff: Handoff) -> str:
    """What keeps it from sales: "Business e-mail, Company name missing"."""
    if "bad_data" in handoff.missing:
        return "a rep says the data is wrong"
    names = [Check(code).label if code in Check.values else str(code) for code in handoff.missing]
    return f"{', '.join(names)} missing" if names else "data is missing"


def rail(handoff: Handoff, inspection: Inspection | None, now: datetime, me: int | None) -> list[Step]:
    """The stages of a handoff whose people, queue and ruleset are loaded. `me` is who looks."""
    return [
        _trigger(handoff, now),
        _enrichment(handoff, inspection, now),
        _routing(handoff, now, me),
        _acceptance(handoff, now, me),
        _contact(handoff, now, me),
    ]


def _step(
    label: str, status: str, note: str, at: datetime | None, since: datetime | None, now: datetime
) -> Step:
    took = ""
    if status == "now" and since is not None:
        took = f"{times.length(now - since)} so far"
    elif status == "done" and at is not None and since is not None:
        took = times.length(max(at - since, timedelta(0)))
    return Step(label, status, note, took, times.exact(at, now) if at is not None else "")


def _trigger(handoff: Handoff, now: datetime) -> Step:
    note = f"{TriggerKind(handoff.trigger).label}, {times.by(handoff.mql_at, now)}"
    return Step("Trigger", "done", note, "", times.exact(handoff.mql_at, now))


def _enrichment(handoff: Handoff, inspection: Inspection | None, now: datetime) -> Step:
    label, since = "Enrichment pass", handoff.received_at
    if handoff.state == State.INCOMPLETE:
        due = handoff.completion_due_at
        note = f"Marketing, by {times.moment(due, now)}" if due else "Marketing"
        return _step(label, "now", note, None, handoff.completion_since or since, now)
    if handoff.ready_at is None:
        return _step(label, "done" if handoff.assigned_at else "todo", "Not recorded", None, None, now)
    checks = ""
    if inspection is not None and inspection.findings:
        good = sum(1 for finding in inspection.findings if finding.get("passed"))
        waived = sum(1 for finding in inspection.findings if finding.get("waived"))
        checks = f"{good} of {len(inspection.findings)} checks, "
        checks += f"{waived} waived, " if waived else ""
    return _step(label, "done", f"{checks}{times.by(handoff.ready_at, now)}", handoff.ready_at, since, now)


def _routing(handoff: Handoff, now: datetime, me: int | None) -> Step:
    if handoff.assigned_at is None:
        return Step("Routing", "todo", "Waits for the data" if handoff.state == State.INCOMPLETE else "")
    if handoff.assignee is not None:
        to = "you" if handoff.assignee.pk == me else str(handoff.assignee)
    elif handoff.queue is not None:
        to = f"queue {handoff.queue}"
    else:
        to = "you" if handoff.first_holder_id == me and me is not None else "sales"
    version = f", version {handoff.ruleset.version}" if handoff.ruleset is not None else ""
    note = f"To {to}{version}, {times.by(handoff.assigned_at, now)}"
    return _step("Routing", "done", note, handoff.assigned_at, handoff.ready_at, now)


def _acceptance(handoff: Handoff, now: datetime, me: int | None) -> Step:
    label = "Acceptance"
    if handoff.state in (State.ASSIGNED, State.QUEUED):
        holder = called(handoff.assignee, me) if handoff.assignee else f"Queue {handoff.queue}"
        due = f", by {clocks.answer_by(handoff, now)}" if handoff.accept_due_at else ""
        return _step(label, "now", f"{holder}{due}", None, handoff.held_since, now)
    at = handoff.acknowledged_at
    if at is None:
        return Step(label, "todo", "Never acknowledged" if handoff.state in CLOSED else "")
    if handoff.accepted_at is not None:
        note = f"{called(handoff.accepted_by, me)}, {times.by(handoff.accepted_at, now)}"
    elif handoff.rejected_at is not None:
        reason = f": {handoff.rejection_reason}" if handoff.rejection_reason else ""
        note = f"Rejected by {_inner(handoff.rejected_by, me)}{reason}"
    elif handoff.deferred_at is not None:
        note = f"Deferred by {_inner(handoff.assignee, me)}, {times.by(handoff.deferred_at, now)}"
    else:
        note = times.by(at, now)
    return _step(label, "done", note, at, handoff.assigned_at, now)


def _contact(handoff: Handoff, now: datetime, me: int | None) -> Step:
    label = "First contact"
    if handoff.first_contact_at is not None:
        words = outcome_words(handoff.first_contact_channel, handoff.first_contact_outcome)
        at = times.by(handoff.first_contact_at, now)
        note = f"{words[0].upper()}{words[1:]}, {_inner(handoff.first_contact_by, me)}, {at}"
        since = handoff.acknowledged_at or handoff.assigned_at
        return _step(label, "done", note, handoff.first_contact_at, since, now)
    if handoff.state == State.DEFERRED and handoff.deferred_until:
        note = f"After {times.moment(handoff.deferred_until, now)}"
        return _step(label, "now", note, None, handoff.deferred_at, now)
    due = f"by {clocks.contact_by(handoff, now)}" if handoff.contact_due_at else ""
    if handoff.state == State.ACCEPTED:
        note = ", ".join(part for part in (called(handoff.assignee, me), due) if part)
        return _step(label, "now", note, None, handoff.accepted_at, now)
    if handoff.state in CLOSED:
        return Step(label, "todo", "Not made")
    who = called(handoff.assignee, me) if handoff.assignee is not None else ""
    return Step(label, "todo", ", ".join(part for part in (who, due) if part))


def _inner(user: User | None, me: int | None) -> str:
    name = called(user, me)
    return "you" if name == "You" else name


# What is told by its own row, with the words that were written.
TOLD_BY_ROWS = {EventKind.NOTED, EventKind.REJECTED, EventKind.DEFERRED, EventKind.CONTACTED}
HIDDEN = {EventKind.VIEWED}


def history(
    events: Iterable[Event],
    notes: Iterable[Note],
    rejections: Iterable[Rejection],
    deferrals: Iterable[Deferral],
    attempts: Iterable[ContactAttempt],
    names: Mapping[int, str],
    now: datetime,
    me: int | None,
) -> list[Line]:
    """Everything that happened, newest first. `names` has the people that events point to."""
    lines = []

    def add(at: datetime, who: str, text: str, words: str = "", undone: bool = False) -> None:
        shown = f"{text} (undone)" if undone else text
        lines.append(Line(at, times.stamp(at, now), times.exact(at, now), who, shown, cut(words, 2000)))

    def person(user_id: int | None) -> str:
        if user_id is None:
            return "the system"
        return "You" if user_id == me else names.get(user_id, "somebody")

    for event in events:
        if event.kind not in TOLD_BY_ROWS and event.kind not in HIDDEN:
            add(event.occurred_at, _actor(event, person), _event_words(event, names, me))
    for note in notes:
        add(note.at, person(note.by_id), "Note", note.text, note.undone_at is not None)
    for rejection in rejections:
        text = f"Rejected: {rejection.reason}"
        add(rejection.at, person(rejection.by_id), text, rejection.note, rejection.undone_at is not None)
    for deferral in deferrals:
        text = f"Deferred to {times.moment(deferral.until, now)}"
        add(deferral.at, person(deferral.by_id), text, deferral.explanation, deferral.undone_at is not None)
    asked_for = {
        event.recorded_at: event.data["asked_for"]
        for event in events
        if event.kind == EventKind.CONTACTED and isinstance(event.data, dict) and "asked_for" in event.data
    }
    for attempt in attempts:
        text = attempt_words(attempt)
        text = f"{text[0].upper()}{text[1:]}"
        if attempt.activity_id is None:
            text += ", generic"
        if attempt.recorded_at in asked_for:
            wanted = asked_for[attempt.recorded_at]
            text += ", which they had asked for" if wanted else ", which they had asked not to have"
        if attempt.logged_late:
            text += f", logged {times.day(attempt.recorded_at, now)}"
        add(attempt.at, person(attempt.by_id), text, attempt.note, attempt.undone_at is not None)
    return sorted(lines, key=lambda line: line.at, reverse=True)


def people_in(events: Iterable[Event]) -> set[int]:
    """Ids of the people whose names `history` needs for these events."""
    found = set()
    for event in events:
        if event.user_id:
            found.add(event.user_id)
        changed = event.data.get("set") if isinstance(event.data, dict) else None
        holder = changed.get("assignee_id") if isinstance(changed, dict) else None
        before = event.data.get("was_held_by") if isinstance(event.data, dict) else None
        found |= {pk for pk in (holder, before) if isinstance(pk, int)}
    return found


def _actor(event: Event, person: Callable[[int | None], str]) -> str:
    if event.user_id is None and event.api_key is not None:
        return f"key {event.api_key.name}"
    return person(event.user_id)


# The steps of the shipped policies, as they read in a history; others show their code.
STEPS = {
    "accept_50": "half of the time to answer was over",
    "accept_80": "four fifths of the time to answer were over",
    "accept_breach": "the time to answer was over",
    "unacknowledged": "still not acknowledged",
    "contact_breach": "the time to the first contact was over",
    "completion_breach": "the time to complete the data was over",
    "no_activity": "nobody did anything for too long",
    "black_hole": "nobody in sales did anything for a day",
    "delivered_late": "it came to sales later than promised",
}


STEP_ACTS = {"raise": "Put before others", "reassign": "Given to somebody else", "queue": "Moved to a queue"}


def _step_words(code: str) -> str:
    """A step in words; one that was added says its clock and its place on it."""
    if code in STEPS:
        return STEPS[code]
    clock, _, share = code.partition("_at_")
    if clock in sla.CLOCKS and share.isdecimal():
        return f"{sla.CLOCKS[clock]} was over" if share == "100" else f"{share} % of {sla.CLOCKS[clock]}"
    clock, _, _ = code.partition("_after_")
    called = sla.CLOCKS.get(clock)
    return f"{called} was long over" if called else code.replace("_", " ")


def _mended_words(data: Mapping[str, Any], holder: object, names: Mapping[int, str], me: int | None) -> str:
    """Why it went on without whoever held it: "Moved on to Mia Brandt: Femke de Boer is inactive"."""

    def called_(pk: int) -> str:
        return "you" if pk == me else names.get(pk, "somebody")

    before, why = data.get("was_held_by"), cut(str(data.get("why") or ""), 200)
    if not isinstance(before, int):
        return f"Mended: {why}" if why else str(EventKind.REPAIRED.label)
    to = f" to {called_(holder)}" if isinstance(holder, int) else ""
    return f"Moved on{to}: {called_(before)} {'are' if before == me else 'is'} {why or 'gone'}"


def _event_words(event: Event, names: Mapping[int, str], me: int | None) -> str:
    kind = EventKind(event.kind)
    data = event.data if isinstance(event.data, dict) else {}
    changed = data.get("set")
    holder = changed.get("assignee_id") if isinstance(changed, dict) else None
    text = str(kind.label)
    if kind in (EventKind.ASSIGNED, EventKind.REASSIGNED, EventKind.RESUMED) and isinstance(holder, int):
        text += f" to {'you' if holder == me else names.get(holder, 'somebody')}"
    if kind == EventKind.REPAIRED:
        return _mended_words(data, holder, names, me)
    fired = data.get("step")
    if kind == EventKind.ESCALATED and isinstance(fired, str):
        return f"{STEP_ACTS.get(str(data.get('what')), 'Reminder')}: {_step_words(fired)}"
    if kind == EventKind.CANCELLED and isinstance(data.get("steps"), list):
        codes = [str(one[0]) for one in data["steps"] if isinstance(one, list) and one]
        return f"Not said any more: {'; '.join(_step_words(code) for code in codes)}"
    step = data.get("next_step")
    if kind == EventKind.FOLLOWED_UP and step in NextStep.values:
        text += f": {NextStep(step).label.lower()}"
    reason = data.get("reason")
    if isinstance(reason, str) and reason:
        text += f": {cut(reason.replace('_', ' '), 200)}"
    return text
