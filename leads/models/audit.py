"""The sync audit: its runs, and what they found. One row a drift, however often it is seen.

Owns the rows. What is compared is `leads.audit.checks`; `values` hold states, ids and numbers as they stood
on each side, never an address or a name (what differs in those is read again when it is shown).
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from leads.models.connection import Connection
from leads.models.handoff import Handoff
from leads.models.job import Job
from leads.models.lead import Lead
from routing.lean import Lean


class SyncRun(Job):
    """One run over the open and recently closed handoffs.

    `counts` are by connection: compared, agreed, differed, unreachable, in_flight; `after` is the last
    handoff looked at, from which the next slice goes on. `lags` are seconds from event to written,
    by connection: p50, p95, p99, and of how many. `total` is of how many handoffs it was when it began;
    `told_at` is when somebody was told what came of it.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    system = models.CharField(max_length=60, blank=True)
    after = models.BigIntegerField(default=0)
    handoffs = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict, blank=True)
    lags = models.JSONField(default=dict, blank=True)
    versions = models.JSONField(default=dict, blank=True)
    new_findings = models.PositiveIntegerField(default=0)
    told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"sync audit {self.pk}: {self.status}"


class Finding(Lean):
    """One drift of one handoff in one connection, or one thing wrong with a connection.

    The same drift seen again is the same row with a later `last_seen_at`; one that a whole run no longer sees
    is resolved. `fingerprint` is check, connection and handoff (or delivery). `sides` is what each system had
    of the handoff when it was last seen, by the connection's slug (`leads.audit.sides`).
    """

    class Severity(models.TextChoices):
        HIGH = "high", "High"
        MEDIUM = "medium", "Medium"
        LOW = "low", "Low"

    class Resolution(models.TextChoices):
        GONE = "gone", "Agrees again"
        PUSHED = "pushed", "Ours was written again"
        ADOPTED = "adopted", "Theirs was adopted"
        IGNORED = "ignored", "Ignored"

    fingerprint = models.CharField(max_length=120, unique=True)
    check_code = models.CharField(max_length=32)
    severity = models.CharField(max_length=6, choices=Severity)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="sync_findings")
    handoff = models.ForeignKey(
        Handoff, null=True, blank=True, on_delete=models.CASCADE, related_name="sync_findings"
    )
    lead = models.ForeignKey(Lead, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    run = models.ForeignKey(SyncRun, on_delete=models.PROTECT, related_name="sync_findings")
    values = models.JSONField(default=dict, blank=True)
    sides = models.JSONField(default=dict, blank=True)
    cause = models.CharField(max_length=200, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    times_seen = models.PositiveIntegerField(default=1)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=8, choices=Resolution, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    note = models.CharField(max_length=300, blank=True)
    # How it was settled before it opened again: [when, user's key or none, resolution, note], oldest first.
    past = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ["-last_seen_at", "-id"]
        indexes = [
            # the report: what is open, the gravest first
            models.Index(
                fields=["severity", "-first_seen_at"],
                condition=Q(resolved_at__isnull=True),
                name="finding_open",
            ),
            # a handoff's page: what is open about it
            models.Index(fields=["handoff"], condition=Q(resolved_at__isnull=True), name="finding_open_of"),
            # pruning: what was settled long ago
            models.Index(
                fields=["last_seen_at"], condition=Q(resolved_at__isnull=False), name="finding_settled"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.check_code} of {self.handoff_id or self.connection_id}"
