"""The Lead object of Sales Hub: one for each handoff, made once somebody has it, moved as the handoff moves.

Owns finding it (by our unique property, which holds the handoff's id), making it with its contact, and its
stage. Only where the connection asks for it. A Lead object of an earlier handoff stays as that one left it.
Sources: HubSpot's guide to leads (0-136; hs_lead_name and a contact, type 578, are required); the ids of the
default stages are second-hand.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from leads.connectors.base import Pushed
from leads.connectors.hubspot.calling import Calls, Refusal, objects
from leads.connectors.hubspot.records import Input, Record, chunks, read, write
from leads.connectors.hubspot.usual import EXTERNAL_ID, LEADS, OWNER, expected
from leads.connectors.mapping import Map
from leads.outbox import Result, Wanted
from leads.outbox.wanted import Status

KIND, PRIMARY_CONTACT = "leads", 578
_IN_HANDS = frozenset({Status.ACCEPTED, Status.CONTACTED, Status.DEFERRED, Status.OPPORTUNITY})


def begins(want: Wanted) -> bool:
    """Whether a Lead object is made for it: not for what nobody has yet, nor for what is over."""
    return want.status in _IN_HANDS or (want.status == Status.PENDING and bool(want.owner))


def follow(
    calls: Calls,
    wants: Sequence[Wanted],
    pushed: Sequence[Pushed],
    mapping: Map,
    options: Mapping[str, Any],
) -> list[Pushed]:
    """Let the Lead objects follow where the contacts were written; what came of both, in order."""
    both = [(want, one) for want, one in zip(wants, pushed, strict=True) if one.outcome.result == Result.DONE]
    try:
        there = of_handoffs(calls, [want.handoff_id for want, _ in both])
    except Refusal as refusal:
        failed = {want.lead_id for want, _ in both}
        return [
            Pushed(refusal.outcome) if want.lead_id in failed else one
            for want, one in zip(wants, pushed, strict=True)
        ]
    moved, made = [], []
    for want, one in both:
        key = str(want.handoff_id)
        if record := there.get(want.handoff_id):
            moved.append(Input(key, _properties(want, mapping), record.id))
        elif begins(want):
            properties = {"hs_lead_name": _name(want), EXTERNAL_ID: key, **_properties(want, mapping)}
            if pipeline := str(options.get("lead_pipeline") or ""):
                properties["hs_pipeline"] = pipeline
            made.append(Input(key, properties, contact=one.remote_id, contact_type=PRIMARY_CONTACT))
    done = write(calls, KIND, "update", moved) | write(calls, KIND, "create", made)
    return [_with(want, one, done, mapping) for want, one in zip(wants, pushed, strict=True)]


def _with(want: Wanted, one: Pushed, done: Mapping[str, Any], mapping: Map) -> Pushed:
    """The contact's outcome with its Lead object's: both must have gone well."""
    lead = done.get(str(want.handoff_id))
    if lead is None:
        return one
    if not lead.is_done:
        return Pushed(lead.outcome)
    own = {name: value for name, value in expected(want, mapping).items() if name.startswith(LEADS)}
    return replace(one, written={**one.written, **own})


def of_handoffs(calls: Calls, handoff_ids: Collection[int], names: Collection[str] = ()) -> dict[int, Record]:
    """The Lead objects of these handoffs. Raises Refusal."""
    found = read(calls, KIND, [str(pk) for pk in handoff_ids], names, by=EXTERNAL_ID)
    return {int(key): record for key, record in found.items()}


def names_of(mapping: Map) -> list[str]:
    """The Lead object's properties that the mapping speaks of, by HubSpot's names."""
    return sorted(name.removeprefix(LEADS) for name in mapping.status_fields if name.startswith(LEADS))


def values(record: Record, mapping: Map) -> dict[str, str]:
    """What a Lead object says, by the names of the mapping."""
    return {f"{LEADS}{name}": record.values.get(name, "") for name in names_of(mapping)}


def forget(calls: Calls, handoff_ids: Collection[int]) -> None:
    """Archive the Lead objects of these handoffs: their names are people's. Raises Refusal."""
    ids = [record.id for record in of_handoffs(calls, handoff_ids).values()]
    for part in chunks(ids, 100):
        calls.post(objects(KIND, "batch", "archive"), {"inputs": [{"id": key} for key in part]})


def _properties(want: Wanted, mapping: Map) -> dict[str, str]:
    wanted = expected(want, mapping)
    own = {
        name.removeprefix(LEADS): value for name, value in wanted.items() if name.startswith(LEADS) and value
    }
    owner = wanted.get(OWNER, "")
    return {**own, **({OWNER: owner} if owner else {})}


def _name(want: Wanted) -> str:
    parts = (want.facts.get("lead.first_name", ""), want.facts.get("lead.last_name", ""))
    return " ".join(part for part in parts if part)[:200] or want.email or f"Handoff {want.handoff_id}"
