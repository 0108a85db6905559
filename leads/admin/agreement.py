"""What both sides agreed: versions are shown; rejection reasons and the pre-flight checklist are edited."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone

from leads import access_log
from leads.admin.base import Kept, Shown, Told, acting
from leads.choices import Check
from leads.models import AccessEntry, Agreement, MqlDefinition, PreflightSettings, RejectionReason
from leads.preflight import EXTRA_FIELDS


@admin.register(MqlDefinition)
class MqlDefinitionAdmin(Shown):
    """Versions of the definition. A new one comes from a proposal that both sides signed, nowhere else."""

    list_display = ("version", "threshold", "in_force_from", "created_by", "note")
    list_select_related = ("created_by",)
    fields = ("version", "threshold", "high_intent", "in_force_from", "created_by", "note", "proposal")


@admin.register(Agreement)
class AgreementAdmin(Shown):
    """Versions of the agreement, as its page has them."""

    list_display = ("version", "definition", "in_force_from", "proposal")
    list_select_related = ("definition", "proposal")


class Logged(Told):
    """Rows that change what counts: each edit is in the access log too, by the names of the fields."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        kind, about = AccessEntry.Kind.SETTING_CHANGED, (obj._meta.model_name, obj.pk)
        access_log.record(
            kind, timezone.now(), acting(request), about=about, changed=sorted(form.changed_data)
        )


@admin.register(RejectionReason)
class RejectionReasonAdmin(Kept, Logged):
    """Reasons can be renamed and switched off; their codes stand in the log and stay."""

    list_display = ("label", "code", "next_step", "cool_off_days", "gives_turn_back", "position", "is_active")
    list_filter = ("is_active", "next_step")
    search_fields = ("label", "code")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code",) if obj else ()


class LinesField(forms.Field):
    """A list of words, one a line."""

    widget = forms.Textarea(attrs={"rows": 12, "cols": 40})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(str(line) for line in value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:
        lines = value if isinstance(value, list) else str(value or "").splitlines()
        return list(dict.fromkeys(word for line in lines if (word := " ".join(str(line).split()).casefold())))

    def validate(self, value: list[str]) -> None:
        if len(value) > 500 or any(len(word) > 100 for word in value):
            raise ValidationError("At most 500 words of at most 100 characters each.")
        if any(not word.isprintable() for word in value):
            raise ValidationError("Control characters are not allowed.")

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(initial) != self.to_python(data)


class PreflightForm(forms.ModelForm):
    disabled_checks = forms.MultipleChoiceField(
        choices=Check.choices, widget=forms.CheckboxSelectMultiple, required=False
    )
    required_fields = forms.MultipleChoiceField(
        choices=[(name, name.replace("_", " ").capitalize()) for name in EXTRA_FIELDS],
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    placeholders = LinesField(required=False, help_text="One a line; empty for the list that ships.")

    class Meta:
        model = PreflightSettings
        fields = ("disabled_checks", "required_fields", "placeholders")


@admin.register(PreflightSettings)
class PreflightSettingsAdmin(Kept, Logged):
    """The one row of settings."""

    form = PreflightForm

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not PreflightSettings.objects.exists()
