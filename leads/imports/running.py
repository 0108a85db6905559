"""An import under way: rows become events, a chunk at a time, in slices that any process can take up.

Owns the claim on an import and its progress. A chunk's events, its failures and the progress are one
transaction with the condition that the claim still stands, so a row is counted once and a slice that died or
was overtaken leaves nothing half done. Rows come in through `leads.intake.receive` and by no other way.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import Q, QuerySet

from leads.imports.keeping import rows_of
from leads.imports.mapping import Problem, Recipe
from leads.imports.table import Numbered
from leads.intake import receive
from leads.models import ImportFailure, LeadImport
from routing.models import User

logger = logging.getLogger(__name__)

CHUNK = 100
SLICE_SECONDS = 20
# A slice that has not saved for this long has died.
LEASE = timedelta(seconds=60)
SILENT_AFTER = timedelta(seconds=90)
MOST_TRIES = 3
# SQLite has one writer and no queue: between two chunks whoever waits gets a turn.
PAUSE = 0.03
UNFINISHED = (LeadImport.Status.WAITING, LeadImport.Status.RUNNING)
# How a row ended: taken in, the same as before, taken in but opening nothing, not taken in.
TAKEN, REPEATED, IGNORED, FAILED = "taken", "repeated", "ignored", "failed"
_BY_STATUS = {"processed": TAKEN, "duplicate": REPEATED, "ignored": IGNORED, "invalid": FAILED}
# Of those taken: rows with a handoff, in sales or still waiting for data.
HANDED, HELD = "handed", "held"


class _Overtaken(Exception):
    """The claim does not stand any more: stopped, or taken for dead and taken up by another process."""


def unfinished(now: datetime) -> QuerySet[LeadImport]:
    """Imports that nobody works on at this moment, the oldest first."""
    free = Q(worked_at__isnull=True) | Q(worked_at__lte=now - LEASE)
    return LeadImport.objects.filter(free, status__in=UNFINISHED).order_by("started_at", "pk")


def stop(run: LeadImport, now: datetime) -> bool:
    """Take no further row; what was taken stays. Whether there was anything to stop."""
    waiting = LeadImport.objects.filter(pk=run.pk, status__in=UNFINISHED)
    return bool(waiting.update(status=LeadImport.Status.STOPPED, finished_at=now, worked_at=None))


def work(run: LeadImport, now: datetime, seconds: float = SLICE_SECONDS) -> bool:
    """One slice of an import; whether there is more to do. False too when another process has it."""
    tries = run.tries + 1 if run.worked_at is not None else 0
    claimed = LeadImport.objects.filter(
        pk=run.pk, worked_at=run.worked_at, done=run.done, status__in=UNFINISHED
    ).update(worked_at=now, status=LeadImport.Status.RUNNING, tries=tries)
    if not claimed:
        return False
    run.worked_at, run.tries = now, tries
    if tries > MOST_TRIES:
        _fail(run, now, f"It stopped {tries} times without getting on, after {run.done:,} rows.")
        return False
    try:
        return _slice(run, now, seconds)
    except _Overtaken:
        return False
    except OperationalError:
        # The database was busy or gone for a moment; the next slice goes on from what was saved.
        logger.exception("a slice of import %s was cut short", run.pk)
        return False
    except (ArithmeticError, AttributeError, DatabaseError, LookupError, TypeError, ValueError) as error:
        logger.exception("import %s failed", run.pk)
        _fail(run, now, f"{type(error).__name__}: {error}")
        return False


def _slice(run: LeadImport, now: datetime, seconds: float) -> bool:
    begun = time.monotonic()
    recipe, counts = Recipe(run), Counter(run.counts)
    rows = rows_of(run, run.done)
    while True:
        chunk = list(islice(rows, CHUNK))
        is_last = run.done + len(chunk) >= run.total or not chunk
        at = now + timedelta(seconds=time.monotonic() - begun)
        _take(run, recipe, chunk, counts, at, is_last)
        if is_last:
            return False
        if time.monotonic() - begun >= seconds:
            _save(run, {"worked_at": None})
            return True
        if not connection.features.has_select_for_update:
            time.sleep(PAUSE)


def _take(
    run: LeadImport,
    recipe: Recipe,
    chunk: Sequence[Numbered],
    counts: Counter[str],
    at: datetime,
    is_last: bool,
) -> None:
    """Take a chunk in and say how far it is; `counts` and the row in memory follow when it is stored."""
    failed: dict[int, list[Problem]] = {}
    events: list[tuple[int, dict[str, Any]]] = []
    for number, row in chunk:
        event, problems = recipe.event(number, row)
        if event is None:
            failed[number] = problems
        else:
            events.append((number, event))
    found: Counter[str] = Counter()
    with transaction.atomic():
        user: User | None = run.created_by
        answers = receive([event for _, event in events], None, at, user=user, quiet=run.is_quiet)
        for (number, _), answer in zip(events, answers, strict=True):
            if answer["status"] == "invalid":
                failed[number] = recipe.told(answer["errors"])
                continue
            found[_BY_STATUS[answer["status"]]] += 1
            if answer["handoff"] is not None and answer["status"] == "processed":
                found[HELD if answer["handoff"]["state"] == "incomplete" else HANDED] += 1
        found[FAILED] += len(failed)
        ImportFailure.objects.bulk_create(
            ImportFailure(
                lead_import=run,
                row=number,
                cells=row,
                problems=[problem.to_json() for problem in failed[number]],
            )
            for number, row in chunk
            if number in failed
        )
        changes: dict[str, Any] = {
            "done": run.done + len(chunk),
            "counts": dict(counts + found),
            "tries": 0,
            "worked_at": at,
        }
        if is_last:
            changes |= {"status": LeadImport.Status.DONE, "finished_at": at}
        _save(run, changes)
    counts.update(found)


def _save(run: LeadImport, changes: dict[str, Any]) -> None:
    """Write progress if the claim still stands; else raises _Overtaken, which undoes the chunk."""
    claimed = LeadImport.objects.filter(pk=run.pk, worked_at=run.worked_at, status=LeadImport.Status.RUNNING)
    if not claimed.update(**changes):
        raise _Overtaken
    for name, value in changes.items():
        setattr(run, name, value)


def _fail(run: LeadImport, now: datetime, why: str) -> None:
    LeadImport.objects.filter(pk=run.pk, worked_at=run.worked_at).update(
        status=LeadImport.Status.FAILED, error=why[:300], finished_at=now, worked_at=None
    )
