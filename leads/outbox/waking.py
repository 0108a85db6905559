"""The worker is asked for when something is about to be due, so that nothing waits for the next minute.

Owns asking after the commit, at the second at which it is due: once a second a process at most, and never
while one that was asked for still waits, so that a burst of changes is no burst of tasks. Only a nudge: what
is lost with a process that ends, the schedule's next minute finds. Does no work itself.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable
from datetime import datetime

import structlog
from django.db import Error, connections, transaction

from leads import queueing

log = structlog.get_logger(__name__)

DELIVER, TAKE_CALLS = "leads.tasks.deliver", "leads.tasks.take_calls"
# Nobody is woken for what is due later than this: the schedule comes before it.
LATEST = 30.0
# Task and second (of the monotonic clock) that were asked for and are still to come.
_asked: set[tuple[str, int]] = set()
_lock = threading.Lock()


def soon(task: str, now: datetime, moments: Iterable[datetime]) -> None:
    """Ask for this task at these moments, once this transaction has committed."""
    waits = {max(0, math.ceil((moment - now).total_seconds())) for moment in moments}
    near = sorted(wait for wait in waits if wait <= LATEST)

    def ask_for_each() -> None:
        for wait in near:
            later(task, wait)

    if near:
        transaction.on_commit(ask_for_each, robust=True)


def later(task: str, wait: float) -> None:
    """Ask for this task in so many seconds, at the end of that second; what was asked for already is not
    asked for again."""
    at = math.floor(time.monotonic() + wait) + 1
    with _lock:
        if (task, at) in _asked:
            return
        _asked.add((task, at))
    timer = threading.Timer(at - time.monotonic(), _wake, (task, at))
    timer.daemon = True
    timer.start()


def _wake(task: str, at: int) -> None:
    with _lock:
        _asked.discard((task, at))
    try:
        ask(task)
    except Error:
        # The schedule will.
        log.warning("the worker could not be asked for", task=task)
    finally:
        # This thread ends here, and so do its connections.
        connections.close_all()


def ask(task: str) -> bool:
    """Ask for this task now, unless one waits that nobody has begun; whether it was."""
    if queueing.waits(task):
        return False
    queueing.put(task)
    return True
