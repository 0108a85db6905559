"""How long to wait, and when to stop asking: backoff, the breaker, the rate budget. Pure.

Owns the numbers. Every function is given the moment, and the chance as a number between 0 and 1. Knows no
row and no system: `leads.outbox.claiming` and `settling` keep what these give back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

# Standard Webhooks 1.0's example schedule: the wait after the first, second ... attempt (about 75 hours).
WEBHOOK_WAITS = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
)  # fmt: skip
# A state is absolute, so asking often costs little: doubling from five seconds to a quarter of an hour, for
# about a day.
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=15)
MOST_STATE_ATTEMPTS = 100
LONGEST_RETRY_AFTER = timedelta(hours=24)
# Who says "too many" and not until when is left alone for so long (HubSpot's shortest window is ten seconds).
THROTTLED_WAIT = timedelta(seconds=10)

# The breaker: open after so many transient failures in a row, or when half of the last ones failed.
IN_A_ROW, LOOKED_AT, SHARE = 5, 20, 0.5
FIRST_PROBE, LONGEST_PROBE = timedelta(seconds=60), timedelta(minutes=15)


def most_attempts(is_state: bool) -> int:
    return MOST_STATE_ATTEMPTS if is_state else len(WEBHOOK_WAITS) + 1


def wait(is_state: bool, attempts: int, chance: float, retry_after: timedelta | None = None) -> timedelta:
    """How long to wait after the `attempts`-th attempt (1 or more) failed.

    States back off by full jitter: anything between nothing and the doubled wait (AWS Architecture Blog,
    "Exponential Backoff And Jitter", 2015). Events keep their schedule, up to a tenth longer. What the other
    side asked for (`Retry-After`) is the least, up to a day.
    """
    if is_state:
        ceiling = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(attempts - 1, 20))
        waiting = ceiling * chance
    else:
        waiting = WEBHOOK_WAITS[min(attempts, len(WEBHOOK_WAITS)) - 1] * (1 + chance / 10)
    asked = min(retry_after or timedelta(0), LONGEST_RETRY_AFTER)
    return max(waiting, asked)


def throttled_wait(chance: float, retry_after: timedelta | None = None) -> timedelta:
    """How long to wait where the other side asked for it: as long as it said, up to a day, and up to a tenth
    longer, so that what was asked to wait together does not come back together."""
    asked = THROTTLED_WAIT if retry_after is None else min(retry_after, LONGEST_RETRY_AFTER)
    return asked * (1 + chance / 10)


@dataclass(frozen=True, slots=True)
class Breaker:
    """Whether a connection is being spared. `outcomes` are the last ones, oldest first, "1" went well.

    Closed: `probe_at` is None. Open: nothing is sent before `probe_at`, then one attempt is made.
    """

    failures: int = 0
    outcomes: str = ""
    trips: int = 0
    probe_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.probe_at is not None

    def lets(self, now: datetime) -> int | None:
        """How many may be sent: None for any number, 1 for a probe, 0 while it is open."""
        if self.probe_at is None:
            return None
        return 1 if self.probe_at <= now else 0

    def after(self, results: Sequence[bool], now: datetime) -> Breaker:
        """The breaker after these outcomes, in order; False is a transient failure."""
        breaker = self
        for result in results:
            breaker = breaker._after_one(result, now)
        return breaker

    def _after_one(self, is_good: bool, now: datetime) -> Breaker:
        if is_good:
            kept = "1" if self.is_open else (self.outcomes + "1")[-LOOKED_AT:]
            return Breaker(outcomes=kept)
        failed = replace(self, failures=self.failures + 1, outcomes=(self.outcomes + "0")[-LOOKED_AT:])
        half = len(failed.outcomes) == LOOKED_AT and failed.outcomes.count("0") >= LOOKED_AT * SHARE
        if failed.is_open or failed.failures >= IN_A_ROW or half:
            pause = min(LONGEST_PROBE, FIRST_PROBE * 2 ** min(failed.trips, 10))
            return replace(failed, trips=failed.trips + 1, probe_at=now + pause)
        return failed


@dataclass(frozen=True, slots=True)
class Bucket:
    """A rate budget: `rate` calls a second, `burst` at once at most. Full where nothing was ever taken."""

    rate: float
    burst: int
    tokens: float = 0
    at: datetime | None = None

    def filled(self, now: datetime) -> Bucket:
        if self.at is None:
            return replace(self, tokens=float(self.burst), at=now)
        # A clock that was set back fills nothing, and takes nothing away.
        passed = max(0.0, (now - self.at).total_seconds())
        return replace(
            self, tokens=min(float(self.burst), self.tokens + passed * self.rate), at=max(now, self.at)
        )

    def room(self, now: datetime) -> int:
        """How many calls may be made now."""
        return int(self.filled(now).tokens)

    def less(self, calls: int, now: datetime) -> Bucket:
        """The bucket after so many calls, for which there was room."""
        full = self.filled(now)
        return replace(full, tokens=full.tokens - calls)

    def wait(self, now: datetime, calls: int = 1) -> timedelta:
        """How long until so many calls may be made."""
        missing = calls - self.filled(now).tokens
        return timedelta(seconds=max(0.0, missing / self.rate))
