"""What must hold at any moment of a storm among the clocks, told from the rows and the log.

Owns the oracle of that storm. Policies, calendars and fired steps are read anew each time: nothing that the
code under test keeps or remembers is believed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from itertools import groupby, pairwise

from leads import invariants, timing
from leads.choices import State
from leads.escalation import OWED
from leads.lifecycle.book import clocks
from leads.models import Event, FiredStep, Handoff, Notification
from routing import hours, sla
from routing.models import Absence, Calendar, Queue, SlaPolicy, User
from routing.people import MANAGER, REP, ROLES, VIEWER

# Of each handoff its revision at some edit of a calendar, and the hours before it.
Kept = Mapping[int, tuple[int, hours.Calendar]]
# Handoff, step and window: what fires once.
Key = tuple[int, str, str]


class Seen:
    """The rows as they are at this moment.

    `kept` says by which hours the moments of a handoff were counted whose calendar was edited since: no edit
    moves one, so that they hold until the handoff's next event.
    """

    def __init__(self, now: datetime, kept: Kept) -> None:
        self.now, self.kept = now, kept
        # A policy is not edited, so those of this one look may be kept for it.
        self._policies: dict[int, sla.Policy] = {}

    @cached_property
    def calendars(self) -> dict[int | None, hours.Calendar]:
        """The hours of each calendar by its id; the default one's by None too."""
        rows = list(Calendar.objects.prefetch_related("intervals", "closed_days"))
        found: dict[int | None, hours.Calendar] = {row.pk: row.compile() for row in rows}
        return found | {None: found[row.pk] for row in rows if row.is_default}

    @cached_property
    def fired(self) -> dict[int, set[tuple[str, str]]]:
        found: dict[int, set[tuple[str, str]]] = {}
        for pk, code, window in FiredStep.objects.values_list("handoff_id", "code", "window"):
            found.setdefault(pk, set()).add((code, window))
        return found

    def handoffs(self) -> Iterator[Handoff]:
        return iter(Handoff.objects.select_related("queue", "assignee__team").order_by("pk"))

    def works_by(self, handoff: Handoff) -> hours.Calendar:
        """The holder's hours, by the rows of today."""
        if (user := handoff.assignee) is not None:
            own = user.calendar_id or (user.team.calendar_id if user.team is not None else None)
        else:
            own = handoff.queue.calendar_id if handoff.queue is not None else None
        return self.calendars[own]

    def counted_by(self, handoff: Handoff) -> hours.Calendar:
        """The hours by which its moments were counted."""
        revision, before = self.kept.get(handoff.pk, (0, None))
        return before if before is not None and revision == handoff.revision else self.works_by(handoff)

    def due(self, handoff: Handoff, calendar: hours.Calendar) -> set[Key]:
        """The steps of an open handoff whose time has come by these hours and that did not fire."""
        found = sla.due(self._policy(handoff), clocks(handoff), calendar, self._fired(handoff), self.now)
        return {(handoff.pk, *item.key) for item in found}

    def overdue(self) -> dict[Key, int]:
        """What a sweep would fire now, with the revision of its handoff."""
        rows = Handoff.objects.open().filter(next_step_at__lte=self.now, is_quiet=False)
        if not rows.exists():
            return {}
        return {
            key: handoff.revision
            for handoff in rows.select_related("queue", "assignee__team")
            for key in self.due(handoff, self.works_by(handoff))
        }

    def nothing_is_missed(self, handoff: Handoff) -> None:
        """After a sweep nothing is due, and the stored moment is the next one or before it."""
        assert handoff.next_step_at is None or handoff.next_step_at > self.now
        assert handoff.follow_up_at is None or handoff.follow_up_at > self.now
        if handoff.is_quiet or not handoff.is_open:
            return
        calendar = self.counted_by(handoff)
        assert self.due(handoff, calendar) == set()
        coming = sla.next_at(self._policy(handoff), clocks(handoff), calendar, self._fired(handoff))
        assert coming is None or (handoff.next_step_at is not None and handoff.next_step_at <= coming)

    def _policy(self, handoff: Handoff) -> sla.Policy:
        pk = handoff.policy_id
        assert pk is not None
        if pk not in self._policies:
            self._policies[pk] = SlaPolicy.objects.prefetch_related("steps").get(pk=pk).policy()
        return self._policies[pk]

    def _fired(self, handoff: Handoff) -> frozenset[tuple[str, str]]:
        return frozenset(self.fired.get(handoff.pk, ()))


def everything(now: datetime, kept: Kept, *, swept: bool) -> None:
    """All that holds at any moment and, after a sweep, that none was missed."""
    assert [str(found) for found in invariants.violations(now)] == []
    logged = list(_steps_in_the_log())
    assert len(logged) == len(set(logged)), "a step fired twice"
    assert set(logged) == set(FiredStep.objects.values_list("handoff_id", "code", "window"))
    # Of leads: a queue may come to the same person anew.
    rows = Notification.objects.filter(handoff__isnull=False)
    told = list(rows.values_list("user", "handoff", "kind", "event_number"))
    assert len(told) == len(set(told)), "somebody was told twice"
    seen = Seen(now, kept)
    log = Event.objects.order_by("handoff_id", "number")
    logs = {pk: list(events) for pk, events in groupby(log, key=lambda event: event.handoff_id)}
    for handoff in seen.handoffs():
        adds_up(handoff, logs[handoff.pk], seen.works_by(handoff), now)
        if swept:
            seen.nothing_is_missed(handoff)


def adds_up(handoff: Handoff, log: list[Event], calendar: hours.Calendar, now: datetime) -> None:
    """The parts of its time are the whole of it, to the microsecond, elapsed and in business hours."""
    parts = timing.parts(log, lambda person, queue: calendar, now)
    ends = min(handoff.first_contact_at or handoff.closed_at or now, now)
    starts = min(handoff.mql_at, ends)
    assert timing.total(parts) == (ends - starts, hours.between(starts, ends, calendar))
    for earlier, later in pairwise(parts):
        assert earlier.ends_at == later.starts_at


def lost(seen: Seen, overdue: Mapping[Key, int]) -> list[Key]:
    """Of what was overdue at these revisions: what neither is so still, nor fired, nor was called off."""
    if not overdue:
        return []
    rows = Event.objects.filter(kind="cancelled", handoff__in={pk for pk, _, _ in overdue})
    events = rows.order_by("number").values_list("handoff_id", "number", "data")
    off = {(pk, *step): number for pk, number, data in events for step in data["steps"]}
    found = [
        key
        for key, revision in overdue.items()
        if off.get(key, 0) <= revision and key[1:] not in seen.fired.get(key[0], ())
    ]
    still = seen.overdue() if found else {}
    return [key for key in found if key not in still]


def unanswered(now: datetime) -> list[str]:
    """Open handoffs for which nobody can answer at this moment, or that have no deadline; and such queues."""
    people = User.objects.filter(is_active=True, groups__name__in=(REP, MANAGER))
    able, away = set(people.values_list("pk", flat=True)), set(_away(now))
    rows = Handoff.objects.open().filter(is_quiet=False)
    queues, found = {}, []
    owning = set(_able_to_own())
    for pk, kind, owner in Queue.objects.values_list("pk", "kind", "owner"):
        if owner in owning:
            queues[pk] = kind
        else:
            found.append(f"queue {pk}")
    for pk, state, holder, queue, due in rows.values_list("pk", "state", "assignee", "queue", "next_due_at"):
        if state == State.INCOMPLETE:
            answered = Queue.Kind.COMPLETION in queues.values()
        elif state == State.QUEUED:
            answered = queue in queues
        else:
            answered = holder in able and not (state in OWED and holder in away)
        if not answered or (due is None and state != State.WORKING):
            found.append(f"handoff {pk}, {state}")
    return found


def _able_to_own() -> list[int]:
    """Who can own a queue: active, with a role that acts."""
    roles = [role for role in ROLES if role != VIEWER]
    return list(User.objects.filter(is_active=True, groups__name__in=roles).values_list("pk", flat=True))


def _away(now: datetime) -> list[int]:
    return list(Absence.objects.at(now).values_list("user", flat=True))


def _steps_in_the_log() -> Iterator[Key]:
    """Every event that says that a step fired."""
    rows = Event.objects.filter(kind__in=("escalated", "flagged", "black_hole"))
    for pk, data in rows.values_list("handoff_id", "data"):
        if "step" in data and "window" in data:
            yield pk, data["step"], data["window"]
