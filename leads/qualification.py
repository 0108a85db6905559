"""What makes an MQL: definition versions, crossings, high intent. Pure but for reading the definitions.

Owns the verdict on one event. Never opens a handoff (`leads.lifecycle` does) and never trusts what
another system claims: with threshold 65, 65 triggers and 64 does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet

from leads.choices import LeadType
from leads.models import Activity, MqlDefinition
from routing.prepared import prepared

# Senders' clocks run ahead; beyond this an MQL time in the future is clamped to our own.
FUTURE_TOLERANCE = timedelta(minutes=5)


@dataclass(frozen=True)
class Trigger:
    """A conversion: its kind, the sender's words for it, when, and the activity that carried it."""

    kind: str
    reason: str
    at: datetime
    activity: Activity | None = None
    is_clamped: bool = False


@dataclass(frozen=True)
class ScorePoint:
    total: int
    scored_at: datetime


def definitions() -> list[MqlDefinition]:
    """All versions, newest first; the list is short."""
    return _definitions()


@prepared
def _definitions() -> QuerySet[MqlDefinition]:
    return MqlDefinition.objects.order_by("-in_force_from")


def in_force(versions: Sequence[MqlDefinition], at: datetime) -> MqlDefinition | None:
    """The version in force at a moment (versions newest first); the oldest stands for all time before it."""
    for version in versions:
        if version.in_force_from <= at:
            return version
    return versions[-1] if versions else None


def lead_type(kind: str, definition: MqlDefinition) -> str:
    """`demo` for a high-intent form, else `standard`."""
    return LeadType.DEMO if kind in definition.high_intent else LeadType.STANDARD


def crosses(
    score: ScorePoint,
    earlier: ScorePoint | None,
    later: ScorePoint | None,
    previous_total: int | None,
    definition: MqlDefinition,
) -> bool:
    """Whether this score went from below the threshold to at or above it.

    `earlier` is the latest known score before it, else `previous_total` is the sender's word for it,
    else there was none, which counts as below. An older score arriving late (`later` exists) never opens.
    """
    if later is not None or score.total < definition.threshold:
        return False
    before = earlier.total if earlier is not None else previous_total
    return before is None or before < definition.threshold


def clamp(at: datetime, now: datetime) -> tuple[datetime, bool]:
    """A time more than five minutes in the future becomes the receiving time, and is flagged."""
    return (now, True) if at - now > FUTURE_TOLERANCE else (at, False)
