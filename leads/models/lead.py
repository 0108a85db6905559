"""Leads: one row a person, with their addresses, their ids elsewhere, and possible duplicates."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from leads.models.company import Company
from routing.lean import Lean


class Lead(Lean):
    """One person. Unique by normalised e-mail (`email_key`), also known by ids in other systems.

    `field_times` maps a field to the ISO time of the fact it holds: older facts never overwrite newer.
    `name_key` is the normalised name with its words sorted, for duplicate search. After `erased_at` the row
    stands for nobody any more: only what figures count by is left in it.
    """

    email = models.CharField(max_length=320, blank=True)
    email_key = models.CharField(max_length=320, null=True, blank=True, editable=False)
    first_name = models.CharField(max_length=2000, blank=True)
    last_name = models.CharField(max_length=2000, blank=True)
    name_key = models.CharField(max_length=410, blank=True, editable=False)
    job_title = models.CharField(max_length=2000, blank=True)
    phone = models.CharField(max_length=60, blank=True)
    phone_key = models.CharField(max_length=20, blank=True, editable=False)
    country_code = models.CharField(max_length=2, blank=True)
    region = models.CharField(max_length=2000, blank=True)
    postal_code = models.CharField(max_length=30, blank=True)
    timezone = models.CharField(max_length=64, blank=True)
    language = models.CharField(max_length=35, blank=True)
    linkedin_url = models.CharField(max_length=2000, blank=True)
    email_opt_out = models.BooleanField(default=False)
    do_not_call = models.BooleanField(default=False)
    custom = models.JSONField(default=dict, blank=True)
    company = models.ForeignKey(
        Company, null=True, blank=True, on_delete=models.SET_NULL, related_name="leads"
    )
    lead_source = models.CharField(max_length=2000, blank=True)
    channel = models.CharField(max_length=2000, blank=True)
    campaign = models.CharField(max_length=2000, blank=True)
    attribution = models.JSONField(default=dict, blank=True)
    suppressed_at = models.DateTimeField(null=True, blank=True)
    suppressed_reason = models.CharField(max_length=40, blank=True)
    cool_off_until = models.DateTimeField(null=True, blank=True)
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="merged_from"
    )
    field_times = models.JSONField(default=dict, blank=True)
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["email_key"], name="one_lead_per_email"),
            models.CheckConstraint(condition=~Q(email_key=""), name="lead_email_null_not_empty"),
            models.CheckConstraint(
                condition=Q(erased_at__isnull=True)
                | Q(
                    email="",
                    email_key__isnull=True,
                    first_name="",
                    last_name="",
                    name_key="",
                    job_title="",
                    phone="",
                    phone_key="",
                    linkedin_url="",
                    postal_code="",
                ),
                name="erased_lead_is_nobody",
            ),
        ]
        indexes = [
            # identity.find_duplicates: same phone
            models.Index(fields=["phone_key"], condition=~Q(phone_key=""), name="lead_by_phone"),
            # identity.find_duplicates: same company, then compare names; the lead list of a company
            models.Index(fields=["company", "name_key"], name="lead_by_company_name"),
            # the lead list, newest first
            models.Index(fields=["-updated_at", "-id"], name="lead_by_update"),
        ]

    def __str__(self) -> str:
        return self.full_name or self.email or f"Lead {self.pk}"

    @property
    def full_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


class LeadAlias(Lean):
    """A former address of a lead; mail from it is still the same person."""

    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="aliases")
    email_key = models.CharField(max_length=320, unique=True)
    added_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.email_key


class ExternalId(Lean):
    """A lead's id in another system."""

    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="external_ids")
    system = models.CharField(max_length=60)
    object = models.CharField(max_length=60, blank=True)
    value = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["system", "object", "value"], name="one_lead_per_external_id"),
        ]
        indexes = [
            # searching: this very id, in whichever system
            models.Index(fields=["value"], name="external_id_by_value"),
        ]

    def __str__(self) -> str:
        return f"{self.system}/{self.object}/{self.value}"


class DuplicatePair(Lean):
    """Two leads that may be one person. A human decides: merge, or "different people" (remembered)."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        DIFFERENT = "different", "Different people"
        MERGED = "merged", "Merged"

    first = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="+")
    second = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="+")
    evidence = models.JSONField(default=dict)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    found_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["first", "second"], name="one_row_per_pair"),
            models.CheckConstraint(condition=Q(first__lt=F("second")), name="pair_in_order"),
        ]
        indexes = [
            # preflight: has this lead an unresolved duplicate (`first` is served by the unique index)
            models.Index(fields=["second"], condition=Q(status="open"), name="open_pairs_by_second"),
            # the page of duplicates: what was decided last, newest first
            models.Index(
                fields=["-decided_at", "-id"],
                condition=Q(decided_at__isnull=False),
                name="decided_pairs_by_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.first_id} ~ {self.second_id} ({self.status})"


class Merge(Lean):
    """One lead made part of another, by whom, and what both were before (`leads.lifecycle.remembered`).

    `memory` is what an undo goes by; emptied when one of the two is erased.
    """

    keep = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="merges")
    gone = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    memory = models.JSONField(default=dict, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.gone_id} into {self.keep_id}"
