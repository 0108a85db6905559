"""Whether a rep's no still holds: what each reason speaks of, and what would have to change first.

Owns the mark of those facts that a rejection keeps, and the words for whoever is passed over. A lead never
goes back to somebody who rejected it for a reason that still holds: a wrong title holds until the title
changes, a company that does not fit until the company does, bad timing until its date. Pure; never moves
anything, and who gets the lead instead is the walk's (`routing.rotation`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from leads.choices import LeadType, NextStep
from leads.models import Lead, Rejection
from routing import rotation

# How long a no without any facts to look at holds against a later handoff of the lead.
HOLDS_FOR = timedelta(days=90)
TIMING = "timing"


@dataclass(frozen=True)
class Speaks:
    """Columns of the lead that a reason speaks of ("company." for its company's), and how they are called."""

    columns: tuple[str, ...]
    called: str


_COMPANY = ("company_id", "company.stage")
_FIRMOGRAPHICS = (
    "company.industry", "company.size_band", "company.employee_count", "company.revenue_amount",
    "company.country_code", "country_code",
)  # fmt: skip
_PERSON = ("first_name", "last_name", "email_key", "job_title")
ABOUT: Mapping[str, Speaks] = {
    "wrong_title": Speaks(("job_title",), "the title"),
    "wrong_person": Speaks(_PERSON, "the person"),
    "competitor": Speaks(_COMPANY, "the company"),
    "existing_customer": Speaks(_COMPANY, "the company"),
    "not_icp": Speaks(
        (*_COMPANY, *_FIRMOGRAPHICS),
        "the company",
    ),
    "out_of_territory": Speaks(
        ("country_code", "region", "postal_code", "company_id", "company.country_code"), "the place"
    ),
    "student_or_jobseeker": Speaks((*_PERSON, "company_id"), "the person"),
}


def mark(code: str, lead: Lead) -> str:
    """A mark of the facts that this reason speaks of as they are now; "" for a reason that speaks of none.
    Not the facts themselves, which may be personal. The lead's company is loaded."""
    about = ABOUT.get(code)
    if about is None:
        return ""
    values = [_value(lead, column) for column in about.columns]
    return hashlib.blake2b(json.dumps(values).encode(), digest_size=16).hexdigest()


def _value(lead: Lead, column: str) -> str:
    name = column.removeprefix("company.")
    row = lead if name == column else lead.company
    value = getattr(row, name) if row is not None else None
    return "" if value is None else " ".join(str(value).split()).casefold()


def holding(
    rejections: Iterable[Rejection], lead: Lead, handoff_id: int | None, lead_type: str, now: datetime | None
) -> dict[int, str]:
    """Who must not get this lead, and why in words. `rejections` are those of all its handoffs, the reasons
    loaded, in order; without `now` a date never passes."""
    found: dict[int, str] = {}
    for rejection in rejections:
        if rejection.by_id is None:
            continue
        if why := _why(rejection, lead, handoff_id, lead_type, now):
            found[rejection.by_id] = f"{rotation.REJECTED}: {rejection.reason.label.lower()}, {why}"
    return found


def _why(
    rejection: Rejection, lead: Lead, handoff_id: int | None, lead_type: str, now: datetime | None
) -> str:
    """Why this one still holds; "" when it does not."""
    # Who sent it back for wrong data may get it again: an open report holds the handoff itself.
    if rejection.undone_at is not None or rejection.next_step == NextStep.COMPLETION:
        return ""
    code = rejection.reason.code
    if rejection.seen and code in ABOUT:
        about = ABOUT[code].called
        return f"and {about} is the same" if mark(code, lead) == rejection.seen else ""
    is_own = rejection.handoff_id == handoff_id
    if code == TIMING and lead_type == LeadType.DEMO and not is_own:
        # Who asks for a conversation has said that the time is right.
        return ""
    until = rejection.until
    if until is None and not is_own:
        until = rejection.at + max(timedelta(days=rejection.reason.cool_off_days), HOLDS_FOR)
    if until is None:
        return "and nothing has changed"
    return "" if now is not None and until <= now else f"until {until:%Y-%m-%d}"
