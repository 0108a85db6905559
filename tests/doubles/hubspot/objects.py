"""One HubSpot record: read, created, changed, archived, merged, and how it looks in JSON.

Paths and bodies [V] from the 2026-09 OpenAPI (the same as v3's). Properties that were not asked for are not
given, those without a value are null [V]. A lead needs a name and a contact (type 578) [V]. 409 for an e-mail
that is taken, with the id in the message [R]; a merge makes a new id and the old ones lead to it
(`newObjectId` in the event is [V], the rest [R]).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.doubles.clock import iso_millis
from tests.doubles.hubspot import refusals, schema
from tests.doubles.records import API, SYSTEM, Book, Record
from tests.doubles.wire import Refused

if TYPE_CHECKING:
    from tests.doubles.hubspot.portal import HubSpot

ALWAYS = {
    "contacts": ("createdate", "hs_object_id", "lastmodifieddate"),
    "companies": ("createdate", "hs_lastmodifieddate", "hs_object_id"),
    "leads": ("createdate", "hs_lastmodifieddate", "hs_object_id"),
    "deals": ("createdate", "hs_lastmodifieddate", "hs_object_id"),
    "notes": ("createdate", "hs_lastmodifieddate", "hs_object_id"),
}
BY_ITSELF = {
    "contacts": ("email", "firstname", "lastname"),
    "companies": ("domain", "name"),
    "leads": ("hs_lead_name", "hs_pipeline_stage"),
    "deals": ("amount", "closedate", "dealname", "dealstage", "pipeline"),
    "notes": ("hs_note_body", "hs_timestamp"),
}
PRIMARY_CONTACT = 578


def shown(
    kind: str, record: Record, wanted: list[str], values: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A SimplePublicObject with the wanted properties, or those that come by themselves."""
    values = record.values if values is None else values
    names = (*ALWAYS[kind], *(wanted or BY_ITSELF[kind]))
    return {
        "id": record.id,
        "properties": {
            name: (_stamp(record, name) or values.get(name) or None) for name in sorted(set(names))
        },
        "createdAt": iso_millis(record.created),
        "updatedAt": iso_millis(record.touched),
        "archived": record.deleted,
        "url": f"https://app.hubspot.com/contacts/0/record/{record.id}",
    }


def _stamp(record: Record, name: str) -> str:
    """The properties that HubSpot keeps itself."""
    moment = moment_of(record, name)
    if moment is not None:
        return iso_millis(moment)
    return record.id if name == "hs_object_id" else ""


def moment_of(record: Record, name: str) -> float | None:
    """Unix seconds of the times that HubSpot keeps itself; None for another property."""
    if name == "createdate":
        return record.created
    return record.touched if name in ("lastmodifieddate", "hs_lastmodifieddate") else None


def value_of(record: Record, name: str, values: dict[str, Any]) -> str:
    """A property's value for a search, "" for none."""
    return _stamp(record, name) or str(values.get(name) or "")


def with_history(record: Record, names: list[str]) -> dict[str, list[dict[str, Any]]]:
    """`propertiesWithHistory`, the newest value first."""
    return {
        name: [
            {
                "value": write.values[name],
                "timestamp": iso_millis(write.at),
                "sourceType": "INTEGRATION" if write.by == API else "CRM_UI",
                "sourceId": "app" if write.by == API else "userId:1",
            }
            for write in reversed(record.history)
            if name in write.values
        ]
        for name in names
    }


def find(hubspot: HubSpot, kind: str, key: str, id_property: str = "") -> Record | None:
    """The record of an id, or of a value of a unique property. Raises Refused for a property that is not
    unique."""
    if id_property in ("", "hs_object_id"):
        return hubspot.books[kind].get(key)
    prop = hubspot.properties[kind].get(id_property)
    if id_property != "email" and not (prop and prop.unique):
        raise Refused(refusals.invalid(f"idProperty {id_property} is not a unique property of {kind}"))
    return next(iter(having(hubspot.books[kind], id_property, key)), None)


def having(book: Book, name: str, value: str) -> list[Record]:
    """The living records with a value, by index where there is one."""
    if name in book.indexed:
        return book.having(name, value)
    return [record for record in book if str(record.values.get(name, "")).lower() == value.lower()]


def create(hubspot: HubSpot, kind: str, body: dict[str, Any], by: str) -> Record:
    """A new record, with its webhooks. Raises Refused; then nothing was made."""
    values = writable(hubspot, kind, None, body.get("properties"))
    if kind == "leads":
        _check_lead(hubspot, values, body.get("associations") or [])
    record = hubspot.books[kind].add(hubspot.next_id(), values, by)
    for association in body.get("associations") or []:
        _associate(hubspot, kind, record, association)
    hubspot.events.created(kind, record, values, by)
    return record


def change(hubspot: HubSpot, kind: str, record: Record, properties: Any, by: str) -> None:
    """Write properties into a record, with its webhooks. Raises Refused; then nothing was written."""
    write(hubspot, kind, record, writable(hubspot, kind, record, properties), by)


def write(hubspot: HubSpot, kind: str, record: Record, values: dict[str, str], by: str) -> None:
    """Write checked values."""
    done = hubspot.books[kind].write(record, values, by)
    hubspot.events.changed(kind, record, done.changed, by)


def writable(hubspot: HubSpot, kind: str, record: Record | None, properties: Any) -> dict[str, str]:
    """The values that a write would leave. Raises Refused."""
    values = schema.checked(
        hubspot.properties[kind],
        properties,
        record.values if record else {},
        hubspot.validation_rules,
        hubspot.backward,
    )
    for name, value in values.items():
        prop = hubspot.properties[kind][name]
        if value and (prop.unique or name == "email"):
            taken = [other for other in having(hubspot.books[kind], name, value) if other is not record]
            if taken:
                raise Refused(refusals.conflict(taken[0].id))
    return values


def remove(hubspot: HubSpot, kind: str, record: Record, by: str, privacy: bool = False) -> None:
    """Archive a record; for privacy it is emptied, and both events are sent."""
    if privacy:
        hubspot.books[kind].write(record, dict.fromkeys(record.values, ""), SYSTEM)
    hubspot.books[kind].remove(record)
    hubspot.events.removed(kind, record, by, privacy)


def merge(hubspot: HubSpot, kind: str, primary: Record, other: Record, by: str) -> Record:
    """The record that two become: the primary's values, the other's where it has none, a new id by
    setting."""
    book = hubspot.books[kind]
    values = {**other.values, **{name: value for name, value in primary.values.items() if value}}
    olds = [
        old
        for record in (primary, other)
        for old in (record.values.get("hs_merged_object_ids") or "").split(";")
    ]
    values["hs_merged_object_ids"] = ";".join(dict.fromkeys([primary.id, other.id, *filter(None, olds)]))
    if hubspot.merge_makes_new_id:
        kept = book.add(hubspot.next_id(), values, SYSTEM)
        kept.history[:0] = primary.history
        book.remove(primary, merged_into=kept.id)
    else:
        kept = primary
        book.write(kept, values, SYSTEM)
    book.remove(other, merged_into=kept.id)
    hubspot.events.merged(kind, primary, other, kept, by)
    return kept


def _check_lead(hubspot: HubSpot, values: dict[str, str], associations: list[dict[str, Any]]) -> None:
    if not values.get("hs_lead_name"):
        raise Refused(
            refusals.invalid("Error creating LEAD. Some required properties were not set: [hs_lead_name]")
        )
    contacts = [
        str(association.get("to", {}).get("id"))
        for association in associations
        for kind in association.get("types", [])
        if kind.get("associationTypeId") == PRIMARY_CONTACT
    ]
    if not any(hubspot.books["contacts"].get(contact) for contact in contacts):
        raise Refused(
            refusals.invalid("A lead must be associated with an existing contact (associationTypeId 578)")
        )


def _associate(hubspot: HubSpot, own: str, record: Record, association: dict[str, Any]) -> None:
    """Both records know of each other. Types: lead to contact and company [V, 2], deal to contact 3 and note
    to contact 202 [V]."""
    kinds = {578: "contacts", 580: "companies", 3: "contacts", 202: "contacts"}
    for kind in association.get("types", []):
        to = kinds.get(kind.get("associationTypeId"), "others")
        record.extra.setdefault("associations", {}).setdefault(to, []).append(str(association["to"]["id"]))
        other = hubspot.books[to].get(str(association["to"]["id"])) if to in hubspot.books else None
        if other is not None:
            other.extra.setdefault("associations", {}).setdefault(own, []).append(record.id)
