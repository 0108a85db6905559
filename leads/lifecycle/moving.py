"""Changing hands: reassign by a person, release when a person can no longer answer.

Owns who may receive a handoff. Nothing is ever left without a holder: the last resort is the overflow
queue, which has a named owner.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import transaction

from leads import cases, notifications
from leads.choices import OPEN, EventKind, Stage, State
from leads.lifecycle import guard
from leads.lifecycle.act import Act, Invalid, Refused
from leads.lifecycle.answering import activity
from leads.lifecycle.book import Book, turn_ref
from leads.lifecycle.placing import Item, give, route
from leads.models import Handoff, Note
from routing import rotation
from routing.models import Queue, User
from routing.people import MANAGER, REP
from routing.rotation import Seating

QUEUE_PREFIX = "queue:"


@transaction.atomic
def reassign(handoff_id: int, act: Act, *, to: str, reason: str, revision: int | None = None) -> Handoff:
    """Give it to a person (by e-mail) or a queue ("queue:slug"), with the reason in writing.

    The new holder gets a fair acceptance window; the lead's own clock runs on.
    """
    handoff = guard.locked(handoff_id)
    receiver = _receiver(to)
    if isinstance(receiver, User) and handoff.assignee_id == receiver.pk and handoff.is_open:
        return handoff
    if isinstance(receiver, Queue) and handoff.queue_id == receiver.pk and handoff.state == State.QUEUED:
        return handoff
    guard.require_fresh(handoff, revision, act, "reassign")
    allowed = (State.ASSIGNED, State.ACCEPTED, State.QUEUED, State.DEFERRED)
    guard.require_state(handoff, allowed, "reassign")
    text = guard.bounded("reason", reason, required=True)
    book = Book(act)
    book.add(Note(handoff=handoff, by=act.user, at=act.now, text=text))
    rotation.release(turn_ref(handoff), act.now)
    _hand_over(book, handoff, receiver, EventKind.REASSIGNED)
    book.save()
    return handoff


def _receiver(to: str) -> User | Queue:
    if to.startswith(QUEUE_PREFIX):
        queue = Queue.objects.select_related("owner", "calendar").filter(slug=to[len(QUEUE_PREFIX) :]).first()
        if queue is None or queue.kind == Queue.Kind.COMPLETION:
            raise Invalid({"to": "There is no such queue."})
        return queue
    users = User.objects.select_related("calendar", "team__calendar")
    user = users.filter(email=to.strip().lower()).first()
    if user is None:
        raise Invalid({"to": "There is no such person."})
    if not user.is_active or not user.roles & {REP, MANAGER}:
        raise Refused(f"{user} cannot take leads.", code="not_eligible", by=user.email)
    return user


def _hand_over(book: Book, handoff: Handoff, receiver: User | Queue, kind: EventKind, **codes: Any) -> None:
    if isinstance(receiver, Queue):
        give(book, handoff, Seating("queue", "by hand", queue=receiver), kind, **codes)
        return
    turn = rotation.take(receiver, turn_ref(handoff), book.now)
    taken_over = book.act.user is not None and book.act.user.pk == receiver.pk
    changes = activity(handoff, book.now) if taken_over else {}
    give(book, handoff, Seating("rep", "by hand", user=receiver), kind, changes, turn=turn.pk, **codes)


def release(user: User, act: Act, why: str, states: Collection[State] = OPEN) -> int:
    """Everything this person holds in these states goes on: unanswered is routed again, the rest to cover
    or manager.

    Each handoff in its own transaction. Returns how many moved.
    """
    held = Handoff.objects.open().filter(assignee=user, state__in=[str(state) for state in states])
    ids = list(held.order_by("pk").values_list("pk", flat=True))
    return sum(_release_one(pk, user, act, why) for pk in ids)


@transaction.atomic
def _release_one(handoff_id: int, user: User, act: Act, why: str) -> bool:
    handoff = guard.locked(handoff_id)
    if handoff.assignee_id != user.pk or not handoff.is_open:
        return False
    book = Book(act)
    rotation.release(turn_ref(handoff), act.now)
    successor = _successor(handoff, user, act)
    if handoff.state == State.ASSIGNED or successor is None:
        _route_again(book, handoff, user, why)
    elif handoff.state == State.WORKING:
        # Contacted already: the relation moves, no new acceptance window opens.
        book.write(
            handoff,
            EventKind.REPAIRED,
            Stage.AFTER,
            {"assignee_id": successor.pk},
            why=why,
            was_held_by=user.pk,
        )
        book.tell(handoff, "released", [successor])
    else:
        _hand_over(book, handoff, successor, EventKind.REPAIRED, why=why, was_held_by=user.pk)
    book.save()
    return True


def _successor(handoff: Handoff, user: User, act: Act) -> User | None:
    cover = user.absences.at(act.now).filter(cover__is_active=True).select_related("cover").first()
    if cover is not None and cover.cover is not None and cover.cover.roles & {REP, MANAGER}:
        return cover.cover
    managers = notifications.recipients(handoff, ("manager",), act.now)
    able = [person for person in managers if person.pk != user.pk and person.roles & {REP, MANAGER}]
    return able[0] if able else None


def _route_again(book: Book, handoff: Handoff, user: User, why: str) -> None:
    case = cases.load([handoff])[0]
    case.rejected_by = tuple({*case.rejected_by, user.pk})
    changes = {"state": State.QUEUED, "assignee_id": None}
    book.write(handoff, EventKind.REPAIRED, Stage.ROUTING, changes, why=why, was_held_by=user.pk)
    route(book, [Item(handoff, case)])
