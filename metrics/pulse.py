"""How often each week has changed: the mark by which what was counted of it is known to be still right.

A week's mark is the number of events in the log of its handoffs, since the ledger was begun. Every change of
a handoff, its rejections and attempts is one function of `leads` that appends its event in the same
transaction (backdated, undone, merged and imported ones too), `mql_at` is frozen, and the log is never cut.
So the mark grows with each committed change and only then: the same mark is the same facts.

Counting the whole log is slow, so the count up to an event, `settled_to`, is kept, and only later events are
counted when a mark is read. The kept part is right only if nothing can still be committed below it. Ids are
drawn in order, but transactions end in any. SQLite has one writer: what is visible below an id is all there
will be. On PostgreSQL an event is to be settled in two steps. First: read the newest visible event, then take
a transaction id of our own, the barrier. Whoever drew a smaller event id had written its handoff before, so
it had its transaction id before the barrier. Later: when the oldest running transaction is younger than the
barrier, all those have ended, and what a new statement counts below the event is final. No assumption is made
on how long a transaction takes or on any clock; while one hangs, only more is counted anew.

A reader takes the row first and counts after it: the row is written whole, so both fit whatever happens
between. What commits after that has a higher mark. Never looks at what the figures are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, QuerySet, Subquery

from leads.models import Event
from metrics.models import Ledger
from metrics.periods import Week
from metrics.spans import week_of
from routing import reading
from routing.prepared import prepared

ONLY = 1
# A page settles by itself when the worker's minute task has left so many events to it.
MANY = 500


@dataclass(frozen=True)
class Pulse:
    """The marks of the weeks at one reading; a week that did not change since the beginning has 0."""

    marks: Mapping[str, int]

    def of(self, weeks: Sequence[Week]) -> str:
        """The marks of these weeks as one text to compare."""
        return " ".join(str(self.marks.get(_name(week), 0)) for week in weeks)


def read(zone: str) -> Pulse | None:
    """The marks as of now; None while they cannot be known, before the ledger was begun."""
    found, behind = _read(zone)
    if (found is None or behind > MANY) and settle(zone):
        found, _ = _read(zone)
    return found


def settle(zone: str) -> bool:
    """Move the kept count on as far as is certain; whether there is a count now. Once a minute is plenty.

    Does nothing within somebody else's transaction: what it sees there is not what others see.
    """
    if connection.in_atomic_block:
        return False
    # Also for a page that reads from a copy: there the log may end before what is settled already.
    with reading.from_primary():
        return _settle(zone)


def _settle(zone: str) -> bool:
    newest = _newest()
    with transaction.atomic():
        Ledger.objects.get_or_create(pk=ONLY)
        ledger = Ledger.objects.select_for_update().get(pk=ONLY)
        if ledger.zone != zone or newest < (ledger.settled_to or 0):
            # Weeks of another zone, or a log that is not the one that was counted.
            ledger.zone, ledger.settled_to, ledger.marks = zone, None, {}
            ledger.barrier_event = ledger.barrier_xid = None
        if connection.vendor == "postgresql":
            _settle_behind_barrier(ledger, newest)
        elif newest != ledger.settled_to:
            _settle_to(ledger, newest)
        ledger.save()
    return ledger.settled_to is not None


def _read(zone: str) -> tuple[Pulse | None, int]:
    """The marks, and how many events there are at most behind the kept count."""
    for of_zone, settled_to, kept, newest in _kept():
        behind = (newest or 0) - settled_to
        if of_zone != zone or behind < 0:
            break
        marks: Counter[str] = Counter(kept)
        if behind:
            marks.update(_counts(zone, settled_to))
        return Pulse(marks), behind
    return None, 0


@prepared
def _kept() -> QuerySet[Any, tuple[Any, ...]]:
    """The kept count, and the newest event beside it; no row before there is one."""
    newest = Subquery(Event.objects.order_by("-pk").values("pk")[:1])
    rows = Ledger.objects.filter(pk=ONLY, settled_to__isnull=False).annotate(newest=newest)
    return rows.values_list("zone", "settled_to", "marks", "newest")


def _settle_behind_barrier(ledger: Ledger, newest: int) -> None:
    # Our own id is drawn here at the latest, so after `newest` was read.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        own = cursor.fetchone()[0]
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        oldest = cursor.fetchone()[0]
    if ledger.barrier_event is not None and ledger.barrier_xid is not None:
        if ledger.barrier_xid > own:
            # A copy in another server, whose transactions are counted anew: nothing of the old one runs.
            ledger.barrier_event = ledger.barrier_xid = None
        elif oldest > ledger.barrier_xid:
            _settle_to(ledger, ledger.barrier_event)
            ledger.barrier_event = ledger.barrier_xid = None
    if ledger.barrier_event is None and newest != ledger.settled_to:
        ledger.barrier_event, ledger.barrier_xid = newest, own


def _settle_to(ledger: Ledger, event: int) -> None:
    """All events up to this one are there: count them in. The first time there is nothing to count from."""
    if ledger.settled_to is not None:
        ledger.marks = dict(Counter(ledger.marks) + _counts(ledger.zone, ledger.settled_to, event))
    ledger.settled_to = event


def _counts(zone: str, after: int, up_to: int | None = None) -> Counter[str]:
    """The events behind one, by the week of their handoff."""
    events = Event.objects.filter(pk__gt=after).order_by()
    if up_to is not None:
        events = events.filter(pk__lte=up_to)
    week = week_of(zone, "handoff__mql_at")
    rows: Any = events.annotate(week=week).values("week").annotate(count=Count("pk"))
    return Counter({row["week"].isoformat(): row["count"] for row in rows})


def _newest() -> int:
    return Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def _name(week: Week) -> str:
    return week.monday.isoformat()
