"""From a row to an event of intake: which column is read as what, and what the rows are taken for.

Owns the recipe: whether it can be used at all, what is wrong with a row, cell by cell, and the identity of a
row's event, by which nothing is taken twice. Stores nothing; taking the events in is `leads.imports.running`.
"""

from __future__ import annotations

import hashlib
import json
import zoneinfo
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from leads import identity
from leads.choices import TriggerKind
from leads.imports import cells
from leads.imports.fields import FIELDS, REPEATABLE, Field
from leads.intake.schema import parse
from leads.models import LeadImport

FORMS = (TriggerKind.DEMO_REQUEST, TriggerKind.PRICING_INQUIRY)
LONGEST_ID = 200
MOST_CUSTOM = 100
MOST_SHOWN_OF_CELL = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a cell, or with the row where `column` is ""."""

    column: str
    message: str

    def to_json(self) -> dict[str, str]:
        return {"column": self.column, "message": self.message}


class Recipe:
    """How the rows of an import are read."""

    def __init__(self, run: LeadImport) -> None:
        self.header: Sequence[str] = run.header
        self.targets: list[str] = run.targets
        self.kind, self.dates = str(run.kind), str(run.dates)
        self.source, self.name = run.source, run.name
        self.system = run.system or "import"
        self.as_of: datetime = run.as_of
        self.zone = zoneinfo.ZoneInfo(settings.ORG_TIME_ZONE)
        self.fields = [(place, FIELDS[code]) for place, code in enumerate(self.targets) if code in FIELDS]
        self._places = {field.code: place for place, field in self.fields if field.code not in REPEATABLE}
        self.key = run.key or self.make_key(run.digest)

    def make_key(self, digest: str) -> str:
        """Stands for this file read in this way."""
        said = [digest, self.targets, self.kind, self.dates, self.source, self.system]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:24]

    def problems(self) -> list[str]:
        """Why the rows cannot be read in this way; [] when they can."""
        found = []
        codes = Counter(field.code for _, field in self.fields if field.code not in REPEATABLE)
        found += [f"{FIELDS[code].label} is read from {n} columns." for code, n in codes.items() if n > 1]
        if not codes.keys() & {"email", "record_id"}:
            found.append("Say which column holds the e-mail address, or a record id: rows need a name.")
        if "full_name" in codes and codes.keys() & {"first_name", "last_name"}:
            found.append("Read the name from its own columns or from the full name, not from both.")
        if sum(field.code == "custom" for _, field in self.fields) > MOST_CUSTOM:
            found.append(f"At most {MOST_CUSTOM} custom fields.")
        return found

    def event(self, number: int, row: Sequence[str]) -> tuple[dict[str, Any] | None, list[Problem]]:
        """The event of a row, or what is wrong with its cells. Intake may still find more."""
        data: dict[str, Any] = {"lead": {}}
        problems: list[Problem] = []
        if len(row) > len(self.header):
            problems.append(Problem("", "The row has more cells than the header."))
        for place, field in self.fields:
            if cell := row[place].strip():
                try:
                    self._put(data, place, field, self._read(field, cell))
                except ValueError as error:
                    problems.append(Problem(self.header[place], f"{_shown(cell)} {error}."))
        self._complete(data, problems)
        if problems:
            return None, problems
        time = self._moment(row, "as_of") or self.as_of.isoformat()
        source, event_id = self._identity(number, row)
        event = {
            "specversion": "1.0",
            "id": event_id,
            "source": source,
            "type": self._type(data),
            "time": time,
            "data": data,
        }
        return event, []

    def checked(self, number: int, row: Sequence[str]) -> tuple[dict[str, Any] | None, list[Problem]]:
        """The same, with what intake would find wrong with its shape."""
        event, problems = self.event(number, row)
        if event is not None and (wrong := parse(event)[1]):
            return None, self.told(wrong)
        return event, problems

    def told(self, wrong: Sequence[Mapping[str, str]]) -> list[Problem]:
        """Intake's problems, by column."""
        return [Problem(self._column(item["pointer"]), item["detail"]) for item in wrong]

    def _column(self, pointer: str) -> str:
        steps = tuple(pointer.removeprefix("/data/").split("/"))
        if steps[:2] == ("lead", "custom") and len(steps) > 2:
            return next((name for name in self.header if name[:LONGEST_ID] == steps[2]), "")
        for place, field in self.fields:
            if field.path and (steps == field.path or steps[: len(field.path)] == field.path):
                return self.header[place]
        return ""

    def _read(self, field: Field, cell: str) -> Any:
        return cells.moment(cell, self.dates, self.zone) if field.is_moment else field.read(cell)

    def _put(self, data: dict[str, Any], place: int, field: Field, value: Any) -> None:
        lead: dict[str, Any] = data["lead"]
        if field.code == "full_name":
            first, _, last = value.rpartition(" ")
            if "," in value:
                last, _, first = (part.strip() for part in value.partition(","))
            lead |= {"first_name": first, "last_name": last} if first else {"last_name": last}
        elif field.code == "record_id":
            lead["external_ids"] = [{"system": self.system, "object": "contact", "id": value}]
        elif field.code == "custom":
            lead.setdefault("custom", {})[self.header[place][:100]] = value
        elif field.code == "employees" and isinstance(value, str):
            data.setdefault("company", {})["size_band"] = value
        elif field.code in ("activity", "activity_title", "activity_at"):
            data.setdefault("activities", [{}])[0][field.path[-1]] = value
        elif field.path:
            holder = data
            for step in field.path[:-1]:
                holder = holder.setdefault(step, {})
            holder[field.path[-1]] = value

    def _complete(self, data: dict[str, Any], problems: list[Problem]) -> None:
        """What follows from the rest of the row, and what a row cannot be without."""
        lead = data["lead"]
        if not problems and not lead.get("email") and not lead.get("external_ids"):
            column = next((code for code in ("email", "record_id") if code in self._places), "")
            name = self.header[self._places[column]] if column else ""
            problems.append(Problem(name, "The row has neither an e-mail address nor a record id."))
        if (score := data.get("score")) is not None:
            parts = [score[name]["score"] for name in ("fit", "intent", "behavior") if name in score]
            if "total" not in score and len(parts) == 3:
                score["total"] = sum(parts)
            elif "total" not in score and parts:
                problems.append(Problem("", "A score needs its total, or all three parts."))
            elif "total" not in score:
                del data["score"]
        revenue = data.get("company", {}).get("annual_revenue")
        if revenue is not None and "amount" not in revenue:
            del data["company"]["annual_revenue"]
        if (activities := data.get("activities")) is not None and "kind" not in activities[0]:
            if activities[0].keys() == {"occurred_at"}:
                del data["activities"]
            else:
                activities[0]["kind"] = "other"
        if self.source:
            data.setdefault("source", {}).setdefault("lead_source", self.source)
        self._trigger(data)

    def _trigger(self, data: dict[str, Any]) -> None:
        trigger = data.get("trigger")
        if self.kind == LeadImport.Kind.KEEP or (self.kind == LeadImport.Kind.EACH and not _kind_of(trigger)):
            data.pop("trigger", None)
        elif self.kind == LeadImport.Kind.HAND_OVER or trigger is not None:
            trigger = data.setdefault("trigger", {})
            trigger.setdefault("kind", str(TriggerKind.MANUAL_FLAG))
            trigger.setdefault("reason", f"Imported: {self.source or self.name}"[:200])
            # Handing over happens now, however old the facts are.
            trigger.setdefault("occurred_at", self.as_of.isoformat())

    def _type(self, data: dict[str, Any]) -> str:
        if self.kind == LeadImport.Kind.KEEP:
            return "lead.updated"
        if "trigger" in data:
            return "lead.qualified"
        if any(activity["kind"] in FORMS for activity in data.get("activities", ())):
            return "lead.activity"
        return "lead.scored" if "score" in data else "lead.updated"

    def _moment(self, row: Sequence[str], code: str) -> str:
        place = self._places.get(code)
        cell = row[place].strip() if place is not None else ""
        return cells.moment(cell, self.dates, self.zone) if cell else ""

    def _identity(self, number: int, row: Sequence[str]) -> tuple[str, str]:
        """The file's own id of the row, if it has one; else the file, the way it is read, and the row."""
        place = self._places.get("event_id")
        own = " ".join(row[place].split()) if place is not None else ""
        if not own:
            return f"/imports/{self.key}", f"row-{number}"
        if len(own) > LONGEST_ID:
            own = hashlib.sha256(own.encode()).hexdigest()
        name = identity.text_key(self.source or self.system).replace(" ", "-")[:60]
        return f"/imports/by-id/{name or 'import'}", own


def _kind_of(trigger: Mapping[str, Any] | None) -> str:
    return str(trigger.get("kind", "")) if trigger else ""


def _shown(cell: str) -> str:
    line = " ".join(cell.split())
    return f"“{line[:MOST_SHOWN_OF_CELL]}…”" if len(line) > MOST_SHOWN_OF_CELL else f"“{line}”"
