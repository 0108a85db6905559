"""What the admin pages have in common: rows that are only shown, and rows that are never deleted."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from leads.lifecycle import Act
from routing.people import User


def acting(request: HttpRequest) -> User:
    """Who is signed in; the admin site has checked that somebody is."""
    user = request.user
    if not isinstance(user, User):
        raise TypeError("the admin needs somebody who is signed in")
    return user


class Kept(admin.ModelAdmin):
    """Rows that others point to: switched off rather than deleted."""

    list_per_page = 50
    show_full_result_count = False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions


class Shown(Kept):
    """Rows that the admin shows and never writes."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ShownInline(admin.TabularInline):
    """Rows of another row, shown and never written."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def save_changed(obj: Model, fields: list[str], change: bool) -> None:
    """Save a row that other processes write too: only what the form changed, so that nothing else is lost."""
    if not change:
        obj.save()
        return
    columns = {field.name for field in obj._meta.concrete_fields}
    if changed := [name for name in fields if name in columns]:
        obj.save(update_fields=changed)


__all__ = ["Act", "Kept", "Shown", "ShownInline", "acting", "save_changed"]
