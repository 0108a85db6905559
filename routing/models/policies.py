"""SLA policies as rows, versioned: a handoff keeps the version it started with.

A policy row is never edited: a change is a new row with the next version, and `is_live` moves.
Deadlines and due steps are computed by `routing.sla` from the pure value that `policy()` returns.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from routing import sla
from routing.lean import Lean


class SlaPolicy(Lean):
    """Targets of one lead type (or of a segment that a rule names by slug). Minutes; business or elapsed."""

    slug = models.SlugField()
    version = models.PositiveIntegerField(default=1)
    name = models.CharField(max_length=100)
    lead_type = models.CharField(max_length=8, choices=[("demo", "Demo"), ("standard", "Standard")])
    is_live = models.BooleanField(default=True)
    is_default = models.BooleanField(default=False, help_text="used for its lead type when a rule names none")
    accept_minutes = models.PositiveIntegerField()
    accept_business = models.BooleanField(default=True)
    contact_minutes = models.PositiveIntegerField()
    contact_business = models.BooleanField(default=True)
    unacknowledged_minutes = models.PositiveIntegerField(default=120)
    unacknowledged_business = models.BooleanField(default=True)
    no_activity_minutes = models.PositiveIntegerField(default=240)
    no_activity_business = models.BooleanField(default=True)
    black_hole_minutes = models.PositiveIntegerField(default=1440)
    black_hole_business = models.BooleanField(default=False)
    completion_minutes = models.PositiveIntegerField(default=240)
    completion_business = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    note = models.CharField(max_length=300, blank=True, help_text="why this version was made")

    class Meta:
        ordering = ["slug", "-version"]
        verbose_name = "SLA policy"
        verbose_name_plural = "SLA policies"
        constraints = [
            models.UniqueConstraint(fields=["slug", "version"], name="one_policy_version"),
            models.UniqueConstraint(
                fields=["slug"], condition=Q(is_live=True), name="one_live_policy_version"
            ),
            models.UniqueConstraint(
                fields=["lead_type"], condition=Q(is_live=True, is_default=True), name="one_default_policy"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} (version {self.version})"

    def policy(self) -> sla.Policy:
        """This row and its steps as the pure value that `routing.sla` works on."""

        def target(name: str) -> sla.Target:
            return sla.Target(getattr(self, f"{name}_minutes"), getattr(self, f"{name}_business"))

        return sla.Policy(
            id=self.pk,
            slug=self.slug,
            version=self.version,
            lead_type=self.lead_type,
            accept=target("accept"),
            contact=target("contact"),
            unacknowledged=target("unacknowledged"),
            no_activity=target("no_activity"),
            black_hole=target("black_hole"),
            completion=target("completion"),
            steps=tuple(row.step() for row in self.steps.all()),
        )


class SlaStep(Lean):
    """One rung of a policy's ladder: when on which clock, who, and what is done."""

    policy = models.ForeignKey(SlaPolicy, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField()
    code = models.SlugField(max_length=30)
    clock = models.CharField(max_length=16)
    share = models.PositiveSmallIntegerField(null=True, blank=True, help_text="percent of the window")
    after_minutes = models.PositiveIntegerField(null=True, blank=True, help_text="after the window's end")
    after_business = models.BooleanField(default=True)
    who = models.JSONField(default=list)
    what = models.CharField(max_length=10)
    queue = models.ForeignKey(
        "routing.Queue",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="where a step that moves the handoff to a queue moves it",
    )

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["policy", "code"], name="one_step_per_code")]

    def __str__(self) -> str:
        return self.code

    def step(self) -> sla.Step:
        after = None if self.after_minutes is None else sla.Target(self.after_minutes, self.after_business)
        return sla.Step(self.code, self.clock, self.share, after, tuple(self.who), self.what, self.queue_id)
