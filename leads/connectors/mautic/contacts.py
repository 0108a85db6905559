"""One contact of Mautic read: its fields, what it says of the person, and the record as it stands there.

Owns the shape of the object (fields by group or flat, `[]` where nothing is, ids as numbers or text) and the
form in which its values are compared. Pure: calls nobody and knows no row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from leads.connectors.base import Seen
from leads.connectors.mapping import Map
from leads.imports import cells

OBJECT = "contact"
STAGE, TAGS, OWNER = "stage", "tags", "owner"
# Of ours, those whose fields there hold a time or a whole number.
_TIMES = ("deferred_until", "mql_at", "accepted_at", "first_contact_at", "changed_at")
_NUMBERS = ("revision", "handoff_id")
# What the intake takes of each, at most.
_LONGEST = {"lead.email": 320, "lead.phone": 60}
LONGEST = 2000
MOST_EMPLOYEES = 100_000_000
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]|\r(?!\n)")
# Reasons of "do not contact": 1 they unsubscribed, 2 it bounced, 3 somebody set it.
REFUSALS = frozenset({1, 3})


def id_of(contact: Mapping[str, Any]) -> str:
    """Its id as text; "" for none."""
    return str(contact.get("id") or "")


def flat(contact: Mapping[str, Any]) -> dict[str, Any]:
    """Its fields' values by alias, those of the core groups and `points` alike."""
    found: dict[str, Any] = {}
    groups = contact.get("fields")
    for name, group in groups.items() if isinstance(groups, dict) else ():
        for alias, entry in group.items() if isinstance(group, dict) else ():
            if name == "all":
                found.setdefault(alias, entry)
            else:
                found[alias] = entry.get("value") if isinstance(entry, dict) else entry
    if "points" in contact:
        found["points"] = contact["points"]
    return found


def email_of(contact: Mapping[str, Any]) -> str:
    return clean(flat(contact).get("email"), 320)


def moment(value: Any) -> datetime | None:
    """A time as Mautic writes it, with an offset or bare (then UTC); None for none."""
    if isinstance(value, dict):
        # PHP's own form of a time.
        value = value.get("date")
    if not isinstance(value, str) or not value.strip():
        return None
    try:
        found = datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if 1990 <= found.year < 2200 else None


def changed_at(contact: Mapping[str, Any]) -> datetime | None:
    """When it was last changed; a contact that never was has only the time when it was made."""
    return moment(contact.get("dateModified")) or moment(contact.get("dateAdded"))


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clean(value: Any, most: int = LONGEST) -> str:
    """Text that the intake takes: trimmed, bounded, without control characters."""
    if value is None or isinstance(value, dict | list):
        return ""
    return _CONTROLS.sub(" ", str(value)).strip()[:most]


def seen(contact: Mapping[str, Any], mapping: Map) -> Seen:
    """The record as it stands there, by the fields that are mapped, in the form that `expected` has."""
    values, owner, stage = flat(contact), contact.get("owner"), contact.get("stage")
    names = dict.fromkeys([*(name for name in mapping.fields.values() if name), *mapping.status_fields])
    times = {mapping.fields.get(name) for name in _TIMES} - {"", None}
    numbers = {mapping.fields.get(name) for name in _NUMBERS} - {"", None}
    found: dict[str, str] = {}
    for name in names:
        if name == STAGE:
            found[name] = clean(stage.get("name")) if isinstance(stage, dict) else ""
        elif name == TAGS:
            found[name] = shown_tags(tags_of(contact) & our_tags(mapping))
        elif name == OWNER:
            found[name] = id_of(owner) if isinstance(owner, dict) else ""
        elif name in times:
            at = moment(values.get(name))
            found[name] = stamp(at) if at else ""
        elif name in numbers:
            found[name] = _whole(values.get(name))
        else:
            found[name] = clean(values.get(name))
    return Seen(
        object=OBJECT,
        remote_id=id_of(contact),
        values=found,
        email=email_of(contact),
        changed_at=changed_at(contact),
        changed_by=clean(contact.get("modifiedByUser"), 100),
        opted_out=_refuses_mail(contact["doNotContact"]) if "doNotContact" in contact else None,
    )


def tags_of(contact: Mapping[str, Any]) -> set[str]:
    given = contact.get("tags")
    listed = given if isinstance(given, list) else list(given.values()) if isinstance(given, dict) else []
    return {clean(tag.get("tag") if isinstance(tag, dict) else tag, 200) for tag in listed} - {""}


def our_tags(mapping: Map) -> set[str]:
    """Every tag that stands for some status."""
    return {tag for values in mapping.statuses.values() for tag in split_tags(values.get(TAGS, ""))}


def split_tags(text: str) -> set[str]:
    return {tag.strip() for tag in text.split(",")} - {""}


def shown_tags(tags: set[str]) -> str:
    return ",".join(sorted(tags))


def parts(contact: Mapping[str, Any], mapping: Map) -> dict[str, Any]:
    """What it says of the person and the company, as parts of an intake event. A mapped field that is there
    and empty is null; one that is not there, or makes no sense, is left out."""
    values = flat(contact)
    found: dict[str, dict[str, Any]] = {"lead": {}, "company": {}, "source": {}}
    for name, alias in mapping.facts.items():
        part, _, key = name.partition(".")
        if part in found and alias and alias in values:
            with suppress(ValueError):
                found[part][key] = _fact(name, values[alias])
    source = found["source"].get("lead_source")
    if source:
        found["source"]["lead_source"] = mapping.sources.get(source, source)
    if "doNotContact" in contact:
        found["lead"]["consent"] = {"email_opt_out": _refuses_mail(contact["doNotContact"])}
    return {part: facts for part, facts in found.items() if facts}


def score(contact: Mapping[str, Any], mapping: Map) -> dict[str, Any] | None:
    """Its points, with the dimensions where fields for them are mapped; None where it has none."""
    values = flat(contact)
    total = _number(values.get(mapping.facts.get("score.total") or "points"))
    if total is None:
        return None
    found: dict[str, Any] = {"total": total}
    for name in ("fit", "intent", "behavior"):
        points = _number(values.get(mapping.facts.get(f"score.{name}") or ""))
        if points is not None:
            found[name] = {"score": points}
    return found


def _fact(name: str, value: Any) -> Any:
    """A fact in the intake's form, None for an empty one. Raises ValueError for one that makes no sense."""
    text = clean(value, _LONGEST.get(name, LONGEST))
    if not text:
        return None
    if name == "lead.country_code":
        return cells.country(text)
    if name == "company.employee_count":
        number = _number(value)
        if number is None or not 0 <= number <= MOST_EMPLOYEES:
            raise ValueError("is no number of employees")
        return number
    return text


def _number(value: Any) -> int | None:
    try:
        return round(float(value)) if value not in (None, "") and not isinstance(value, bool) else None
    except (TypeError, ValueError, OverflowError):
        return None


def _whole(value: Any) -> str:
    number = _number(value)
    return clean(value) if number is None else str(number)


def _refuses_mail(given: Any) -> bool:
    rows = given.values() if isinstance(given, dict) else given if isinstance(given, list) else ()
    return any(
        isinstance(row, dict) and row.get("channel") == "email" and _number(row.get("reason")) in REFUSALS
        for row in rows
    )
