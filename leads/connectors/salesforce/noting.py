"""What sales logged, as completed Tasks on the Lead; and the erasure of a Lead.

Owns putting a Task there once: one that stands there with its marker (`leads.connectors.noting`) is not
written again. Of a converted Lead the Task goes onto the Contact that it became. An erasure deletes the Lead,
which leaves it in the org's recycle bin for fifteen days, or empties its fields; either way the Contact of a
converted one stays, which is said. Sources: the object references of Task and Lead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leads.connectors import noting
from leads.connectors.base import forgotten_ids
from leads.connectors.mapping import Map
from leads.connectors.salesforce import soql
from leads.connectors.salesforce.calling import Calls, Refusal
from leads.connectors.salesforce.finding import read
from leads.connectors.salesforce.records import is_id
from leads.connectors.salesforce.usual import EXTERNAL_ID, OBJECT
from leads.models import Connection, Delivery
from leads.outbox import Outcome, Result

LONGEST_SUBJECT = 255
ERASED = "[erased]"
# A phone call and a mail are kinds of Task of their own; the rest is a Task like any other.
SUBTYPES = {"call": "Call", "email": "Email"}
# What an emptied Lead no longer says, beside the facts of a person that are mapped.
PERSONAL = (
    "FirstName", "Email", "Phone", "MobilePhone", "Title", "Website", "Description", "Street", "City",
    "State", "PostalCode", "Country",
)  # fmt: skip
_CONVERTED = "The Lead was converted: ask for the Contact there to be erased by hand."


def post(calls: Calls, delivery: Delivery, connection: Connection, mapping: Map) -> Outcome:
    """Put what was logged onto the Lead, unless it stands there."""
    said = noting.said(delivery, connection, OBJECT)
    if said is None:
        return Outcome(Result.DONE, request="Nothing: what it told of was taken back or erased.")
    if not is_id(said.remote_id):
        return Outcome(Result.PERMANENT, error="There is no record of this lead to note it on.")
    try:
        row = read(calls, [said.remote_id], mapping).get(said.remote_id[:15])
        if row is None:
            return Outcome(Result.PERMANENT, error="There is no record any more: it was deleted there.")
        contact = str(row.values.get("ConvertedContactId") or "")
        who = contact if row.is_converted and is_id(contact) else row.id
        query = (
            f"SELECT Id FROM Task WHERE WhoId = {soql.text(who)} "  # noqa: S608
            f"AND Subject LIKE {soql.containing(said.marker)} LIMIT 1"
        )
        if list(calls.query(query)):
            return Outcome(Result.DONE, status=200, request=f"Nothing: {said.marker} stands there.")
        calls.call("POST", "/sobjects/Task", data=_task(said, who))
    except Refusal as refusal:
        return refusal.outcome
    return calls.said


def _task(said: noting.Said, who: str) -> dict[str, Any]:
    words = " ".join(said.text.removesuffix(said.marker).split())
    most = LONGEST_SUBJECT - len(said.marker) - 1
    subject = f"{words[: most - 1]}\u2026" if len(words) > most else words
    subtype = SUBTYPES.get(said.kind)
    return {
        "WhoId": who,
        "Subject": f"{subject} {said.marker}".strip(),
        "Description": said.text,
        "Status": "Completed",
        "ActivityDate": said.at[:10],
        **({"TaskSubtype": subtype} if subtype else {}),
    }


def forget(calls: Calls, delivery: Delivery, mapping: Map, *, empties: bool) -> Outcome:
    """Have a person's Leads deleted, or emptied."""
    outcome = Outcome(Result.DONE, request="Nothing: no Lead of this person is known.")
    for kind, key in forgotten_ids(delivery):
        if kind != OBJECT or not is_id(key):
            continue
        try:
            outcome = _empty(calls, key, mapping) if empties else _delete(calls, key)
        except Refusal as refusal:
            # Gone already, by an earlier attempt or by somebody there.
            if refusal.outcome.status != 404:
                return _worded(refusal)
            outcome = Outcome(Result.DONE, status=404, request=f"Nothing: Lead {key} is gone already.")
    return outcome


def _delete(calls: Calls, key: str) -> Outcome:
    calls.call("DELETE", f"/sobjects/{OBJECT}/{key}")
    return calls.said


def _empty(calls: Calls, key: str, mapping: Map) -> Outcome:
    mapped = [theirs for ours, theirs in mapping.facts.items() if ours.startswith("lead.") and theirs]
    values: Mapping[str, Any] = {
        **dict.fromkeys([*PERSONAL, *mapped, EXTERNAL_ID]),
        "LastName": ERASED,
        "Company": ERASED,
    }
    calls.call("PATCH", f"/sobjects/{OBJECT}/{key}", data=values)
    return calls.said


def _worded(refusal: Refusal) -> Outcome:
    if refusal.code == "CANNOT_UPDATE_CONVERTED_LEAD":
        return Outcome(Result.PERMANENT, refusal.outcome.status, _CONVERTED, request=refusal.outcome.request)
    return refusal.outcome
