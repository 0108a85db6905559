"""What a lead did, and how it was scored. Scores are append-only: the history by dimension is kept."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from leads.choices import DIRECT_INTERACTIONS, NOT_A_SIGNAL, ActivityKind
from leads.models.lead import Lead
from routing.lean import Lean


class Score(Lean):
    """One scoring of a lead. Points; a dimension is null when only the total came (no breakdown)."""

    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="scores", db_index=False)
    total = models.IntegerField()
    fit = models.IntegerField(null=True, blank=True)
    fit_max = models.IntegerField(null=True, blank=True)
    intent = models.IntegerField(null=True, blank=True)
    intent_max = models.IntegerField(null=True, blank=True)
    behavior = models.IntegerField(null=True, blank=True)
    behavior_max = models.IntegerField(null=True, blank=True)
    reasons = models.JSONField(default=dict, blank=True)
    scored_at = models.DateTimeField()
    received_at = models.DateTimeField()

    class Meta:
        indexes = [
            # qualification: the latest score of a lead, and the one before a moment
            models.Index(fields=["lead", "-scored_at", "-id"], name="score_by_lead_time"),
            # metrics: who scored between two thresholds over a span
            models.Index(fields=["scored_at", "total", "lead"], name="score_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.total} at {self.scored_at:%Y-%m-%d %H:%M}"

    @property
    def has_breakdown(self) -> bool:
        return self.fit is not None and self.intent is not None and self.behavior is not None


class Activity(Lean):
    """One thing the lead did. `external_id` is the sender's id; sent again it is the same activity."""

    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="activities", db_index=False)
    external_id = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=20, choices=ActivityKind)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()
    title = models.CharField(max_length=2000, blank=True)
    url = models.CharField(max_length=2000, blank=True)
    campaign = models.CharField(max_length=2000, blank=True)
    points = models.IntegerField(null=True, blank=True)
    properties = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name_plural = "activities"
        constraints = [
            models.UniqueConstraint(
                fields=["lead", "external_id"], condition=~Q(external_id=""), name="one_activity_per_id"
            ),
        ]
        indexes = [
            # the lead page's timeline, newest first
            models.Index(fields=["lead", "-occurred_at"], name="activity_by_lead_time"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.title}".strip()

    @property
    def is_direct(self) -> bool:
        return self.kind in DIRECT_INTERACTIONS

    @property
    def is_signal(self) -> bool:
        return self.kind not in NOT_A_SIGNAL
