"""Deals, as opportunities of the leads that they are associated with.

Owns which deal says what: made, won, lost, each once, at the time of its stage. Only of contacts whose lead
is known here: a deal with a whole buying committee is no reason to take in people. Decides nothing about a
handoff. Sources: HubSpot's guide to deals; hs_is_closed, hs_is_closed_won and deal_currency_code are
properties of every deal.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime
from typing import Any

from leads.connectors.hubspot.calling import Calls, Refusal, objects
from leads.connectors.hubspot.finding import OBJECT
from leads.connectors.hubspot.people import Event, Reader, clean
from leads.connectors.hubspot.records import Record, moment, parsed
from leads.models import ExternalId

KIND = "deals"
STAGE = "dealstage"
NAMES = (
    STAGE, "amount", "deal_currency_code", "hs_is_closed", "hs_is_closed_won", "closedate", "createdate"
)  # fmt: skip


def events(calls: Calls, reader: Reader, deal_ids: Collection[str]) -> list[Event]:
    """What these deals say of leads that are known. Raises Refusal."""
    found: list[Event] = []
    for key in sorted(set(deal_ids)):
        try:
            raw = calls.get(
                objects(KIND, key),
                {
                    "properties": ",".join(NAMES),
                    "propertiesWithHistory": STAGE,
                    "associations": "contacts",
                },
            )
        except Refusal as refusal:
            if refusal.outcome.status == 404:
                continue
            raise
        linked = (raw.get("associations") or {}).get("contacts") or {}
        contacts = {str(one["id"]) for one in linked.get("results") or ()}
        for contact in sorted(known(contacts, reader.id_system)):
            found += told(parsed(raw), contact, reader)
    return sorted(found, key=lambda event: str(event["time"]))


def known(contacts: Collection[str], id_system: str) -> set[str]:
    """Of these contacts those whose lead is known here."""
    ids = ExternalId.objects.filter(system=id_system, object=OBJECT, value__in=list(contacts))
    return set(ids.values_list("value", flat=True))


def told(deal: Record, contact: str, reader: Reader) -> list[Event]:
    """What one deal says of one contact: that it was made, and how it ended."""
    made = moment(deal.values.get("createdate")) or deal.changed_at
    moved = deal.since(STAGE) or made
    if made is None or moved is None:
        return []
    what = _opportunity(deal)
    found = [_event("created", deal, contact, made, what, reader)]
    if deal.values.get("hs_is_closed_won", "").lower() == "true":
        found.append(_event("won", deal, contact, moved, what, reader))
    elif deal.values.get("hs_is_closed", "").lower() == "true":
        found.append(_event("lost", deal, contact, moved, what, reader))
    return found


def _event(how: str, deal: Record, contact: str, at: datetime, what: dict[str, Any], reader: Reader) -> Event:
    name = f"deal/{deal.id}/{contact}/{how}"
    return reader.event(f"opportunity.{how}", name, at, contact, "", opportunity=what)


def _opportunity(deal: Record) -> dict[str, Any]:
    """The deal's number, amount and stage; an amount without its currency says nothing."""
    amount, currency = deal.values.get("amount", ""), deal.values.get("deal_currency_code", "")
    what: dict[str, Any] = {"external_id": deal.id, "stage": clean(deal.values.get(STAGE), 100)}
    if re.fullmatch(r"\d{1,15}(\.\d{1,2}0*)?", amount) and re.fullmatch(r"[A-Za-z]{3}", currency):
        what |= {"amount": amount, "currency": currency}
    return what
