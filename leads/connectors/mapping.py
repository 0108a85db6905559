"""What of ours is called how there: fields, values of a status, owners, names of sources. Pure.

Owns the shape of a connection's mapping, the values that a record should have by it, and what is wrong with
it. What is usual in a system stands in that system's room; a connection keeps only what differs from it.
Reads no other system: what there is to map to is given (`Connector.offered`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from leads.connectors.base import Offered
from leads.outbox import Wanted
from leads.outbox.wanted import Status

# What can be written of a handoff beside its status. The names are ours, the fields theirs.
WRITABLE = (
    "handoff_id", "revision", "status", "reason", "owner", "deferred_until", "mql_at", "accepted_at",
    "first_contact_at", "changed_at", "opportunity_id", "opportunity_amount", "opportunity_currency",
)  # fmt: skip
# What is read of a person, and written only into a record that is made anew.
FACTS = (
    "lead.email", "lead.first_name", "lead.last_name", "lead.job_title", "lead.phone", "lead.country_code",
    "company.name", "company.domain", "company.industry", "company.employee_count", "company.annual_revenue",
    "score.total", "score.fit", "score.intent", "score.behavior", "source.lead_source",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Map:
    """`fields`: of ours (WRITABLE) to theirs, "" for not written. `statuses`: for each status of ours, what
    their status fields then say. `owners`: e-mail to their id. `sources`: their name of a source to ours.
    `facts`: of ours (FACTS) to theirs."""

    fields: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def status_fields(self) -> tuple[str, ...]:
        """Their fields that say where a handoff stands, in order and once."""
        return tuple(dict.fromkeys(name for values in self.statuses.values() for name in values))

    def status_of(self, values: Mapping[str, str], kept: Collection[str] = ()) -> Status | None:
        """The status of ours that these values of theirs stand for; None for none or for several. The `kept`
        fields, which do not follow a handoff, say nothing of it."""
        told = {
            status: {name: value for name, value in wanted.items() if name not in kept}
            for status, wanted in self.statuses.items()
        }
        found = [
            status
            for status, wanted in told.items()
            if wanted and all(values.get(name, "") == value for name, value in wanted.items())
        ]
        return Status(found[0]) if len(found) == 1 else None


def merged(usual: Map, chosen: Mapping[str, Any]) -> Map:
    """The usual mapping with what this connection has chosen otherwise."""
    return Map(
        fields={**usual.fields, **chosen.get("fields", {})},
        statuses={**usual.statuses, **chosen.get("statuses", {})},
        owners={**usual.owners, **chosen.get("owners", {})},
        sources={**usual.sources, **chosen.get("sources", {})},
        facts={**usual.facts, **chosen.get("facts", {})},
    )


def as_text(value: Any) -> str:
    """A value as it is compared: times in UTC to the second, whole numbers without a point, "" for none."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def values(wanted: Wanted, mapping: Map) -> dict[str, str]:
    """What a record should say of this lead, by their field names. An owner that is not mapped is left out:
    nobody is taken from a record because we don't know them there."""
    ours: dict[str, Any] = {
        "handoff_id": wanted.handoff_id,
        "revision": wanted.revision,
        "status": str(wanted.status),
        "reason": wanted.reason,
        "deferred_until": wanted.deferred_until,
        "mql_at": wanted.mql_at,
        "accepted_at": wanted.accepted_at,
        "first_contact_at": wanted.first_contact_at,
        "changed_at": wanted.changed_at,
        "opportunity_id": wanted.opportunity_id,
        "opportunity_amount": wanted.opportunity_amount,
        "opportunity_currency": wanted.opportunity_currency,
    }
    found = {
        theirs: as_text(ours[name]) for name, theirs in mapping.fields.items() if theirs and name in ours
    }
    owner_field, owner = mapping.fields.get("owner", ""), mapping.owners.get(wanted.owner, "")
    if owner_field and owner:
        found[owner_field] = owner
    return {**found, **mapping.statuses.get(str(wanted.status), {})}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a mapping: where (a path such as statuses.accepted.stage) and in words."""

    where: str
    words: str


def problems(mapping: Map, offered: Offered) -> list[Problem]:
    """What can't work, by what the other system offers; what it does not tell is not checked."""
    found = []
    for part, names in (("fields", mapping.fields), ("facts", mapping.facts)):
        known = WRITABLE if part == "fields" else FACTS
        for ours, theirs in names.items():
            if ours not in known:
                found.append(Problem(f"{part}.{ours}", "There is no such field here."))
            elif theirs and offered.fields and theirs not in offered.fields:
                found.append(Problem(f"{part}.{ours}", f"{theirs} is no field there."))
    for status, wanted in mapping.statuses.items():
        if status not in list(Status):
            found.append(Problem(f"statuses.{status}", "There is no such status here."))
        for name, value in wanted.items():
            choices = offered.statuses.get(name)
            if value and choices is not None and value not in choices:
                found.append(Problem(f"statuses.{status}.{name}", f"{value} is not offered there."))
    for email, theirs in mapping.owners.items():
        if offered.owners and theirs not in offered.owners.values():
            found.append(Problem(f"owners.{email}", f"{theirs} is nobody there."))
    return found
