"""What a contact says, as canonical intake events. Pure.

Owns which property is which fact, and since when each is so: a property's history tells it, so that what
stood there long before never passes for news because something else was changed, such as by our own writing.
Where the histories tell the moment, an event is marked as telling of a change; and one about somebody without
an address as being of interest only where they are known. The names of the properties of the latest form and
those of a history's sources are recalled.
The id of an event is made of the contact and that moment: a webhook and a poll that tell of one fact tell of
one event. Whether a score, a form or a flag is a trigger is our own definition's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from leads.choices import ActivityKind, TriggerKind
from leads.connectors.hubspot.finding import OBJECT, OPTED_OUT
from leads.connectors.hubspot.records import Record, millis, moment
from leads.connectors.hubspot.usual import MQL, STAGE
from leads.connectors.mapping import Map
from leads.connectors.sifting import EXPLICIT, KNOWN_ONLY
from leads.imports import cells
from leads.intake.kinds import STRING_LIMIT

Event = dict[str, Any]
CONSENT = "lead.email_opt_out"
FORM, FORM_AT = "recent_conversion_event_name", "recent_conversion_date"
FORMS = (TriggerKind.DEMO_REQUEST, TriggerKind.PRICING_INQUIRY)
# A stage that an integration set, ours among them, is nobody's flag; nor is one of an unknown source.
_BY_HAND = frozenset(
    {"CRM_UI", "CRM_UI_BULK_ACTION", "CONTACTS_WEB", "MOBILE_IOS", "MOBILE_ANDROID"}
    | {"AUTOMATION_PLATFORM", "WORKFLOWS", "FORM", "IMPORT"}
)
# The contact's bands of employees that lie in one of ours; the other ones lie across two.
_BANDS = {"1-5": "1-10", "25-50": "11-50", "50-100": "51-200", "500-1000": "501-1000"}
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]|\r(?!\n)")
# Money as the intake takes it.
AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,2}0*)?")
_LONGEST = {"lead.email": 320, "lead.phone": 60, "company.domain": 253}
_SCORES = ("score.total", "score.fit", "score.intent", "score.behavior")
MOST_POINTS, MOST_EMPLOYEES = 1_000_000, 100_000_000


@dataclass(frozen=True, slots=True)
class Reader:
    """How one connection's contacts are read: its mapping, what its events are called after, the system of
    its ids; its high-intent forms by name (lower case), and whether an MQL stage is marketing's flag."""

    mapping: Map
    source: str
    id_system: str
    forms: Mapping[str, str] = field(default_factory=dict)
    takes_flags: bool = False

    @property
    def names(self) -> list[str]:
        """The properties that are read."""
        facts = {theirs for theirs in self.mapping.facts.values() if theirs}
        return sorted(facts | {"email", OPTED_OUT, FORM, FORM_AT, STAGE})

    def events(self, contact: Record) -> list[Event]:
        """What it says, oldest first: each fact as of its own time, score, latest form, flag."""
        found = [*self._facts(contact), *self._score(contact), *self._form(contact), *self._flag(contact)]
        return sorted(found, key=lambda event: str(event["time"]))

    def since(self, contact: Record, name: str) -> datetime | None:
        """Since when a property is so. Nothing is older than the address: each event names the person by it,
        and says it as of its own time."""
        at, named = contact.since(name), contact.since("email")
        return max(at, named) if at is not None and named is not None else at

    def event(
        self, kind: str, name: str, at: datetime, contact: str, email: str, *, exact: bool = True, **data: Any
    ) -> Event:
        """A CloudEvent about a contact, by its id and address; `exact` when it is known that what it says has
        been so since then."""
        lead = {"external_ids": [self.named(contact)], **({"email": email} if email else {})}
        lead |= data.pop("lead", {})
        return {
            "specversion": "1.0",
            "id": f"{name}/{millis(at)}"[:200],
            "source": self.source,
            "type": kind,
            "time": written(at),
            "data": {"lead": lead, **data},
            **({EXPLICIT: True} if exact else {}),
            **({} if email else {KNOWN_ONLY: True}),
        }

    def named(self, contact: str) -> dict[str, str]:
        return {"system": self.id_system, "object": OBJECT, "id": contact}

    def _facts(self, contact: Record) -> list[Event]:
        """The facts by the moment since when they are so, apart from those of which that is not told."""
        moments: dict[tuple[datetime, bool], dict[str, dict[str, Any]]] = {}
        for ours, theirs in {**self.mapping.facts, CONSENT: OPTED_OUT}.items():
            at = self.since(contact, theirs) if theirs and ours not in _SCORES else None
            if at is None:
                continue
            parts = moments.setdefault((at, bool(contact.histories.get(theirs))), {})
            for part, name, value in self._told(ours, contact.values.get(theirs, "")):
                parts.setdefault(part, {})[name] = value
        email = clean(contact.values.get("email"), 320)
        return [
            self.event(
                "lead.updated",
                f"{'contact' if exact else 'restated'}/{contact.id}",
                at,
                contact.id,
                email,
                exact=exact,
                **parts,
            )
            for (at, exact), parts in moments.items()
            if parts
        ]

    def _told(self, ours: str, value: str) -> Sequence[tuple[str, str, Any]]:
        """A fact as (part, field, value), None to clear it; nothing for what the intake has no word for, nor
        for what of a company this one contact no longer says."""
        part, _, name = ours.partition(".")
        text = clean(value, _LONGEST.get(ours, STRING_LIMIT))
        if ours == CONSENT:
            return [(part, "consent", {name: text.lower() == "true"})]
        if not text:
            return [(part, name, None)] if part == "lead" else []
        if ours == "lead.country_code":
            try:
                return [(part, name, cells.country(text))]
            except ValueError:
                return []
        if ours == "source.lead_source":
            return [(part, name, self.mapping.sources.get(text, text))]
        if ours == "company.domain":
            return [(part, "website" if "/" in text else name, text)]
        if ours == "company.employee_count":
            if re.fullmatch("[0-9]{1,9}", text) and int(text) <= MOST_EMPLOYEES:
                return [(part, name, int(text))]
            return [(part, "size_band", _BANDS[text])] if text in _BANDS else []
        if ours == "company.annual_revenue":
            return [(part, name, {"amount": text})] if AMOUNT.fullmatch(text) else []
        return [(part, name, text)]

    def _score(self, contact: Record) -> list[Event]:
        """The score as it is, since its latest part changed, and what it was before that."""
        names = {ours: self.mapping.facts.get(ours, "") for ours in _SCORES}
        changed = [at for theirs in names.values() if theirs and (at := contact.since(theirs)) is not None]
        now = {ours: points(contact.values.get(theirs)) for ours, theirs in names.items() if theirs}
        if not changed or _total(now) is None:
            return []
        at = max(changed)
        before = {ours: points(_before(contact, theirs, at)) for ours, theirs in names.items() if theirs}
        score: dict[str, Any] = {"total": _total(now), "scored_at": written(at)}
        score |= {
            ours.removeprefix("score."): {"score": value}
            for ours, value in now.items()
            if ours != "score.total" and value is not None
        }
        if (previous := _total(before)) is not None:
            score["previous_total"] = previous
        email = clean(contact.values.get("email"), 320)
        return [self.event("lead.scored", f"score/{contact.id}", at, contact.id, email, score=score)]

    def _form(self, contact: Record) -> list[Event]:
        """The form that was sent last."""
        at, name = moment(contact.values.get(FORM_AT)), clean(contact.values.get(FORM))
        if at is None:
            return []
        # "Page: form", of which either may be what marketing calls it.
        called = [name.lower(), name.rpartition(": ")[2].lower()]
        kind = next((self.forms[one] for one in called if one in self.forms), ActivityKind.FORM_SUBMISSION)
        activity = {
            "id": f"{self.source}/form/{contact.id}/{millis(at)}",
            "kind": str(kind),
            "occurred_at": written(at),
            "title": name,
        }
        email = clean(contact.values.get("email"), 320)
        return [
            self.event("lead.activity", f"form/{contact.id}", at, contact.id, email, activities=[activity])
        ]

    def _flag(self, contact: Record) -> list[Event]:
        """The stage "marketing-qualified" that somebody set there, where that is to be marketing's flag."""
        versions = contact.histories.get(STAGE, ())
        if not self.takes_flags or not versions or versions[0].value != MQL:
            return []
        if versions[0].source not in _BY_HAND:
            return []
        at = versions[0].at
        trigger = {
            "kind": str(TriggerKind.MANUAL_FLAG),
            "reason": "Marked as marketing-qualified in HubSpot",
            "occurred_at": written(at),
        }
        email = clean(contact.values.get("email"), 320)
        return [self.event("lead.qualified", f"flag/{contact.id}", at, contact.id, email, trigger=trigger)]


def high_intent(lines: Any) -> dict[str, str]:
    """Forms by name (lower case) to the kind of activity, of lines such as "Book a demo = demo_request"."""
    found = {}
    for line in lines if isinstance(lines, list | tuple) else ():
        name, _, kind = str(line).rpartition("=")
        if name.strip() and kind.strip() in FORMS:
            found[name.strip().lower()] = kind.strip()
    return found


def written(at: datetime) -> str:
    """A time for an event, to the millisecond."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clean(value: Any, most: int = STRING_LIMIT) -> str:
    """Text as the intake takes it: without control characters, trimmed, cut to its longest."""
    return _CONTROLS.sub("", str(value or "")).strip()[:most]


def points(value: Any) -> int | None:
    """A score as a whole number; None for what is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return round(number) if abs(number) <= MOST_POINTS else None


def _total(parts: Mapping[str, int | None]) -> int | None:
    """The total, where the account has a property for it; else the sum of what there is."""
    if "score.total" in parts:
        return parts["score.total"]
    known = [value for value in parts.values() if value is not None]
    return sum(known) if known else None


def _before(contact: Record, name: str, at: datetime) -> str:
    """What a property was just before a moment; "" for nothing."""
    return next((version.value for version in contact.histories.get(name, ()) if version.at < at), "")
