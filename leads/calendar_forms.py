"""The forms of the calendar pages: name and place, the week as rows of hours, days to close.

Owns the shape of the input and the words for what is wrong with it. Saving is `routing.calendars`; what can
be read of an iCalendar file is `routing.ical`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from leads.personal import zones
from leads.presenters.calendars import WEEKDAYS, clock
from leads.routing_forms import NO_NAME, RoutingForm
from routing import holidays, hours
from routing.models import Calendar

# Ten stretches a day are more than anybody works.
MOST_ROWS = 70
LONGEST_CLOSURE = 92
NO_HOURS = "A calendar needs some working time: write the hours of at least one day."
_CLOCK = re.compile(r"(\d{1,2})(?::(\d{2}))?")


class ClockField(forms.Field):
    """A time of day such as 09:00 (or 9, or 24:00 for the day's end) as minutes since midnight."""

    widget = forms.TextInput(attrs={"maxlength": 5, "size": 6})

    def prepare_value(self, value: Any) -> Any:
        return clock(value) if isinstance(value, int) else value

    def to_python(self, value: Any) -> Any:
        text = str(value or "").strip()
        if not text:
            return None
        match = _CLOCK.fullmatch(text)
        minutes = int(match[1]) * 60 + int(match[2] or 0) if match else -1
        if match is None or int(match[2] or 0) > 59 or not 0 <= minutes <= 24 * 60:
            raise ValidationError("Write a time such as 09:00.")
        return minutes

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


class CalendarForm(RoutingForm):
    name = forms.CharField(
        max_length=100,
        error_messages={"required": NO_NAME},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    time_zone = forms.ChoiceField(
        label="Time zone",
        error_messages={"required": "Choose a time zone.", "invalid_choice": "Choose one of the time zones."},
    )
    country = forms.ChoiceField(
        required=False,
        help_text="Its public holidays are copied here, year by year; what changes there later moves nothing",
        error_messages={"invalid_choice": "Choose one of the countries."},
    )
    subdivision = forms.CharField(
        label="Part of it",
        required=False,
        max_length=holidays.LONGEST_CODE,
        help_text="Such as BY for Bavaria, when it has holidays of its own",
        widget=forms.TextInput(attrs={"autocomplete": "off", "size": 8}),
    )

    FIELDS = ("name", "time_zone", "country", "subdivision")

    def offer(self) -> None:
        self.choose("time_zone", ((name, name.replace("_", " ")) for name in zones()))
        self.choose("country", [("", "None: no public holidays"), *holidays.countries()])

    @classmethod
    def of(cls, row: Calendar) -> dict[str, Any]:
        return {name: getattr(row, name) for name in cls.FIELDS}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        country, part = cleaned.get("country") or "", (cleaned.get("subdivision") or "").strip()
        offered = {code.upper(): code for code in holidays.subdivisions(country)} if country else {}
        if part and not country:
            self.add_error("country", "A part of a country needs its country.")
        elif part and part.upper() not in offered:
            known = ", ".join(list(offered.values())[:30]) or "none"
            self.add_error("subdivision", f"{country} has no such part; known are: {known}.")
        cleaned["subdivision"] = offered.get(part.upper(), "")
        return cleaned

    def refuse_taken(self, pk: int | None) -> None:
        """Put it on the name when another calendar has it. Call when the form has been cleaned."""
        name = " ".join(self.cleaned_data.get("name", "").split())
        others = Calendar.objects.filter(name=name)
        if pk is not None:
            others = others.exclude(pk=pk)
        if name and others.exists():
            self.add_error("name", "Another calendar has this name.")

    def fill(self, row: Calendar) -> None:
        for name in self.FIELDS:
            setattr(row, name, self.cleaned_data[name])
        row.name = " ".join(row.name.split())


@dataclass
class HoursRow:
    """One stretch of hours as it is typed. `number` names its fields."""

    number: int
    day: int
    start: str = ""
    end: str = ""
    error: str = ""
    # It was just added, so that one goes on typing there.
    focus: bool = False

    @property
    def is_empty(self) -> bool:
        return not self.start.strip() and not self.end.strip()


@dataclass(frozen=True, slots=True)
class WeekDay:
    """A day of the week with its rows."""

    number: int
    name: str
    rows: list[HoursRow]


class WeekInput:
    """The week as rows that can be added to and taken from; `problem` is what is wrong with it as a whole."""

    def __init__(self, rows: Iterable[HoursRow]) -> None:
        self.rows = list(rows)
        self.problem = ""

    @classmethod
    def of(cls, week: hours.Week) -> WeekInput:
        pairs = [(day, *pair) for day, some in enumerate(week) for pair in some]
        return cls(HoursRow(n, day, clock(start), clock(end)) for n, (day, start, end) in enumerate(pairs))

    @classmethod
    def sent(cls, data: Mapping[str, Any]) -> WeekInput:
        rows: list[HoursRow] = []
        for number in range(MOST_ROWS):
            day = str(data.get(f"h.{number}.day", ""))
            if day not in {str(weekday) for weekday in range(7)}:
                break
            start, end = (str(data.get(f"h.{number}.{name}", ""))[:10] for name in ("from", "to"))
            rows.append(HoursRow(number, int(day), start, end))
        return cls(rows)

    @property
    def days(self) -> list[WeekDay]:
        return [
            WeekDay(number, name, [row for row in self.rows if row.day == number])
            for number, name in enumerate(WEEKDAYS)
        ]

    def act(self, command: str) -> None:
        """Add a row to a day, take one away, or give the other workdays the hours of Monday."""
        verb, _, number = command.partition(".")
        if verb == "add" and number in {str(day) for day in range(7)} and len(self.rows) < MOST_ROWS:
            self.rows.append(HoursRow(-1, int(number), focus=True))
        elif verb == "remove" and number.isdecimal() and int(number) < len(self.rows):
            del self.rows[int(number)]
        elif verb == "as_monday":
            monday = [row for row in self.rows if row.day == 0]
            others = [row for row in self.rows if row.day not in (1, 2, 3, 4)]
            copies = [HoursRow(-1, day, row.start, row.end) for day in (1, 2, 3, 4) for row in monday]
            self.rows = [*others, *copies][:MOST_ROWS]
        self.rows.sort(key=lambda row: row.day)
        for position, row in enumerate(self.rows):
            row.number = position

    def read(self) -> hours.Week | None:
        """The week; None when something is wrong, which then stands on the rows and in `problem`."""
        found: list[list[tuple[int, int]]] = [[] for _ in WEEKDAYS]
        for row in self.rows:
            pair = _pair(row)
            if pair is None:
                continue
            other = next((o for o in found[row.day] if pair[0] < o[1] and o[0] < pair[1]), None)
            if other is not None:
                row.error = f"This overlaps with {clock(other[0])} to {clock(other[1])}."
                continue
            found[row.day].append(pair)
        if any(row.error for row in self.rows):
            return None
        if not any(found):
            self.problem = NO_HOURS
            return None
        return tuple(tuple(sorted(day)) for day in found)


def _pair(row: HoursRow) -> tuple[int, int] | None:
    """From and to in minutes; None for an empty row and one that is wrong, which it then says."""
    if row.is_empty:
        return None
    try:
        start, end = ClockField(required=False).clean(row.start), ClockField(required=False).clean(row.end)
    except ValidationError as error:
        row.error = str(error.messages[0])
        return None
    if start is None or end is None:
        row.error = "Write both times, or neither."
    elif end == start:
        row.error = "These hours end when they begin."
    elif end < start:
        row.error = "Write a night as two: to 24:00, and from 00:00 on the next day."
    else:
        return start, end
    return None


class ClosedDaysForm(forms.Form):
    """A day that is closed, or several from one to another, both included."""

    first = forms.DateField(
        error_messages={"required": "Write the day.", "invalid": "Write the date as 2026-12-24."}
    )
    last = forms.DateField(required=False, error_messages={"invalid": "Write the date as 2026-12-24."})
    name = forms.CharField(required=False, max_length=120)

    def __init__(self, data: Any = None, *, today: date) -> None:
        super().__init__(data)
        self.today = today

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("first"), cleaned.get("last") or cleaned.get("first")
        if first is None or last is None:
            return cleaned
        if last < first:
            self.add_error("last", "The last day is before the first.")
        elif (last - first).days >= LONGEST_CLOSURE:
            self.add_error("last", f"At most {LONGEST_CLOSURE} days at once.")
        elif first.year < self.today.year - 1 or first.year > self.today.year + 10:
            self.add_error("first", "At most ten years ahead, and not before last year.")
        return cleaned

    @property
    def days(self) -> dict[date, str]:
        """The days by name. Call after `is_valid`."""
        given = self.cleaned_data
        first, last = given["first"], given["last"] or given["first"]
        name = " ".join(given["name"].split())
        return {first + timedelta(days=number): name for number in range((last - first).days + 1)}
