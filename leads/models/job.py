"""What every job that goes on in slices has in its row; the going on is `leads.slices`."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from routing.lean import Lean


class Job(Lean):
    """Asked for by somebody, worked on by one process at a time.

    `worked_at` is when the slice that has it last saved, none when nobody has it; `tries` counts the slices
    that died since; `error` says why it failed. Each kind of job has a `status` with its own words, of which
    "waiting", "running" and "failed" are common to all.
    """

    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    status = models.CharField(max_length=8)
    tries = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=300, blank=True)
    worked_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
