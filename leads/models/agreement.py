"""What both sides agreed: MQL definitions, rejection reasons, pre-flight settings. Versions are kept."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from leads.choices import DEFAULT_HIGH_INTENT, NextStep


def default_high_intent() -> list[str]:
    return [str(kind) for kind in DEFAULT_HIGH_INTENT]


class MqlDefinition(models.Model):
    """One version of what makes an MQL, in force from a moment until the next one. Never edited."""

    version = models.PositiveIntegerField(unique=True)
    threshold = models.IntegerField()
    high_intent = models.JSONField(default=default_high_intent)
    in_force_from = models.DateTimeField(unique=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    note = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-version"]
        verbose_name = "MQL definition"

    def __str__(self) -> str:
        return f"Definition {self.version}: score {self.threshold} or more"


class RejectionReason(models.Model):
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


class PreflightSettings(models.Model):
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
