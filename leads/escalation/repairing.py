"""Puts right what nobody answers for any more: each minute, and at once when somebody changes people by hand.

Owns who inherits a queue, and the order of repair. Every handoff moves in a transaction of its own; what
could not be put right is found again by the next look, and the team page shows it until then.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import transaction
from simple_history.utils import update_change_reason

from leads import lifecycle, notifications, permissions
from leads.choices import OPEN
from leads.escalation.orphans import AWAY, INACTIVE, NOT_IN_SALES, OWED, Orphan, find
from routing.models import Queue
from routing.people import Absence, User

logger = logging.getLogger(__name__)

# A task has a minute, and moving a handoff takes some milliseconds; the rest is there in the next. Between
# two slices of somebody's handoffs it looks at the time.
MOST_MOVED, SLICE = 1500, 50


def repair(now: datetime, seconds: float | None = None) -> list[dict[str, Any]]:
    """Move on what is held by people who cannot answer for it, give queues on and mend what is astray.

    {"user", "why", "moved"} for each of those people, {"queue", "user", "why", "to"} for each queue whose
    owner is gone, {"handoff", "why"} for each handoff that had no holder or not its deadline. The net for
    what no hook sees: an absence that begins, a shell, single sign-on. After so many `seconds` of the
    machine's own clock no further slice is begun.
    """
    act, left = lifecycle.Act(now), MOST_MOVED
    ends = None if seconds is None else time.monotonic() + seconds
    done: list[dict[str, Any]] = []
    for orphan in find(now):
        if _is_over(ends):
            break
        if orphan.queue is not None:
            done += _given_on(orphan.queue, orphan.why, now)
        elif orphan.kind:
            logger.error("there is no %s queue, and there are open handoffs", orphan.kind)
        elif orphan.handoff_id is not None:
            done += _mended(orphan.handoff_id, act)
        elif orphan.user is not None and left > 0:
            moved = _moved_on(orphan, orphan.user, act, left, ends)
            left -= moved["moved"]
            done.append(moved)
    return done


def let_go(user: User, act: lifecycle.Act, to: User | None = None) -> int:
    """Move on at once what this person can no longer answer for, to `to` if that is somebody who can take
    it; returns how many handoffs moved.

    For whoever changes people by hand: call it after the change is stored.
    """
    if not user.is_active:
        return lifecycle.release(user, act, INACTIVE, OPEN, to)
    if not User.objects.filter(permissions.can_answer(), pk=user.pk).exists():
        return lifecycle.release(user, act, NOT_IN_SALES, OPEN, to)
    if Absence.objects.at(act.now).filter(user=user).exists():
        return lifecycle.release(user, act, AWAY, OWED, to)
    return 0


def _is_over(ends: float | None) -> bool:
    return ends is not None and time.monotonic() >= ends


def _moved_on(
    orphan: Orphan, user: User, act: lifecycle.Act, limit: int, ends: float | None
) -> dict[str, Any]:
    moved = 0
    while moved < limit and not (moved and _is_over(ends)):
        slice_ = lifecycle.release(user, act, orphan.why, orphan.states, limit=min(SLICE, limit - moved))
        if not slice_:
            break
        moved += slice_
    logger.warning("%s handoffs of user %s, who is %s, were moved on", moved, user.pk, orphan.why)
    return {"user": user.email, "why": orphan.why, "moved": moved}


def _mended(handoff_id: int, act: lifecycle.Act) -> list[dict[str, Any]]:
    try:
        why = lifecycle.mend(handoff_id, act)
    except Exception:
        logger.exception("handoff %s could not be mended", handoff_id)
        return []
    if not why:
        return []
    logger.warning("handoff %s was mended: %s", handoff_id, why)
    return [{"handoff": str(handoff_id), "why": why}]


def _given_on(queue: Queue, why: str, now: datetime) -> list[dict[str, Any]]:
    """Give a queue whose owner is gone to the owner's manager or cover, else to an admin, and tell them."""
    gone = queue.owner
    able = (user for user in _heirs(gone, now) if user is not None and not permissions.is_only_viewer(user))
    heir = next(able, None)
    if heir is None:
        logger.error("queue %s has no owner who can answer and there is no admin to take it", queue.slug)
        return []
    with transaction.atomic():
        row = Queue.objects.select_for_update(of=("self",), no_key=True).get(pk=queue.pk)
        if row.owner_id != gone.pk:
            return []
        row.owner, row.revision = heir, row.revision + 1
        row.save(update_fields=["owner", "revision"])
        # The column has room for a hundred characters, an address may have more.
        update_change_reason(row, f"{gone.email}, who owned it, is {why}"[-100:])
        notifications.message(heir, None, notifications.QUEUE_GIVEN, now, {"queue": row.name}).save()
    logger.warning("queue %s was given to user %s, since user %s is %s", queue.slug, heir.pk, gone.pk, why)
    return [{"queue": queue.slug, "user": gone.email, "why": why, "to": heir.email}]


def _heirs(gone: User, now: datetime) -> Iterator[User | None]:
    """Who could answer for what this person owned, in order: their manager or who covers for the manager,
    who covers for them, the admins."""
    yield notifications.present(gone.team.manager if gone.team is not None else None, now)
    covers = gone.absences.at(now).filter(cover__is_active=True).select_related("cover")
    yield from (absence.cover for absence in covers.order_by("starts_at", "pk"))
    yield from notifications.admins()
