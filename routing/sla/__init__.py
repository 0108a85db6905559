"""Policies as plain values: targets, the ladder, what is due when, and whether a policy is sound.

Pure: plain values in, plain values out. It never reads the time, never looks at a lead, a handoff or the
database, and never tells anybody.
"""

from routing.sla.ladder import deadline, due, next_at, next_deadline, scheduled
from routing.sla.shipped import default_policies, default_steps
from routing.sla.soundness import CLOCKS, MOST_MINUTES, MOST_STEPS, TARGETS, problems, target
from routing.sla.values import (
    DELIVERED_LATE,
    FROM_BEFORE_ASSIGNMENT,
    MOVES,
    RUNS_IN,
    WHAT,
    WHO,
    Clocks,
    Due,
    Policy,
    Step,
    Target,
    person_id,
)

__all__ = [
    "CLOCKS",
    "DELIVERED_LATE",
    "FROM_BEFORE_ASSIGNMENT",
    "MOST_MINUTES",
    "MOST_STEPS",
    "MOVES",
    "RUNS_IN",
    "TARGETS",
    "WHAT",
    "WHO",
    "Clocks",
    "Due",
    "Policy",
    "Step",
    "Target",
    "deadline",
    "default_policies",
    "default_steps",
    "due",
    "next_at",
    "next_deadline",
    "person_id",
    "problems",
    "scheduled",
    "target",
]
