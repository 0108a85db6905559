"""The walk over what time has made due.

Each handoff is a transaction of its own, so a crash, a second worker or a repeat fires nothing twice, and one
that fails stops none of the others. Two that sweep at once share the work. Decides nothing itself.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q

from leads import lifecycle
from leads.models import Handoff
from leads.querysets import HandoffQuerySet

logger = logging.getLogger(__name__)

BATCH = 200
# So many failures without one success between them are the database's fault, not the handoffs'.
MOST_FAILURES = 20
# Writers that wait for SQLite look again now and then; without a gap between two transactions of ours
# they may never find it free. PostgreSQL lets them queue.
BREATH = 0.02


def sweep(now: datetime, limit: int | None = None, seconds: float | None = None) -> list[dict[str, Any]]:
    """Fire everything due by `now`, on at most `limit` handoffs; one small dict a step, in order of time.

    After so many `seconds` of the machine's own clock no further handoff is begun.

    Keys: handoff, step, due_at, fired_at, told. A handoff that failed gives {"handoff", "error"}; after
    twenty failures in a row the last one is raised.
    """
    fired: list[dict[str, Any]] = []
    failures = 0
    ends = None if seconds is None else time.monotonic() + seconds
    for count, handoff_id in enumerate(_due(now)):
        if (limit is not None and count >= limit) or (ends is not None and time.monotonic() >= ends):
            break
        if count and connection.vendor == "sqlite":
            time.sleep(BREATH)
        try:
            fired += lifecycle.fire(handoff_id, now)
            failures = 0
        except Exception as error:
            logger.exception("sweep of handoff %s failed", handoff_id)
            failures += 1
            if failures >= MOST_FAILURES:
                raise
            fired.append({"handoff": str(handoff_id), "error": f"{type(error).__name__}: {error}"[:300]})
    return fired


def _due(now: datetime) -> Iterator[int]:
    """Ids of what is due: follow-ups first, since they open work again, then steps; each once."""
    seen: set[int] = set()
    for rows, moment in (
        (Handoff.objects.to_follow_up(now), "follow_up_at"),
        (Handoff.objects.due(now), "next_step_at"),
    ):
        for pk in _batched(rows, moment):
            if pk not in seen:
                seen.add(pk)
                yield pk


def _batched(rows: HandoffQuerySet, moment: str) -> Iterator[int]:
    """Ids in order of their moment, a batch at a time: what was passed is not read again, fired or not."""
    after = Q()
    while batch := list(rows.filter(after).order_by(moment, "pk").values_list("pk", moment)[:BATCH]):
        for pk, _ in batch:
            yield pk
        pk, at = batch[-1]
        after = Q(**{f"{moment}__gt": at}) | Q(**{moment: at, "pk__gt": pk})
