"""The doubles' time: the machine's, moved by an offset that a test sets.

All five systems share one clock. Token lives, search lag, modification times, rate windows and signatures
read it; how long an answer took is measured by the machine. It never sleeps.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """Unix seconds of the doubles; `offset` seconds ahead of the machine."""

    def __init__(self) -> None:
        self.offset = 0.0

    def now(self) -> float:
        return time.time() + self.offset

    def moment(self) -> datetime:
        """Now as an aware datetime in UTC."""
        return datetime.fromtimestamp(self.now(), UTC)

    def advance(self, seconds: float) -> None:
        self.offset += seconds


def iso_millis(at: float) -> str:
    """`2026-03-10T10:00:00.000Z`, as HubSpot writes times."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(at * 1000) % 1000:03d}Z"


def iso_offset(at: float, offset: str = "+00:00") -> str:
    """`2026-03-10T10:00:00+00:00`, as Mautic writes times."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S") + offset


def unix(text: str) -> float | None:
    """Seconds of an ISO time (a bare one is UTC) or of milliseconds in digits; None for anything else."""
    if text.isdigit() and len(text) >= 12:
        return int(text) / 1000
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
