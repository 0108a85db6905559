"""The vocabulary of queries over handoffs, access control included.

Owns named selections (`visible_to`, `open`, `due`, `with_context`). Never writes, never decides.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q

from leads.choices import OPEN, WAITING, State
from routing.people import ADMIN, MANAGER, MARKETING, VIEWER, User

if TYPE_CHECKING:
    from leads.models.handoff import Handoff

_OPEN = [str(state) for state in OPEN]


class HandoffQuerySet(models.QuerySet["Handoff"]):
    """Selections of handoffs. Every page and API call starts from `visible_to`."""

    def visible_to(self, user: User) -> HandoffQuerySet:
        """What this person may see: their own and their queues', their teams', or all."""
        if user.is_superuser or user.roles & {ADMIN, MARKETING, VIEWER}:
            return self
        mine = Q(assignee=user) | Q(queue__members=user, state=State.QUEUED) | Q(queue__owner=user)
        # A person who decided on a handoff keeps seeing what came of it.
        mine |= Q(accepted_by=user) | Q(rejected_by=user) | Q(first_contact_by=user)
        if MANAGER in user.roles:
            mine |= Q(assignee__team__manager=user) | Q(rejected_by__team__manager=user)
            mine |= Q(accepted_by__team__manager=user)
        return self.filter(pk__in=self.model._base_manager.filter(mine).values("pk"))

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
        return self.filter(state=State.QUEUED, is_history=False).filter(
            Q(queue__in=user.queues.all()) | Q(queue__owner=user)
        )

    def incomplete(self) -> HandoffQuerySet:
        return self.filter(state=State.INCOMPLETE, is_history=False)

    def due(self, now: datetime) -> HandoffQuerySet:
        """What the sweep has to look at: a step, a deferral's end or a follow-up is due."""
        return self.filter(next_step_at__lte=now).order_by("next_step_at")

    def to_follow_up(self, now: datetime) -> HandoffQuerySet:
        return self.filter(follow_up_at__lte=now).order_by("follow_up_at")

    def breached(self, now: datetime) -> HandoffQuerySet:
        return self.filter(state__in=[str(state) for state in WAITING], is_history=False, next_due_at__lt=now)

    def with_context(self) -> HandoffQuerySet:
        """With what a row on a page shows, in a constant number of queries."""
        return self.select_related("lead__company", "assignee", "queue", "policy", "rejection_reason")
