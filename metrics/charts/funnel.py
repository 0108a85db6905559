"""The stages under each other: how many came so far, how many were lost on the way, how long a step took.

Pure geometry like its folder. Each stage has its words above its bar, so that they fit from 360 px up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ROW, BAR = 58, 14
FULL = 100.0


@dataclass(frozen=True)
class Stage:
    """What a stage is to show. `note` says what was lost since the one before and how long it took."""

    label: str
    count: int
    value: str
    note: str = ""


@dataclass(frozen=True)
class Step:
    """A stage in its place; `lost` is the width of what did not come from the stage before, after the bar."""

    label: str
    value: str
    note: str
    text_y: int
    y: int
    note_y: int
    width: float
    lost: float


@dataclass(frozen=True)
class Funnel:
    height: int
    steps: tuple[Step, ...]


def funnel(stages: Sequence[Stage]) -> Funnel:
    """Widths are shares of the first stage."""
    whole = stages[0].count if stages else 0
    steps = []
    before = whole
    for index, stage in enumerate(stages):
        width, reached = _width(stage.count, whole), _width(before, whole)
        y = index * ROW
        lost = round(max(0.0, reached - width), 2)
        steps.append(
            Step(stage.label, stage.value, stage.note, y + 12, y + 18, y + 18 + BAR + 14, width, lost)
        )
        before = stage.count
    return Funnel(ROW * len(stages), tuple(steps))


def _width(count: int, whole: int) -> float:
    return round(min(FULL, max(0.0, count / whole * FULL)), 2) if whole else 0.0
