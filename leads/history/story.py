"""What one past handoff tells: its events in order of time, each with the columns it sets.

Pure. The handoff's row is the fold of these events, so log and row agree by construction. The state is
the furthest stage that was reached.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from leads.choices import DEFAULT_HIGH_INTENT, Disposition, EventKind, LeadType, Outcome, Stage, State
from leads.history.rows import Row


@dataclass(frozen=True)
class Step:
    """One event to be: when it occurred, and the handoff columns (in attname form) that it sets."""

    kind: EventKind
    stage: Stage
    at: datetime
    sets: dict[str, Any]
    codes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """What the file's words stand for in this database."""

    lead_id: int
    assignee_id: int | None
    reason_id: int | None
    next_step: str
    score_id: int | None
    definition_id: int | None


def lead_type(trigger: str) -> LeadType:
    """Demo for a demo request or a pricing inquiry, else standard."""
    return LeadType.DEMO if trigger in DEFAULT_HIGH_INTENT else LeadType.STANDARD


def tell(row: Row, context: Context) -> list[Step]:
    """The events of a row. A contact without an acceptance accepts at the same moment."""
    teller = _Teller(row, context)
    accepted_at = row.accepted_at or row.first_contact_at
    # At one instant the order is that of the stages.
    moments = [
        (row.assigned_at, teller.assigned),
        (accepted_at, teller.accepted),
        (row.deferred_at, teller.deferred),
        (row.first_contact_at, teller.contacted),
        (row.rejected_at, teller.rejected),
        (row.opportunity_at, teller.opportunity),
    ]
    teller.opened(row.mql_at)
    for at, act in sorted(((at, act) for at, act in moments if at is not None), key=lambda pair: pair[0]):
        act(at)
    return teller.steps


def fold(steps: list[Step]) -> dict[str, Any]:
    """The columns after all steps."""
    columns: dict[str, Any] = {}
    for step in steps:
        columns |= step.sets
    return columns


class _Teller:
    """Walks one row through time and keeps what is known so far."""

    def __init__(self, row: Row, context: Context) -> None:
        self.row = row
        self.context = context
        self.steps: list[Step] = []
        self.known: dict[str, Any] = {}

    def _add(self, kind: EventKind, stage: Stage, at: datetime, sets: dict[str, Any], **codes: Any) -> None:
        changed = {name: value for name, value in sets.items() if self.known.get(name) != value}
        self.known |= changed
        self.steps.append(Step(kind, stage, at, changed, codes))

    def _act(self, at: datetime) -> dict[str, Any]:
        """What every act of sales sets."""
        return {"first_activity_at": self.known.get("first_activity_at") or at, "last_activity_at": at}

    def opened(self, at: datetime) -> None:
        row, context = self.row, self.context
        sets = {
            "lead_id": context.lead_id,
            "state": State.INCOMPLETE.value,
            "lead_type": lead_type(row.trigger).value,
            "trigger": row.trigger,
            "definition_id": context.definition_id,
            "mql_at": at,
            "received_at": at,
            "clock_started_at": at,
            "lead_source": row.lead_source,
            "score_id": context.score_id,
            "score_total": row.score_total,
            "score_fit": row.score_fit,
            "score_intent": row.score_intent,
            "score_behavior": row.score_behavior,
            "is_history": True,
            "history_key": row.external_id,
        }
        given = {name: value for name, value in sets.items() if value not in (None, "")}
        self._add(EventKind.OPENED, Stage.TRIGGER, at, given)

    def assigned(self, at: datetime) -> None:
        holder = self.context.assignee_id
        sets: dict[str, Any] = {"assigned_at": at, "held_since": at, "window": 1}
        if holder is None:
            # The file names no person: some queue held it.
            self._add(EventKind.QUEUED, Stage.ROUTING, at, {**sets, "state": State.QUEUED.value})
            return
        sets |= {"assignee_id": holder, "first_holder_id": holder, "holder_at_24h_id": holder}
        self._add(EventKind.ASSIGNED, Stage.ROUTING, at, {**sets, "state": State.ASSIGNED.value})

    def accepted(self, at: datetime) -> None:
        known = self.known
        sets = self._act(at) | {
            "accepted_at": at,
            "accepted_by_id": self.context.assignee_id,
            "acknowledged_at": known.get("acknowledged_at") or at,
            "closed_at": None,
        }
        if "opportunity_at" in known:
            sets |= {"state": State.CONVERTED.value, "closed_at": at}
        elif "first_contact_at" in known:
            sets["state"] = State.WORKING.value
        else:
            sets["state"] = State.ACCEPTED.value
        implied = {"implied_by": "contact"} if self.row.accepted_at is None else {}
        self._add(EventKind.ACCEPTED, Stage.ACCEPTANCE, at, sets, **implied)

    def deferred(self, at: datetime) -> None:
        sets = self._act(at) | {
            "deferred_at": at,
            "deferrals": 1,
            "acknowledged_at": self.known.get("acknowledged_at") or at,
        }
        if not self._closed:
            sets |= {"state": State.DEFERRED.value, "disposition": Disposition.DEFERRED.value}
            sets["disposition_at"] = at
        self._add(EventKind.DEFERRED, Stage.ACCEPTANCE, at, sets)

    def contacted(self, at: datetime) -> None:
        row = self.row
        sets = self._act(at) | {
            "first_contact_at": at,
            "first_contact_by_id": self.context.assignee_id,
            "first_contact_channel": row.contact_channel,
            "first_contact_outcome": row.contact_outcome,
        }
        if self.known["state"] != State.REJECTED:
            reached = row.contact_outcome == Outcome.REACHED
            outcome = Disposition.ACCEPTED_CONTACTED if reached else Disposition.ACCEPTED_ATTEMPTED
            sets |= {"disposition": outcome.value, "disposition_at": at}
        if not self._closed:
            sets["state"] = State.WORKING.value
        given = {name: value for name, value in sets.items() if value not in (None, "")}
        codes = {"channel": row.contact_channel, "outcome": row.contact_outcome}
        self._add(EventKind.CONTACTED, Stage.CONTACT, at, given, **codes)

    def rejected(self, at: datetime) -> None:
        context = self.context
        sets = self._act(at) | {
            "state": State.REJECTED.value,
            "rejected_at": at,
            "rejected_by_id": context.assignee_id,
            "rejection_reason_id": context.reason_id,
            "next_step": context.next_step,
            "acknowledged_at": self.known.get("acknowledged_at") or at,
            "disposition": Disposition.REJECTED.value,
            "disposition_at": at,
            "closed_at": at,
        }
        codes = {"reason": self.row.rejection_reason, "next_step": context.next_step}
        self._add(EventKind.REJECTED, Stage.ACCEPTANCE, at, sets, **codes)

    def opportunity(self, at: datetime) -> None:
        row = self.row
        sets: dict[str, Any] = {"opportunity_at": at}
        if row.opportunity_amount is not None:
            sets["opportunity_amount"] = row.opportunity_amount
        if row.opportunity_currency:
            sets["opportunity_currency"] = row.opportunity_currency
        # A fact in every state; only what sales has accepted is converted by it.
        if self.known["state"] in (State.ACCEPTED, State.WORKING):
            sets |= {"state": State.CONVERTED.value, "closed_at": at}
        self._add(EventKind.CONVERTED, Stage.AFTER, at, sets)

    @property
    def _closed(self) -> bool:
        return self.known["state"] in (State.REJECTED, State.CONVERTED)
