"""What a back-test reads: people and pools as they are, decisions and turns as they were kept.

Owns the way from rows to the plain records of `routing.backtest`, a chunk at a time in order of time, so
that memory does not grow with the span. People count as they are now (active, in sales, their seats);
absences as they were at each moment. Writes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from leads.erasure import ERASED
from leads.models import RoutingDecision
from routing import hours
from routing.backtest import Crowd, Holder, Past, Person, PoolFacts, QueueFacts, Seat, TurnTaken, Windows
from routing.facts import Facts, InvalidFacts
from routing.models import Absence, Calendar, Pool, PoolMember, Queue, Ruleset, SlaPolicy, Turn, User
from routing.rotation import IN_SALES, capacity
from routing.sla import Target

CHUNK = 1000
_TURN = ("ref", "taken_at", "user_id", "pool_id", "released_at", "given_back_at", "shares")
_NO_TURN = (None,) * 5
_AT = 2
_COLUMNS = (
    "pk", "handoff_id", "at", "outcome", "ruleset_id", "rule_id", "facts", "candidates", "handoff__closed_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kept:
    """A decision with what the list of moves says of it: its handoff, and the rule's name then."""

    past: Past
    handoff_id: int
    rule_name: str


def crowd(since: datetime, until: datetime) -> Crowd:
    """Everybody who may be given work, with their absences in the span; nine queries and two a calendar."""
    standard = Calendar.objects.filter(is_default=True).first()
    default = standard.hours() if standard is not None else None

    def calendar(row: Calendar | None) -> hours.Calendar | None:
        return row.hours() if row is not None else default

    sellers = set(User.objects.filter(groups__name__in=IN_SALES).values_list("pk", flat=True))
    absences: dict[int, list[tuple[datetime, datetime, int | None]]] = {}
    rows = Absence.objects.filter(starts_at__lt=until, ends_at__gt=since).order_by("starts_at", "pk")
    for user_id, start, end, cover in rows.values_list("user_id", "starts_at", "ends_at", "cover_id"):
        absences.setdefault(user_id, []).append((start, end, cover))
    people = {}
    for user in User.objects.select_related("calendar", "team__calendar"):
        own = user.calendar or (user.team.calendar if user.team else None)
        people[user.pk] = Person(
            user.pk,
            calendar(own),
            capacity.zone(user),
            tuple(absences.get(user.pk, ())),
            "inactive" if not user.is_active else "" if user.pk in sellers else "not in sales",
            user.team.manager_id if user.team else None,
        )
    seats: dict[int, list[Seat]] = {}
    for seat in PoolMember.objects.select_related("pool").order_by("pool_id", "user_id"):
        seats.setdefault(seat.pool_id, []).append(_seat(seat))
    pools = {
        pool.pk: PoolFacts(pool.pk, pool.method, tuple(seats.get(pool.pk, ())), pool.in_hours_only)
        for pool in Pool.objects.all()
    }
    former: dict[int, set[str]] = {}
    for pk, slug in Queue.history.values_list("id", "slug").distinct():
        former.setdefault(pk, set()).add(slug)
    queues = {
        queue.pk: QueueFacts(
            queue.pk,
            queue.slug,
            queue.kind == Queue.Kind.OVERFLOW,
            calendar(queue.calendar),
            tuple(sorted(former.get(queue.pk, ()))),
        )
        for queue in Queue.objects.select_related("calendar")
    }
    return Crowd(people, pools, queues)


def _seat(seat: PoolMember) -> Seat:
    held, day, week = (capacity.cap(seat, name) for name in ("cap_open", "cap_day", "cap_week"))
    return Seat(seat.user_id, seat.weight, held, day, week, seat.is_active)


def windows() -> Windows:
    """The acceptance windows of the live policies; one query."""
    by_slug, by_type = {}, {}
    for row in SlaPolicy.objects.filter(is_live=True):
        by_slug[row.slug] = Target(row.accept_minutes, row.accept_business)
        if row.is_default:
            by_type[row.lead_type] = by_slug[row.slug]
    return Windows(by_slug, by_type)


def decisions_between(since: datetime, until: datetime) -> QuerySet[RoutingDecision]:
    """The decisions of the span, its end excluded."""
    return RoutingDecision.objects.filter(at__gte=since, at__lt=until)


class Decisions:
    """The decisions of a span in order of time, a chunk at a time, each with its turn from the ledger."""

    def __init__(
        self, since: datetime, until: datetime, crowd: Crowd, after: tuple[datetime, int] | None = None
    ) -> None:
        self.since, self.until, self.crowd = since, until, crowd
        self.rows = decisions_between(since, until)
        self.after = after
        self._everybody = list(crowd.people)
        self._rules: dict[int | None, Mapping[str, tuple[str, str | None]]] = {None: {}}

    def open_before(self) -> Iterator[TurnTaken]:
        """Turns that were open when the span began, in order of time."""
        was_open = Q(released_at__isnull=True) | Q(released_at__gt=self.since)
        return self._by_hand(Turn.objects.filter(was_open, taken_at__lt=self.since))

    def next(self) -> tuple[list[Kept], list[TurnTaken], int]:
        """The next chunk, the turns that people took meanwhile, and how many rows were read. An empty chunk
        is the last: its turns are those after the last decision."""
        rows = self._next_rows()
        # Everybody by name: the index of turns begins with the person.
        turns = Turn.objects.filter(user_id__in=self._everybody, taken_at__gte=self.since)
        if self.after is not None:
            turns = turns.filter(taken_at__gt=self.after[0])
        turns = turns.filter(taken_at__lte=rows[-1][_AT]) if rows else turns.filter(taken_at__lt=self.until)
        own, by_hand = self._paired(rows, turns)
        kept = [found for row in rows if (found := self._kept(row, own.get(row[0], _NO_TURN))) is not None]
        if rows:
            self.after = (rows[-1][_AT], rows[-1][0])
        return kept, by_hand, len(rows)

    @staticmethod
    def _paired(
        rows: Sequence[tuple[Any, ...]], turns: QuerySet[Turn]
    ) -> tuple[dict[int, Sequence[Any]], list[TurnTaken]]:
        """Each decision's own turn, by its id, and the turns that no decision took. A lead that was routed
        twice in one instant has its turns in the order of its decisions."""
        waiting: dict[tuple[str, datetime], deque[int]] = {}
        for pk, handoff_id, at, outcome, *_ in rows:
            if outcome == "rep":
                waiting.setdefault((f"handoff:{handoff_id}", at), deque()).append(pk)
        own: dict[int, Sequence[Any]] = {}
        by_hand: list[TurnTaken] = []
        for ref, at, *turn in turns.order_by("taken_at", "pk").values_list(*_TURN).iterator(CHUNK):
            if decided := waiting.get((ref, at)):
                own[decided.popleft()] = turn
            else:
                by_hand.append(TurnTaken(ref, turn[0], at, turn[2]))
        return own, by_hand

    def _next_rows(self) -> list[tuple[Any, ...]]:
        """A chunk that ends between two moments: what was decided in one act stays together."""
        rows = self.rows.order_by("at", "pk").values_list(*_COLUMNS)
        if self.after is not None:
            at, pk = self.after
            rows = rows.filter(Q(at__gt=at) | Q(at=at, pk__gt=pk), at__gte=at)
        found = list(rows[:CHUNK])
        if len(found) == CHUNK:
            last = found[-1]
            found += list(
                self.rows.order_by("pk").filter(at=last[_AT], pk__gt=last[0]).values_list(*_COLUMNS)
            )
        return found

    def _kept(self, row: Sequence[Any], turn: Sequence[Any]) -> Kept | None:
        pk, handoff_id, at, outcome, ruleset_id, rule_id, facts, candidates, closed_at = row
        user_id, pool_id, released_at, given_back_at, shares = turn
        if isinstance(facts, dict) and facts.get(ERASED):
            # The facts went with the person: no rule can be asked about them.
            return None
        try:
            known = Facts.from_json(facts)
        except InvalidFacts:
            # Written by something else than routing; there is nothing to decide on.
            return None
        looked_at = (
            [item for item in candidates if isinstance(item, dict)] if isinstance(candidates, list) else []
        )
        rule_name, policy = self._rule(ruleset_id, rule_id)
        past = Past(
            key=pk,
            ref=f"handoff:{handoff_id}",
            at=at,
            rule=rule_id,
            facts=known,
            candidates=looked_at,
            holder=self._holder(outcome, looked_at, user_id, pool_id),
            policy=policy,
            until=closed_at if user_id is None else released_at,
            shares=shares or {},
            is_given_back=given_back_at is not None,
        )
        return Kept(past, handoff_id, rule_name)

    def _holder(
        self, outcome: str, candidates: Sequence[Mapping[str, Any]], user_id: int | None, pool_id: int | None
    ) -> Holder:
        """Who got it: by the ledger; by the candidates where it knows of no turn, as with queues."""
        took = next((row for row in candidates if "took" in row), {})
        why = str(took.get("took") or "")
        if user_id is not None:
            return Holder("rep", str(user_id), pool_id, why)
        if outcome == "queue":
            queue = self.crowd.by_slug.get(str(took.get("queue")))
            return Holder("queue", str(queue.id) if queue else str(took.get("queue")), None, why)
        if outcome == "rep" and isinstance(took.get("user"), int):
            return Holder("rep", str(took["user"]), took.get("pool"), why)
        return Holder("nobody")

    def _rule(self, ruleset_id: int | None, rule_id: str) -> tuple[str, str | None]:
        """Name and policy of a rule in the version that decided."""
        if ruleset_id is not None and ruleset_id not in self._rules:
            document = Ruleset.objects.values_list("document", flat=True).get(pk=ruleset_id)
            self._rules[ruleset_id] = {
                str(rule.get("id")): (str(rule.get("name") or ""), rule.get("policy"))
                for rule in document.get("rules") or ()
            }
        return self._rules[ruleset_id].get(rule_id, ("", None))

    @staticmethod
    def _by_hand(turns: Any) -> Iterator[TurnTaken]:
        columns = ("ref", "user_id", "taken_at", "released_at")
        rows: Iterable[Any] = turns.order_by("taken_at", "pk").values_list(*columns).iterator(CHUNK)
        return (TurnTaken(*row) for row in rows)
