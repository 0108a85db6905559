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

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from simple_history.utils import update_change_reason

from leads import lifecycle, notifications
from leads.choices import HOLDS_TURN, OPEN, State
from leads.models import Handoff
from leads.querysets import HandoffQuerySet
from routing.models import Queue
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
NOT_IN_SALES = "no longer in sales"


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
    """Move on what is held by people who cannot answer for it; {"user", "why", "moved"} for each of them,
    and {"queue", "user", "why", "to"} for each queue whose owner is gone.

    The inactive and who has lost the role lose everything; who is away loses what still needs an answer or a
    first contact. The net for what no hook sees: an absence that begins, a shell, single sign-on. Quiet work
    alone calls for none.
    """
    left = Queue.objects.select_related("owner__team__manager").filter(owner__is_active=False)
    # First, so that what moves on to a queue is told to somebody.
    given = [_given_on(queue, now) for queue in left.order_by("pk")]
    held = Handoff.objects.filter(assignee=OuterRef("pk"), is_history=False, is_quiet=False)
    gone = User.objects.filter(is_active=False).filter(Exists(held.filter(state__in=_words(HOLDS_TURN))))
    away = User.objects.filter(is_active=True, absences__in=Absence.objects.at(now)).distinct()
    away = away.filter(Exists(held.filter(state__in=_words(OWED))))
    # Members of a queue may hold what they claimed from it, whatever else they are.
    sells = User.groups.through.objects.filter(user=OuterRef("pk"), group__name__in=[REP, MANAGER])
    out = User.objects.filter(is_active=True, queues__isnull=True).exclude(Exists(sells))
    out = out.filter(Exists(held.filter(state__in=_words(HOLDS_TURN))))
    act = lifecycle.Act(now)
    return [
        *(done for done in given if done is not None),
        *(_moved_on(user, act, "inactive") for user in gone.order_by("pk")),
        *(_moved_on(user, act, NOT_IN_SALES) for user in out.order_by("pk")),
        *(_moved_on(user, act, "away", OWED) for user in away.order_by("pk")),
    ]


def _given_on(queue: Queue, now: datetime) -> dict[str, Any] | None:
    """Give a queue whose owner is gone to the owner's manager or cover, else to an admin, and tell them."""
    gone = queue.owner
    heir = _heir(gone, now)
    if heir is None:
        logger.error("queue %s has no active owner and there is no admin to take it", queue.slug)
        return None
    with transaction.atomic():
        row = Queue.objects.select_for_update(of=("self",), no_key=True).get(pk=queue.pk)
        if row.owner_id != gone.pk:
            return None
        row.owner, row.revision = heir, row.revision + 1
        row.save(update_fields=["owner", "revision"])
        update_change_reason(row, f"{gone.email}, who owned it, is inactive")
        notifications.message(heir, None, notifications.QUEUE_GIVEN, now, {"queue": row.name}).save()
    logger.warning("queue %s was given to %s, since %s is inactive", queue.slug, heir.email, gone.email)
    return {"queue": queue.slug, "user": gone.email, "why": "inactive", "to": heir.email}


def _heir(gone: User, now: datetime) -> User | None:
    """Who answers for what this person owned: their manager or who covers for the manager, else who covers
    for them, else an admin."""
    manager = gone.team.manager if gone.team is not None else None
    if (found := notifications.present(manager, now)) is not None:
        return found
    covers = gone.absences.at(now).filter(cover__is_active=True).select_related("cover")
    named = (absence.cover for absence in covers.order_by("starts_at", "pk"))
    return next((cover for cover in named if cover is not None), None) or next(
        iter(notifications.admins()), None
    )


def let_go(user: User, act: lifecycle.Act) -> int:
    """Move on at once what this person can no longer answer for; returns how many handoffs moved.

    For whoever changes people by hand: call it after the change is stored.
    """
    if not user.is_active:
        return lifecycle.release(user, act, "inactive")
    if not set(user.groups.values_list("name", flat=True)) & {REP, MANAGER}:
        return lifecycle.release(user, act, NOT_IN_SALES)
    if Absence.objects.at(act.now).filter(user=user).exists():
        return lifecycle.release(user, act, "away", OWED)
    return 0


def _moved_on(user: User, act: lifecycle.Act, why: str, states: Collection[State] = OPEN) -> dict[str, Any]:
    moved = lifecycle.release(user, act, why, states)
    logger.warning("%s handoffs of %s, who is %s, were moved on", moved, user.email, why)
    return {"user": user.email, "why": why, "moved": moved}


def _words(states: Collection[State]) -> list[str]:
    return [str(state) for state in states]
