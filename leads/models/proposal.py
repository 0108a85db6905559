"""How an agreement changes: a proposal of one side, the signatures of both, and what was said about it.

Owns the rows and the invariants of them: one signature a side, one a person, and terms that stay as they were
signed (a trigger on both databases; signatures and comments are never touched at all). What may be done with
them is `leads.agreeing`.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from leads.choices import ProposalState, Side
from leads.models.agreement import Agreement
from routing.lean import Lean


class Proposal(Lean):
    """The terms that somebody wants in place of those of the version `changes`. The terms are never edited.

    `reasons` are those in force in the administration when it was made: both sides sign what they see.
    `wanted_at` is empty for as soon as it is signed. `backtest` is what `metrics.governance` counted at
    `backtest_at`; empty when neither threshold nor kinds change.
    """

    changes = models.ForeignKey(Agreement, on_delete=models.PROTECT, related_name="proposals")
    done = models.TextField(max_length=4000)
    threshold = models.IntegerField()
    high_intent = models.JSONField()
    targets = models.JSONField()
    reasons = models.JSONField()
    why = models.TextField(max_length=2000)
    side = models.CharField(max_length=9, choices=Side)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    wanted_at = models.DateTimeField(null=True, blank=True)
    backtest = models.JSONField(default=dict, blank=True)
    backtest_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=9, choices=ProposalState, default=ProposalState.OPEN)
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    settled_note = models.TextField(max_length=2000, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="open", settled_at__isnull=True, settled_by__isnull=True)
                | (~Q(state="open") & Q(settled_at__isnull=False, settled_by__isnull=False)),
                name="proposal_settled_by_somebody",
            ),
            models.CheckConstraint(condition=~Q(why=""), name="proposal_says_why"),
        ]
        indexes = [
            # the navigation: what waits for a signature
            models.Index(fields=["changes"], condition=Q(state="open"), name="proposal_open"),
        ]

    def __str__(self) -> str:
        return f"Proposal {self.pk}"


class Signature(Lean):
    """One person signs a proposal for one side. Never edited or deleted."""

    proposal = models.ForeignKey(Proposal, on_delete=models.PROTECT, related_name="signatures")
    side = models.CharField(max_length=9, choices=Side)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["proposal", "side"], name="one_signature_per_side"),
            models.UniqueConstraint(fields=["proposal", "person"], name="one_side_per_person"),
            models.CheckConstraint(condition=Q(side__in=["marketing", "sales"]), name="signature_of_a_side"),
        ]

    def __str__(self) -> str:
        return f"{self.person_id} for {self.side}"


class ProposalComment(Lean):
    """What somebody said about a proposal. Never edited or deleted."""

    proposal = models.ForeignKey(Proposal, on_delete=models.PROTECT, related_name="comments")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    text = models.TextField(max_length=2000)

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return self.text[:60]
