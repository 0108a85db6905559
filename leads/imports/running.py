"""An import under way: rows become events, a chunk at a time, in slices that any process can take up.

Owns a chunk: its events, its failures and the progress are one transaction with the condition that the claim
still stands (`leads.slices`), so a row is counted once and a slice that died or was overtaken leaves nothing
half done. Rows come in through `leads.intake.receive` and by no other way.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import connection, transaction

from leads import slices
from leads.imports.keeping import rows_of
from leads.imports.mapping import Problem, Recipe
from leads.imports.table import Numbered
from leads.intake import receive
from leads.models import ImportFailure, LeadImport
from routing.models import User

CHUNK = 100
# SQLite has one writer and no queue: between two chunks whoever waits gets a turn.
PAUSE = 0.03
# How a row ended: taken in, the same as before, taken in but opening nothing, not taken in.
TAKEN, REPEATED, IGNORED, FAILED = "taken", "repeated", "ignored", "failed"
_BY_STATUS = {"processed": TAKEN, "duplicate": REPEATED, "ignored": IGNORED, "invalid": FAILED}
# Of those taken: rows with a handoff, in sales or still waiting for data.
HANDED, HELD = "handed", "held"


_slices = slices.Slices(LeadImport, progress="done", unit="rows", order="started_at")
unfinished = _slices.unfinished


def stop(run: LeadImport, now: datetime) -> bool:
    """Take no further row; what was taken stays. Whether there was anything to stop."""
    waiting = LeadImport.objects.filter(pk=run.pk, status__in=slices.UNFINISHED)
    return bool(waiting.update(status=LeadImport.Status.STOPPED, finished_at=now, worked_at=None))


def work(run: LeadImport, now: datetime, seconds: float = slices.SECONDS) -> bool:
    """One slice of an import; whether there is more to do. False too when another process has it."""
    return _slices.work(run, now, _part, seconds)


def _part(run: LeadImport, pace: slices.Pace) -> bool:
    recipe, counts = Recipe(run), Counter(run.counts)
    rows = rows_of(run, run.done)
    while True:
        chunk = list(islice(rows, CHUNK))
        is_last = run.done + len(chunk) >= run.total or not chunk
        _take(run, recipe, chunk, counts, pace.at, is_last)
        if is_last:
            return False
        if pace.is_over():
            _slices.save(run, None)
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
        changes: dict[str, Any] = {"done": run.done + len(chunk), "counts": dict(counts + found)}
        if is_last:
            changes |= {"status": LeadImport.Status.DONE, "finished_at": at}
        _slices.save(run, at, **changes)
    counts.update(found)
