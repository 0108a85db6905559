"""Connections to other systems, their records of our leads, and what they sent us.

A connection's secrets stand sealed in one column (`leads.sealing`) and are never shown again. What is to
leave through it stands in `leads.models.outbox`.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from leads.models.handoff import Handoff
from leads.models.lead import Lead
from routing.lean import Lean


class Connection(Lean):
    """One account in one other system, or one address that is called.

    `options` holds what is no secret (API version, names of score properties ...), by the names that the
    kind's connector reads; `mapping` what of ours is called how there (`leads.connectors.mapping`).
    `id_system` is the `system` of the external ids of leads in it. Breaker and rate budget stand here too,
    so that all workers share them: `failures` in a row, `outcomes` the last ones as "1" and "0", `opened_at`
    since when it is open, `probe_at` when one may be tried again; `tokens` left at `tokens_at`.
    """

    class Kind(models.TextChoices):
        WEBHOOK = "webhook", "Signed webhook"
        MAUTIC = "mautic", "Mautic"
        HUBSPOT = "hubspot", "HubSpot"
        SALESFORCE = "salesforce", "Salesforce"
        SEGMENT = "segment", "Segment and alike"
        SLACK = "slack", "Slack"
        TEAMS = "teams", "Microsoft Teams"

    class Role(models.TextChoices):
        MAP = "map", "Marketing platform"
        CRM = "crm", "CRM"
        BOTH = "both", "Both"
        OTHER = "other", "Neither"

    kind = models.CharField(max_length=12, choices=Kind)
    role = models.CharField(max_length=5, choices=Role, default=Role.OTHER)
    name = models.CharField(max_length=100, unique=True)
    slug = models.SlugField(max_length=60, unique=True)
    is_active = models.BooleanField(default=False)
    is_quiet = models.BooleanField(
        default=False, help_text="its handoffs are checked, routed and measured, but nobody is told"
    )
    base_url = models.CharField(max_length=500, blank=True)
    id_system = models.CharField(max_length=60, blank=True)
    options = models.JSONField(default=dict, blank=True)
    mapping = models.JSONField(default=dict, blank=True)
    sealed = models.TextField(blank=True, editable=False)
    # Part of the address at which it calls us; found by its digest.
    hook_digest = models.CharField(max_length=64, null=True, blank=True, unique=True, editable=False)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    # Why it stands still, in words, and until when (none: until somebody starts it again).
    paused_why = models.CharField(max_length=300, blank=True)
    paused_until = models.DateTimeField(null=True, blank=True)
    cursor = models.JSONField(default=dict, blank=True)
    polled_at = models.DateTimeField(null=True, blank=True)
    # The lease of the worker that polls it now.
    polling_until = models.DateTimeField(null=True, blank=True, editable=False)
    last_in_at = models.DateTimeField(null=True, blank=True)
    last_out_at = models.DateTimeField(null=True, blank=True)

    failures = models.PositiveIntegerField(default=0)
    outcomes = models.CharField(max_length=20, blank=True)
    trips = models.PositiveSmallIntegerField(default=0)
    probe_at = models.DateTimeField(null=True, blank=True)
    rate = models.FloatField(default=10, help_text="calls a second that may be made, at most")
    burst = models.PositiveIntegerField(default=20)
    tokens = models.FloatField(default=0)
    tokens_at = models.DateTimeField(null=True, blank=True)

    history = HistoricalRecords(
        excluded_fields=[
            "sealed", "hook_digest", "cursor", "polled_at", "polling_until", "last_in_at", "last_out_at",
            "failures", "outcomes", "trips", "probe_at", "tokens", "tokens_at",
        ]
    )  # fmt: skip

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=Q(rate__gt=0), name="connection_rate_above_zero"),
        ]

    def __str__(self) -> str:
        return self.name


class RemoteRecord(Lean):
    """A lead's record in another system: what was last written there and what was last seen there.

    `written` are the values of our last write by their field names, with the revision that they stand for:
    the same values coming back are an echo. `seen` is what was last read. Values, not persons: status,
    reason, dates, owner ids; what else is mapped is compared, not kept. For that `facts` has a keyed digest
    of each fact that it last said of the person, by our names ("lead.phone"), and since when: [digest, time].
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="records")
    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="remote_records")
    object = models.CharField(max_length=60)
    remote_id = models.CharField(max_length=200, blank=True)
    handoff = models.ForeignKey(Handoff, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    revision = models.PositiveIntegerField(default=0)
    written = models.JSONField(default=dict, blank=True)
    written_at = models.DateTimeField(null=True, blank=True)
    seen = models.JSONField(default=dict, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    facts = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "lead", "object"], name="one_record_per_lead_and_connection"
            ),
        ]
        indexes = [
            # what comes in names their id; two leads with one id is a finding, not an error
            models.Index(
                fields=["connection", "object", "remote_id"],
                condition=~Q(remote_id=""),
                name="remote_record_by_id",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.connection_id}/{self.object}/{self.remote_id} of {self.lead_id}"


class FieldConflict(Lean):
    """Two systems say different things of one person, and one of them is the stated owner of that field: its
    value stands in the lead, and what the other says is kept here until they agree.

    `value` is personal data: an erasure deletes these rows.
    """

    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="field_conflicts")
    field = models.CharField(max_length=120)
    owner = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    other = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    value = models.CharField(max_length=2000, blank=True)
    said_at = models.DateTimeField(help_text="when the other system's value was from, by its own word")
    found_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["lead", "field"]
        constraints = [
            models.UniqueConstraint(
                fields=["lead", "field", "other"], name="one_conflict_per_field_and_system"
            ),
        ]
        indexes = [
            # the sync audit: what is not settled, the latest first
            models.Index(
                fields=["-found_at"], condition=Q(settled_at__isnull=True), name="field_conflict_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.field} of {self.lead_id}: {self.owner_id} over {self.other_id}"


class InboundCall(Lean):
    """What another system sent: its bytes as they came, stored before anything is made of them.

    `identity` is what makes a second one the same (webhook-id, or a digest of the body where the sender has
    no ids). `body` is emptied once the call is old enough or the person is erased.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"
        TAKEN = "taken", "Taken"
        IGNORED = "ignored", "Ignored"
        FAILED = "failed", "Failed"

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="calls")
    identity = models.CharField(max_length=200)
    body = models.BinaryField()
    body_digest = models.CharField(max_length=64)
    received_at = models.DateTimeField()
    status = models.CharField(max_length=8, choices=Status, default=Status.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    try_after = models.DateTimeField()
    # What became of it, in codes and counts; never what it said.
    outcome = models.JSONField(default=dict, blank=True)
    error = models.CharField(max_length=300, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    repeats = models.PositiveIntegerField(default=0)
    differing_repeats = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "identity"], name="one_call_per_identity"),
        ]
        indexes = [
            # connectors.receiving: what is stored and not yet taken in
            models.Index(fields=["try_after", "id"], condition=Q(status="waiting"), name="inbound_waiting"),
            # the connection's page and pruning: the latest first, the oldest gone first
            models.Index(fields=["connection", "-received_at"], name="inbound_by_connection"),
        ]

    def __str__(self) -> str:
        return f"{self.connection_id} {self.identity}: {self.status}"
