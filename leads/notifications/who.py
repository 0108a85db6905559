"""From a role ("manager") to named, active people.

Owns who stands behind a role, and who stands in for somebody who is away. As long as there is one admin it is
never nobody. Never decides that somebody is to be told, and never words or sends anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q

from leads.choices import State
from leads.models import Handoff
from routing.models import Absence, Queue, Team
from routing.people import ADMIN, MARKETING, User

# What a role that names one person begins with: "person:12".
PERSON = "person:"


def recipients(handoff: Handoff, who: Iterable[str], now: datetime) -> list[User]:
    """The active people behind "rep", "manager", "queue_owner", "marketing" and "person:ID", each once, in
    that order.

    "manager" is the assignee's team's manager, or their cover while they are away, else the queue's owner,
    else the active admins. Nobody watches over themselves: a manager who holds it is no manager of it, and a
    named person who holds it, or is gone, stands for the manager.
    """
    found: dict[int, User] = {}
    for role in who:
        people = (
            _named(handoff, role[len(PERSON) :], now)
            if role.startswith(PERSON)
            else _BEHIND[role](handoff, now)
        )
        for user in people:
            found.setdefault(user.pk, user)
    return list(found.values())


def _rep(handoff: Handoff, now: datetime) -> list[User]:
    user = handoff.assignee if handoff.assignee_id else None
    return [user] if user is not None and user.is_active else []


def _manager(handoff: Handoff, now: datetime) -> list[User]:
    user = handoff.assignee if handoff.assignee_id else None
    if user is not None and user.team_id:
        team = Team.objects.select_related("manager").get(pk=user.team_id)
        somebody = present(team.manager, now)
        if somebody is not None and somebody.pk != user.pk:
            return [somebody]
    return _queue_owner(handoff, now)


def _queue_owner(handoff: Handoff, now: datetime) -> list[User]:
    """The owner of the queue that holds it, or their cover. Waiting for data is the completion queue."""
    queue = handoff.queue if handoff.queue_id else None
    if queue is None and handoff.state == State.INCOMPLETE:
        queue = Queue.objects.select_related("owner").filter(kind=Queue.Kind.COMPLETION).first()
    if queue is not None:
        # A queue always has a named owner: away without a cover, it is still theirs.
        somebody = present(queue.owner, now) or queue.owner
        if somebody.is_active:
            return [somebody]
    return _others(admins(), handoff)


def _others(people: list[User], handoff: Handoff) -> list[User]:
    """These without the holder, unless there is nobody else."""
    return [user for user in people if user.pk != handoff.assignee_id] or people


def _marketing(handoff: Handoff, now: datetime) -> list[User]:
    return list(User.objects.filter(is_active=True, groups__name=MARKETING).order_by("pk")) or admins()


def _named(handoff: Handoff, pk: str, now: datetime) -> list[User]:
    """One person, or who covers for them; away without a cover, it is still them."""
    user = User.objects.filter(pk=int(pk)).first() if pk.isdecimal() and len(pk) < 19 else None
    somebody = present(user, now) or user
    if somebody is None or not somebody.is_active or somebody.pk == handoff.assignee_id:
        return _manager(handoff, now)
    return [somebody]


_BEHIND = {"rep": _rep, "manager": _manager, "queue_owner": _queue_owner, "marketing": _marketing}


def admins() -> list[User]:
    """The active people of the admin role and the active superusers."""
    people = Q(groups__name=ADMIN) | Q(is_superuser=True)
    return list(User.objects.filter(people, is_active=True).distinct().order_by("pk"))


def present(user: User | None, now: datetime) -> User | None:
    """This person, or the active cover of an absence; None when neither can be told."""
    if user is None or not user.is_active:
        return None
    absences = list(Absence.objects.at(now).filter(user=user).select_related("cover"))
    if not absences:
        return user
    away = frozenset(
        Absence.objects.at(now)
        .filter(user_id__in=[absence.cover_id for absence in absences])
        .values_list("user_id", flat=True)
    )
    covers = (absence.cover for absence in absences)
    return next((cover for cover in covers if cover and cover.is_active and cover.pk not in away), None)
