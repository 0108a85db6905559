"""The days on which a calendar is closed: holidays as they were taken over, days of one's own, a file.

Owns these pages. A change counts at once and moves no deadline that is set. Saving is `routing.calendars`,
what a file says is `routing.ical`; nothing of a file is kept before it was looked at, and its text stands in
the form.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from leads import typed
from leads.calendar_forms import ClosedDaysForm
from leads.forms import complaints
from leads.presenters import times
from leads.views.routes import frame
from leads.views.routes.calendars import answer, closed_day, editor, may_edit, of_id
from leads.views.shell import shell_of, tell
from routing import calendars as editing
from routing import holidays, hours, ical
from routing.models import Calendar

# Years ahead for which holidays can be taken over by hand.
YEARS_OFFERED = 5
MOST_SHOWN = 300
TEXT_FIELDS = ("first", "last", "name")


@require_http_methods(["GET", "HEAD", "POST"])
def closed_days(request: HttpRequest, pk: int) -> HttpResponse:
    """All of them from this year on; closing another one, or several."""
    frame.reader(request)
    row = of_id(pk)
    if request.method != "POST":
        return _page(request, row)
    user = editor(request)
    form = ClosedDaysForm(request.POST, today=_today(request, row))
    given = {name: request.POST.get(name, "")[:200] for name in TEXT_FIELDS}
    if not form.is_valid():
        return _page(request, row, given=given, errors=complaints(form), status=422)
    try:
        count = editing.close(row.pk, form.days, user, shell_of(request).now)
    except (hours.InvalidCalendar, editing.TooMany) as error:
        return _page(request, row, given=given, errors={"first": str(error)}, status=422)
    if not count:
        tell(request, "Closed already; nothing was changed.")
        return redirect("leads:closed_days", pk=pk)
    days = sorted(form.days)
    said = f"{days[0]:%d %b %Y}" if len(days) == 1 else f"{count} day{'' if count == 1 else 's'}"
    return answer(request, row, f"Closed: {said}.", reverse("leads:closed_days", args=[pk]))


@require_POST
def day_open(request: HttpRequest, pk: int, day: int) -> HttpResponse:
    """Take a closed day away."""
    user = editor(request)
    row = of_id(pk)
    found = editing.reopen(row.pk, day, user)
    if found is None:
        tell(request, "That day was taken away already.")
        return redirect("leads:closed_days", pk=pk)
    said = f"{found.day:%d %b %Y} is a working day again where the week has hours."
    return answer(request, row, said, reverse("leads:closed_days", args=[pk]))


@require_POST
def take_holidays(request: HttpRequest, pk: int) -> HttpResponse:
    """Copy the public holidays of one year, once."""
    user = editor(request)
    row = of_id(pk)
    now = shell_of(request).now
    sent = request.POST.get("year", "")
    offered = range(now.year, now.year + YEARS_OFFERED + 1)
    if not row.country or not (sent.isdecimal() and len(sent) == 4 and int(sent) in offered):
        problem = f"Choose a year from {offered[0]} to {offered[-1]}."
        if not row.country:
            problem = "Choose a country first, with the hours."
        return _page(request, row, errors={"year": problem}, status=422)
    try:
        count = editing.take_holidays(row.pk, int(sent), user, now)
    except (holidays.UnknownPlace, hours.InvalidCalendar) as error:
        return _page(request, row, errors={"year": str(error)}, status=422)
    if not count:
        tell(request, f"The holidays of {sent} were taken over before and stay as they are.")
        return redirect("leads:closed_days", pk=pk)
    said = f"Took over {count} public holiday{'' if count == 1 else 's'} of {sent}."
    return answer(request, row, said, reverse("leads:closed_days", args=[pk]))


@require_http_methods(["GET", "HEAD", "POST"])
def days_import(request: HttpRequest, pk: int) -> HttpResponse:
    """An iCalendar file: what is in it, then, when asked, closing its days."""
    user = editor(request)
    row = of_id(pk)
    if request.method != "POST":
        return _import_page(request, row, "")
    text, now = request.POST.get("text", ""), shell_of(request).now
    try:
        text = _text(request)
        reading = ical.read(text, now.year)
        if request.POST.get("do") == "apply":
            count = editing.close(row.pk, {item.day: item.name for item in reading.days}, user, now)
            left = f", {len(reading.skipped)} of the file left out" if reading.skipped else ""
            said = f"{count} closed day{'' if count == 1 else 's'} from the file{left}."
            return answer(request, row, said, reverse("leads:closed_days", args=[pk]))
    except (ical.Unreadable, hours.InvalidCalendar, editing.TooMany) as error:
        return _import_page(request, row, text[: ical.MOST_BYTES], problem=str(error))
    return _import_page(request, row, text, reading=reading)


def _text(request: HttpRequest) -> str:
    """What was pasted, or the file if there is one. Raises ical.Unreadable."""
    upload = request.FILES.get("file")
    if upload is None:
        return typed.plain(request.POST.get("text"), ical.MOST_BYTES + 1)
    if upload.size and upload.size > ical.MOST_BYTES:
        raise ical.Unreadable(f"The file is larger than {ical.MOST_BYTES // 1024:,} KiB.")
    try:
        return typed.plain(upload.read().decode("utf-8-sig"), ical.MOST_BYTES)
    except UnicodeDecodeError:
        raise ical.Unreadable("The file is not UTF-8, as iCalendar files are.") from None


def _today(request: HttpRequest, row: Calendar) -> date:
    """The day that it is where the calendar is."""
    return shell_of(request).now.astimezone(times.zone(row.time_zone)).date()


def _page(
    request: HttpRequest,
    row: Calendar,
    *,
    given: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    today = _today(request, row)
    rows = list(row.closed_days.filter(day__year__gte=today.year))
    copied = sorted(holidays.copied(row))
    offered = range(today.year, today.year + YEARS_OFFERED + 1)
    ours = [closed_day(day, today) for day in rows if not day.is_public]
    public = [closed_day(day, today) for day in rows if day.is_public]
    values: dict[str, Any] = {
        "row": row,
        "ours": ours[:MOST_SHOWN],
        "more": max(0, len(ours) - MOST_SHOWN),
        "public": public[:MOST_SHOWN],
        "earlier": row.closed_days.filter(day__year__lt=today.year).count(),
        "copied": [year for year in copied if year >= today.year],
        "next_year": next((year for year in offered if year not in copied), None) if row.country else None,
        "given": given or {},
        "errors": errors or {},
        "may_edit": may_edit(request),
        "changed": frame.last_change(row, shell_of(request).now),
    }
    return render(request, "leads/routing/calendar_days.html", values, status=status)


def _import_page(
    request: HttpRequest,
    row: Calendar,
    text: str,
    *,
    reading: ical.Reading | None = None,
    problem: str = "",
) -> HttpResponse:
    today = _today(request, row)
    held = dict(row.closed_days.values_list("day", "name")) if reading is not None else {}
    days = reading.days if reading is not None else ()
    new = [item for item in days if item.day not in held]
    values: dict[str, Any] = {
        "row": row,
        "text": text,
        "problem": problem,
        "reading": reading,
        "new": [(closed_words(item.day, today), item.name) for item in new[:MOST_SHOWN]],
        "more": max(0, len(new) - MOST_SHOWN),
        "count": len(new),
        "held": len(days) - len(new),
        "skipped": reading.skipped[:MOST_SHOWN] if reading is not None else (),
        "more_skipped": max(0, len(reading.skipped) - MOST_SHOWN) if reading is not None else 0,
        "years": ical.YEARS,
        "most_events": ical.MOST_EVENTS,
    }
    return render(request, "leads/routing/calendar_import.html", values, status=422 if problem else 200)


def closed_words(day: date, today: date) -> str:
    return f"{day:%a} {day.day} {day:%b %Y}" if day.year != today.year else f"{day:%a} {day.day} {day:%b}"
