"""Rules, territories and the published rulesets.

Rules and territories are the draft; publishing compiles them into one immutable document on a Ruleset
and moves the one pointer. Nothing here decides: `routing.engine` reads the document.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords


class Territory(models.Model):
    """Named conditions with an owner and members."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    conditions = models.JSONField(default=dict)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="territories")
    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "territories"

    def __str__(self) -> str:
        return self.name


class Rule(models.Model):
    """One rule of the draft. First match wins, in order of `position`."""

    class TargetKind(models.TextChoices):
        REP = "rep", "A rep"
        POOL = "pool", "A pool"
        QUEUE = "queue", "A queue"
        ACCOUNT_OWNER = "account_owner", "The owner of the account"
        TERRITORY_OWNER = "territory_owner", "The owner of the territory"

    position = models.PositiveIntegerField(default=0)
    name = models.CharField(max_length=120)
    conditions = models.JSONField(default=dict)
    target_kind = models.CharField(max_length=16, choices=TargetKind.choices)
    target_id = models.CharField(max_length=40, blank=True)
    fallback_kind = models.CharField(max_length=16, choices=TargetKind.choices, blank=True)
    fallback_id = models.CharField(max_length=40, blank=True)
    policy_slug = models.SlugField(blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    last_reviewed = models.DateField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.name


class Ruleset(models.Model):
    """One published version: an immutable document. `is_live` is the pointer; at most one row has it."""

    version = models.PositiveIntegerField(unique=True)
    document = models.JSONField()
    published_at = models.DateTimeField()
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    note = models.CharField(max_length=300, blank=True)
    is_live = models.BooleanField(default=False)

    class Meta:
        ordering = ["-version"]
        constraints = [
            models.UniqueConstraint(fields=["is_live"], condition=Q(is_live=True), name="one_live_ruleset"),
        ]

    def __str__(self) -> str:
        return f"Ruleset {self.version}"
