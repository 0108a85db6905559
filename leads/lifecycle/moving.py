"""Changing hands: reassign by a person, reroute by the ladder, release when a person can no longer answer.

Owns who may receive a handoff. Nothing is ever left without a holder: the last resort is the overflow
queue, which has a named owner. Who comes back from leave takes nothing back from their cover: it was given,
the cover was told, and their window runs. What they deferred or worked on never left them.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

from django.db import transaction

from leads import notifications, permissions
from leads.choices import OPEN, EventKind, Stage, State
from leads.lifecycle import guard
from leads.lifecycle.act import Act, Invalid, Refused
from leads.lifecycle.answering import activity
from leads.lifecycle.book import Book, turn_ref
from leads.lifecycle.draining import free
from leads.lifecycle.placing import give, items_of, offer, route_again
from leads.models import Handoff, Note
from routing import rotation
from routing.models import Queue, User
from routing.people import MANAGER, REP
from routing.rotation import Seating

logger = logging.getLogger(__name__)

QUEUE_PREFIX = "queue:"
CHANGED_TEAM = "changed team"
REASSIGNABLE = (State.ASSIGNED, State.ACCEPTED, State.QUEUED, State.DEFERRED)


@transaction.atomic
def reassign(handoff_id: int, act: Act, *, to: str, reason: str, revision: int | None = None) -> Handoff:
    """Give it to a person (by e-mail) or a queue ("queue:slug"), with the reason in writing.

    The new holder gets a fair acceptance window; the lead's own clock runs on. Nobody gets it who is away.
    """
    handoff = guard.locked(handoff_id)
    receiver = receiver_of(guard.bounded("to", to, required=True))
    if isinstance(receiver, User) and handoff.assignee_id == receiver.pk and handoff.is_open:
        return handoff
    if isinstance(receiver, Queue) and handoff.queue_id == receiver.pk and handoff.state == State.QUEUED:
        return handoff
    guard.require_fresh(handoff, revision, act, "reassign")
    guard.require_state(handoff, REASSIGNABLE, "reassign")
    if isinstance(receiver, User) and act.user and not permissions.may_give(act.user, handoff, receiver):
        raise Refused(f"{receiver} is in no team that you lead.", code="not_eligible", by=receiver.email)
    if isinstance(receiver, User):
        guard.require_present(receiver, act.now)
    text = guard.bounded("reason", reason, required=True)
    book = Book(act)
    book.add(Note(handoff=handoff, by=act.user, at=act.now, text=text))
    free(handoff, act.now)
    hand_over(book, handoff, receiver, EventKind.REASSIGNED)
    book.save()
    return handoff


def receiver_of(to: str) -> User | Queue:
    """Who is meant by an e-mail address or "queue:slug", with what their calendar needs; Invalid for nobody,
    Refused for somebody who takes no leads."""
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


def hand_over(book: Book, handoff: Handoff, receiver: User | Queue, kind: EventKind, **codes: Any) -> None:
    """Make them the holder by hand, whatever their load; taking it over oneself is activity."""
    if isinstance(receiver, Queue):
        give(book, handoff, Seating("queue", "by hand", queue=receiver), kind, **codes)
        return
    turn = rotation.take(receiver, turn_ref(handoff), book.now)
    taken_over = book.act.user is not None and book.act.user.pk == receiver.pk
    changes = activity(handoff, book.now) if taken_over else {}
    give(book, handoff, Seating("rep", "by hand", user=receiver), kind, changes, turn=turn.pk, **codes)


@transaction.atomic
def reroute(handoff_id: int, act: Act, why: str) -> Handoff:
    """Take it from a holder who does not answer and route it again, without them. `why` is a code for the
    log, such as the ladder's step.

    What nobody else can take goes to their manager, else to the overflow queue.
    """
    handoff = guard.locked(handoff_id)
    guard.require_state(handoff, (State.ASSIGNED,), "route it again")
    book = Book(act)
    reroute_in(book, handoff, why)
    book.save()
    return handoff


def reroute_in(book: Book, handoff: Handoff, why: str, **codes: Any) -> None:
    """See `reroute`; within somebody else's transaction, on a locked handoff that a rep has not answered.
    `codes` are further ids and codes for the event."""
    holder = handoff.assignee_id
    if holder is None:
        raise ValueError("only what somebody holds is taken from them")
    free(handoff, book.now)
    out = {holder: rotation.LAPSED}
    route_again(book, handoff, EventKind.ESCALATED, passed_over=out, why=why, was_held_by=holder, **codes)


def release(
    user: User,
    act: Act,
    why: str,
    states: Collection[State] = OPEN,
    to: User | None = None,
    limit: int | None = None,
) -> int:
    """Everything this person holds in these states goes on: unanswered to their cover, else routed again;
    the rest to cover or manager. With `to` all of it goes to that person, as long as they can take it.

    Each handoff in its own transaction, at most `limit`; one that fails is logged and stops no other.
    Returns how many moved.
    """
    held = Handoff.objects.open().filter(assignee=user, state__in=[str(state) for state in states])
    ids = list(held.order_by("pk").values_list("pk", flat=True)[:limit])
    return sum(_released(pk, user, act, why, to) for pk in ids)


def _released(handoff_id: int, user: User, act: Act, why: str, to: User | None) -> bool:
    try:
        return _release_one(handoff_id, user, act, why, to)
    except Exception:
        logger.exception("handoff %s could not be moved on from user %s", handoff_id, user.pk)
        return False


@transaction.atomic
def _release_one(handoff_id: int, user: User, act: Act, why: str, to: User | None) -> bool:
    handoff = guard.locked(handoff_id)
    if handoff.assignee_id != user.pk or not handoff.is_open:
        return False
    book = Book(act)
    # Not `free`: who goes takes nothing, so no place has come free for what waits.
    rotation.release(turn_ref(handoff), act.now)
    successor = _named(user, to, act) or _successor(handoff, user, act)
    codes: dict[str, Any] = {"why": why, "was_held_by": user.pk}
    if successor is None:
        route_again(book, handoff, EventKind.REPAIRED, passed_over={user.pk: why}, **codes)
    elif handoff.state == State.WORKING:
        # Contacted already: the relation moves, no new acceptance window opens.
        book.write(handoff, EventKind.REPAIRED, Stage.AFTER, {"assignee_id": successor.pk}, **codes)
        handoff.assignee = successor
        book.tell(handoff, "released", [successor])
    else:
        hand_over(book, handoff, successor, EventKind.REPAIRED, **codes)
    book.save()
    return True


def change_team(user: User, act: Act) -> int:
    """This person has another team now: what they have not answered is offered to the others that the rules
    name, and stays where nobody else can take it. Accepted and contacted leads they keep.

    Each handoff in its own transaction. Returns how many moved.
    """
    held = Handoff.objects.open().filter(assignee=user, state=State.ASSIGNED)
    ids = list(held.order_by("pk").values_list("pk", flat=True))
    return sum(_offer_to_others(pk, user, act) for pk in ids)


@transaction.atomic
def _offer_to_others(handoff_id: int, user: User, act: Act) -> bool:
    handoff = guard.locked(handoff_id)
    if handoff.assignee_id != user.pk or handoff.state != State.ASSIGNED or handoff.is_history:
        return False
    book = Book(act)
    out = {user.pk: CHANGED_TEAM}
    if not offer(book, handoff, out, reason=CHANGED_TEAM, was_held_by=user.pk):
        return False
    free(handoff, act.now)
    book.save()
    return True


def _named(user: User, to: User | None, act: Act) -> User | None:
    return to if to is not None and to.pk != user.pk and rotation.can_take(to, act.now) else None


def _successor(handoff: Handoff, user: User, act: Act) -> User | None:
    """Who takes it over from this person: the cover of their absence; what is answered, else the manager or
    whoever stands in for them. All of them in sales; None leaves it to the rules."""
    absences = user.absences.at(act.now).filter(cover__isnull=False).select_related("cover")
    people = [absence.cover for absence in absences if absence.cover is not None]
    if handoff.state == State.ASSIGNED:
        # Not back to somebody who said no to it; whoever answered for it already keeps it.
        had = items_of([handoff], act.now)[0].excluded if people else {}
        people = [person for person in people if person.pk not in had]
    else:
        people += notifications.recipients(handoff, ("manager",), act.now)
    able = (p for p in people if p.pk != user.pk and rotation.can_take(p, act.now))
    return next(able, None)
