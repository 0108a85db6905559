"""Queries over the org: leads, users, opportunities, tasks, the statuses of a lead, in pages; and how Lead is
described.

`totalSize, done, nextRecordsUrl, records` [V, section 3]; the page's size by `Sforce-Query-Options:
batchSize=` [V]; a page is a snapshot of when the query was asked, and the last page ends its locator [R].
`queryAll` has the deleted rows too.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.doubles.records import Record
from tests.doubles.salesforce import leads, soql
from tests.doubles.salesforce.refusals import Trouble
from tests.doubles.wire import Call

if TYPE_CHECKING:
    from tests.doubles.salesforce.org import Salesforce

USER_FIELDS = ("Id", "Name", "Email", "Username", "IsActive", "UserType", "SystemModstamp")
OPPORTUNITY_FIELDS = (
    "Id", "Name", "Amount", "StageName", "CurrencyIsoCode", "IsWon", "IsClosed", "CloseDate", "OwnerId",
    "CreatedDate",
    "SystemModstamp", "LastModifiedDate", "IsDeleted",
)  # fmt: skip
TASK_FIELDS = (
    "Id", "WhoId", "Subject", "Description", "Status", "ActivityDate", "TaskSubtype", "CreatedDate",
)  # fmt: skip
STATUS_FIELDS = ("Id", "ApiName", "MasterLabel", "IsConverted", "IsDefault", "SortOrder")


def check_names(org: Salesforce, table: str, names: list[str]) -> None:
    """Raises Trouble INVALID_FIELD for a field that the object does not have."""
    known = {
        "Lead": org.writable | leads.READ_ONLY,
        "User": set(USER_FIELDS),
        "Opportunity": set(OPPORTUNITY_FIELDS),
        "LeadStatus": set(STATUS_FIELDS),
        "Task": set(TASK_FIELDS),
    }[table]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Trouble(400, "INVALID_FIELD", f"No such column '{unknown[0]}' on entity '{table}'.")


def query(org: Salesforce, call: Call, version: str, deleted: bool) -> dict[str, Any]:
    query = soql.Parser(call.query.get("q", "")).parse()
    rows = _rows(org, query.table, deleted)
    check_names(org, query.table, sorted(query.names))
    found = [row for row in rows if query.test(lambda name, row=row: leads.comparable(row, name))]  # type: ignore[misc]
    found.sort(key=lambda row: row.id)
    for name, down, last in reversed(query.order):
        found.sort(key=lambda row: _sortable(leads.comparable(row, name), last != down), reverse=down)
    found = found[query.offset :][: query.limit]
    if query.count:
        return {"totalSize": len(found), "done": True, "records": []}
    records = [leads.shown(row, query.fields, query.table, version) for row in found]
    size = re.search(r"batchSize=(\d+)", call.headers.get("sforce-query-options", ""))
    cursor = f"01g5e{next(org.counter):010d}"
    org.cursors[cursor] = (records, min(org.page_size, int(size[1]) if size else org.page_size))
    return next_page(org, "query", version, f"{cursor}-0")


def next_page(org: Salesforce, path: str, version: str, name: str) -> dict[str, Any]:
    cursor, _, start = name.partition("-")
    if cursor not in org.cursors or not start.isdigit():
        raise Trouble(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    records, size = org.cursors[cursor]
    end = int(start) + size
    page = {"totalSize": len(records), "done": end >= len(records), "records": records[int(start) : end]}
    if end < len(records):
        return {**page, "nextRecordsUrl": f"/services/data/{version}/{path}/{cursor}-{end}"}
    del org.cursors[cursor]
    return page


def _rows(org: Salesforce, table: str, deleted: bool) -> list[Record]:
    if table == "LeadStatus":
        rows = []
        for place, (name, converted, default) in enumerate(org.statuses, 1):
            values = {"ApiName": name, "MasterLabel": name, "IsConverted": converted, "IsDefault": default}
            rows.append(Record(f"01J5e{place:010d}AAA", 0.0, {**values, "SortOrder": place}))
        return rows
    books = {"Lead": org.leads, "User": org.users, "Opportunity": org.opportunities, "Task": org.tasks}
    if table not in books:
        raise Trouble(400, "INVALID_TYPE", f"sObject type '{table}' is not supported.")
    return list(books[table].all.values() if deleted else books[table])


def described(org: Salesforce) -> dict[str, Any]:
    """The fields of Lead, with the picklist of Status."""
    values = [
        {"value": name, "label": name, "active": True, "defaultValue": first}
        for name, _, first in org.statuses
    ]
    return {
        "name": "Lead",
        "fields": [
            {
                "name": name,
                "label": name,
                "updateable": name in org.writable,
                "custom": name.endswith("__c"),
                "externalId": name in org.external_ids,
                "type": "picklist" if name == "Status" else "string",
                "picklistValues": values if name == "Status" else [],
            }
            for name in sorted(org.writable | leads.READ_ONLY)
        ],
    }


def _sortable(value: Any, nothing_last: bool) -> tuple[bool, float, str]:
    """Numbers by size, text without case, nothing first unless it is to come last."""
    if value is None or value == "":
        return (nothing_last, 0.0, "")
    if isinstance(value, datetime):
        return (not nothing_last, value.timestamp(), "")
    if isinstance(value, int | float):
        return (not nothing_last, float(value), "")
    return (not nothing_last, 0.0, str(value).lower())
