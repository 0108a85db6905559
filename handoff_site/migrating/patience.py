"""How a migration waits for its locks: shortly, and then again.

A statement that waits for a table keeps everybody waiting who comes after it, readers too. So it gives up
after less than half a second and the migration is begun again a little later: what was one transaction left
nothing, and what is not begins again where it stopped. Owns that waiting; knows no migration.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.pq import TransactionStatus

LOCK_MILLISECONDS = 400
TRIES = 40
LONGEST_PAUSE = 10.0
# Waits for others' transactions without being in anybody's way.
_BESIDE = re.compile(r"\bCONCURRENTLY\b|\bVALIDATE\s+CONSTRAINT\b", re.IGNORECASE)


def pause(tries: int) -> float:
    """Seconds to wait after so many tries that failed: half a second, then longer, at most ten."""
    return min(LONGEST_PAUSE, 0.5 * 1.4 ** (tries - 1))


def is_lock_timeout(error: OperationalError) -> bool:
    return getattr(error.__cause__, "sqlstate", None) == "55P03"


@contextmanager
def short_waits(connection: BaseDatabaseWrapper, milliseconds: int = LOCK_MILLISECONDS) -> Iterator[None]:
    """On PostgreSQL each lock is waited for no longer, but by what is in nobody's way."""

    def around(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        if not _BESIDE.search(str(sql)):
            return execute(sql, params, many, context)
        _set(connection, 0)
        try:
            return execute(sql, params, many, context)
        finally:
            _set(connection, milliseconds)

    if connection.vendor != "postgresql":
        yield
        return
    _set(connection, milliseconds)
    try:
        with connection.execute_wrapper(around):
            yield
    finally:
        _set(connection, 0)


def _set(connection: BaseDatabaseWrapper, milliseconds: int) -> None:
    """For the session. A transaction that failed takes nothing, and its end brings the former back."""
    connection.ensure_connection()
    if connection.connection.info.transaction_status in (TransactionStatus.IDLE, TransactionStatus.INTRANS):
        with connection.connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {milliseconds}")


def persist(
    act: Callable[[], None], say: Callable[[str], None], sleep: Callable[[float], None] = time.sleep
) -> None:
    """Do it until no lock kept it waiting for too long. Raises OperationalError after TRIES."""
    for tries in range(1, TRIES + 1):
        try:
            return act()
        except OperationalError as error:
            if not is_lock_timeout(error) or tries == TRIES:
                raise
            seconds = pause(tries)
            say(f"A table was in use; again in {seconds:.1f} s ({tries} of {TRIES} tries).")
            sleep(seconds)
    raise AssertionError("unreachable")
