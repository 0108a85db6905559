"""What sales logged, as notes on the contact; and the erasure of a contact for good.

Owns putting a note there once: one that stands there with its marker (`leads.connectors.noting`) is not
written again, and that is looked up at the contact, for a search would not show it at once. An erasure names
the contact by id, never by address: HubSpot would bar an address that it does not find from being used again.
Sources: HubSpot's guides to notes (note to contact is type 202) and to GDPR deletion, whose path under a date
is second-hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape

from leads.connectors import noting
from leads.connectors.base import forgotten_ids
from leads.connectors.hubspot import sales_leads
from leads.connectors.hubspot.calling import Calls, Refusal, objects
from leads.connectors.hubspot.finding import KIND, OBJECT, is_id
from leads.connectors.hubspot.records import Record, read
from leads.models import Connection, Delivery, Handoff
from leads.outbox import Outcome, Result

NOTES, NOTE_TO_CONTACT = "notes", 202
BODY = "hs_note_body"
# Ids grow, so the latest notes are those with the largest; a repeat comes within days.
LOOKED_AT = 100


def post(calls: Calls, delivery: Delivery, connection: Connection) -> Outcome:
    """Put what was logged onto the contact, unless it stands there."""
    said = noting.said(delivery, connection, OBJECT)
    if said is None:
        return Outcome(Result.DONE, request="Nothing: what it told of was taken back or erased.")
    if not is_id(said.remote_id):
        return Outcome(Result.PERMANENT, error="There is no record of this lead to note it on.")
    kinds = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": NOTE_TO_CONTACT}]
    body = {
        "properties": {"hs_timestamp": said.at, BODY: escape(said.text).replace("\n", "<br>")},
        "associations": [{"to": {"id": said.remote_id}, "types": kinds}],
    }
    try:
        if any(said.marker in note.values.get(BODY, "") for note in _latest(calls, said.remote_id)):
            return replace(calls.said, request=f"Nothing: {said.marker} stands there.")
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
            if kind == OBJECT and is_id(key):
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
