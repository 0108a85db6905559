"""The walk: an ordered list of targets, the state of their seats, and the person who takes the turn.

Owns the order of preference within a pool and the words for whoever was passed over. Reads the rows of all
people under one lock, counts after it, changes in memory, saves at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from django.db.models import QuerySet

from routing import hours
from routing.engine import Target
from routing.locking import whole
from routing.models import Absence, Calendar, Pool, PoolMember, Queue, Team, Turn, User
from routing.models.calendars import prepare
from routing.pouring import made, pour, repour
from routing.prepared import prepared
from routing.quota import Member, pick
from routing.rotation import able, capacity

# Why somebody must not get a work again; more words may follow. Where that leaves nobody, their manager
# takes it.
REJECTED, LAPSED = "rejected it before", "let it lapse"
HAD_IT = (REJECTED, LAPSED)
NOBODY: Mapping[int, str] = MappingProxyType({})


@dataclass
class Seating:
    """Where a target walk ended: a person or a queue, who was looked at, and why.

    `outcome` is "rep", "queue" or "nobody"; `why` names the target that took it (rule, account, fallback,
    manager, overflow). `candidates` are small dicts, kept for ever: {"user", "pool" (when through one),
    "took" | "skipped"}, {"queue", "took" | "skipped"}, {"pool", "skipped"}.
    """

    outcome: str
    why: str = ""
    user: User | None = None
    queue: Queue | None = None
    pool_id: int | None = None
    turn: Turn | None = None
    candidates: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class _Walk:
    """One work on its way: who must not get it, who was looked at, and who of those had it before."""

    excluded: Mapping[int, str]
    candidates: list[dict[str, Any]] = field(default_factory=list)
    had_it: list[User] = field(default_factory=list)


class Desk:
    """The state of all seats that some targets need, read once under lock and changed in memory.

    Open it inside a transaction, `seat` any number of works, then `save`. Four queries for any number, and
    two to save; three more when first a manager is looked for. With `dry` it reads without locks and cannot
    save: for trying. `calendar` gives a person's hours where whoever asks has read them already.
    """

    def __init__(
        self,
        targets: Iterable[Target],
        now: datetime,
        *,
        dry: bool = False,
        calendar: Callable[[User], hours.Calendar | None] | None = None,
    ) -> None:
        self.now = now
        self.dry = dry
        self.pools: dict[int, Pool] = {}
        self.seats: dict[int, list[PoolMember]] = {}
        self.people: dict[int, User] = {}
        self.queues: dict[int, Queue] = {}
        self.turns: list[Turn] = []
        self.loads: dict[int, capacity.Load] = {}
        self.away: set[int] = set()
        self.sellers: set[int] = set()
        self._read: set[int] = set()
        self._changed: dict[int, PoolMember] = {}
        self._managers: dict[int, list[User]] | None = None
        self._default_hours: tuple[hours.Calendar | None] | None = None
        self._calendar = calendar or self._own_calendar
        self.widen(targets)

    def widen(self, targets: Iterable[Target]) -> None:
        """Read what these targets need and is not there yet. One transaction has one desk: a second one
        would know nothing of the turns that the first has given and not saved."""
        wanted = set(targets)
        pool_ids = {int(target.id) for target in wanted if target.kind == "pool"} - self._read
        queue_ids = {int(target.id) for target in wanted if target.kind == "queue"} - self.queues.keys()
        person_ids = {int(target.id) for target in wanted if target.kind not in ("pool", "queue")}
        person_ids -= self.people.keys()
        if queue_ids:
            self.queues |= {queue.pk: queue for queue in _queues(queue_ids)}
        if not pool_ids and not person_ids:
            return
        self._load_people(pool_ids, person_ids)
        if pool_ids:
            self._load_seats(pool_ids)
            self._read |= pool_ids
        self._managers = None
        seats = [seat for seats in self.seats.values() for seat in seats]
        timed = {seat.user_id for seat in seats if capacity.is_timed(seat)}
        # Counted after the lock: what another router took meanwhile is seen. Where nothing asks, nobody is.
        asked = self.people.keys() if self.dry else {seat.user_id for seat in seats if _by_load(seat)}
        self.loads = {pk: capacity.Load() for pk in self.people}
        self.loads |= capacity.loads([self.people[pk] for pk in asked], timed, self.now)
        for turn in self.turns:
            self.loads[turn.user_id].one_more()

    def _load_people(self, pool_ids: set[int], person_ids: set[int]) -> None:
        """Everybody who may come to be looked at, locked in one statement, in order."""
        if pool_ids or person_ids:
            found = _people(self.now, pool_ids, person_ids, self.dry)
            self._know(found if self.dry else whole(found, lambda: able.people(self.now)))

    def _know(self, rows: Iterable[User]) -> None:
        for user in rows:
            self.people.setdefault(user.pk, user)
            if user.is_away:  # type: ignore[attr-defined]
                self.away.add(user.pk)
            if user.sells:  # type: ignore[attr-defined]
                self.sellers.add(user.pk)

    def _load_seats(self, pool_ids: set[int]) -> None:
        for seat in _seats(pool_ids):
            # A seat made this instant has nobody locked yet; it counts from the next desk on.
            if seat.user_id in self.people:
                seat.user = self.people[seat.user_id]
                self.pools[seat.pool_id] = seat.pool
                self.seats.setdefault(seat.pool_id, []).append(seat)
        members = [
            seat.user
            for pool_id, seats in self.seats.items()
            if pool_id in pool_ids and _by_the_clock(self.pools[pool_id])
            for seat in seats
        ]
        calendars = (user.calendar or (user.team.calendar if user.team else None) for user in members)
        prepare(calendar for calendar in calendars if calendar is not None)

    def seat(self, targets: Sequence[Target], excluded: Mapping[int, str] = NOBODY) -> Seating:
        """Walk the targets in order and take a turn for the first person who can have it.

        `excluded` maps the people who must not have it to why, in words. Where that leaves nobody of those
        who rejected it or let it lapse, the manager of one of them takes it; a queue always takes.
        """
        walk = _Walk(excluded)
        for target in (target for target in targets if target.why != "overflow"):
            if (seating := self._try(target, walk)) is not None:
                return seating
        if walk.had_it and (seating := self._to_a_manager(walk)) is not None:
            return seating
        for target in (target for target in targets if target.why == "overflow"):
            if (seating := self._try(target, walk)) is not None:
                return seating
        return Seating("nobody", candidates=walk.candidates)

    def _try(self, target: Target, walk: _Walk) -> Seating | None:
        if target.kind == "queue":
            queue = self.queues.get(int(target.id))
            if queue is None:
                walk.candidates.append({"queue": target.id, "skipped": "gone"})
                return None
            walk.candidates.append({"queue": queue.slug, "took": target.why})
            return Seating("queue", target.why, queue=queue, candidates=walk.candidates)
        if target.kind == "pool":
            return self._from_pool(int(target.id), target.why, walk)
        user = self.people.get(int(target.id))
        if user is None:
            walk.candidates.append({"user": int(target.id), "skipped": "gone"})
            return None
        if skipped := self._unable(user, walk):
            walk.candidates.append({"user": user.pk, "skipped": skipped})
            return None
        return self._take(user, target.why, walk)

    def _from_pool(self, pool_id: int, why: str, walk: _Walk) -> Seating | None:
        can: list[PoolMember] = []
        for seat in self.seats.get(pool_id, []):
            if skipped := self._passed_over(seat, walk):
                walk.candidates.append({"user": seat.user_id, "pool": pool_id, "skipped": skipped})
            else:
                can.append(seat)
        if not can:
            if pool_id not in self.pools:
                walk.candidates.append({"pool": pool_id, "skipped": "no members"})
            return None
        chosen = pick(Member(s.user_id, s.weight, s.accrued, s.taken) for s in self._preferred(pool_id, can))
        by_user = {seat.user_id: seat for seat in can}
        for user_id, share in chosen.shares.items():
            by_user[user_id].accrued += share
            self._changed[by_user[user_id].pk] = by_user[user_id]
        seat = by_user[chosen.user_id]
        seat.taken += 1
        return self._take(seat.user, why, walk, pool_id, chosen.shares)

    def _passed_over(self, seat: PoolMember, walk: _Walk) -> str:
        skipped = self._unable(seat.user, walk)
        if not skipped and not seat.is_active:
            return "not in rotation"
        if not skipped and seat.pool.in_hours_only and not hours.is_open(self.now, self._calendar(seat.user)):
            return "outside working hours"
        return skipped or capacity.full(seat, self.loads[seat.user_id])

    def _preferred(self, pool_id: int, can: list[PoolMember]) -> list[PoolMember]:
        """Those whom the pool's method puts first; the quota decides between them, so that ties are fair."""
        ranks: dict[int, Any] = {}
        match self.pools[pool_id].method:
            case Pool.Method.LEAST_OPEN:
                ranks = {s.pk: Fraction(self.loads[s.user_id].open, s.weight) for s in can}
            case Pool.Method.EARLIEST:
                ranks = {s.pk: hours.next_open(self.now, self._calendar(s.user)) for s in can}
            case _:
                return can
        first = min(ranks.values())
        return [seat for seat in can if ranks[seat.pk] == first]

    def _take(
        self,
        user: User,
        why: str,
        walk: _Walk,
        pool_id: int | None = None,
        shares: Mapping[int, Decimal] | None = None,
    ) -> Seating:
        self.loads.setdefault(user.pk, capacity.Load()).one_more()
        turn = made(
            Turn,
            user_id=user.pk,
            pool_id=pool_id,
            taken_at=self.now,
            shares={str(user_id): str(share) for user_id, share in (shares or {}).items()},
        )
        self.turns.append(turn)
        through = {} if pool_id is None else {"pool": pool_id}
        walk.candidates.append({"user": user.pk, **through, "took": why})
        return Seating("rep", why, user=user, pool_id=pool_id, turn=turn, candidates=walk.candidates)

    def _unable(self, user: User, walk: _Walk) -> str:
        if (had := walk.excluded.get(user.pk)) is not None:
            if had.startswith(HAD_IT):
                walk.had_it.append(user)
            return had
        if not user.is_active:
            return "inactive"
        if user.pk not in self.sellers:
            return "not in sales"
        return "away" if user.pk in self.away else ""

    def _to_a_manager(self, walk: _Walk) -> Seating | None:
        """The manager of somebody who had it before, or who covers for them."""
        if self._managers is None:
            self._managers = self._load_managers()
        seen: set[int] = set()
        for user in tuple(walk.had_it):
            for person in self._managers.get(user.team_id or 0, ()):
                if person.pk in seen:
                    continue
                seen.add(person.pk)
                if not (skipped := self._unable(person, walk)):
                    return self._take(person, "manager", walk)
                walk.candidates.append({"user": person.pk, "skipped": skipped})
                if skipped != "away":
                    # A cover stands in for whoever is away, not for whoever said no.
                    break
        return None

    def _load_managers(self) -> dict[int, list[User]]:
        """By team: its manager, then who covers for them now."""
        teams = {user.team_id for user in self.people.values() if user.team_id is not None}
        led = Team.objects.filter(pk__in=teams, manager__isnull=False).values_list("pk", "manager_id")
        managers = dict(led)
        covers: dict[int, list[int]] = {}
        away = Absence.objects.at(self.now).filter(user_id__in=managers.values(), cover__isnull=False)
        for user_id, cover_id in away.order_by("starts_at", "pk").values_list("user_id", "cover_id"):
            covers.setdefault(user_id, []).append(cover_id)
        ids = {*managers.values(), *(pk for found in covers.values() for pk in found)}
        self._know(able.people(self.now).filter(pk__in=ids).order_by("pk"))
        return {
            team: [self.people[pk] for pk in (manager, *covers.get(manager, ())) if pk in self.people]
            for team, manager in managers.items()
        }

    def _own_calendar(self, user: User) -> hours.Calendar | None:
        row = user.calendar or (user.team.calendar if user.team else None)
        if row is not None:
            return row.hours()
        if self._default_hours is None:
            default = Calendar.objects.filter(is_default=True).first()
            self._default_hours = (default.hours() if default else None,)
        return self._default_hours[0]

    def save(self) -> None:
        """Write the turns (their `ref` set by now) and the seats' memory."""
        if self.dry:
            raise RuntimeError("a dry desk only tries; nothing of it is saved")
        pour(self.turns)
        repour(self._changed.values(), ["accrued", "taken"])


@prepared
def _queues(ids: Collection[int]) -> QuerySet[Queue]:
    return Queue.objects.select_related("owner", "calendar").filter(pk__in=ids)


@prepared
def _people(now: datetime, pools: Collection[int], people: Collection[int], dry: bool) -> QuerySet[User]:
    """The members of these pools and these people, as `able` has them; locked but for a dry desk."""
    seated = PoolMember.objects.filter(pool_id__in=pools).order_by().values("user_id")
    # Not the one or the other: for that PostgreSQL reads everybody, and every absence there ever was.
    wanted = seated.union(User.objects.filter(pk__in=people).order_by().values("pk"))
    rows = able.people(now).filter(pk__in=wanted).order_by("pk")
    return rows if dry else rows.select_for_update(of=("self",), no_key=True)


@prepared
def _seats(pools: Collection[int]) -> QuerySet[PoolMember]:
    rows = PoolMember.objects.filter(pool_id__in=pools).select_related("pool")
    return rows.order_by("user_id", "pool_id")


def _by_load(seat: PoolMember) -> bool:
    return seat.pool.method == Pool.Method.LEAST_OPEN or capacity.is_capped(seat)


def _by_the_clock(pool: Pool) -> bool:
    return pool.in_hours_only or pool.method == Pool.Method.EARLIEST
