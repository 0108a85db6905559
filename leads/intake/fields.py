"""Last write wins, field by field: what an event may change on a lead or a company.

Owns the merge of facts: older never overwrites newer, omitted means unchanged, null clears, a
placeholder never overwrites a real value. Changes rows in memory; never saves, never looks anything up.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from leads import identity, preflight
from leads.choices import ActivityKind, size_band
from leads.intake.schema import CompanyIn, EventIn, LeadIn, SourceIn
from leads.models import Company, Lead

LEAD_FIELDS = (
    "first_name", "last_name", "job_title", "phone", "country_code", "region", "postal_code", "timezone",
    "language", "linkedin_url",
)  # fmt: skip
COMPANY_FIELDS = ("name", "website", "industry", "country_code", "technologies")
# Where forms are filled with "test" and "-". Elsewhere such words can be real: ME is Montenegro.
GUARDED = frozenset({"first_name", "last_name", "name", "job_title", "industry"})
UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "referrer", "landing_page")
# Senders choose the names of custom fields; a row is kept from growing for ever.
MOST_FIELDS = 400


def set_field(row: Lead | Company, name: str, value: Any, at: datetime, words: frozenset[str]) -> bool:
    """Set one field unless a newer fact stands there; whether anything changed. Ties: the later received."""
    stamp = at.isoformat()
    if row.field_times.get(name, "") > stamp:
        return False
    before = getattr(row, name)
    fake = name in GUARDED and value and preflight.is_placeholder(value, words)
    if fake and before and not preflight.is_placeholder(before, words):
        return False
    row.field_times[name] = stamp
    if before == value:
        return False
    setattr(row, name, value)
    return True


def set_entry(lead: Lead, column: str, key: str, value: Any, at: datetime) -> bool:
    """The same for one entry of a mapping (`custom`, `attribution`); None takes it away."""
    entries: dict[str, Any] = getattr(lead, column)
    name, stamp = f"{column}.{key}", at.isoformat()
    if lead.field_times.get(name, "") > stamp:
        return False
    if name not in lead.field_times and len(lead.field_times) >= MOST_FIELDS:
        return False
    lead.field_times[name] = stamp
    if entries.get(key) == value and type(entries.get(key)) is type(value):
        return False
    if value is None:
        del entries[key]
    else:
        entries[key] = value
    return True


def apply_lead(lead: Lead, event: EventIn, at: datetime, words: frozenset[str]) -> set[str]:
    """Write the event's facts about the person; the names of the fields that changed."""
    given: LeadIn = event.data.lead
    changed = set()
    for name in LEAD_FIELDS:
        if name in given.model_fields_set and set_field(lead, name, getattr(given, name) or "", at, words):
            changed.add(name)
    if given.consent is not None:
        # Null says nothing here: a refusal is taken back by an explicit false only.
        for name in ("email_opt_out", "do_not_call"):
            value = getattr(given.consent, name)
            if value is not None and set_field(lead, name, value, at, words):
                changed.add(name)
    # Whoever unsubscribes says so by themselves, at that moment; told again it is no news.
    for moment in _unsubscribed(event, at):
        if set_field(lead, "email_opt_out", True, moment, words):
            changed.add("email_opt_out")
    if "custom" in given.model_fields_set:
        entries = dict.fromkeys(lead.custom) if given.custom is None else given.custom
        if sum(set_entry(lead, "custom", key, value, at) for key, value in entries.items()):
            changed.add("custom")
    if event.data.source is not None:
        changed |= _apply_source(lead, event.data.source, at, words)
    if changed & {"first_name", "last_name"}:
        lead.name_key = identity.name_key(lead.first_name, lead.last_name)
    if changed & {"phone", "country_code"}:
        lead.phone_key = identity.phone_key(lead.phone, lead.country_code)
    return changed


def _unsubscribed(event: EventIn, at: datetime) -> list[datetime]:
    """When the person unsubscribed, by this event's activities; never later than the event counts from."""
    kind = ActivityKind.UNSUBSCRIBE
    return [min(given.occurred_at or at, at) for given in event.data.activities if given.kind == kind]


def _apply_source(lead: Lead, given: SourceIn, at: datetime, words: frozenset[str]) -> set[str]:
    changed = set()
    for name, field in (("lead_source", "lead_source"), ("channel", "channel"), ("campaign", "utm_campaign")):
        if field in given.model_fields_set and set_field(lead, name, getattr(given, field) or "", at, words):
            changed.add(name)
    for name in UTM:
        if name in given.model_fields_set and set_entry(
            lead, "attribution", name, getattr(given, name) or None, at
        ):
            changed.add("attribution")
    return changed


def apply_company(company: Company, given: CompanyIn, at: datetime, words: frozenset[str]) -> set[str]:
    """Write the event's facts about the company; the names of the fields that changed."""
    changed = set()

    def put(name: str, value: Any) -> bool:
        if not set_field(company, name, value, at, words):
            return False
        changed.add(name)
        return True

    stated = given.model_fields_set
    for name in COMPANY_FIELDS:
        if name in stated:
            put(name, getattr(given, name) or ([] if name == "technologies" else ""))
    if "news" in stated:
        put("news", [item.model_dump() for item in given.news or []])
    if "employee_count" in stated and put("employee_count", given.employee_count) and given.employee_count:
        put("size_band", size_band(given.employee_count))
    if "size_band" in stated:
        put("size_band", given.size_band or size_band(company.employee_count or 0))
    if "annual_revenue" in stated:
        revenue = given.annual_revenue
        put("revenue_amount", revenue.amount if revenue else None)
        # One fact in two columns: the currency follows whichever amount stands.
        if company.field_times["revenue_amount"] == at.isoformat():
            put("revenue_currency", revenue.currency if revenue else "")
    if "name" in changed:
        company.name_key = company_key(company.name, words)
        company.account_key = identity.account_key(company.name) if company.name_key else ""
    return changed


def company_key(name: str | None, words: frozenset[str]) -> str:
    """The key a company without a domain is found by; "" for a name that names nobody."""
    return "" if not name or preflight.is_placeholder(name, words) else identity.text_key(name)[:300]
