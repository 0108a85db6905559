"""How sure a share is: the interval in which it may lie when few cases are behind it.

Pure. Owns the one formula; what is made of it in words is `metrics.words`.
"""

from __future__ import annotations

import math

# The 97.5th percentile of the standard normal distribution: 95 % lie within plus and minus this.
Z = 1.959963984540054


def wilson(hits: int, of: int, z: float = Z) -> tuple[float, float]:
    """The Wilson score interval of a share, (low, high) between 0 and 1; of nothing it is (0, 1).

    (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n), by default at 95 %. It holds for small numbers
    and for none or all, where the usual interval does not: E. B. Wilson, "Probable inference, the law of
    succession, and statistical inference", J. Am. Stat. Assoc. 22 (1927); recommended by L. D. Brown,
    T. T. Cai, A. DasGupta, "Interval estimation for a binomial proportion", Statistical Science 16 (2001).
    ValueError unless 0 <= hits <= of.
    """
    if not 0 <= hits <= of:
        raise ValueError(f"{hits} of {of} is no share")
    if of == 0:
        return 0.0, 1.0
    share, square = hits / of, z * z
    middle = share + square / (2 * of)
    reach = z * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    whole = 1 + square / of
    # None and all are ends of the interval exactly; rounding would miss them by a hair.
    low = 0.0 if hits == 0 else max(0.0, (middle - reach) / whole)
    high = 1.0 if hits == of else min(1.0, (middle + reach) / whole)
    return low, high
