"""Lists as people keep them: views with a name, and acts on many handoffs at once with what became of each.

What a view may be called and who sees it is `leads.saved_views`; acting on many is `leads.bulk`. A view is an
address's query and no permission: it is read by whoever opens it, with their own eyes.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from leads.models.handoff import Handoff
from routing.lean import Lean
from routing.models import Team


class SavedView(Lean):
    """Filters, order and columns of a list under a name. Shared with a team or everyone, or the owner's."""

    class Page(models.TextChoices):
        HANDOFFS = "handoffs", "Handoffs"
        LEADS = "leads", "Leads"

    class Audience(models.TextChoices):
        OWNER = "owner", "Only me"
        TEAM = "team", "A team"
        EVERYONE = "everyone", "Everyone"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    page = models.CharField(max_length=10, choices=Page)
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=2000, blank=True)
    audience = models.CharField(max_length=10, choices=Audience, default=Audience.OWNER)
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    saved_at = models.DateTimeField()

    class Meta:
        ordering = [Lower("name"), "id"]
        constraints = [
            models.UniqueConstraint("owner", "page", Lower("name"), name="one_view_per_name"),
            models.CheckConstraint(
                condition=Q(audience="team") ^ Q(team__isnull=True), name="team_view_has_team"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class DefaultView(Lean):
    """The view with which a list opens for one person."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    page = models.CharField(max_length=10, choices=SavedView.Page)
    view = models.ForeignKey(SavedView, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "page"], name="one_default_view_per_list")]

    def __str__(self) -> str:
        return f"{self.view_id} for {self.user_id}"


class BulkRun(Lean):
    """One act on many handoffs: chosen, looked at, then done row by row.

    `options` is what the act needs beside them (`to`, `reason`, `check`, `until`, `anyway`); `query` is the
    list that they were chosen from, `left_out` how many more fitted than are taken at once.
    """

    verb = models.CharField(max_length=10)
    options = models.JSONField(default=dict, blank=True)
    query = models.CharField(max_length=2000, blank=True)
    left_out = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            # tasks.prune: those that nobody opens again
            models.Index(fields=["created_at"], name="bulk_runs_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.pk}"


class BulkRow(Lean):
    """One handoff of such an act, at the revision that was seen when it was chosen, and what became of it."""

    class Status(models.TextChoices):
        WAITING = "", "Not yet"
        DONE = "done", "Done"
        SAME = "same", "Nothing to do"
        CHANGED = "changed", "Changed meanwhile"
        REFUSED = "refused", "Refused"

    run = models.ForeignKey(BulkRun, on_delete=models.CASCADE, related_name="rows")
    handoff = models.ForeignKey(Handoff, on_delete=models.CASCADE, related_name="bulk_rows")
    revision = models.PositiveIntegerField()
    status = models.CharField(max_length=10, choices=Status, default=Status.WAITING, blank=True)
    message = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["run", "handoff"], name="one_row_per_handoff")]
        indexes = [
            # bulk.work: what is left to do
            models.Index(fields=["run", "id"], condition=Q(status=""), name="bulk_rows_left"),
        ]

    def __str__(self) -> str:
        return f"{self.handoff_id} in {self.run_id}"
