"""What the checks found, what was waived, what enrichment tried, and what a rep says is wrong."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from leads.choices import Check
from leads.models.handoff import Handoff
from leads.models.lead import Lead
from routing.lean import Lean


class Inspection(Lean):
    """One run of the pre-flight checks. `findings` is a list of {check, passed, waived, detail, fix}."""

    handoff = models.ForeignKey(Handoff, on_delete=models.CASCADE, related_name="inspections", db_index=False)
    at = models.DateTimeField()
    passed = models.BooleanField()
    findings = models.JSONField(default=list)

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["handoff", "-at"], name="inspection_by_handoff")]

    def __str__(self) -> str:
        return f"{'passed' if self.passed else 'held'} at {self.at:%Y-%m-%d %H:%M}"


class Waiver(Lean):
    """A check waived for one handoff, with the reason in writing."""

    handoff = models.ForeignKey(Handoff, on_delete=models.CASCADE, related_name="waivers")
    check_code = models.CharField(max_length=40, choices=Check)
    reason = models.CharField(max_length=2000)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["handoff", "check_code"], name="one_waiver_per_check")]

    def __str__(self) -> str:
        return f"{self.check_code} waived"


class Complaint(Lean):
    """A rep says the data is wrong. Open until a person clears it or the named field changes."""

    handoff = models.ForeignKey(Handoff, on_delete=models.CASCADE, related_name="complaints")
    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="complaints")
    field = models.CharField(max_length=40, blank=True)
    text = models.CharField(max_length=2000)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True, blank=True)
    cleared_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        indexes = [
            # preflight: the open complaints about a lead
            models.Index(
                fields=["lead"], condition=Q(cleared_at__isnull=True), name="open_complaints_by_lead"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.field}: {self.text[:40]}"


class EnrichmentAttempt(Lean):
    """One attempt of one provider, whatever came of it."""

    class Result(models.TextChoices):
        FILLED = "filled", "Filled"
        NOTHING = "nothing", "Nothing new"
        FAILED = "failed", "Failed"

    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="enrichment_attempts")
    provider = models.CharField(max_length=40)
    result = models.CharField(max_length=10, choices=Result)
    fields = models.JSONField(default=list, blank=True)
    detail = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["lead", "-at"], name="enrichment_by_lead")]

    def __str__(self) -> str:
        return f"{self.provider}: {self.result}"
