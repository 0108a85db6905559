"""What `leads.timing` needs to say where a handoff's time went: its log, and its holders' calendars.

Owns the reading, in a constant number of queries. Writes nothing, words nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from leads import timing
from leads.models import Event, Handoff
from leads.timing import Part
from routing import hours
from routing.models import Calendar, Queue, User
from routing.prepared import prepared


@dataclass(frozen=True, slots=True)
class Spent:
    """The parts in order, and those who held it, by id."""

    parts: Sequence[Part]
    people: dict[int, User]
    queues: dict[int, Queue]


@prepared
def _default_calendar() -> QuerySet[Calendar]:
    return Calendar.objects.filter(is_default=True).order_by()


@prepared
def people_of(ids: Collection[int]) -> QuerySet[User]:
    """People with the calendars that their time counts in."""
    return User.objects.filter(pk__in=ids).select_related("calendar", "team__calendar").order_by()


@prepared
def _queues(ids: Collection[int]) -> QuerySet[Queue]:
    return Queue.objects.filter(pk__in=ids).select_related("calendar").order_by()


def of_handoff(
    handoff: Handoff,
    now: datetime,
    log: Sequence[Event] | None = None,
    *,
    known: Mapping[int, User] | None = None,
    default: hours.Calendar | None = None,
) -> Spent:
    """Where its time went until `now`. What is at hand spares a query each: `log`, all its events by number;
    `known`, people of `people_of` by id; `default`, the default calendar."""
    events = list(handoff.events.order_by("number")) if log is None else log
    told = [event.data.get("set", {}) for event in events]
    holders = {columns["assignee_id"] for columns in told if columns.get("assignee_id")}
    waited = {columns["queue_id"] for columns in told if columns.get("queue_id")}
    people = {pk: user for pk, user in (known or {}).items() if pk in holders}
    if unknown := holders - people.keys():
        people |= {row.pk: row for row in people_of(unknown)}
    queues = {row.pk: row for row in _queues(waited)} if waited else {}
    if default is None:
        default = next((row.hours() for row in _default_calendar()), None)

    def calendar(person_id: int | None, queue_id: int | None) -> hours.Hours | None:
        row = None
        if person_id in people:
            user = people[person_id]
            row = user.calendar or (user.team.calendar if user.team else None)
        elif queue_id in queues:
            row = queues[queue_id].calendar
        return row.hours() if row is not None else default

    return Spent(timing.parts(events, calendar, now), people, queues)
