"""Freed capacity takes the oldest waiting: what is in the overflow queue because nobody had a free place.

Owns `drain` and what sets it off: a turn that ends. Looks set-wise and without a lock at who could take
what, then gives each in a transaction of its own. What a rule or a person put into that queue stays there.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from datetime import datetime

from django.db import transaction
from django.db.models import F, Q

from leads.choices import State
from leads.lifecycle import guard
from leads.lifecycle.act import Act
from leads.lifecycle.book import Book, turn_ref
from leads.lifecycle.placing import items_of, live_ruleset, offer, walks
from leads.models import Handoff, RoutingDecision
from leads.querysets import HandoffQuerySet
from routing import rotation
from routing.engine import decide
from routing.models import Queue, Turn
from routing.rotation import Desk

logger = logging.getLogger(__name__)

BATCH = 100
# Given at once, and looked at for it: the sweep comes back to the rest.
MOST, MOST_LOOKED_AT = 20, 200
# Why somebody who was not there let it come to the queue; a rule's own target is deliberate.
FOR_WANT_OF_A_PLACE = frozenset({"overflow", "fallback"})


def free(handoff: Handoff, now: datetime) -> Turn | None:
    """Close the handoff's open turn, if it has one; once that is committed, the place goes to what waits."""
    turn = rotation.release(turn_ref(handoff), now)
    if turn is not None:
        drain_soon(now)
    return turn


def drain_soon(now: datetime) -> None:
    """Drain as soon as the transaction is committed. What fails there is logged and left to the sweep."""
    # No partial: Django logs what fails here by its __qualname__, which a partial has not.
    transaction.on_commit(lambda: drain(now), robust=True)


def drain(now: datetime, limit: int = MOST, looked_at: int = MOST_LOOKED_AT) -> int:
    """Give the oldest waiting to those who can take them now, at most `limit`; returns how many were given.

    Looks at so many waiting at most. One query when nothing waits.
    """
    given = 0
    for batch in _batches(now, looked_at):
        for handoff_id in _takeable(batch, now):
            given += _give(handoff_id, now)
            if given >= limit:
                return given
    return given


def _waiting(now: datetime) -> HandoffQuerySet:
    # Never earlier than what happened to it: after a commit this runs with the moment of the act before it.
    rows = Handoff.objects.live().filter(queue__kind=Queue.Kind.OVERFLOW, state=State.QUEUED)
    return rows.filter(updated_at__lte=now)


def _batches(now: datetime, most: int) -> Iterator[list[Handoff]]:
    """What waits, the oldest first: each is read once, also when it stays where it is."""
    after = Q()
    while most > 0:
        rows = _waiting(now).filter(after).select_related("lead__company", "queue")
        batch = list(rows.order_by("mql_at", "pk")[: min(BATCH, most)])
        if batch:
            yield batch
        if len(batch) < BATCH:
            return
        most -= len(batch)
        last = batch[-1]
        after = Q(mql_at__gt=last.mql_at) | Q(mql_at=last.mql_at, pk__gt=last.pk)


def _takeable(batch: list[Handoff], now: datetime) -> list[int]:
    """Ids of those that a person could take now, as it looks without a lock; in order."""
    rows = _for_want_of_a_place(batch)
    _, rules = live_ruleset()
    passing = [(item, decide(rules, item.case.facts())) for item in items_of(rows, now)]
    if not passing:
        return []
    ways = walks(passing)
    desk = Desk({target for targets in ways for target in targets}, now, dry=True)
    return [
        item.handoff.pk
        for (item, _), targets in zip(passing, ways, strict=True)
        if desk.seat(targets, item.excluded).user is not None
    ]


def _for_want_of_a_place(handoffs: Collection[Handoff]) -> list[Handoff]:
    """Those whose last routing found nobody free. Since then nobody has moved them: the decision is of the
    moment at which the queue got them."""
    decisions = RoutingDecision.objects.filter(handoff__in=handoffs, outcome="queue")
    decisions = decisions.filter(at=F("handoff__held_since")).order_by("pk")
    why = {pk: _why(seen) for pk, seen in decisions.values_list("handoff_id", "candidates")}
    return [handoff for handoff in handoffs if why.get(handoff.pk) in FOR_WANT_OF_A_PLACE]


def _why(candidates: object) -> str:
    last = candidates[-1] if isinstance(candidates, list) and candidates else {}
    return str(last.get("took", "")) if isinstance(last, dict) else ""


def _give(handoff_id: int, now: datetime) -> bool:
    """One handoff, decided anew under lock; it stays where it is when nobody can take it after all."""
    try:
        with transaction.atomic():
            handoff = guard.locked(handoff_id)
            queue = handoff.queue if handoff.state == State.QUEUED else None
            if queue is None or queue.kind != Queue.Kind.OVERFLOW or not _for_want_of_a_place([handoff]):
                return False
            book = Book(Act(now))
            if not offer(book, handoff, drained=True):
                return False
            book.save()
            return True
    except Exception:
        logger.exception("handoff %s could not be taken from the overflow queue", handoff_id)
        return False
