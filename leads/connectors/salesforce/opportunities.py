"""Opportunities of Leads that were converted: that one was made, and how it ended, each told once.

Owns which Opportunity belongs to which Lead, and when what happened. Only of Leads that are known here: an
org has many Opportunities that no lead of ours led to. Decides nothing about a handoff. Sources: the object
references of Lead and Opportunity; there is no call that converts a Lead, so that is observed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from leads.connectors.mapping import Map
from leads.connectors.salesforce import soql
from leads.connectors.salesforce.calling import Calls, Refusal
from leads.connectors.salesforce.people import Event, Reader, amount, clean
from leads.connectors.salesforce.records import STAMP, Row, asked, is_id, rows
from leads.connectors.salesforce.usual import OBJECT, moment
from leads.models import ExternalId

TABLE = "Opportunity"
CURRENCY = "CurrencyIsoCode"
FIELDS = ("Id", "Amount", "StageName", "IsWon", "IsClosed", "CreatedDate", "IsDeleted", STAMP)
# A conversion has a date alone, in the org's own time zone: by then the day is over everywhere.
_DAY = timedelta(hours=36)


def fields(calls: Calls, reader: Reader) -> list[str]:
    """The fields that are read: each Opportunity's own currency only where no one currency was stated, and
    where the org has several. Raises Refusal."""
    if reader.currency:
        return list(FIELDS)
    try:
        list(calls.query(f"SELECT Id, {CURRENCY} FROM {TABLE} LIMIT 1"))  # noqa: S608
    except Refusal as refusal:
        if refusal.code != "INVALID_FIELD":
            raise
        return list(FIELDS)
    return [*FIELDS, CURRENCY]


def of_leads(calls: Calls, reader: Reader, converted: Sequence[Row]) -> list[Event]:
    """What became of these converted Leads. Raises Refusal."""
    ids = [row.opportunity for row in converted if is_id(row.opportunity)]
    found: dict[str, dict[str, Any]] = {}
    if ids:
        names = ", ".join(fields(calls, reader))
        for condition in soql.within("Id", ids):
            query = f"SELECT {names} FROM {TABLE} WHERE {condition}"  # noqa: S608
            found |= {str(one["Id"])[:15]: one for one in calls.query(query)}
    events: list[Event] = []
    for row in converted:
        there = found.get(row.opportunity[:15])
        if there is not None:
            events += told(there, row, reader)
        elif not row.opportunity and (at := converted_at(row)) is not None:
            title = f"Lead converted in {reader.name} without an opportunity"
            events.append(reader.happened(row, f"converted/{row.id}", at, title))
    return events


def changed(calls: Calls, reader: Reader, mapping: Map, given: Iterable[dict[str, Any]]) -> list[Event]:
    """What these Opportunities say of Leads that are known here. Raises Refusal."""
    by_id = {str(one.get("Id"))[:15]: one for one in given if not one.get("IsDeleted")}
    names = ", ".join(asked(mapping))
    leads: list[Row] = []
    for condition in soql.within("ConvertedOpportunityId", [str(one["Id"]) for one in by_id.values()]):
        query = f"SELECT {names} FROM {OBJECT} WHERE {condition}"  # noqa: S608
        leads += rows(list(calls.query(query)))
    ours = known({row.id for row in leads}, reader.id_system)
    events: list[Event] = []
    for row in leads:
        if row.id in ours:
            events += told(by_id[row.opportunity[:15]], row, reader)
    return events


def known(ids: Collection[str], id_system: str) -> set[str]:
    """Of these Leads those of leads that are known here."""
    found = ExternalId.objects.filter(system=id_system, object=OBJECT, value__in=list(ids))
    return set(found.values_list("value", flat=True))


def told(opportunity: dict[str, Any], row: Row, reader: Reader) -> list[Event]:
    """What one Opportunity says of one Lead: that it was made, and how it ended. The event's id has no time:
    told again it is the same."""
    made, moved = converted_at(row), moment(opportunity.get(STAMP))
    if made is None:
        return []
    key = str(opportunity["Id"])
    what = {"opportunity": _said(opportunity, reader.currency)}
    name = f"opportunity/{key}/{row.id}"
    found = [reader.event("opportunity.created", f"{name}/created", made, row, what, once=True)]
    if opportunity.get("IsClosed"):
        how = "won" if opportunity.get("IsWon") else "lost"
        at = max(moved or made, made)
        found.append(reader.event(f"opportunity.{how}", f"{name}/{how}", at, row, what, once=True))
    return found


def converted_at(row: Row) -> datetime | None:
    """When it was converted: it is not written afterwards, but for what the org itself does with it, and then
    the day of its conversion bounds it. None for one that never was."""
    if not row.is_converted or row.changed_at is None:
        return None
    try:
        day = datetime.fromisoformat(str(row.values.get("ConvertedDate"))[:10]).replace(tzinfo=UTC)
    except ValueError:
        return row.changed_at
    return min(row.changed_at, day + _DAY)


def _said(opportunity: dict[str, Any], currency: str) -> dict[str, Any]:
    """Its number, amount and stage; an amount without its currency says nothing."""
    code = currency or clean(opportunity.get(CURRENCY), 3)
    what: dict[str, Any] = {
        "external_id": str(opportunity["Id"]),
        "stage": clean(opportunity.get("StageName"), 100),
    }
    if opportunity.get("Amount") is None or not re.fullmatch(r"[A-Za-z]{3}", code):
        return what
    try:
        return {**what, "amount": amount(opportunity["Amount"]), "currency": code.upper()}
    except ValueError:
        return what
