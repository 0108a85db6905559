"""What both sides agreed: versions of the agreement and of the MQL definition, rejection reasons, pre-flight.

Owns the rows and the invariants of them. An agreement and a definition are never edited or deleted (a trigger
on both databases), and from the second on each comes from a proposal that both sides signed. Who may propose
and sign is `leads.agreeing`.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from leads.choices import DEFAULT_HIGH_INTENT, NextStep
from routing.lean import Lean


def default_high_intent() -> list[str]:
    return [str(kind) for kind in DEFAULT_HIGH_INTENT]


class MqlDefinition(Lean):
    """One version of what makes an MQL, in force from a moment until the next one. Never edited.

    `predates_agreement` marks what was there before definitions came from proposals; the database takes no
    new row that claims so.
    """

    version = models.PositiveIntegerField(unique=True)
    threshold = models.IntegerField()
    high_intent = models.JSONField(default=default_high_intent)
    in_force_from = models.DateTimeField(unique=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    note = models.CharField(max_length=300, blank=True)
    proposal = models.OneToOneField(
        "leads.Proposal", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    predates_agreement = models.BooleanField(default=False, editable=False)

    class Meta:
        ordering = ["-version"]
        verbose_name = "MQL definition"
        constraints = [
            models.CheckConstraint(
                condition=Q(version=1) | Q(proposal__isnull=False) | Q(predates_agreement=True),
                name="definition_from_proposal",
            ),
        ]

    def __str__(self) -> str:
        return f"Definition {self.version}: score {self.threshold} or more"


class Agreement(Lean):
    """One version of what both sides agreed, in force from a moment until the next one. Never edited.

    `targets` and `reasons` are the JSON of `leads.agreement`: the targets by lead type, and the reasons as
    they were when they were proposed. Version 1 is as shipped, without a proposal; all others come from one.
    """

    version = models.PositiveIntegerField(unique=True)
    done = models.TextField(max_length=4000)
    definition = models.ForeignKey(MqlDefinition, on_delete=models.PROTECT, related_name="agreements")
    targets = models.JSONField()
    reasons = models.JSONField()
    in_force_from = models.DateTimeField(unique=True)
    proposal = models.OneToOneField(
        "leads.Proposal", null=True, blank=True, on_delete=models.PROTECT, related_name="agreement"
    )

    class Meta:
        ordering = ["-version"]
        constraints = [
            models.CheckConstraint(
                condition=Q(version=1, proposal__isnull=True) | Q(version__gt=1, proposal__isnull=False),
                name="agreement_from_proposal",
            ),
        ]

    def __str__(self) -> str:
        return f"Agreement {self.version}"


class RejectionReason(Lean):
    """Why sales says no, and what happens then. `cool_off_days` holds back score crossings only."""

    code = models.SlugField(max_length=40, unique=True)
    label = models.CharField(max_length=80)
    next_step = models.CharField(max_length=12, choices=NextStep)
    cool_off_days = models.PositiveSmallIntegerField(default=0)
    note_required = models.BooleanField(default=False)
    asks_until = models.BooleanField(default=False)
    gives_turn_back = models.BooleanField(default=False, help_text="the fault is not the rep's")
    counts_against_model = models.BooleanField(default=False)
    position = models.PositiveSmallIntegerField(default=0)
    is_active = models.BooleanField(default=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["position", "label"]

    def __str__(self) -> str:
        return self.label


class PreflightSettings(Lean):
    """The one row that says which checks run and which words are placeholders."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    disabled_checks = models.JSONField(default=list, blank=True)
    required_fields = models.JSONField(default=list, blank=True)
    placeholders = models.JSONField(default=list, blank=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name_plural = "pre-flight settings"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_preflight_settings_row")]

    def __str__(self) -> str:
        return "Pre-flight settings"
