"""What moved from one week to the next, in sober sentences: a move is what chance hardly explains.

Pure. Two shares are compared by the interval of their difference (Newcombe 1998, Statistics in Medicine 17,
873-890, method 10), built on the Wilson interval of each; a time by its share within target. Nothing here
says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from metrics import words
from metrics.intervals import wilson
from metrics.periods import Week
from metrics.words import SHOWN

# From fewer than this on either side nothing is said to have moved.
FEWEST = 8


@dataclass(frozen=True)
class Move:
    """A figure in two weeks: the sentence, and whether it went "up", "down" or "" (within chance)."""

    key: str
    way: str
    text: str


def difference(before: tuple[int, int], after: tuple[int, int]) -> tuple[float, float]:
    """The 95 % interval of the later share less the earlier one; each is (hits, of)."""
    low_1, high_1 = wilson(*after)
    low_2, high_2 = wilson(*before)
    one, two = after[0] / after[1], before[0] / before[1]
    down = sqrt((one - low_1) ** 2 + (high_2 - two) ** 2)
    up = sqrt((high_1 - one) ** 2 + (two - low_2) ** 2)
    return one - two - down, one - two + up


def moved(metrics: Sequence[Mapping[str, Any]]) -> list[Move]:
    """One sentence for each figure of a report that has two mature weeks beside each other: what moved
    first, then what did not."""
    found = [move for each in metrics if (move := _move(each)) is not None]
    return sorted(found, key=lambda move: not move.way)


def _move(metric: Mapping[str, Any]) -> Move | None:
    last = metric["last"]
    if last is None:
        return None
    shown = SHOWN[metric["key"]]
    earlier = Week.parse(last["week"]).plus(-1).name
    before = next((each for each in metric["weeks"] if each["week"] == earlier), None)
    if before is None or not (before["of"] or last["of"]):
        return None
    names = words.short(Week.parse(earlier)), words.short(Week.parse(last["week"]))
    start = f"{shown.title}: {_said(before, metric)} in {names[0]}, {_said(last, metric)} in {names[1]}"
    if min(before["of"], last["of"]) < FEWEST:
        return Move(metric["key"], "", f"{start}. Too few to say that it moved.")
    low, high = difference((before["n"], before["of"]), (last["n"], last["of"]))
    if low <= 0 <= high:
        return Move(metric["key"], "", f"{start}. No more than chance explains.")
    way = "up" if low > 0 else "down"
    what = "The share within target is" if metric["is_time"] else "It is"
    points = f"{_points(low, high)} points, by a 95 % interval"
    return Move(metric["key"], way, f"{start}. {what} {way} by {points}.")


def _said(week: Mapping[str, Any], metric: Mapping[str, Any]) -> str:
    if not week["of"]:
        return "nothing"
    if metric["is_time"]:
        return f"{words.minutes(week['value'])} ({week['n']:,} of {week['of']:,} within target)"
    return f"{words.share(week['n'] / week['of'])} ({week['n']:,} of {week['of']:,})"


def _points(low: float, high: float) -> str:
    near, far = sorted((abs(low), abs(high)))
    return f"{near * 100:.0f} to {far * 100:.0f}"
