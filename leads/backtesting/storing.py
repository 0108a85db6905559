"""Back-tests that are kept: started from the page, worked on in slices by the worker.

Owns the rows. Moves and state are saved in one transaction with the condition that the claim on the slice
still stands (`leads.slices`); a slice that died is taken up again from what was last saved.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from leads import slices
from leads.backtesting.imported import imported_between
from leads.backtesting.reading import decisions_between
from leads.backtesting.report import report
from leads.backtesting.running import Move, Run
from leads.models import Backtest, BacktestMove
from routing import publish
from routing.models import Ruleset, User

LONGEST_DAYS = 400
SAVED_EVERY = timedelta(seconds=2)

_slices = slices.Slices(Backtest, progress="replayed", unit="decisions", order="created_at")
unfinished = _slices.unfinished


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
    for run in Backtest.objects.filter(status__in=slices.UNFINISHED, ruleset=ruleset):
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


def work(run: Backtest, now: datetime, seconds: float = slices.SECONDS) -> bool:
    """One slice of a run; whether there is more to do. False too when another process has it."""
    return _slices.work(run, now, _part, seconds, state={})


def _part(run: Backtest, pace: slices.Pace) -> bool:
    saved = pace.at
    replay = Run(run.document, run.since, run.until, run.state or None)
    moves: list[Move] = []
    while not replay.is_done:
        moves += replay.step()
        if pace.is_over():
            break
        if pace.at - saved >= SAVED_EVERY and not replay.is_done:
            _save(run, replay, moves, pace.at)
            moves, saved = [], pace.at
    _save(run, replay, moves, pace.at if replay.is_done else None, finished=pace.at)
    return not replay.is_done


def _save(
    run: Backtest, replay: Run, moves: list[Move], at: datetime | None, finished: datetime | None = None
) -> None:
    """What was found since the last saving, with how far it is."""
    changes: dict[str, Any] = {"replayed": replay.done, "state": replay.state()}
    if replay.is_done:
        changes |= {
            "state": {},
            "status": Backtest.Status.DONE,
            "result": report(replay),
            "finished_at": finished,
        }
    with transaction.atomic():
        _slices.save(run, at, **changes)
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
