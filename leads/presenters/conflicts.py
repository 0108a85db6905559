"""What two systems say differently of one person, as it is read: a line on their page, a row of the list.

Owns the words, and finding what we say of a field by its name. Whoever is not shown personal data gets
neither value of what is a person's own. Pure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from leads.mapping_form import LABELS
from leads.models import FieldConflict, Lead
from leads.presenters import people, times
from leads.presenters.signals import cut

LONGEST, HOUR = 80, timedelta(hours=1)
PERSONAL = "lead."
_CONSENT, _CUSTOM = "lead.consent.", "lead.custom."
_YES = {True: "yes", False: "no"}


@dataclass(frozen=True, slots=True)
class Line:
    """`says` is the sentence behind the field's name; `ours` and `theirs` the two values in it, "" where
    they are not shown; `settled` when it was, "" for one that stands."""

    field: str
    says: str
    owner: str
    other: str
    ours: str
    theirs: str
    when: str
    exact: str
    who: str
    lead: int
    settled: str = ""


def line(row: FieldConflict, lead: Lead, now: datetime, *, personal: bool) -> Line:
    """A conflict with its owner and its other system loaded; `lead` with its company."""
    is_shown = personal or not row.field.startswith(PERSONAL)
    ours, theirs = (said(ours_of(lead, row.field)), said(row.value)) if is_shown else ("", "")
    owner, other = cut(row.owner.name, LONGEST), cut(row.other.name, LONGEST)
    says = f"Handoff and {other} say different things"
    if is_shown:
        says = f"Handoff says {ours or 'nothing'}, {other} says {theirs or 'nothing'}"
    return Line(
        field=label(row.field),
        says=f"{says}.",
        owner=owner,
        other=other,
        ours=ours,
        theirs=theirs,
        when=_ago(now - row.said_at),
        exact=times.exact(row.said_at, now),
        who=people.name_of(lead, personal=personal),
        lead=lead.pk,
        settled=times.day(row.settled_at, now) if row.settled_at else "",
    )


def _ago(span: timedelta) -> str:
    """How long ago, in whole hours from one hour on."""
    return f"{times.length(span - span % HOUR if span > HOUR else span)} ago"


def label(field: str) -> str:
    """A field by its name in words: "lead.phone" is "Phone"."""
    name = field.rpartition(".")[2].replace("_", " ")
    return LABELS.get(field) or cut(name[:1].upper() + name[1:], LONGEST)


def ours_of(lead: Lead, field: str) -> Any:
    """What we say of a field; None for nothing."""
    if field.startswith(_CONSENT):
        return getattr(lead, field.removeprefix(_CONSENT), None)
    if field.startswith(_CUSTOM):
        return lead.custom.get(field.removeprefix(_CUSTOM))
    part, _, name = field.partition(".")
    return getattr(lead.company if part == "company" else lead, name, None)


def said(value: Any) -> str:
    """A value as one reads it: 2,340; yes; a text of at most `LONGEST`. Kept ones are JSON where they are no
    text."""
    if isinstance(value, str):
        try:
            read = json.loads(value)
        except (ValueError, RecursionError):
            read = None
        # A text that looks like a number is one only in writing: +49, 007 and 1e5 stay as they are.
        is_written = isinstance(read, bool) or (isinstance(read, int) and str(read) == value)
        value = read if is_written else value
    if isinstance(value, bool):
        return _YES[value]
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < 10**12 else str(value)
    return cut(str(value), LONGEST) if value is not None else ""
