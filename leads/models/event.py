"""The append-only log, the routing decisions, and the escalation steps that fired.

The database refuses to update or delete an event (a trigger on both databases). `RedactionDoor` is the
marker row that lifts the refusal on SQLite for the audited redaction pass; PostgreSQL uses a setting of
the transaction.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from leads import choices
from leads.models.handoff import Handoff
from leads.models.intake import ApiKey
from routing.lean import Lean
from routing.models import Ruleset


class Event(Lean):
    """One thing that happened to a handoff. `data["set"]` holds the columns it changed, as ids and codes."""

    handoff = models.ForeignKey(Handoff, on_delete=models.CASCADE, related_name="events", db_index=False)
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=20, choices=choices.EventKind)
    stage = models.CharField(max_length=12, choices=choices.Stage)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    api_key = models.ForeignKey(ApiKey, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    data = models.JSONField(default=dict)

    class Meta:
        ordering = ["handoff", "number"]
        constraints = [
            models.UniqueConstraint(fields=["handoff", "number"], name="events_in_one_order"),
        ]
        indexes = [
            # the inbox's "Done today": what this person did since midnight
            models.Index(
                fields=["user", "-recorded_at"], condition=Q(user__isnull=False), name="event_by_user_time"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.handoff_id}"


class RoutingDecision(Lean):
    """Why a handoff went where it went: facts, version, rule by id, trace, candidates. Kept for ever.

    `trace` is the engine's short form (the condition on which each rule failed), worded when read with the
    version and the facts. `account` says how the company was matched to an account, empty when it was not.
    """

    handoff = models.ForeignKey(Handoff, on_delete=models.CASCADE, related_name="decisions", db_index=False)
    at = models.DateTimeField()
    ruleset = models.ForeignKey(Ruleset, null=True, on_delete=models.PROTECT, related_name="+")
    rule_id = models.CharField(max_length=40, blank=True)
    facts = models.JSONField(default=dict)
    account = models.JSONField(default=dict, blank=True)
    trace = models.JSONField(default=dict)
    candidates = models.JSONField(default=list)
    outcome = models.CharField(max_length=20)

    class Meta:
        ordering = ["at", "id"]
        indexes = [
            models.Index(fields=["handoff", "at"], name="decision_by_handoff"),
            # backtesting: the decisions of a span, in order of time
            models.Index(fields=["at", "id"], name="decision_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} by rule {self.rule_id}"


class FiredStep(Lean):
    """An escalation step that fired. Unique: a crash, a second worker, a repeat fire nothing twice."""

    handoff = models.ForeignKey(Handoff, on_delete=models.CASCADE, related_name="fired_steps")
    code = models.CharField(max_length=30)
    window = models.CharField(max_length=12)
    due_at = models.DateTimeField()
    fired_at = models.DateTimeField()
    lapsed = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="whose acceptance window this step ended; empty for every other step",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["handoff", "code", "window"], name="each_step_once"),
        ]

    def __str__(self) -> str:
        return f"{self.code} of {self.handoff_id}"


class RedactionDoor(Lean):
    """While a row stands here, SQLite lets events be redacted. Opened and closed in one transaction."""

    reason = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.reason
