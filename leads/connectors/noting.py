"""What is logged beside a lead's record elsewhere: a contact or a note, its words read when they are sent.

Owns the words, and the marker by which a note is known again so that a second attempt writes no second one.
A delivery holds no words: what was taken back or erased meanwhile is not sent. Calls nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leads.choices import Channel, EventKind, Outcome
from leads.connectors.mapping import as_text
from leads.models import Connection, Delivery, Event, ExternalId

# A channel of ours to what kind of note that is elsewhere.
KINDS: Mapping[str, str] = {
    Channel.PHONE: "call",
    Channel.EMAIL: "email",
    Channel.MEETING: "meeting",
    Channel.DIRECT_MESSAGE: "general",
}


@dataclass(frozen=True, slots=True)
class Said:
    """`text` ends with `marker`; `kind` is "call", "email", "meeting" or "general"; `at` a time in UTC as
    text; `remote_id` the lead's record there, "" for none."""

    text: str
    marker: str
    kind: str
    at: str
    remote_id: str


def said(delivery: Delivery, connection: Connection, record: str = "contact") -> Said | None:
    """What this delivery tells of; None for what was taken back or erased. `record` is the object that notes
    are put on."""
    event = (
        Event.objects.filter(handoff=delivery.handoff_id, number=delivery.revision)
        .select_related("handoff", "user")
        .first()
    )
    if event is None:
        return None
    words = _contact(event) if event.kind == EventKind.CONTACTED else _note(event)
    if words is None:
        return None
    known = ExternalId.objects.filter(
        lead=delivery.lead_id, system=connection.id_system, object=record
    ).order_by("-pk")
    marker = f"[handoff {event.handoff_id}/{event.number}]"
    return Said(
        text=f"{words} {marker}",
        marker=marker,
        kind=KINDS.get(event.data.get("channel", ""), "general"),
        at=as_text(event.occurred_at),
        remote_id=known.values_list("value", flat=True).first() or "",
    )


def _contact(event: Event) -> str | None:
    attempts = event.handoff.attempts.filter(recorded_at=event.recorded_at, undone_at__isnull=True)
    attempt = attempts.select_related("by").first()
    if attempt is None:
        return None
    what = f"{Channel(attempt.channel).label}: {Outcome(attempt.outcome).label}"
    return _signed(f"{what}. {attempt.note}" if attempt.note else f"{what}.", str(attempt.by or ""))


def _note(event: Event) -> str | None:
    note = (
        event.handoff.notes.filter(at=event.recorded_at, undone_at__isnull=True).select_related("by").first()
    )
    return _signed(note.text, str(note.by or "")) if note is not None and note.text else None


def _signed(words: str, who: str) -> str:
    return f"{words} ({who})" if who else words
