"""Deadlines moved on purpose, after a calendar or a policy was edited: which would move, and moving them.

Owns the telling of a handoff's deadlines from its events as they would be today: each is set again where the
log says it was set, by the calendars as they are now and the policy it keeps or is given. Where none of them
moves, the ladder's next step still may: it is counted from no deadline that is stored. Editing a calendar or
a policy calls nothing here; a person does. Steps that have fired stay fired.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from leads.choices import EventKind, LeadType, Stage, State
from leads.lifecycle import guard
from leads.lifecycle.act import Act
from leads.lifecycle.book import Book
from leads.models import Deferral, Event, Handoff
from leads.projection import decode
from routing import hours, sla
from routing.models import Calendar, Queue, SlaPolicy, User
from routing.models.calendars import prepare

# So many open handoffs are looked at for one edit; what is due first comes first.
MOST = 10_000
CHUNK = 2_000
COLUMNS = ("completion_due_at", "accept_due_at", "contact_due_at")
# Whose deadlines still count, by state. Once contacted, none of the three does.
COUNTS: dict[str, tuple[str, ...]] = {
    State.INCOMPLETE: ("completion_due_at", "contact_due_at"),
    State.QUEUED: ("accept_due_at", "contact_due_at"),
    State.ASSIGNED: ("accept_due_at", "contact_due_at"),
    State.ACCEPTED: ("contact_due_at",),
    State.DEFERRED: ("contact_due_at",),
}
_STATES = [str(state) for state in COUNTS]
# What a deadline follows from.
_FACTS = frozenset(
    {"state", "lead_type", "mql_at", "ready_at", "clock_runs_from", "raised_at", "completion_since"}
    | {"held_since", "deferred_until", "assignee_id", "queue_id", "policy_id"}
)
# Events that set none of these.
_BESIDE = [
    str(kind)
    for kind in (
        EventKind.NOTED,
        EventKind.VIEWED,
        EventKind.WAIVED,
        EventKind.RECHECKED,
        EventKind.FLAGGED,
        EventKind.UNFLAGGED,
        EventKind.BLACK_HOLE,
        EventKind.CANCELLED,
    )
]
# Number, kind, when it was recorded, data.
_Row = tuple[int, str, datetime, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Shift:
    """One deadline that would move; of the column `next_step_at` where only the ladder's next step would."""

    column: str
    before: datetime
    after: datetime


@dataclass(frozen=True, slots=True)
class Affected:
    """A handoff whose deadlines would move. `shifts` is empty when only another version's steps are new."""

    handoff_id: int
    revision: int
    shifts: tuple[Shift, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """What an edit would move if somebody asked for it. `is_cut`: more are open than were looked at."""

    rows: tuple[Affected, ...]
    looked_at: int
    is_cut: bool


def affected(
    act: Act, *, calendar: Calendar | None = None, policy: SlaPolicy | None = None, most: int = MOST
) -> Preview:
    """The open handoffs whose deadlines are not what they would be today; nothing is written.

    calendar: those that are held by whoever works by it, or were when a deadline was set. policy: those that
    keep another version of it, as if they took this one. A constant number of queries.
    """
    if calendar is None and policy is None:
        raise ValueError("neither a calendar nor a policy was edited")
    rows = Handoff.objects.open().filter(state__in=_STATES)
    if calendar is not None:
        rows = rows.filter(_of_calendar(calendar))
    if policy is not None:
        rows = rows.filter(policy__slug=policy.slug).exclude(policy=policy)
    # Which to look at is asked for twice (the events by the same selection), so the order is total.
    rows = rows.order_by("next_due_at", "pk")
    stored = list(rows[: most + 1])
    is_cut = len(stored) > most
    del stored[most:]
    told = dict(_events(rows.values("pk")[:most]))
    book = _book(act)
    book.remember_fired(row.pk for row in stored)
    found = (
        Affected(row.pk, row.revision, _shifts(book, row, told.get(row.pk, ()), policy)) for row in stored
    )
    moving = tuple(row for row in found if row.shifts or policy is not None)
    return Preview(moving, len(stored), is_cut)


@transaction.atomic
def move_deadlines(handoff_id: int, act: Act, why: str, *, policy: SlaPolicy | None = None) -> Handoff:
    """Set its deadlines as they would be set today, with one event; `why` is a code for the log, such as
    "calendar:3". With `policy` it takes that version of the policy it keeps.

    Where nothing would change, or it is closed or contacted by now, nothing is written.
    """
    handoff = guard.locked(handoff_id)
    if handoff.is_history or handoff.state not in COUNTS:
        return handoff
    book = Book(act)
    kept = handoff.policy
    if policy is not None and (kept is None or kept.slug != policy.slug):
        policy = None
    [(_, events)] = _events([handoff_id])
    shifts = _shifts(book, handoff, events, policy)
    # The next step follows by itself from whatever is written.
    changes: dict[str, Any] = {s.column: s.after for s in shifts if s.column in COLUMNS}
    if policy is not None and handoff.policy_id != policy.pk:
        changes["policy_id"] = policy.pk
    if shifts or changes:
        stage = {State.INCOMPLETE: Stage.ENRICHMENT, State.ACCEPTED: Stage.CONTACT}
        book.write(
            handoff,
            EventKind.RECLOCKED,
            stage.get(State(handoff.state), Stage.ACCEPTANCE),
            changes,
            why=why,
        )
        book.save()
    return handoff


def _book(act: Act) -> Book:
    """A book that knows everybody, every queue and the hours of every calendar: no row asks for more."""
    book = Book(act)
    book.know(User.objects.select_related("calendar", "team__calendar"))
    for queue in Queue.objects.select_related("owner", "calendar"):
        book.know_queue(queue)
    prepare(Calendar.objects.all())
    return book


def _of_calendar(calendar: Calendar) -> Q:
    """Handoffs with a deadline that may have been counted in this calendar's hours."""
    people = Q(calendar=calendar) | Q(calendar=None, team__calendar=calendar)
    own = Q(calendar=calendar)
    if calendar.is_default:
        people |= Q(calendar=None, team__calendar=None)
        own |= Q(calendar=None)
    users, queues = User.objects.filter(people), Queue.objects.filter(own)
    found = Q(assignee__in=users.values("pk")) | Q(first_holder__in=users.values("pk"))
    # In between it was held by others: a deferral has set the first contact by the hours of whoever deferred,
    # a raise by those of whoever held it then, who is looked for in the events alone.
    deferred = Deferral.objects.filter(by__in=users.values("pk"), undone_at__isnull=True)
    found |= Q(pk__in=deferred.values("handoff")) | Q(raised_at__isnull=False, window__gt=1)
    kinds = set(queues.values_list("kind", flat=True))
    if kinds:
        found |= Q(state=State.QUEUED, queue__in=queues.values("pk"))
        # It may have waited in one of these queues when its first contact was set.
        found |= Q(window__gt=1)
    if Queue.Kind.COMPLETION in kinds:
        found |= Q(state=State.INCOMPLETE)
    if calendar.is_default:
        # A later stay in completion moves the first contact on by the default calendar.
        found |= Q(completion_visits__gt=0)
    return found


def _events(handoffs: QuerySet[Any] | Iterable[int]) -> Iterator[tuple[int, list[_Row]]]:
    """The events of each of these handoffs that say something about deadlines, in order."""
    rows = (
        Event.objects.filter(handoff__in=handoffs)
        .exclude(kind__in=_BESIDE)
        .order_by("handoff_id", "number")
        .values_list("handoff_id", "number", "kind", "recorded_at", "data")
    )
    for pk, group in groupby(rows.iterator(CHUNK), key=itemgetter(0)):
        yield pk, [row[1:] for row in group]


def _shifts(
    book: Book, stored: Handoff, events: Sequence[_Row], policy: SlaPolicy | None
) -> tuple[Shift, ...]:
    """The deadlines of a handoff that are not what they would be today."""
    told = _Telling(book)
    for event in events:
        if event[1] == EventKind.RECLOCKED:
            told.took(event)
    if policy is not None and stored.policy_id is not None:
        told.versions[stored.policy_id] = policy.pk
    for event in events:
        told.hear(event)
    found = []
    for column in COUNTS[stored.state]:
        before, after = getattr(stored, column), told.due.get(column)
        if before is not None and after is not None and before != after:
            found.append(Shift(column, before, after))
    if not found and policy is None:
        before, after = stored.next_step_at, book.next_step(stored)
        if before is not None and after is not None and before != after:
            found.append(Shift("next_step_at", before, after))
    return tuple(found)


@dataclass
class _Telling:
    """One handoff's story heard again, with the deadlines as they would be set today."""

    book: Book
    facts: dict[str, Any] = field(default_factory=dict)
    due: dict[str, datetime | None] = field(default_factory=lambda: dict.fromkeys(COLUMNS))
    # Versions that were moved to later ones: the whole story is told by those.
    versions: dict[int, int] = field(default_factory=dict)
    _earlier: dict[int, dict[str, datetime | None]] = field(default_factory=dict)

    def took(self, event: _Row) -> None:
        """The handoff took another version of its policy in this event."""
        data = event[3]
        before, after = data.get("was", {}).get("policy_id"), data.get("set", {}).get("policy_id")
        if before is not None and after is not None:
            self.versions[before] = after

    def hear(self, event: _Row) -> None:
        number, kind, at, data = event
        self._earlier[number] = dict(self.due)
        before = dict(self.facts)
        given = data.get("set") or {}
        self.facts |= {name: decode(name, given[name]) for name in given.keys() & _FACTS}
        match kind:
            case EventKind.UNDONE:
                self._as_before(data.get("undid") or [])
            case EventKind.HELD:
                self.due["completion_due_at"] = self._deadline(self._fact("completion_since"), "completion")
            case EventKind.PASSED:
                self.due["completion_due_at"] = None
                if before.get("ready_at") is not None and before.get("completion_since") is not None:
                    self._moved_on(before["completion_since"], at)
            case EventKind.DEFERRED:
                self.due["accept_due_at"] = None
                self.due["contact_due_at"] = self._deadline(self._fact("deferred_until"), "contact")
            case EventKind.RAISED:
                self._raised()
            case EventKind.RECLOCKED:
                pass
            case _ if "window" in given:
                self._given()
            case _:
                # Set outright, by a repair: it stands as it was set.
                self.due |= {name: decode(name, given[name]) for name in given.keys() & set(COLUMNS)}

    def _as_before(self, undone: Iterable[int]) -> None:
        first = min(undone, default=None)
        kept = [number for number in self._earlier if first is not None and number >= first]
        if kept:
            self.due = dict(self._earlier[min(kept)])

    def _given(self) -> None:
        """Somebody or a queue got it."""
        self.due["accept_due_at"] = self._deadline(self._fact("held_since"), "accept")
        if self.due["contact_due_at"] is None:
            start = self._fact("clock_runs_from") or self.facts["mql_at"]
            self.due["contact_due_at"] = self._deadline(
                max(start, self._fact("raised_at") or start), "contact"
            )

    def _moved_on(self, since: datetime, now: datetime) -> None:
        """A later stay in completion has ended, from `since` to `now`: the lead's clock stood still."""
        due = self.due["contact_due_at"]
        if due is None:
            return
        business = self.book.default_calendar() if self._policy().contact.business else None
        left = hours.between(since, due, business)
        moved = hours.add(now, left, business) if left > timedelta(0) else due + (now - since)
        self.due["contact_due_at"] = moved

    def _raised(self) -> None:
        """From standard to demo: no deadline gets later."""
        raised_at, state = self.facts["raised_at"], self.facts["state"]
        if state == State.INCOMPLETE:
            self._sooner("completion_due_at", raised_at, "completion")
            since = self._fact("completion_since")
            if self.due["contact_due_at"] is not None and since is not None:
                self._sooner("contact_due_at", since, "contact")
            return
        self._sooner("contact_due_at", raised_at, "contact")
        if state in (State.ASSIGNED, State.QUEUED):
            self._sooner("accept_due_at", max(raised_at, self._fact("held_since") or raised_at), "accept")

    def _sooner(self, column: str, start: datetime, target: str) -> None:
        due = self._deadline(start, target)
        stands = self.due[column]
        self.due[column] = due if stands is None or due is None else min(stands, due)

    def _deadline(self, start: datetime | None, target: str) -> datetime | None:
        if start is None:
            return None
        wanted: sla.Target = getattr(self._policy(), target)
        return sla.deadline(start, wanted, self._calendar() if wanted.business else None)

    def _fact(self, name: str) -> Any:
        return self.facts.get(name)

    def _policy(self) -> sla.Policy:
        policy_id = self._fact("policy_id")
        seen: set[int] = set()
        while policy_id in self.versions and policy_id not in seen:
            seen.add(policy_id)
            policy_id = self.versions[policy_id]
        lead_type = LeadType.DEMO if self._fact("raised_at") else self.facts["lead_type"]
        return self.book.policy_for(policy_id, lead_type)

    def _calendar(self) -> hours.Calendar | None:
        """The hours of whoever held it at this point of the story, as they are today."""
        if (user_id := self._fact("assignee_id")) is not None:
            return self.book.calendar_of(self.book.person(user_id))
        queue_id = self._fact("queue_id")
        queue = self.book.queue(queue_id) if queue_id is not None else self.book.completion_queue()
        return self.book.calendar_of_queue(queue) if queue is not None else self.book.default_calendar()
