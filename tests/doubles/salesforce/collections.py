"""Many leads in one call: upserts, updates, reads.

At most 200 records of one type, results in the order of the request, HTTP 200 whatever becomes of the items;
`allOrNone` rolls all back; a missing row of a read is null [V, section 3]. The same external id twice in one
call fails both [R]. Past 200 the call is refused [V for the limit, R for the code].
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.doubles.records import API, Record
from tests.doubles.salesforce import leads, queries
from tests.doubles.salesforce.refusals import NO_MATCH, ROLLED_BACK, TROUBLES, Trouble
from tests.doubles.wire import Answer, Call, answer

if TYPE_CHECKING:
    from tests.doubles.salesforce.org import Salesforce

LIMIT, READ_LIMIT = 200, 2000
Plan = tuple[Record | None, dict[str, Any]]


def write(org: Salesforce, call: Call, body: dict[str, Any], external: str, insert: bool = False) -> Answer:
    """Upsert by the external id field, update by Id when `external` is "", or insert. Raises Trouble."""
    records = body.get("records")
    if not isinstance(records, list) or not all(isinstance(item, dict) for item in records):
        raise Trouble(400, "JSON_PARSER_ERROR", "records must be a list of objects")
    if len(records) > LIMIT:
        raise Trouble(
            400, "EXCEEDED_MAX_SIZE_REQUEST", f"record count limit of {LIMIT} exceeded: {len(records)}"
        )
    if any((item.get("attributes") or {}).get("type") != "Lead" for item in records):
        raise Trouble(400, "INVALID_TYPE", "every record needs attributes with the type Lead")
    twice = {str(key) for key, times in Counter(item.get(external) for item in records).items() if times > 1}
    plans = [_planned(org, call, index, item, external, insert, twice) for index, item in enumerate(records)]
    failed = any(isinstance(plan, Trouble) for plan in plans)
    if failed and body.get("allOrNone"):
        return answer(200, [(p if isinstance(p, Trouble) else ROLLED_BACK()).item() for p in plans])
    return answer(200, [p.item() if isinstance(p, Trouble) else _done(org, p, external) for p in plans])


def read(org: Salesforce, ids: list[str], names: list[str], version: str) -> Answer:
    """The records of these ids, null where there is none. Raises Trouble."""
    if len(ids) > READ_LIMIT:
        raise Trouble(400, "EXCEEDED_MAX_SIZE_REQUEST", f"record count limit of {READ_LIMIT} exceeded")
    queries.check_names(org, "Lead", names)
    found = [org.leads.get(org.long_id(key)) for key in ids]
    # A merged lead's id leads nowhere here: only a query with deleted rows shows its MasterRecordId.
    return answer(
        200,
        [
            leads.shown(record, names, version=version) if record and record.id == org.long_id(key) else None
            for key, record in zip(ids, found, strict=True)
        ],
    )


def _planned(
    org: Salesforce,
    call: Call,
    index: int,
    item: dict[str, Any],
    external: str,
    insert: bool,
    twice: set[str],
) -> Plan | Trouble:
    """What one item would do, or why it will not."""
    spoilt = call.spoils(index, item)
    if spoilt:
        return TROUBLES[spoilt]()
    try:
        return _plan(org, call, item, external, insert, twice)
    except Trouble as trouble:
        return trouble


def _plan(
    org: Salesforce,
    call: Call,
    item: dict[str, Any],
    external: str,
    insert: bool,
    twice: set[str],
) -> Plan:
    if insert:
        return None, leads.checked(org, None, item, call, by_external_id=False)
    if not external:
        living = org.living(str(item.get("Id") or item.get("id") or ""))
        values = {name: value for name, value in item.items() if name not in ("Id", "id")}
        return living, leads.checked(org, living, values, call, by_external_id=False)
    key = item.get(external)
    if not key:
        raise Trouble(400, "MISSING_ARGUMENT", f"{external} not specified", (external,))
    if str(key) in twice:
        raise Trouble(400, "DUPLICATE_EXTERNAL_ID", f"Duplicate external id specified: {key}", (external,))
    found = org.leads.having(external, key)
    if len(found) > 1:
        raise Trouble(
            400, "DUPLICATE_EXTERNAL_ID", f"More than one record found for external id field: {key}"
        )
    record = found[0] if found else None
    values = {name: value for name, value in item.items() if name != external}
    return record, {external: key, **leads.checked(org, record, values, call, by_external_id=True)}


def _done(org: Salesforce, plan: Plan, external: str) -> dict[str, Any]:
    found, values = plan
    made = found is None
    record = found or org.leads.add(org.next_id("00Q"), values, API)
    if not made:
        org.leads.write(record, values, API)
    result: dict[str, Any] = {"id": record.id, "success": True, "errors": []}
    return {**result, "created": made} if external else result


def matched(org: Salesforce, external: str, key: str) -> list[Record]:
    """The living leads with that external id. Raises Trouble for a field that is no external id."""
    if external not in org.external_ids:
        raise NO_MATCH()
    return org.leads.having(external, key)
