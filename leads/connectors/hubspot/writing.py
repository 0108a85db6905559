"""Leads' states into contacts: found or made, set absolutely, and the stage set back where it must be.

Owns the order of the calls of one push, each of which may be repeated after a crash at any point. HubSpot
moves a lifecycle stage forward only: to set it back, it is cleared and then set, two writes in that order. A
contact is made by our own unique property, never by its address, so that two attempts make one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leads.connectors.base import Pushed
from leads.connectors.hubspot import sales_leads
from leads.connectors.hubspot.calling import Calls, Refusal
from leads.connectors.hubspot.finding import KIND, OBJECT, Place, find
from leads.connectors.hubspot.records import Input, Record, Written, read, write
from leads.connectors.hubspot.usual import EXTERNAL_ID, LEADS, STAGE, WRITTEN_ANEW, expected, steps_back
from leads.connectors.mapping import Map
from leads.outbox import Outcome, Result, Wanted

KEPT_STAGES = ("customer", "evangelist")
# HubSpot names the contact that has the address already [recalled].
_EXISTING = re.compile(r"Existing ID: (\d+)")
NOBODY = Outcome(Result.PERMANENT, error="There is no record of this person there, and none is to be made.")
DELETED = Outcome(Result.PERMANENT, error="There is no record any more: it was deleted there.")
MOVED = Outcome(Result.TRANSIENT, error="Somebody changed the contact in the same moment.")


@dataclass(frozen=True, slots=True)
class State:
    """What is to be written into the contact of one lead, and at which stage that is now."""

    want: Wanted
    contact: str
    stage: str
    properties: Mapping[str, str]

    @property
    def key(self) -> str:
        return str(self.want.lead_id)

    @property
    def steps_back(self) -> bool:
        return steps_back(self.stage, self.properties.get(STAGE, ""))


def push(
    calls: Calls, wants: Sequence[Wanted], mapping: Map, id_system: str, options: Mapping[str, Any]
) -> list[Pushed]:
    """Write these states, at most 100, one a lead; what came of each, in order."""
    creates = bool(options.get("creates"))
    try:
        places = find(calls, wants, id_system, [STAGE], searches=not creates)
        made = _make(calls, [place for place in places if creates and _is_new(place)], mapping)
        again = read(calls, KIND, [one.id for one in made.values() if _is_there(one)], [STAGE])
    except Refusal as refusal:
        return [Pushed(refusal.outcome)] * len(wants)
    states, outcomes = [], {}
    for place in places:
        key, done = str(place.want.lead_id), made.get(str(place.want.lead_id))
        record = again.get(done.id) if done and _is_there(done) else place.record
        if record is not None:
            states.append(_state(place.want, record, mapping, options))
        elif done is not None:
            outcomes[key] = Written(MOVED) if _is_there(done) else done
        else:
            outcomes[key] = Written(DELETED if place.is_gone else NOBODY)
    outcomes |= _set(calls, states)
    by_key = {state.key: state for state in states}
    pushed = [_pushed(want, outcomes[str(want.lead_id)], mapping, by_key) for want in wants]
    if options.get("lead_object"):
        return sales_leads.follow(calls, wants, pushed, mapping, options)
    return pushed


def _is_new(place: Place) -> bool:
    """Whether a contact may be made: of somebody with an address who never had one."""
    return place.record is None and not place.known and bool(place.want.email)


def _make(calls: Calls, places: Sequence[Place], mapping: Map) -> dict[str, Written]:
    """Contacts by our unique property; one whose address turns out to be known is named by its id."""
    inputs = []
    for place in places:
        want = place.want
        facts = {
            mapping.facts[name]: want.facts[name]
            for name in WRITTEN_ANEW
            if want.facts.get(name) and mapping.facts.get(name)
        }
        key = str(want.lead_id)
        inputs.append(Input(key, {**facts, **_of_contact(expected(want, mapping))}, key, EXTERNAL_ID))
    made = write(calls, KIND, "upsert", inputs) if inputs else {}
    for key, one in made.items():
        existing = _EXISTING.search(one.outcome.error)
        if existing is not None:
            made[key] = Written(one.outcome, existing[1])
    return made


def _is_there(made: Written) -> bool:
    """Whether the contact stood there already, so that its stage is to be looked at first."""
    return bool(made.id) and not (made.is_done and made.is_new)


def _state(want: Wanted, record: Record, mapping: Map, options: Mapping[str, Any]) -> State:
    """What to write: everything that is expected but the stage of a contact that is to keep its own."""
    properties = _of_contact(expected(want, mapping))
    stage = record.values.get(STAGE, "")
    if keeps_stage(stage, options):
        properties.pop(STAGE, None)
    return State(want, record.id, stage, properties)


def keeps_stage(stage: str, options: Mapping[str, Any]) -> bool:
    """Whether a contact at this lifecycle stage is left at it."""
    return stage in options.get("kept_stages", KEPT_STAGES)


def _of_contact(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if not name.startswith(LEADS)}


def _set(calls: Calls, states: Sequence[State]) -> dict[str, Written]:
    """The writes, by lead: a stage that goes back is cleared first."""
    back = [state for state in states if state.steps_back]
    cleared = write(calls, KIND, "update", [Input(state.key, {STAGE: ""}, state.contact) for state in back])
    failed = {key: one for key, one in cleared.items() if not one.is_done}
    rest = [state for state in states if state.key not in failed]
    inputs = [Input(state.key, state.properties, state.contact) for state in rest]
    done = write(calls, KIND, "update", inputs)
    # A stage that moved on since it was read is left out of what was written, without a word.
    doubtful = [
        state
        for state in rest
        if done[state.key].is_done
        and done[state.key].values.get(STAGE, "") != state.properties.get(STAGE, "")
        and STAGE in state.properties
    ]
    return {**failed, **done, **_looked_at(calls, doubtful)}


def _looked_at(calls: Calls, states: Sequence[State]) -> dict[str, Written]:
    """Of those whose answer does not tell the stage that was set: the ones at which it is not so."""
    if not states:
        return {}
    try:
        there = read(calls, KIND, [state.contact for state in states], [STAGE])
    except Refusal as refusal:
        return {state.key: Written(refusal.outcome) for state in states}
    return {
        state.key: Written(MOVED)
        for state in states
        if state.contact not in there or there[state.contact].values.get(STAGE) != state.properties[STAGE]
    }


def _pushed(want: Wanted, done: Written, mapping: Map, states: Mapping[str, State]) -> Pushed:
    if not done.is_done:
        return Pushed(done.outcome)
    own = states.get(str(want.lead_id))
    written = own.properties if own else _of_contact(expected(want, mapping))
    return Pushed(done.outcome, OBJECT, own.contact if own else done.id, written)
