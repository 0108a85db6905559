"""What the site itself stores: the worker's sign of life."""

from django.db import models

from routing.lean import Lean


class Heartbeat(Lean):
    """When a part of the site last showed that it does its work. One row a part, overwritten each time."""

    name = models.SlugField(unique=True)
    beat_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at {self.beat_at:%Y-%m-%d %H:%M:%S}"
