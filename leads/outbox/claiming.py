"""Who sends what: claimed in order, leased, counted before the attempt.

Owns the claim (of one lead and connection only the oldest that is not settled) and what stands in its way:
a pause, the breaker, the rate budget. One short transaction; nothing is sent in here, so none is ever open
while another system answers. What came of it is `leads.outbox.settling`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection as database
from django.db import transaction
from django.db.models import F

from leads.models import Connection, Delivery
from leads.outbox.patience import Breaker, Bucket

LEASE = timedelta(seconds=90)
# More than so many at one connection gain nothing: they queue for its row.
MOST_WORKERS = 2
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
# A change that is being made may be about to withdraw or supersede it: then it is that change's, not ours.
_LOCKED = " FOR NO KEY UPDATE OF d SKIP LOCKED"


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
    allowed = _allowed(connection, now)
    bucket = bucket_of(connection, calls)
    room = bucket.room(now) // calls if calls else (most if bucket.room(now) else 0)
    wanted = min(most, room) if allowed is None else min(most, room, allowed)
    ids = _due(connection_id, now, wanted, only) if wanted else []
    if not ids:
        return []
    spent = bucket.less(len(ids) * calls if calls else 1, now)
    # The probe: nobody else makes one while this one is under way.
    probe_at = None if allowed is None else now + LEASE
    # No save: what a worker does is no edit of the connection, and not in its history.
    Connection.objects.filter(pk=connection_id).update(
        tokens=spent.tokens, tokens_at=spent.at, probe_at=probe_at
    )
    Delivery.objects.filter(pk__in=ids).update(
        status=Status.SENDING, attempts=F("attempts") + 1, locked_until=now + LEASE, locked_by=worker
    )
    found = {row.pk: row for row in Delivery.objects.filter(pk__in=ids)}
    return [found[pk] for pk in ids]


def budget_wait(connection_id: int, now: datetime, *, calls: int = 1) -> timedelta | None:
    """How long until the rate budget lets go what is due; None when it is not the budget that is in the way,
    or nothing is due."""
    connection = Connection.objects.get(pk=connection_id)
    bucket, least = bucket_of(connection, calls), calls or 1
    if bucket.room(now) >= least or _allowed(connection, now) == 0 or not _due(connection_id, now, 1):
        return None
    return bucket.wait(now, least)


@transaction.atomic
def spend(connection_id: int, calls: int, now: datetime) -> timedelta:
    """Take so many calls out of a connection's rate budget, for whoever reads there; how long to wait and ask
    again when there are not enough, else nothing. More than the burst is never there at once, so that takes
    all of it."""
    connection = Connection.objects.select_for_update(no_key=True).get(pk=connection_id)
    bucket = bucket_of(connection)
    wanted = min(calls, bucket.burst)
    if bucket.room(now) < wanted:
        return max(bucket.wait(now, wanted), timedelta(milliseconds=10))
    spent = bucket.less(wanted, now)
    Connection.objects.filter(pk=connection_id).update(tokens=spent.tokens, tokens_at=spent.at)
    return timedelta(0)


def is_paused(connection: Connection, now: datetime) -> bool:
    """Whether somebody or something has stopped it for now."""
    return bool(connection.paused_why) and (connection.paused_until is None or connection.paused_until > now)


def lets(connection: Connection, now: datetime) -> bool:
    """Whether anything may be sent through it now, as far as it is not a matter of budget."""
    return _allowed(connection, now) != 0


def breaker_of(connection: Connection) -> Breaker:
    return Breaker(connection.failures, connection.outcomes, connection.trips, connection.probe_at)


def bucket_of(connection: Connection, calls: int = 1) -> Bucket:
    """Its rate budget, which holds at least what one delivery costs: less would never let one go."""
    burst = max(connection.burst, calls, 1)
    return Bucket(connection.rate, burst, connection.tokens, connection.tokens_at)


def _allowed(connection: Connection, now: datetime) -> int | None:
    """How many may be sent at once: None for any number."""
    if not connection.is_active or is_paused(connection, now):
        return 0
    return breaker_of(connection).lets(now)


def _due(connection_id: int, now: datetime, most: int, only: int | None = None) -> list[int]:
    """The keys of what is due, locked where rows are."""
    locks = database.features.has_select_for_update_skip_locked and database.in_atomic_block
    moment = database.ops.adapt_datetimefield_value(now)
    with database.cursor() as cursor:
        one = [] if only is None else [only]
        sql = _DUE.format(only="AND d.id = %s" if one else "") + (_LOCKED if locks else "")
        cursor.execute(sql, [connection_id, moment, *one, most])
        return [row[0] for row in cursor.fetchall()]
