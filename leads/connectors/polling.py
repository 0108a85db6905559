"""Reading what changed in other systems, page by page: for what their webhooks never told.

Owns which connections are due, the lease by which one worker polls one connection, and the cursor, which is
saved only after the intake took the page. `polled_at` is the moment to which everything there is known. How a
system is read is its connector's; what is news is `arriving`'s.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.db import DatabaseError
from django.db.models import Q

from leads import outbox
from leads.connectors import arriving
from leads.connectors.base import Connector, Denied, NotOffered
from leads.connectors.client import Unreachable
from leads.connectors.delivering import UNEXPECTED, opened
from leads.connectors.kinds import CONNECTORS
from leads.models import Connection
from leads.sealing import CannotOpen

log = structlog.get_logger(__name__)
# Longer than a page may take; taken anew with each.
LEASE = timedelta(minutes=3)
USUAL_MINUTES = 5
# A connection that can't be read now is tried again by the next run of the task, not sooner.


def pollable() -> list[str]:
    """The kinds of systems that can be asked what changed."""
    return [str(kind) for kind, connector in CONNECTORS.items() if connector.changes is not Connector.changes]


def minutes(connection: Connection) -> int:
    """How many minutes lie between its polls; 0 for never."""
    given = connection.options.get("poll_minutes", USUAL_MINUTES)
    return max(0, int(given)) if isinstance(given, int | float) or str(given).isdigit() else USUAL_MINUTES


def due(now: datetime) -> list[Connection]:
    """The active connections whose poll is due and that nobody polls, those that waited longest first."""
    free = Q(polling_until__isnull=True) | Q(polling_until__lte=now)
    found = Connection.objects.filter(free, is_active=True, kind__in=pollable())
    waiting = [one for one in found if _is_due(one, now)]
    return sorted(waiting, key=lambda one: (one.polled_at is not None, one.polled_at, one.pk))


def _is_due(connection: Connection, now: datetime) -> bool:
    every = minutes(connection)
    if not every or outbox.is_paused(connection, now):
        return False
    return connection.polled_at is None or connection.polled_at + timedelta(minutes=every) <= now


def poll(connection: Connection, clock: Callable[[], datetime], *, seconds: float) -> dict[str, int]:
    """Read what changed, for so many seconds at most; what came of the events, in counts. Nothing while
    another worker polls it. What is not finished goes on from its cursor next time."""
    began = clock()
    lease = _take(connection, began)
    counts: dict[str, int] = {}
    if lease is None:
        return counts
    ends = time.monotonic() + seconds
    try:
        with opened(connection) as connector:
            is_more = True
            while is_more and lease is not None and time.monotonic() < ends:
                page = connector.changes(connection.cursor, clock())
                for name, count in arriving.take(
                    connection, [dict(one) for one in page.events], clock()
                ).items():
                    counts[name] = counts.get(name, 0) + count
                arriving.look(connection, page.records, clock())
                is_more = page.is_more
                connection.cursor = dict(page.cursor)
                lease = _go_on(connection, lease, clock(), None if is_more else began)
    except Denied as error:
        words = f"The credentials are refused: {error}"[:300]
        Connection.objects.filter(pk=connection.pk).update(paused_why=words, paused_until=None)
    except CannotOpen as error:
        Connection.objects.filter(pk=connection.pk).update(paused_why=str(error)[:300], paused_until=None)
    except (Unreachable, NotOffered) as error:
        log.warning("a connection could not be polled", connection=connection.slug, reason=str(error))
    except (*UNEXPECTED, DatabaseError):
        log.exception("a connector stumbled over a page", connection=connection.slug)
    finally:
        if lease is not None:
            Connection.objects.filter(pk=connection.pk, polling_until=lease).update(polling_until=None)
    return counts


def _take(connection: Connection, now: datetime) -> datetime | None:
    """The lease, unless another worker has it; the cursor is then as it was left."""
    free = Q(polling_until__isnull=True) | Q(polling_until__lte=now)
    until = now + LEASE
    if not Connection.objects.filter(free, pk=connection.pk, is_active=True).update(polling_until=until):
        return None
    connection.refresh_from_db()
    return until


def _go_on(
    connection: Connection, lease: datetime, now: datetime, finished: datetime | None
) -> datetime | None:
    """Save the cursor and take the lease anew; None where another worker has it by now, whose cursor counts.
    A finished poll knows everything up to its beginning."""
    until = max(now, lease - LEASE) + LEASE
    changes = {"cursor": connection.cursor, "polling_until": until}
    if finished is not None:
        changes["polled_at"] = finished
    mine = Connection.objects.filter(pk=connection.pk, polling_until=lease)
    return until if mine.update(**changes) else None
