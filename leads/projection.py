"""A handoff's columns as the fold of its events, and what differs between the two.

Owns the reading of `Event.data["set"]` back into columns. Pure but for loading rows. The one writer here
is `rebuild`, which puts into a row what the log says and nothing else; every other write of a handoff is
`leads.lifecycle`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import QuerySet

from leads.models import Activity, Event, Handoff, Score

CHUNK = 500
# Given at birth and never changed; the sender's own words may name a person, so the log does not hold them.
NOT_LOGGED = frozenset({"trigger_reason", "is_quiet"})
# Rows that may go away under a handoff (erasure, a sender's clean-up): the database empties the column
# and no event says so.
MAY_VANISH: dict[str, type[models.Model]] = {"trigger_activity_id": Activity, "score_id": Score}


@dataclass(frozen=True)
class Difference:
    """One column in which a row is not what its events say."""

    handoff_id: int
    column: str
    logged: Any
    stored: Any

    def __str__(self) -> str:
        return f"handoff {self.handoff_id}: {self.column} is {self.stored!r}, the log says {self.logged!r}"


@cache
def columns() -> dict[str, models.Field]:
    """The columns that the log decides, by attname: all but the primary key and NOT_LOGGED."""
    fields = (field for field in Handoff._meta.concrete_fields if not field.primary_key)
    return {field.attname: field for field in fields if field.attname not in NOT_LOGGED}


@cache
def _defaults() -> dict[str, Any]:
    return {name: field.get_default() for name, field in columns().items()}


def decode(column: str, value: Any) -> Any:
    """A JSON value of an event as the column's Python value. Raises ValidationError when it is none."""
    if value is None:
        return None
    field = columns()[column]
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    return field.to_python(value)


def fold(events: Iterable[Event]) -> dict[str, Any]:
    """Every column after these events, which are one handoff's in the order of their numbers.

    A column that no event sets has its default. `revision` is the last number; `created_at` is when the
    first event was recorded and `updated_at` when the last was, unless an event sets them. A name that is
    no column, or a value that is none of its column's, raises ValueError.
    """
    result = dict(_defaults())
    for position, event in enumerate(events):
        if position == 0:
            result["created_at"] = event.recorded_at
        result["updated_at"] = event.recorded_at
        result["revision"] = event.number
        for name, value in (event.data.get("set") or {}).items():
            if name not in result:
                raise ValueError(f"event {event.number} sets {name!r}, which is no column")
            try:
                result[name] = decode(name, value)
            except ValidationError as error:
                raise ValueError(
                    f"event {event.number} sets {name} to {value!r}: {error.messages[0]}"
                ) from error
    return result


def differences(handoff: Handoff, events: Iterable[Event] | None = None) -> list[Difference]:
    """Where the row differs from its log; [] when it is the fold of it.

    `events` spares the query when they are at hand. A log that is empty or cannot be read is one
    difference, of the column "events".
    """
    log = list(handoff.events.order_by("number") if events is None else events)
    if not log:
        return [Difference(handoff.pk, "events", "no event", None)]
    try:
        logged = fold(log)
    except ValueError as error:
        return [Difference(handoff.pk, "events", str(error), None)]
    found = []
    for name, value in logged.items():
        stored = getattr(handoff, name)
        if stored == value or (stored is None and _vanished(name, value)):
            continue
        found.append(Difference(handoff.pk, name, value, stored))
    return found


def all_differences(handoffs: QuerySet[Handoff] | None = None) -> Iterator[Difference]:
    """The differences of these handoffs (of all when None given), a chunk of rows in memory at a time."""
    rows = Handoff.objects.all() if handoffs is None else handoffs
    for chunk in _chunks(rows):
        logs = _logs(handoff.pk for handoff in chunk)
        for handoff in chunk:
            yield from differences(handoff, logs.get(handoff.pk, []))


def rebuild(handoff_id: int) -> list[Difference]:
    """Put into the row what its log says; returns what was different. Locks the row.

    A row whose log cannot be read, or that has no events, is left as it is.
    """
    with transaction.atomic():
        handoff = Handoff.objects.select_for_update().get(pk=handoff_id)
        log = list(handoff.events.order_by("number"))
        found = differences(handoff, log)
        if found and all(item.column != "events" for item in found):
            Handoff.objects.filter(pk=handoff_id).update(**{item.column: item.logged for item in found})
        return found


def rebuild_all(tell: Callable[[Difference], object]) -> tuple[int, int]:
    """Rebuild every handoff that differs, telling each difference.

    Returns how many were changed and how many have a log that cannot be read.
    """
    rebuilt = unreadable = 0
    for handoff_id in sorted({item.handoff_id for item in all_differences()}):
        found = rebuild(handoff_id)
        for item in found:
            tell(item)
        broken = any(item.column == "events" for item in found)
        unreadable += broken
        rebuilt += bool(found) and not broken
    return rebuilt, unreadable


def _vanished(column: str, value: Any) -> bool:
    model = MAY_VANISH.get(column)
    return model is not None and not model._default_manager.filter(pk=value).exists()


def _chunks(rows: QuerySet[Handoff]) -> Iterator[list[Handoff]]:
    last = 0
    while chunk := list(rows.filter(pk__gt=last).order_by("pk")[:CHUNK]):
        yield chunk
        last = chunk[-1].pk


def _logs(ids: Iterable[int]) -> dict[int, list[Event]]:
    logs: dict[int, list[Event]] = {}
    rows = Event.objects.filter(handoff_id__in=list(ids)).order_by("handoff_id", "number")
    for event in rows.only("handoff_id", "number", "recorded_at", "data"):
        logs.setdefault(event.handoff_id, []).append(event)
    return logs
