"""Companies: what is known of an organisation, unique by registrable domain."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Case, Func, Q, When

from leads.choices import SIZE_BAND_NAMES, CompanyStage
from routing.lean import Lean

ACCOUNT_START = 4


class Company(Lean):
    """An organisation. `domain` is the registrable domain, or null where none is known.

    An account is a company with an owner, with a stage beyond prospect, or named: one that somebody chose to
    look after by name. `account_key` is the normalised name without its legal form, by which a lead that
    names its company in words is matched to an account; `account_start` its first letters, kept by the
    database for accounts only and null for everybody else.
    `field_times` maps a field to the ISO time of the fact it holds: older facts never overwrite newer.
    """

    name = models.CharField(max_length=2000, blank=True)
    name_key = models.CharField(max_length=300, blank=True, editable=False)
    account_key = models.CharField(max_length=300, blank=True, editable=False)
    domain = models.CharField(max_length=253, null=True, blank=True)
    website = models.CharField(max_length=2000, blank=True)
    industry = models.CharField(max_length=2000, blank=True)
    employee_count = models.PositiveBigIntegerField(null=True, blank=True)
    size_band = models.CharField(
        max_length=12, blank=True, choices=[(name, name) for name in SIZE_BAND_NAMES]
    )
    revenue_amount = models.DecimalField(max_digits=20, decimal_places=2, null=True, blank=True)
    revenue_currency = models.CharField(max_length=3, blank=True)
    country_code = models.CharField(max_length=2, blank=True)
    technologies = models.JSONField(default=list, blank=True)
    news = models.JSONField(default=list, blank=True)
    stage = models.CharField(max_length=20, choices=CompanyStage, default=CompanyStage.PROSPECT)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="accounts"
    )
    is_named_account = models.BooleanField(default=False)
    account_start = models.GeneratedField(
        expression=Case(
            When(
                Q(owner__isnull=False) | ~Q(stage="prospect") | Q(is_named_account=True),
                # Without blanks: Django reads SQLite's table definitions by splitting them at ", ".
                then=Func("account_key", template=f"SUBSTR(%(expressions)s,1,{ACCOUNT_START})"),
            )
        ),
        output_field=models.CharField(max_length=ACCOUNT_START, null=True),
        db_persist=True,
    )
    field_times = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "companies"
        constraints = [
            models.UniqueConstraint(fields=["domain"], name="one_company_per_domain"),
            models.CheckConstraint(condition=~Q(domain=""), name="company_domain_null_not_empty"),
        ]
        indexes = [
            # identity: a company without a domain is found by its normalised name
            models.Index(fields=["name_key"], name="company_by_name"),
            # accounts.match: accounts whose name may be the one that a lead gave
            models.Index(
                fields=["account_start"],
                condition=Q(account_start__isnull=False),
                name="account_by_start",
            ),
            # the page of accounts, by name
            models.Index(
                fields=["name_key", "id"], condition=Q(account_start__isnull=False), name="account_by_name"
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.domain or f"Company {self.pk}"
