"""What the frame counts for one person: their own open work, unread messages, and what waits for their roles.

Owns that one query. It is asked by every page, so all counts come in one statement that is written once.
Never decides who is shown which count: the caller says what is wanted, and what is not is not counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import CharField, Count, IntegerField, Q, QuerySet, Subquery, Value

from leads import agreeing, triaging
from leads.choices import Side
from leads.connecting import health
from leads.models import Connection, Delivery, Handoff, Notification, Preference
from leads.querysets import overdue
from routing import reading
from routing.models import Queue
from routing.people import User
from routing.prepared import prepared

# Past so many of what may be very many, nobody wants to know how many there are.
MOST_COUNTED = 99

UNREAD, CALLS, QUEUES, LATE, INCOMPLETE, TO_DECIDE, TO_SIGN, GIVEN_UP, STANDING = (
    "unread", "calls", "queues",
    "past due", "waits for data", "to decide", "to sign", "given up", "standing still",
)  # fmt: skip


Rows = QuerySet[Any, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is counted beside what is everybody's: what all have or the late work of the teams that this
    person leads, and what can be signed for which side."""

    of_all: bool = False
    of_teams: bool = False
    marketing: bool = False
    sales: bool = False


def of(user: User, now: datetime, wanted: Wanted) -> Mapping[str, tuple[int, int]]:
    """By state of the person's own open work, and by the names above: how many, and how many of them are
    late. What is missing is none. LATE and UNREAD are counted to one more than MOST_COUNTED; CALLS is 1 if
    this person's browsers call for new demo leads; QUEUES is how many sales queues they belong to."""
    # Also beside figures that are a moment old: what was just done is to be gone here.
    with reading.from_primary():
        rows = _counts(user.pk, now, wanted.of_all, wanted.of_teams, wanted.marketing, wanted.sales)
    return {kind: (count, late) for kind, count, late in rows}


def sales_queues(user: int) -> QuerySet[Queue]:
    """The sales queues that this person is a member or the owner of."""
    own = Q(owner=user) | Q(pk__in=Queue.objects.filter(members=user).order_by().values("pk"))
    return Queue.objects.exclude(kind=Queue.Kind.COMPLETION).filter(own)


class _Many(Subquery):
    """How many rows there are."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


@prepared
def _counts(
    user: int,
    now: datetime,
    of_all: bool,
    of_teams: bool,
    marketing: bool,
    sales: bool,
) -> QuerySet[Any, tuple[str, int, int]]:
    """Rows of a kind, how many, and how many late."""

    def row(kind: str, many: Rows, late: _Many | None = None) -> Rows:
        named = Value(kind, output_field=CharField())
        return User.objects.filter(pk=user).order_by().values_list(named, _Many(many), late or Value(0))

    def capped(rows: Rows) -> Rows:
        return rows.order_by().values("pk")[: MOST_COUNTED + 1]

    unread = Notification.objects.filter(user=user, read_at__isnull=True)
    calls = Preference.objects.filter(user=user, browser=True)
    queues = sales_queues(user).order_by().values("pk")
    found = [row(UNREAD, capped(unread)), row(CALLS, calls.values("pk")), row(QUEUES, queues)]
    breached, incomplete = Handoff.objects.breached(now), Handoff.objects.incomplete().order_by().values("pk")
    if of_all:
        found.append(row(LATE, capped(breached)))
        found.append(row(INCOMPLETE, incomplete, _Many(incomplete.filter(overdue(now)))))
        found.append(row(TO_DECIDE, triaging.waiting()))
        found.append(row(GIVEN_UP, capped(Delivery.objects.filter(health.dead()))))
        standing = Connection.objects.filter(health.standing_still())
        found.append(row(STANDING, standing.order_by().values("pk")))
    elif of_teams:
        found.append(row(LATE, capped(breached.filter(assignee__team__manager=user))))
    if marketing or sales:
        sides = [*[Side.MARKETING] * marketing, *[Side.SALES] * sales]
        found.append(row(TO_SIGN, agreeing.to_sign(user, sides).values("pk")))
    held = Handoff.objects.open().filter(assignee=user).order_by().values_list("state")
    counted = held.annotate(count=Count("pk"), late=Count("pk", filter=overdue(now)))
    return counted.union(*found, all=True)
