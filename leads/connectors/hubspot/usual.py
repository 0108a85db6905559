"""What is usual in HubSpot: the properties that a contact has, and what they say at each status of ours.

Owns the default mapping by role and the order of lifecycle stages. A connection keeps only what it has
chosen otherwise. Calls nobody. Sources: the status table of the notes on integrations; the custom handoff_
properties are ours and are made by the account's admin.

HubSpot has no stage for "accepted by sales". So that no list for marketing-qualified leads goes on mailing
somebody whom a rep has, a contact in sales' hands is at its next stage, salesqualifiedlead; what exactly
sales did stands in hs_lead_status and in handoff_status.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from leads.connectors.mapping import Map, merged, values
from leads.models import Connection
from leads.outbox import Wanted
from leads.outbox.wanted import Status

STAGE, LEAD_STATUS, OWNER = "lifecyclestage", "hs_lead_status", "hubspot_owner_id"
MQL = "marketingqualifiedlead"
STAGES = (
    "subscriber", "lead", MQL, "salesqualifiedlead", "opportunity", "customer", "evangelist", "other"
)  # fmt: skip
# Fields of the Lead object go by this and their own name.
LEADS = "leads."
LEAD_STAGE = f"{LEADS}hs_pipeline_stage"
EXTERNAL_ID = "handoff_external_id"

_STATUSES: Mapping[Status, tuple[str, str, str]] = {
    Status.PENDING: (MQL, "NEW", "new-stage-id"),
    Status.ACCEPTED: ("salesqualifiedlead", "OPEN", "new-stage-id"),
    Status.CONTACTED: ("salesqualifiedlead", "ATTEMPTED_TO_CONTACT", "attempting-stage-id"),
    Status.DEFERRED: ("salesqualifiedlead", "BAD_TIMING", "attempting-stage-id"),
    Status.REJECTED: ("lead", "UNQUALIFIED", "unqualified-stage-id"),
    Status.OPPORTUNITY: ("opportunity", "OPEN_DEAL", "qualified-stage-id"),
    Status.DISQUALIFIED: ("other", "UNQUALIFIED", "unqualified-stage-id"),
    Status.CLOSED: ("lead", "", "unqualified-stage-id"),
}
_FIELDS = {
    "handoff_id": "handoff_id",
    "revision": "handoff_revision",
    "status": "handoff_status",
    "reason": "handoff_reason",
    "deferred_until": "handoff_deferred_until",
    "first_contact_at": "handoff_first_contact_at",
    "changed_at": "handoff_updated_at",
}
# Names of score properties are the account's own, so there are none to begin with.
_FACTS = {
    "lead.email": "email",
    "lead.first_name": "firstname",
    "lead.last_name": "lastname",
    "lead.job_title": "jobtitle",
    "lead.phone": "phone",
    "lead.country_code": "country",
    "company.name": "company",
    "company.domain": "website",
    "company.industry": "industry",
    "company.employee_count": "numemployees",
    "company.annual_revenue": "annualrevenue",
    "source.lead_source": "hs_analytics_source",
}
# As the CRM; as the marketing platform alone it is told nothing of who holds the lead.
USUAL = Map(
    fields={**_FIELDS, "owner": OWNER},
    statuses={
        str(status): {STAGE: stage, LEAD_STATUS: lead_status, LEAD_STAGE: lead_stage}
        for status, (stage, lead_status, lead_stage) in _STATUSES.items()
    },
    facts=_FACTS,
)
USUAL_AS_MAP = replace(USUAL, fields=_FIELDS)
# Of a contact that is made anew: what HubSpot neither works out itself nor takes from a list of its own.
WRITTEN_ANEW = (
    "lead.email", "lead.first_name", "lead.last_name", "lead.job_title", "lead.phone", "lead.country_code",
    "company.name", "company.domain",
)  # fmt: skip
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_NUMBERS = ("handoff_id", "revision", "opportunity_amount")


def mapping_of(connection: Connection) -> Map:
    """A connection's mapping: what is usual in its role, with what it has chosen otherwise. Without the
    option of the Lead object nothing of one is in it."""
    usual = USUAL_AS_MAP if connection.role == Connection.Role.MAP else USUAL
    found = merged(usual, connection.mapping)
    if connection.options.get("lead_object"):
        return found
    statuses = {
        status: {name: value for name, value in wanted.items() if not name.startswith(LEADS)}
        for status, wanted in found.statuses.items()
    }
    return replace(found, statuses=statuses)


def expected(wanted: Wanted, mapping: Map) -> dict[str, str]:
    """What the record should say, by HubSpot's names, in the form in which it is compared."""
    return {name: as_compared(name, value, mapping) for name, value in values(wanted, mapping).items()}


def as_compared(name: str, value: Any, mapping: Map) -> str:
    """A value in one form, whether it comes from us or from HubSpot: times to the second, numbers without
    needless zeros, "" for none."""
    text = "" if value is None else str(value)
    if _TIME.fullmatch(text):
        return f"{text[:19]}Z"
    if text and name in {mapping.fields.get(ours) for ours in _NUMBERS}:
        try:
            return format(Decimal(text).normalize(), "f")
        except InvalidOperation:
            return text
    return text


def steps_back(there: str, wanted: str) -> bool:
    """Whether a stage must be cleared before it is set. Stages of the account's own have no known order, so
    they always are."""
    if not there or not wanted or there == wanted:
        return False
    if there in STAGES and wanted in STAGES:
        return STAGES.index(wanted) < STAGES.index(there)
    return True
