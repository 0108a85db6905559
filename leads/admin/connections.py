"""Connections, what left through them and what came in: shown, never written here.

Their secrets and the address at which they call us are on no page of the admin; they are set where everything
else of a connection is, under Integrations.
"""

from __future__ import annotations

from django.contrib import admin

from leads.admin.base import Shown
from leads.models import Connection, Delivery, InboundCall


@admin.register(Connection)
class ConnectionAdmin(Shown):
    list_display = ("name", "kind", "role", "is_active", "paused_why", "last_in_at", "last_out_at")
    list_filter = ("kind", "role", "is_active")
    search_fields = ("name",)
    fields = (
        "name", "slug", "kind", "role", "is_active", "is_quiet", "base_url", "id_system", "options",
        "mapping", "paused_why", "paused_until", "rate", "burst", "last_in_at", "last_out_at", "created_at",
        "created_by",
    )  # fmt: skip


@admin.register(Delivery)
class DeliveryAdmin(Shown):
    list_display = ("id", "connection", "kind", "type", "status", "attempts", "last_status", "created_at")
    list_filter = ("kind", "status")
    list_select_related = ("connection",)
    search_fields = ("=message_id", "=handoff__id")
    search_help_text = "The whole message id or the handoff's id."
    exclude = ("body",)


@admin.register(InboundCall)
class InboundCallAdmin(Shown):
    list_display = ("id", "connection", "identity", "status", "tries", "received_at")
    list_filter = ("status",)
    list_select_related = ("connection",)
    search_fields = ("=identity",)
    search_help_text = "The whole id of the call."
    exclude = ("body",)
