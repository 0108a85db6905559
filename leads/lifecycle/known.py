"""What the changes of one act look up beside the handoffs themselves: people, queues, calendars, policies.

Owns that each thing is read once, however many handoffs are changed. Reads only; writing is the book's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache

from django.db.models import QuerySet

from leads import notifications, preflight
from leads.choices import State
from leads.lifecycle.act import Act
from leads.models import FiredStep, Handoff, PreflightSettings
from routing import hours, sla
from routing.models import Calendar, Queue, SlaPolicy, User
from routing.prepared import prepared


@lru_cache(maxsize=256)
def _policy(policy_id: int) -> sla.Policy:
    # A policy row is never edited (a change is a new version), so it may be kept.
    return SlaPolicy.objects.prefetch_related("steps").get(pk=policy_id).policy()


@prepared
def _default_calendar() -> QuerySet[Calendar]:
    return Calendar.objects.filter(is_default=True).order_by()


@prepared
def _fired(handoffs: Collection[int]) -> QuerySet[FiredStep, tuple[int, str, str]]:
    return FiredStep.objects.filter(handoff__in=handoffs).values_list("handoff_id", "code", "window")


def forget_policies() -> None:
    """Drop the kept policies (tests roll rows back under this cache)."""
    _policy.cache_clear()


@prepared
def _live_policies() -> QuerySet[SlaPolicy]:
    return SlaPolicy.objects.filter(is_live=True)


@prepared
def _completion_queues() -> QuerySet[Queue]:
    return Queue.objects.select_related("owner", "calendar").filter(kind=Queue.Kind.COMPLETION)


class Known:
    """What one act has looked up so far."""

    def __init__(self, act: Act, *locked: Handoff) -> None:
        """`locked` are handoffs of `guard.locked`, whose holders are known with them."""
        self.act = act
        self.now = act.now
        holders = (handoff.assignee for handoff in locked)
        self._people: dict[int, User] = {holder.pk: holder for holder in holders if holder is not None}
        self._queues: dict[int, Queue] = {}
        self._fired: dict[int, frozenset[tuple[str, str]]] = {}
        self._owners: dict[int | None, list[User]] = {}
        self._behind: dict[tuple[str, int | None, int | None, bool, int | None], list[User]] = {}
        self._default_policies: dict[str, SlaPolicy] | None = None
        self._default_calendar: tuple[Calendar | None] | None = None
        self._completion_queue: tuple[Queue | None] | None = None
        self._preflight_settings: PreflightSettings | None = None

    def know(self, people: Iterable[User]) -> None:
        """People whose calendar and team are already loaded."""
        self._people |= {user.pk: user for user in people}

    def remember(self, handoffs: Iterable[Handoff]) -> None:
        """What writing to these saved handoffs needs (assignee and queue loaded), in one query."""
        new = [handoff for handoff in handoffs if handoff.pk not in self._fired]
        self.know(handoff.assignee for handoff in new if handoff.assignee is not None)
        self.remember_fired(handoff.pk for handoff in new)

    def remember_fired(self, handoff_ids: Iterable[int]) -> None:
        """The ladder steps of these handoffs that have fired, in one query."""
        found: dict[int, set[tuple[str, str]]] = {pk: set() for pk in handoff_ids}
        if not found:
            return
        for pk, code, window in _fired(found):
            found[pk].add((code, window))
        self._fired |= {pk: frozenset(steps) for pk, steps in found.items()}

    def person(self, user_id: int) -> User:
        if user_id not in self._people:
            self._people[user_id] = User.objects.select_related("calendar", "team__calendar").get(pk=user_id)
        return self._people[user_id]

    def know_queue(self, queue: Queue) -> None:
        self._queues[queue.pk] = queue

    def queue(self, queue_id: int) -> Queue:
        if queue_id not in self._queues:
            self._queues[queue_id] = Queue.objects.select_related("owner", "calendar").get(pk=queue_id)
        return self._queues[queue_id]

    def policy_row(self, lead_type: str, slug: str | None = None) -> SlaPolicy | None:
        """The live policy of this slug, else the default of the lead type."""
        if self._default_policies is None:
            self._default_policies = {}
            for row in _live_policies():
                self._default_policies[f"slug:{row.slug}"] = row
                if row.is_default:
                    self._default_policies[row.lead_type] = row
        by_slug = self._default_policies.get(f"slug:{slug}") if slug else None
        return by_slug or self._default_policies.get(lead_type)

    def policy(self, handoff: Handoff) -> sla.Policy:
        """The policy that this handoff keeps; the shipped one where none was ever set up."""
        return self.policy_for(handoff.policy_id, handoff.effective_type)

    def policy_for(self, policy_id: int | None, lead_type: str) -> sla.Policy:
        if policy_id is not None:
            return _policy(policy_id)
        return next(policy for policy in sla.default_policies() if policy.lead_type == lead_type)

    def preflight_settings(self) -> PreflightSettings:
        if self._preflight_settings is None:
            self._preflight_settings = preflight.settings()
        return self._preflight_settings

    def completion_queue(self) -> Queue | None:
        if self._completion_queue is None:
            self._completion_queue = (_completion_queues.first(),)
        return self._completion_queue[0]

    def default_calendar(self) -> hours.Calendar | None:
        if self._default_calendar is None:
            self._default_calendar = (_default_calendar.first(),)
        row = self._default_calendar[0]
        return row.hours() if row else None

    def calendar_of(self, user: User) -> hours.Calendar | None:
        row = user.calendar or (user.team.calendar if user.team else None)
        return row.hours() if row else self.default_calendar()

    def calendar(self, handoff: Handoff) -> hours.Calendar | None:
        """The holder's calendar; a queue's or the completion queue's where no person holds it."""
        if handoff.assignee_id is not None:
            return self.calendar_of(self.person(handoff.assignee_id))
        queue = self.queue(handoff.queue_id) if handoff.queue_id else self.completion_queue()
        return self.calendar_of_queue(queue) if queue else self.default_calendar()

    def calendar_of_queue(self, queue: Queue) -> hours.Calendar | None:
        return queue.calendar.hours() if queue.calendar else self.default_calendar()

    def queue_owner(self, handoff: Handoff) -> list[User]:
        """Who answers for the queue that holds it, or for data completion where none does."""
        if handoff.queue_id not in self._owners:
            found = notifications.recipients(handoff, ("queue_owner",), self.now)
            self._owners[handoff.queue_id] = found
        return self._owners[handoff.queue_id]

    def recipients(self, handoff: Handoff, who: Iterable[str]) -> list[User]:
        """See `notifications.recipients`; what is so for a holder or a queue is asked once."""
        found: dict[int, User] = {}
        team = handoff.assignee.team_id if handoff.assignee is not None else None
        for role in who:
            key = (role, team, handoff.queue_id, handoff.state == State.INCOMPLETE, handoff.assignee_id)
            if role == "rep" or key not in self._behind:
                self._behind[key] = notifications.recipients(handoff, (role,), self.now)
            found |= {user.pk: user for user in self._behind[key] if user.pk not in found}
        return list(found.values())

    def fired(self, handoff: Handoff) -> frozenset[tuple[str, str]]:
        """Ladder steps of this handoff that have fired, as (code, window)."""
        if handoff.pk is None:
            return frozenset()
        if handoff.pk not in self._fired:
            self.remember_fired([handoff.pk])
        return self._fired[handoff.pk]
