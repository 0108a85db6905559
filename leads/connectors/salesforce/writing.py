"""Leads' states into Leads: found or made, linked once by our number, written absolutely.

Owns the order of the calls of one push, each of which may be repeated after a crash at any point. A Lead that
bears our number, or that is to be made, is upserted by it: two attempts make one. One that was there before
is linked by its own id first. A converted Lead can't be written: at an opportunity that is as it should be.
Sources: "Upsert Multiple Records with Fewer Round-Trips" and "Update Multiple Records" (200 records a call,
results in order, errors by item in an answer of 200).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from leads.connectors.base import Pushed
from leads.connectors.mapping import Map
from leads.connectors.salesforce.calling import Calls, Refusal, item_refused
from leads.connectors.salesforce.finding import Place, find
from leads.connectors.salesforce.records import Row, same
from leads.connectors.salesforce.usual import EXTERNAL_ID, OBJECT, STATUS, USUAL, as_sent, person
from leads.outbox import Outcome, Result, Wanted
from leads.outbox.wanted import Status

MOST = 200
NOBODY = Outcome(Result.PERMANENT, error="There is no record of this person there, and none is to be made.")
DELETED = Outcome(Result.PERMANENT, error="There is no record any more: it was deleted there.")
TWICE = Outcome(Result.PERMANENT, error="Their Lead there is another lead's here as well. Merge them.")
MOVED = "Somebody changed the Lead in the same moment."
CONVERTED = "Their Lead was converted there and can't be written any more: this state stays here."
IS_CONVERTED = "CANNOT_UPDATE_CONVERTED_LEAD"
# Codes that speak of the whole of a call, though one record of it is to blame.
_OF_ONE = frozenset({"JSON_PARSER_ERROR", "MALFORMED_ID"})
_USUAL_STATUSES = frozenset(values.get(STATUS, "") for values in USUAL.statuses.values())
Expected = Callable[[Wanted], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Item:
    """One record of a call: of which lead, its id ("" for an upsert by our number), what it says."""

    want: Wanted
    id: str
    fields: Mapping[str, Any]
    is_new: bool = False

    @property
    def body(self) -> dict[str, Any]:
        named = {"Id": self.id} if self.id else {}
        return {"attributes": {"type": OBJECT}, **named, EXTERNAL_ID: str(self.want.lead_id), **self.fields}


class Writing:
    """Pushes of one connection. `expected` gives a state's values."""

    def __init__(
        self, calls: Calls, mapping: Map, options: Mapping[str, Any], id_system: str, expected: Expected
    ) -> None:
        self.calls, self.mapping, self.id_system, self.expected = calls, mapping, id_system, expected
        self.creates = bool(options.get("creates", True))
        self._converted: frozenset[str] | None = None

    def push(self, wants: Sequence[Wanted]) -> list[Pushed]:
        """Write these states, at most `MOST`, one a lead; what came of each, in order."""
        try:
            places = find(self.calls, wants, self.id_system, self.mapping)
            never = self._never_set()
        except Refusal as refused:
            return [Pushed(refused.outcome)] * len(wants)
        done: dict[int, Pushed] = {}
        upserts: list[Item] = []
        links: list[Item] = []
        taken: list[str] = []
        for place in places:
            key = place.want.lead_id
            item = self._item(place)
            if isinstance(item, Pushed):
                done[key] = item
            elif item.fields.get(STATUS) in never:
                done[key] = Pushed(_converts(str(item.fields[STATUS])))
            elif place.row is not None and any(same(place.row.id, one) for one in taken):
                done[key] = Pushed(TWICE)
            else:
                (links if item.id else upserts).append(item)
                taken += [place.row.id] if place.row is not None else []
        done |= self._write(f"/composite/sobjects/{OBJECT}/{EXTERNAL_ID}", upserts)
        done |= self._write("/composite/sobjects", links)
        return [done[want.lead_id] for want in wants]

    def _item(self, place: Place) -> Item | Pushed:
        """What is to be written, or why nothing is."""
        want, row = place.want, place.row
        if place.trouble:
            return Pushed(Outcome(Result.PERMANENT, error=place.trouble))
        if row is not None and row.is_converted:
            return self._observed(want, row)
        fields = self._fields(want)
        if row is not None:
            return Item(want, "" if place.is_linked else row.id, fields)
        if place.is_gone:
            return Pushed(DELETED)
        if not self.creates:
            return Pushed(NOBODY)
        return Item(want, "", {**person(want, self.mapping), **_set(fields)}, is_new=True)

    def _fields(self, want: Wanted) -> dict[str, Any]:
        return {name: as_sent(name, text, self.mapping) for name, text in self.expected(want).items()}

    def _observed(self, want: Wanted, row: Row) -> Pushed:
        """A converted Lead says "opportunity" by itself, and nothing else ever again."""
        if want.status != Status.OPPORTUNITY:
            return Pushed(Outcome(Result.PERMANENT, error=CONVERTED))
        what = f"opportunity {row.opportunity}" if row.opportunity else "no opportunity"
        said = f"Nothing: Lead {row.id} was converted there ({what}), observed."
        return Pushed(Outcome(Result.DONE, request=said), OBJECT, row.id, dict(self.expected(want)))

    def _never_set(self) -> frozenset[str]:
        """The converted statuses, which are never set by a write. Asked for once, where the mapping was
        changed. Raises Refusal."""
        chosen = {values.get(STATUS, "") for values in self.mapping.statuses.values()} - _USUAL_STATUSES
        if not chosen:
            return frozenset()
        if self._converted is None:
            found = self.calls.query("SELECT ApiName FROM LeadStatus WHERE IsConverted = true")
            self._converted = frozenset(str(one.get("ApiName")) for one in found)
        return self._converted

    def _write(self, path: str, items: Sequence[Item]) -> dict[int, Pushed]:
        """One call; where it fails as a whole and one record may be to blame, in halves."""
        if not items:
            return {}
        body = {"allOrNone": False, "records": [item.body for item in items]}
        try:
            given = self.calls.call("PATCH", path, data=body)
        except Refusal as refused:
            half = len(items) // 2
            if half and refused.code in _OF_ONE:
                return {**self._write(path, items[:half]), **self._write(path, items[half:])}
            return {item.want.lead_id: Pushed(refused.outcome) for item in items}
        results = given if isinstance(given, list) else []
        if len(results) != len(items):
            lost = Outcome(Result.TRANSIENT, error="The answer does not tell of every record.")
            return {item.want.lead_id: Pushed(lost) for item in items}
        pushed = {
            item.want.lead_id: self._pushed(item, result) for item, result in zip(items, results, strict=True)
        }
        return pushed | self._converted_meanwhile(items, pushed)

    def _pushed(self, item: Item, result: Any) -> Pushed:
        request = f"PATCH Lead {item.id or item.want.lead_id} {_shown(item, self.expected(item.want))}"
        told = result if isinstance(result, dict) else {}
        if told.get("success") is True and told.get("id"):
            outcome = replace(
                self.calls.said, request=request, answer="created" if told.get("created") else ""
            )
            return Pushed(outcome, OBJECT, str(told["id"]), dict(self.expected(item.want)))
        outcome, code = item_refused(told.get("errors"), request, self.calls.said.milliseconds)
        if code == "REQUIRED_FIELD_MISSING" and not item.is_new and not item.id:
            # It bore our number when it was read, and was to be made anew when it was written.
            outcome = replace(outcome, result=Result.TRANSIENT, error=MOVED)
        return Pushed(outcome)

    def _converted_meanwhile(self, items: Sequence[Item], pushed: Mapping[int, Pushed]) -> dict[int, Pushed]:
        """Of those that were converted between our look and our write: looked at again."""
        refused = [item for item in items if pushed[item.want.lead_id].outcome.answer == IS_CONVERTED]
        if not refused:
            return {}
        try:
            places = find(self.calls, [item.want for item in refused], self.id_system, self.mapping)
        except Refusal as again:
            return {item.want.lead_id: Pushed(again.outcome) for item in refused}
        moved = Pushed(Outcome(Result.TRANSIENT, error=MOVED))
        return {
            place.want.lead_id: self._observed(place.want, place.row)
            if place.row is not None and place.row.is_converted
            else moved
            for place in places
        }


def _set(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Of a Lead that is made anew only what says something."""
    return {name: value for name, value in fields.items() if value is not None}


def _shown(item: Item, values: Mapping[str, str]) -> str:
    """What was written of the state, for the log; nothing of the person."""
    made = "made " if item.is_new else ""
    return made + json.dumps(dict(values), separators=(",", ":"))


def _converts(status: str) -> Outcome:
    return Outcome(
        Result.PERMANENT,
        error=f'"{status}" is a converted status: only a person there can convert a Lead. Map another one.',
    )
