"""Back-tests that are kept: started from the page, worked on in slices by the worker.

Owns the rows. A slice is claimed by a conditional update and saves with the condition that the claim still
stands, moves and state in one transaction, so a task that runs twice does nothing twice; a slice that died
is taken up again from what was last saved.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, OperationalError, transaction
from django.db.models import Q, QuerySet

from leads.backtesting.imported import imported_between
from leads.backtesting.reading import decisions_between
from leads.backtesting.report import report
from leads.backtesting.running import Move, Run
from leads.models import Backtest, BacktestMove
from routing import publish
from routing.models import Ruleset, User

logger = logging.getLogger(__name__)

LONGEST_DAYS = 400
SLICE_SECONDS = 20
SAVED_EVERY = 2  # seconds
# A slice that has not saved for this long has died.
LEASE = timedelta(seconds=60)
SILENT_AFTER = timedelta(seconds=90)
MOST_TRIES = 3
UNFINISHED = (Backtest.Status.WAITING, Backtest.Status.RUNNING)


class NotFound(LookupError):
    """There is no such ruleset."""


def document_of(which: str) -> tuple[dict[str, Any], Ruleset | None]:
    """The document to test: "draft", "live" or the id of a version. Raises NotFound."""
    if which == "draft":
        return publish.compile_draft(), None
    if which == "live":
        row = publish.live()
    else:
        row = Ruleset.objects.filter(pk=int(which)).first() if which.isdecimal() and len(which) < 19 else None
    if row is None:
        raise NotFound("No ruleset is live." if which == "live" else f"There is no ruleset {which!r}.")
    return row.document, row


def start(which: str, days: int, user: User | None, now: datetime) -> Backtest:
    """A run over the last `days`, waiting for the worker; the one that is under way for the same, if there
    is one. Raises NotFound."""
    document, ruleset = document_of(which)
    for run in Backtest.objects.filter(status__in=UNFINISHED, ruleset=ruleset):
        if run.document == document and run.until - run.since == timedelta(days=days):
            return run
    run = Backtest(
        ruleset=ruleset,
        document=document,
        since=now - timedelta(days=days),
        until=now,
        created_at=now,
        created_by=user,
    )
    run.total = (
        decisions_between(run.since, run.until).count() + imported_between(run.since, run.until).count()
    )
    run.save()
    return run


def is_still_draft(run: Backtest) -> bool:
    """Whether the draft is still what this run tested."""
    return run.ruleset_id is None and publish.compile_draft() == run.document


def unfinished(now: datetime) -> QuerySet[Backtest]:
    """Runs that nobody works on at this moment, the oldest first."""
    free = Q(worked_at__isnull=True) | Q(worked_at__lte=now - LEASE)
    return Backtest.objects.filter(free, status__in=UNFINISHED).order_by("created_at", "pk")


def work(run: Backtest, now: datetime, seconds: float = SLICE_SECONDS) -> bool:
    """One slice of a run; whether there is more to do. False too when another process has it."""
    died = run.worked_at is not None
    tries = run.state.get("tries", 0) + 1 if died else 0
    claimed = Backtest.objects.filter(
        pk=run.pk, worked_at=run.worked_at, replayed=run.replayed, status__in=UNFINISHED
    ).update(worked_at=now, status=Backtest.Status.RUNNING, state=run.state | {"tries": tries})
    if not claimed:
        return False
    run.worked_at, run.state = now, run.state | {"tries": tries}
    if tries > MOST_TRIES:
        _fail(run, now, f"It stopped {tries} times without getting on.")
        return False
    try:
        return _slice(run, now, seconds)
    except OperationalError:
        # The database was busy or gone for a moment; the next slice goes on from what was saved.
        logger.exception("a slice of back-test %s was cut short", run.pk)
        return False
    except (ArithmeticError, AttributeError, DatabaseError, LookupError, TypeError, ValueError) as error:
        logger.exception("back-test %s failed", run.pk)
        _fail(run, now, f"{type(error).__name__}: {error}")
        return False


def _slice(run: Backtest, now: datetime, seconds: float) -> bool:
    begun = saved = time.monotonic()
    replay = Run(run.document, run.since, run.until, run.state if run.state.get("phase") else None)
    moves: list[Move] = []
    while not replay.is_done:
        moves += replay.step()
        at = time.monotonic()
        if at - begun >= seconds:
            break
        if at - saved >= SAVED_EVERY and not replay.is_done:
            if not _save(run, replay, moves, now + timedelta(seconds=at - begun)):
                return False
            moves, saved = [], at
    ended = now + timedelta(seconds=time.monotonic() - begun)
    return _save(run, replay, moves, ended, last=True) and not replay.is_done


def _save(run: Backtest, replay: Run, moves: list[Move], at: datetime, last: bool = False) -> bool:
    """What was found since the last saving, if the claim still stands; `last` gives it up."""
    done = replay.is_done
    changes: dict[str, Any] = {
        "replayed": replay.done,
        "state": {} if done else replay.state(),
        "worked_at": None if last and not done else at,
    }
    if done:
        changes |= {"status": Backtest.Status.DONE, "result": report(replay), "finished_at": at}
    with transaction.atomic():
        if not Backtest.objects.filter(pk=run.pk, worked_at=run.worked_at).update(**changes):
            return False
        BacktestMove.objects.bulk_create(
            BacktestMove(
                backtest=run,
                handoff_id=move.handoff_id,
                at=move.at,
                kind=move.kind,
                before=move.before,
                after=move.after,
            )
            for move in moves
        )
    run.worked_at = changes["worked_at"]
    return True


def _fail(run: Backtest, now: datetime, why: str) -> None:
    Backtest.objects.filter(pk=run.pk, worked_at=run.worked_at).update(
        status=Backtest.Status.FAILED, error=why[:300], finished_at=now, state={}
    )
