"""What must be true of the stored data at any moment, as a list of what is not.

Owns the invariants of `domain`: no black hole, one turn for each holder, a log without gaps, columns that
are the fold of their events, nobody twice. Reads only. Nothing here repairs: the sweep and
`rebuild_projection` do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Count, F, Max, Min, Q

from leads import identity, permissions, projection
from leads.choices import CLOSED, HOLDS_TURN, OPEN, State
from leads.lifecycle.book import clocks, turn_ref
from leads.models import Event, FiredStep, Handoff, Lead, LeadAlias
from routing import policies, sla
from routing.models import Absence, PoolMember, Queue, Turn, User

CHUNK = 2000
CODES = (
    "accountable", "deadline", "state", "turn", "seat", "queue", "log", "step", "policy", "identity",
    "projection",
)  # fmt: skip
_HELD = [str(state) for state in HOLDS_TURN]


@dataclass(frozen=True)
class Violation:
    """One thing that should not be. `code` is the invariant, one of CODES, `about` the row ("handoff 12")."""

    code: str
    about: str
    message: str

    def __str__(self) -> str:
        return f"{self.code}: {self.about}: {self.message}"


def violations(now: datetime | None = None) -> Iterator[Violation]:
    """Every violation; a full pass over the data, a chunk in memory at a time.

    With `now` also what is held by people who are away then, which the next sweep moves on. While others
    write, call it inside `snapshot`, or a row may change between two looks at it.
    """
    yield from _accountable(now)
    yield from _states()
    yield from _turns()
    yield from _seats()
    yield from _queues()
    yield from _log()
    yield from _steps()
    yield from _people()
    yield from _policies()
    for item in projection.all_differences():
        message = f"{item.column} is {item.stored!r}, the log says {item.logged!r}"
        yield Violation("projection", f"handoff {item.handoff_id}", message)


@contextmanager
def snapshot() -> Iterator[None]:
    """One state of the database for everything that is read inside, without stopping the writers."""
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    else:
        # Django's own transactions take SQLite's write lock at once; a plain one only reads.
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")


def _accountable(now: datetime | None) -> Iterator[Violation]:
    """No black hole: one accountable person who can answer, and a next deadline while something is owed."""
    able = set(User.objects.filter(permissions.can_answer()).values_list("pk"))
    owners = set(User.objects.filter(permissions.can_act()).values_list("pk", flat=True))
    away = set(Absence.objects.at(now).values_list("user")) if now is not None else set()
    completion = Queue.objects.filter(kind=Queue.Kind.COMPLETION).first()
    rows = Handoff.objects.open().filter(is_quiet=False).select_related("assignee", "queue")
    for handoff in rows.order_by("pk").iterator(CHUNK):
        about, state = f"handoff {handoff.pk}", State(handoff.state)
        holder = handoff.assignee
        if holder is not None and not holder.is_active:
            yield Violation("accountable", about, f"is held by {holder.email}, who is inactive")
        elif holder is not None and (holder.pk,) not in able:
            yield Violation("accountable", about, f"is held by {holder.email}, who is not in sales")
        elif holder is not None and (holder.pk,) in away and state in (State.ASSIGNED, State.ACCEPTED):
            yield Violation("accountable", about, f"is held by {holder.email}, who is away")
        if state == State.WORKING:
            if holder is None:
                yield Violation("accountable", about, "is working and nobody holds it")
            if not handoff.is_complete:
                yield Violation("accountable", about, "is worked but lacks what makes it complete")
            continue
        if state in HOLDS_TURN:
            if holder is None:
                yield Violation("accountable", about, f"is {state} and nobody holds it")
        elif state == State.QUEUED:
            if handoff.queue is None or handoff.queue.owner_id not in owners:
                yield Violation("accountable", about, "is in no queue whose owner can answer")
        elif completion is None or completion.owner_id not in owners:
            yield Violation("accountable", about, "waits for data in no queue whose owner can answer")
        if state != State.QUEUED and handoff.queue_id is not None:
            yield Violation("accountable", about, f"is {state} and still in a queue")
        if state in (State.QUEUED, State.INCOMPLETE) and handoff.assignee_id is not None:
            yield Violation("accountable", about, f"is {state} and a person holds it too")
        expected = sla.next_deadline(clocks(handoff))
        if expected is None and not handoff.is_complete:
            yield Violation("deadline", about, f"is {state} and has no next deadline")
        elif handoff.next_due_at != expected:
            yield Violation("deadline", about, f"is due {handoff.next_due_at}, its clocks say {expected}")
        if state == State.DEFERRED and handoff.next_step_at is None:
            yield Violation("deadline", about, "is deferred and nothing will wake it")


def _states() -> Iterator[Violation]:
    """What each state must have left behind."""
    live = Handoff.objects.live()
    opened, closed = [str(state) for state in OPEN], [str(state) for state in CLOSED]
    rules = (
        (Q(state__in=closed, closed_at__isnull=True), "is closed without a time"),
        (Q(state__in=opened, closed_at__isnull=False), "is open and has a closing time"),
        (Q(state__in=closed, next_step_at__isnull=False), "is closed and steps would still fire"),
        (Q(state__in=[*_HELD, "queued", "working"], assigned_at__isnull=True), "was never assigned"),
        (Q(state__in=["accepted", "working"], accepted_at__isnull=True), "was never accepted"),
        (Q(state="rejected", rejected_at__isnull=True), "is rejected without a time"),
        (Q(state="rejected", rejection_reason__isnull=True), "is rejected without a reason"),
        (Q(state="converted", opportunity_at__isnull=True), "is converted without an opportunity"),
        (Q(state="deferred", deferred_until__isnull=True), "is deferred without an end"),
        (Q(state__in=opened, lead__merged_into__isnull=False), "is open and its lead was merged away"),
        (Q(state__in=opened, lead__erased_at__isnull=False), "is open and its lead was erased"),
    )
    for condition, message in rules:
        for pk in live.filter(condition).order_by("pk").values_list("pk", flat=True):
            yield Violation("state", f"handoff {pk}", message)


def _turns() -> Iterator[Violation]:
    """One open turn of the holder for each handoff that holds one, and none besides."""
    held = Handoff.objects.live().filter(state__in=_HELD).only("pk", "assignee_id").order_by("pk")
    expected = {turn_ref(handoff): handoff.assignee_id for handoff in held.iterator(CHUNK)}
    open_turns = Turn.objects.filter(released_at__isnull=True).order_by("pk").values_list("ref", "user_id")
    found = dict(open_turns.iterator(CHUNK))
    for ref in sorted(expected.keys() | found.keys()):
        about, holder, taker = ref.replace(":", " "), expected.get(ref), found.get(ref)
        if taker is None:
            yield Violation("turn", about, f"is held by user {holder} without a turn")
        elif ref not in expected:
            yield Violation("turn", about, f"gives user {taker} an open turn and is not held")
        elif holder != taker:
            yield Violation("turn", about, f"is held by user {holder}, the turn is user {taker}'s")


def _seats() -> Iterator[Violation]:
    """A seat's count of turns is the ledger's."""
    counts = Turn.objects.filter(pool__isnull=False, given_back_at__isnull=True)
    ledger = {
        (row["pool_id"], row["user_id"]): row["n"]
        for row in counts.values("pool_id", "user_id").annotate(n=Count("pk"))
    }
    for seat in PoolMember.objects.order_by("pk"):
        counted = ledger.get((seat.pool_id, seat.user_id), 0)
        if seat.taken != counted:
            about = f"user {seat.user_id} in pool {seat.pool_id}"
            yield Violation("seat", about, f"took {seat.taken} turns, the ledger has {counted}")


def _queues() -> Iterator[Violation]:
    """The two queues that catch everything are there, and every queue's owner can answer."""
    for kind in (Queue.Kind.COMPLETION, Queue.Kind.OVERFLOW):
        # Before anything was set up there is nothing to catch.
        if Handoff.objects.open().exists() and not Queue.objects.filter(kind=kind).exists():
            yield Violation("queue", f"the {kind} queue", "is not there")
    able = User.objects.filter(permissions.can_act())
    for queue in Queue.objects.select_related("owner").exclude(owner__in=able):
        gone = "no more than a viewer" if queue.owner.is_active else "inactive"
        yield Violation("queue", f"queue {queue.slug}", f"its owner {queue.owner.email} is {gone}")


def _log() -> Iterator[Violation]:
    """Events are numbered from one to the row's revision, without a gap."""
    numbered = Event.objects.order_by().values("handoff_id").annotate(n=Count("pk"), low=Min("number"))
    wrong = numbered.annotate(high=Max("number")).filter(
        ~Q(low=1) | ~Q(high=F("n")) | ~Q(high=F("handoff__revision"))
    )
    for row in wrong.values_list("handoff_id", "n", "low", "high"):
        pk, count, low, high = row
        message = f"has {count} events numbered {low} to {high}, or another revision"
        yield Violation("log", f"handoff {pk}", message)
    for pk in Handoff.objects.filter(events__isnull=True).order_by("pk").values_list("pk", flat=True):
        yield Violation("log", f"handoff {pk}", "has no events")


def _steps() -> Iterator[Violation]:
    """No step fired before it was due, and none on imported or quiet handoffs."""
    for step in FiredStep.objects.filter(fired_at__lt=F("due_at")).order_by("pk"):
        yield Violation("step", f"handoff {step.handoff_id}", f"{step.code} fired before it was due")
    silent = Q(handoff__is_history=True) | Q(handoff__is_quiet=True)
    for step in FiredStep.objects.filter(silent).order_by("pk"):
        yield Violation("step", f"handoff {step.handoff_id}", f"{step.code} fired on a silent handoff")


def _policies() -> Iterator[Violation]:
    """Under every live policy silence ends at a named human."""
    for slug, wrong in policies.all_problems().items():
        for message in wrong:
            yield Violation("policy", f"policy {slug}", message)


def _people() -> Iterator[Violation]:
    """One lead per address: the stored key is the address's, and no alias is somebody else's address."""
    leads = Lead.objects.filter(merged_into__isnull=True).exclude(email="")
    for pk, email, key in leads.order_by("pk").values_list("pk", "email", "email_key").iterator(CHUNK):
        if (identity.normalise_email(email) or None) != key:
            yield Violation("identity", f"lead {pk}", "its key is not its address's")
    aliases = LeadAlias.objects.filter(email_key__in=Lead.objects.values("email_key"))
    for alias in aliases.order_by("pk"):
        owner = Lead.objects.filter(email_key=alias.email_key).exclude(pk=alias.lead_id).first()
        if owner is not None:
            about = f"lead {alias.lead_id}"
            yield Violation("identity", about, f"has the address of lead {owner.pk} as an alias")
    merged = Lead.objects.filter(merged_into__isnull=False, email_key__isnull=False).order_by("pk")
    for pk in merged.values_list("pk", flat=True):
        yield Violation("identity", f"lead {pk}", "was merged and still claims an address")
