"""One event on its way through a wave, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from leads.identity import Match
from leads.intake.schema import EventIn
from leads.models import Activity, Company, Handoff, Lead, Score
from leads.qualification import Trigger

PROCESSED, IGNORED, DUPLICATE = "processed", "ignored", "duplicate"


@dataclass(frozen=True)
class Outcome:
    """What the sender of an event is told, and of which lead and handoff. Without a lead it is of nobody who
    is known, or of somebody who was erased."""

    event: EventIn
    status: str = PROCESSED
    reason: str = ""
    lead: Lead | None = None
    handoff: Handoff | None = None


@dataclass
class Taken:
    """`at` is the time that the event's facts count from; `changed` names the lead's changed fields and
    `company_changed` its company's.

    `activities` are new, `known_activities` all that the event names by id; `stated` has the time that the
    sender gave for a new one, by `id()`. `status` and `reason` are what the sender is told.
    """

    event: EventIn
    match: Match
    at: datetime
    lead: Lead = field(init=False)
    company: Company | None = None
    is_new: bool = False
    is_company_new: bool = False
    changed: set[str] = field(default_factory=set)
    company_changed: set[str] = field(default_factory=set)
    score: Score | None = None
    activities: list[Activity] = field(default_factory=list)
    known_activities: dict[str, Activity] = field(default_factory=dict)
    stated: dict[int, datetime | None] = field(default_factory=dict)
    trigger: Trigger | None = None
    handoff: Handoff | None = None
    status: str = PROCESSED
    reason: str = ""

    def outcome(self) -> Outcome:
        """What the sender is told."""
        return Outcome(self.event, self.status, self.reason, self.lead, self.handoff)
