"""What a channel is told of a handoff: what happened, about which lead, by when, and where to look.

Owns the words, as values that each chat writes in its own form, how much of a person they name, and whether
a message has been overtaken. Read from the handoff as it is when the message is sent. Pure: knows no chat and
no address of one, and asks nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.urls import reverse

from leads.choices import OPEN, Check, EventKind, LeadType, State, TriggerKind
from leads.models import Connection, Event, Handoff
from leads.notifications import WORDINGS, absolute, company_words, holder_words, plain
from leads.notifications.urgency import is_overtaken
from leads.notifications.wordings import ANSWER, CLOCKS, CONTACT, DATA, STEP

NEW_DEMO, ESCALATION, REMINDER = TYPES = "new_demo", "escalation", "reminder"
# Whose deadline is over; what was taken away has a new one.
_OVER = frozenset({"accept_breach", "contact_breach", "completion_breach"})
_MEANWHILE = {
    State.ACCEPTED: "accepted",
    State.DEFERRED: "deferred",
    State.WORKING: "contacted",
    State.INCOMPLETE: "held for data",
}


class Names(StrEnum):
    """How much of a person is named in a channel."""

    NONE = "none"
    NAME = "name"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Message:
    """A message in plain words, hostile text on one line each. `about` names the lead as far as may be;
    `fields` are label and value; `due` what is due and when, or was; `note` may be ""."""

    head: str
    about: str
    fields: tuple[tuple[str, str], ...]
    url: str
    link: str = "Open handoff"
    due: tuple[str, datetime] | None = None
    note: str = ""

    @property
    def text(self) -> str:
        """All of it on one line, for where nothing else is shown."""
        return f"{self.head}: {self.about}"


def topic(event: Event) -> str:
    """Which of `WORDINGS` an event of the ladder is, by what it did, else by its step; "" for a step that
    somebody added."""
    if event.kind == EventKind.FLAGGED:
        return "no_activity"
    if event.kind == EventKind.BLACK_HOLE:
        return "black_hole"
    if "was_held_by" in event.data:
        return "taken_away"
    if event.data.get("what") == "raise":
        return "put_first"
    code = str(event.data.get("step") or "")
    return code if code in WORDINGS else ""


def overtaken(kind: str, event: Event, handoff: Handoff) -> str:
    """What has happened since so that nobody needs to hear of this event any more; "" for nothing. `handoff`
    is as it is now."""
    state = State(handoff.state)
    if handoff.lead.erased_at is not None or state == State.ERASED:
        return "the person was erased meanwhile."
    if state not in OPEN:
        return f"it was closed meanwhile ({state.label.lower()})."
    if kind == NEW_DEMO:
        is_past = state not in (State.QUEUED, State.ASSIGNED)
    elif (about := topic(event)) in ("", "taken_away"):
        is_past = handoff.acknowledged_at is not None and handoff.acknowledged_at > event.recorded_at
    else:
        is_past = is_overtaken(about, handoff, True, event.recorded_at)
    if not is_past:
        return ""
    done = _MEANWHILE.get(state, "answered or given to somebody else")
    return f"it was {done} meanwhile."


def worded(kind: str, event: Event, handoff: Handoff, names: Names) -> Message:
    """The message of this event; lead, company, assignee and queue of the handoff are loaded."""
    about = topic(event)
    if kind == NEW_DEMO:
        head, clock = "New demo lead", ANSWER
    else:
        wording = WORDINGS.get(about, STEP)
        head, clock = wording.head, wording.clock
    fields = [*_who(handoff, names), ("With", holder_words(handoff))]
    if kind == NEW_DEMO:
        trigger = dict(TriggerKind.choices).get(handoff.trigger, "not said")
        fields.append(("What they did", trigger))
    else:
        fields.append(("Type", str(LeadType(handoff.effective_type).label)))
    if not about and kind != NEW_DEMO:
        step = plain(str(event.data.get("step") or "").replace("_", " "))
        fields += [("Step", step)] if step else []
    if handoff.state == State.INCOMPLETE:
        fields.append(("Missing", _missing(handoff)))
    return Message(
        head=head,
        about=_about(handoff, names),
        fields=tuple(fields),
        url=absolute(reverse("leads:handoff", args=[handoff.pk])),
        due=_due(about, clock, event, handoff),
        note=_score(handoff),
    )


def sample(connection: Connection, now: datetime) -> Message:
    """A test message: it says that it is one."""
    return Message(
        head="Test message",
        about=f"“{plain(connection.name)}” reaches this channel",
        fields=(("Connection", plain(connection.name)), ("About", "no lead: only a test of the way")),
        url=absolute(reverse("leads:connection", args=[connection.slug])),
        link="Open the connection",
        due=("Sent", now),
    )


def _who(handoff: Handoff, names: Names) -> list[tuple[str, str]]:
    lead, company = handoff.lead, _company(handoff)
    found = [("Handoff", str(handoff.pk))]
    if names != Names.NONE:
        parts = [lead.full_name, lead.job_title if names == Names.FULL else ""]
        found = [("Lead", ", ".join(plain(part) for part in parts if part) or "without a name")]
    return [*found, ("Company", company)] if company else found


def _company(handoff: Handoff) -> str:
    name = company_words(handoff)
    band = handoff.lead.company.size_band if handoff.lead.company else ""
    return f"{name} ({band})" if name and band else name


def _about(handoff: Handoff, names: Names) -> str:
    name = plain(handoff.lead.full_name) if names != Names.NONE else f"handoff {handoff.pk}"
    company = company_words(handoff)
    if names == Names.NONE:
        return f"{company} ({name})" if company else name
    return f"{name} ({company})" if name and company else name or company or f"handoff {handoff.pk}"


def _due(about: str, clock: str, event: Event, handoff: Handoff) -> tuple[str, datetime] | None:
    stored = {ANSWER: handoff.accept_due_at, CONTACT: handoff.contact_due_at, DATA: handoff.completion_due_at}
    if about in _OVER:
        return CLOCKS["due"], event.occurred_at
    clock = ANSWER if about == "taken_away" else clock
    at = stored.get(clock) or handoff.next_due_at
    return (CLOCKS.get(clock, "Next due"), at) if at is not None else None


def _missing(handoff: Handoff) -> str:
    known = dict(Check.choices)
    return ", ".join(str(known.get(code, plain(str(code)))) for code in handoff.missing) or "nothing any more"


def _score(handoff: Handoff) -> str:
    """ "Score 87 (fit 40, intent 22, behavior 25)"; "" where there is none."""
    if handoff.score_total is None:
        return ""
    parts = (
        ("fit", handoff.score_fit),
        ("intent", handoff.score_intent),
        ("behavior", handoff.score_behavior),
    )
    told = ", ".join(f"{name} {points}" for name, points in parts if points is not None)
    return f"Score {handoff.score_total} ({told})" if told else f"Score {handoff.score_total}"
