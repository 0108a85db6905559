"""What people set for themselves: how the site treats them, and when they are away.

Owns the shape of both forms and the words for what is wrong. Days are whole days in the person's own zone.
What happens to somebody's open work when an absence begins is `leads.escalation`.
"""

from __future__ import annotations

import zoneinfo
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any

from django import forms
from django.conf import settings
from django.db.models import QuerySet

from routing.models import Absence, User
from routing.people import MANAGER, REP

LONGEST_ABSENCE = timedelta(days=400)
AREAS = (
    "Africa/", "America/", "Antarctica/", "Asia/", "Atlantic/", "Australia/", "Europe/", "Indian/",
    "Pacific/",
)  # fmt: skip
THEMES = (("", "As the system"), ("light", "Light"), ("dark", "Dark"))


@cache
def zones() -> tuple[str, ...]:
    """The time zones to choose from, by name; places, not the abbreviations of old systems."""
    known = zoneinfo.available_timezones()
    return tuple(sorted(name for name in known if name == "UTC" or name.startswith(AREAS)))


class ProfileForm(forms.Form):
    """Name, time zone, theme, single keys."""

    name = forms.CharField(max_length=150, required=False)
    time_zone = forms.CharField(max_length=64, required=False)
    theme = forms.ChoiceField(choices=THEMES, required=False)
    single_keys = forms.BooleanField(required=False)

    def clean_time_zone(self) -> str:
        name = str(self.cleaned_data["time_zone"]).strip()
        if name and name not in zoneinfo.available_timezones():
            raise forms.ValidationError("This is not a time zone; one is Europe/Berlin.")
        return name

    def save(self, user: User) -> list[str]:
        """Write what changed; the names of what did."""
        given = self.cleaned_data
        changed = [name for name in self.fields if getattr(user, name) != given[name]]
        for name in changed:
            setattr(user, name, given[name])
        if changed:
            user.save(update_fields=changed)
        return changed


class AbsenceForm(forms.Form):
    """From a day to a day, both included; who answers meanwhile."""

    first = forms.DateField(
        error_messages={"required": "Write the first day away.", "invalid": "Write the date as 2026-03-31."}
    )
    last = forms.DateField(
        error_messages={"required": "Write the last day away.", "invalid": "Write the date as 2026-03-31."}
    )
    cover = forms.ModelChoiceField(
        queryset=User.objects.none(),
        required=False,
        error_messages={"invalid_choice": "Choose somebody in sales who is active."},
    )
    note = forms.CharField(max_length=200, required=False)

    def __init__(self, data: Any = None, *, user: User, now: datetime) -> None:
        super().__init__(data)
        self.user, self.now = user, now
        self.fields["cover"].queryset = covers(user)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        first, last = found.get("first"), found.get("last")
        today = self.now.date()
        if first is None or last is None:
            return found
        if last < first:
            self.add_error("last", "The last day is before the first.")
        elif last < today:
            self.add_error("last", "This is over already.")
        elif last - first > LONGEST_ABSENCE or first - today > LONGEST_ABSENCE:
            self.add_error("last", "At most 400 days, and at most 400 days ahead.")
        else:
            self._refuse_overlaps(self._at(first), self._at(last + timedelta(days=1)), found.get("cover"))
        return found

    def _refuse_overlaps(self, starts: datetime, ends: datetime, cover: User | None) -> None:
        if _overlaps(self.user, starts, ends):
            self.add_error("first", "You are away then already; delete the other first.")
        if cover is not None and _overlaps(cover, starts, ends):
            self.add_error("cover", f"{cover} is away in that time too.")

    def save(self) -> Absence:
        """The absence, from the start of the first day to the end of the last. Call after `is_valid`."""
        given = self.cleaned_data
        return Absence.objects.create(
            user=self.user,
            starts_at=self._at(given["first"]),
            ends_at=self._at(given["last"] + timedelta(days=1)),
            cover=given["cover"],
            note=" ".join(given["note"].split()),
        )

    def _at(self, day: date) -> datetime:
        zone = zoneinfo.ZoneInfo(self.user.time_zone or settings.ORG_TIME_ZONE)
        return datetime.combine(day, time(), tzinfo=zone)


def covers(user: User) -> QuerySet[User]:
    """Who can answer for this person: active people in sales."""
    people = User.objects.filter(is_active=True, groups__name__in=[REP, MANAGER]).exclude(pk=user.pk)
    return people.distinct().order_by("name", "email")


def _overlaps(user: User, starts: datetime, ends: datetime) -> bool:
    return Absence.objects.filter(user=user, starts_at__lt=ends, ends_at__gt=starts).exists()
