"""How a migration waits for its locks: shortly, and then again.

A statement that waits for a table keeps everybody waiting who comes after it, readers too. So it gives up
after less than half a second and comes again a little later: alone where it stands in no transaction, so that
no index or row is made twice, else with all of its migration, which left nothing. Owns that waiting; knows no
migration.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.pq import TransactionStatus

Done = TypeVar("Done")
LOCK_MILLISECONDS = 400
# What is left to a statement of a transaction that has used up its time. A lock that is free is got at once.
LEAST_MILLISECONDS = 30
TRIES = 40
LONGEST_PAUSE = 10.0
# Waits for others' transactions without being in anybody's way.
_BESIDE = re.compile(r"\bCONCURRENTLY\b|\bVALIDATE\s+CONSTRAINT\b", re.IGNORECASE)
# Makes what nobody else knows yet, or takes no lock that stands in somebody's way.
_NEW = re.compile(r"\s*(CREATE\s+TABLE|CREATE\s+(UNIQUE\s+)?INDEX|SELECT|SET)\b", re.IGNORECASE)


def pause(tries: int) -> float:
    """Seconds to wait after so many tries that failed: half a second, then longer, at most ten."""
    return min(LONGEST_PAUSE, 0.5 * 1.4 ** (tries - 1))


def is_lock_timeout(error: OperationalError) -> bool:
    return getattr(error.__cause__, "sqlstate", None) == "55P03"


@contextmanager
def short_waits(
    connection: BaseDatabaseWrapper,
    milliseconds: int = LOCK_MILLISECONDS,
    say: Callable[[str], None] = lambda said: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """On PostgreSQL each lock is waited for no longer, but by what is in nobody's way. What stands in no
    transaction comes again by itself; in one the time is for all its locks together, for it keeps each."""
    since: float | None = None

    def around(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        nonlocal since
        if connection.in_atomic_block:
            now = time.monotonic()
            if _status(connection) == TransactionStatus.IDLE:
                since = None
            if since is None and not _NEW.match(str(sql)):
                since = now
            spent = 0 if since is None else int((now - since) * 1000)
            _set(connection, max(LEAST_MILLISECONDS, milliseconds - spent))
            return execute(sql, params, many, context)
        if not _BESIDE.search(str(sql)):
            # A transaction before it may have left it less.
            _set(connection, milliseconds)
            return persist(lambda: execute(sql, params, many, context), say, sleep)
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
    if _status(connection) in (TransactionStatus.IDLE, TransactionStatus.INTRANS):
        with connection.connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {milliseconds}")


def _status(connection: BaseDatabaseWrapper) -> TransactionStatus:
    connection.ensure_connection()
    return TransactionStatus(connection.connection.info.transaction_status)


def persist(
    act: Callable[[], Done],
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
    got_to: Callable[[], object] = lambda: None,
) -> Done:
    """Do it until no lock kept it waiting for too long. Raises OperationalError after TRIES at one place, and
    that is nobody's reason to come again; `got_to` says which place it is."""
    place, tries = got_to(), 0
    while True:
        try:
            return act()
        except OperationalError as error:
            if not is_lock_timeout(error):
                raise
            before, place = place, got_to()
            tries = tries + 1 if place == before else 1
            if tries == TRIES:
                raise OperationalError(f"{error} ({TRIES} tries)") from error
            seconds = pause(tries)
            say(f"A table was in use; again in {seconds:.1f} s ({tries} of {TRIES} tries).")
            sleep(seconds)
