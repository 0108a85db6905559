"""Who may what, as predicates that views, templates and the API share.

One table: the verbs a relation to the handoff allows. Seeing is `HandoffQuerySet.visible_to`; whether
the state allows the move is `leads.lifecycle`. Never touches the database beyond the person's roles,
queues and teams. Who can answer for something at all is asked of many at once, as conditions on users.
"""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q

from leads.choices import Side, State
from leads.models import Handoff
from leads.querysets import led_team_ids, queue_ids
from routing.models import Queue
from routing.people import ADMIN, MANAGER, MARKETING, REP, VIEWER, User
from routing.rotation import IN_SALES

ANSWERING = ("accept", "reject", "defer", "contact", "opportunity", "disqualify")
READS_ROUTING = (MARKETING, MANAGER, ADMIN)
COMPLETING = ("waive", "recheck", "discard", "merge", "triage")
ALL_VERBS = (*ANSWERING, "claim", "resume", "reassign", "note", "report", "undo", *COMPLETING)

ALLOWED: dict[str, frozenset[str]] = {
    "holder": frozenset({*ANSWERING, "resume"}),
    "queue_member": frozenset({"claim", "accept"}),
    "queue_owner": frozenset({"reassign"}),
    "manager": frozenset({"reassign", "resume"}),
    "marketing": frozenset({"reassign", *COMPLETING}),
    "admin": frozenset({"reassign"}),
    # Whoever sees it writes notes, says what is wrong with it, and takes back what they did themselves.
    "sees": frozenset({"note", "report", "undo"}),
    "viewer": frozenset(),
}


def is_rep(user: User) -> bool:
    return REP in user.roles


def is_manager(user: User) -> bool:
    return MANAGER in user.roles


def is_marketing(user: User) -> bool:
    return MARKETING in user.roles


def is_admin(user: User) -> bool:
    return user.is_superuser or ADMIN in user.roles


def reads_audit(user: User) -> bool:
    """Whether the sync audit's pages are theirs to read."""
    return is_manager(user) or is_marketing(user) or is_admin(user)


def is_only_viewer(user: User) -> bool:
    """Reads figures and lists, nothing else. Somebody without a role is no more than that."""
    return not user.is_superuser and user.roles <= {VIEWER}


def sides(user: User) -> tuple[Side, ...]:
    """The sides of the agreement that this person can sign for: marketing ops for marketing, managers for
    sales. Admins sign nothing, whatever else they are."""
    if is_admin(user):
        return ()
    mine = ((Side.MARKETING, is_marketing(user)), (Side.SALES, is_manager(user)))
    return tuple(side for side, is_theirs in mine if is_theirs)


def can_act() -> Q:
    """Users who are active and more than viewers, as `relations` sees one. Whoever owns a queue has to be."""
    beyond = User.groups.through.objects.filter(user=OuterRef("pk")).exclude(group__name=VIEWER)
    return Q(is_active=True) & (Q(is_superuser=True) | Q(Exists(beyond)))


def can_answer() -> Q:
    """Users who can answer for a handoff that they hold: active, and in sales or, for what they claimed, a
    member of a queue who can act."""
    sells = User.groups.through.objects.filter(user=OuterRef("pk"), group__name__in=IN_SALES)
    claims = Queue.members.through.objects.filter(user=OuterRef("pk"))
    return Q(is_active=True) & (Q(Exists(sells)) | (Q(Exists(claims)) & can_act()))


def sees_personal_data(user: User) -> bool:
    """Whether personal phone numbers and e-mail addresses are shown to this person."""
    return not is_only_viewer(user)


def handles_personal_data(user: User) -> bool:
    """Whether this person erases people and hands out what is held about them."""
    return is_marketing(user) or is_admin(user)


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
    if is_manager(user) and handoff.assignee is not None and handoff.assignee.team_id in led_team_ids(user):
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
