"""What the site itself stores: the worker's sign of life, and what the last check of all data found."""

from django.db import models

from routing.lean import Lean


class Heartbeat(Lean):
    """When a part of the site last showed that it does its work. One row a part, overwritten each time."""

    name = models.SlugField(unique=True)
    beat_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at {self.beat_at:%Y-%m-%d %H:%M:%S}"


class Inspection(Lean):
    """What the last pass over all invariants found: how many violations, by invariant. One row, overwritten
    by `manage.py check_invariants`."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    ended_at = models.DateTimeField()
    counts = models.JSONField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_inspection")]

    def __str__(self) -> str:
        return f"{sum(self.counts.values())} violations at {self.ended_at:%Y-%m-%d %H:%M:%S}"
