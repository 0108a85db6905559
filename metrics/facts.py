"""What the figures are made of: one lean row a handoff, and what of it exists as of a moment.

Pure. Never decides what counts: that is `metrics.measures`. Every handoff whose trigger fired is a fact,
whatever became of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


class Fact(NamedTuple):
    """One handoff as the figures see it. Instants in UTC, people by id, None for what did not happen."""

    id: int
    mql_at: datetime
    lead_type: str
    lead_source: str
    first_holder_id: int | None = None
    assigned_at: datetime | None = None
    holder_at_24h_id: int | None = None
    accepted_at: datetime | None = None
    accepted_by_id: int | None = None
    rejected_at: datetime | None = None
    rejected_by_id: int | None = None
    first_contact_at: datetime | None = None
    first_contact_by_id: int | None = None
    first_activity_at: datetime | None = None
    opportunity_at: datetime | None = None


def as_seen(facts: Iterable[Fact], as_of: datetime) -> Iterator[Fact]:
    """The facts that exist as of a moment: what occurred later is not there, nor are later handoffs."""

    def seen(at: datetime | None) -> datetime | None:
        return None if at is None or at > as_of else at

    for fact in facts:
        if fact.mql_at <= as_of:
            yield fact._replace(
                assigned_at=seen(fact.assigned_at),
                accepted_at=seen(fact.accepted_at),
                rejected_at=seen(fact.rejected_at),
                first_contact_at=seen(fact.first_contact_at),
                first_activity_at=seen(fact.first_activity_at),
                opportunity_at=seen(fact.opportunity_at),
            )


@dataclass(frozen=True)
class People:
    """Who stands behind an id, by e-mail, and the team they are in now."""

    emails: dict[int, str]
    teams: dict[int, str]

    def email(self, person: int | None) -> str:
        return "" if person is None else self.emails.get(person, "")

    def team(self, person: int | None) -> str:
        return "" if person is None else self.teams.get(person, "")
