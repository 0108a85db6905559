"""Imports of leads: the file as it was read, what its columns mean, how far it is, and what failed.

Reading, mapping and running are `leads.imports`. The rows of the file are kept in parts until the import is
old, so that any process can go on with it; what they became are leads like any other.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models

from leads.models.job import Job
from routing.lean import Lean


class LeadImport(Job):
    """One file. `targets` names, for each column of `header`, what it is read as ("" for nothing).

    `digest` is the file's own; `key` stands for file and mapping together and names the events of its rows,
    so that the same file taken in the same way again changes nothing. `as_of` is when its facts count as
    known where a row does not say. `shape` is what was found out about the file.
    """

    class Status(models.TextChoices):
        MAPPING = "mapping", "Being mapped"
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        STOPPED = "stopped", "Stopped"
        FAILED = "failed", "Failed"

    class Kind(models.TextChoices):
        EACH = "each", "As each row says"
        HAND_OVER = "hand_over", "Hand over every row"
        KEEP = "keep", "Only keep what they say"

    class Dates(models.TextChoices):
        UNSAID = "", "As 2026-03-10"
        DAY_FIRST = "day_first", "Day first: 10/03/2026"
        MONTH_FIRST = "month_first", "Month first: 03/10/2026"

    name = models.CharField(max_length=200)
    digest = models.CharField(max_length=64, db_index=True)
    shape = models.JSONField(default=dict, blank=True)
    header = models.JSONField(default=list)
    targets = models.JSONField(default=list)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.EACH)
    dates = models.CharField(max_length=11, choices=Dates, default=Dates.UNSAID, blank=True)
    source = models.CharField(max_length=100, blank=True)
    system = models.CharField(max_length=60, blank=True)
    is_quiet = models.BooleanField(default=False)
    key = models.CharField(max_length=64, blank=True, db_index=True)
    as_of = models.DateTimeField()
    status = models.CharField(max_length=8, choices=Status, default=Status.MAPPING)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            # tasks.take_imports: those that are not finished
            models.Index(
                fields=["started_at"],
                condition=models.Q(status__in=["waiting", "running"]),
                name="imports_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.status})"


class ImportPart(Lean):
    """A stretch of the file's rows: each a list of its number in the file and its cells."""

    lead_import = models.ForeignKey(LeadImport, on_delete=models.CASCADE, related_name="parts")
    position = models.PositiveIntegerField()
    rows = models.JSONField()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["lead_import", "position"], name="one_part_per_position"),
        ]

    def __str__(self) -> str:
        return f"part {self.position} of {self.lead_import_id}"


class ImportFailure(Lean):
    """A row that was not taken: its cells, and its problems, each a column ("" for the row) and a message."""

    lead_import = models.ForeignKey(LeadImport, on_delete=models.CASCADE, related_name="failures")
    row = models.PositiveIntegerField()
    cells = models.JSONField(default=list)
    problems = models.JSONField(default=list)

    class Meta:
        ordering = ["row"]
        constraints = [
            models.UniqueConstraint(fields=["lead_import", "row"], name="one_failure_per_row"),
        ]

    def __str__(self) -> str:
        return f"row {self.row} of {self.lead_import_id}"


class ImportPreset(Lean):
    """What the columns of a kind of file mean, by their headings: kept under a name, or, without one, as
    what was chosen last for exactly these headings (`headings` is their digest)."""

    name = models.CharField(max_length=60, blank=True)
    headings = models.CharField(max_length=64)
    targets = models.JSONField(default=dict)
    kind = models.CharField(max_length=10, default=LeadImport.Kind.EACH)
    dates = models.CharField(max_length=11, blank=True)
    source = models.CharField(max_length=100, blank=True)
    system = models.CharField(max_length=60, blank=True)
    saved_at = models.DateTimeField()
    saved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=~models.Q(name=""), name="one_preset_per_name"
            ),
            models.UniqueConstraint(
                fields=["headings"], condition=models.Q(name=""), name="one_memory_per_headings"
            ),
        ]

    def __str__(self) -> str:
        return self.name or "as last time"
