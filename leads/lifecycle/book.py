"""One transaction's changes to handoffs: the only code that writes a handoff's columns.

Owns `write` (one event and the columns it sets, together) and the derived deadlines. Decides nothing:
the verbs beside it do. Rows are changed in memory and saved set-wise at the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Model

from leads import notifications, outbox
from leads.choices import OPEN, EventKind, Stage, State
from leads.lifecycle.act import Act
from leads.lifecycle.known import Known
from leads.models import Event, FiredStep, Handoff, Notification
from routing import sla
from routing.engine import Target
from routing.models import User
from routing.pouring import made, pour, repour
from routing.rotation import Desk

STALE_AFTER = timedelta(days=60)
# Columns that follow from others; `write` sets them with every event.
DERIVED = ("next_due_at", "next_step_at")


def turn_ref(handoff: Handoff) -> str:
    """The opaque reference of a handoff in routing's ledger of turns."""
    return f"handoff:{handoff.pk}"


def encode(value: Any) -> Any:
    """A column's value as it stands in an event: ISO times with microseconds, decimals as text."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return str(value) if isinstance(value, str) else value


def clocks(handoff: Handoff) -> sla.Clocks:
    """The handoff's clock columns as the pure value that `routing.sla` works on."""
    return sla.Clocks(
        state=str(handoff.state),
        clock_started_at=_lead_clock(handoff),
        held_since=handoff.held_since,
        assigned_at=handoff.assigned_at,
        completion_since=handoff.completion_since,
        accept_due_at=handoff.accept_due_at,
        contact_due_at=handoff.contact_due_at,
        completion_due_at=handoff.completion_due_at,
        last_activity_at=handoff.last_activity_at,
        first_activity_at=handoff.first_activity_at,
        window=handoff.window,
        deferred_until=handoff.deferred_until,
        # What was due before anybody held it is told once, together, as delivered late.
        first_assigned_late=True,
        is_acknowledged=handoff.acknowledged_at is not None,
        deferrals=handoff.deferrals,
        visits=handoff.completion_visits,
    )


# What is done, when it was first done, and where the deadline that stood then is kept and comes from.
_MET = (
    ("acknowledged_at", "acknowledged_at", "acknowledged_due_at", "accept_due_at"),
    ("first_contact_at", "first_contact_at", "contacted_due_at", "contact_due_at"),
    ("disposition_at", "disposed_at", "disposed_due_at", "contact_due_at"),
)


def _lead_clock(handoff: Handoff) -> datetime | None:
    """Since when the lead's clock runs: after a deferral its target counts from the day that was asked for,
    and so do the shares of it."""
    start, asked_for = handoff.clock_runs_from, handoff.deferred_until
    return start if start is None or asked_for is None else max(start, asked_for)


def _with_deadlines_met(handoff: Handoff, changes: dict[str, Any]) -> dict[str, Any]:
    """The changes, and for what is done for the first time the deadline that stood until now."""
    met: dict[str, Any] = {}
    for done, first, met_column, due in _MET:
        if changes.get(done) is not None and getattr(handoff, first) is None:
            met[first] = changes[done]
            met[met_column] = getattr(handoff, due)
    return met | changes


class Book(Known):
    """Collects the changes of one act on any number of handoffs, then saves them."""

    def __init__(self, act: Act, *locked: Handoff) -> None:
        super().__init__(act, *locked)
        self._desk: Desk | None = None
        self._handoffs: dict[int, Handoff] = {}
        self._changed: dict[int, set[str]] = {}
        self._events: list[Event] = []
        self._rows: list[Model] = []
        self._notifications: list[Notification] = []
        self._overdue: dict[int, tuple[sla.Due, ...]] = {}
        self._seatings: list[tuple[Handoff, Any]] = []

    def write(
        self,
        handoff: Handoff,
        kind: EventKind,
        stage: Stage,
        changes: dict[str, Any] | None = None,
        *,
        occurred_at: datetime | None = None,
        by_system: bool = False,
        **codes: Any,
    ) -> Event:
        """Set columns (by attname) and add the event that says so. Derived deadlines follow by themselves.

        `codes` are further ids and codes for the log: never personal data.
        """
        self._look_at_overdue(handoff)
        old: dict[str, Any] = {}
        new: dict[str, Any] = {}
        for name, value in _with_deadlines_met(handoff, changes or {}).items():
            before = getattr(handoff, name)
            if before != value:
                old[name], new[name] = encode(before), encode(value)
                setattr(handoff, name, value)
        for name, value in self._derived(handoff).items():
            before = getattr(handoff, name)
            if before != value:
                old[name], new[name] = encode(before), encode(value)
                setattr(handoff, name, value)
        handoff.revision += 1
        handoff.updated_at = self.now
        event = made(
            Event,
            handoff=handoff,
            number=handoff.revision,
            kind=str(kind),
            stage=str(stage),
            occurred_at=occurred_at or self.now,
            recorded_at=self.now,
            user=None if by_system else self.act.user,
            api_key=None if by_system else self.act.api_key,
            data={"set": new, "was": old, **{name: encode(value) for name, value in codes.items()}},
        )
        self._events.append(event)
        self._handoffs[id(handoff)] = handoff
        self._changed.setdefault(id(handoff), {"revision", "updated_at"}).update(new)
        return event

    def _derived(self, handoff: Handoff) -> dict[str, datetime | None]:
        if handoff.is_history or handoff.state not in OPEN:
            return {"next_due_at": None, "next_step_at": None}
        running = clocks(handoff)
        return {"next_due_at": sla.next_deadline(running), "next_step_at": self._next_step(handoff, running)}

    def next_step(self, handoff: Handoff) -> datetime | None:
        """When time next does something to this open handoff, by the calendars as they are now."""
        return self._next_step(handoff, clocks(handoff))

    def _next_step(self, handoff: Handoff, running: sla.Clocks) -> datetime | None:
        if handoff.state == State.DEFERRED:
            moments = [handoff.deferred_until]
        elif handoff.state == State.WORKING:
            moments = [(handoff.last_activity_at or self.now) + STALE_AFTER]
        else:
            moments = []
        # Just opened, or complete and not yet held by anybody: no clock of the ladder runs.
        at_rest = handoff.state == State.INCOMPLETE and handoff.completion_since is None
        if not handoff.is_quiet and not at_rest:
            calendar = self.calendar(handoff)
            moments.append(sla.next_at(self.policy(handoff), running, calendar, self.fired(handoff)))
        return min((moment for moment in moments if moment is not None), default=None)

    def _look_at_overdue(self, handoff: Handoff) -> None:
        """Before its first change in this book: the steps whose time has come and that did not fire yet."""
        if handoff.pk is None or handoff.pk in self._overdue:
            return
        at = handoff.next_step_at
        is_late = at is not None and at <= self.now and not handoff.is_quiet and not handoff.is_history
        self._overdue[handoff.pk] = self.due(handoff) if is_late else ()

    def due(self, handoff: Handoff) -> tuple[sla.Due, ...]:
        """The ladder's steps whose time has come and that did not fire, in order."""
        policy, calendar = self.policy(handoff), self.calendar(handoff)
        return sla.due(policy, clocks(handoff), calendar, self.fired(handoff), self.now)

    def _cancel_overtaken(self, handoff: Handoff) -> None:
        """Say once what this book's changes made pointless before it could fire (see `lifecycle.steps`)."""
        overdue = self._overdue.pop(handoff.pk, ()) if handoff.pk else ()
        if not overdue:
            return
        kept = {item.key for item in self.due(handoff)} | self.fired(handoff)
        gone = [[item.step.code, item.window] for item in overdue if item.key not in kept]
        if gone:
            why = next(event.kind for event in reversed(self._events) if event.handoff is handoff)
            self.write(handoff, EventKind.CANCELLED, Stage.AFTER, by_system=True, steps=gone, why=why)

    def mark_fired(self, handoff: Handoff, due: Iterable[sla.Due]) -> None:
        """Remember ladder steps as fired; the unique row makes a second firing impossible."""
        for step in due:
            # The end of the acceptance window: whoever holds it has let it lapse.
            ends = step.step.clock == "acceptance" and step.step.is_at_end
            self._rows.append(
                FiredStep(
                    handoff=handoff,
                    code=step.step.code,
                    window=step.window,
                    due_at=step.at,
                    fired_at=self.now,
                    lapsed_id=handoff.assignee_id if ends and handoff.state == State.ASSIGNED else None,
                )
            )
            self._fired[handoff.pk] = self.fired(handoff) | {(step.step.code, step.window)}

    def add(self, row: Model) -> None:
        """A row beside the handoff (a note, an attempt, a decision), saved with it."""
        self._rows.append(row)

    def desk(self, targets: Iterable[Target]) -> Desk:
        """The one desk at which everything of this book is seated, with what these targets need."""
        if self._desk is None:
            self._desk = Desk(targets, self.now, calendar=self.calendar_of)
        else:
            self._desk.widen(targets)
        self.know(self._desk.people.values())
        return self._desk

    def seated(self, handoff: Handoff, seating: Any) -> None:
        """Remember whose turn this is; the ledger's reference needs the handoff's id."""
        self._seatings.append((handoff, seating))

    def tell(
        self,
        handoff: Handoff,
        kind: str,
        users: Iterable[User],
        data: dict[str, Any] | None = None,
        *,
        aloud: bool = False,
    ) -> None:
        """A message to these people, except to whoever acts, and about imported and quiet handoffs.

        It tells of the handoff's last event, and of one event nobody is told twice, whatever is retried.
        `aloud` is for what comes in by itself later, not quietly, on a handoff that was taken quietly.
        """
        if handoff.is_history or (handoff.is_quiet and not aloud):
            return
        actor = self.act.user.pk if self.act.user else None
        for user in users:
            if user.pk != actor:
                number = handoff.revision
                told = notifications.message(user, handoff, kind, self.now, data, event_number=number)
                self._notifications.append(told)

    def save(self) -> None:
        """Write everything: handoffs, events, rows beside them, turns, messages."""
        touched = list(self._handoffs.values())
        for handoff in touched:
            self._cancel_overtaken(handoff)
        new = [handoff for handoff in touched if handoff.pk is None]
        old = [handoff for handoff in touched if handoff.pk is not None]
        pour(new)
        if len(old) == 1:
            old[0].save(update_fields=self._changed[id(old[0])])
        elif old:
            columns = set().union(*(self._changed[id(handoff)] for handoff in old))
            names = {Handoff._meta.get_field(name).name for name in columns}
            repour(old, names)
        self._attach(self._events)
        pour(self._events)
        by_model: dict[type[Model], list[Model]] = {}
        for row in self._rows:
            by_model.setdefault(type(row), []).append(row)
        for rows in by_model.values():
            self._attach(rows)
            pour(rows)
        for handoff, seating in self._seatings:
            if seating.turn is not None:
                seating.turn.ref = turn_ref(handoff)
        if self._desk is not None:
            self._desk.save()
        self._attach(self._notifications)
        pour(self._notifications, ignore_conflicts=True)
        outbox.owe(self._events, self.now)
        self._events, self._rows, self._notifications = [], [], []
        self._handoffs, self._changed, self._seatings, self._desk = {}, {}, [], None

    @staticmethod
    def _attach(rows: Iterable[Any]) -> None:
        # The foreign key's id was copied before the handoff had one.
        for row in rows:
            if getattr(row, "handoff_id", 0) is None:
                row.handoff = row.handoff
