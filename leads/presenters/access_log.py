"""Entries of the access log as rows of its page and lines of its file.

Owns their words. Whoever is named is looked up by the caller, for all rows at once. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leads.delivery_filter import ABOUT
from leads.models import AccessEntry
from leads.presenters import times

HEADER = ("at", "what", "by", "by e-mail", "about", "number", "more", "address", "request")
# What is said by its name instead of its number.
PERSON, CONNECTION = "person", "connection"
NAMED = (PERSON, CONNECTION)
Names = Mapping[tuple[str, int], str]
_LABELS = {code: label.removeprefix("A ").removeprefix("An ").removeprefix("The ") for code, label in ABOUT}
# How somebody proved themselves, for which side they signed, what of it they changed.
_SAID = {"proof": "by", "side": "for", "changed": ""}
_GRAVE = frozenset({AccessEntry.Kind.SIGN_IN_FAILED, AccessEntry.Kind.LOCKED_OUT})


@dataclass(frozen=True, slots=True)
class Line:
    """One entry; `tone` is "" or "late"."""

    id: int
    what: str
    tone: str
    by: str
    about: str
    more: str
    address: str
    request: str
    when: str
    exact: str


def numbers_of(about: str, rows: Iterable[AccessEntry]) -> set[int]:
    """The numbers of the people, or of the connections, that these entries are about."""
    return {int(row.about_id) for row in rows if row.about == about and row.about_id.isdecimal()}


def line(row: AccessEntry, names: Names, now: datetime) -> Line:
    return Line(
        id=row.pk,
        what=row.get_kind_display(),
        tone="late" if row.kind in _GRAVE else "",
        by=by(row),
        about=about(row, names),
        more=more(row.detail),
        address=row.address,
        request=row.request_id,
        when=times.day_and_time(row.at, now),
        exact=times.exact(row.at, now),
    )


def cells(row: AccessEntry) -> tuple[Any, ...]:
    """A line of the file; `exports` makes each cell harmless."""
    email = row.user.email if row.user is not None else ""
    return (
        row.at,
        row.get_kind_display(),
        by(row),
        email,
        row.about,
        row.about_id,
        more(row.detail),
        row.address,
        row.request_id,
    )


def by(row: AccessEntry) -> str:
    if row.user is not None:
        return str(row.user)
    if row.api_key is not None:
        return f"key {row.api_key}"
    return "somebody unknown" if row.kind in _GRAVE else "the system"


def about(row: AccessEntry, names: Names) -> str:
    """What it is about: "person Rosa Lindqvist", "connection Mautic", "file leads.csv"."""
    if not row.about:
        return ""
    known = row.about in NAMED and row.about_id.isdecimal()
    called = names.get((row.about, int(row.about_id)), row.about_id) if known else row.about_id
    return f"{_LABELS.get(row.about, row.about)} {called}"


def more(detail: Mapping[str, Any]) -> str:
    """The codes in words: "given sales manager; taken rep", "by passkey", "120 rows"."""
    parts = []
    for code, value in detail.items():
        name = _SAID.get(code, code)
        if name == "backend":
            # What former versions kept beside the proof: a name of ours, the same in each entry.
            continue
        if name == "whole":
            parts += [] if value else ["broken off"]
        elif name == "rows":
            parts += [] if value is None else [f"{value:,} row{'' if value == 1 else 's'}"]
        elif isinstance(value, list):
            parts += [f"{name} {', '.join(map(str, value))}".strip()] if value else []
        elif value is True:
            parts.append(name)
        elif value not in (False, None, ""):
            parts.append(f"{name} {value}")
    return "; ".join(parts)
