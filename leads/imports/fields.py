"""What a column can be read as: each field with its label and its place in an event of intake.

Owns that list. How a value is written is `leads.imports.cells`; which heading usually means what is
`leads.imports.guessing`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from leads.imports import cells

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its code, what it is called, under which heading it is offered, where it goes in an event's
    data, and how its cell is read. Without a path the row as a whole is told (`leads.imports.mapping`)."""

    code: str
    label: str
    group: str
    path: Path = ()
    read: Callable[[str], Any] = cells.text
    is_moment: bool = False


def _several(group: str, *fields: tuple[Any, ...]) -> list[Field]:
    return [Field(code, label, group, *rest) for code, label, *rest in fields]


PERSON, COMPANY, SCORE = "Person", "Company", "Score"
CAME, DID, ROW = "Where they come from", "What they did", "The row itself"

_ALL = [
    *_several(
        PERSON,
        ("email", "E-mail", ("lead", "email"), cells.email),
        ("first_name", "First name", ("lead", "first_name")),
        ("last_name", "Last name", ("lead", "last_name")),
        ("full_name", "Full name"),
        ("job_title", "Job title", ("lead", "job_title")),
        ("phone", "Phone", ("lead", "phone")),
        ("country", "Country", ("lead", "country_code"), cells.country),
        ("region", "Region or state", ("lead", "region")),
        ("postal_code", "Postal code", ("lead", "postal_code")),
        ("timezone", "Time zone", ("lead", "timezone")),
        ("language", "Language", ("lead", "language")),
        ("linkedin_url", "LinkedIn page", ("lead", "linkedin_url")),
        ("email_opt_out", "Wants no e-mail", ("lead", "consent", "email_opt_out"), cells.yes),
        ("do_not_call", "Wants no calls", ("lead", "consent", "do_not_call"), cells.yes),
        ("record_id", "Record id (finds the same person again)", ("lead", "external_ids")),
        ("custom", "Custom field, under the heading's name", ("lead", "custom")),
    ),
    *_several(
        COMPANY,
        ("company", "Company name", ("company", "name")),
        ("domain", "Company domain", ("company", "domain")),
        ("website", "Website", ("company", "website")),
        ("industry", "Industry", ("company", "industry")),
        ("employees", "Employees, a number or a band", ("company", "employee_count"), cells.employees),
        ("revenue", "Annual revenue", ("company", "annual_revenue", "amount"), cells.money),
        ("currency", "Currency of the revenue", ("company", "annual_revenue", "currency")),
        ("company_country", "Country of the company", ("company", "country_code"), cells.country),
        ("technologies", "Technologies", ("company", "technologies"), cells.names),
    ),
    *_several(
        SCORE,
        ("score", "Score, total", ("score", "total"), cells.whole),
        ("score_fit", "Score, fit", ("score", "fit", "score"), cells.whole),
        ("score_intent", "Score, intent", ("score", "intent", "score"), cells.whole),
        ("score_behavior", "Score, behavior", ("score", "behavior", "score"), cells.whole),
        ("scored_at", "Scored at", ("score", "scored_at"), cells.text, True),
    ),
    *_several(
        CAME,
        ("lead_source", "Lead source", ("source", "lead_source")),
        ("channel", "Channel", ("source", "channel")),
        ("utm_source", "UTM source", ("source", "utm_source")),
        ("utm_medium", "UTM medium", ("source", "utm_medium")),
        ("utm_campaign", "UTM campaign", ("source", "utm_campaign")),
        ("utm_term", "UTM term", ("source", "utm_term")),
        ("utm_content", "UTM content", ("source", "utm_content")),
        ("referrer", "Referrer", ("source", "referrer")),
        ("landing_page", "Landing page", ("source", "landing_page")),
    ),
    *_several(
        DID,
        ("trigger", "Trigger (hands the row over)", ("trigger", "kind"), cells.trigger),
        ("trigger_reason", "Reason of the trigger", ("trigger", "reason")),
        ("triggered_at", "When it triggered", ("trigger", "occurred_at"), cells.text, True),
        ("activity", "Activity", ("activities", "0", "kind"), cells.activity),
        ("activity_title", "Title of the activity", ("activities", "0", "title")),
        ("activity_at", "When they did it", ("activities", "0", "occurred_at"), cells.text, True),
    ),
    *_several(
        ROW,
        ("event_id", "Row id (a row that came before is skipped)"),
        ("as_of", "Facts as of", (), cells.text, True),
    ),
]
FIELDS: dict[str, Field] = {field.code: field for field in _ALL}
# These may be said of several columns.
REPEATABLE = frozenset({"custom"})


def groups() -> list[tuple[str, list[Field]]]:
    """The fields under their headings, as they are offered."""
    found: dict[str, list[Field]] = {}
    for field in _ALL:
        found.setdefault(field.group, []).append(field)
    return list(found.items())
