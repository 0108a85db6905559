"""The outbox: what must leave for other systems, written in the transaction of the change.

Owns the rows and the attempts that were made. Claiming and marking is `leads.outbox`, sending
`leads.connectors`. A row that stands for a state holds no values: they are read when it is sent.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from leads.models.connection import Connection
from leads.models.handoff import Handoff
from leads.models.lead import Lead
from routing.lean import Lean


class Delivery(Lean):
    """One thing owed to one connection.

    `state` says that the lead's present state is to be written there: a newer one supersedes it. `event` is
    one thing that happened, with its body as it was then; `message` a message to people; `erase` asks for a
    person to be forgotten. Of one lead and connection the oldest goes first, always. The attempt is counted
    in `attempts` before it is made; `locked_until` is the lease of the worker that has it, none when nobody
    does. `done_at` is when it was settled, whichever way: without it the row still waits or is being sent.
    (The indexes ask for nulls and not for a status: SQLite compares no parameter with an index's condition.)
    """

    class Kind(models.TextChoices):
        STATE = "state", "State"
        EVENT = "event", "Event"
        MESSAGE = "message", "Message"
        ERASE = "erase", "Erasure"

    class Status(models.TextChoices):
        PENDING = "pending", "Waiting"
        SENDING = "sending", "Being sent"
        DONE = "done", "Delivered"
        SUPERSEDED = "superseded", "Superseded"
        WITHDRAWN = "withdrawn", "Withdrawn"
        DEAD = "dead", "Given up"
        DISCARDED = "discarded", "Discarded"

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="deliveries")
    lead = models.ForeignKey(Lead, null=True, blank=True, on_delete=models.CASCADE, related_name="deliveries")
    handoff = models.ForeignKey(Handoff, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=8, choices=Kind)
    type = models.CharField(max_length=60, blank=True)
    message_id = models.CharField(max_length=40, unique=True)
    body = models.TextField(blank=True)
    revision = models.PositiveIntegerField(default=0)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    locked_until = models.DateTimeField(null=True, blank=True)
    locked_by = models.CharField(max_length=40, blank=True)
    last_status = models.PositiveSmallIntegerField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)
    note = models.CharField(max_length=300, blank=True, help_text="why somebody discarded it")
    occurred_at = models.DateTimeField(help_text="when what it tells of happened; the lag counts from here")
    created_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
        indexes = [
            # outbox.claim: what is due of a connection, oldest first
            models.Index(
                fields=["connection", "next_attempt_at", "id"],
                condition=Q(done_at__isnull=True, locked_until__isnull=True),
                name="delivery_due",
            ),
            # outbox.claim: is an older one of this lead not yet done; outbox.owe: what is superseded
            models.Index(
                fields=["connection", "lead", "id"],
                condition=Q(done_at__isnull=True),
                name="delivery_undone_by_lead",
            ),
            # outbox.release: whose lease has ended
            models.Index(
                fields=["locked_until"], condition=Q(locked_until__isnull=False), name="delivery_leased"
            ),
            # the log of a connection, newest first
            models.Index(fields=["connection", "-id"], name="delivery_log"),
            # dead letters
            models.Index(fields=["connection", "-id"], condition=Q(status="dead"), name="delivery_dead"),
            # pruning: what has long been settled
            models.Index(fields=["done_at"], condition=Q(done_at__isnull=False), name="delivery_settled"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=("pending", "sending"), done_at__isnull=True)
                | (~Q(status__in=("pending", "sending")) & Q(done_at__isnull=False)),
                name="delivery_settled_or_not",
            ),
            models.CheckConstraint(
                condition=Q(status="sending", locked_until__isnull=False)
                | (~Q(status="sending") & Q(locked_until__isnull=True)),
                name="delivery_leased_while_sending",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk} for {self.connection_id}: {self.status}"


class DeliveryAttempt(Lean):
    """One attempt: when, how long, what was asked and what was answered, both cut short, without secrets."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="tries")
    number = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    milliseconds = models.PositiveIntegerField(default=0)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    outcome = models.CharField(max_length=12)
    request = models.TextField(blank=True)
    answer = models.TextField(blank=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["delivery", "number"]
        constraints = [
            models.UniqueConstraint(fields=["delivery", "number"], name="one_row_per_attempt"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.delivery_id}: {self.outcome}"
