"""Whether a share or a volume differs from another by more than chance would have it.

Pure. Owns the two tests and when they may be used at all. A difference without a test is not worth a
sentence: what the tests do not show is told as "about the same" or as too few.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from metrics.figures import Rate
from metrics.intervals import wilson

# Two-sided, 5 %.
CRITICAL = 1.959964
# The normal approximation holds from so many expected hits and misses on, in each of the two groups.
EXPECTED = 5


class Moved(StrEnum):
    UP = "up"
    DOWN = "down"
    SAME = "about the same"
    UNKNOWN = "too few to compare"


def proportions(now: Rate, before: Rate) -> Moved:
    """Whether a share moved, by the test for two proportions with a pooled variance.

    z = (p1 - p2) / sqrt(p (1 - p) (1/n1 + 1/n2)), p = (x1 + x2) / (n1 + n2); moved from |z| >= 1.96 on.
    Source: NIST/SEMATECH e-Handbook of Statistical Methods, 7.3.3 "How can we determine whether two
    processes produce the same proportion of defectives?". UNKNOWN where a group's expected hits or misses
    are below 5.
    """
    n, m = now.denominator, before.denominator
    if not n or not m:
        return Moved.UNKNOWN
    # In whole numbers as far as it goes, so that hits and misses, now and before, are looked at alike.
    hits = now.numerator + before.numerator
    misses = n + m - hits
    if min(n, m) * min(hits, misses) < EXPECTED * (n + m):
        return Moved.UNKNOWN
    apart = now.numerator * m - before.numerator * n
    return _moved(apart / math.sqrt(n * m * hits * misses / (n + m)))


def volumes(now: int, weeks: int, before: int, weeks_before: int) -> Moved:
    """Whether more or fewer came a week than before.

    Given the sum of two Poisson counts, the first is binomial with the share of its weeks: z = (x - n p) /
    sqrt(n p (1 - p)). Source: J. Przyborowski and H. Wilenski, "Homogeneity of results in testing samples
    from Poisson series", Biometrika 31 (1940), 313-323.
    """
    n = now + before
    if weeks <= 0 or weeks_before <= 0:
        return Moved.UNKNOWN
    p = weeks / (weeks + weeks_before)
    if n * min(p, 1 - p) < EXPECTED:
        return Moved.UNKNOWN
    return _moved((now - n * p) / math.sqrt(n * p * (1 - p)))


def _moved(z: float) -> Moved:
    if abs(z) < CRITICAL:
        return Moved.SAME
    return Moved.UP if z > 0 else Moved.DOWN


@dataclass(frozen=True)
class Compared:
    """A share of the weeks looked at, and of as many weeks before."""

    now: Rate
    before: Rate

    @property
    def moved(self) -> Moved:
        return proportions(self.now, self.before)

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.now.numerator, self.now.denominator)

    @property
    def opposite(self) -> Compared:
        """The share of the misses."""
        return Compared(_opposite(self.now), _opposite(self.before))


def _opposite(rate: Rate) -> Rate:
    return Rate(rate.denominator - rate.numerator, rate.denominator)
