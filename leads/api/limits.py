"""How much a key may send: a token bucket a key, counted in events.

Owns `Bucket`, pure over the clock it is given, and the buckets of this process. Each process counts for
itself with its share of the rate, so that no call waits for another process or the database.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from leads.api.errors import Problem
from leads.models import ApiKey


@dataclass
class Bucket:
    """Fills by `rate` tokens a second up to `burst`. `at` is when it was last looked at, in seconds."""

    rate: float
    burst: float
    tokens: float
    at: float

    def take(self, cost: float, at: float) -> float:
        """Take `cost` tokens and return 0, or take none and return the seconds until it is possible.

        More than the bucket holds is possible once it is full; it then owes the rest.
        """
        self.tokens = min(self.burst, self.tokens + max(0.0, at - self.at) * self.rate)
        # A clock that was set back must not stop the bucket from filling.
        self.at = at
        missing = min(cost, self.burst) - self.tokens
        if missing > 1e-6:
            return missing / self.rate
        self.tokens -= cost
        return 0.0


_buckets: dict[int, Bucket] = {}
_lock = threading.Lock()


def spend(key: ApiKey, cost: int, now: datetime) -> None:
    """Take `cost` events from the key's bucket. Raises Problem 429, with Retry-After, when it is too low."""
    at = now.timestamp()
    with _lock:
        bucket = _buckets.get(key.pk)
        if bucket is None:
            share = settings.WEB_PROCESSES
            burst = settings.INTAKE_BURST / share
            bucket = _buckets[key.pk] = Bucket(settings.INTAKE_RATE / share, burst, burst, at)
        wait = bucket.take(cost, at)
    if wait:
        seconds = max(1, math.ceil(wait))
        words = f"This key sends more than {settings.INTAKE_RATE} events a second. Wait {seconds} s."
        raise Problem(429, words, headers={"Retry-After": str(seconds)})


def forget() -> None:
    """Fill every bucket (the settings that shape them changed)."""
    with _lock:
        _buckets.clear()
