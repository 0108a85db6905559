"""Rules, territories, named lists and the published rulesets.

Rules, territories and lists are the draft; publishing compiles them into one immutable document on a
Ruleset and moves the one pointer. Rows of the draft are switched off rather than deleted, since versions
and decisions name them by id. Nothing here decides: `routing.engine` reads the document.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from routing.lean import Lean


class Draft(Lean):
    """What the draft says as a whole: one row. `revision` is raised when the order of the rules or one of
    these settings changes, so that two editors at once see each other."""

    class AccountFirst(models.TextChoices):
        OWNED = "owned", "Every company that has an owner"
        CUSTOMERS = "customers", "Customers only"
        NEVER = "never", "No company: the rules alone decide"

    account_first = models.CharField(
        max_length=10,
        choices=AccountFirst,
        default=AccountFirst.OWNED,
        help_text="whose leads go to the owner of the account before any rule's own target",
    )
    revision = models.PositiveIntegerField(default=1)
    history = HistoricalRecords()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="one_draft")]

    def __str__(self) -> str:
        return "Draft"


class NamedList(Lean):
    """A list of values that conditions refer to by its slug: domains, postal prefixes, any words."""

    class Kind(models.TextChoices):
        DOMAINS = "domains", "Domains"
        POSTAL = "postal", "Postal prefixes"
        WORDS = "words", "Words"

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.WORDS)
    values = models.JSONField(default=list, blank=True)
    is_active = models.BooleanField(default=True)
    revision = models.PositiveIntegerField(default=1)
    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Territory(Lean):
    """Named conditions with an owner and members."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    conditions = models.JSONField(default=dict)
    is_active = models.BooleanField(default=True)
    revision = models.PositiveIntegerField(default=1)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="territories")
    history = HistoricalRecords(m2m_fields=[members])

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "territories"

    def __str__(self) -> str:
        return self.name


class Rule(Lean):
    """One rule of the draft. First match wins, in order of `position`."""

    class TargetKind(models.TextChoices):
        REP = "rep", "A rep"
        POOL = "pool", "A pool"
        QUEUE = "queue", "A queue"
        ACCOUNT_OWNER = "account_owner", "The owner of the account"
        TERRITORY_OWNER = "territory_owner", "The owner of the territory"

    position = models.PositiveIntegerField(default=0)
    name = models.CharField(max_length=120)
    conditions = models.JSONField(default=dict)
    target_kind = models.CharField(max_length=16, choices=TargetKind.choices)
    target_id = models.CharField(max_length=40, blank=True)
    fallback_kind = models.CharField(max_length=16, choices=TargetKind.choices, blank=True)
    fallback_id = models.CharField(max_length=40, blank=True)
    policy_slug = models.SlugField(blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    last_reviewed = models.DateField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    revision = models.PositiveIntegerField(default=1)
    history = HistoricalRecords()

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.name


class RuleReview(Lean):
    """A dated task to look at a rule again, one a quarter; done when somebody says what came of it."""

    class Outcome(models.TextChoices):
        KEPT = "kept", "It stays as it is"
        CHANGED = "changed", "It was changed"
        RETIRED = "retired", "It was switched off"

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="reviews")
    due_on = models.DateField()
    created_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    done_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    outcome = models.CharField(max_length=8, blank=True, choices=Outcome)
    note = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["due_on", "id"]
        constraints = [
            # One open task a rule; a quarter that passes unreviewed makes it overdue, not two.
            models.UniqueConstraint(
                fields=["rule"], condition=Q(done_at__isnull=True), name="one_open_review_per_rule"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule} by {self.due_on}"


class Ruleset(Lean):
    """One published version: an immutable document. `is_live` is the pointer; at most one row has it."""

    version = models.PositiveIntegerField(unique=True)
    document = models.JSONField()
    published_at = models.DateTimeField()
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    note = models.CharField(max_length=300, blank=True)
    restored_from = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    is_live = models.BooleanField(default=False)

    class Meta:
        ordering = ["-version"]
        constraints = [
            models.UniqueConstraint(fields=["is_live"], condition=Q(is_live=True), name="one_live_ruleset"),
        ]

    def __str__(self) -> str:
        return f"Ruleset {self.version}"
