"""Copies real, finished handoffs a million times over, with everything that hangs on them.

A mould is one handoff that intake and lifecycle made, read back as rows. Stamping gives each copy ids,
times, a person and addresses of its own, also inside the JSON of its events, so a copy is as consistent as
its mould: the log still folds into the row. How rows reach the database is `writers`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing import get_context
from typing import Any

from django.db import connection, connections, models, transaction
from django.db.models import Max

from leads.lifecycle.book import turn_ref
from leads.models import (
    Activity,
    Company,
    ContactAttempt,
    Event,
    ExternalId,
    Handoff,
    Inspection,
    Lead,
    Note,
    Notification,
    Receipt,
    Rejection,
    RoutingDecision,
    Score,
)
from routing.models import Turn, User
from tests.bench import writers
from tests.bench.writers import BARE, CLOSE, OPEN, Json, Mark, Text

# Parents before children.
TABLES: tuple[type[models.Model], ...] = (
    Company, Lead, ExternalId, Score, Activity, Handoff, Event, RoutingDecision, Inspection, ContactAttempt,
    Rejection, Note, Notification, Receipt, Turn,
)  # fmt: skip
LEADS_A_COMPANY = 4
CHUNK = 2000
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)")
_USER_KEYS = frozenset(
    {field.attname for field in Handoff._meta.concrete_fields if field.related_model is User}
    | {"held_by", "was_held_by", "user"}
)
_ROW_KEYS = {
    "lead_id": Lead, "score_id": Score, "trigger_activity_id": Activity, "activity": Activity,
    "rejection": Rejection, "turn": Turn,
}  # fmt: skip


@dataclass
class Mould:
    """One handoff as templates: per table a list of row texts with %-places, and the times they hold."""

    holder: int
    counts: dict[type[models.Model], int]
    rows: dict[type[models.Model], list[str]]
    times: list[datetime]
    company_row: str
    pool: int | None
    is_turn_kept: bool


@dataclass
class Stamp:
    """What is written so far: the next free id of each table, and turns taken per pool and person."""

    next_id: dict[type[models.Model], int] = field(default_factory=dict)
    taken: dict[tuple[int, int], int] = field(default_factory=dict)

    @classmethod
    def at_end(cls) -> Stamp:
        return cls(
            {model: (model._default_manager.aggregate(top=Max("pk"))["top"] or 0) + 1 for model in TABLES}
        )

    def before(self, moulds: Sequence[Mould], number: int) -> Stamp:
        """Where the ids stand once all copies before this one are written."""
        rounds, rest = divmod(number, len(moulds))
        used: Counter[type[models.Model]] = Counter({Company: -(-number // LEADS_A_COMPANY)})
        for place, mould in enumerate(moulds):
            for model, rows in mould.counts.items():
                used[model] += rows * (rounds + (place < rest))
        return Stamp({model: first + used[model] for model, first in self.next_id.items()})


def cast(handoffs: Iterable[Handoff]) -> list[Mould]:
    """Moulds of these closed handoffs, each with a holder and a company of its own."""
    return [_Caster(handoff).mould() for handoff in handoffs]


def stamp(
    moulds: Sequence[Mould], peers: Mapping[int, Sequence[int]], count: int, weeks: int, processes: int = 1
) -> None:
    """Write `count` copies of the moulds in turn, spread over the `weeks` before them.

    `peers` gives for each holder the people who take turns with them; copies go round among those. Several
    processes write where many are wanted, and indexes are made afterwards; that needs a database of its own.
    """
    begin = Stamp.at_end()
    work = partial(_stamp_part, moulds, peers, weeks, begin)
    if processes == 1:
        taken = [work(range(count))]
    else:
        with writers.indexes_later(TABLES):
            connections.close_all()
            with get_context("fork").Pool(processes) as pool:
                # Small parts: whoever is done takes the next.
                size = CHUNK * LEADS_A_COMPANY
                parts = [range(start, min(start + size, count)) for start in range(0, count, size)]
                taken = pool.map(work, parts, chunksize=1)
    _settle_seats(sum((Counter(one) for one in taken), Counter()))
    if connection.vendor == "postgresql":
        _settle_sequences()


def _stamp_part(
    moulds: Sequence[Mould],
    peers: Mapping[int, Sequence[int]],
    weeks: int,
    begin: Stamp,
    numbers: range,
) -> dict[tuple[int, int], int]:
    """Write the copies of these numbers, which begin with a company; turns taken per pool and person."""
    state = begin.before(moulds, numbers.start)
    with writers.writer() as writer:
        company = 0
        for start in range(numbers.start, numbers.stop, CHUNK):
            buffers: dict[type[models.Model], list[str]] = {model: [] for model in TABLES}
            for number in range(start, min(start + CHUNK, numbers.stop)):
                mould = moulds[number % len(moulds)]
                if number % LEADS_A_COMPANY == 0:
                    company = state.next_id[Company]
                _stamp_one(mould, number, company, peers[mould.holder], weeks, state, buffers, writer)
            with transaction.atomic():
                for model in TABLES:
                    writer.write(model, buffers[model])
    return state.taken


def _stamp_one(
    mould: Mould,
    number: int,
    company: int,
    peers: Sequence[int],
    weeks: int,
    state: Stamp,
    buffers: dict[type[models.Model], list[str]],
    writer: writers.Writer,
) -> None:
    holder = peers[(peers.index(mould.holder) + number) % len(peers)]
    # Whole weeks keep the weekday; the seconds keep copies of one mould apart.
    back = timedelta(weeks=1 + (number * 7919) % max(1, weeks), seconds=(number * 104_729) % 3600)
    values: dict[str, Any] = {"n": number, "u": holder, "company": company}
    for place, at in enumerate(mould.times):
        moment = at - back
        values[f"t{place}"] = writer.time(moment)
        values[f"j{place}"] = moment.isoformat()
    for model, rows in mould.counts.items():
        first = state.next_id[model]
        state.next_id[model] = first + rows
        name = _letters(model)
        for place in range(rows):
            values[f"{name}{place}"] = first + place
    for model, texts in mould.rows.items():
        buffers[model].extend([text % values for text in texts])
    if company == state.next_id[Company]:
        state.next_id[Company] = company + 1
        buffers[Company].append(mould.company_row % values)
    if mould.is_turn_kept and mould.pool is not None:
        key = (mould.pool, holder)
        state.taken[key] = state.taken.get(key, 0) + 1


def _letters(model: type[models.Model]) -> str:
    return model.__name__.lower()


class _Caster:
    """Reads one handoff with its rows and turns it into templates."""

    def __init__(self, handoff: Handoff) -> None:
        lead = handoff.lead
        if lead.company_id is None or handoff.assignee_id is None:
            raise ValueError("a mould has a company and a holder")
        self.handoff, self.holder = handoff, handoff.assignee_id
        of_lead, of_handoff = {"lead": lead}, {"handoff": handoff}
        self.found: dict[type[models.Model], list[models.Model]] = {
            Lead: [lead],
            ExternalId: list(ExternalId.objects.filter(**of_lead).order_by("pk")),
            Score: list(Score.objects.filter(**of_lead).order_by("pk")),
            Activity: list(Activity.objects.filter(**of_lead).order_by("pk")),
            Handoff: [handoff],
            Receipt: list(Receipt.objects.filter(**of_lead).order_by("pk")),
            Turn: list(Turn.objects.filter(ref=turn_ref(handoff)).order_by("pk")),
        }
        for model in (Event, RoutingDecision, Inspection, ContactAttempt, Rejection, Note, Notification):
            self.found[model] = list(model._default_manager.filter(**of_handoff).order_by("pk"))
        self.places = {
            (model, row.pk): f"{_letters(model)}{place}"
            for model, rows in self.found.items()
            for place, row in enumerate(rows)
        }
        self.places[Company, lead.company_id] = "company"
        self.times: dict[datetime, int] = {}
        self.domain = lead.company.domain or "" if lead.company else ""
        self.unique = {lead.email, lead.email_key or "", *(row.value for row in self.found[ExternalId])}  # type: ignore[attr-defined]
        self.unique |= {row.event_id for row in self.found[Receipt]}  # type: ignore[attr-defined]

    def mould(self) -> Mould:
        rows = {model: [self._row(row) for row in found] for model, found in self.found.items()}
        assert self.handoff.lead.company is not None
        company_row = self._row(self.handoff.lead.company)
        turn = next((row for row in self.found[Turn] if row.pool_id is not None), None)  # type: ignore[attr-defined]
        return Mould(
            holder=self.holder,
            counts={model: len(found) for model, found in self.found.items()},
            rows=rows,
            times=sorted(self.times, key=lambda at: self.times[at]),
            company_row=company_row,
            pool=turn.pool_id if turn is not None else None,  # type: ignore[attr-defined]
            is_turn_kept=turn is not None and turn.given_back_at is None,  # type: ignore[attr-defined]
        )

    def _row(self, row: models.Model) -> str:
        return writers.row([self._cell(row, column) for column in writers.columns(type(row))])

    def _cell(self, row: models.Model, column: models.Field) -> Any:
        """The value with marks in the place of what each copy has of its own."""
        value = getattr(row, column.attname)
        if value is None:
            return None
        if column.primary_key:
            return Mark(self.places[type(row), value])
        if isinstance(column, models.ForeignKey):
            if column.related_model is User:
                return Mark("u") if value == self.holder else value
            place = self.places.get((column.related_model, value))
            return Mark(place) if place else value
        if isinstance(value, datetime):
            return Mark(f"t{self._time(value)}")
        if isinstance(column, models.JSONField):
            return Json(self._inside(value, ""))
        if isinstance(row, Turn) and column.attname == "ref":
            return Text(f"handoff:{OPEN}handoff0{CLOSE}")
        if isinstance(value, str):
            return Text(self._own(value))
        return value

    def _own(self, text: str) -> str:
        """Addresses and ids elsewhere, made this copy's."""
        if text == self.domain:
            return f"bench-{OPEN}company{CLOSE}.com"
        if text in self.unique:
            local, at, _ = text.partition("@")
            own = f"{local}-{OPEN}n{CLOSE}"
            return f"{own}@bench-{OPEN}company{CLOSE}.com" if at else own
        return text

    def _time(self, at: datetime) -> int:
        at = at.astimezone(UTC)
        return self.times.setdefault(at, len(self.times))

    def _inside(self, value: Any, key: str) -> Any:
        if isinstance(value, dict):
            return {name: self._inside(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [self._inside(item, key) for item in value]
        if isinstance(value, str):
            if _TIME.fullmatch(value):
                return f"{OPEN}j{self._time(datetime.fromisoformat(value))}{CLOSE}"
            return self._own(value)
        if isinstance(value, int) and not isinstance(value, bool):
            if key in _USER_KEYS and value == self.holder:
                return f"{BARE}u{CLOSE}"
            place = self.places.get((_ROW_KEYS[key], value)) if key in _ROW_KEYS else None
            if place:
                return f"{BARE}{place}{CLOSE}"
        return value


def _settle_seats(turns: Mapping[tuple[int, int], int]) -> None:
    """Seats remember as many turns as the ledger has."""
    with connection.cursor() as cursor:
        for (pool, user), taken in turns.items():
            cursor.execute(
                "UPDATE routing_poolmember SET taken = taken + %s, accrued = accrued + %s"
                " WHERE pool_id = %s AND user_id = %s",
                [taken, taken, pool, user],
            )


def _settle_sequences() -> None:
    with connection.cursor() as cursor:
        for model in TABLES:
            table = model._meta.db_table
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"
            )
