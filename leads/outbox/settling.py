"""What came of an attempt, and what it makes of the row and of its connection.

Owns the outcomes, writing them down with the attempt's log, what they do to the connection (breaker, pause,
switched off), and the lease that returns after a crash. Each function is one short transaction.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import connection as database
from django.db import transaction
from django.db.models import Case, DateTimeField, F, Max, Value, When
from django.db.models.functions import Greatest

from leads.models import Connection, Delivery, DeliveryAttempt
from leads.outbox.claiming import breaker_of, is_paused
from leads.outbox.patience import THROTTLED_WAIT, most_attempts, throttled_wait, wait

KEPT_TEXT = 2000
RELEASED_AT_ONCE = 1000
Status = Delivery.Status


class Result(StrEnum):
    """What came of an attempt."""

    DONE = "done"
    TRANSIENT = "transient"
    # Asked to wait: it says nothing about the other side's health.
    THROTTLED = "throttled"
    PERMANENT = "permanent"
    # Our credentials are refused, even fresh ones: everything waits until somebody looks.
    UNAUTHORISED = "unauthorised"
    # The other side wants no more of this (410 of a webhook).
    GONE = "gone"
    # Not tried after all (no budget left); the attempt is not counted.
    LEFT = "left"


# These say nothing about the row, so they bring it no nearer to being given up.
_NOT_ITS_FAULT = (Result.THROTTLED, Result.UNAUTHORISED)
_SETTLED = (
    "status", "attempts", "next_attempt_at", "locked_until", "locked_by", "last_status", "last_error",
    "done_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """One delivery's attempt. `request` and `answer` are for the log, cut short, without secrets."""

    result: Result
    status: int | None = None
    error: str = ""
    retry_after: timedelta | None = None
    request: str = ""
    answer: str = ""
    milliseconds: int = 0


@transaction.atomic
def settle(
    connection_id: int,
    outcomes: Sequence[tuple[Delivery, Outcome]],
    now: datetime,
    worker: str,
    chance: random.Random | None = None,
) -> int:
    """Write down what came of claimed deliveries; how many were delivered. A row whose lease has gone to
    another worker meanwhile is left to that one."""
    connection = Connection.objects.select_for_update(no_key=True).get(pk=connection_id)
    leased = Delivery.objects.select_for_update(no_key=True).order_by("pk")
    leased = leased.filter(pk__in=[row.pk for row, _ in outcomes], status=Status.SENDING, locked_by=worker)
    # The number of the attempt as well: a lease that ended may have come back to this very worker.
    mine = set(leased.values_list("pk", "attempts"))
    held = [(row, outcome) for row, outcome in outcomes if (row.pk, row.attempts) in mine]
    # Before the rows change: an attempt is logged under its own number.
    _log(held, now)
    _apply(held, now, chance or random.SystemRandom())
    _save([row for row, _ in held])
    _hold_behind([row for row, _ in held], now)
    # The ids of somebody who is forgotten there are needed no more.
    forgotten = [row.pk for row, _ in held if row.kind == Delivery.Kind.ERASE and row.status == Status.DONE]
    if forgotten:
        Delivery.objects.filter(pk__in=forgotten).update(body="")
    _tell_connection(connection, [outcome for _, outcome in held], now)
    return sum(outcome.result == Result.DONE for _, outcome in held)


def release(now: datetime, chance: random.Random | None = None) -> int:
    """Give back what a worker that ended never settled; how many. The attempt stays counted: it may have
    reached the other side."""
    with transaction.atomic():
        skips = database.features.has_select_for_update_skip_locked
        ended = Delivery.objects.select_for_update(no_key=True, skip_locked=skips).order_by("pk")
        rows = list(ended.filter(locked_until__isnull=False, locked_until__lte=now)[:RELEASED_AT_ONCE])
        lost = Outcome(Result.TRANSIENT, error="The worker that sent it ended before it knew the answer.")
        _apply([(row, lost) for row in rows], now, chance or random.SystemRandom())
        _save(rows)
        _hold_behind(rows, now)
    return len(rows)


def _save(rows: Sequence[Delivery]) -> None:
    """What went well went well alike and is one plain statement; to write one that sets each row to values of
    its own takes Django longer than everything else of an attempt."""
    alike: dict[tuple[int | None, datetime | None], list[int]] = {}
    for row in rows:
        if row.status == Status.DONE:
            alike.setdefault((row.last_status, row.done_at), []).append(row.pk)
    for (last_status, done_at), pks in alike.items():
        Delivery.objects.filter(pk__in=pks).update(
            status=Status.DONE, last_status=last_status, last_error="", done_at=done_at,
            locked_until=None, locked_by="",
        )  # fmt: skip
    Delivery.objects.bulk_update([row for row in rows if row.status != Status.DONE], _SETTLED)


def _hold_behind(rows: Sequence[Delivery], now: datetime) -> None:
    """What stands behind a row that is tried again later is not looked at before it: otherwise each claim
    would pass by all that is due and not first of its lead, and a few stuck leads would make all slow."""
    stuck = [
        row
        for row in rows
        if row.status == Status.PENDING and row.lead_id is not None and row.next_attempt_at > now
    ]
    if not stuck:
        return
    later = [
        When(connection=row.connection_id, lead=row.lead_id, pk__gt=row.pk, then=Value(row.next_attempt_at))
        for row in stuck
    ]
    waiting = Delivery.objects.filter(
        connection__in={row.connection_id for row in stuck}, lead__in={row.lead_id for row in stuck},
        done_at__isnull=True, locked_until__isnull=True,
    )  # fmt: skip
    moment = Case(*later, default=F("next_attempt_at"), output_field=DateTimeField())
    waiting.update(next_attempt_at=Greatest(F("next_attempt_at"), moment))


def _log(held: Sequence[tuple[Delivery, Outcome]], now: datetime) -> None:
    """The attempts that were made. They are numbered on, also where a replay counts anew."""
    made = [(row, outcome) for row, outcome in held if outcome.result != Result.LEFT]
    tried = DeliveryAttempt.objects.filter(delivery__in=[row.pk for row, _ in made])
    last = dict(tried.order_by().values_list("delivery").annotate(Max("number")))
    DeliveryAttempt.objects.bulk_create(
        DeliveryAttempt(
            delivery=row,
            number=max(row.attempts, last.get(row.pk, 0) + 1),
            at=now,
            milliseconds=outcome.milliseconds,
            status=outcome.status,
            outcome=str(outcome.result),
            request=_text(outcome.request, KEPT_TEXT),
            answer=_text(outcome.answer, KEPT_TEXT),
            error=_text(outcome.error, 300),
        )
        for row, outcome in made
    )


def _text(text: str, most: int) -> str:
    """What another system said, cut short; PostgreSQL keeps no NUL."""
    return text[:most].replace("\x00", "\ufffd")


def _apply(held: Sequence[tuple[Delivery, Outcome]], now: datetime, dice: random.Random) -> None:
    failed = [row for row, outcome in held if outcome.result != Result.DONE]
    overtaken = _overtaken(failed)
    excused = _excused([row for row in failed if row.attempts > 1])
    for row, outcome in held:
        counted = row.attempts - excused.get(row.pk, 0)
        _apply_one(row, outcome, now, dice.random(), counted, is_overtaken=row.pk in overtaken)


def _is_state(row: Delivery) -> bool:
    return row.kind in (Delivery.Kind.STATE, Delivery.Kind.ERASE)


def _overtaken(rows: Sequence[Delivery]) -> set[int]:
    """Of states that were not written: those for which a newer one of the same lead and connection waits."""
    states = [row for row in rows if row.kind == Delivery.Kind.STATE]
    if not states:
        return set()
    waiting = Delivery.objects.filter(
        connection__in={row.connection_id for row in states}, lead__in={row.lead_id for row in states},
        done_at__isnull=True, kind=Delivery.Kind.STATE,
    ).order_by()  # fmt: skip
    newest: dict[tuple[int, int | None], int] = {}
    for connection_id, lead_id, pk in waiting.values_list("connection_id", "lead_id", "pk"):
        newest[connection_id, lead_id] = max(newest.get((connection_id, lead_id), 0), pk)
    return {row.pk for row in states if newest.get((row.connection_id, row.lead_id), 0) > row.pk}


def _excused(rows: Collection[Delivery]) -> Mapping[int, int]:
    """How many of their attempts were not their fault."""
    if not rows:
        return {}
    tries = DeliveryAttempt.objects.filter(delivery__in=[row.pk for row in rows], outcome__in=_NOT_ITS_FAULT)
    return Counter(tries.values_list("delivery_id", flat=True))


def _apply_one(
    row: Delivery, outcome: Outcome, now: datetime, chance: float, counted: int, *, is_overtaken: bool
) -> None:
    result, is_state = outcome.result, _is_state(row)
    row.locked_until, row.locked_by = None, ""
    row.last_status, row.last_error = outcome.status, _text(outcome.error, 300)
    gives_up = result in (Result.PERMANENT, Result.GONE)
    gives_up |= result == Result.TRANSIENT and counted >= most_attempts(is_state)
    if result == Result.DONE:
        row.status, row.done_at = Status.DONE, now
    elif is_overtaken:
        row.status, row.done_at = Status.SUPERSEDED, now
    elif gives_up:
        row.status, row.done_at = Status.DEAD, now
    else:
        row.status = Status.PENDING
        if result == Result.TRANSIENT:
            row.next_attempt_at = now + wait(is_state, max(1, counted), chance, outcome.retry_after)
        elif result == Result.THROTTLED:
            row.next_attempt_at = now + throttled_wait(chance, outcome.retry_after)
        else:
            # It goes first again once there is budget, or once somebody has looked at the connection.
            row.next_attempt_at = now
            row.attempts -= result == Result.LEFT


def _tell_connection(connection: Connection, outcomes: Sequence[Outcome], now: datetime) -> None:
    tried = [outcome for outcome in outcomes if outcome.result != Result.LEFT]
    if not tried:
        return
    # An answer that refuses one row is an answer all the same.
    answered = [outcome.result != Result.TRANSIENT for outcome in tried if outcome.result != Result.THROTTLED]
    # A batch that failed as a whole is one failure, not one for each of its rows.
    shortened = [answered[0]] if answered and not any(answered) else answered
    breaker = breaker_of(connection).after(shortened, now)
    if not answered and breaker.is_open:
        # The probe was asked to wait: another one then.
        breaker = replace(breaker, probe_at=now)
    # No save: the history is for what people set, and for what stops until people look.
    Connection.objects.filter(pk=connection.pk).update(
        failures=breaker.failures,
        outcomes=breaker.outcomes,
        trips=breaker.trips,
        probe_at=breaker.probe_at,
        last_out_at=now if any(one.result == Result.DONE for one in tried) else connection.last_out_at,
    )
    was = (connection.paused_why, connection.paused_until, connection.is_active)
    _pause(connection, tried, now)
    if (connection.paused_why, connection.paused_until, connection.is_active) != was:
        if connection.paused_why and connection.paused_until is None:
            connection.save(update_fields=["paused_why", "paused_until", "is_active"])
        else:
            Connection.objects.filter(pk=connection.pk).update(
                paused_why=connection.paused_why, paused_until=connection.paused_until
            )


def _pause(connection: Connection, tried: Sequence[Outcome], now: datetime) -> None:
    """Stop the connection where an answer asks for it. Whoever stopped it until further notice is not
    overruled by an answer that asks for a minute."""
    if connection.paused_why and not is_paused(connection, now):
        connection.paused_why, connection.paused_until = "", None
    asked = [one.retry_after or THROTTLED_WAIT for one in tried if one.result == Result.THROTTLED]
    if asked and not (connection.paused_why and connection.paused_until is None):
        until = now + max(asked)
        connection.paused_why = "The other side asked to wait (rate limit)."
        connection.paused_until = max(until, connection.paused_until or until)
    for outcome in tried:
        if outcome.result == Result.UNAUTHORISED:
            connection.paused_why = _text(f"The credentials are refused: {outcome.error}", 300)
            connection.paused_until = None
        if outcome.result == Result.GONE:
            connection.is_active = False
            connection.paused_why = _text(outcome.error, 300) or "The other side wants no more."
            connection.paused_until = None
