"""The vocabulary of queries over handoffs, access control included.

Owns named selections (`visible_to`, `open`, `due`, `with_context`). Never writes, never decides.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import F, Q, Value

from leads.choices import OPEN, WAITING, State
from leads.roles import Can, can
from routing.models import Queue
from routing.people import Team, User
from routing.prepared import prepared

if TYPE_CHECKING:
    from leads.models.handoff import Handoff

_OPEN = [str(state) for state in OPEN]

_ACCEPT, _CONTACT = Q(next_due_at=F("accept_due_at")), Q(next_due_at=F("contact_due_at"))
_EARLIER = _ACCEPT & (Q(contact_due_at__isnull=True) | Q(accept_due_at__lte=F("contact_due_at")))
_EARLIER |= _CONTACT & (Q(accept_due_at__isnull=True) | Q(contact_due_at__lte=F("accept_due_at")))
_SALES = Q(state="assigned") | Q(state="accepted") | Q(state="deferred") | Q(state="working")
# What must not be: open, owed something, and without a holder or with another deadline than its clocks say
# (`routing.sla.next_deadline`). Also the condition of an index, which is empty as long as all is well.
# Without IN: SQLite compares no list of parameters with the index's.
ASTRAY = Q(is_history=False, is_quiet=False) & (
    (_SALES & Q(assignee__isnull=True))
    | Q(state="queued", queue__isnull=True)
    | (Q(state="incomplete") & ~Q(next_due_at=F("completion_due_at")))
    | ((Q(state="queued") | Q(state="assigned")) & ~_EARLIER)
    | (Q(state="accepted") & ~_CONTACT)
    | (Q(state="deferred") & ~Q(next_due_at=F("deferred_until"), next_step_at__isnull=False))
)


def overdue(now: datetime) -> Q:
    """Past its deadline: from that very moment on, as the clock on the page and the sweep say it too."""
    return Q(next_due_at__lte=now)


@dataclass(frozen=True, slots=True)
class Sight:
    """What somebody sees who does not see all: whose handoffs, what waits in which queues, and whether that
    for which data is missing. Asked of the database and of one handoff alike."""

    people: Collection[int]
    queues: Collection[int]
    is_of_incomplete: bool

    @property
    def values(self) -> tuple[Collection[int], Collection[int], bool]:
        """As a prepared query takes it, which makes it again of them."""
        return self.people, self.queues, self.is_of_incomplete

    @property
    def condition(self) -> Q:
        people = self.people
        mine = Q(assignee__in=people) | Q(accepted_by__in=people) | Q(rejected_by__in=people)
        mine |= Q(first_contact_by__in=people)
        if self.queues:
            mine |= Q(queue__in=self.queues, state=State.QUEUED)
        if self.is_of_incomplete:
            mine |= Q(state=State.INCOMPLETE, is_history=False)
        return mine

    def has(self, handoff: Handoff) -> bool:
        return (
            any(person in self.people for person in _answered(handoff))
            or (handoff.state == State.QUEUED and handoff.queue_id in self.queues)
            or (self.is_of_incomplete and handoff.state == State.INCOMPLETE and not handoff.is_history)
        )


def _answered(handoff: Handoff) -> tuple[int | None, ...]:
    """Who holds it or has decided on it."""
    theirs = (handoff.assignee_id, handoff.accepted_by_id, handoff.rejected_by_id)
    return (*theirs, handoff.first_contact_by_id)


def sight_of(user: User) -> Sight | None:
    """What this person sees; None for all of it."""
    if can(user, Can.SEE_ALL):
        return None
    people = frozenset({user.pk, *(team_member_ids(user) if can(user, Can.SEE_TEAMS) else ())})
    return Sight(people, queue_ids(user) | owned_queue_ids(user), owns_completion(user))


def sees(user: User, handoff: Handoff) -> bool:
    """Whether this person may see a handoff that is at hand; of the database `visible_to` asks the same."""
    if user.pk in _answered(handoff):
        # One's own is seen whatever else one sees, which is not asked for then.
        return True
    sight = sight_of(user)
    return sight is None or sight.has(handoff)


class HandoffQuerySet(models.QuerySet["Handoff"]):
    """Selections of handoffs. Every page and API call starts from `visible_to`."""

    def visible_to(self, user: User) -> HandoffQuerySet:
        """What this person may see: their own and their queues', their teams', or all.

        Own is what one holds or has decided on: whoever answered keeps seeing what came of it. The
        conditions are on the handoff's own indexed columns; queues and teams are read before, once.
        """
        sight = sight_of(user)
        return self if sight is None else self.filter(sight.condition)

    def hidden_from(self, user: User) -> HandoffQuerySet:
        """All others."""
        sight = sight_of(user)
        return self.none() if sight is None else self.exclude(sight.condition)

    def live(self) -> HandoffQuerySet:
        """Without imported history."""
        return self.filter(is_history=False)

    def open(self) -> HandoffQuerySet:
        return self.filter(state__in=_OPEN, is_history=False)

    def held_by(self, user: User) -> HandoffQuerySet:
        """Open handoffs whose next move is this person's."""
        return self.open().filter(assignee=user)

    def waiting_in(self, user: User) -> HandoffQuerySet:
        """Queued handoffs of the queues that this person is a member of or owns."""
        queues = queue_ids(user) | owned_queue_ids(user)
        return self.filter(state=State.QUEUED, is_history=False, queue__in=queues)

    def incomplete(self) -> HandoffQuerySet:
        return self.filter(state=State.INCOMPLETE, is_history=False)

    def due(self, now: datetime) -> HandoffQuerySet:
        """What the sweep has to look at: a step, a deferral's end or a follow-up is due."""
        return self.filter(next_step_at__lte=now).order_by("next_step_at")

    def to_follow_up(self, now: datetime) -> HandoffQuerySet:
        return self.filter(follow_up_at__lte=now).order_by("follow_up_at")

    def astray(self) -> HandoffQuerySet:
        """What the verbs never leave behind: nobody or no deadline of its own. For `lifecycle.mend`."""
        return self.filter(ASTRAY)

    def breached(self, now: datetime) -> HandoffQuerySet:
        return self.filter(overdue(now), state__in=[str(state) for state in WAITING], is_history=False)

    def with_context(self) -> HandoffQuerySet:
        """With what a row on a page shows, in a constant number of queries."""
        return self.select_related("lead__company", "assignee", "queue", "policy", "rejection_reason")


def queue_ids(user: User) -> frozenset[int]:
    """The queues this person is a member of."""
    return _reach(user).queues


def owned_queue_ids(user: User) -> frozenset[int]:
    """The queues this person answers for."""
    return _reach(user).owned


def owns_completion(user: User) -> bool:
    """Whether this person answers for what waits for data."""
    return _reach(user).owns_completion


def led_team_ids(user: User) -> frozenset[int]:
    """The teams this person leads."""
    return _reach(user).teams


def team_member_ids(user: User) -> frozenset[int]:
    """The people of the teams this person leads."""
    return _reach(user).people


@dataclass(frozen=True, slots=True)
class _Reach:
    """Whom and what somebody answers for."""

    queues: frozenset[int]
    owned: frozenset[int]
    owns_completion: bool
    teams: frozenset[int]
    people: frozenset[int]


def _reach(user: User) -> _Reach:
    """Asked for each row of a page, read once per request: a user object lives no longer. One query."""
    found: _Reach | None = user.__dict__.get("_reach")
    if found is None:
        rows = _reached(user.pk)

        def ids(kind: str) -> frozenset[int]:
            return frozenset(pk for said, pk, _ in rows if said == kind)

        completion = any(kind == "owned" and of == Queue.Kind.COMPLETION for kind, _, of in rows)
        found = _Reach(ids("queue"), ids("owned"), completion, ids("team"), ids("person"))
        user.__dict__["_reach"] = found
    return found


@prepared
def _reached(user: int) -> models.QuerySet[Any, tuple[str, int, str]]:
    """Rows of what something is to this person, its id, and the kind of a queue."""
    queues, teams = Queue.objects.order_by(), Team.objects.order_by()
    none = Value("", output_field=models.CharField())
    return (
        queues.filter(members=user)
        .values_list(Value("queue"), "pk", "kind")
        .union(
            queues.filter(owner=user).values_list(Value("owned"), "pk", "kind"),
            teams.filter(manager=user).values_list(Value("team"), "pk", none),
            User.objects.filter(team__manager=user).order_by().values_list(Value("person"), "pk", none),
            all=True,
        )
    )
