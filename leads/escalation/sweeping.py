"""The walk over what time has made due.

Each handoff is a transaction of its own, so a crash, a second worker or a repeat fires nothing twice, and one
that fails stops none of the others. Two that sweep at once share the work without waiting for each other.
Decides nothing itself.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import Error, connection
from django.db.models import F, Q

from leads import lifecycle
from leads.models import Handoff
from leads.querysets import HandoffQuerySet

logger = logging.getLogger(__name__)

BATCH = 200
# So many failures of the database without one success between them are not the handoffs' fault.
MOST_FAILURES = 20
# Writers that wait for SQLite look again now and then; without a gap between two transactions of ours
# they may never find it free. PostgreSQL lets them queue.
BREATH = 0.02


def sweep(
    now: datetime,
    limit: int | None = None,
    seconds: float | None = None,
    part: tuple[int, int] | None = None,
) -> list[dict[str, Any]]:
    """Fire everything due by `now`, on at most `limit` handoffs; one small dict a step, in order of time.

    After so many `seconds` of the machine's own clock no further handoff is begun. Of several that sweep
    together each takes its `part`, (which, of how many), before it looks at the rest: two that read the same
    rows ahead would do much in vain.

    Keys: handoff, step, due_at, fired_at, told. A handoff that failed gives {"handoff", "error"}; after
    twenty failures of the database in a row the last one is raised.
    """
    walk = _Walk(now, limit, None if seconds is None else time.monotonic() + seconds)
    # Follow-ups first, since they open work again, then steps. With nothing due these are two looks into
    # handoff_follow_up and handoff_next_step, which end at the first entry.
    for rows, moment in (
        (Handoff.objects.to_follow_up(now), "follow_up_at"),
        (Handoff.objects.due(now), "next_step_at"),
    ):
        for mine in (_part(rows, *part), rows) if part else (rows,):
            for batch in _batches(mine, moment):
                missed = walk.fire(batch)
                # Somebody else had it in hand, or moved it; what is then still due is done with now.
                walk.fire(list(rows.filter(pk__in=missed).values_list("pk", flat=True)) if missed else [])
                if walk.is_over:
                    return walk.fired
    return walk.fired


def _part(rows: HandoffQuerySet, which: int, of: int) -> HandoffQuerySet:
    return rows.alias(part=F("pk") % of).filter(part=which)


class _Walk:
    """What one sweep has done so far, and how much of its time and number is left."""

    def __init__(self, now: datetime, limit: int | None, ends: float | None) -> None:
        self.now, self.limit, self.ends = now, limit, ends
        self.fired: list[dict[str, Any]] = []
        self.failures = 0
        self.count = 0

    @property
    def is_over(self) -> bool:
        used_up = self.limit is not None and self.count >= self.limit
        return used_up or (self.ends is not None and time.monotonic() >= self.ends)

    def fire(self, batch: list[int]) -> list[int]:
        """Fire these; the ids of those that were not free or not as they were read."""
        if not batch or self.is_over:
            return []
        missed = []
        round_ = lifecycle.Round(batch, self.now)
        for handoff_id in batch:
            if self.is_over:
                break
            if self.count and connection.vendor == "sqlite":
                time.sleep(BREATH)
            fired = self._fire_one(round_, handoff_id)
            if fired is None:
                missed.append(handoff_id)
                continue
            self.count += 1
            self.fired += fired
        return missed

    def _fire_one(self, round_: lifecycle.Round, handoff_id: int) -> list[dict[str, Any]] | None:
        try:
            fired = round_.fire(handoff_id)
        except Exception as error:
            logger.exception("sweep of handoff %s failed", handoff_id)
            self.failures += isinstance(error, (Error, OSError))
            if self.failures >= MOST_FAILURES:
                raise
            return [{"handoff": str(handoff_id), "error": f"{type(error).__name__}: {error}"[:300]}]
        self.failures = 0
        return fired


def _batches(rows: HandoffQuerySet, moment: str) -> Iterator[list[int]]:
    """Ids in order of their moment, a batch at a time: what was passed is not read again, fired or not."""
    after = Q()
    while batch := list(rows.filter(after).order_by(moment, "pk").values_list("pk", moment)[:BATCH]):
        yield [pk for pk, _ in batch]
        pk, at = batch[-1]
        after = Q(**{f"{moment}__gt": at}) | Q(**{moment: at, "pk__gt": pk})
