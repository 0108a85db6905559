"""Back-tests: a run over past decisions with another ruleset, and the leads that would change hands.

What is compared and how is `leads.backtesting`; the arithmetic is `routing.backtest`. A run is kept as it
was, document included, so that a figure that led to a publishing can be looked up later.
"""

from __future__ import annotations

from django.db import models

from leads.models.handoff import Handoff
from leads.models.job import Job
from routing.lean import Lean
from routing.models import Ruleset


class Backtest(Job):
    """One run: past decisions from `since` to `until` through `document`.

    `ruleset` is the version that was replayed, empty for the draft as it was. `state` is what the next
    slice of work starts from; `result` is complete when `status` is done.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    ruleset = models.ForeignKey(Ruleset, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    document = models.JSONField()
    since = models.DateTimeField()
    until = models.DateTimeField()
    status = models.CharField(max_length=8, choices=Status, default=Status.WAITING)
    # The oldest version, which does not know it, goes on asking while it is upgraded.
    tries = models.PositiveSmallIntegerField(default=0, db_default=0)
    total = models.PositiveIntegerField(default=0)
    replayed = models.PositiveIntegerField(default=0)
    state = models.JSONField(default=dict, blank=True)
    result = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            # tasks.backtests: runs that are not finished
            models.Index(
                fields=["created_at"],
                condition=models.Q(status__in=["waiting", "running"]),
                name="backtests_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return f"Back-test {self.pk} ({self.status})"


class BacktestMove(Lean):
    """One lead that would have gone elsewhere: who had it, who would have had it, and each rule by id."""

    backtest = models.ForeignKey(Backtest, on_delete=models.CASCADE, related_name="moves")
    handoff = models.ForeignKey(Handoff, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()
    kind = models.CharField(max_length=10)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)

    class Meta:
        ordering = ["at", "id"]
        indexes = [models.Index(fields=["backtest", "at", "id"], name="moves_of_backtest")]

    def __str__(self) -> str:
        return f"{self.kind} in {self.backtest_id}"
