"""The forms of the report pages: what was typed, cleaned into what the verbs take.

Owns the shape of the input and the words for what is wrong with it. Whether it may be done is the views' and
the verbs'.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet

from metrics.periods import Week
from metrics.reports import calls
from metrics.reports.calls import Kind
from metrics.reports.schedule import DAYS
from routing.people import ROLES, User


def people() -> QuerySet[User]:
    """Who a decision can be given to: active people with a role."""
    return User.objects.filter(is_active=True, groups__name__in=ROLES).distinct().order_by("name", "email")


class EntryForm(forms.Form):
    """A note, or a decision with who does it until when."""

    kind = forms.ChoiceField(
        choices=[(str(each.value), each.label) for each in (Kind.NOTE, Kind.DECISION)],
        error_messages={"required": "Say whether it is a note or a decision."},
    )
    text = forms.CharField(
        max_length=calls.LONGEST,
        error_messages={
            "required": "Write what was said.",
            "max_length": f"At most {calls.LONGEST:,} characters.",
        },
    )
    owner = forms.ModelChoiceField(
        queryset=User.objects.none(),
        required=False,
        error_messages={"invalid_choice": "Choose somebody who is here and has a role."},
    )
    until = forms.DateField(required=False, error_messages={"invalid": "Write the date as 2026-03-31."})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = self.fields["owner"]
        assert isinstance(found, forms.ModelChoiceField)  # noqa: S101 - declared above
        found.queryset = people()

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if found.get("kind") == Kind.DECISION:
            if not found.get("owner") and "owner" not in self.errors:
                self.add_error("owner", "A decision needs somebody who does it.")
            if not found.get("until") and "until" not in self.errors:
                self.add_error("until", "A decision needs a day until which it is done.")
        return found

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for `calls.correct`; `calls.write` takes `kind` as well."""
        return {name: self.cleaned_data[name] for name in ("text", "owner", "until")}


class MakeForm(forms.Form):
    """Which week to report, and as which edition, so that sending it twice makes one."""

    week = forms.CharField(max_length=8, error_messages={"required": "Choose a week."})
    edition = forms.IntegerField(min_value=1, max_value=999)

    def clean_week(self) -> Week:
        try:
            return Week.parse(self.cleaned_data["week"])
        except ValueError as error:
            raise forms.ValidationError(f"{str(error)[:80]}.") from None


class ScheduleForm(forms.Form):
    weekday = forms.TypedChoiceField(
        choices=list(enumerate(DAYS)), coerce=int, error_messages={"required": "Choose a day."}
    )
    hour = forms.IntegerField(
        min_value=0,
        max_value=23,
        error_messages={
            "required": "Choose an hour.",
            "min_value": "An hour from 0 to 23.",
            "max_value": "An hour from 0 to 23.",
            "invalid": "An hour from 0 to 23.",
        },
    )
    is_on = forms.BooleanField(required=False)
