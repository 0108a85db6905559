"""HubSpot's search: filters, sorts, pages, and its lag behind the writes.

Operators, body and paging [V]; 200 a page, 10,000 results a query, eventual consistency, no rate headers [2].
A search sees the records as they were `search_lag` seconds ago, also when it filters by `lastmodifieddate`
[2]. At most 5 groups, 6 filters a group, 18 in all: the lower of what the documentation says in different
places.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.doubles.clock import unix
from tests.doubles.hubspot import objects, refusals
from tests.doubles.records import Record
from tests.doubles.wire import Answer, Refused, answer

if TYPE_CHECKING:
    from tests.doubles.hubspot.portal import HubSpot

LIMIT, DEEPEST = 200, 10_000
GROUPS, PER_GROUP, FILTERS = 5, 6, 18
Seen = tuple[Record, dict[str, Any]]
Value = tuple[int, float, str]
Test = Callable[[Seen], bool]
COMPARE: dict[str, Callable[[Value, Value], bool]] = {
    "EQ": operator.eq,
    "LT": operator.lt,
    "LTE": operator.le,
    "GT": operator.gt,
    "GTE": operator.ge,
}
NEGATIVE = {"NOT_IN": "IN", "NOT_HAS_PROPERTY": "HAS_PROPERTY", "NOT_CONTAINS_TOKEN": "CONTAINS_TOKEN"}
OPERATORS = {*COMPARE, *NEGATIVE, *NEGATIVE.values(), "NEQ", "BETWEEN"}


def search(hubspot: HubSpot, kind: str, body: dict[str, Any]) -> Answer:
    """Answer `POST .../search`. Raises Refused."""
    groups = body.get("filterGroups") or ([{"filters": body["filters"]}] if body.get("filters") else [])
    _check(hubspot, kind, groups)
    limit, after = _number(body, "limit", 10), _number(body, "after", 0)
    if not 0 <= limit <= LIMIT:
        raise Refused(refusals.invalid(f"limit must be between 0 and {LIMIT}"))
    if after + limit > DEEPEST:
        raise Refused(refusals.invalid(f"You have reached the limit of {DEEPEST} results of a search"))
    tests = _tests(groups)
    visible = _visible(hubspot, kind, groups)
    found = [seen for seen in visible if any(all(test(seen) for test in group) for group in tests)]
    query = str(body.get("query") or "").lower()
    if query:
        found = [seen for seen in found if any(query in str(value).lower() for value in seen[1].values())]
    # Ties come by id, so that pages neither repeat nor miss.
    found.sort(key=lambda seen: int(seen[0].id))
    for sort in reversed(body.get("sorts") or []):
        name, down = _sort(sort)
        found.sort(key=lambda seen: _value(seen, name) or (-1, 0, ""), reverse=down)
    wanted = [str(name) for name in body.get("properties") or []]
    page = found[after : after + limit]
    shown: dict[str, Any] = {
        "total": len(found),
        "results": [objects.shown(kind, record, wanted, values) for record, values in page],
    }
    if after + limit < len(found) and page:
        shown["paging"] = {"next": {"after": str(after + limit), "link": "?after=" + str(after + limit)}}
    return answer(200, shown)


def _visible(hubspot: HubSpot, kind: str, groups: list[dict[str, Any]]) -> list[Seen]:
    """The records a search can see, as it sees them."""
    book, lag = hubspot.books[kind], hubspot.search_lag
    if not lag:
        return [(record, record.values) for record in _candidates(hubspot, kind, groups)]
    horizon = hubspot.clock.now() - lag
    # Nor is it seen yet that a record is gone.
    there = (record for record in book.all.values() if not record.deleted or record.touched > horizon)
    seen = ((record, record.as_of(horizon)) for record in there)
    return [(_as_it_was(record, horizon), values) for record, values in seen if values is not None]


def _candidates(hubspot: HubSpot, kind: str, groups: list[dict[str, Any]]) -> list[Record]:
    """All living records, or the few that an index gives for a single EQ or IN."""
    book = hubspot.books[kind]
    if len(groups) == 1:
        for one in groups[0].get("filters", []):
            if one.get("propertyName") in book.indexed and one.get("operator") in ("EQ", "IN"):
                values = one["values"] if one["operator"] == "IN" else [one["value"]]
                found = {
                    record.id: record
                    for value in values
                    for record in book.having(one["propertyName"], value)
                }
                return list(found.values())
    return list(book)


def _as_it_was(record: Record, at: float) -> Record:
    """The record with the modification time that a search sees."""
    times = [write.at for write in record.history if write.at <= at]
    return Record(record.id, record.created, modified=times[-1] if times else None)


def _check(hubspot: HubSpot, kind: str, groups: Any) -> None:
    if not isinstance(groups, list) or not all(isinstance(g, dict) and "filters" in g for g in groups):
        raise Refused(refusals.invalid("Invalid input JSON: filterGroups must be a list of {filters}"))
    filters = [one for group in groups for one in group["filters"]]
    deepest = max((len(group["filters"]) for group in groups), default=0)
    if len(groups) > GROUPS or deepest > PER_GROUP or len(filters) > FILTERS:
        raise Refused(refusals.invalid(f"At most {GROUPS} groups of {PER_GROUP} filters, {FILTERS} in all"))
    for one in filters:
        name, how = one.get("propertyName"), one.get("operator")
        if name not in hubspot.properties[kind]:
            raise Refused(refusals.invalid(f"There was a problem with the request: no property {name!r}"))
        if how not in OPERATORS:
            raise Refused(refusals.invalid(f"Invalid operator {how!r}"))
        needs = {"IN": "values", "NOT_IN": "values", "HAS_PROPERTY": "", "NOT_HAS_PROPERTY": ""}.get(
            how, "value"
        )
        if needs and needs not in one:
            raise Refused(refusals.invalid(f"operator {how} needs {needs}"))


def _tests(groups: list[dict[str, Any]]) -> list[list[Test]]:
    """A record is found when every test of any group holds; without groups always."""
    return [[_test(one) for one in group["filters"]] for group in groups] or [[]]


def _test(one: dict[str, Any]) -> Test:
    """A filter as a test. A record without a value meets none but the negative ones."""
    name, how = one["propertyName"], one["operator"]
    if how in COMPARE:
        compare, against = COMPARE[how], _comparable(str(one["value"]))
        return lambda seen: (value := _value(seen, name)) is not None and compare(value, against)
    if how == "NEQ":
        return _negated(_test({**one, "operator": "EQ"}))
    if how == "BETWEEN":
        low, high = _comparable(str(one["value"])), _comparable(str(one["highValue"]))
        return lambda seen: (value := _value(seen, name)) is not None and low <= value <= high
    if how == "IN":
        among = {_comparable(str(value)) for value in one["values"]}
        return lambda seen: _value(seen, name) in among
    if how == "HAS_PROPERTY":
        return lambda seen: _value(seen, name) is not None
    if how == "CONTAINS_TOKEN":
        part = str(one["value"]).strip("*").lower()
        return lambda seen: part in objects.value_of(seen[0], name, seen[1]).lower()
    return _negated(_test({**one, "operator": NEGATIVE[how]}))


def _negated(test: Test) -> Test:
    return lambda seen: not test(seen)


def _value(seen: Seen, name: str) -> Value | None:
    """A property's value, made comparable; None for none."""
    record, values = seen
    moment = objects.moment_of(record, name)
    if moment is not None:
        return (0, int(moment * 1000), "")
    text = objects.value_of(record, name, values)
    return _comparable(text) if text else None


def _comparable(value: str) -> Value:
    """Numbers and times by size (a time in milliseconds, as in a filter), the rest as text without case."""
    try:
        return (0, float(value), "")
    except ValueError:
        pass
    moment = unix(value) if value[:4].isdigit() and "-" in value else None
    return (0, round(moment * 1000), "") if moment is not None else (1, 0.0, value.lower())


def _sort(sort: Any) -> tuple[str, bool]:
    if isinstance(sort, dict):
        return str(sort.get("propertyName")), sort.get("direction") == "DESCENDING"
    return str(sort).removeprefix("-"), str(sort).startswith("-")


def _number(body: dict[str, Any], name: str, default: int) -> int:
    value = body.get(name)
    try:
        return default if value in (None, "") else int(value)
    except (TypeError, ValueError):
        raise Refused(refusals.invalid(f"{name} must be a number")) from None
