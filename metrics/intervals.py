"""How sure a share is: its interval.

Pure. The formula has one home, `leads.patterns`, which speaks of rejections with it; the figures ask here.
"""

from __future__ import annotations

from leads import patterns


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % score interval of a share: (low, high), within 0 and 1; (0, 1) of nothing.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the
    American Statistical Association 22 (1927), 209-212. Honest for few cases and for shares near 0 or 1.
    """
    return patterns.interval(hits, of)
