"""Who gets it: walks an ordered list of targets and takes a turn, under a lock.

Owns the ledger of turns and the quota method's memory. Rows of people and seats are locked in order of
person, so two routers at once never exceed a cap. Never knows what a turn stands for (`ref` is opaque).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count

from routing.engine import Target
from routing.models import Absence, Pool, PoolMember, Queue, Turn, User
from routing.people import MANAGER, REP
from routing.quota import Member, pick

IN_SALES = (REP, MANAGER)


@dataclass
class Seating:
    """Where a target walk ended: a person or a queue, who was looked at, and why.

    `outcome` is "rep", "queue" or "nobody"; `why` names the target that took it (rule, account,
    fallback, overflow). `candidates` are small dicts {"user", "took" | "skipped"}, kept for ever.
    """

    outcome: str
    why: str = ""
    user: User | None = None
    queue: Queue | None = None
    pool_id: int | None = None
    turn: Turn | None = None
    candidates: list[dict[str, Any]] = field(default_factory=list)


class Desk:
    """The state of all seats that some targets need, read once under lock and changed in memory.

    Open it inside a transaction, `seat` any number of works, then `save`. Six queries for any number.
    """

    def __init__(self, targets: Iterable[Target], now: datetime) -> None:
        wanted = set(targets)
        self.now = now
        self.pools: dict[int, Pool] = {}
        self.seats: dict[int, list[PoolMember]] = {}
        self.people: dict[int, User] = {}
        self.queues: dict[int, Queue] = {}
        self.turns: list[Turn] = []
        self._changed: dict[int, PoolMember] = {}
        pool_ids = {int(target.id) for target in wanted if target.kind == "pool"}
        queue_ids = {int(target.id) for target in wanted if target.kind == "queue"}
        person_ids = {int(target.id) for target in wanted if target.kind not in ("pool", "queue")}
        if pool_ids:
            self._load_pools(pool_ids)
        if missing := person_ids - self.people.keys():
            self._load_people(missing)
        if queue_ids:
            rows = Queue.objects.select_related("owner", "calendar").filter(pk__in=queue_ids)
            self.queues = {queue.pk: queue for queue in rows}
        self._load_state()

    def _load_pools(self, pool_ids: set[int]) -> None:
        rows = (
            PoolMember.objects.filter(pool_id__in=pool_ids)
            .select_related("pool", "user__calendar", "user__team__calendar")
            .select_for_update(of=("self", "user"), no_key=True)
            .order_by("user_id", "pool_id")
        )
        for seat in rows:
            self.pools[seat.pool_id] = seat.pool
            self.seats.setdefault(seat.pool_id, []).append(seat)
            self.people[seat.user_id] = seat.user

    def _load_people(self, ids: set[int]) -> None:
        rows = (
            User.objects.filter(pk__in=ids)
            .select_related("calendar", "team__calendar")
            .select_for_update(of=("self",), no_key=True)
            .order_by("pk")
        )
        self.people |= {user.pk: user for user in rows}

    def _load_state(self) -> None:
        ids = list(self.people)
        open_turns = Turn.objects.filter(user_id__in=ids, released_at__isnull=True)
        self.load: dict[int, int] = dict(
            open_turns.values_list("user_id").annotate(n=Count("id")) if ids else ()
        )
        self.away = frozenset(
            Absence.objects.at(self.now).filter(user_id__in=ids).values_list("user_id", flat=True)
            if ids
            else ()
        )
        sellers = User.groups.through.objects.filter(user_id__in=ids, group__name__in=IN_SALES)
        self.sellers = frozenset(sellers.values_list("user_id", flat=True) if ids else ())

    def seat(self, targets: Sequence[Target], excluded: frozenset[int] = frozenset()) -> Seating:
        """Walk the targets in order and take a turn for the first person who can have it.

        `excluded` people are skipped (they rejected it or let it lapse). A queue always takes.
        """
        candidates: list[dict[str, Any]] = []
        for target in targets:
            seating = self._try(target, excluded, candidates)
            if seating is not None:
                seating.candidates = candidates
                return seating
        return Seating("nobody", candidates=candidates)

    def _try(
        self, target: Target, excluded: frozenset[int], candidates: list[dict[str, Any]]
    ) -> Seating | None:
        if target.kind == "queue":
            queue = self.queues.get(int(target.id))
            if queue is None:
                candidates.append({"queue": target.id, "skipped": "gone"})
                return None
            candidates.append({"queue": queue.slug, "took": target.why})
            return Seating("queue", target.why, queue=queue)
        if target.kind == "pool":
            return self._from_pool(int(target.id), target.why, excluded, candidates)
        user = self.people.get(int(target.id))
        if user is None:
            candidates.append({"user": int(target.id), "skipped": "gone"})
            return None
        if skipped := self._unable(user, excluded):
            candidates.append({"user": user.pk, "skipped": skipped})
            return None
        return self._take(user, None, target.why, {}, candidates)

    def _from_pool(
        self, pool_id: int, why: str, excluded: frozenset[int], candidates: list[dict[str, Any]]
    ) -> Seating | None:
        able = []
        for seat in self.seats.get(pool_id, []):
            skipped = self._unable(seat.user, excluded) or self._over_cap(seat)
            if not seat.is_active:
                skipped = "not in rotation"
            if skipped:
                candidates.append({"user": seat.user_id, "skipped": skipped})
            else:
                able.append(seat)
        if not able:
            if pool_id not in self.pools:
                candidates.append({"pool": pool_id, "skipped": "no members"})
            return None
        if self.pools[pool_id].method == Pool.Method.LEAST_OPEN:
            seat = min(able, key=lambda s: (self.load.get(s.user_id, 0) / s.weight, s.taken, s.user_id))
            return self._take(seat.user, pool_id, why, {}, candidates, seat)
        chosen = pick([Member(s.user_id, s.weight, s.accrued, s.taken) for s in able])
        by_user = {s.user_id: s for s in able}
        for user_id, share in chosen.shares.items():
            by_user[user_id].accrued += share
            self._changed[by_user[user_id].pk] = by_user[user_id]
        seat = by_user[chosen.user_id]
        return self._take(seat.user, pool_id, why, chosen.shares, candidates, seat)

    def _take(
        self,
        user: User,
        pool_id: int | None,
        why: str,
        shares: dict[int, Decimal],
        candidates: list[dict[str, Any]],
        seat: PoolMember | None = None,
    ) -> Seating:
        if seat is not None:
            seat.taken += 1
            self._changed[seat.pk] = seat
        self.load[user.pk] = self.load.get(user.pk, 0) + 1
        turn = Turn(
            user=user,
            pool_id=pool_id,
            taken_at=self.now,
            shares={str(user_id): str(share) for user_id, share in shares.items()},
        )
        self.turns.append(turn)
        candidates.append({"user": user.pk, "took": why})
        return Seating("rep", why, user=user, pool_id=pool_id, turn=turn)

    def _unable(self, user: User, excluded: frozenset[int]) -> str:
        if not user.is_active:
            return "inactive"
        if user.pk not in self.sellers:
            return "not in sales"
        if user.pk in self.away:
            return "away"
        return "had it before" if user.pk in excluded else ""

    def _over_cap(self, seat: PoolMember) -> str:
        cap = seat.cap_open if seat.cap_open is not None else seat.pool.cap_open
        if cap is not None and self.load.get(seat.user_id, 0) >= cap:
            return f"holds {cap} of {cap}"
        return ""

    def save(self) -> None:
        """Write the turns (their `ref` set by now) and the seats' memory."""
        if self.turns:
            Turn.objects.bulk_create(self.turns)
        if self._changed:
            # An upsert by id: a bulk update's CASE for each column and row costs four times as much.
            PoolMember.objects.bulk_create(
                self._changed.values(),
                update_conflicts=True,
                unique_fields=["id"],
                update_fields=["accrued", "taken"],
            )


def can_take(user: User, now: datetime) -> bool:
    """Whether this person can take new work at this moment: active, in sales, not away."""
    is_away = Absence.objects.at(now).filter(user=user).exists
    return user.is_active and bool(user.roles.intersection(IN_SALES)) and not is_away()


def take(user: User, ref: str, now: datetime) -> Turn:
    """A turn outside any rotation: somebody was given the work by name, or claimed it."""
    return Turn.objects.create(user=user, ref=ref, taken_at=now)


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
    seats = list(
        PoolMember.objects.select_for_update(of=("self",), no_key=True)
        .filter(pool_id=turn.pool_id)
        .order_by("user_id")
    )
    for seat in seats:
        seat.accrued += sign * Decimal(turn.shares.get(str(seat.user_id), "0"))
        if seat.user_id == turn.user_id:
            # Somebody may have left the pool and come back with a new seat since.
            seat.taken = max(0, seat.taken + sign)
    PoolMember.objects.bulk_update(seats, ["accrued", "taken"])
