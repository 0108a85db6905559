"""Last write wins, field by field: what an event may change on a lead or a company.

Owns the merge of facts: older never overwrites newer, omitted means unchanged, null clears, a
placeholder never overwrites a real value. Changes rows in memory; never saves, never looks anything up.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from leads import identity, preflight
from leads.choices import size_band
from leads.intake.schema import CompanyIn, EventIn, LeadIn, SourceIn
from leads.models import Company, Lead

LEAD_FIELDS = (
    "first_name", "last_name", "job_title", "phone", "country_code", "region", "postal_code", "timezone",
    "language", "linkedin_url",
)  # fmt: skip
COMPANY_FIELDS = ("name", "website", "industry", "country_code", "technologies")
NAMES = frozenset({"first_name", "last_name", "name"})
UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "referrer", "landing_page")


def set_field(row: Lead | Company, name: str, value: Any, at: datetime, words: frozenset[str]) -> bool:
    """Set one field unless a newer fact stands there; whether anything changed. Ties: the later received."""
    stamp = at.isoformat()
    if row.field_times.get(name, "") > stamp:
        return False
    before = getattr(row, name)
    fake = name in NAMES and isinstance(value, str) and preflight.is_placeholder(value, words)
    if fake and before and not preflight.is_placeholder(before, words):
        return False
    row.field_times[name] = stamp
    if before == value:
        return False
    setattr(row, name, value)
    return True


def apply_lead(lead: Lead, event: EventIn, at: datetime, words: frozenset[str]) -> set[str]:
    """Write the event's facts about the person; the names of the fields that changed."""
    given: LeadIn = event.data.lead
    changed = set()
    for name in LEAD_FIELDS:
        if name in given.model_fields_set and set_field(lead, name, getattr(given, name) or "", at, words):
            changed.add(name)
    if given.consent is not None:
        for name in ("email_opt_out", "do_not_call"):
            value = getattr(given.consent, name)
            if value is not None and set_field(lead, name, value, at, words):
                changed.add(name)
    if given.custom:
        for key, value in given.custom.items():
            stamp = f"custom.{key}"
            if lead.field_times.get(stamp, "") <= at.isoformat() and lead.custom.get(key) != value:
                lead.custom[key] = value
                lead.field_times[stamp] = at.isoformat()
                changed.add("custom")
    if event.data.source is not None:
        changed |= _apply_source(lead, event.data.source, at, words)
    if changed & {"first_name", "last_name"}:
        lead.name_key = identity.name_key(lead.first_name, lead.last_name)
    if changed & {"phone", "country_code"}:
        lead.phone_key = identity.phone_key(lead.phone, lead.country_code)
    return changed


def _apply_source(lead: Lead, given: SourceIn, at: datetime, words: frozenset[str]) -> set[str]:
    changed = set()
    for name, field in (("lead_source", "lead_source"), ("channel", "channel"), ("campaign", "utm_campaign")):
        if field in given.model_fields_set and set_field(lead, name, getattr(given, field) or "", at, words):
            changed.add(name)
    attribution = {name: getattr(given, name) for name in UTM if getattr(given, name)}
    if attribution and set_field(lead, "attribution", {**lead.attribution, **attribution}, at, words):
        changed.add("attribution")
    return changed


def apply_company(company: Company, given: CompanyIn, at: datetime, words: frozenset[str]) -> set[str]:
    """Write the event's facts about the company; the names of the fields that changed."""
    changed = set()
    for name in COMPANY_FIELDS:
        if name in given.model_fields_set:
            empty: Any = [] if name == "technologies" else ""
            if set_field(company, name, getattr(given, name) or empty, at, words):
                changed.add(name)
    if "news" in given.model_fields_set:
        news = [item.model_dump() for item in given.news or []]
        if set_field(company, "news", news, at, words):
            changed.add("news")
    count = given.employee_count
    if "employee_count" in given.model_fields_set and set_field(company, "employee_count", count, at, words):
        changed.add("employee_count")
        if count and set_field(company, "size_band", size_band(count), at, words):
            changed.add("size_band")
    if given.size_band and set_field(company, "size_band", given.size_band, at, words):
        changed.add("size_band")
    if "annual_revenue" in given.model_fields_set:
        revenue = given.annual_revenue
        amount, currency = (revenue.amount, revenue.currency) if revenue else (None, "")
        if set_field(company, "revenue_amount", amount, at, words):
            company.revenue_currency = currency
            changed |= {"revenue_amount", "revenue_currency"}
    if "name" in changed:
        company.name_key = identity.text_key(company.name)[:300]
    return changed
