"""Which open handoffs need somebody's attention, as conditions that pages share.

Owns what puts a handoff under "overdue", "silent" and so on, and whose handoffs a person watches over. What
is said of one is `leads.presenters.teams`; "at risk" is finally decided there, by the clock. Reads nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import F, Q

from leads.choices import HOLDS_TURN, State
from leads.querysets import overdue, owned_queue_ids, team_member_ids
from leads.roles import Can, can
from routing.people import User

RISK = "risk"
_HELD = [str(state) for state in HOLDS_TURN]
_OWED = [str(State.ASSIGNED), str(State.ACCEPTED)]


def conditions(now: datetime) -> tuple[tuple[str, Q, tuple[str, ...]], ...]:
    """What puts an open handoff into a section, the heaviest first, with the section's order; no handoff
    fits two of them."""
    gone = Q(state__in=_HELD) & (Q(assignee__isnull=True) | Q(assignee__is_active=False))
    owed = Q(state__in=_OWED, assignee__is_active=True)
    touched = owed & Q(black_hole_at__isnull=True)
    # Whoever is silent is late too, most of the time: the silence says more.
    quiet = touched & Q(no_activity_at__isnull=False)
    spoken = touched & Q(no_activity_at__isnull=True)
    # By this holder; the clock of the silence is theirs.
    idle = Q(last_activity_at__isnull=True) | Q(last_activity_at__lt=F("held_since"))
    unseen = Q(viewed_at__isnull=True) & idle
    return (
        ("lost", gone, ("next_due_at", "pk")),
        ("hole", owed & Q(black_hole_at__isnull=False), ("black_hole_at", "pk")),
        ("late", spoken & overdue(now), ("next_due_at", "pk")),
        ("silent", quiet & ~unseen, ("no_activity_at", "pk")),
        ("unseen", quiet & unseen, ("no_activity_at", "pk")),
        (RISK, spoken & Q(next_due_at__gt=now), ("next_due_at", "pk")),
        ("unowned", Q(state=State.QUEUED), ("next_due_at", "pk")),
    )


def watched_by(user: User) -> Q:
    """The open handoffs that this person watches over: all, or those of the teams they lead, their own and
    those of the queues they own. Not the permission to see: that also holds what one once decided on."""
    if can(user, Can.WATCH_ALL):
        return Q()
    return held_by(*ids_watched_by(user))


def ids_watched_by(user: User) -> tuple[Collection[int], Collection[int]]:
    """The people and the queues whose handoffs somebody watches over who does not watch over all."""
    # Read before: asked of joined rows, it would look at everybody's open work.
    return {user.pk, *team_member_ids(user)}, owned_queue_ids(user)


def held_by(people: Collection[int], queues: Collection[int]) -> Q:
    """What these people hold and what waits in these queues."""
    return Q(assignee__in=people) | Q(state=State.QUEUED, queue__in=queues)


def of_team(team: int) -> Q:
    """The open handoffs of a team: of its people, and of the queues they own."""
    return Q(assignee__team=team) | Q(state=State.QUEUED, queue__owner__team=team)
