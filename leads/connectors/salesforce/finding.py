"""Which Lead is a lead's: by the id that is known, by our own number there, by address.

Owns finding, in as few calls as there are ways to find. Reads only. One that was merged is followed to the
Lead that it went into; one that was deleted is told from one that never was. A Lead that bears the number of
another lead of ours is never taken for this one by its address.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain

from leads.connectors.mapping import Map
from leads.connectors.salesforce import soql
from leads.connectors.salesforce.calling import SEVERAL, Calls
from leads.connectors.salesforce.records import Row, asked, is_id, rows, same
from leads.connectors.salesforce.usual import EXTERNAL_ID, OBJECT
from leads.identity import normalise_email
from leads.models import Lead
from leads.outbox import Wanted

ANOTHERS = "Their Lead there bears the number of another lead here."
# A merge of a merge of a merge, and so on; and what one read takes.
MOST_MERGES, READ_AT_ONCE = 5, 2000


@dataclass(frozen=True, slots=True)
class Place:
    """A lead and its Lead. `known` is the id that we have of it, "" without one; `row` what is there;
    `others` whatever else is there of this person. `trouble` says why none of them can be taken."""

    want: Wanted
    known: str
    row: Row | None
    others: Sequence[Row] = ()
    trouble: str = ""

    @property
    def is_gone(self) -> bool:
        return bool(self.known) and self.row is None

    @property
    def is_linked(self) -> bool:
        """Whether it bears our number."""
        return self.row is not None and self.row.linked == str(self.want.lead_id)


def known_id(want: Wanted, id_system: str) -> str:
    """The Lead's id as far as we know it, "" without one."""
    value = want.ids.get((id_system, OBJECT), "")
    return value if is_id(value) else ""


def find(
    calls: Calls, wants: Sequence[Wanted], id_system: str, mapping: Map, *, all_of_them: bool = False
) -> list[Place]:
    """The Lead of each lead, in order; `all_of_them` looks for duplicates by address too. Raises Refusal."""
    known = {want.lead_id: known_id(want, id_system) for want in wants}
    by_id = read(calls, {key for key in known.values() if key}, mapping)
    places = [Place(want, known[want.lead_id], by_id.get(known[want.lead_id][:15])) for want in wants]
    unlinked = [place.want for place in places if not place.is_linked]
    by_number = _by(calls, EXTERNAL_ID, [str(want.lead_id) for want in unlinked], mapping)
    places = [_numbered(place, by_number) for place in places]
    sought = {
        place.want.lead_id for place in places if place.want.email and (all_of_them or place.row is None)
    }
    emails = [place.want.email for place in places if place.want.lead_id in sought]
    by_email = _by(calls, "Email", emails, mapping)
    gone = _merged_here([*by_id.values(), *chain.from_iterable(by_email.values())], wants)
    places = [
        _addressed(place, by_email, gone) if place.want.lead_id in sought else place for place in places
    ]
    return [_owned(place, gone) for place in places]


def _merged_here(there: Sequence[Row], wants: Sequence[Wanted]) -> set[str]:
    """The numbers there of leads that were merged into others here: those Leads may be taken over."""
    numbers = {row.linked for row in there} - {str(want.lead_id) for want in wants}
    ours = [int(number) for number in numbers if number.isascii() and number.isdigit() and len(number) < 19]
    if not ours:
        return set()
    merged = Lead.objects.filter(pk__in=ours, merged_into__isnull=False)
    return {str(pk) for pk in merged.values_list("pk", flat=True)}


def _owned(place: Place, gone: Collection[str]) -> Place:
    """Not with a Lead that bears another lead's number."""
    if place.row is None or place.is_linked or _is_free(place.row, gone):
        return place
    return Place(place.want, place.known, None, [place.row, *place.others], ANOTHERS)


def _is_free(row: Row, gone: Collection[str]) -> bool:
    return not row.linked or row.linked in gone


def read(calls: Calls, ids: Collection[str], mapping: Map, *, facts: bool = False) -> dict[str, Row]:
    """Living Leads by the first fifteen characters of the ids that they were asked for by, merges followed.
    Raises Refusal."""
    names = asked(mapping, facts=facts)
    found: dict[str, Row] = {}
    # What is asked for now, and under which ids it was asked for in the first place.
    waiting = {key: {key[:15]} for key in ids}
    for _ in range(MOST_MERGES):
        if not waiting:
            break
        there = _read(calls, sorted(waiting), names)
        for key, origins in waiting.items():
            if key[:15] in there:
                found |= dict.fromkeys(origins, there[key[:15]])
        missing = {key: origins for key, origins in waiting.items() if key[:15] not in there}
        waiting = {}
        for row in dead(calls, missing):
            if row.master:
                origins = next(origins for key, origins in missing.items() if same(key, row.id))
                waiting.setdefault(row.master, set()).update(origins)
    return found


def _read(calls: Calls, ids: Sequence[str], names: Sequence[str]) -> dict[str, Row]:
    found = {}
    for start in range(0, len(ids), READ_AT_ONCE):
        body = {"ids": ids[start : start + READ_AT_ONCE], "fields": list(names)}
        for row in rows(calls.call("POST", f"/composite/sobjects/{OBJECT}", data=body)):
            if not row.is_deleted:
                found[row.id[:15]] = row
    return found


def dead(calls: Calls, ids: Collection[str]) -> list[Row]:
    """Of these ids those that are deleted or merged there. Raises Refusal."""
    found: list[Row] = []
    for condition in soql.within("Id", sorted(ids)):
        query = f"SELECT Id, IsDeleted, MasterRecordId FROM {OBJECT} WHERE {condition}"  # noqa: S608
        found += [row for row in rows(list(calls.query(query, deleted=True))) if row.is_deleted]
    return found


def _by(calls: Calls, name: str, values: Sequence[str], mapping: Map) -> dict[str, list[Row]]:
    """Living Leads by the value of a field, those that were there first before the others."""
    found: dict[str, list[Row]] = {}
    fields = ", ".join(asked(mapping))
    for condition in soql.within(name, values):
        query = f"SELECT {fields} FROM {OBJECT} WHERE {condition} ORDER BY CreatedDate, Id"  # noqa: S608
        for row in rows(list(calls.query(query))):
            key = row.email if name == "Email" else str(row.values.get(name) or "")
            found.setdefault(key, []).append(row)
    return found


def _numbered(place: Place, by_number: dict[str, list[Row]]) -> Place:
    """With the Lead that bears our number, whatever id we knew."""
    there = [] if place.is_linked else by_number.get(str(place.want.lead_id), [])
    if not there:
        return place
    trouble = "" if len(there) == 1 else SEVERAL
    also = [place.row] if place.row is not None else []
    return Place(place.want, place.known, there[0], [*there[1:], *also], trouble)


def _addressed(place: Place, by_email: dict[str, list[Row]], gone: Collection[str]) -> Place:
    """With what else has the address; where nothing was found, with the one that is free to be taken, rather
    one that is not converted."""
    there = by_email.get(normalise_email(place.want.email), [])
    if place.row is not None:
        known = {place.row.id, *(row.id for row in place.others)}
        others = [*place.others, *(row for row in there if row.id not in known)]
        return Place(place.want, place.known, place.row, others, place.trouble)
    free = sorted((row for row in there if _is_free(row, gone)), key=lambda row: row.is_converted)
    if free:
        return Place(place.want, place.known, free[0], [row for row in there if row is not free[0]])
    return Place(place.want, place.known, None, there, ANOTHERS if there else "")
