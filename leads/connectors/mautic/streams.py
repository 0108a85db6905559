"""Polling Mautic: contacts that were changed or made since last time, page by page, none passed over.

Owns the cursor. Mautic drops webhooks, so what they would have told is read again. Two streams, for a contact
that was never changed has no time of change; each goes on from a moment, never from an offset, because rows
move while one reads; more changes in one second than a page has are read by id. Never writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from leads.connectors.client import Unreachable
from leads.connectors.mautic import contacts
from leads.connectors.mautic.calls import Caller, entries

# How far each poll looks back behind what it has seen: a change carries the time of its beginning, and is
# seen when it was committed.
OVERLAP = timedelta(minutes=2)
STREAMS = ("dateModified", "dateAdded")
ORDER = {"dateModified": "date_modified", "dateAdded": "date_added"}


@dataclass(frozen=True, slots=True)
class Page:
    """What one call brought, and where to go on. `is_more` is False once both streams are at their end."""

    contacts: list[dict[str, Any]]
    cursor: dict[str, Any]
    is_more: bool


def page(caller: Caller, cursor: Mapping[str, Any], now: datetime, size: int, days: int) -> Page:
    """The next page after this cursor ({} for the first time: from so many days ago on). Raises Unreachable.

    The cursor holds for each stream `since` (to which everything is known) and, within a poll, `at` (the
    moment to go on from) with `after` (the id within that second); `stream` is the one being read.
    """
    name = cursor.get("stream") or STREAMS[0]
    mine: dict[str, Any] = dict(cursor.get(name, {}))
    since = contacts.moment(mine.get("since")) or now - timedelta(days=days)
    at = contacts.moment(mine.get("at")) or since - OVERLAP
    after = mine.get("after")
    found = _read(caller, name, at, after, size)
    if len(found) < size and after is None:
        # The end: from here on the next poll goes on.
        newest = max([since, *(moment for one in found if (moment := _moment(one, name)))])
        stream = STREAMS[STREAMS.index(name) + 1] if name != STREAMS[-1] else ""
        kept = {**cursor, name: {"since": contacts.stamp(newest)}, "stream": stream}
        return Page(found, kept, bool(stream))
    mine |= {"since": contacts.stamp(since)}
    if len(found) < size:
        # That second is read to its end.
        mine |= {"at": contacts.stamp(at + timedelta(seconds=1)), "after": None}
    else:
        last = _moment(found[-1], name) or at
        if after is None and last > at:
            mine |= {"at": contacts.stamp(last), "after": None}
        elif after is None:
            # A page of one second alone: it is read by id, from the first.
            mine |= {"at": contacts.stamp(at), "after": 0}
            found = []
        else:
            mine |= {"at": contacts.stamp(at), "after": max(int(contacts.id_of(one)) for one in found)}
    return Page(found, {**cursor, name: mine, "stream": name}, True)


def _read(caller: Caller, name: str, at: datetime, after: int | None, size: int) -> list[dict[str, Any]]:
    """One page of a stream: from a moment on by time, or of that very second by id."""
    conditions = [(name, "gte", _bare(at))]
    order = ORDER[name]
    if after is not None:
        conditions = [(name, "eq", _bare(at)), ("id", "gt", str(after))]
        order = "id"
    params = {"start": "0", "limit": str(size), "orderBy": order, "orderByDir": "ASC"}
    for number, (column, expression, value) in enumerate(conditions):
        params |= {
            f"where[{number}][col]": column,
            f"where[{number}][expr]": expression,
            f"where[{number}][val]": value,
        }
    answer = caller.get("/contacts", params)
    if not isinstance(answer, dict) or "contacts" not in answer:
        raise Unreachable("/contacts answered without contacts.")
    found = entries(answer["contacts"])
    # An object keyed by id has no order that could be relied on.
    return sorted(found, key=lambda one: (_moment(one, name) or at, int(contacts.id_of(one))))


def _moment(contact: Mapping[str, Any], name: str) -> datetime | None:
    return contacts.moment(contact.get(name))


def _bare(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
