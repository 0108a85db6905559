"""Open proposals of the agreement, as a report lists them.

Owns nothing but the question: who keeps the agreement answers it with plain values.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from metrics.reports.gathering import Proposal


def open_ones(now: datetime) -> Sequence[Proposal]:
    """The proposals that wait for the other side, the oldest first; none while there is no agreement."""
    return ()
