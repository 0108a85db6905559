"""What people set for themselves: how the site treats them, how they are told, and when they are away.

Owns the shape of the forms and the words for what is wrong. Days are whole days in the person's own zone.
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

from leads.models import Preference
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


class TimeOfDay(forms.TimeField):
    """A time of one's own day, cleaned into minutes since midnight; empty is None."""

    default_error_messages = {"invalid": "Write the time as 18:30."}

    def clean(self, value: Any) -> int | None:
        at = super().clean(value)
        return None if at is None else at.hour * 60 + at.minute


class PreferenceForm(forms.Form):
    """Which mail comes and when, and whether this person's browsers call for demo leads."""

    mail = forms.ChoiceField(
        choices=Preference.Mail.choices,
        error_messages={
            "required": "Choose what comes by e-mail.",
            "invalid_choice": "Choose what comes by e-mail.",
        },
    )
    quiet_from = TimeOfDay(required=False)
    quiet_until = TimeOfDay(required=False)
    quiet_weekends = forms.BooleanField(required=False)
    digest_minute = TimeOfDay(required=False)
    browser = forms.BooleanField(required=False)

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if "quiet_from" in self.errors or "quiet_until" in self.errors:
            return found
        begins, ends = found.get("quiet_from"), found.get("quiet_until")
        if begins is None and ends is not None:
            self.add_error("quiet_from", "Write when they begin too, or leave both empty.")
        elif ends is None and begins is not None:
            self.add_error("quiet_until", "Write when they end too, or leave both empty.")
        elif begins is not None and begins == ends:
            self.add_error("quiet_until", "Write another time than the one they begin at.")
        return found

    def save(self, user: User) -> bool:
        """Keep it; whether anything was changed."""
        kept = Preference.objects.filter(user=user).first() or Preference(user=user)
        changed = [name for name in self.fields if getattr(kept, name) != self.cleaned_data[name]]
        for name in changed:
            setattr(kept, name, self.cleaned_data[name])
        if changed:
            kept.save()
        return bool(changed)


def wishes(user: User) -> dict[str, Any]:
    """What somebody has set, as the form's fields show it."""
    kept = Preference.objects.filter(user=user).first() or Preference()
    times = ("quiet_from", "quiet_until", "digest_minute")
    shown: dict[str, Any] = {name: getattr(kept, name) for name in ("mail", "quiet_weekends", "browser")}
    return shown | {name: _time_words(getattr(kept, name)) for name in times}


def _time_words(minutes: int | None) -> str:
    return "" if minutes is None else f"{minutes // 60:02}:{minutes % 60:02}"


class AbsenceForm(forms.Form):
    """From a day to a day, both included; who answers meanwhile. `by` is who writes it, if somebody else."""

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

    def __init__(self, data: Any = None, *, user: User, now: datetime, by: User | None = None) -> None:
        super().__init__(data)
        self.user, self.now, self.by = user, now, by or user
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
            who = "You are" if self.by == self.user else f"{self.user} is"
            self.add_error("first", f"{who} away then already; delete the other first.")
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
        return datetime.combine(day, time(), tzinfo=zone_of(self.user))


def zone_of(user: User) -> zoneinfo.ZoneInfo:
    """The zone that this person's days are days in."""
    return zoneinfo.ZoneInfo(user.time_zone or settings.ORG_TIME_ZONE)


def covers(user: User) -> QuerySet[User]:
    """Who can answer for this person: active people in sales."""
    people = User.objects.filter(is_active=True, groups__name__in=[REP, MANAGER]).exclude(pk=user.pk)
    return people.distinct().order_by("name", "email")


def _overlaps(user: User, starts: datetime, ends: datetime) -> bool:
    return Absence.objects.filter(user=user, starts_at__lt=ends, ends_at__gt=starts).exists()
