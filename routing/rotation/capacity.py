"""How much somebody has of what they may have: open turns, turns of their day, turns of their week.

Owns the counting over the ledger and the words of a full seat. A day and an ISO week are those of the
person's own zone. Never locks: whoever counts holds the people first.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Count, Q

from routing.models import PoolMember, Turn, User


@dataclass
class Load:
    """What one person has: turns that are open, and turns taken today and this week and not given back."""

    open: int = 0
    day: int = 0
    week: int = 0

    def one_more(self) -> None:
        self.open += 1
        self.day += 1
        self.week += 1


def cap(seat: PoolMember, name: str) -> int | None:
    """The seat's own cap, else its pool's; None for no cap. `name` is cap_open, cap_day or cap_week."""
    own: int | None = getattr(seat, name)
    common: int | None = getattr(seat.pool, name)
    return common if own is None else own


def is_timed(seat: PoolMember) -> bool:
    """Whether this seat has a cap on days or weeks."""
    return cap(seat, "cap_day") is not None or cap(seat, "cap_week") is not None


def is_capped(seat: PoolMember) -> bool:
    """Whether this seat has any cap."""
    return is_timed(seat) or cap(seat, "cap_open") is not None


def full(seat: PoolMember, load: Load) -> str:
    """Which cap this seat is at, in words with the numbers; "" when there is room."""
    if (most := cap(seat, "cap_open")) is not None and load.open >= most:
        return f"holds {load.open} of {most}"
    if (most := cap(seat, "cap_day")) is not None and load.day >= most:
        return f"had {load.day} of {most} today"
    if (most := cap(seat, "cap_week")) is not None and load.week >= most:
        return f"{load.week} of {most} this week"
    return ""


def zone(user: User) -> str:
    """The zone of this person's days: their own calendar's, else their own, their team's, everybody's."""
    if user.calendar is not None:
        return user.calendar.time_zone
    shared = user.team.calendar if user.team is not None else None
    everybody: str = settings.ORG_TIME_ZONE
    return user.time_zone or (shared.time_zone if shared is not None else everybody)


def began(user: User, now: datetime) -> tuple[datetime, datetime]:
    """When this person's day began, and their ISO week."""
    here = ZoneInfo(zone(user))
    today = now.astimezone(here).date()
    monday = today - timedelta(days=today.weekday())
    # Where clocks skip midnight this is the first instant of the day; where they repeat it, the first one.
    day, week = (datetime.combine(date, time.min, here).astimezone(UTC) for date in (today, monday))
    return day, week


def loads(people: Collection[User], timed: Collection[int], now: datetime) -> dict[int, Load]:
    """What each of these people has, in one query; days and weeks are counted for the `timed` alone."""
    found = {user.pk: Load() for user in people}
    if not found:
        return found
    starts: dict[tuple[datetime, datetime], list[int]] = {}
    for user in people:
        if user.pk in timed:
            starts.setdefault(began(user, now), []).append(user.pk)
    is_open = Q(released_at__isnull=True)
    wanted, counted = is_open, {"n_open": Count("pk", filter=is_open)}
    if starts:
        day, week = Q(), Q()
        for (day_began, week_began), ids in starts.items():
            theirs = Q(user_id__in=ids, given_back_at__isnull=True)
            day |= theirs & Q(taken_at__gte=day_began)
            week |= theirs & Q(taken_at__gte=week_began)
        wanted = is_open | week
        counted |= {"n_day": Count("pk", filter=day), "n_week": Count("pk", filter=week)}
    rows = Turn.objects.filter(wanted, user_id__in=list(found)).values_list("user_id").annotate(**counted)
    found |= {user_id: Load(*counts) for user_id, *counts in rows.order_by()}
    return found
