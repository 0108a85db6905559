"""Polling HubSpot: what was changed since last time, oldest first, page by page, none passed over.

Owns the cursor, and the merges that a page shows. A search shows writes late, gives 10,000 results at most
and, read by offset, passes over what moves meanwhile. So every page begins where the last one ended, by time;
more changes of one millisecond than a page has are read by id; and the next poll begins well before this one
did (`OVERLAP`), since what was written just before it may not have been shown yet. Sources: HubSpot's guide
to search; its lag is second-hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from leads.connectors.hubspot.calling import Calls, objects
from leads.connectors.hubspot.finding import KIND, OBJECT
from leads.connectors.hubspot.records import MERGED, Record, millis, moment, parsed
from leads.models import ExternalId

PAGE = 100
# More than any lag that was reported, and than two clocks differ.
OVERLAP = timedelta(minutes=5)
_OVERLAP = OVERLAP // timedelta(milliseconds=1)
CHANGED = {"contacts": "lastmodifieddate", "deals": "hs_lastmodifieddate"}
ID = "hs_object_id"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of records that changed, as the search shows them, and the cursor after it. `is_last` of its
    object type in this poll."""

    records: Sequence[Record]
    cursor: Mapping[str, Any]
    is_last: bool


def page(calls: Calls, kind: str, cursor: Mapping[str, Any], now: datetime, days: int) -> Page:
    """The next page of an object type after its cursor ({}: from so many days ago on). Raises Refusal.

    The cursor holds `at`, the millisecond to go on from; `id`, while the changes of that very millisecond are
    read by id; and, in the middle of a poll, when that `began` and from where on (`since`).
    """
    at = int(cursor.get("at", millis(now - timedelta(days=days))))
    poll = {"began": int(cursor.get("began", millis(now))), "since": int(cursor.get("since", at))}
    within = cursor.get("id")
    found = _searched(calls, kind, at, within)
    if len(found) < PAGE and within is None:
        # Never behind where this one began: a clock that was set back must not begin it all anew.
        return Page(found, {"at": max(poll["since"], poll["began"] - _OVERLAP)}, True)
    if len(found) < PAGE:
        return Page(found, {**poll, "at": at + 1}, False)
    last = found[-1]
    if within is not None:
        return Page(found, {**poll, "at": at, "id": last.id}, False)
    reached = _changed(last, kind)
    if reached > at:
        return Page(found, {**poll, "at": reached}, False)
    return Page([], {**poll, "at": at, "id": "0"}, False)


def merges(records: Iterable[Record], id_system: str) -> list[tuple[str, list[str], datetime]]:
    """Of contacts that changed those that others went into whose leads are still others here, as no webhook
    has told: the id that is kept, the ids that went into it, and the latest moment of it."""
    joined = {record.id: record for record in records if record.merged}
    ids = {*joined, *(old for record in joined.values() for old in record.merged)}
    rows = ExternalId.objects.filter(system=id_system, object=OBJECT, value__in=ids) if ids else ()
    leads = {row.value: row.lead_id for row in rows}
    found = []
    for key, record in joined.items():
        gone = sorted(old for old in record.merged if leads.get(old, leads.get(key)) != leads.get(key))
        if gone and record.changed_at is not None:
            found.append((key, gone, record.changed_at))
    return found


def _searched(calls: Calls, kind: str, at: int, within: str | None) -> list[Record]:
    name = CHANGED[kind]
    filters = [{"propertyName": name, "operator": "GTE", "value": str(at)}]
    sort = name
    if within is not None:
        filters += [
            {"propertyName": name, "operator": "LTE", "value": str(at)},
            {"propertyName": ID, "operator": "GT", "value": within},
        ]
        sort = ID
    body = {
        "filterGroups": [{"filters": filters}],
        "sorts": [{"propertyName": sort, "direction": "ASCENDING"}],
        "properties": [name, *([MERGED] if kind == KIND else [])],
        "limit": PAGE,
    }
    found = [parsed(raw) for raw in calls.post(objects(kind, "search"), body).get("results") or ()]
    if within is not None:
        return sorted(found, key=lambda record: int(record.id))
    return sorted(found, key=lambda record: _changed(record, kind))


def _changed(record: Record, kind: str) -> int:
    at = moment(record.values.get(CHANGED[kind])) or record.changed_at
    return millis(at) if at else 0
