"""Whether this person may do that, as predicates that views, templates and the API share.

The table is `leads.roles`; here it is asked, of a person and of a handoff. Seeing is
`HandoffQuerySet.visible_to`; whether the state allows the move is `leads.lifecycle`. Never touches the
database beyond the person's roles, queues and teams. Who can answer for something at all is asked of many at
once, as conditions on users.
"""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q

from leads.choices import Side, State
from leads.models import Handoff
from leads.querysets import led_team_ids, queue_ids
from leads.roles import ALL_VERBS, ALLOWED, ANSWERING, MAY, Can, can
from routing.models import Queue
from routing.people import ADMIN, MARKETING, User
from routing.rotation import IN_SALES

SIGNS = {Side.MARKETING: Can.SIGN_FOR_MARKETING, Side.SALES: Can.SIGN_FOR_SALES}


def is_marketing(user: User) -> bool:
    return MARKETING in user.roles


def is_admin(user: User) -> bool:
    return user.is_superuser or ADMIN in user.roles


def is_only_viewer(user: User) -> bool:
    """Reads figures and lists, nothing else. Somebody without a role, whatever other group they are in, is no
    more than that."""
    return not can(user, Can.ACT)


def sides(user: User) -> tuple[Side, ...]:
    """The sides of the agreement that this person can sign for: marketing ops for marketing, managers for
    sales. Admins sign nothing, whatever else they are."""
    if is_admin(user):
        return ()
    return tuple(side for side, what in SIGNS.items() if can(user, what))


def can_act() -> Q:
    """Users who are active and more than viewers, as `relations` sees one. Whoever owns a queue has to be."""
    beyond = User.groups.through.objects.filter(user=OuterRef("pk"), group__name__in=MAY[Can.ACT])
    return Q(is_active=True) & (Q(is_superuser=True) | Q(Exists(beyond)))


def can_answer() -> Q:
    """Users who can answer for a handoff that they hold: active, and in sales or, for what they claimed, a
    member of a queue who can act."""
    sells = User.groups.through.objects.filter(user=OuterRef("pk"), group__name__in=IN_SALES)
    claims = Queue.members.through.objects.filter(user=OuterRef("pk"))
    return Q(is_active=True) & (Q(Exists(sells)) | (Q(Exists(claims)) & can_act()))


def sees_personal_data(user: User) -> bool:
    """Whether personal phone numbers and e-mail addresses are shown to this person."""
    return can(user, Can.SEE_PERSONAL_DATA)


def relations(user: User, handoff: Handoff) -> set[str]:
    """How this person stands to a handoff that they see (its assignee and queue are loaded if there are)."""
    if is_only_viewer(user) or not user.is_active:
        return {"viewer"}
    found = {"sees"}
    if handoff.assignee_id == user.pk:
        found.add("holder")
    if handoff.state == State.QUEUED and handoff.queue is not None:
        if handoff.queue.owner_id == user.pk:
            found.add("queue_owner")
        if handoff.queue_id in queue_ids(user):
            found.add("queue_member")
    holder = handoff.assignee
    if can(user, Can.SEE_TEAMS) and holder is not None and holder.team_id in led_team_ids(user):
        found.add("manager")
    if is_marketing(user):
        found.add("marketing")
    if is_admin(user):
        found.add("admin")
    return found


def may(user: User, verb: str, handoff: Handoff) -> bool:
    """Whether this person may do this to a handoff that they see; the state may still refuse it."""
    return any(verb in ALLOWED[relation] for relation in relations(user, handoff))


def may_give(user: User, handoff: Handoff, receiver: User) -> bool:
    """Whether this person, who may reassign the handoff, may give it to that one: managers move work within
    the teams they lead and to themselves; the others to anybody in sales."""
    if relations(user, handoff) & {"marketing", "admin", "queue_owner"}:
        return True
    return receiver.pk == user.pk or receiver.team_id in led_team_ids(user)


def verbs_for(user: User, handoff: Handoff) -> list[str]:
    """The verbs this person may do, in the fixed order of `ALL_VERBS`."""
    mine = relations(user, handoff)
    return [verb for verb in ALL_VERBS if any(verb in ALLOWED[relation] for relation in mine)]


__all__ = [
    "ALLOWED",
    "ALL_VERBS",
    "ANSWERING",
    "MAY",
    "SIGNS",
    "Can",
    "can",
    "can_act",
    "can_answer",
    "is_admin",
    "is_marketing",
    "is_only_viewer",
    "may",
    "may_give",
    "relations",
    "sees_personal_data",
    "sides",
    "verbs_for",
]
