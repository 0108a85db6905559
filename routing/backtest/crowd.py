"""The people, pools and queues of a replay, and who of a pool would be next.

Owns the choice inside a pool as `routing.rotation` makes it, over simulated load instead of rows under a
lock: quota by `routing.quota`, least open load, earliest reachable; caps, absences, working hours and who
had the lead before. Every pool starts level, as a new one would: what its members had accrued before the
span is less than one turn each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from routing import hours
from routing.backtest.records import Holder
from routing.quota import Member, pick


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may be given work. `skipped` is why they never can ("inactive"), "" when they can.

    `zone` is that of their days; `absences` are (start, end, who covers); `manager` leads their team.
    """

    id: int
    calendar: hours.Calendar | None = None
    zone: str = "UTC"
    absences: tuple[tuple[datetime, datetime, int | None], ...] = ()
    skipped: str = ""
    manager: int | None = None

    def is_away(self, at: datetime) -> bool:
        return any(start <= at < end for start, end, _ in self.absences)

    def covers(self, at: datetime) -> list[int]:
        """Who stands in for this person at a moment."""
        return [cover for start, end, cover in self.absences if start <= at < end and cover is not None]


@dataclass(frozen=True, slots=True)
class Seat:
    """A member of a pool with weight and caps, the pool's own where the seat has none."""

    user_id: int
    weight: int = 1
    cap_open: int | None = None
    cap_day: int | None = None
    cap_week: int | None = None
    is_active: bool = True

    @property
    def is_timed(self) -> bool:
        """Whether days or weeks are capped."""
        return self.cap_day is not None or self.cap_week is not None


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """A pool: `method` is "quota", "least_open" or "earliest"."""

    id: int
    method: str
    seats: tuple[Seat, ...]
    in_hours_only: bool = False


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """A queue with every slug it has had: decisions name queues by slug."""

    id: int
    slug: str
    is_overflow: bool = False
    calendar: hours.Calendar | None = None
    former_slugs: tuple[str, ...] = ()


@dataclass
class Crowd:
    """Everybody and everything that a target can name. Unknown ids are gone."""

    people: Mapping[int, Person]
    pools: Mapping[int, PoolFacts]
    queues: Mapping[int, QueueFacts]
    by_slug: dict[str, QueueFacts] = field(init=False)
    overflow: QueueFacts | None = field(init=False)
    is_timed: bool = field(init=False)

    def __post_init__(self) -> None:
        former = {slug: queue for queue in self.queues.values() for slug in queue.former_slugs}
        self.by_slug = former | {queue.slug: queue for queue in self.queues.values()}
        self.overflow = next((queue for queue in self.queues.values() if queue.is_overflow), None)
        self.is_timed = any(seat.is_timed for pool in self.pools.values() for seat in pool.seats)

    def is_overflow(self, holder: Holder) -> bool:
        return holder.kind == "queue" and self.overflow is not None and holder.id == str(self.overflow.id)

    def calendar_of(self, holder: Holder) -> hours.Calendar | None:
        """The working time of a person or a queue; None when every hour counts."""
        owner: Person | QueueFacts | None
        if holder.kind == "rep":
            owner = self.people.get(int(holder.id))
        else:
            owner = self.queues.get(int(holder.id)) if holder.id.isdigit() else None
        return owner.calendar if owner is not None else None

    def cap_of(self, user_id: int) -> int | None:
        """The most this person may hold through any one pool; None where one of their pools sets no cap,
        or they are in none."""
        caps = [
            seat.cap_open for pool in self.pools.values() for seat in pool.seats if seat.user_id == user_id
        ]
        return max((cap for cap in caps if cap is not None), default=None) if None not in caps else None


class Counted:
    """How many each person got in their present day and week, by their own calendar."""

    def __init__(self) -> None:
        self._counts: dict[int, list[int]] = {}
        self._zones: dict[str, ZoneInfo] = {}

    def took(self, person: Person, at: datetime) -> None:
        day, week = self._when(person, at)
        entry = self._counts.get(person.id)
        if entry is None:
            self._counts[person.id] = [day, 1, week, 1]
            return
        entry[1] = entry[1] + 1 if entry[0] == day else 1
        entry[3] = entry[3] + 1 if entry[2] == week else 1
        entry[0], entry[2] = day, week

    def so_far(self, person: Person, at: datetime) -> tuple[int, int]:
        """Turns of the day and of the week that hold this moment."""
        entry = self._counts.get(person.id)
        if entry is None:
            return 0, 0
        day, week = self._when(person, at)
        return entry[1] if entry[0] == day else 0, entry[3] if entry[2] == week else 0

    def _when(self, person: Person, at: datetime) -> tuple[int, int]:
        if person.zone not in self._zones:
            self._zones[person.zone] = ZoneInfo(person.zone)
        day = at.astimezone(self._zones[person.zone]).toordinal()
        return day, (day - 1) // 7

    def to_json(self) -> dict[str, list[int]]:
        return {str(user): entry for user, entry in self._counts.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, list[int]]) -> Counted:
        counted = cls()
        counted._counts = {int(user): list(entry) for user, entry in data.items()}
        return counted


class Memory:
    """What the quota method remembers of each pool since the span began: accrued and taken by member."""

    def __init__(self) -> None:
        self._accrued: dict[tuple[int, int], Decimal] = {}
        self._taken: dict[tuple[int, int], int] = {}

    def member(self, pool_id: int, seat: Seat) -> Member:
        key = (pool_id, seat.user_id)
        return Member(seat.user_id, seat.weight, self._accrued.get(key, Decimal(0)), self._taken.get(key, 0))

    def took(self, pool_id: int, user_id: int, shares: Mapping[Any, Any]) -> None:
        """A turn was taken; `shares` is what each available member accrued by it."""
        for member, share in shares.items():
            key = (pool_id, int(member))
            self._accrued[key] = self._accrued.get(key, Decimal(0)) + Decimal(share)
        key = (pool_id, user_id)
        self._taken[key] = self._taken.get(key, 0) + 1

    def to_json(self) -> list[list[Any]]:
        keys = sorted(self._accrued.keys() | self._taken.keys())
        return [[*key, str(self._accrued.get(key, 0)), self._taken.get(key, 0)] for key in keys]

    @classmethod
    def from_json(cls, data: Iterable[list[Any]]) -> Memory:
        memory = cls()
        for pool_id, user_id, accrued, taken in data:
            memory._accrued[pool_id, user_id] = Decimal(accrued)
            memory._taken[pool_id, user_id] = taken
        return memory


@dataclass
class Moment:
    """What a choice looks at: the moment, open work by person, who must not get it, and the memories."""

    at: datetime
    open: Mapping[int, int]
    counted: Counted
    memory: Memory
    excluded: Mapping[int, str]

    def unable(self, person: Person | None) -> str:
        """Why this person cannot take it, "" when they can."""
        if person is None:
            return "gone"
        if (had := self.excluded.get(person.id)) is not None:
            return had
        return person.skipped or ("away" if person.is_away(self.at) else "")


def next_of(
    pool: PoolFacts, people: Mapping[int, Person], moment: Moment
) -> tuple[int | None, dict[int, Decimal], list[dict[str, Any]]]:
    """Whose turn it is in the pool: the member (None when nobody can), what each accrues, who was passed
    over and why."""
    able: list[Seat] = []
    passed: list[dict[str, Any]] = []
    for seat in pool.seats:
        if why := _passed_over(seat, pool, people.get(seat.user_id), moment):
            passed.append({"user": seat.user_id, "pool": pool.id, "skipped": why})
        else:
            able.append(seat)
    if not able:
        return None, {}, passed or [{"pool": pool.id, "skipped": "no members"}]
    first = _preferred(pool, able, people, moment)
    turn = pick(moment.memory.member(pool.id, seat) for seat in first)
    return turn.user_id, turn.shares, passed


def _preferred(pool: PoolFacts, able: list[Seat], people: Mapping[int, Person], moment: Moment) -> list[Seat]:
    """Those whom the pool's method puts first; the quota decides between them."""
    ranks: dict[int, Any] = {}
    match pool.method:
        case "least_open":
            ranks = {s.user_id: Fraction(moment.open.get(s.user_id, 0), s.weight) for s in able}
        case "earliest":
            ranks = {s.user_id: hours.next_open(moment.at, people[s.user_id].calendar) for s in able}
        case _:
            return able
    first = min(ranks.values())
    return [seat for seat in able if ranks[seat.user_id] == first]


def _passed_over(seat: Seat, pool: PoolFacts, person: Person | None, moment: Moment) -> str:
    if person is None or person.skipped or person.absences or moment.excluded:
        why = moment.unable(person)
        if why or person is None:
            return why
    if not seat.is_active:
        return "not in rotation"
    if pool.in_hours_only and not hours.is_open(moment.at, person.calendar):
        return "outside working hours"
    if seat.cap_open is not None and (held := moment.open.get(seat.user_id, 0)) >= seat.cap_open:
        return f"holds {held} of {seat.cap_open}"
    if seat.is_timed:
        day, week = moment.counted.so_far(person, moment.at)
        if seat.cap_day is not None and day >= seat.cap_day:
            return f"had {day} of {seat.cap_day} today"
        if seat.cap_week is not None and week >= seat.cap_week:
            return f"{week} of {seat.cap_week} this week"
    return ""
