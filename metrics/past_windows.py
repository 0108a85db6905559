"""The windows of the last weeks, read for `metrics.whatif`: set-wise, one handoff's log in memory at a time.

Owns the queries: the logs in one, holders with their calendars in three. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from django.db.models import Q

from leads.choices import LeadType
from leads.models import Event
from leads.querysets import HandoffQuerySet
from metrics import whatif
from metrics.periods import Span
from metrics.whatif import Window
from routing import hours
from routing.models import Calendar, Queue, SlaPolicy, User


@dataclass(frozen=True)
class Holders:
    """Everybody and every queue that can hold a handoff, and their working time as it is now."""

    people: dict[int, User]
    queues: dict[int, Queue]
    default: hours.Calendar | None

    @classmethod
    def load(cls) -> Holders:
        people = User.objects.select_related("calendar", "team__calendar").in_bulk()
        queues = Queue.objects.select_related("calendar").in_bulk()
        row = Calendar.objects.filter(is_default=True).first()
        return cls(people, queues, row.hours() if row else None)

    def calendar(self, window: Window) -> hours.Calendar | None:
        return self.hours_of(window.person, window.queue)

    def hours_of(self, person: int | None, queue: int | None) -> hours.Calendar | None:
        row = None
        if person in self.people:
            user = self.people[person]
            row = user.calendar or (user.team.calendar if user.team else None)
        elif queue in self.queues:
            row = self.queues[queue].calendar
        return row.hours() if row is not None else self.default

    def name(self, person: int | None, queue: int | None) -> str:
        if person in self.people:
            return str(self.people[person])
        return f"Queue {self.queues[queue]}" if queue in self.queues else "Marketing"


def of_policy(rows: HandoffQuerySet, policy: SlaPolicy, span: Span) -> HandoffQuerySet:
    """The handoffs of a span that a version of this policy, or (a default) its lead type, governs.
    Imported history had no windows."""
    rows = rows.live().filter(is_quiet=False, mql_at__gte=span.start, mql_at__lt=span.end)
    if not policy.is_default:
        return rows.filter(policy__slug=policy.slug)
    if policy.lead_type == LeadType.DEMO:
        return rows.filter(Q(lead_type=LeadType.DEMO) | Q(raised_at__isnull=False))
    return rows.filter(lead_type=policy.lead_type, raised_at__isnull=True)


def read(rows: HandoffQuerySet, clock: str) -> Iterator[Window]:
    """The windows of these handoffs; one query, streamed."""
    events = (
        Event.objects.filter(handoff__in=rows.order_by().values("pk"))
        .exclude(kind__in=[str(kind) for kind in whatif.SILENT])
        .order_by("handoff_id", "number")
        .only("handoff_id", "number", "kind", "occurred_at", "data")
    )
    for handoff_id, log in groupby(events.iterator(2000), key=attrgetter("handoff_id")):
        yield from whatif.windows(handoff_id, list(log), clock)
