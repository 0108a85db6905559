"""The order in which handoffs are listed, and how far along it nothing can be missing any more.

A handoff stands where its last event stands in the log: an event's id only grows, so a handoff keeps its
place until it changes and then goes to the end. Moments would not do: they are taken before a change and seen
after it, sometimes in another order. Ids are drawn in order too, but on PostgreSQL transactions end in any:
behind an id that was seen, a smaller one may still be committed. Whoever drew it holds a lock on the log
until then, so once those who held one are gone, all that was drawn before is there. SQLite has one writer.
Never filters handoffs or shows them, and makes no writer wait.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import F, FilteredRelation, Q, QuerySet

from leads.api.errors import Problem, error
from leads.models import Event, Handoff

PATTERN = r"^[0-9]{1,18}(-[0-9]{1,18})?$"
# A change takes milliseconds, a chunk of an import half a second. Who takes longer is not waited for.
LONGEST_WAIT, LOOK_EVERY = 2.0, 0.01
FEW = 1000

_WRITERS = """
SELECT virtualtransaction FROM pg_locks WHERE relation = %s::regclass AND mode = 'RowExclusiveLock'
AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True)
class Page:
    """Handoffs in their order. `next` is the cursor of the page after it; None on the last, which has in
    `latest` the cursor with which to ask later for what changed since."""

    rows: Sequence[Handoff]
    next: str | None
    latest: str | None


@dataclass(frozen=True)
class Place:
    """Behind which event a page begins, and up to which event all that there can be was seen: `sure` is
    smaller once a page went past a change that was still being written."""

    after: int = 0
    sure: int = 0

    @classmethod
    def read(cls, cursor: str) -> Place:
        """The place that a cursor of the form PATTERN names."""
        after, _, sure = cursor.partition("-")
        return cls(int(after), min(int(after), int(sure or after)))

    def __str__(self) -> str:
        return str(self.after) if self.after == self.sure else f"{self.after}-{self.sure}"

    def moved(self, to: int, settled: int | None) -> Place:
        """The place further on, behind the event `to`, when the log up to `settled` was complete."""
        if settled is None or self.sure < self.after:
            return Place(to, self.sure)
        return Place(to, max(self.sure, min(to, settled)))


def page(handoffs: QuerySet[Handoff], cursor: str | None, size: int) -> Page:
    """The page of these handoffs that begins behind the cursor. Raises Problem 422 for a cursor ahead of the
    log, which was then brought back from a copy: who went on with it would hear nothing for long."""
    place = Place.read(cursor) if cursor else Place()
    last = FilteredRelation("events", condition=Q(events__number=F("revision")))
    # SQLite would go through the log in its order for what few there are; a sum has no index to follow.
    at = F("last__pk") + 0 if _are_few(handoffs) else F("last__pk")
    placed: QuerySet[Any] = handoffs.annotate(last=last, place=at).order_by("place")
    # In this order: once those who write now are done, what is read then is complete up to the newest now.
    newest = _newest()
    if place.after > newest:
        words = "The log does not reach there: read the list from its beginning."
        raise Problem(422, words, [error("/query/cursor", "unknown", words)])
    settled = newest if _is_settled() else None
    rows = list(placed.filter(place__gt=place.after)[: size + 1])
    if len(rows) > size:
        return Page(rows[:size], str(place.moved(rows[size - 1].place, settled)), None)
    return Page(rows, None, str(place.moved(newest, settled).sure))


def _are_few(handoffs: QuerySet[Handoff]) -> bool:
    """Whether to read all of them and put those in order. PostgreSQL finds that out by itself."""
    return connection.vendor == "sqlite" and handoffs.order_by()[:FEW].count() < FEW


def _newest() -> int:
    return Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def _is_settled() -> bool:
    """Wait until whoever is adding an event now is done; False when that takes longer than LONGEST_WAIT."""
    if connection.vendor != "postgresql":
        return True
    writing, deadline = _writers(), time.monotonic() + LONGEST_WAIT
    while writing and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY)
        writing &= _writers()
    return not writing


def _writers() -> set[str]:
    """The transactions that have added an event, or are about to."""
    with connection.cursor() as cursor:
        cursor.execute(_WRITERS, [Event._meta.db_table])
        return {transaction for (transaction,) in cursor.fetchall()}
