"""Properties of HubSpot's objects, and what writing them refuses.

Values are strings, "" clears [V]. `lifecyclestage` goes forward only unless it was cleared by a write before
[V]; whether a step back is ignored or refused is a setting, as the notes leave it open. `hs_lead_status` has
the portal's options [2]. The stages' names are [R]; that unknown properties and options are refused, and how,
is [R]. From 2026-09 the account's validation rules hold on API writes too [V].
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.doubles.hubspot import refusals
from tests.doubles.wire import Refused

STAGES = (
    "subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer",
    "evangelist", "other",
)  # fmt: skip
LEAD_STATUSES = (
    "NEW", "OPEN", "IN_PROGRESS", "OPEN_DEAL", "UNQUALIFIED", "ATTEMPTED_TO_CONTACT", "CONNECTED",
    "BAD_TIMING",
)  # fmt: skip
LEAD_STAGES = (
    "new-stage-id", "attempting-stage-id", "connected-stage-id", "qualified-stage-id", "unqualified-stage-id"
)  # fmt: skip
FIELD_TYPES = {"number": "number", "datetime": "date"}
READ_ONLY = frozenset({"hs_object_id", "createdate", "lastmodifieddate", "hs_lastmodifieddate"})


@dataclass
class Property:
    """One property; `options` are the values it takes, empty for free text."""

    name: str
    label: str = ""
    type: str = "string"
    options: list[str] = field(default_factory=list)
    unique: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "label": self.label or self.name,
            "type": self.type,
            "fieldType": "select" if self.options else FIELD_TYPES.get(self.type, "text"),
            "groupName": "contactinformation",
            "description": "",
            "options": [
                {"label": value.title(), "value": value, "displayOrder": place, "hidden": False}
                for place, value in enumerate(self.options)
            ],
            "hasUniqueValue": self.unique,
            "hidden": False,
            "archived": False,
            "modificationMetadata": {"readOnlyValue": self.name in READ_ONLY, "readOnlyDefinition": False},
        }  # fmt: skip


def _texts(names: str) -> list[Property]:
    return [Property(name) for name in names.split()]


def _numbers(names: str) -> list[Property]:
    return [Property(name, type="number") for name in names.split()]


HANDOFF = [
    Property("handoff_external_id", "Handoff id", unique=True),
    Property("handoff_id", type="number"),
    Property("handoff_revision", type="number"),
    Property("handoff_deferred_until", type="datetime"),
    Property("handoff_first_contact_at", type="datetime"),
    Property("handoff_updated_at", type="datetime"),
    *_texts("handoff_status handoff_reason handoff_note"),
]
COMMON = [
    Property("hs_object_id", type="number"),
    Property("createdate", type="datetime"),
    Property("hs_lastmodifieddate", type="datetime"),
    *_texts("hubspot_owner_id hs_merged_object_ids"),
]


def first() -> dict[str, dict[str, Property]]:
    """The properties of a new portal: object type, name, property."""
    contacts = [
        *COMMON,
        *HANDOFF,
        Property("email"),
        Property("lastmodifieddate", type="datetime"),
        Property("lifecyclestage", type="enumeration", options=list(STAGES)),
        Property("hs_lead_status", type="enumeration", options=list(LEAD_STATUSES)),
        *_numbers("fit_score engagement_score hubspotscore annualrevenue"),
        *_texts(
            "firstname lastname jobtitle phone mobilephone company website numemployees industry country"
            " state city zip hs_language hs_timezone hs_analytics_source hs_analytics_source_data_1"
            " hs_analytics_source_data_2 hs_latest_source hs_additional_emails hs_email_optout"
            " associatedcompanyid hs_linkedin_url recent_conversion_event_name recent_conversion_date"
        ),
    ]
    leads = [
        *COMMON,
        *HANDOFF,
        Property("hs_pipeline_stage", type="enumeration", options=list(LEAD_STAGES)),
        *_texts("hs_lead_name hs_lead_type hs_lead_label hs_pipeline hs_lead_disqualification_reason"),
    ]
    companies = [
        *COMMON,
        *_texts("name domain numberofemployees annualrevenue industry country website lifecyclestage"),
    ]
    deals = [
        *COMMON,
        *_texts("dealname dealstage pipeline closedate hs_is_closed_won hs_is_closed deal_currency_code"),
        *_numbers("amount"),
    ]
    notes = [*COMMON, Property("hs_timestamp", type="datetime"), Property("hs_note_body")]
    every = {"contacts": contacts, "companies": companies, "leads": leads, "deals": deals, "notes": notes}
    return {kind: {prop.name: prop for prop in props} for kind, props in every.items()}


def checked(
    known: dict[str, Property], given: Any, was: dict[str, Any], rules: list[dict[str, Any]], backward: str
) -> dict[str, str]:
    """What of the given properties is written; a step back of the stage is left out when it is to be ignored.

    Raises Refused with 400 VALIDATION_ERROR.
    """
    if not isinstance(given, dict):
        raise Refused(refusals.invalid("Invalid input JSON: properties must be an object"))
    problems = []
    values: dict[str, str] = {}
    for name, value in given.items():
        text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        problem = _problem(known.get(name), name, text, rules)
        if problem:
            problems.append(problem)
        elif name == "lifecyclestage" and _steps_back(was.get(name), text):
            if backward == "reject":
                problems.append(_wrong(name, f"{text} is before {was[name]}", "INVALID_LIFECYCLE_STAGE"))
        else:
            values[name] = text.lower() if name == "email" else text
    if problems:
        words = f"Property values were not valid: {json.dumps(problems)}"
        raise Refused(
            refusals.invalid(words, errors=[{"message": p["message"], "code": p["error"]} for p in problems])
        )
    return values


def _steps_back(was: str | None, to: str) -> bool:
    return bool(was and to) and was in STAGES and to in STAGES and STAGES.index(to) < STAGES.index(was)


def _problem(
    prop: Property | None, name: str, text: str, rules: list[dict[str, Any]]
) -> dict[str, Any] | None:
    if prop is None:
        return _wrong(name, f'Property "{name}" does not exist', "PROPERTY_DOESNT_EXIST")
    if name in READ_ONLY:
        return _wrong(name, f'"{name}" is a read only property; its value cannot be set.', "READ_ONLY_VALUE")
    if text and prop.options and text not in prop.options:
        return _wrong(name, f"{text} was not one of the allowed options: {prop.options}", "INVALID_OPTION")
    if text and prop.type == "number" and not _is_number(text):
        return _wrong(name, f"{text} was not a valid number.", "INVALID_LONG")
    for rule in rules:
        if rule["property"] == name and rule.get("value", text) == text:
            return _wrong(
                name, rule.get("message", "A validation rule refuses the value."), "VALIDATION_RULE"
            )
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _wrong(name: str, message: str, code: str) -> dict[str, Any]:
    return {
        "isValid": False,
        "message": message,
        "error": code,
        "name": name,
        "localizedErrorMessage": message,
    }
