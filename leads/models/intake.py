"""Keys, receipts and remembered answers: what makes a retry harmless."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from leads.models.lead import Lead
from routing.lean import Lean


class ApiKey(Lean):
    """A key for the API. Only its SHA-256 is stored: it is a high-entropy token, so one look-up is enough."""

    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    is_quiet = models.BooleanField(
        default=False, help_text="its handoffs are checked, routed and measured, but nobody is told"
    )
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}...)"


class Receipt(Lean):
    """An event that was taken in, with the answer it got. `source` and `event_id` are its identity."""

    source = models.CharField(max_length=300)
    event_id = models.CharField(max_length=200)
    kind = models.CharField(max_length=40)
    body_digest = models.CharField(max_length=64)
    status = models.CharField(max_length=12)
    reason = models.CharField(max_length=40, blank=True)
    answer = models.JSONField()
    lead = models.ForeignKey(Lead, null=True, blank=True, on_delete=models.SET_NULL, related_name="receipts")
    api_key = models.ForeignKey(ApiKey, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    received_at = models.DateTimeField()
    differing_repeats = models.PositiveIntegerField(
        default=0, help_text="times the same id came with another body"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "event_id"], name="one_receipt_per_event"),
        ]

    def __str__(self) -> str:
        return f"{self.source}#{self.event_id}: {self.status}"


class TriageItem(Lean):
    """Something that opens no handoff but must not vanish: marketing decides.

    `kind` is "suppressed" (a form or flag of a suppressed lead) or "won_anyway" (an opportunity on a
    handoff that had ended otherwise).
    """

    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="triage_items")
    kind = models.CharField(max_length=20)
    data = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        indexes = [
            # the triage page: what waits for a decision, oldest first
            models.Index(fields=["at"], condition=models.Q(settled_at__isnull=True), name="triage_open"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.lead_id}"


class RememberedAnswer(Lean):
    """The answer to an acting call that carried an Idempotency-Key."""

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="+")
    idempotency_key = models.CharField(max_length=200)
    request_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    answer = models.JSONField()
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["api_key", "idempotency_key"], name="one_answer_per_key"),
        ]

    def __str__(self) -> str:
        return self.idempotency_key
