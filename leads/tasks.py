"""What the worker runs. Thin: the moment is taken here and passed on; every task may run twice.

Owns the entry points that the schedules name, and the bounds that keep a run well under its time limit.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from axes.models import AccessAttempt
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from leads import (
    audit,
    backtesting,
    bulk,
    completion,
    connectors,
    escalation,
    imports,
    lifecycle,
    notifications,
    outbox,
    queueing,
    retention,
    rule_reviews,
)
from leads.connecting import first_sync as syncing
from leads.connecting import removing
from leads.models import Backtest, Handoff, LeadImport, RememberedAnswer, SyncRun, UsedLink
from leads.outbox import waking
from routing import reviews
from routing.models import Session

logger = logging.getLogger(__name__)

# A run has 60 seconds; what firing and repair leave of them is for draining.
MOST_SECONDS, MOST_REPAIRING, MOST_DRAINED, MOST_LOOKED_AT = 30, 15, 200, 4000
# For each so many due at once another worker shares in the firing, up to three of them where the database
# locks rows. They work in short turns, between which mail and heartbeat have their place.
SHARED, MOST_HELPERS = 300, 3
TURN_SECONDS, MOST_TURNS = 10, 6
# The last calls of a turn may take 40 seconds more (leads.connectors.base).
DELIVERING_SECONDS, TAKING_SECONDS = 15, 15
# A retry with the same key comes within hours, not weeks.
ANSWERS_KEPT = timedelta(days=7)
# Long after a link of a mail has expired, nobody asks whether it was used.
USED_LINKS_KEPT = timedelta(days=30)
# Wrong passwords: of whom, from where. They count for minutes.
ATTEMPTS_KEPT = timedelta(days=30)
PRUNED_AT_ONCE = 2000


def sweep() -> int:
    """Fire what is due, move on what nobody answers for, give what waits to whoever is free; returns the
    number of steps."""
    now = timezone.now()
    parts = 1 + _helpers(now)
    for which in range(1, parts):
        queueing.put("leads.tasks.fire_due", which, parts)
    try:
        # Alone it needs no part: a part is a further look into the index.
        part = (0, parts) if parts > 1 else None
        fired = escalation.sweep(now, seconds=MOST_SECONDS, part=part)
    finally:
        # Whatever is wrong with what was due: what has lost its holder does not wait for it.
        escalation.repair(now, seconds=MOST_REPAIRING)
        lifecycle.drain(now, limit=MOST_DRAINED, looked_at=MOST_LOOKED_AT)
    return len(fired)


def _helpers(now: datetime) -> int:
    """How many others should share in what is due: where one writer has the whole file, they only queue."""
    most = MOST_HELPERS if connection.features.has_select_for_update_skip_locked else 1
    return min(most, Handoff.objects.due(now)[: most * SHARED].count() // SHARED)


def fire_due(part: int, parts: int, turn: int = 1) -> int:
    """Share in firing what is due; returns the number of steps. When its turn is over before everything has
    fired, it goes on in another one behind what waits by then; those end when the next minute's begin."""
    now = timezone.now()
    fired = escalation.sweep(now, seconds=TURN_SECONDS, part=(part, parts))
    if turn < MOST_TURNS and Handoff.objects.due(now).exists():
        queueing.put("leads.tasks.fire_due", part, parts, turn + 1)
    return len(fired)


def deliver_mail() -> int:
    """Send the mail that is due; returns how many went out."""
    return notifications.deliver_due(timezone.now())


def deliver() -> int:
    """Send what is owed to other systems, for one turn; returns how many were delivered. Where much is owed
    another worker shares in it; what is left goes on in another turn, behind what waits by then."""
    outbox.release(timezone.now())
    sent, ends = 0, time.monotonic() + DELIVERING_SECONDS
    while owed := connectors.due(timezone.now()):
        left = ends - time.monotonic()
        if left <= 0 or any(connectors.is_much(one, timezone.now()) for one in owed):
            waking.ask(waking.DELIVER)
        if left <= 0:
            break
        # Each has its share of the time: one that answers slowly does not hold up the others.
        share, delivered = left / len(owed), 0
        for one in owed:
            if time.monotonic() < ends:
                delivered += connectors.deliver(one, timezone.now, seconds=share)
        sent += delivered
        # It looks once more, for what came in meanwhile; what only failed waits for its time.
        if not delivered and time.monotonic() < ends:
            break
    return sent


def first_sync(connection_id: int, after: int = 0) -> int:
    """Owe a connection the states of a slice of the open handoffs; returns the last lead's key. While there
    are more the next slice is asked for at once."""
    last = syncing.work(connection_id, after, timezone.now())
    if last:
        queueing.put("leads.tasks.first_sync", connection_id, last)
    return last


def remove_connection(connection_id: int) -> bool:
    """Take away what hangs on a deleted connection; returns whether there is more, which is gone on with at
    once."""
    is_left = removing.work(connection_id, MOST_SECONDS)
    if is_left:
        queueing.put("leads.tasks.remove_connection", connection_id)
    return is_left


def take_calls() -> int:
    """Take in what other systems have sent and was only stored, for one turn; returns how many calls. What is
    left goes on in another turn."""
    began = time.monotonic()
    taken = connectors.take_waiting(timezone.now, seconds=TAKING_SECONDS)
    if taken and time.monotonic() - began >= TAKING_SECONDS:
        waking.ask(waking.TAKE_CALLS)
    return taken


def poll() -> int:
    """Read what changed in other systems that their calls did not tell; returns how many events came."""
    came, ends = 0, time.monotonic() + MOST_SECONDS
    waiting = connectors.due_for_polling(timezone.now())
    for number, one in enumerate(waiting):
        left = (ends - time.monotonic()) / (len(waiting) - number)
        if left > 1:
            came += connectors.poll(one, timezone.now, seconds=left).get("events", 0)
    return came


def enrich() -> int:
    """Ask the HTTP provider about leads that wait for data; returns how many were asked about."""
    return completion.enrich_waiting(timezone.now())


def backtests() -> int:
    """Go on with the oldest back-test that nobody works on, for one slice; returns how far it is. While
    there is more to do the next slice is asked for at once."""
    run = backtesting.unfinished(timezone.now()).first()
    if run is None:
        return 0
    _next_slice("backtests", backtesting.work(run, timezone.now()), backtesting.unfinished)
    return Backtest.objects.values_list("replayed", flat=True).get(pk=run.pk)


def audit_sync() -> int:
    """Begin the daily comparison with the other systems; returns its id."""
    run = audit.start(timezone.now())
    queueing.put("leads.tasks.sync_audits")
    return run.pk


def sync_audits() -> int:
    """Go on with the oldest comparison that nobody works on, for one slice; returns how far it is."""
    run = audit.unfinished(timezone.now()).first()
    if run is None:
        return 0
    _next_slice("sync_audits", audit.work(run, timezone.now()), audit.unfinished)
    return SyncRun.objects.values_list("handoffs", flat=True).get(pk=run.pk)


def _next_slice(task: str, is_left: bool, unfinished: Callable[[datetime], QuerySet[Any]]) -> None:
    """Ask for the next slice at once while there is more to do."""
    if is_left or unfinished(timezone.now()).exists():
        queueing.put(f"leads.tasks.{task}")


def take_imports() -> int:
    """Go on with the oldest import that nobody works on, for one slice; returns how far it is. While there is
    more to do the next slice is asked for at once."""
    run = imports.unfinished(timezone.now()).select_related("created_by").first()
    if run is None:
        return 0
    _next_slice("take_imports", imports.work(run, timezone.now()), imports.unfinished)
    return LeadImport.objects.values_list("done", flat=True).get(pk=run.pk)


def bulk_acts() -> int:
    """Go on with the oldest act on many handoffs that is not done, for one slice; returns what is left. While
    there is more to do the next slice is asked for at once."""
    run = bulk.unfinished().select_related("created_by").first()
    if run is None:
        return 0
    bulk.work(run, timezone.now())
    if bulk.unfinished().exists():
        queueing.put("leads.tasks.bulk_acts")
    return bulk.counts(run)[""]


def review_rules() -> int:
    """Give each rule in force its quarterly review, and tell of those that are near or overdue; returns how
    many messages."""
    now = timezone.now()
    reviews.ensure_reviews(now)
    return rule_reviews.tell(now)


def prune() -> int:
    """Delete what nobody needs again: remembered answers, used links, expired sessions, old wrong
    passwords, imports that were never started, what became of acts on many, what has long left for other
    systems or come in, what the sync audit settled long ago; then what was kept for long enough.

    Never receipts (they make a retry harmless for ever) and never anything of the log. In batches, each a
    transaction of its own, until all is gone or the time is up. Returns the rows.
    """
    now, ends = timezone.now(), time.monotonic() + MOST_SECONDS
    doomed: tuple[QuerySet[Any], ...] = (
        RememberedAnswer.objects.filter(at__lt=now - ANSWERS_KEPT),
        UsedLink.objects.filter(used_at__lt=now - USED_LINKS_KEPT),
        Session.objects.filter(expire_date__lt=now),
        AccessAttempt.objects.filter(attempt_time__lt=now - ATTEMPTS_KEPT),
        imports.old(now),
        bulk.old(now),
        *outbox.old(now),
        *audit.old(now),
    )
    pruned = 0
    for rows in doomed:
        while keys := list(rows.order_by().values_list("pk", flat=True)[:PRUNED_AT_ONCE]):
            pruned += rows.model._default_manager.filter(pk__in=keys).delete()[0]
            if len(keys) < PRUNED_AT_ONCE or time.monotonic() > ends:
                break
    while outbox.empty_bodies(now, PRUNED_AT_ONCE) == PRUNED_AT_ONCE and time.monotonic() < ends:
        pass
    return pruned + retain()


def retain() -> int:
    """Empty what is older than its retention period, for one slice; returns how much. While there is more to
    do the next slice is asked for at once."""
    done, is_more = retention.run(timezone.now())
    if is_more:
        queueing.put("leads.tasks.retain")
    return sum(done.values())
