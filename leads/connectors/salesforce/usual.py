"""What is usual in Salesforce: the fields that a Lead has, and what they say at each status of ours. Pure.

Owns the default mapping, what a Lead that is made anew must say, and the one form in which values are
compared. A connection keeps only what it has chosen otherwise. Sources: the status table of the notes on
integrations; the Handoff_..__c fields are ours and are made by the org's admin.

No status of ours is a converted one there: a Lead is converted by a person, which we observe. So at an
opportunity Lead.Status is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from leads.connectors.mapping import Map
from leads.outbox import Wanted
from leads.outbox.wanted import Status

OBJECT = "Lead"
EXTERNAL_ID = "Handoff_Id__c"
STATUS, OWNER = "Status", "OwnerId"
OPEN, WORKING, CLOSED = "Open - Not Contacted", "Working - Contacted", "Closed - Not Converted"


def _status(name: str, status: str = "") -> dict[str, str]:
    return {"Handoff_Status__c": name, **({STATUS: status} if status else {})}


USUAL = Map(
    fields={
        # A revision counts within its handoff, so it says nothing without it.
        "handoff_id": "Handoff_Number__c",
        "revision": "Handoff_Revision__c",
        "reason": "Handoff_Reason__c",
        "owner": OWNER,
        "deferred_until": "Handoff_Deferred_Until__c",
        "first_contact_at": "Handoff_First_Contact_At__c",
    },
    statuses={
        Status.PENDING: _status("Pending", OPEN),
        Status.ACCEPTED: _status("Accepted", OPEN),
        Status.CONTACTED: _status("Contacted", WORKING),
        Status.DEFERRED: _status("Deferred", OPEN),
        Status.REJECTED: _status("Rejected", CLOSED),
        Status.OPPORTUNITY: _status("Opportunity"),
        Status.DISQUALIFIED: _status("Disqualified", CLOSED),
        Status.CLOSED: _status("Closed", CLOSED),
    },
    facts={
        "lead.email": "Email",
        "lead.first_name": "FirstName",
        "lead.last_name": "LastName",
        "lead.job_title": "Title",
        "lead.phone": "Phone",
        "lead.country_code": "Country",
        "company.name": "Company",
        "company.domain": "Website",
        "company.industry": "Industry",
        "company.employee_count": "NumberOfEmployees",
        "company.annual_revenue": "AnnualRevenue",
        "source.lead_source": "LeadSource",
    },
)
# Of a Lead that is made anew. Not the country: an org with its list of countries refuses other names.
WRITTEN_ANEW = (
    "lead.email", "lead.first_name", "lead.last_name", "lead.job_title", "lead.phone", "company.name",
    "company.domain", "company.industry", "source.lead_source",
)  # fmt: skip
# What stands in a field that Salesforce requires and of which we know nothing. It is no news when it comes
# back. Salesforce itself writes the same in such a case.
NOT_GIVEN = "[not provided]"
# How much Salesforce's own fields hold; whatever is longer is cut, an address is left out.
LONGEST = {
    "Email": 80, "FirstName": 40, "LastName": 80, "Title": 128, "Phone": 40, "Company": 255, "Website": 255,
    "Industry": 40, "LeadSource": 40,
}  # fmt: skip
_NUMBERS = ("revision", "handoff_id", "opportunity_amount")
_TIMES = ("deferred_until", "mql_at", "accepted_at", "first_contact_at", "changed_at")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)")


def person(want: Wanted, mapping: Map) -> dict[str, str]:
    """What a Lead that is made anew says of the person: the facts we know, and a name and a company for
    certain. Without a company's name its domain stands for it."""
    found = {}
    for ours in WRITTEN_ANEW:
        theirs, value = mapping.facts.get(ours, ""), want.facts.get(ours, "")
        most = LONGEST.get(theirs, 255)
        if theirs and value and (theirs != "Email" or len(value) <= most):
            found[theirs] = value[:most]
    found.setdefault("LastName", NOT_GIVEN)
    found.setdefault("Company", want.facts.get("company.domain", "")[:255] or NOT_GIVEN)
    return found


def moment(value: Any) -> datetime | None:
    """A time as Salesforce writes it (its offset has no colon); None for none, and for a bare date."""
    text = str(value or "")
    if not _TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def as_compared(name: str, value: Any, mapping: Map) -> str:
    """A value in one form, whether it comes from us or from Salesforce: times to the second, numbers without
    needless zeros, "" for none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if name in _theirs(mapping, _TIMES) and (at := moment(text)) is not None:
        return at.strftime("%Y-%m-%dT%H:%M:%SZ")
    if text and name in _theirs(mapping, _NUMBERS):
        try:
            return format(Decimal(text).normalize(), "f")
        except InvalidOperation:
            return text
    return text


def as_sent(name: str, text: str, mapping: Map) -> Any:
    """A compared value as JSON: null for none, numbers as numbers."""
    if text == "":
        return None
    if name in _theirs(mapping, _NUMBERS):
        number = Decimal(text)
        return int(number) if number == number.to_integral_value() else float(number)
    return text


def _theirs(mapping: Map, ours: tuple[str, ...]) -> set[str]:
    return {theirs for name in ours if (theirs := mapping.fields.get(name, ""))}


def converted(mapping: Map) -> Mapping[str, str]:
    """The status values that a converted Lead stands for, whatever they were left at."""
    return mapping.statuses.get(str(Status.OPPORTUNITY), {})
