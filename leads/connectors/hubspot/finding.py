"""Which contact is a lead's: by the id that is known, else by address.

Owns finding, and the shape in which a contact is shown to audits. Reads only. By address it asks for the
record itself, which is right at once; that nobody is there is never concluded from a search, which shows
what was written late. A search only finds people by their further addresses.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from leads.connectors.base import Seen
from leads.connectors.hubspot.calling import Calls, objects
from leads.connectors.hubspot.records import ALSO, Record, parsed, read
from leads.connectors.hubspot.usual import LEADS, OWNER, as_compared
from leads.connectors.mapping import Map
from leads.outbox import Wanted

OBJECT, KIND = "contact", "contacts"
# Whether they refused all mail; empty for no.
OPTED_OUT = "hs_email_optout"
# A search takes at most five groups of filters, and five searches a second are allowed.
GROUPS, SEARCHES = 5, 3


@dataclass(frozen=True, slots=True)
class Place:
    """A lead and its contact. `known` is the id that we have of it, "" without one; `record` what is there.
    An id without a record: it was deleted there."""

    want: Wanted
    known: str
    record: Record | None

    @property
    def is_gone(self) -> bool:
        return bool(self.known) and self.record is None


def known_id(want: Wanted, id_system: str) -> str:
    """The contact's id as far as we know it, "" without one."""
    value = want.ids.get((id_system, OBJECT), "")
    return value if is_id(value) else ""


def is_id(value: str) -> bool:
    """Whether this can be an id of HubSpot's. Ours come from other senders too, and go into addresses."""
    return value.isascii() and value.isdigit() and len(value) <= 20


def find(
    calls: Calls,
    wants: Sequence[Wanted],
    id_system: str,
    names: Collection[str],
    *,
    told: Collection[str] = (),
    searches: bool = True,
) -> list[Place]:
    """The contact of each lead, in order, with these properties. Raises Refusal."""
    known = [known_id(want, id_system) for want in wants]
    by_id = read(calls, KIND, known, names, told=told)
    missing = {want.email for want, key in zip(wants, known, strict=True) if want.email and key not in by_id}
    by_email = read(calls, KIND, missing, names, by="email", told=told)
    missing -= by_email.keys()
    if missing and searches:
        found = _searched(calls, sorted(missing))
        records = read(calls, KIND, found.values(), names, told=told)
        by_email |= {email: records[key] for email, key in found.items() if key in records}
    return [
        Place(want, key, by_id.get(key) or by_email.get(want.email))
        for want, key in zip(wants, known, strict=True)
    ]


def _searched(calls: Calls, emails: Sequence[str]) -> dict[str, str]:
    """Ids of contacts by one of their further addresses."""
    found: dict[str, str] = {}
    for start in range(0, min(len(emails), GROUPS * SEARCHES), GROUPS):
        part = emails[start : start + GROUPS]
        groups = [
            {"filters": [{"propertyName": ALSO, "operator": "CONTAINS_TOKEN", "value": email}]}
            for email in part
        ]
        answer = calls.post(
            objects(KIND, "search"), {"filterGroups": groups, "properties": [ALSO], "limit": 100}
        )
        for record in map(parsed, answer.get("results") or ()):
            also = {email.lower() for email in record.values.get(ALSO, "").split(";")}
            found |= {email: record.id for email in part if email.lower() in also}
    return found


def seen(record: Record, mapping: Map, *, asked: str = "", lead: Mapping[str, str] | None = None) -> Seen:
    """A contact as audits compare it; `asked` is the id by which it was asked for, `lead` what its Lead
    object says, by the names of the mapping."""
    names = compared(mapping)
    latest = max(
        (version for name in names for version in record.histories.get(name, ())[:1]),
        key=lambda version: version.at,
        default=None,
    )
    return Seen(
        object=OBJECT,
        remote_id=asked or record.id,
        values=values(record, mapping) | dict(lead or {}),
        email=record.values.get("email", ""),
        changed_at=latest.at if latest else record.changed_at,
        changed_by=f"{latest.source} {latest.source_id}".strip() if latest else "",
        merged_into=record.id if asked and asked != record.id else "",
        opted_out=record.values[OPTED_OUT] == "true" if OPTED_OUT in record.values else None,
    )


def compared(mapping: Map) -> list[str]:
    """The contact's properties that say where a handoff stands, and who has it."""
    names = {name for name in (*mapping.fields.values(), *mapping.status_fields) if name} | {OWNER}
    return sorted(name for name in names if not name.startswith(LEADS))


def values(record: Record, mapping: Map) -> dict[str, str]:
    """What the contact says of that, in the form in which it is compared."""
    return {name: as_compared(name, record.values.get(name, ""), mapping) for name in compared(mapping)}
