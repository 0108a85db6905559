"""Who holds how much: the lines of the team page, those who need help first.

Owns these queries, four for any number of people. What a line says is `leads.presenters.teams`; whose lines
somebody sees is `staff`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from django.db.models import Case, Count, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from leads.choices import HOLDS_TURN, State
from leads.models import Handoff
from leads.presenters import times
from leads.presenters.teams import RepLine
from leads.querysets import overdue
from leads.roles import Can, can
from routing.models import Absence, PoolMember, User
from routing.people import MANAGER, REP
from routing.prepared import prepared

MOST_PEOPLE = 300
_HELD = [str(state) for state in HOLDS_TURN]
_OWED = [str(State.ASSIGNED), str(State.ACCEPTED)]


def lines(
    user: User, everybody: QuerySet[User], team: int | None, now: datetime
) -> tuple[list[RepLine], bool]:
    """The work in figures of those who need help first, and whether there are more people than that; four
    queries for any number of them. `everybody`: whose work this person watches over, of that team."""
    if team is not None:
        found: Iterable[dict[str, Any]] = _counts(everybody, now)
    elif can(user, Can.WATCH_ALL):
        found = _counts_of_all(now)
    else:
        found = _counts_of_some(user.pk, now)
    counted = {row["assignee"]: dict(row) for row in islice(found, MOST_PEOPLE)}
    if team is not None:
        people = list(_busy_first(everybody, list(counted)))
    elif can(user, Can.WATCH_ALL):
        people = _everybody(counted)
    else:
        people = _some(user.pk, counted)
    is_cut = len(people) > MOST_PEOPLE
    del people[MOST_PEOPLE:]
    ids = [person.pk for person in people]
    caps: dict[int, list[int | None]] = {}
    for person_id, cap in _seats(ids):
        caps.setdefault(person_id, []).append(cap)
    away = {absence.user_id: absence for absence in _away(ids, now)}
    found_lines = [
        _line(person, counted.get(person.pk, {}), _cap(caps.get(person.pk, [])), away.get(person.pk), now)
        for person in people
    ]
    return sorted(found_lines, key=lambda line: (-line.late, -line.silent, -line.load, line.name)), is_cut


def of_all() -> QuerySet[User]:
    """The people in sales."""
    return User.objects.filter(is_active=True, groups__name__in=[REP, MANAGER]).distinct()


def of_manager(manager: int) -> QuerySet[User]:
    """Those of the teams somebody leads, and they themselves."""
    return of_all().filter(Q(team__manager=manager) | Q(pk=manager))


def _busy_first(people: QuerySet[User], busy: Collection[int]) -> QuerySet[User]:
    """Who holds nothing fills up what is left."""
    idle = Case(When(pk__in=busy, then=Value(0)), default=Value(1))
    rows = people.select_related("team").annotate(idle=idle).order_by("idle", "name", "pk")
    return rows.only("name", "email", "team__name")[: MOST_PEOPLE + 1]


@prepared
def _everybody(busy: Collection[int]) -> QuerySet[User]:
    return _busy_first(of_all(), busy)


@prepared
def _some(manager: int, busy: Collection[int]) -> QuerySet[User]:
    return _busy_first(of_manager(manager), busy)


@prepared
def _seats(people: Collection[int]) -> QuerySet[PoolMember, tuple[int, int | None]]:
    seats = PoolMember.objects.filter(user__in=people, is_active=True)
    return seats.values_list("user_id", Coalesce("cap_open", "pool__cap_open"))


@prepared
def _away(people: Collection[int], now: datetime) -> QuerySet[Absence]:
    return Absence.objects.at(now).filter(user__in=people)


@prepared
def _counts_of_all(now: datetime) -> QuerySet[Handoff, Any]:
    return _counts(of_all(), now)


@prepared
def _counts_of_some(manager: int, now: datetime) -> QuerySet[Handoff, Any]:
    return _counts(of_manager(manager), now)


def _counts(people: QuerySet[User], now: datetime) -> QuerySet[Handoff, Any]:
    """What each of these people holds, by kind; those who need help first, as many as the page shows."""
    owed = Q(state__in=_OWED)
    silent = owed & (Q(no_activity_at__isnull=False) | Q(black_hole_at__isnull=False))
    rows = Handoff.objects.open().filter(assignee__in=people.order_by().values("pk")).values("assignee")
    counts = rows.annotate(
        answer=Count("pk", filter=Q(state=State.ASSIGNED)),
        contact=Count("pk", filter=Q(state=State.ACCEPTED)),
        follow=Count("pk", filter=Q(state=State.WORKING)),
        deferred=Count("pk", filter=Q(state=State.DEFERRED)),
        late=Count("pk", filter=owed & overdue(now)),
        silent=Count("pk", filter=silent),
        load=Count("pk", filter=Q(state__in=_HELD)),
    )
    return counts.order_by("-late", "-silent", "-load", "assignee")[:MOST_PEOPLE]


def _cap(caps: Sequence[int | None]) -> int | None:
    """The most a person may hold by their seats; None when one of them has no cap, or there is no seat."""
    known = [cap for cap in caps if cap is not None]
    return max(known) if known and len(known) == len(caps) else None


def _line(
    person: User, counts: dict[str, Any], cap: int | None, absence: Absence | None, now: datetime
) -> RepLine:
    load = counts.get("load", 0)
    return RepLine(
        id=person.pk,
        name=str(person),
        team=str(person.team) if person.team else "",
        answer=counts.get("answer", 0),
        contact=counts.get("contact", 0),
        follow=counts.get("follow", 0),
        deferred=counts.get("deferred", 0),
        late=counts.get("late", 0),
        silent=counts.get("silent", 0),
        load=load,
        cap=str(cap) if cap is not None else "",
        share=min(100, round(100 * load / cap)) if cap else None,
        note=f"away until {times.moment(absence.ends_at, now)}" if absence else "",
    )
