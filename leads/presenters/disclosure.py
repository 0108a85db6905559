"""What is held about a person, for reading and printing: sections with facts, and lists with a line an entry.

Owns the headings and how JSON reads as words; what is in it is `leads.disclosing`. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from leads.presenters import times

TITLES = {
    "person": "The person",
    "merged": "Other records of the same person",
    "company": "Company",
    "consent": "Consent",
    "held_back": "Held back",
    "activities": "What they did",
    "scores": "Scores",
    "handoffs": "Handoffs",
    "enrichment": "Looked up elsewhere",
    "waiting": "Given to marketing to decide",
    "received": "Messages from other systems",
    "said_elsewhere": "Said otherwise by another system",
    "told": "Messages to colleagues",
    "files": "Rows of files",
    "acts": "Erasures and exports",
}
# Parts of a handoff that are lists of their own.
INNER = {
    "events": "What happened",
    "notes": "Notes",
    "rejections": "Rejections",
    "deferrals": "Deferrals",
    "contacts": "Contacts",
    "waivers": "Waived checks",
    "reports": "Reports of wrong data",
    "checks": "Checks",
    "routing": "Routing",
}
# In the file alone: since when each field says what it says.
LEFT_OUT = frozenset({"as_of"})
_NOTHING: tuple[Any, ...] = (None, "", [], {})


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a list: when, and label and words of the rest; `lists` are lists within it."""

    when: str
    facts: Sequence[tuple[str, str]]
    lists: Sequence[Section] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with facts, or with entries. `slug` is its place on the page."""

    slug: str
    title: str
    facts: Sequence[tuple[str, str]] = ()
    entries: Sequence[Entry] = ()

    @property
    def count(self) -> int:
        return len(self.entries)


def sections(held: Mapping[str, Any], now: datetime) -> list[Section]:
    """The sections of the page; what nothing is held of is left out."""
    found = []
    for name, title in TITLES.items():
        part = held.get(name)
        if not part:
            continue
        if isinstance(part, list):
            found.append(Section(name, title, entries=[_entry(row, now) for row in part]))
        elif facts := _facts({key: value for key, value in part.items() if key not in LEFT_OUT}, now):
            found.append(Section(name, title, facts=facts))
    return found


def _entry(row: Mapping[str, Any], now: datetime) -> Entry:
    rest = {name: value for name, value in row.items() if name != "at" and name not in INNER}
    lists = [
        Section(name, title, entries=[_entry(one, now) for one in row[name]])
        for name, title in INNER.items()
        if row.get(name)
    ]
    return Entry(_words(row.get("at"), now), _facts(rest, now), lists)


def _facts(part: Mapping[str, Any], now: datetime) -> list[tuple[str, str]]:
    return [(_label(name), _words(value, now)) for name, value in part.items() if value not in _NOTHING]


def _label(name: str) -> str:
    words = str(name).replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _words(value: Any, now: datetime) -> str:
    """A JSON value in words; what is nested stands in one line."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        inner = ((_label(name), _words(one, now)) for name, one in value.items() if one not in _NOTHING)
        return "; ".join(f"{name}: {words}" for name, words in inner)
    if isinstance(value, list | tuple):
        return ", ".join(_words(one, now) for one in value)
    text = str(value)
    is_moment = len(text) > 18 and text[4:5] == "-" and "T" in text
    at = parse_datetime(text) if is_moment else None
    return times.exact(at, now) if at is not None and at.tzinfo is not None else text
