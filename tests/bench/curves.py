"""How each figure grows with the number of handoffs: a table in words, and a drawing.

Pure. A figure is divided by the bare view of its own run where it has one, so that a machine that is slower
in one run than in another bends no curve. Measures nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

# Label, the figure that is followed (a ratio where there is one), whether more is better.
FOLLOWED = (
    ("single intake", "single_intake_to_insert", True),
    ("batch intake", "batch_intake_rate", True),
    ("inbox", "inbox_to_rows", False),
    ("lead page", "lead_page_to_rows", False),
    ("accept", "accept_to_insert", False),
    ("sweep, each due", "sweep_each_ms", False),
    ("team", "team_to_rows", False),
    ("completion", "completion_to_rows", False),
    ("a person's page", "person_to_rows", False),
    ("search", "search_to_rows", False),
    ("poll", "poll_to_session", False),
    ("dashboard, kept", "dashboard_to_rows", False),
)
# A figure may cost this much more at any size than at the smallest.
BOUND = 1.3
WIDTH, HEIGHT, LEFT, TOP, PLOT_WIDTH, PLOT_HEIGHT = 860, 420, 60, 30, 560, 340


@dataclass(frozen=True)
class Curve:
    """One figure: at each size its cost in times of its cost at the smallest size (1.0 there)."""

    label: str
    sizes: tuple[int, ...]
    times: tuple[float, ...]

    @property
    def is_flat(self) -> bool:
        return max(self.times) <= BOUND


def grown(runs: Sequence[Mapping[str, Any]]) -> list[Curve]:
    """The curves of runs of different sizes on one database; none of a single size."""
    by_size = sorted(runs, key=lambda run: run["handoffs"])
    if len(by_size) < 2:
        return []
    found = []
    for label, key, is_more_better in FOLLOWED:
        values = [float(run.get(key) or 0) for run in by_size]
        if all(values):
            costs = [1 / value if is_more_better else value for value in values]
            found.append(
                Curve(
                    label,
                    tuple(run["handoffs"] for run in by_size),
                    tuple(round(cost / costs[0], 3) for cost in costs),
                )
            )
    return found


def told(curves: Sequence[Curve]) -> str:
    """A table: the cost at each size in times of the smallest."""
    head = "".join(f"{size:>12,}" for size in curves[0].sizes)
    lines = [f"\n{'cost, in times of the smallest':<32}{head}  bound {BOUND}"]
    for curve in curves:
        cells = "".join(f"{times:>12.2f}" for times in curve.times)
        lines.append(f"{curve.label:<32}{cells}  {'holds' if curve.is_flat else 'grows'}")
    return "\n".join(lines)


def drawn(curves: Sequence[Curve]) -> str:
    """An SVG: sizes across in powers of ten, cost upward from nothing, the bound dashed."""
    top = max(BOUND, *(max(curve.times) for curve in curves)) * 1.1
    sizes = curves[0].sizes
    low, high = math.log10(sizes[0]), math.log10(sizes[-1])

    def x(size: int) -> float:
        return round(LEFT + (math.log10(size) - low) / (high - low) * PLOT_WIDTH, 1)

    def y(times: float) -> float:
        return round(TOP + PLOT_HEIGHT * (1 - times / top), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
        ' font-size="12" role="img">',
        "<title>Cost by number of handoffs, in times of the smallest</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for size in sizes:
        parts.append(f'<text x="{x(size)}" y="{TOP + PLOT_HEIGHT + 20}" text-anchor="middle">{size:,}</text>')
    for times, dash in ((1.0, ""), (BOUND, ' stroke-dasharray="6 4"')):
        height = y(times)
        parts.append(
            f'<path d="M{LEFT} {height}h{PLOT_WIDTH}" stroke="#888"{dash}/>'
            f'<text x="{LEFT - 8}" y="{height + 4}" text-anchor="end">{times}</text>'
        )
    beside = _apart([y(curve.times[-1]) for curve in curves])
    for number, curve in enumerate(curves):
        points = " ".join(f"{x(size)},{y(times)}" for size, times in zip(sizes, curve.times, strict=True))
        shade = f"hsl({number * 360 // len(curves)} 70% 35%)"
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{shade}" stroke-width="2"/>'
            f'<text x="{LEFT + PLOT_WIDTH + 10}" y="{beside[number] + 4}" fill="{shade}">'
            f"{escape(curve.label)} {curve.times[-1]:.2f}</text>"
        )
    return "\n".join([*parts, "</svg>\n"])


def _apart(heights: Sequence[float], least: float = 16) -> list[float]:
    """Where labels stand that want these heights and must not touch."""
    placed = [0.0] * len(heights)
    last = -math.inf
    for place in sorted(range(len(heights)), key=lambda place: heights[place]):
        last = placed[place] = max(heights[place], last + least)
    return placed
