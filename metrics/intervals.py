"""How sure a share is: its interval.

Pure. The formula has one home, `leads.patterns`, which speaks of rejections with it; the figures ask here.
"""

from __future__ import annotations

from leads import patterns


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of a share: (low, high), within 0 and 1; (0, 1) of nothing. ValueError
    unless 0 <= hits <= of."""
    return patterns.interval(hits, of)
