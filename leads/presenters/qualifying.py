"""Why a lead qualified: the trigger in a sentence and the score as one stacked bar.

Owns the wording and the proportions. Whether it qualified is `leads.qualification`. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leads.choices import TriggerKind
from leads.models import Activity, Handoff, Score
from leads.presenters import signals, times

PARTS = (("fit", "Fit", "a"), ("intent", "Intent", "b"), ("behavior", "Behavior", "c"))
SPOKEN = {
    TriggerKind.DEMO_REQUEST: "Asked for a demo",
    TriggerKind.PRICING_INQUIRY: "Asked about prices",
    TriggerKind.SCORE_THRESHOLD: "The score crossed the threshold",
    TriggerKind.MANUAL_FLAG: "Marketing flagged this lead",
}
MOST_REASONS = 6


@dataclass(frozen=True, slots=True)
class Reason:
    label: str
    points: str


@dataclass(frozen=True, slots=True)
class Part:
    """One dimension of the score. `x` and `width` are percent of the bar."""

    label: str
    tone: str
    points: int
    most: int | None
    x: float
    width: float
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class ScoreBar:
    """The bar: `total` of `scale`, the threshold's place in percent, and the parts (none: no breakdown)."""

    total: int
    scale: int
    parts: tuple[Part, ...]
    threshold: int | None
    threshold_x: float | None
    whole: float
    anchor: str
    words: str


def trigger_sentence(handoff: Handoff, now: datetime) -> str:
    """What made it an MQL, with when: its trigger activity, definition and score are loaded."""
    at = times.day(handoff.mql_at, now)
    activity = handoff.trigger_activity
    if handoff.trigger == TriggerKind.SCORE_THRESHOLD:
        total = "" if handoff.score_total is None else f" at {handoff.score_total}"
        line = handoff.definition.threshold if handoff.definition else None
        text = f"The score crossed {line if line is not None else 'the threshold'}{total}, {at}"
        if activity is not None:
            text += f", by this: {signals.sentence(activity.kind, activity.title)}"
    elif activity is not None and activity.kind == handoff.trigger:
        text = f"{signals.sentence(activity.kind, activity.title)}, {at}"
    else:
        text = f"{SPOKEN[TriggerKind(handoff.trigger)]}, {at}"
    reason = signals.cut(handoff.trigger_reason, 300)
    if reason and (activity is None or reason != signals.cut(activity.title, 300)):
        text += f". {reason[0].upper()}{reason[1:]}"
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def why_row(handoff: Handoff, activity: Activity | None, score: Score | None) -> str:
    """The top reason in one line of a list, with the score."""
    if activity is not None:
        text = signals.sentence(activity.kind, activity.title)
    elif handoff.trigger_reason:
        text = signals.cut(handoff.trigger_reason)
    elif handoff.trigger != TriggerKind.SCORE_THRESHOLD:
        text = SPOKEN[TriggerKind(handoff.trigger)]
    else:
        text = _top_reason(score) or SPOKEN[TriggerKind.SCORE_THRESHOLD]
    return text if handoff.score_total is None else f"{text}, score {handoff.score_total}"


def score_bar(score: Score | None, total: int | None, threshold: int | None) -> ScoreBar | None:
    """The bar of a score; None when there is none. Figures from outside are clamped to the bar."""
    if total is None:
        return None
    rows = []
    if score is not None and score.has_breakdown:
        for name, label, tone in PARTS:
            points = getattr(score, name) or 0
            rows.append((name, label, tone, points, getattr(score, f"{name}_max")))
    most = sum(row[4] or 0 for row in rows) if all(row[4] for row in rows) else 0
    scale = max(most, total, threshold or 0, sum(max(0, row[3]) for row in rows), 100 if not most else 1)
    parts, x = [], 0.0
    for name, label, tone, points, limit in rows:
        width = round(max(0, points) / scale * 100, 2)
        reasons = _reasons(score.reasons if score else {}, name)
        parts.append(Part(label, tone, points, limit, round(x, 2), width, reasons))
        x += width
    place = None if threshold is None else round(min(100.0, max(0.0, threshold / scale * 100)), 2)
    words = f"Score {total} of {scale}"
    if parts:
        words += ": " + ", ".join(f"{part.label.lower()} {part.points}" for part in parts)
    if threshold is not None:
        words += f". Threshold {threshold}"
    return ScoreBar(
        total=total,
        scale=scale,
        parts=tuple(parts),
        threshold=threshold,
        threshold_x=place,
        whole=round(min(100.0, max(0.0, total / scale * 100)), 2),
        anchor="middle" if place is not None and place < 88 else "end",
        words=words,
    )


def _reasons(reasons: Any, dimension: str) -> tuple[Reason, ...]:
    found = reasons.get(dimension) if isinstance(reasons, Mapping) else None
    rows = [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []
    out = []
    for row in rows[:MOST_REASONS]:
        label = signals.cut(str(row.get("label") or row.get("code") or ""), 80)
        points = row.get("points")
        if label:
            out.append(Reason(label, f"{points:+d}" if isinstance(points, int) else ""))
    return tuple(out)


def _top_reason(score: Score | None) -> str:
    """The reason with the most points over all dimensions."""
    if score is None or not isinstance(score.reasons, Mapping):
        return ""
    best, label = -(10**9), ""
    for rows in score.reasons.values():
        for row in rows if isinstance(rows, list) else ():
            points = row.get("points") if isinstance(row, Mapping) else None
            if isinstance(points, int) and points > best:
                best, label = points, str(row.get("label") or "")
    return signals.cut(label, 80)
