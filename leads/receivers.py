"""Who can be given a handoff by hand, and why somebody cannot.

Owns eligibility as people who reassign see it: within the teams they lead, at work, not somebody who
already said no. Never moves anything; whether the handoff's state allows it is `leads.lifecycle`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from leads import refusals
from leads.choices import HOLDS_TURN
from leads.models import Handoff, Rejection
from leads.roles import Can, can
from routing import rotation
from routing.models import Absence, Queue, User
from routing.people import MANAGER, REP

MOST = 500
QUEUE = "queue:"
# What people are called to themselves.
ME = "Me"
_HELD = [str(state) for state in HOLDS_TURN]


@dataclass(frozen=True)
class Receiver:
    """Somebody, or a queue, that a handoff can be given to. `value` is what `lifecycle.reassign` takes.

    `load` is how many open handoffs they hold. `why_not` says in words why they should not get it; "" when
    they can. Who `is_away` cannot get it at all.
    """

    value: str
    label: str
    load: int = 0
    why_not: str = ""
    is_away: bool = False


def people_for(user: User) -> QuerySet[User]:
    """Whom this person may give work to: those of the teams they lead and themselves; marketing ops and
    admins may give it to anybody in sales."""
    people = User.objects.filter(is_active=True, groups__name__in=[REP, MANAGER]).distinct()
    if can(user, Can.WATCH_ALL):
        return people
    return people.filter(Q(team__manager=user) | Q(pk=user.pk))


def receivers(user: User, handoff: Handoff | None, now: datetime) -> list[Receiver]:
    """All who could get this handoff from this person, the able with the least load first, then queues;
    without a handoff, all who could get any. Five queries for any number.
    """
    queue_id = handoff.queue_id if handoff is not None else None
    queues = Queue.objects.exclude(kind=Queue.Kind.COMPLETION)[:MOST]
    others = (queue for queue in queues if queue.pk != queue_id)
    found = people(user, handoff, now)
    return found + [Receiver(f"{QUEUE}{queue.slug}", f"Queue {queue.name}") for queue in others]


def people(user: User, handoff: Handoff | None, now: datetime) -> list[Receiver]:
    """The people among those, who holds it left out; four queries."""
    able = list(people_for(user).order_by()[:MOST])
    ids = [person.pk for person in able]
    loads = dict(
        Handoff.objects.live()
        .filter(assignee__in=ids, state__in=_HELD)
        .values_list("assignee_id")
        .annotate(n=Count("pk"))
        .order_by()
    )
    # Everybody's, for a cover who is away covers nobody.
    away: dict[int, list[Absence]] = {}
    for absence in Absence.objects.at(now).select_related("cover"):
        away.setdefault(absence.user_id, []).append(absence)
    refused = refused_by([handoff], now)[handoff.pk] if handoff is not None else {}
    holder = handoff.assignee_id if handoff is not None and handoff.is_open else None
    found = [
        Receiver(
            value=person.email,
            label=ME if person.pk == user.pk else str(person),
            load=loads.get(person.pk, 0),
            why_not=_why_not(person, away, refused),
            is_away=person.pk in away,
        )
        for person in able
        if person.pk != holder
    ]
    found.sort(key=lambda row: (bool(row.why_not), row.label != ME, row.load, row.label))
    return found


def refused_by(handoffs: Collection[Handoff], now: datetime) -> dict[int, dict[int, str]]:
    """Who said no to each lead, in whichever of its handoffs, for a reason that still holds, and why in
    words: by handoff, then by person. Lead and company are loaded; one query."""
    leads = {handoff.lead_id for handoff in handoffs}
    acts = Rejection.objects.filter(handoff__lead__in=leads, undone_at__isnull=True)
    of_lead: dict[int, list[Rejection]] = {}
    for act in acts.select_related("reason", "handoff").order_by("at", "pk"):
        of_lead.setdefault(act.handoff.lead_id, []).append(act)
    found = {}
    for handoff in handoffs:
        mine = of_lead.get(handoff.lead_id, ())
        held = refusals.holding(mine, handoff.lead, handoff.pk, handoff.effective_type, now)
        words = {pk: why.replace(rotation.REJECTED, "rejected this lead", 1) for pk, why in held.items()}
        found[handoff.pk] = words
    return found


def _why_not(person: User, away: Mapping[int, Sequence[Absence]], refused: Mapping[int, str]) -> str:
    if person.pk not in away:
        return refused.get(person.pk, "")
    absences = away[person.pk]
    covers = (absence.cover for absence in absences)
    present = (cover for cover in covers if cover is not None and cover.is_active and cover.pk not in away)
    until = max(absence.ends_at for absence in absences)
    return f"away until {until:%-d %b}, {next(present, 'nobody')} covers"
