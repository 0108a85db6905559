"""Who waits for a lock on PostgreSQL, for how long, and behind whom; looked at fifty times a second.

A wait is as long as it was when it was last seen, counted by the server from when it began. Between two looks
one may come and go unseen, so a watch that paused for as long as the waits that it looks for proves nothing,
and says so. Owns the looking; which waits are too long is for whoever watches.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

import psycopg

EVERY = 0.02
ASKED = """
SELECT l.pid, a.application_name, l.waitstart, EXTRACT(epoch FROM clock_timestamp() - l.waitstart),
    COALESCE(l.relation::regclass::text, l.locktype), l.mode, pg_blocking_pids(l.pid), left(a.query, 120)
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE NOT l.granted AND l.waitstart IS NOT NULL AND a.datname = current_database()
"""
NAMES = "SELECT pid, application_name FROM pg_stat_activity WHERE datname = current_database()"


@dataclass
class Wait:
    """One wait: whose (by application_name), for what, how long in seconds, and behind whom when it was last
    seen, whomever those waited for included."""

    who: str
    what: str
    seconds: float
    behind: frozenset[str]
    query: str

    def __str__(self) -> str:
        behind = ", ".join(sorted(self.behind))
        return f"{self.seconds * 1000:4.0f} ms  {self.who} for {self.what} behind {behind}: {self.query}"


class Watch:
    """Looks until the end of the block for waits of `longest` seconds; `waits` has what was seen, `looks` how
    often, `pause` the longest between two looks in seconds."""

    def __init__(self, address: str, longest: float) -> None:
        self.address, self.longest = address, longest
        self.seen: dict[tuple[int, Any], Wait] = {}
        self.looks, self.pause = 0, 0.0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self.thread.start()
        return self

    def __exit__(self, kind: object, *wrong: object) -> None:
        was_looking = self.thread.is_alive()
        self.over.set()
        self.thread.join(timeout=30)
        # Whoever had stopped to look saw nothing wrong.
        assert was_looking or kind, "the watch ended before its time"
        words = f"the watch looked away for {self.pause:.3f} s: a wait of {self.longest:.3f} s may be unseen"
        assert self.pause < self.longest or kind, words

    @property
    def waits(self) -> list[Wait]:
        """The longest first."""
        return sorted(self.seen.values(), key=lambda wait: -wait.seconds)

    def _look(self) -> None:
        with psycopg.connect(self.address, autocommit=True, application_name="watch") as asked:
            last = time.monotonic()
            while not self.over.wait(EVERY):
                self._take(asked)
                self.looks += 1
                now = time.monotonic()
                self.pause, last = max(self.pause, now - last), now

    def _take(self, asked: psycopg.Connection[Any]) -> None:
        rows = asked.execute(ASKED).fetchall()
        if not rows:
            return
        names = dict(asked.execute(NAMES).fetchall())
        before = {row[0]: set(row[6]) for row in rows}
        for pid, who, began, seconds, what, mode, _, query in rows:
            behind = frozenset(names.get(one, "gone") for one in _all_before(pid, before))
            what, query = f"{what} ({mode})", " ".join(query.split())
            self.seen[pid, began] = Wait(who, what, float(seconds), behind, query)


def _all_before(pid: int, before: dict[int, set[int]]) -> set[int]:
    """Everybody whom it waits for, and whom those wait for."""
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        new = before.get(waiting.pop(), set()) - found
        found |= new
        waiting.extend(new)
    return found - {pid}
