"""Trying a connection: one call that changes nothing, and one test event on its way through the outbox.

Owns what is sent and what is said of it. A test event is a delivery like any other, so its log, its signature
and its retries are those of the real ones; one that still waits is sent again rather than joined by a second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from leads import connectors, outbox
from leads.connectors.addresses import Forbidden
from leads.connectors.base import NotOffered
from leads.connectors.client import Unreachable
from leads.connectors.delivering import IMPATIENT, UNEXPECTED
from leads.models import Connection, Delivery
from leads.outbox import catalogue
from leads.outbox.catalogue import TEST
from leads.outbox.owing import TELLS_PEOPLE
from leads.sealing import CannotOpen


@dataclass(frozen=True, slots=True)
class Tried:
    """Whether it went well, and what the other side said."""

    is_good: bool
    words: str


def check(connection: Connection) -> Tried:
    """Call the other system once; within seconds."""
    try:
        with connectors.opened(connection, IMPATIENT) as connector:
            return Tried(True, connector.check())
    except (NotOffered, Unreachable, Forbidden, CannotOpen) as error:
        return Tried(False, str(error))
    except UNEXPECTED as error:
        return Tried(False, f"The answer could not be understood ({type(error).__name__}).")


def takes_tests(connection: Connection) -> bool:
    """Whether there is somewhere to send a test event to."""
    return connection.kind in TELLS_PEOPLE or (
        connection.kind == Connection.Kind.WEBHOOK and bool(connection.base_url)
    )


def send_test(connection: Connection, clock: Callable[[], datetime]) -> Delivery:
    """One test event, sent now if the connection lets it; its row as it is afterwards."""
    now, is_message = clock(), connection.kind in TELLS_PEOPLE
    waiting = Delivery.objects.filter(connection=connection, type=TEST, done_at__isnull=True)
    row = waiting.order_by("-id").first()
    if row is None:
        row = Delivery.objects.create(
            connection=connection,
            kind=Delivery.Kind.MESSAGE if is_message else Delivery.Kind.EVENT,
            type=TEST,
            message_id=outbox.new_id(),
            # A message is worded when it is sent.
            body="" if is_message else catalogue.sample(now),
            next_attempt_at=now,
            occurred_at=now,
            created_at=now,
        )
    else:
        # Whoever asks again does not want to wait for the next attempt.
        waiting.filter(pk=row.pk, locked_until__isnull=True).update(next_attempt_at=now)
    row.connection = connection
    connectors.deliver_one(row, clock)
    return Delivery.objects.select_related("connection").get(pk=row.pk)
