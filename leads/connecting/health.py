"""How connections are: what waits, what was given up, how much of it arrives and how late.

Owns the figures, set-wise: a constant number of queries for any number of connections. The words for them are
`leads.presenters.connections`. Counts what stands in the outbox; asks nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import (
    BooleanField,
    Case,
    Count,
    F,
    Func,
    IntegerField,
    Min,
    Q,
    QuerySet,
    Value,
    When,
)

from leads.models import Connection, Delivery, InboundCall

OVER = timedelta(hours=24)
# The lag is told as the least of these that enough of the deliveries kept: exact figures would have to sort
# all of them.
BOUNDS = tuple(
    timedelta(seconds=seconds) for seconds in (1, 2, 5, 15, 30, 60, 120, 300, 900, 3600, 4 * 3600, 24 * 3600)
)
PART = 0.95


class IsDead(Func):
    """Whether a delivery was given up. Written out, and not as a value beside the statement: SQLite looks
    into the index of those rows only then."""

    template = "%(expressions)s = 'dead'"
    output_field = BooleanField()


def dead() -> Func:
    return IsDead(F("status"))


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one connection: owed now and since when the oldest; dead letters; calls that failed; delivered and
    given up within OVER; `lag` the least of BOUNDS within which PART of what was delivered arrived, None when
    it took longer than all of them or nothing was."""

    owed: int = 0
    oldest: datetime | None = None
    dead: int = 0
    failed_calls: int = 0
    done: int = 0
    gave_up: int = 0
    lag: timedelta | None = None

    @property
    def rate(self) -> float | None:
        """The share that arrived, 0 to 1; None where nothing was settled."""
        settled = self.done + self.gave_up
        return self.done / settled if settled else None


@dataclass
class _Counted:
    values: dict[str, Any] = field(default_factory=dict)
    lags: dict[int, int] = field(default_factory=dict)


_ALL = Q()


def figures(now: datetime, connection: Connection | None = None) -> Mapping[int, Figures]:
    """By connection, of all or of this one; those of which nothing is known are missing. Four queries."""
    found: dict[int, _Counted] = {}
    mine = Q() if connection is None else Q(connection=connection)

    def of(pk: int) -> _Counted:
        return found.setdefault(pk, _Counted())

    for pk, count, oldest in owed(mine):
        of(pk).values |= {"owed": count, "oldest": oldest}
    for pk, count in given_up(mine):
        of(pk).values["dead"] = count
    failed = InboundCall.objects.filter(mine, status=InboundCall.Status.FAILED, received_at__gt=now - OVER)
    for pk, count in failed.order_by().values_list("connection").annotate(count=Count("pk")):
        of(pk).values["failed_calls"] = count
    for pk, status, bound, count in _settled(now, mine):
        if status == Delivery.Status.DEAD:
            of(pk).values["gave_up"] = of(pk).values.get("gave_up", 0) + count
        else:
            of(pk).lags[bound] = of(pk).lags.get(bound, 0) + count
    return {
        pk: Figures(**counted.values, done=sum(counted.lags.values()), lag=lag(counted.lags))
        for pk, counted in found.items()
    }


def owed(mine: Q = _ALL) -> QuerySet[Delivery, tuple[int, int, datetime]]:
    """Rows of a connection's key, how much it is owed and since when the oldest of it."""
    undone = Delivery.objects.filter(mine, done_at__isnull=True).order_by().values_list("connection")
    return undone.annotate(count=Count("pk"), oldest=Min("created_at"))


def given_up(mine: Q = _ALL) -> QuerySet[Delivery, tuple[int, int]]:
    """Rows of a connection's key and how many dead letters it has."""
    return (
        Delivery.objects.filter(mine, dead()).order_by().values_list("connection").annotate(count=Count("pk"))
    )


def lag(counts: Mapping[int, int]) -> timedelta | None:
    """The least bound within which PART of all stayed; `counts` says how many stayed within which, by its
    place in BOUNDS, and past all of them. Pure."""
    wanted, within = sum(counts.values()) * PART, 0
    for place, bound in enumerate(BOUNDS):
        within += counts.get(place, 0)
        if within and within >= wanted:
            return bound
    return None


def _settled(now: datetime, mine: Q) -> Sequence[tuple[int, str, int, int]]:
    """Rows of connection, status, place in BOUNDS and how many, of what was delivered or given up."""
    late = [
        When(done_at__lte=F("occurred_at") + bound, then=Value(place)) for place, bound in enumerate(BOUNDS)
    ]
    rows = Delivery.objects.filter(
        mine, done_at__gt=now - OVER, status__in=[Delivery.Status.DONE, Delivery.Status.DEAD]
    )
    placed = rows.annotate(bound=Case(*late, default=Value(len(BOUNDS)), output_field=IntegerField()))
    return list(placed.order_by().values_list("connection", "status", "bound").annotate(count=Count("pk")))


def standing_still() -> Q:
    """Connections that stand until somebody starts them: paused without an end, or ended by an answer."""
    return ~Q(paused_why="") & Q(paused_until__isnull=True)
