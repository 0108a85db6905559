"""Queues and pools: where work waits, and who shares it.

Owns membership, caps, weights and the ledger of turns. A turn's `ref` is opaque: this room never
knows what it stands for. Picking a member is `routing.rotation`.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from routing.lean import Lean


class Queue(Lean):
    """A place where handoffs wait for a person. It has a named owner, always."""

    class Kind(models.TextChoices):
        SALES = "sales", "Sales"
        OVERFLOW = "overflow", "Overflow"
        COMPLETION = "completion", "Data completion"

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.SALES)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="queues_owned")
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="queues")
    calendar = models.ForeignKey(
        "routing.Calendar", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    revision = models.PositiveIntegerField(default=1)
    history = HistoricalRecords(m2m_fields=[members])

    class Meta:
        ordering = ["name"]
        constraints = [
            # Exactly one completion queue and one overflow queue catch what has nowhere else to go.
            models.UniqueConstraint(
                fields=["kind"], condition=~Q(kind="sales"), name="one_queue_of_each_kind"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Pool(Lean):
    """People who share the work that a rule sends here, by quota, least open load or earliest reachable.

    Caps count all of a member's turns, whichever pool they came from; a day and a week are those of the
    member's own calendar.
    """

    class Method(models.TextChoices):
        QUOTA = "quota", "Quota rotation"
        LEAST_OPEN = "least_open", "Least open load"
        EARLIEST = "earliest", "Earliest reachable"

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    method = models.CharField(max_length=10, choices=Method.choices, default=Method.QUOTA)
    cap_open = models.PositiveIntegerField(
        null=True, blank=True, help_text="most open handoffs a member may hold; empty for no cap"
    )
    cap_day = models.PositiveIntegerField(null=True, blank=True, help_text="most a member may get in a day")
    cap_week = models.PositiveIntegerField(null=True, blank=True, help_text="most a member may get in a week")
    in_hours_only = models.BooleanField(
        default=False, help_text="members outside their working hours are passed over"
    )
    revision = models.PositiveIntegerField(default=1)
    calendar = models.ForeignKey(
        "routing.Calendar", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class PoolMember(Lean):
    """A seat in a pool. `accrued` and `taken` are the quota method's memory (see `routing.quota`)."""

    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="seats")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="seats")
    weight = models.PositiveIntegerField(default=1)
    cap_open = models.PositiveIntegerField(null=True, blank=True)
    cap_day = models.PositiveIntegerField(null=True, blank=True)
    cap_week = models.PositiveIntegerField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    accrued = models.DecimalField(max_digits=24, decimal_places=12, default=0)
    taken = models.PositiveIntegerField(default=0)
    # What an edit sets; the memory of the rotation moves with every lead.
    history = HistoricalRecords(excluded_fields=["accrued", "taken"])

    class Meta:
        ordering = ["pool", "user"]
        constraints = [
            models.UniqueConstraint(fields=["pool", "user"], name="one_seat_per_person_and_pool"),
            models.CheckConstraint(condition=Q(weight__gte=1), name="seat_weight_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.pool}"


class Turn(Lean):
    """One assignment in the ledger. Open while `released_at` is empty; load and caps count open turns.

    `shares` holds what each member accrued by this turn, so giving it back undoes it exactly.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="turns")
    pool = models.ForeignKey(Pool, null=True, blank=True, on_delete=models.PROTECT, related_name="turns")
    ref = models.CharField(max_length=40)
    taken_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True, blank=True)
    given_back_at = models.DateTimeField(null=True, blank=True)
    shares = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["ref"], condition=Q(released_at__isnull=True), name="one_open_turn_per_ref"
            ),
        ]
        indexes = [
            # rotation.Desk: open load per person; the working set is the open turns only
            models.Index(fields=["user"], condition=Q(released_at__isnull=True), name="open_turns_by_user"),
            # rotation.give_back and caps per day: a person's recent turns
            models.Index(fields=["user", "taken_at"], name="turns_by_user_time"),
            models.Index(fields=["ref"], name="turns_by_ref"),
        ]

    def __str__(self) -> str:
        return f"{self.user} holds {self.ref}"
