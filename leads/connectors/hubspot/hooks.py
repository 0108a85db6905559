"""What HubSpot sends us: lists of thin events, signed; each names a record and one property.

Owns the identity of a call and what its events mean. What an event says itself may be old, repeated or out of
order, so the records that it names are read, and what they say now is told. A contact that was deleted is no
wish to be forgotten: that is put down on its lead; a privacy deletion is one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from leads.connectors.base import Unreadable
from leads.connectors.hubspot import deals
from leads.connectors.hubspot.calling import Calls
from leads.connectors.hubspot.finding import KIND, is_id
from leads.connectors.hubspot.people import Event, Reader, written
from leads.connectors.hubspot.records import Record, millis, read

MOST_EVENTS = 1000
TYPES = {"0-1": "contact", "0-3": "deal"}
_IDENTITY = ("portalId", "subscriptionId", "objectId", "propertyName", "propertyValue", "occurredAt")


@dataclass(slots=True)
class Named:
    """What the events of a call name: contacts and deals to be read, and what happened to contacts."""

    contacts: set[str] = field(default_factory=set)
    deals: set[str] = field(default_factory=set)
    merges: list[tuple[str, list[str], datetime]] = field(default_factory=list)
    deleted: dict[str, datetime] = field(default_factory=dict)
    erased: dict[str, datetime] = field(default_factory=dict)


def identity(body: bytes) -> str:
    """What makes a call the same again: its events' own digests, since a retry counts its attempts in the
    body and event ids are not unique. What is no list of events is known by its bytes."""
    try:
        given = _events(body)
    except Unreadable:
        return f"bytes:{hashlib.sha256(body).hexdigest()}"
    keys = sorted(_digest(event) for event in given)
    return f"events:{hashlib.sha256('|'.join(keys).encode()).hexdigest()}"


def _digest(event: Mapping[str, Any]) -> str:
    parts = [str(event.get(name, "")) for name in _IDENTITY]
    # A merge names no property; two of one moment differ by whom they merge.
    parts.append(str(event.get("mergedObjectIds", "")))
    parts.append(_type(event)[1])
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def _events(body: bytes) -> list[dict[str, Any]]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable("The body is not JSON.") from None
    given = content if isinstance(content, list) else [content]
    if len(given) > MOST_EVENTS or not all(isinstance(event, dict) for event in given):
        raise Unreadable(f"A list of at most {MOST_EVENTS} events is expected.")
    return given


def _type(event: Mapping[str, Any]) -> tuple[str, str]:
    """Object and what happened to it, in either spelling, with generic events named by their object."""
    kind, _, what = str(event.get("subscriptionType") or event.get("eventType") or "").partition(".")
    return (TYPES.get(str(event.get("objectTypeId", "")), "") if kind == "object" else kind), what


def named(body: bytes, portal: str) -> Named:
    """What a call names; events of another account than `portal` ("" for any) are passed over. Raises
    Unreadable."""
    found = Named()
    for event in _events(body):
        kind, what = _type(event)
        if portal and str(event.get("portalId", "")) != portal:
            continue
        key, at = _id(event.get("objectId")), _at(event.get("occurredAt"))
        if kind == "deal":
            found.deals |= {_id(event.get("fromObjectId")) or key} if what != "deletion" else set()
        elif kind == "contact" and at is not None:
            _contact(found, what, key, at, event)
    found.deals.discard("")
    found.contacts = found.contacts - {""} - found.erased.keys()
    return found


def _contact(found: Named, what: str, key: str, at: datetime, event: Mapping[str, Any]) -> None:
    if what == "privacyDeletion":
        found.erased[key] = at
    elif what == "deletion":
        found.deleted[key] = at
    elif what == "merge":
        merged = event.get("mergedObjectIds")
        olds = [_id(one) for one in merged] if isinstance(merged, list) else [_id(merged)]
        kept = _id(event.get("newObjectId")) or _id(event.get("primaryObjectId")) or key
        gone = [one for one in (_id(event.get("primaryObjectId")), *olds) if one and one != kept]
        if kept and gone:
            found.merges.append((kept, list(dict.fromkeys(gone)), at))
            found.contacts.add(kept)
    else:
        found.contacts.add(_id(event.get("fromObjectId")) or key)


def _id(value: Any) -> str:
    text = str(value if value is not None else "")
    return text if is_id(text) else ""


def _at(value: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(value) / 1000, tz=UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def translate(
    calls: Calls, reader: Reader, body: bytes, portal: str, *, takes_new: bool, has_deals: bool
) -> list[Event]:
    """The canonical events of a call. Without `takes_new` only of contacts whose lead is known. Raises
    Unreadable, and Refusal."""
    given = named(body, portal)
    contacts = given.contacts if takes_new else given.contacts & _known(given, reader)
    records = read(calls, KIND, contacts, reader.names, told=reader.names)
    found: list[Event] = []
    # Merges before facts: what the kept contact says is said of one lead then.
    for kept, gone, at in given.merges:
        if takes_new or kept in contacts:
            found.append(merged(reader, kept, gone, at, records.get(kept)))
    for record in {record.id: record for record in records.values()}.values():
        found += reader.events(record)
    if has_deals:
        found += deals.events(calls, reader, given.deals)
    for key in deals.known(given.deleted.keys() - given.erased.keys(), reader.id_system):
        at = given.deleted[key]
        lead = {"custom": {f"{reader.id_system}_deleted_at": written(at)}}
        found.append(reader.event("lead.updated", f"deleted/{key}", at, key, "", lead=lead))
    for key, at in given.erased.items():
        if key:
            found.append(reader.event("lead.erased", f"erased/{key}", at, key, ""))
    return found


def _known(given: Named, reader: Reader) -> set[str]:
    """The contacts of a call whose lead is known, also by an id from before a merge."""
    before = {old: kept for kept, gone, _ in given.merges for old in gone}
    known = deals.known({*given.contacts, *before}, reader.id_system)
    return {before.get(key, key) for key in known}


def merged(reader: Reader, kept: str, gone: list[str], at: datetime, record: Record | None) -> Event:
    """That contacts went into the one that is kept (`record`, where it could be read)."""
    email = record.values.get("email", "") if record else ""
    merged_from = [reader.named(key) for key in gone]
    name = f"merged/{kept}/{millis(at)}/{'-'.join(gone)}"[:150]
    return reader.event("lead.merged", name, at, kept, email, merged_from=merged_from)
