"""Calendars with their weekly intervals and closed days. Each edit raises the revision that keeps the
compiled hours apart; deadlines that are stored stay as they are."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import F
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils import timezone

from leads.admin.base import Recorded, newest_entry, save_changed
from leads.calendar_forms import ClockField
from leads.presenters.calendars import WEEKDAYS
from routing import holidays, hours
from routing.models import Calendar, CalendarInterval, ClosedDay


class IntervalForm(forms.ModelForm):
    weekday = forms.TypedChoiceField(choices=list(enumerate(WEEKDAYS)), coerce=int)
    start_minute = ClockField(label="From")
    end_minute = ClockField(label="To")

    class Meta:
        model = CalendarInterval
        fields = ("weekday", "start_minute", "end_minute")


class IntervalFormSet(BaseInlineFormSet):
    """The week as a whole must be one that business time can be counted in."""

    def clean(self) -> None:
        super().clean()
        if any(self.errors):
            return
        week: list[list[tuple[int, int]]] = [[] for _ in WEEKDAYS]
        for form in self.forms:
            row = form.cleaned_data
            if row and not row.get("DELETE"):
                week[row["weekday"]].append((row["start_minute"], row["end_minute"]))
        try:
            hours.Calendar("UTC", tuple(tuple(sorted(day)) for day in week))
        except ValueError as error:
            raise ValidationError(str(error)) from error


class IntervalInline(admin.TabularInline):
    model = CalendarInterval
    form = IntervalForm
    formset = IntervalFormSet
    extra = 1


class ClosedDayInline(admin.TabularInline):
    model = ClosedDay
    extra = 1
    ordering = ("-day",)


class CalendarForm(forms.ModelForm):
    class Meta:
        model = Calendar
        fields = ("name", "time_zone", "country", "subdivision", "is_default")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        country = (cleaned.get("country") or "").strip().upper()
        subdivision = (cleaned.get("subdivision") or "").strip().upper()
        cleaned |= {"country": country, "subdivision": subdivision}
        if subdivision and not country:
            self.add_error("country", "A subdivision needs its country.")
        elif country:
            try:
                holidays.known(country, subdivision)
            except holidays.UnknownPlace as error:
                self.add_error("country", str(error))
        return cleaned


@admin.register(Calendar)
class CalendarAdmin(Recorded):
    """Working time. A country's public holidays are copied in once a year; the copy can be edited."""

    form = CalendarForm
    inlines = (IntervalInline, ClosedDayInline)
    list_display = ("name", "time_zone", "country", "subdivision", "is_default")
    search_fields = ("name",)

    def save_model(self, request: HttpRequest, obj: Calendar, form: Any, change: bool) -> None:
        form.entries_before = newest_entry(obj) if change else 0
        save_changed(obj, form.changed_data, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        calendar, year = form.instance, timezone.now().year
        if {"country", "subdivision"} & set(form.changed_data):
            holidays.replace(calendar, year)
        elif calendar.country:
            holidays.snapshot(calendar, year)
        if change:
            Calendar.objects.filter(pk=calendar.pk).update(revision=F("revision") + 1)
            messages.info(request, "Deadlines that are already set stay as they are.")

    def has_delete_permission(self, request: HttpRequest, obj: Calendar | None = None) -> bool:
        # Who has no calendar of their own works by the default one.
        return not (obj is not None and obj.is_default) and super().has_delete_permission(request, obj)
