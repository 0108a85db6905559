"""Who sends what: claimed in order, leased, counted before the attempt, settled after it.

Owns the claim (of one lead and connection only the oldest that is not settled), the lease that returns after
a crash, and what an outcome makes of a row and of its connection's breaker. Each function is one short
transaction; nothing is sent in here, so none is ever open while another system answers.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import connection as database
from django.db import transaction

from leads.models import Connection, Delivery, DeliveryAttempt
from leads.outbox.patience import Breaker, Bucket, most_attempts, wait
from routing import draft

LEASE = timedelta(seconds=90)
KEPT_TEXT = 2000
Status = Delivery.Status

# Written out: SQLite compares no parameter with an index's condition, and the whole is one look into the
# index of what is due and one, for each found, into that of what is not settled.
_DUE = """
SELECT d.id FROM leads_delivery d
WHERE d.connection_id = %s AND d.done_at IS NULL AND d.locked_until IS NULL AND d.next_attempt_at <= %s
  {only} AND NOT EXISTS (
    SELECT 1 FROM leads_delivery o
    WHERE o.connection_id = d.connection_id AND o.lead_id = d.lead_id AND o.done_at IS NULL AND o.id < d.id
  )
ORDER BY d.next_attempt_at, d.id LIMIT %s
"""


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
def claim(
    connection_id: int, most: int, now: datetime, worker: str, *, calls: int = 1, only: int | None = None
) -> list[Delivery]:
    """Up to `most` deliveries of this connection that are due, leased to this worker, their attempt counted;
    with `only` no other than that one.

    `calls` is what one of them may cost of the rate budget when they are sent one by one, 0 when all of
    them are one call. Nothing while the connection is stopped, paused, spared by its breaker or out of
    budget. The connection's row is the lock, so that two workers never hold two of one lead.
    """
    connection = Connection.objects.select_for_update(no_key=True).get(pk=connection_id)
    if not connection.is_active or is_paused(connection, now):
        return []
    allowed = breaker_of(connection).lets(now)
    if allowed == 0:
        return []
    wanted = min(most, allowed) if allowed else most
    with database.cursor() as cursor:
        if only is None:
            cursor.execute(_DUE.format(only=""), [connection_id, now, wanted])
        else:
            cursor.execute(_DUE.format(only="AND d.id = %s"), [connection_id, now, only, wanted])
        ids = [row[0] for row in cursor.fetchall()]
    if not ids:
        return []
    given, bucket = bucket_of(connection).take(len(ids) * calls if calls else 1, now)
    if not given:
        return []
    ids = ids[: given // calls] if calls else ids
    if allowed:
        # The probe: nobody else makes one while this one is under way.
        connection.probe_at = now + LEASE
    # Not saved as an edit is, which its history would keep.
    Connection.objects.filter(pk=connection.pk).update(
        tokens=bucket.tokens, tokens_at=bucket.at, probe_at=connection.probe_at
    )
    claimed = Delivery.objects.filter(pk__in=ids)
    rows = sorted(claimed, key=lambda row: ids.index(row.pk))
    for row in rows:
        row.status, row.attempts = Status.SENDING, row.attempts + 1
        row.locked_until, row.locked_by = now + LEASE, worker
    Delivery.objects.bulk_update(rows, ["status", "attempts", "locked_until", "locked_by"])
    return rows


def is_paused(connection: Connection, now: datetime) -> bool:
    """Whether somebody or something has stopped it for now."""
    return bool(connection.paused_why) and (connection.paused_until is None or connection.paused_until > now)


def breaker_of(connection: Connection) -> Breaker:
    return Breaker(connection.failures, connection.outcomes, connection.trips, connection.probe_at)


def bucket_of(connection: Connection) -> Bucket:
    return Bucket(connection.rate, connection.burst, connection.tokens, connection.tokens_at)


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
    dice = chance or random.SystemRandom()
    connection = Connection.objects.select_for_update(no_key=True).get(pk=connection_id)
    mine = set(
        Delivery.objects.select_for_update(no_key=True)
        .filter(pk__in=[row.pk for row, _ in outcomes], status=Status.SENDING, locked_by=worker)
        .values_list("pk", flat=True)
    )
    held = [(row, outcome) for row, outcome in outcomes if row.pk in mine]
    overtaken = _overtaken([row for row, outcome in held if outcome.result != Result.DONE])
    for row, outcome in held:
        _apply(row, outcome, now, dice, is_overtaken=row.pk in overtaken)
    Delivery.objects.bulk_update(
        [row for row, _ in held],
        [
            "status",
            "attempts",
            "next_attempt_at",
            "locked_until",
            "locked_by",
            "last_status",
            "last_error",
            "done_at",
        ],
    )
    DeliveryAttempt.objects.bulk_create(
        [
            DeliveryAttempt(
                delivery=row,
                number=row.attempts,
                at=now,
                milliseconds=outcome.milliseconds,
                status=outcome.status,
                outcome=str(outcome.result),
                request=outcome.request[:KEPT_TEXT],
                answer=outcome.answer[:KEPT_TEXT],
                error=outcome.error[:300],
            )
            for row, outcome in held
            if outcome.result != Result.LEFT
        ],
        ignore_conflicts=True,
    )
    _tell_connection(connection, [outcome for _, outcome in held], now)
    return sum(outcome.result == Result.DONE for _, outcome in held)


def _overtaken(rows: Sequence[Delivery]) -> set[int]:
    """Of states that were not written: those for which a newer one of the same lead waits."""
    states = [row for row in rows if row.kind == Delivery.Kind.STATE]
    if not states:
        return set()
    newest: dict[tuple[int, int | None], int] = {}
    waiting = Delivery.objects.filter(
        connection=states[0].connection_id, lead__in=[row.lead_id for row in states], done_at__isnull=True
    ).filter(kind=Delivery.Kind.STATE)
    for pk, lead_id in waiting.values_list("pk", "lead_id"):
        key = (states[0].connection_id, lead_id)
        newest[key] = max(newest.get(key, 0), pk)
    return {row.pk for row in states if newest.get((row.connection_id, row.lead_id), 0) > row.pk}


def _apply(
    row: Delivery, outcome: Outcome, now: datetime, dice: random.Random, *, is_overtaken: bool
) -> None:
    is_state = row.kind in (Delivery.Kind.STATE, Delivery.Kind.ERASE)
    row.locked_until, row.locked_by = None, ""
    row.last_status, row.last_error = outcome.status, outcome.error[:300]
    gives_up = outcome.result in (Result.PERMANENT, Result.GONE)
    gives_up |= outcome.result == Result.TRANSIENT and row.attempts >= most_attempts(is_state)
    if outcome.result == Result.DONE:
        row.status, row.done_at = Status.DONE, now
    elif is_overtaken:
        row.status, row.done_at = Status.SUPERSEDED, now
    elif gives_up:
        row.status, row.done_at = Status.DEAD, now
    else:
        row.status = Status.PENDING
        row.next_attempt_at = now + wait(is_state, row.attempts, dice.random(), outcome.retry_after)
        if outcome.result == Result.LEFT:
            row.attempts, row.next_attempt_at = row.attempts - 1, now
        elif outcome.result == Result.UNAUTHORISED:
            # It says nothing about this row, which goes first once somebody has looked at the connection.
            row.next_attempt_at = now


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
    connection.failures, connection.outcomes = breaker.failures, breaker.outcomes
    connection.trips, connection.probe_at = breaker.trips, breaker.probe_at
    waits = [one.retry_after for one in tried if one.result == Result.THROTTLED and one.retry_after]
    if waits:
        connection.paused_why = "The other side asked to wait (rate limit)."
        connection.paused_until = now + max(waits)
    for outcome in tried:
        if outcome.result == Result.UNAUTHORISED:
            connection.paused_why = f"The credentials are refused: {outcome.error}"[:300]
            connection.paused_until = None
        if outcome.result == Result.GONE:
            connection.is_active = False
            connection.paused_why = "The address answers 410: it wants no more."
            connection.paused_until = None
    if any(outcome.result == Result.DONE for outcome in tried):
        connection.last_out_at = now
    if any(outcome.result in (Result.UNAUTHORISED, Result.GONE) for outcome in tried):
        # What stops it until somebody looks belongs in its history; what comes and goes does not.
        draft.signed(connection, None, now, "Stopped by an answer")
        connection.save(update_fields=["paused_why", "paused_until", "is_active"])
    Connection.objects.filter(pk=connection.pk).update(
        failures=connection.failures,
        outcomes=connection.outcomes,
        trips=connection.trips,
        probe_at=connection.probe_at,
        paused_why=connection.paused_why,
        paused_until=connection.paused_until,
        last_out_at=connection.last_out_at,
    )


def release(now: datetime, dice: random.Random | None = None) -> int:
    """Give back what a worker that ended never settled; how many. The attempt stays counted: it may have
    reached the other side."""
    chance = dice or random.SystemRandom()
    given = 0
    with transaction.atomic():
        rows = list(
            Delivery.objects.select_for_update(
                no_key=True, skip_locked=database.features.has_select_for_update_skip_locked
            ).filter(locked_until__isnull=False, locked_until__lte=now)[:1000]
        )
        overtaken: set[int] = set()
        for connection_id in {row.connection_id for row in rows}:
            overtaken |= _overtaken([row for row in rows if row.connection_id == connection_id])
        for row in rows:
            lost = Outcome(Result.TRANSIENT, error="The worker that sent it ended before it knew the answer.")
            _apply(row, lost, now, chance, is_overtaken=row.pk in overtaken)
            given += 1
        Delivery.objects.bulk_update(
            rows,
            ["status", "attempts", "next_attempt_at", "locked_until", "locked_by", "last_error", "done_at"],
        )
    return given
