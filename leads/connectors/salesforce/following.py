"""Polling Salesforce: rows that were written since last time, oldest first, page by page, none passed over.

Owns the cursor: the moment and the id of the last row, since many rows may bear one moment. The next poll
begins well before this one did (`OVERLAP`): a row bears the time of its writing and is seen when the whole
call is committed, which may last ten minutes there. Deleted and merged rows are read as well. Sources:
Salesforce's "SystemModstamp" and "QueryAll"; the longest call by its list of limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from leads.connectors.salesforce import soql
from leads.connectors.salesforce.calling import Calls
from leads.connectors.salesforce.records import STAMP, is_id
from leads.connectors.salesforce.usual import moment

PAGE = 200
OVERLAP = timedelta(minutes=12)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of rows, and the cursor after it. `is_last` of its object in this poll."""

    rows: Sequence[dict[str, Any]]
    cursor: Mapping[str, Any]
    is_last: bool


def page(
    calls: Calls,
    table: str,
    fields: Sequence[str],
    cursor: Mapping[str, Any],
    now: datetime,
    days: int,
    size: int = PAGE,
) -> Page:
    """The next page of an object after its cursor ({}: from so many days ago on). Raises Refusal.

    The cursor holds `at`, the moment to go on from, and `id`, the last row of that moment that was read ("":
    none yet); and, in the middle of a poll, when that `began` and from where on (`since`).
    """
    at = moment(cursor.get("at")) or now - timedelta(days=days)
    began = moment(cursor.get("began")) or now
    since = moment(cursor.get("since")) or at
    last = str(cursor.get("id") or "")
    found = _read(calls, table, fields, at, last, size)
    if len(found) < size:
        # Never behind where this one began: a clock that was set back must not begin it all anew.
        return Page(found, {"at": soql.moment(max(since, began - OVERLAP))}, True)
    end = found[-1]
    after = {
        "at": soql.moment(moment(end.get(STAMP)) or at),
        "id": str(end.get("Id") or ""),
        "began": soql.moment(began),
        "since": soql.moment(since),
    }
    return Page(found, after, False)


def _read(
    calls: Calls, table: str, fields: Sequence[str], at: datetime, last: str, size: int
) -> list[dict[str, Any]]:
    when = soql.moment(at)
    condition = f"{STAMP} >= {when}"
    if is_id(last):
        condition = f"({STAMP} > {when} OR ({STAMP} = {when} AND Id > {soql.text(last)}))"
    query = (
        f"SELECT {', '.join(fields)} FROM {table} WHERE {condition} "  # noqa: S608
        f"ORDER BY {STAMP}, Id LIMIT {size}"
    )
    return list(calls.query(query, deleted=True))
