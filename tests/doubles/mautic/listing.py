"""Mautic's list of contacts: search, where, order, pages.

`{"total":"1","contacts":{"47":{...}}}`: the total is text, the contacts an object keyed by id, and an empty
one is {} or, by setting, [] as PHP gives an empty array [V, section 4 and 11]. `orderBy` takes
`date_modified` and `dateModified`; `where[0][col|expr|val]` compares times to the second, in UTC [V for the
parameters, R for the seconds]. A contact that was never changed has no `dateModified` and does not match.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.doubles.clock import unix
from tests.doubles.mautic import contacts, refusals
from tests.doubles.records import Record
from tests.doubles.wire import Answer, Call, Refused

if TYPE_CHECKING:
    from tests.doubles.mautic.instance import Mautic

WHERE = re.compile(r"where\[(\d+)\]\[(col|expr|val)\](?:\[\d*\])?")
USUAL = 30
DATES = {
    "datemodified": "modified",
    "dateadded": "created",
    "date_modified": "modified",
    "date_added": "created",
}
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: bool(a == b),
    "neq": lambda a, b: bool(a != b),
    "gt": lambda a, b: bool(a > b),
    "gte": lambda a, b: bool(a >= b),
    "lt": lambda a, b: bool(a < b),
    "lte": lambda a, b: bool(a <= b),
}


def listed(mautic: Mautic, call: Call) -> Answer:
    """Answer `GET /api/contacts`. Raises Refused."""
    query = call.query
    found = _searched(mautic, query.get("search", ""))
    for condition in conditions(call.pairs):
        found = [record for record in found if _holds(record, condition)]
    name = query.get("orderBy", "id").removeprefix("l.")
    down = query.get("orderByDir", "ASC").upper() == "DESC"
    found.sort(key=lambda record: int(record.id))
    found.sort(key=lambda record: _sortable(_value(record, name)), reverse=down)
    start, limit = _whole(query.get("start", "0")), _whole(query.get("limit", str(USUAL)))
    page = found[start : start + limit] if limit else found[start:]
    shown: Any = {record.id: contacts.shown(mautic, record) for record in page}
    if not shown and mautic.empty_lists:
        shown = []
    return refusals.reply(200, {"total": str(len(found)), "contacts": shown})


def conditions(pairs: list[tuple[str, str]]) -> list[dict[str, str]]:
    """The `where` of a query, in the order of its numbers."""
    found: dict[int, dict[str, str]] = {}
    for name, value in pairs:
        match = WHERE.fullmatch(name)
        if match:
            entry = found.setdefault(int(match[1]), {})
            # An `in` is given as several values.
            entry[match[2]] = f"{entry[match[2]]},{value}" if match[2] in entry else value
    return [found[number] for number in sorted(found)]


def _searched(mautic: Mautic, search: str) -> list[Record]:
    """By `email:x`, `ids:1,2`, `!is:anonymous`, or words anywhere."""
    word = search.strip()
    if not word or word == "!is:anonymous":
        return list(mautic.contacts)
    name, _, value = word.partition(":")
    if name == "email":
        exact = value.strip("'\"").lower()
        if "%" in exact or "*" in exact:
            part = exact.strip("%*")
            return [
                record for record in mautic.contacts if part in str(record.values.get("email") or "").lower()
            ]
        return mautic.contacts.having("email", exact)
    if name in ("id", "ids"):
        return [record for key in value.split(",") if (record := mautic.contacts.get(key.strip()))]
    if name in mautic.fields:
        return [r for r in mautic.contacts if str(r.values.get(name) or "").lower() == value.lower()]
    return [r for r in mautic.contacts if any(word.lower() in str(v).lower() for v in r.values.values())]


def _holds(record: Record, condition: dict[str, str]) -> bool:
    column, expression = condition.get("col", ""), condition.get("expr", "eq").lower()
    value: Any = _value(record, column)
    if expression in ("isnull", "isnotnull"):
        return (value is None) == (expression == "isnull")
    given = condition.get("val", "")
    if expression in ("in", "notin"):
        return (str(value) in given.split(",")) == (expression == "in")
    if expression == "like":
        return value is not None and given.strip("%").lower() in str(value).lower()
    if expression not in COMPARE:
        raise Refused(refusals.error(500, f"Unknown expression {expression}"))
    if value is None:
        return False
    if column.lower() in DATES:
        moment = unix(given)
        if moment is None:
            return False
        return COMPARE[expression](int(value), int(moment))
    if isinstance(value, int | float):
        return COMPARE[expression](value, float(given or 0))
    return COMPARE[expression](str(value).lower(), given.lower())


def _value(record: Record, column: str) -> Any:
    """A column's value, None for none."""
    if column.lower() in DATES:
        return getattr(record, DATES[column.lower()])
    return int(record.id) if column == "id" else record.values.get(column)


def _sortable(value: Any) -> tuple[int, float, str]:
    """Nothing first, as MySQL sorts null; times to the second."""
    if value is None:
        return (0, 0.0, "")
    return (1, float(int(value)), "") if isinstance(value, int | float) else (1, 0.0, str(value).lower())


def _whole(text: str) -> int:
    try:
        return max(0, int(text))
    except ValueError:
        raise Refused(refusals.error(400, f"{text} is no number")) from None


def second(at: float) -> str:
    """A time as `where` wants it: `2026-03-10 10:00:00` in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
