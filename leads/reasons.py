"""The rejection reasons that ship, as data, and the step that makes the missing ones.

Owns what a fresh installation starts with. Never changes a reason that exists: they are editable, and
an edit outlives every setup.
"""

from __future__ import annotations

from dataclasses import dataclass

from leads.choices import NextStep
from leads.models import RejectionReason


@dataclass(frozen=True)
class Shipped:
    """One reason as it ships; the fields are those of `RejectionReason`."""

    code: str
    label: str
    next_step: NextStep
    cool_off_days: int = 0
    note_required: bool = False
    asks_until: bool = False
    gives_turn_back: bool = False
    counts_against_model: bool = False


SHIPPED = (
    Shipped("bad_data", "Bad data", NextStep.COMPLETION, gives_turn_back=True),
    Shipped("wrong_person", "Wrong person", NextStep.RECYCLED, cool_off_days=90),
    Shipped(
        "wrong_title", "Wrong title or role", NextStep.RECYCLED, cool_off_days=90, counts_against_model=True
    ),
    Shipped("competitor", "Competitor", NextStep.SUPPRESSED),
    Shipped("out_of_territory", "Out of territory", NextStep.REROUTED, gives_turn_back=True),
    Shipped("timing", "Bad timing", NextStep.RECYCLED, cool_off_days=90, asks_until=True),
    Shipped("not_icp", "Not our customer profile", NextStep.RECYCLED, cool_off_days=180),
    Shipped("duplicate", "Duplicate", NextStep.COMPLETION, gives_turn_back=True),
    Shipped("existing_customer", "Already a customer", NextStep.TRIAGE),
    Shipped("student_or_jobseeker", "Student or job seeker", NextStep.SUPPRESSED),
    Shipped("other", "Other", NextStep.TRIAGE, note_required=True),
)


def ensure_reasons() -> int:
    """Make the shipped reasons that are missing and say how many; each is saved alone, for the history."""
    known = set(RejectionReason.objects.values_list("code", flat=True))
    missing = [(at, reason) for at, reason in enumerate(SHIPPED, start=1) if reason.code not in known]
    for position, shipped in missing:
        RejectionReason.objects.get_or_create(
            code=shipped.code,
            defaults={
                "label": shipped.label,
                "next_step": shipped.next_step,
                "cool_off_days": shipped.cool_off_days,
                "note_required": shipped.note_required,
                "asks_until": shipped.asks_until,
                "gives_turn_back": shipped.gives_turn_back,
                "counts_against_model": shipped.counts_against_model,
                "position": position * 10,
            },
        )
    return len(missing)
