"""What sales logged, as notes on the contact; and the erasure of a contact for good.

Owns the words of a note, which are read when it is sent, and its marker: a note that stands there with it is
not written again. An erasure names the contact by id, never by address: HubSpot would bar an address that it
does not find from ever being used again. Sources: HubSpot's guides to notes (note to contact is type 202) and
to GDPR deletion, whose path under a date is second-hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from html import escape

from leads.choices import Channel, EventKind
from leads.choices import Outcome as Reached
from leads.connectors.base import forgotten_ids
from leads.connectors.hubspot import sales_leads
from leads.connectors.hubspot.calling import Calls, Refusal, objects
from leads.connectors.hubspot.finding import KIND, OBJECT
from leads.connectors.hubspot.records import Record, read
from leads.connectors.mapping import Map, as_text
from leads.models import ContactAttempt, Delivery, Event, ExternalId, Handoff, Note
from leads.outbox import Outcome, Result

NOTES, NOTE_TO_CONTACT = "notes", 202
BODY = "hs_note_body"
# Ids grow, so the latest notes are those with the largest; a repeat comes within days.
LOOKED_AT = 100


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that was logged: in words, when, and by whom (e-mail)."""

    text: str
    at: datetime
    by: str = ""


def said(delivery: Delivery) -> Said | None:
    """What a delivery stands for; None when it was taken back or erased meanwhile."""
    event = (
        Event.objects.select_related("user")
        .filter(handoff=delivery.handoff_id, number=delivery.revision)
        .first()
    )
    if event is None or event.user is None:
        return None
    at, by = event.occurred_at, event.user
    if event.kind == EventKind.CONTACTED:
        attempt = ContactAttempt.objects.filter(
            handoff=delivery.handoff_id, by=by, at=at, recorded_at=event.recorded_at, undone_at__isnull=True
        ).first()
        if attempt is None:
            return None
        how = f"{Channel(attempt.channel).label}: {Reached(attempt.outcome).label.lower()}"
        return Said(f"{how}\n{attempt.note}".strip(), at, by.email)
    note = Note.objects.filter(handoff=delivery.handoff_id, by=by, at=at, undone_at__isnull=True).first()
    return Said(note.text, at, by.email) if note else None


def post(calls: Calls, delivery: Delivery, id_system: str, mapping: Map) -> Outcome:
    """Put what was logged onto the contact, unless it stands there."""
    given = said(delivery)
    if given is None:
        return Outcome(Result.DONE, request="Nothing: it was taken back.")
    # Of several ids the latest, as for the state.
    ids = ExternalId.objects.filter(lead=delivery.lead_id, system=id_system, object=OBJECT).order_by("-pk")
    contact = ids.values_list("value", flat=True).first()
    if contact is None:
        return Outcome(Result.PERMANENT, error="There is no record of this person there to write a note on.")
    marker = f"[{delivery.message_id}]"
    properties = {
        "hs_timestamp": as_text(given.at),
        BODY: f"{escape(given.text).replace(chr(10), '<br>')}<br>{marker}",
    }
    if owner := mapping.owners.get(given.by, ""):
        properties["hubspot_owner_id"] = owner
    kinds = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": NOTE_TO_CONTACT}]
    body = {"properties": properties, "associations": [{"to": {"id": contact}, "types": kinds}]}
    try:
        if any(marker in note.values.get(BODY, "") for note in _latest(calls, contact)):
            return replace(calls.said, request=f"Nothing: {marker} stands there.")
        calls.post(objects(NOTES), body)
    except Refusal as refusal:
        return refusal.outcome
    return calls.said


def _latest(calls: Calls, contact: str) -> Sequence[Record]:
    answer = calls.get(objects(KIND, contact), {"associations": NOTES})
    linked = (answer.get("associations") or {}).get(NOTES) or {}
    ids = sorted({str(one["id"]) for one in linked.get("results") or ()}, key=lambda key: (len(key), key))
    return list(read(calls, NOTES, ids[-LOOKED_AT:], [BODY]).values())


def forget(calls: Calls, delivery: Delivery, *, has_leads: bool) -> Outcome:
    """Have a person's contacts deleted for good, and the Lead objects that bear their name archived."""
    try:
        if has_leads:
            handoffs = Handoff.objects.filter(lead=delivery.lead_id).values_list("pk", flat=True)
            sales_leads.forget(calls, list(handoffs))
        for kind, key in forgotten_ids(delivery):
            if kind == OBJECT and key.isdigit():
                _forget(calls, key)
    except Refusal as refusal:
        return refusal.outcome
    return Outcome(Result.DONE, request="Deleted for good.")


def _forget(calls: Calls, contact: str) -> None:
    try:
        calls.post(objects(KIND, "gdpr-delete"), {"objectId": contact})
    except Refusal as refusal:
        # Gone already, by an earlier attempt or by somebody there.
        if refusal.outcome.status != 404:
            raise
