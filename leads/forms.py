"""The verbs' forms: what was typed, cleaned into the arguments that `leads.lifecycle` takes.

Owns the shape of the input and the words for what is wrong with it. Whether the move is allowed, and
whatever depends on the handoff, is lifecycle's.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from leads.choices import Channel, Outcome

TEXT_LIMIT = 2000
OPENS = time(9, 0)


def at_opening(day: date) -> datetime:
    """Nine o'clock on a day, in the viewer's zone."""
    return timezone.make_aware(datetime.combine(day, OPENS))


class VerbForm(forms.Form):
    """A verb without fields of its own. `revision` is the row version that the page showed."""

    revision = forms.IntegerField(required=False, min_value=0)

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for the lifecycle verb. Call after `is_valid`."""
        return {"revision": self.cleaned_data["revision"]}


class RejectForm(VerbForm):
    reason = forms.SlugField(max_length=40, error_messages={"required": "Choose a reason."})
    note = forms.CharField(required=False, max_length=TEXT_LIMIT)
    until = forms.DateField(required=False, error_messages={"invalid": "Write the date as 2026-03-31."})

    def arguments(self) -> dict[str, Any]:
        until = self.cleaned_data["until"]
        return super().arguments() | {
            "reason": self.cleaned_data["reason"],
            "note": self.cleaned_data["note"],
            "until": at_opening(until) if until else None,
            "undoable": True,
        }


class DeferForm(VerbForm):
    """A quick date is a button (`until`); a date of one's own is `day` with an optional time."""

    until = forms.DateTimeField(required=False)
    day = forms.DateField(required=False, error_messages={"invalid": "Write the date as 2026-03-31."})
    hour = forms.TimeField(required=False, error_messages={"invalid": "Write the time as 09:30."})
    explanation = forms.CharField(
        max_length=TEXT_LIMIT,
        error_messages={"required": "Write what the lead said: why later, and when."},
    )

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if not found.get("until") and not found.get("day") and "day" not in self.errors:
            self.add_error("day", "Choose when it comes back.")
        return found

    def arguments(self) -> dict[str, Any]:
        until, day = self.cleaned_data["until"], self.cleaned_data["day"]
        if until is None:
            hour = self.cleaned_data["hour"] or OPENS
            until = timezone.make_aware(datetime.combine(day, hour))
        return super().arguments() | {"until": until, "explanation": self.cleaned_data["explanation"]}


class ContactForm(VerbForm):
    channel = forms.ChoiceField(choices=Channel.choices, error_messages={"required": "Choose how."})
    outcome = forms.ChoiceField(
        choices=Outcome.choices, error_messages={"required": "Choose what came of it."}
    )
    at = forms.DateTimeField(
        required=False, error_messages={"invalid": "Write date and time as 2026-03-31 09:30."}
    )
    activity_id = forms.IntegerField(
        required=False, min_value=1, error_messages={"invalid": "Choose one of the lead's signals."}
    )
    note = forms.CharField(required=False, max_length=TEXT_LIMIT)
    asked_for = forms.MultipleChoiceField(required=False, choices=Channel.choices)
    next_touch = forms.DateField(required=False, error_messages={"invalid": "Write the date as 2026-03-31."})

    def arguments(self) -> dict[str, Any]:
        touch = self.cleaned_data["next_touch"]
        return super().arguments() | {
            "channel": self.cleaned_data["channel"],
            "outcome": self.cleaned_data["outcome"],
            "at": self.cleaned_data["at"],
            "activity_id": self.cleaned_data["activity_id"],
            "note": self.cleaned_data["note"],
            # The tick stands beside the channel that it is for.
            "asked_for": self.cleaned_data["channel"] in self.cleaned_data["asked_for"],
            "next_touch_at": at_opening(touch) if touch else None,
        }


class OpportunityForm(VerbForm):
    amount = forms.DecimalField(
        required=False,
        max_digits=17,
        decimal_places=2,
        min_value=0,
        error_messages={"invalid": "Write the amount as 12500.00.", "min_value": "This must be positive."},
    )
    currency = forms.CharField(required=False, max_length=3)
    external_id = forms.CharField(required=False, max_length=200)
    stage = forms.CharField(required=False, max_length=100)

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).upper()

    def arguments(self) -> dict[str, Any]:
        names = ("amount", "currency", "external_id", "stage")
        found = super().arguments() | {name: self.cleaned_data[name] for name in names}
        if found["amount"] is None:
            # The page offers a currency beforehand; without an amount it says nothing.
            found["currency"] = ""
        return found


class DisqualifyForm(VerbForm):
    reason = forms.SlugField(max_length=40, error_messages={"required": "Choose a reason."})
    note = forms.CharField(required=False, max_length=TEXT_LIMIT)

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {
            "reason": self.cleaned_data["reason"],
            "note": self.cleaned_data["note"],
        }


class NoteForm(VerbForm):
    text = forms.CharField(max_length=TEXT_LIMIT, error_messages={"required": "Write the note first."})

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {"text": self.cleaned_data["text"]}


class ReportForm(VerbForm):
    """What is wrong is a button (`field`); words are needed where no button fits."""

    field = forms.SlugField(required=False, max_length=40)
    text = forms.CharField(required=False, max_length=TEXT_LIMIT)

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if not found.get("field") and not found.get("text") and not self.errors:
            self.add_error("text", "Choose what is wrong, or write it.")
        return found

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {
            "field": self.cleaned_data["field"],
            "text": self.cleaned_data["text"],
        }


class ReassignForm(VerbForm):
    to = forms.CharField(max_length=260, error_messages={"required": "Choose who gets it."})
    reason = forms.CharField(
        max_length=TEXT_LIMIT, error_messages={"required": "Write why: the new holder reads it."}
    )

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {"to": self.cleaned_data["to"], "reason": self.cleaned_data["reason"]}


FORMS: dict[str, type[VerbForm]] = {
    "accept": VerbForm,
    "claim": VerbForm,
    "resume": VerbForm,
    "undo": VerbForm,
    "reject": RejectForm,
    "defer": DeferForm,
    "contact": ContactForm,
    "opportunity": OpportunityForm,
    "disqualify": DisqualifyForm,
    "note": NoteForm,
    "report": ReportForm,
    "reassign": ReassignForm,
}
# Lifecycle's names for what a form calls otherwise.
FIELD_OF = {"next_touch_at": "next_touch"}


def complaints(form: forms.Form) -> dict[str, str]:
    """The first thing wrong with each field, in words."""
    return {name: str(errors[0]) for name, errors in form.errors.items()}


def quick_dates(now: datetime) -> list[tuple[str, str, str]]:
    """Dates to defer to, as (ISO value, name, weekday and date); `now` is in the viewer's zone."""
    today = now.date()
    monday = today + timedelta(days=7 - today.weekday())
    days = (
        ("Tomorrow", today + timedelta(days=1)),
        ("Next Monday", monday),
        ("In two weeks", today + timedelta(days=14)),
        ("In a month", today + timedelta(days=30)),
        ("In three months", today + timedelta(days=91)),
    )
    seen: set[date] = set()
    out = []
    for name, day in days:
        if day not in seen:
            seen.add(day)
            out.append((at_opening(day).isoformat(), name, f"{day:%a} {day.day} {day:%b}"))
    return out
