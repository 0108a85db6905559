"""Acts on many handoffs at once: chosen, looked at, then done one by one with what became of each.

Owns the runs and their rows. What would happen to a row is said before by the permissions and states that the
verbs themselves ask for, and each row is then one transaction through its verb: claimed, moved and noted
together, so that a run that is posted twice, or cut off, does nothing twice. Never moves anything by itself.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import DatabaseError, transaction
from django.db.models import QuerySet

from leads import permissions, typed
from leads.bulk import verbs
from leads.bulk.verbs import ALL, Verb
from leads.lifecycle import Act, Invalid, Refused, guard
from leads.models import BulkRow, BulkRun, Handoff
from leads.receivers import Receiver, receivers
from routing.people import User

logger = logging.getLogger(__name__)

MOST = 500
# What is not done while somebody waits for the page goes on in the worker.
WAITED_SECONDS, SLICE_SECONDS = 5.0, 20.0
KEPT = timedelta(days=30)
OPTIONS = ("to", "reason", "check", "until", "anyway")
_WITH = ("lead__company", "queue__owner", "assignee__team", "rejection_reason")


@dataclass(frozen=True, slots=True)
class Would:
    """What would happen to one handoff: `status` is "" when the act would be done, else why not."""

    row: BulkRow
    handoff: Handoff | None
    status: str = ""
    why: str = ""


@dataclass
class Looked:
    """A run before it is done: each row, in words what would be done to those to which it can be, and what is
    wrong with what was chosen for all of them."""

    rows: Sequence[Would] = ()
    doing: str = ""
    errors: dict[str, str] = field(default_factory=dict)
    receivers: Sequence[Receiver] = ()

    @property
    def able(self) -> int:
        return sum(not would.status for would in self.rows)

    @property
    def unable(self) -> int:
        return len(self.rows) - self.able


def verbs_for(user: User) -> list[Verb]:
    """What this person may do with many at once."""
    return [verb for verb in ALL.values() if verb.is_for(user)]


def choose(
    verb: str, user: User, now: datetime, picked: Mapping[int, int], *, query: str = "", left_out: int = 0
) -> BulkRun:
    """Keep the selection: ids of handoffs that this person sees, each with the revision that they saw."""
    known = Handoff.objects.visible_to(user).filter(pk__in=list(picked)[:MOST])
    ids = set(known.values_list("pk", flat=True))
    with transaction.atomic():
        run = BulkRun.objects.create(
            verb=verb, query=typed.plain(query), left_out=left_out, created_at=now, created_by=user
        )
        BulkRow.objects.bulk_create(
            BulkRow(run=run, handoff_id=pk, revision=revision) for pk, revision in picked.items() if pk in ids
        )
    return run


def matching(rows: QuerySet[Handoff]) -> tuple[dict[int, int], int]:
    """All that a list shows, as many as are taken at once, and how many more there are (at most as many)."""
    found = list(rows.values_list("pk", "revision")[: 2 * MOST])
    return dict(found[:MOST]), max(0, len(found) - MOST)


def set_options(run: BulkRun, given: Mapping[str, str]) -> None:
    """Keep what was chosen for all rows; not once it was started."""
    run.options = {name: typed.plain(given[name]).strip() for name in OPTIONS if given.get(name)}
    BulkRun.objects.filter(pk=run.pk, started_at__isnull=True).update(options=run.options)


def look(run: BulkRun, user: User, now: datetime) -> Looked:
    """What would happen to each row; a constant number of queries."""
    verb = ALL[run.verb]
    rows = list(run.rows.all())
    found = Looked(receivers=receivers(user, None, now) if "to" in verb.needs else ())
    found.doing = verbs.in_words(verb, run.options, found.receivers)
    found.errors = verbs.wrong(verb, run.options, found.receivers, now)
    seen = _seen(user, [row.handoff_id for row in rows])
    objections = _objections(run, user, {row.handoff_id: row.revision for row in rows}, seen, now)
    found.rows = [
        Would(row, seen.get(row.handoff_id), *objections.get(row.handoff_id, ("", ""))) for row in rows
    ]
    return found


def start(run: BulkRun, now: datetime) -> bool:
    """From here on it is done; False when it was started before."""
    return bool(BulkRun.objects.filter(pk=run.pk, started_at__isnull=True).update(started_at=now))


def work(run: BulkRun, now: datetime, seconds: float = SLICE_SECONDS) -> bool:
    """Do what is left of a started run, for so long; whether there is more to do."""
    begun = time.monotonic()
    act = Act(now, run.created_by)
    for row in run.rows.filter(status=BulkRow.Status.WAITING).order_by("pk"):
        if time.monotonic() - begun >= seconds:
            return True
        try:
            _do(run, row, act)
        except DatabaseError:
            # The database was busy or gone for a moment; the row waits as it did.
            logger.exception("row %s of bulk run %s was cut short", row.pk, run.pk)
            return True
    BulkRun.objects.filter(pk=run.pk, finished_at__isnull=True).update(finished_at=now)
    return False


def unfinished() -> QuerySet[BulkRun]:
    """Runs that were started and have rows left, the oldest first."""
    return BulkRun.objects.filter(started_at__isnull=False, finished_at__isnull=True).order_by(
        "started_at", "pk"
    )


def old(now: datetime) -> QuerySet[BulkRun]:
    """Runs that nobody opens again."""
    return BulkRun.objects.filter(created_at__lt=now - KEPT)


def counts(run: BulkRun) -> Counter[str]:
    """How many rows ended how; "" is those that have not."""
    return Counter(run.rows.order_by().values_list("status", flat=True))


@transaction.atomic
def _do(run: BulkRun, row: BulkRow, act: Act) -> None:
    """One row, if nobody has done it yet."""
    claimed = BulkRow.objects.filter(pk=row.pk, status=BulkRow.Status.WAITING)
    if not claimed.update(status=BulkRow.Status.DONE):
        return
    try:
        with transaction.atomic():
            status, message = _act(run, row, act)
    except Refused as refused:
        stale = refused.code == "stale"
        status, message = (BulkRow.Status.CHANGED if stale else BulkRow.Status.REFUSED), refused.message
    except Invalid as invalid:
        status, message = BulkRow.Status.REFUSED, " ".join(invalid.errors.values())
    BulkRow.objects.filter(pk=row.pk).update(status=status, message=message[:500])


def _act(run: BulkRun, row: BulkRow, act: Act) -> tuple[str, str]:
    user = run.created_by
    seen = _seen(user, [row.handoff_id])
    objections = _objections(run, user, {row.handoff_id: row.revision}, seen, act.now)
    if row.handoff_id in objections:
        return objections[row.handoff_id]
    return ALL[run.verb].do(seen[row.handoff_id], act, run.options, row.revision)


def _seen(user: User, ids: Sequence[int]) -> dict[int, Handoff]:
    rows = Handoff.objects.visible_to(user).filter(pk__in=ids).select_related(*_WITH)
    return {handoff.pk: handoff for handoff in rows}


def _objections(
    run: BulkRun, user: User, revisions: Mapping[int, int], seen: Mapping[int, Handoff], now: datetime
) -> dict[int, tuple[str, str]]:
    """Why an act would not be done to these handoffs, by id; those to which it would are not in it."""
    verb, found = ALL[run.verb], {}
    for pk in revisions.keys() - seen.keys():
        found[pk] = (str(BulkRow.Status.REFUSED), "It is not yours to see any more.")
    forbidden = {pk for pk, handoff in seen.items() if not permissions.may(user, verb.permission, handoff)}
    shut = {pk for pk, handoff in seen.items() if not verb.is_open_to(handoff)}
    stale = {
        pk: revision for pk, revision in revisions.items() if pk in seen and revision < seen[pk].revision
    }
    moved = guard.moved_since(stale, user) if stale else frozenset()
    moves = guard.last_moves(shut | moved) if shut or moved else {}
    for pk, why in verb.object_to(
        user, [seen[pk] for pk in seen.keys() - shut - forbidden], run.options, now
    ).items():
        found[pk] = why
    for pk in moved:
        words = guard.refusal_by(moves.get(pk), seen[pk], verb.wanted, "stale").message
        found[pk] = (str(BulkRow.Status.CHANGED), words)
    for pk in shut:
        found[pk] = (
            str(BulkRow.Status.REFUSED),
            guard.refusal_by(moves.get(pk), seen[pk], verb.wanted).message,
        )
    for pk in forbidden:
        found[pk] = (str(BulkRow.Status.REFUSED), f"You may not {verb.wanted} on this one.")
    return found
