"""Tables of what pages have counted, and how often the weeks have changed.

Owns their shape alone; how they are kept right is `metrics.pulse` and `metrics.kept`. Nothing here is a
source: all of it can be dropped and is counted again.
"""

from __future__ import annotations

from django.db import models

from routing.lean import Lean


class Ledger(Lean):
    """One row: how many events of the log belong to the handoffs of each week, up to an event.

    `marks` are counts by the Monday's ISO date in `zone`, of the events after the first reading up to
    `settled_to`, all of which were committed when they were counted. `barrier_event` is to be settled next,
    once no transaction as old as `barrier_xid` runs.
    """

    zone = models.CharField(max_length=64, blank=True)
    settled_to = models.BigIntegerField(null=True, blank=True)
    marks = models.JSONField(default=dict)
    barrier_event = models.BigIntegerField(null=True, blank=True)
    barrier_xid = models.BigIntegerField(null=True, blank=True)

    def __str__(self) -> str:
        return f"up to event {self.settled_to}"


class Snapshot(Lean):
    """What was counted over some weeks. `key` names what, of which handoffs, and by which formulas.

    It holds while the weeks' `marks` are the same, from `made_at` until just before `good_until` (null: time
    alone changes nothing).
    """

    key = models.CharField(max_length=64)
    first = models.DateField(help_text="the Monday of the first week")
    weeks = models.PositiveSmallIntegerField()
    marks = models.TextField()
    made_at = models.DateTimeField()
    good_until = models.DateTimeField(null=True, blank=True)
    payload = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key", "first", "weeks"], name="one_snapshot_of_each"),
        ]
        indexes = [
            # the minute's pruning: the oldest first
            models.Index(fields=["made_at"], name="snapshot_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.weeks} weeks from {self.first}"
