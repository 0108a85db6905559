"""Whether the copy of the database that follows the primary is fit to be read.

Owns the guard: once a second at most a process asks the primary how far its log has come, and then the copy
how far it has replayed it. What the copy has replayed of an earlier answer says how old it is at most; no
clock of another machine is believed, a quiet primary is no lag, and a copy that hears nothing more, or
follows something else, falls behind like any other. One that does not answer is not asked again for a while,
and nobody waits while another asks. Never says what is read from it: that is `routing.reading`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connections

COPY = "replica"
# Seconds: between two looks; until one that did not answer is asked again; that a copy is given to catch up.
EVERY, SPARED, MOMENT = 1.0, 10.0, 0.125
# Answers of the primary that are remembered: as many as the longest lag that may be allowed has looks.
MOST = 4000

log = logging.getLogger("handoff.replica")


@dataclass(frozen=True, slots=True)
class Verdict:
    """How old the copy is at most, in seconds (None: unknown), and why it is not read, "" while it is."""

    lag: float | None
    why: str = ""

    @property
    def is_used(self) -> bool:
        return not self.why


class Guard:
    """One process's look at the copy. `primary` and `copy` give bytes of the log, the copy None when it is no
    copy (any more); both raise django.db.Error. `limit` and `clock` are in seconds."""

    def __init__(
        self,
        limit: float,
        primary: Callable[[], int],
        copy: Callable[[], int | None],
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limit, self._primary, self._copy = limit, primary, copy
        self._clock, self._wait = clock, wait
        self._asking = threading.Lock()
        self._ask_at = clock()
        self._verdict = Verdict(None, "It was not asked yet.")
        # Where the primary was, and when: the first is the last that the copy has replayed, if any is.
        self._was: deque[tuple[int, float]] = deque(maxlen=MOST)

    def verdict(self) -> Verdict:
        """As of a second ago at most. While another thread asks, it is not used."""
        if self._clock() < self._ask_at:
            return self._verdict
        if not self._asking.acquire(blocking=False):
            return replace(self._verdict, why=self._verdict.why or "It is being asked.")
        try:
            before, self._verdict = self._verdict, self._ask()
            self._ask_at = self._clock() + (EVERY if self._was else SPARED)
        finally:
            self._asking.release()
        if before.is_used != self._verdict.is_used:
            log.warning("replica %s", "is used" if self._verdict.is_used else "is not used")
        return self._verdict

    def doubt(self) -> None:
        """A page could not be read from it: whoever comes next asks first."""
        self._ask_at = self._clock()

    def _ask(self) -> Verdict:
        try:
            # The primary first: what the copy has replayed beyond this is no older than this moment.
            self._was.append((self._primary(), self._clock()))
            lag = self._look()
            if lag is None or lag > self._limit:
                # Of a busy primary the copy is always a moment behind what was just said.
                self._wait(MOMENT)
                lag = self._look()
        except (Error, _NoCopy) as error:
            self._was.clear()
            return Verdict(None, str(error) if isinstance(error, _NoCopy) else "It does not answer.")
        if lag is None:
            return Verdict(None, "It is not known yet how far it is behind.")
        return Verdict(lag, "It is too far behind." if lag > self._limit else "")

    def _look(self) -> float | None:
        replayed = self._copy()
        if replayed is None:
            raise _NoCopy("It follows no primary.")
        newest, _ = self._was[-1]
        if replayed >= newest:
            while len(self._was) > 1:
                self._was.popleft()
            return 0.0
        while len(self._was) > 1 and self._was[1][0] <= replayed:
            self._was.popleft()
        position, at = self._was[0]
        return self._clock() - at if position <= replayed else None


class _NoCopy(Exception):
    """What answers is no copy."""


def verdict() -> Verdict | None:
    """How the copy is; None when this site has none."""
    return _guard().verdict() if COPY in settings.DATABASES else None


def doubt() -> None:
    """See `Guard.doubt`."""
    _guard().doubt()


@cache
def _guard() -> Guard:
    return Guard(settings.REPLICA_MAX_LAG, _primary_at, _copy_at)


def _primary_at() -> int:
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")
        return int(cursor.fetchone()[0])


def _copy_at() -> int | None:
    # By a connection of its own: whether one can be made at all is half of the question.
    asked = connections[COPY].copy()
    try:
        with asked.cursor() as cursor:
            cursor.execute(
                "SELECT pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint WHERE pg_is_in_recovery()"
            )
            row = cursor.fetchone()
    finally:
        asked.close()
    return None if row is None or row[0] is None else int(row[0])
