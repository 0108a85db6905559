"""What the admin pages have in common: rows that are only shown, rows that are never deleted, rows whose
edits are kept with who, what and when, and rows of the draft, where two editors see each other."""

from __future__ import annotations

import json
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import unquote
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import Http404, HttpRequest, QueryDict
from django.utils import timezone
from simple_history.admin import SimpleHistoryAdmin
from simple_history.utils import bulk_update_with_history

from leads.lifecycle import Act
from leads.views import proof
from routing import draft
from routing.people import User

LONGEST_REASON = 100
LONGEST_SHOWN = 200


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


class Proved(admin.ModelAdmin):
    """Rows that open something: before one is shown or saved, whoever asks has lately proved who they are."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> Any:
        proof.for_secrets(request)
        return super().changeform_view(request, object_id, form_url, extra_context)


class Told(SimpleHistoryAdmin):
    """Pages of a row's history. That of a row or an entry that cannot be is not there, as Django's own pages
    are not."""

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        _readable(self.model._meta.pk, object_id)
        return super().history_view(request, object_id, extra_context)

    def history_form_view(
        self, request: HttpRequest, object_id: str, version_id: str, extra_context: Any = None
    ) -> Any:
        _readable(self.model._meta.pk, object_id)
        _readable(self.model.history.model._meta.pk, version_id)
        return super().history_form_view(request, object_id, version_id, extra_context)


def _readable(key: Any, text: str) -> None:
    try:
        key.to_python(unquote(text))
    except ValidationError as error:
        raise Http404 from error


class Recorded(Told):
    """Rows whose history says who changed what and when, their inlines and members included. It is read,
    never put back: an old row may point at what is gone."""

    def revert_disabled(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        form.entries_before = newest_entry(obj) if change else 0
        super().save_model(request, obj, form, change)

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> list[dict[str, Any]]:
        message: list[dict[str, Any]] = super().construct_change_message(request, form, formsets, add)
        # The page of a password has a form of its own, and changes nothing that is kept.
        if message and not add and hasattr(form, "entries_before"):
            self._say(form, LogEntry(change_message=json.dumps(message)).get_change_message(), request)
        return message

    def _say(self, form: Any, words: str, request: HttpRequest) -> None:
        row, reason = form.instance, words[:LONGEST_REASON]
        newest = newest_entry(row)
        if newest > form.entries_before:
            type(row).history.filter(pk=newest).update(history_change_reason=reason)
        else:
            # Only rows beside it changed; the entry says so.
            bulk_update_with_history(
                [row], type(row), [], default_user=acting(request), default_change_reason=reason
            )


def newest_entry(row: Any) -> int:
    """The number of the row's newest entry in its history; 0 for none."""
    return row.history.order_by("-history_id").values_list("history_id", flat=True).first() or 0


class DraftForm(forms.ModelForm):
    """An edit of a row with a revision: whoever comes second is told what the first one stored, keeps what
    they typed, and may save again over it."""

    seen = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["seen"].initial = self.instance.revision if self.instance.pk else None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.instance.pk:
            return cleaned
        # Held until the page is saved, so that nobody comes between.
        stored = type(self.instance)._default_manager.select_for_update().get(pk=self.instance.pk)
        if cleaned.get("seen") != stored.revision:
            by, at = draft.changed_last(stored)
            # The next attempt has seen it.
            data = cast(QueryDict, self.data).copy()
            data["seen"] = str(stored.revision)
            self.data = data
            raise ValidationError(_conflict(stored, by, at, self.changed_data))
        return cleaned


def _conflict(stored: Any, by: User | None, at: Any, changed: list[str]) -> list[str]:
    when = f" at {timezone.localtime(at):%H:%M on %d %B}" if at is not None else ""
    said = [f"{by or 'Somebody'} changed this{when}, after you opened it. Save again to save yours over it."]
    columns = {field.name: field for field in stored._meta.concrete_fields}
    for name in changed:
        if name in columns:
            value = str(getattr(stored, name))
            said.append(f"{str(columns[name].verbose_name).capitalize()} is now: {value[:LONGEST_SHOWN]}")
    return said


class Drafted(Recorded):
    """Rows of the draft, saved through `routing.draft`; their form is a DraftForm."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        form.entries_before = newest_entry(obj) if change else 0
        draft.save(obj, form.cleaned_data.get("seen") or 0, acting(request))


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


__all__ = [
    "Act",
    "DraftForm",
    "Drafted",
    "Kept",
    "Recorded",
    "Shown",
    "ShownInline",
    "acting",
    "save_changed",
]
