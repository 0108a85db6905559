"""What rejections say about a source or a rule, in words: how many of how many, and how sure that is.

Owns when there are enough of them to speak in per cent, and the interval. Few are told as "3 of 4" and said
to be few. Pure.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Fewer rejections than this are told as they are; fewer of one reason than this are no pattern.
ENOUGH, FEWEST = 10, 2
SHARE = 0.2
MOST = 6
# The 97.5th percentile of the standard normal distribution: 95 % lie within plus and minus this.
Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Said:
    """One rejection: where the lead came from and what was said of it."""

    group: str
    code: str
    label: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """One finding; `text` is the whole sentence."""

    group: str
    code: str
    count: int
    total: int
    text: str


def patterns(acts: Iterable[Said], of: str, most: int = MOST) -> list[Pattern]:
    """What stands out by group, the most rejections first: for each group the reason named most often, if it
    is a pattern at all. `of` begins the words for a group ("from ", "by the rule ")."""
    by_group: dict[str, list[Said]] = {}
    for act in acts:
        by_group.setdefault(act.group, []).append(act)
    found = [_pattern(group, said, of) for group, said in by_group.items()]
    shown = [pattern for pattern in found if pattern is not None]
    # What is sure comes first, then what is many.
    shown.sort(key=lambda p: (p.total < ENOUGH, -p.count, -p.count / p.total, p.group))
    return shown[:most]


def _pattern(group: str, said: Sequence[Said], of: str) -> Pattern | None:
    total = len(said)
    [(first, count)] = Counter((act.code, act.label) for act in said).most_common(1)
    if count < FEWEST or count / total < SHARE:
        return None
    code, label = first
    return Pattern(group, code, count, total, sentence(count, total, label, f"{of}{group or 'no source'}"))


def sentence(count: int, total: int, label: str, where: str) -> str:
    """ "30 % of rejections from Webinar say wrong title: 12 of 40 (true share between 18 and 45 %)." """
    if total < ENOUGH:
        return f"{count} of {total} rejections {where} say {label.lower()}: too few to be sure."
    low, high = interval(count, total)
    share = round(100 * count / total)
    between = f" (true share between {round(100 * low)} and {round(100 * high)} %)"
    return f"{share} % of rejections {where} say {label.lower()}: {count} of {total}{between}."


def interval(hits: int, of: int) -> tuple[float, float]:
    """The Wilson score interval of a share at 95 %, (low, high) between 0 and 1; of nothing it is (0, 1).

    (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n). It holds for small numbers and for none or all,
    where the usual interval does not: E. B. Wilson, "Probable inference, the law of succession, and
    statistical inference", J. Am. Stat. Assoc. 22 (1927); recommended by L. D. Brown, T. T. Cai, A.
    DasGupta, "Interval estimation for a binomial proportion", Statistical Science 16 (2001). ValueError
    unless 0 <= hits <= of.
    """
    if not 0 <= hits <= of:
        raise ValueError(f"{hits} of {of} is no share")
    if of == 0:
        return 0.0, 1.0
    share, square = hits / of, Z * Z
    middle = share + square / (2 * of)
    reach = Z * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    whole = 1 + square / of
    # None and all are ends of the interval exactly; rounding would miss them by a hair.
    low = 0.0 if hits == 0 else max(0.0, (middle - reach) / whole)
    high = 1.0 if hits == of else min(1.0, (middle + reach) / whole)
    return low, high
