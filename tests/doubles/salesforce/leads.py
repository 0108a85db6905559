"""What may be written into a lead, and how one looks.

Required LastName and Company [V]; read-only conversion fields and SystemModstamp [V]; Status from the org's
picklist [V], never a converted one by update [R]; converted leads refuse updates [R]; id and external id not
in the body [V]; DUPLICATES_DETECTED when the org's duplicate rule is on, unless the header allows saving [R].
The `Handoff_..__c` fields are the customer's own, made beforehand.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.doubles.records import Record
from tests.doubles.salesforce.refusals import CONVERTED, DUPLICATE, Trouble
from tests.doubles.wire import Call

if TYPE_CHECKING:
    from tests.doubles.salesforce.org import Salesforce

EXTERNAL_ID = "Handoff_Id__c"
WRITABLE = {
    "LastName", "FirstName", "Company", "Email", "Phone", "MobilePhone", "Title", "Website", "Industry",
    "AnnualRevenue",
    "NumberOfEmployees", "LeadSource", "Rating", "Status", "OwnerId", "HasOptedOutOfEmail", "DoNotCall",
    "Description",
    "Country", "State", "City", "PostalCode", "Street", "CurrencyIsoCode",
    EXTERNAL_ID, "Handoff_Status__c", "Handoff_Reason__c", "Handoff_Deferred_Until__c",
    "Handoff_First_Contact_At__c",
    "Handoff_Number__c", "Handoff_Revision__c", "Handoff_Note__c",
}  # fmt: skip
READ_ONLY = {
    "Id", "IsDeleted", "Name", "IsConverted", "ConvertedDate", "ConvertedAccountId", "ConvertedContactId",
    "ConvertedOpportunityId", "CreatedDate", "LastModifiedDate", "LastModifiedById", "CreatedById",
    "SystemModstamp",
    "MasterRecordId", "LastActivityDate",
}  # fmt: skip
NUMBERS = {"AnnualRevenue", "NumberOfEmployees", "Handoff_Number__c", "Handoff_Revision__c"}
MOMENTS = {"CreatedDate": "created", "SystemModstamp": "touched", "LastModifiedDate": "touched"}
DATES = {"Handoff_Deferred_Until__c", "Handoff_First_Contact_At__c"}
REQUIRED = ("LastName", "Company")
# Name, whether it means converted, whether it is the first of a new lead.
STATUSES = (
    ("Open - Not Contacted", False, True),
    ("Working - Contacted", False, False),
    ("Closed - Converted", True, False),
    ("Closed - Not Converted", False, False),
)


def stamp(at: float) -> str:
    """`2026-03-10T10:00:00.000+0000`: Salesforce writes no colon in the offset."""
    moment = datetime.fromtimestamp(at, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+0000"


def field(record: Record, name: str) -> Any:
    """A field's value; what Salesforce keeps itself comes from the record."""
    values = record.values
    match name:
        case "Id":
            return record.id
        case "IsDeleted":
            return record.deleted
        case "MasterRecordId":
            return record.merged_into or None
        case "Name":
            return " ".join(filter(None, (values.get("FirstName"), values.get("LastName"))))
        case "IsConverted" | "HasOptedOutOfEmail" | "DoNotCall":
            return bool(values.get(name))
        case "CreatedDate":
            return stamp(record.created)
        case "SystemModstamp" | "LastModifiedDate":
            return stamp(record.touched)
    return values.get(name)


def comparable(record: Record, name: str) -> Any:
    """A field's value for a query: times as instants, to the millisecond as they are shown."""
    moment = MOMENTS.get(name)
    if moment:
        at = record.created if moment == "created" else record.touched
        return datetime.fromtimestamp(int(at * 1000) / 1000, UTC)
    return field(record, name)


def checked(
    org: Salesforce, record: Record | None, given: dict[str, Any], call: Call, by_external_id: bool
) -> dict[str, Any]:
    """The values that a write would leave. Raises Trouble."""
    values = {name: value for name, value in given.items() if name != "attributes"}
    for name in ("Id", *((EXTERNAL_ID,) if by_external_id else ())):
        if name in values:
            raise Trouble(
                400,
                "INVALID_FIELD",
                f"The {name} field should not be specified in the sobject data.",
                (name,),
            )
    unknown = [name for name in values if name not in org.writable and name not in READ_ONLY]
    if unknown:
        raise Trouble(400, "INVALID_FIELD", f"No such column '{unknown[0]}' on sobject of type Lead")
    fixed = [name for name in values if name in READ_ONLY]
    if fixed:
        words = f"Unable to create/update fields: {', '.join(fixed)}."
        raise Trouble(400, "INVALID_FIELD_FOR_INSERT_UPDATE", words, tuple(fixed))
    for name, value in values.items():
        _check_type(name, value)
    if record is not None and record.values.get("IsConverted"):
        raise CONVERTED()
    merged = {**(record.values if record else {}), **values}
    missing = sorted(name for name in REQUIRED if not merged.get(name))
    if missing:
        raise Trouble(
            400,
            "REQUIRED_FIELD_MISSING",
            f"Required fields are missing: [{', '.join(missing)}]",
            tuple(missing),
        )
    _check_status(org, values)
    for rule in org.validation_rules:
        if rule["field"] in values and rule.get("value", values[rule["field"]]) == values[rule["field"]]:
            raise Trouble(
                400,
                "FIELD_CUSTOM_VALIDATION_EXCEPTION",
                rule.get("message", "A validation rule of this org refuses the change."),
                (rule["field"],),
            )
    if record is None:
        _check_duplicates(org, values, call)
        values = {
            "Status": next(name for name, _, first in org.statuses if first),
            "OwnerId": org.owner_id,
            **values,
        }
    return values


def _check_type(name: str, value: Any) -> None:
    if value is None:
        return
    if name in NUMBERS and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise Trouble(400, "JSON_PARSER_ERROR", f"Cannot deserialize instance of double from {value!r}")
    if name in DATES:
        try:
            datetime.fromisoformat(str(value))
        except ValueError:
            raise Trouble(
                400, "JSON_PARSER_ERROR", f"Cannot deserialize instance of datetime from {value!r}"
            ) from None
    if name not in NUMBERS | DATES and isinstance(value, str) and len(value) > 32_000:
        raise Trouble(400, "STRING_TOO_LONG", f"{name}: data value too large (max length=32000)", (name,))


def _check_status(org: Salesforce, values: dict[str, Any]) -> None:
    status = values.get("Status")
    if status is None:
        return
    known = {name: converted for name, converted, _ in org.statuses}
    if status not in known:
        words = f"Lead Status: bad value for restricted picklist field: {status}"
        raise Trouble(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", words, ("Status",))
    if known[status]:
        raise Trouble(
            400, "INVALID_STATUS", "A lead cannot be set to a converted status by update", ("Status",)
        )


def _check_duplicates(org: Salesforce, values: dict[str, Any], call: Call) -> None:
    email = values.get("Email")
    allowed = (
        "allowsave=true" in call.headers.get("sforce-duplicate-rule-header", "").replace(" ", "").lower()
    )
    if org.duplicate_rule and email and not allowed and org.leads.having("Email", email):
        raise DUPLICATE()


def shown(record: Record, names: list[str], kind: str = "Lead", version: str = "v68.0") -> dict[str, Any]:
    """A record with its attributes and the named fields."""
    attributes = {"type": kind, "url": f"/services/data/{version}/sobjects/{kind}/{record.id}"}
    return {"attributes": attributes, **{name: field(record, name) for name in names}}
