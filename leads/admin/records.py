"""Leads, handoffs and what is kept of them: shown, searched by exact address or id, never written.

Values come from anywhere and are escaped like all text. What makes a company an account (stage, owner, named
or not) is the exception: people decide on it, here as on the page of accounts.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from leads.admin.base import Kept, Shown, ShownInline, save_changed
from leads.identity import normalise_email
from leads.models import Company, Event, ExternalId, Handoff, Lead, PrivacyAct, Receipt, RoutingDecision


class ExternalIdInline(ShownInline):
    model = ExternalId


@admin.register(Lead)
class LeadAdmin(Shown):
    list_display = ("__str__", "email", "company", "lead_source", "updated_at")
    list_select_related = ("company",)
    search_fields = ("=email_key",)
    search_help_text = "The whole e-mail address."
    inlines = (ExternalIdInline,)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Lead], search_term: str
    ) -> tuple[QuerySet[Lead], bool]:
        return super().get_search_results(request, queryset, normalise_email(search_term) or search_term)


@admin.register(Company)
class CompanyAdmin(Kept):
    list_display = ("__str__", "domain", "size_band", "stage", "owner", "is_named_account")
    list_filter = ("stage", "is_named_account")
    list_select_related = ("owner",)
    search_fields = ("=domain",)
    search_help_text = "The whole domain."
    fields = (
        "name", "domain", "stage", "owner", "is_named_account", "website", "industry", "employee_count",
        "size_band", "revenue_amount", "revenue_currency", "country_code", "technologies", "news",
    )  # fmt: skip
    readonly_fields = tuple(name for name in fields if name not in ("stage", "owner", "is_named_account"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Company, form: Any, change: bool) -> None:
        obj.updated_at = timezone.now()
        save_changed(obj, [*form.changed_data, "updated_at"], change)


class EventInline(ShownInline):
    model = Event
    fields = ("number", "kind", "stage", "occurred_at", "recorded_at", "user", "api_key", "data")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        return super().get_queryset(request).select_related("user", "api_key").order_by("number")


@admin.register(Handoff)
class HandoffAdmin(Shown):
    list_display = ("id", "lead", "state", "lead_type", "assignee", "queue", "mql_at", "next_due_at")
    list_filter = ("state", "lead_type", "is_history", "is_quiet")
    list_select_related = ("lead__company", "assignee", "queue")
    search_fields = ("=id", "=lead__email_key")
    search_help_text = "The handoff's id or the whole e-mail address."
    ordering = ("-id",)
    inlines = (EventInline,)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Handoff], search_term: str
    ) -> tuple[QuerySet[Handoff], bool]:
        return super().get_search_results(request, queryset, normalise_email(search_term) or search_term)


@admin.register(Event)
class EventAdmin(Shown):
    list_display = ("handoff_id", "number", "kind", "stage", "occurred_at", "recorded_at", "user")
    list_filter = ("kind",)
    list_select_related = ("user",)
    search_fields = ("=handoff__id",)
    search_help_text = "The handoff's id."
    ordering = ("-id",)


@admin.register(RoutingDecision)
class RoutingDecisionAdmin(Shown):
    list_display = ("handoff_id", "at", "ruleset", "rule_id", "outcome")
    list_filter = ("outcome",)
    list_select_related = ("ruleset",)
    search_fields = ("=handoff__id",)
    search_help_text = "The handoff's id."
    ordering = ("-id",)


@admin.register(PrivacyAct)
class PrivacyActAdmin(Shown):
    list_display = ("at", "kind", "lead_id", "by", "api_key", "why", "reference", "rows")
    list_filter = ("kind", "why")
    list_select_related = ("by", "api_key")
    search_fields = ("=reference", "=lead__id")
    search_help_text = "The number of a case or of a lead."


@admin.register(Receipt)
class ReceiptAdmin(Shown):
    list_display = ("event_id", "source", "kind", "status", "reason", "received_at", "differing_repeats")
    list_filter = ("status", "kind")
    search_fields = ("=event_id",)
    search_help_text = "The event's whole id."
    ordering = ("-id",)
