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


def interval(count: int, total: int) -> tuple[float, float]:
    """Wilson's score interval at 95 %: honest for few and for shares near nothing or all."""
    if total <= 0:
        return 0.0, 1.0
    z, share = 1.959964, count / total
    middle = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
