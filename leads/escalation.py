"""The minute's sweep: everything that time has made due, and whoever can no longer answer for their work.

Owns the walk over what is due. Each handoff is `lifecycle.fire`'s own transaction, so a crash, a second
worker or a repeat fires nothing twice, and one that fails stops none of the others. Decides nothing itself.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from leads import lifecycle
from leads.choices import HOLDS_TURN, OPEN, State
from leads.models import Handoff
from leads.querysets import HandoffQuerySet
from routing.people import MANAGER, REP, Absence, User

logger = logging.getLogger(__name__)

BATCH = 200
# So many failures without one success between them are the database's fault, not the handoffs'.
MOST_FAILURES = 20
# Writers that wait for SQLite look again now and then; without a gap between two transactions of ours
# they may never find it free. PostgreSQL lets them queue.
BREATH = 0.02
# What somebody who is away keeps nobody waiting with is not in here: deferred and contacted leads stay.
OWED = (State.ASSIGNED, State.ACCEPTED)


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


def repair(now: datetime) -> list[dict[str, Any]]:
    """Move on what is held by people who cannot answer for it; {"user", "why", "moved"} for each of them.

    The inactive lose everything; who is away loses what still needs an answer or a first contact. The net
    for what no hook sees: an absence that begins, a shell, single sign-on. Quiet work alone calls for none.
    """
    held = Handoff.objects.filter(assignee=OuterRef("pk"), is_history=False, is_quiet=False)
    gone = User.objects.filter(is_active=False).filter(Exists(held.filter(state__in=_words(HOLDS_TURN))))
    away = User.objects.filter(is_active=True, absences__in=Absence.objects.at(now)).distinct()
    away = away.filter(Exists(held.filter(state__in=_words(OWED))))
    repaired = [_moved_on(user, lifecycle.Act(now), "inactive") for user in gone.order_by("pk")]
    return repaired + [_moved_on(user, lifecycle.Act(now), "away", OWED) for user in away.order_by("pk")]


def let_go(user: User, act: lifecycle.Act) -> int:
    """Move on at once what this person can no longer answer for; returns how many handoffs moved.

    For whoever changes people by hand: call it after the change is stored.
    """
    if not user.is_active:
        return lifecycle.release(user, act, "inactive")
    if not set(user.groups.values_list("name", flat=True)) & {REP, MANAGER}:
        return lifecycle.release(user, act, "no longer in sales")
    if Absence.objects.at(act.now).filter(user=user).exists():
        return lifecycle.release(user, act, "away", OWED)
    return 0


def _moved_on(user: User, act: lifecycle.Act, why: str, states: Collection[State] = OPEN) -> dict[str, Any]:
    moved = lifecycle.release(user, act, why, states)
    logger.warning("%s handoffs of %s, who is %s, were moved on", moved, user.email, why)
    return {"user": user.email, "why": why, "moved": moved}


def _words(states: Collection[State]) -> list[str]:
    return [str(state) for state in states]
