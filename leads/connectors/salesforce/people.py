"""What a Lead says, as canonical intake events. Pure.

Owns which field is which fact, and what becomes of one that was deleted or merged there. A Lead says all of
it at once, as of its last change; what of it is news is found by what it said before (`sifting`). Of a person
who is not known here a CRM's Lead makes none, unless the connection is a marketing platform's as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from leads.connectors.mapping import Map
from leads.connectors.salesforce.records import Row
from leads.connectors.salesforce.usual import NOT_GIVEN, OBJECT
from leads.connectors.sifting import KNOWN_ONLY
from leads.imports import cells
from leads.intake.kinds import STRING_LIMIT

Event = dict[str, Any]
MOST_POINTS, MOST_EMPLOYEES = 1_000_000, 100_000_000
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]|\r(?!\n)")
_LONGEST = {"lead.email": 320, "lead.phone": 60, "company.domain": 253}
_SCORES = ("score.total", "score.fit", "score.intent", "score.behavior")


@dataclass(frozen=True, slots=True)
class Reader:
    """How one connection's Leads are read: its mapping, what its events are called after, the system of its
    ids, its name, the currency of its amounts ("" for none), and whether strangers are taken in."""

    mapping: Map
    source: str
    id_system: str
    name: str = "Salesforce"
    currency: str = ""
    takes_new: bool = False

    def events(self, row: Row) -> list[Event]:
        """What it says as a whole: of the person, and its score. Nothing for one that is not there."""
        at = row.changed_at
        if row.is_deleted or at is None:
            return []
        facts = self._parts(row)
        found = [self.event("lead.updated", f"lead/{row.id}", at, row, facts)]
        if (score := self._score(row, at)) is not None:
            found.append(self.event("lead.scored", f"score/{row.id}", at, row, {**facts, "score": score}))
        return found

    def gone(self, row: Row, master: str) -> list[Event]:
        """That it was merged into another one (`master`, ""), or deleted: a deletion is housekeeping there,
        not a person's wish to be forgotten, so it is put down as something that happened."""
        at = row.changed_at
        if at is None:
            return []
        if master:
            kept = Row({"Id": master})
            merged = {"merged_from": [self.named(row.id)]}
            return [self.event("lead.merged", f"merged/{row.id}/{master}", at, kept, merged, once=True)]
        return [self.happened(row, f"deleted/{row.id}", at, f"Lead deleted in {self.name}")]

    def happened(self, row: Row, name: str, at: datetime, title: str) -> Event:
        """Something that happened to the Lead there, for its history here."""
        activity = {
            "id": f"{self.source}/{name}",
            "kind": "other",
            "occurred_at": written(at),
            "title": title,
        }
        event = self.event("lead.activity", name, at, row, {"activities": [activity]}, once=True)
        return {**event, KNOWN_ONLY: True}

    def event(
        self, kind: str, name: str, at: datetime, row: Row, parts: Mapping[str, Any], *, once: bool = False
    ) -> Event:
        """A CloudEvent about a Lead; `once`: the same whenever it is told."""
        data = dict(parts)
        data["lead"] = {**data.get("lead", {}), "external_ids": [self.named(row.id)]}
        email = clean(row.values.get("Email"), 320)
        if email:
            data["lead"].setdefault("email", email)
        found: Event = {
            "specversion": "1.0",
            "id": (name if once else f"{name}/{written(at)}")[:200],
            "source": self.source,
            "type": kind,
            "time": written(at),
            "data": data,
        }
        return found if self.takes_new and email else {**found, KNOWN_ONLY: True}

    def named(self, key: str) -> dict[str, str]:
        return {"system": self.id_system, "object": OBJECT, "id": key}

    def _parts(self, row: Row) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for ours, theirs in self.mapping.facts.items():
            if theirs and theirs in row.values and ours not in _SCORES:
                with suppress(ValueError):
                    part, name, value = self._fact(ours, row.values[theirs])
                    found.setdefault(part, {})[name] = value
        opted_out = row.values.get("HasOptedOutOfEmail")
        if isinstance(opted_out, bool):
            found.setdefault("lead", {})["consent"] = {"email_opt_out": opted_out}
        return found

    def _fact(self, ours: str, value: Any) -> tuple[str, str, Any]:
        """A fact as (part, field, value), None to clear it. Raises ValueError for what the intake has no word
        for, and for what of a company this one Lead no longer says."""
        part, _, name = ours.partition(".")
        text = clean(value, _LONGEST.get(ours, STRING_LIMIT))
        if text == NOT_GIVEN:
            raise ValueError("was made up")
        if not text:
            if part != "lead":
                raise ValueError("says nothing")
            return part, name, None
        if ours == "lead.country_code":
            return part, name, cells.country(text)
        if ours == "source.lead_source":
            return part, name, self.mapping.sources.get(text, text)
        if ours == "company.domain":
            return part, "website" if "/" in text else name, text
        if ours == "company.employee_count":
            return part, name, _whole(value, MOST_EMPLOYEES)
        if ours == "company.annual_revenue":
            return part, name, {"amount": amount(value), "currency": self.currency}
        return part, name, text

    def _score(self, row: Row, at: datetime) -> dict[str, Any] | None:
        """The score, where a field of the org's own is mapped for its total."""
        found: dict[str, Any] = {"scored_at": written(at)}
        for ours in _SCORES:
            with suppress(ValueError):
                points = _whole(row.values.get(self.mapping.facts.get(ours, "")), MOST_POINTS)
                name = ours.removeprefix("score.")
                found[name] = points if name == "total" else {"score": points}
        return found if "total" in found else None


def written(at: datetime) -> str:
    """A time for an event, to the millisecond."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clean(value: Any, most: int = STRING_LIMIT) -> str:
    """Text as the intake takes it: without control characters, trimmed, cut to its longest."""
    return "" if value is None else _CONTROLS.sub("", str(value)).strip()[:most]


def amount(value: Any) -> str:
    """Money as text. Raises ValueError for what is none, or no amount that could be."""
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        raise ValueError("is no amount") from None
    if not found.is_finite() or not 0 <= found < Decimal(10) ** 12:
        raise ValueError("is no amount")
    return format(found.quantize(Decimal("0.01")), "f")


def _whole(value: Any, most: int) -> int:
    if isinstance(value, bool) or value in (None, ""):
        raise ValueError("is no number")
    number = float(value)
    # Also refuses what is infinite or no number at all.
    if not 0 <= number <= most:
        raise ValueError("is too large")
    return round(number)
