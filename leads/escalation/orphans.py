"""Whatever nobody answers for: people who cannot, queues without owner, handoffs without holder or deadline.

Owns the search, which `repair` makes each minute and the team page with every look at it. Five queries when
all is well, and none of them reads a handoff then: each says which index answers it. Reads only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from leads import permissions
from leads.choices import OPEN, State
from leads.models import Handoff
from routing.models import Queue
from routing.people import Absence, User
from routing.prepared import prepared

# What somebody who is away keeps nobody waiting with is not in here: deferred and contacted leads stay.
OWED = (State.ASSIGNED, State.ACCEPTED)
INACTIVE, NOT_IN_SALES, AWAY = "inactive", "no longer in sales", "away"
ONLY_VIEWER = "no more than a viewer"
# So many of one kind at once; the next minute finds the rest.
MOST_PEOPLE, MOST_ASTRAY = 200, 500
CATCH_ALL = (Queue.Kind.COMPLETION, Queue.Kind.OVERFLOW)


@dataclass(frozen=True)
class Orphan:
    """One thing that nobody answers for: a person who holds something and cannot (`why`, in `states`), a
    queue whose owner is gone, a queue that ought to be there (`kind`), or a handoff that is astray."""

    why: str
    user: User | None = None
    states: tuple[State, ...] = ()
    queue: Queue | None = None
    kind: str = ""
    handoff_id: int | None = None


def find(now: datetime) -> list[Orphan]:
    """Everything of that sort, in the order in which it is put right: owners first, so that what moves on to
    a queue is told to somebody."""
    return [*_queues(), *_people(now), *_astray()]


def _queues() -> list[Orphan]:
    rows = _catching_or_unowned()
    found = [
        Orphan(ONLY_VIEWER if queue.owner.is_active else INACTIVE, queue=queue)
        for queue in rows
        if not getattr(queue, "is_owned", False)
    ]
    missing = [kind for kind in CATCH_ALL if all(queue.kind != kind for queue in rows)]
    # Before anything was set up there is nothing to catch.
    if missing and Handoff.objects.open().exists():
        found += [Orphan("missing", kind=str(kind)) for kind in missing]
    return found


def _people(now: datetime) -> list[Orphan]:
    """The inactive and who can no longer answer hold nothing; who is away owes nobody an answer or a first
    contact. Quiet work alone makes nobody an orphan."""
    return [
        Orphan(why, user=user, states=states)
        for why, states, people in (
            (INACTIVE, OPEN, _gone()),
            (NOT_IN_SALES, OPEN, _out()),
            (AWAY, OWED, _away(now)),
        )
        for user in people
    ]


def _astray() -> list[Orphan]:
    return [Orphan("astray", user=row.assignee, handoff_id=row.pk) for row in _strayed()]


@prepared
def _catching_or_unowned() -> QuerySet[Queue]:
    # A few rows: the two queues that catch everything, and those whose owner is gone.
    able = Exists(User.objects.filter(permissions.can_act(), pk=OuterRef("owner")))
    queues = Queue.objects.select_related("owner__team__manager").annotate(is_owned=able)
    return queues.filter(Q(is_owned=False) | Q(kind__in=CATCH_ALL)).order_by("pk")


# Per person of these three kinds one look into handoff_open_by_assignee; most hold nothing there.
_HELD = Handoff.objects.open().filter(assignee=OuterRef("pk"), is_quiet=False)
_EVERYTHING, _OWED = Exists(_HELD), Exists(_HELD.filter(state__in=[str(state) for state in OWED]))


@prepared
def _gone() -> QuerySet[User]:
    return User.objects.filter(_EVERYTHING, is_active=False).order_by("pk")[:MOST_PEOPLE]


@prepared
def _out() -> QuerySet[User]:
    people = User.objects.filter(_EVERYTHING, ~permissions.can_answer(), is_active=True)
    return people.order_by("pk")[:MOST_PEOPLE]


@prepared
def _away(now: datetime) -> QuerySet[User]:
    people = User.objects.filter(_OWED, is_active=True, absences__in=Absence.objects.at(now)).distinct()
    return people.order_by("pk")[:MOST_PEOPLE]


@prepared
def _strayed() -> QuerySet[Handoff]:
    # handoff_astray holds exactly these.
    rows = Handoff.objects.astray().select_related("assignee").order_by("pk")
    return rows.only("pk", "state", "assignee__name", "assignee__email", "assignee__team")[:MOST_ASTRAY]
