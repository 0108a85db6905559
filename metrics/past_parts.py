"""The parts of the handoffs of some weeks, read for `metrics.spent`: set-wise, by a sample, in seven queries.

Owns the queries and the sample. A part comes out of a whole log, which no database adds up; so about SAMPLE
handoffs are read, each n-th by its number, and the page says so. Sums kept a handoff would be exact for
all, but would have to be made again with every event, every edit of a calendar and every open hour; a mean
needs no more than a sample. The slowest are found among all, by their columns. Decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from django.db.models import DateTimeField, F, Value
from django.db.models.functions import Coalesce, Least

from leads import timing
from leads.models import Event, Handoff
from leads.querysets import HandoffQuerySet
from leads.timing import Calendars, Part
from metrics import tallying, whatif
from metrics.measures import EVERY, Measure
from metrics.past_windows import Holders
from metrics.query import Asked
from metrics.spans import Minutes
from routing import hours

SAMPLE = 1500
SLOWEST = 10
_LIVE = Measure(lambda terms: EVERY, lambda terms: EVERY, "first_holder", "All MQLs.")


@dataclass(frozen=True)
class Told:
    """A handoff with its parts in order."""

    handoff: Handoff
    parts: Sequence[Part]


@dataclass(frozen=True)
class Read:
    """`read` of `count` handoffs with their parts, as each `step`-th; and the slowest of all, longest
    first."""

    count: int
    step: int
    sample: Sequence[tuple[str, Sequence[Part]]]
    slowest: Sequence[Told]
    holders: Holders
    until: datetime


def read(figures: Asked) -> Read:
    """Of the handoffs of a question; imported history, which has no log of its own, is left out."""
    rows = figures.rows.live().filter(tallying.condition(figures, _LIVE)).order_by()
    count = rows.count()
    step = max(1, math.ceil(count / SAMPLE))
    chosen = _each(rows, step).order_by("pk").values_list("pk", "lead_type")
    types = dict(chosen[: 2 * SAMPLE])
    slowest = list(_slowest(rows, figures))
    holders = Holders.load()
    logs = _logs({*types, *(handoff.pk for handoff in slowest)})
    calendar = calendars(holders)
    until = figures.terms.as_of

    def parts(pk: int) -> list[Part]:
        return timing.parts(logs.get(pk, ()), calendar, until)

    return Read(
        count=count,
        step=step,
        sample=[(lead_type, parts(pk)) for pk, lead_type in types.items()],
        slowest=[Told(handoff, parts(handoff.pk)) for handoff in slowest],
        holders=holders,
        until=until,
    )


def _each(rows: HandoffQuerySet, step: int) -> HandoffQuerySet:
    return rows if step == 1 else rows.annotate(place=F("pk") % Value(step)).filter(place=0)


def _slowest(rows: HandoffQuerySet, figures: Asked) -> HandoffQuerySet:
    """Those that took longest to the first contact, or have been waiting for longest."""
    now = Value(figures.terms.as_of, DateTimeField())
    end = Least(Coalesce(F("first_contact_at"), F("closed_at"), now), now)
    longest = rows.annotate(took=Minutes(end, F("mql_at"))).order_by("-took", "pk")
    return longest.select_related("lead__company")[:SLOWEST]


def _logs(ids: set[int]) -> Mapping[int, list[Event]]:
    events = (
        Event.objects.filter(handoff_id__in=ids)
        .exclude(kind__in=[str(kind) for kind in whatif.SILENT])
        .order_by("handoff_id", "number")
        .only("handoff_id", "number", "kind", "occurred_at", "data")
    )
    return {pk: list(log) for pk, log in groupby(events.iterator(2000), key=attrgetter("handoff_id"))}


def calendars(holders: Holders) -> Calendars:
    """Whose working time counts: the holder's as it is now, worked out once for each."""
    known: dict[tuple[int | None, int | None], hours.Hours | None] = {}

    def of(person: int | None, queue: int | None) -> hours.Hours | None:
        if (person, queue) not in known:
            known[person, queue] = holders.hours_of(person, queue)
        return known[person, queue]

    return of
