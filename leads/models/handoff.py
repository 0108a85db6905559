"""The handoff: one MQL conversion of one lead and all that follows.

The columns are a projection of the event log and are written by `leads.lifecycle` alone. What sales
wrote in words (notes, explanations) stands in rows of its own, so that the log holds no personal data.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from leads import choices
from leads.choices import OPEN, WAITING
from leads.models.activity import Activity, Score
from leads.models.agreement import MqlDefinition, RejectionReason
from leads.models.lead import Lead
from leads.querysets import ASTRAY, HandoffQuerySet
from routing.lean import Lean
from routing.models import Queue, Ruleset, SlaPolicy

_OPEN = [str(state) for state in OPEN]


def _person() -> models.ForeignKey:
    return models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )


class Handoff(Lean):
    """See `design` words: state, clocks and facts of one conversion. Times are UTC instants.

    Frozen at `mql_at`: lead type, trigger, definition, source, channel, campaign, score. Frozen at
    routing: rule, ruleset, territory. `revision` is the number of the last event.
    """

    # As with all that events bring, without an index of its own where another one begins with it.
    lead = models.ForeignKey(Lead, on_delete=models.PROTECT, related_name="handoffs", db_index=False)
    state = models.CharField(max_length=12, choices=choices.State)
    revision = models.PositiveIntegerField(default=0)

    # Stage 1, trigger
    lead_type = models.CharField(max_length=8, choices=choices.LeadType)
    trigger = models.CharField(
        max_length=16, blank=True, choices=choices.TriggerKind, help_text="empty when the sender named none"
    )
    trigger_reason = models.CharField(max_length=2000, blank=True)
    trigger_activity = models.ForeignKey(
        Activity, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    definition = models.ForeignKey(
        MqlDefinition, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    mql_at = models.DateTimeField()
    received_at = models.DateTimeField()
    is_clamped = models.BooleanField(default=False, help_text="the sender's clock was ahead of ours")
    raised_at = models.DateTimeField(null=True, blank=True)
    triggered_again_at = models.DateTimeField(null=True, blank=True)
    lead_source = models.CharField(max_length=2000, blank=True)
    channel = models.CharField(max_length=2000, blank=True)
    campaign = models.CharField(max_length=2000, blank=True)
    score = models.ForeignKey(Score, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    score_total = models.IntegerField(null=True, blank=True)
    score_fit = models.IntegerField(null=True, blank=True)
    score_intent = models.IntegerField(null=True, blank=True)
    score_behavior = models.IntegerField(null=True, blank=True)

    # Stage 2, enrichment pass
    missing = models.JSONField(default=list, blank=True)
    completion_since = models.DateTimeField(null=True, blank=True)
    completion_visits = models.PositiveSmallIntegerField(default=0)
    ready_at = models.DateTimeField(null=True, blank=True)

    # Stage 3, routing
    ruleset = models.ForeignKey(Ruleset, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    rule_id = models.CharField(max_length=40, blank=True)
    rule_name = models.CharField(max_length=120, blank=True)
    territory = models.CharField(max_length=50, blank=True)
    policy = models.ForeignKey(SlaPolicy, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="handoffs"
    )
    queue = models.ForeignKey(Queue, null=True, blank=True, on_delete=models.PROTECT, related_name="handoffs")
    assigned_at = models.DateTimeField(null=True, blank=True)
    held_since = models.DateTimeField(null=True, blank=True)
    window = models.PositiveSmallIntegerField(default=0, help_text="counts the holders' acceptance windows")
    first_holder = _person()
    holder_at_24h = _person()

    # Stages 4 and 5, sales
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = _person()
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    rejected_at = models.DateTimeField(null=True, blank=True)
    rejected_by = _person()
    rejection_reason = models.ForeignKey(
        RejectionReason, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    next_step = models.CharField(max_length=12, blank=True, choices=choices.NextStep)
    follow_up_at = models.DateTimeField(null=True, blank=True)
    deferred_at = models.DateTimeField(null=True, blank=True)
    deferred_until = models.DateTimeField(null=True, blank=True)
    deferrals = models.PositiveSmallIntegerField(default=0)
    first_contact_at = models.DateTimeField(null=True, blank=True)
    first_contact_by = _person()
    first_contact_channel = models.CharField(max_length=16, blank=True, choices=choices.Channel)
    first_contact_outcome = models.CharField(max_length=12, blank=True, choices=choices.Outcome)
    first_contact_personal = models.BooleanField(
        null=True, blank=True, help_text="it referred to one of the lead's signals"
    )
    first_contact_logged_late = models.BooleanField(default=False)
    next_touch_at = models.DateTimeField(null=True, blank=True)
    disposition = models.CharField(max_length=20, blank=True, choices=choices.Disposition)
    disposition_at = models.DateTimeField(null=True, blank=True)
    first_activity_at = models.DateTimeField(null=True, blank=True)
    last_activity_at = models.DateTimeField(null=True, blank=True)
    viewed_at = models.DateTimeField(null=True, blank=True)
    priority = models.PositiveSmallIntegerField(
        default=0, help_text="raised by the ladder; the higher comes first among equals"
    )

    # The end
    opportunity_at = models.DateTimeField(null=True, blank=True)
    opportunity_id = models.CharField(max_length=200, blank=True)
    opportunity_amount = models.DecimalField(max_digits=20, decimal_places=2, null=True, blank=True)
    opportunity_currency = models.CharField(max_length=3, blank=True)
    opportunity_stage = models.CharField(max_length=100, blank=True)
    close_reason = models.CharField(max_length=40, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    # Clocks: each deadline is stored when it is set
    clock_started_at = models.DateTimeField(null=True, blank=True)
    clock_runs_from = models.DateTimeField(
        null=True, blank=True, help_text="clock_started_at moved on by later stays in completion"
    )
    accept_due_at = models.DateTimeField(null=True, blank=True)
    contact_due_at = models.DateTimeField(null=True, blank=True)
    completion_due_at = models.DateTimeField(null=True, blank=True)
    next_due_at = models.DateTimeField(null=True, blank=True)
    next_step_at = models.DateTimeField(null=True, blank=True)
    # The deadline that stood when each of these was first done: whether it was in time stays true, whatever
    # the clocks do later. Null where none was set, as in imported history.
    acknowledged_due_at = models.DateTimeField(null=True, blank=True)
    contacted_due_at = models.DateTimeField(null=True, blank=True)
    disposed_at = models.DateTimeField(
        null=True, blank=True, help_text="the first disposition; disposition_at is the latest"
    )
    disposed_due_at = models.DateTimeField(null=True, blank=True)
    no_activity_at = models.DateTimeField(null=True, blank=True)
    black_hole_at = models.DateTimeField(null=True, blank=True)

    is_history = models.BooleanField(default=False)
    is_quiet = models.BooleanField(default=False)
    history_key = models.CharField(max_length=200, null=True, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects = HandoffQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["lead"],
                condition=Q(state__in=_OPEN, is_history=False),
                name="one_open_handoff_per_lead",
            ),
            models.UniqueConstraint(fields=["history_key"], name="one_handoff_per_history_row"),
            models.CheckConstraint(
                condition=~Q(state="assigned") | Q(is_history=True) | Q(assignee__isnull=False),
                name="assigned_has_assignee",
            ),
            models.CheckConstraint(
                condition=~Q(state="queued") | Q(is_history=True) | Q(queue__isnull=False),
                name="queued_has_queue",
            ),
        ]
        indexes = [
            # the inbox and the team page: open work of a person, by deadline
            models.Index(
                fields=["assignee", "state", "next_due_at"],
                condition=Q(state__in=_OPEN, is_history=False),
                name="handoff_open_by_assignee",
            ),
            # a queue's waiting handoffs, oldest first (claim, drain, the queue tab)
            models.Index(
                fields=["queue", "mql_at"],
                condition=Q(state="queued", is_history=False),
                name="handoff_waiting_in_queue",
            ),
            # escalation.sweep: what is due by now
            models.Index(
                fields=["next_step_at"],
                condition=Q(next_step_at__isnull=False),
                name="handoff_next_step",
            ),
            # the navigation of each page: what is past its deadline, of all that are open
            models.Index(
                fields=["next_due_at"],
                condition=Q(next_due_at__isnull=False),
                name="handoff_by_deadline",
            ),
            # escalation.repair, each minute: nothing stands in here while all is well
            models.Index(fields=["id"], condition=ASTRAY, name="handoff_astray"),
            # escalation.sweep: rejections whose ten seconds of undo are over
            models.Index(
                fields=["follow_up_at"], condition=Q(follow_up_at__isnull=False), name="handoff_follow_up"
            ),
            # the completion page, by marketing's own due time
            models.Index(
                fields=["completion_due_at"],
                condition=Q(state="incomplete", is_history=False),
                name="handoff_incomplete",
            ),
            # the triage page: rejections that marketing decides on, newest first
            models.Index(
                fields=["-closed_at", "-id"],
                condition=Q(
                    state="rejected", next_step="triage", is_history=False, follow_up_at__isnull=True
                ),
                name="handoff_to_triage",
            ),
            # the completion page: what was held for data over the last month
            models.Index(
                fields=["-mql_at"],
                condition=Q(is_history=False, completion_visits__gt=0),
                name="handoff_was_held",
            ),
            # measures: cohorts by week of conversion; times to first contact are read from it alone
            models.Index(fields=["mql_at", "lead_type", "first_contact_at"], name="handoff_by_week"),
            # the API's list and polling: what changed since
            models.Index(fields=["updated_at", "id"], name="handoff_by_update"),
            # the lead page: all handoffs of a person
            models.Index(fields=["lead", "-mql_at"], name="handoff_by_lead"),
        ]

    def __str__(self) -> str:
        return f"Handoff {self.pk} ({self.state})"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN and not self.is_history

    @property
    def is_waiting(self) -> bool:
        return self.state in WAITING

    @property
    def is_complete(self) -> bool:
        """Acknowledged, an attempt logged and the disposition recorded. Rejected is closed, not complete."""
        return bool(
            self.acknowledged_at and self.first_contact_at and self.disposition and self.state != "rejected"
        )

    @property
    def effective_type(self) -> str:
        """The lead type whose targets run now: demo once raised."""
        return choices.LeadType.DEMO if self.raised_at else self.lead_type


class Rejection(Lean):
    """One act of rejection. Reasons are counted over these rows, rates over handoffs."""

    handoff = models.ForeignKey(Handoff, on_delete=models.CASCADE, related_name="rejections")
    reason = models.ForeignKey(RejectionReason, on_delete=models.PROTECT, related_name="+")
    next_step = models.CharField(max_length=12, choices=choices.NextStep)
    by = _person()
    at = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=2000, blank=True)
    seen = models.CharField(
        max_length=32,
        blank=True,
        default="",
        # The oldest version, which does not know it, goes on rejecting while it is upgraded.
        db_default="",
        help_text="mark of the facts that the reason speaks of, see leads.refusals",
    )
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["at"]
        indexes = [
            # metrics: rejections by reason over a span
            models.Index(fields=["at"], name="rejection_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.reason_id} at {self.at:%Y-%m-%d}"


class Deferral(Lean):
    """One deferral with the lead's own words for it."""

    handoff = models.ForeignKey(Handoff, on_delete=models.CASCADE, related_name="deferral_rows")
    by = _person()
    at = models.DateTimeField()
    until = models.DateTimeField()
    explanation = models.CharField(max_length=2000)
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["at"]

    def __str__(self) -> str:
        return f"until {self.until:%Y-%m-%d}"


class ContactAttempt(Lean):
    """One outreach attempt. `activity` is the signal it referred to; empty means generic."""

    handoff = models.ForeignKey(Handoff, on_delete=models.CASCADE, related_name="attempts")
    by = _person()
    channel = models.CharField(max_length=16, choices=choices.Channel)
    outcome = models.CharField(max_length=12, choices=choices.Outcome)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    logged_late = models.BooleanField(default=False)
    activity = models.ForeignKey(Activity, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    note = models.CharField(max_length=2000, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["at"]

    def __str__(self) -> str:
        return f"{self.channel} {self.outcome}"


class Note(Lean):
    """A note on a handoff, by whoever sees it."""

    handoff = models.ForeignKey(Handoff, on_delete=models.CASCADE, related_name="notes")
    by = _person()
    at = models.DateTimeField()
    text = models.CharField(max_length=2000)
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["at"]

    def __str__(self) -> str:
        return self.text[:60]
