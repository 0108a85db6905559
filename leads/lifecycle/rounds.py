"""Some handoffs fired one by one, what they need read at once.

Owns the reading ahead of the sweep: handoffs, fired steps and calendars of a batch in a few queries. Each
handoff is still a transaction of its own that locks it first, and what has been moved since it was read is
left for another look. Decides nothing: that is `leads.lifecycle.steps`.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import transaction

from leads.lifecycle import guard
from leads.lifecycle.act import Act
from leads.lifecycle.book import Book
from leads.lifecycle.steps import fire_in
from routing.models import Calendar
from routing.models.calendars import prepare


class Round:
    """These handoffs as they are now, for a few seconds' work; who is told of them is looked up once.

    Three queries for any number; per handoff one to lock it and one for each table that is written.
    """

    def __init__(self, handoff_ids: Collection[int], now: datetime) -> None:
        self.now = now
        self.handoffs = {handoff.pk: handoff for handoff in guard.with_all().filter(pk__in=handoff_ids)}
        prepare(_calendars(self.handoffs.values()))
        self.book = self._new_book()

    def fire(self, handoff_id: int) -> list[dict[str, Any]] | None:
        """See `lifecycle.fire`; None when somebody else is at it, or has moved it since it was read."""
        handoff = self.handoffs.pop(handoff_id, None)
        if handoff is None:
            return None
        try:
            with transaction.atomic():
                if not guard.unmoved(handoff):
                    return None
                fired = fire_in(self.book, handoff)
                self.book.save()
                return fired
        except BaseException:
            # It holds what was not stored.
            self.book = self._new_book()
            raise

    def _new_book(self) -> Book:
        book = Book(Act(self.now))
        # After the handoffs: a step that has fired meanwhile has moved its handoff too.
        book.remember(self.handoffs.values())
        return book


def _calendars(handoffs: Collection[Any]) -> list[Calendar]:
    people = {handoff.assignee for handoff in handoffs if handoff.assignee is not None}
    owned = [user.calendar or (user.team.calendar if user.team else None) for user in people]
    queues = [handoff.queue.calendar for handoff in handoffs if handoff.queue is not None]
    return [calendar for calendar in (*owned, *queues) if calendar is not None]
