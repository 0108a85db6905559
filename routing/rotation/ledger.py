"""The ledger of turns, one work at a time: take by name, release, take back, undo.

Owns what becomes of a turn after it was taken. Who gets one through a rule is the desk's.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from routing.models import PoolMember, Turn, User


def take(user: User, ref: str, now: datetime) -> Turn:
    """A turn outside any rotation: somebody was given the work by name, or claimed it."""
    return Turn.objects.create(user=user, ref=ref, taken_at=now)


def hold_everybody() -> None:
    """Lock all active people, in order, before an act that gives a turn back and then walks targets.

    Each of the two locks in order by itself; one after the other they could wait for another router in a
    circle.
    """
    everybody = User.objects.filter(is_active=True).order_by("pk")
    list(everybody.select_for_update(of=("self",), no_key=True).values_list("pk"))


def release(ref: str, now: datetime) -> Turn | None:
    """Close the open turn of this work, if there is one."""
    turn = Turn.objects.select_for_update().filter(ref=ref, released_at__isnull=True).first()
    if turn is not None:
        turn.released_at = now
        turn.save(update_fields=["released_at"])
    return turn


def reopen(ref: str, user_id: int) -> None:
    """Undo a release: the latest turn of this work by this person is open again."""
    turn = Turn.objects.select_for_update().filter(ref=ref, user_id=user_id).order_by("-pk").first()
    if turn is not None and turn.released_at is not None:
        if turn.given_back_at is not None:
            _settle(turn, +1)
        turn.released_at = turn.given_back_at = None
        turn.save(update_fields=["released_at", "given_back_at"])


def give_back(turn: Turn, now: datetime) -> None:
    """The turn never counted: a rejection that was not the person's fault. Undoes its shares exactly."""
    if turn.given_back_at is not None:
        return
    _settle(turn, -1)
    turn.given_back_at = now
    turn.save(update_fields=["given_back_at"])


def _settle(turn: Turn, sign: int) -> None:
    if turn.pool_id is None:
        return
    # Whoever holds the people of a pool may change its seats: the desk locks them in this order too.
    members = User.objects.filter(seats__pool=turn.pool_id).order_by("pk")
    list(members.select_for_update(of=("self",), no_key=True).values_list("pk"))
    seats = list(PoolMember.objects.filter(pool_id=turn.pool_id).order_by("user_id"))
    for seat in seats:
        seat.accrued += sign * Decimal(turn.shares.get(str(seat.user_id), "0"))
        if seat.user_id == turn.user_id:
            # Somebody may have left the pool and come back with a new seat since.
            seat.taken = max(0, seat.taken + sign)
    PoolMember.objects.bulk_update(seats, ["accrued", "taken"])
