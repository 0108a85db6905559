"""Calendars: working time by zone, hours of a week and place; who works by it, and when it is closed next.

Owns the list and the page of a calendar's hours. A change counts at once and moves no deadline that is set:
those are `leads.views.routes.deadlines`, closed days are `leads.views.routes.closed_days`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, cast

from django.db.models import Prefetch, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from leads import lifecycle
from leads.calendar_forms import CalendarForm, WeekInput
from leads.drafts import Names
from leads.presenters import calendars as wording
from leads.presenters import times
from leads.roles import Can, can
from leads.routing_forms import RoutingForm
from leads.views import access
from leads.views.routes import frame
from leads.views.shell import shell_of
from routing import calendars as editing
from routing import draft, hours
from routing.models import Calendar, ClosedDay, Pool, Queue, Team
from routing.people import User

NEXT_DAYS = 3
# What a new calendar begins with.
WORKWEEK: hours.Week = (((540, 1080),),) * 5 + ((), ())


@dataclass
class Users:
    """Who works by a calendar. `others`: how many have no other (the default's)."""

    people: list[str] = field(default_factory=list)
    teams: list[str] = field(default_factory=list)
    queues: list[str] = field(default_factory=list)
    pools: list[str] = field(default_factory=list)
    others: int = 0

    @property
    def words(self) -> list[str]:
        """What uses it, a line a kind; empty when nothing does."""
        found = []
        if self.others:
            found.append(f"{self.others} {'person' if self.others == 1 else 'people'} without another")
        if self.people:
            found.append(wording.some(self.people))
        for what, names in (("team", self.teams), ("queue", self.queues), ("pool", self.pools)):
            if names:
                found.append(f"{what}{'' if len(names) == 1 else 's'} {wording.some(names)}")
        return found


@dataclass(frozen=True, slots=True)
class Line:
    """A calendar on the list; `now` says what time it is there, and whether it is open."""

    id: int
    name: str
    is_default: bool
    zone: str
    place: str
    week: str
    now: str
    users: list[str]
    closed: list[tuple[str, str]]


def editor(request: HttpRequest) -> User:
    """Who is signed in, if they edit calendars; for others who see them the act is refused."""
    frame.reader(request)
    return access.edit(request, Can.EDIT_CALENDARS)


def may_edit(request: HttpRequest) -> bool:
    return can(shell_of(request).user, Can.EDIT_CALENDARS)


def of_id(pk: int) -> Calendar:
    """The calendar, or Http404."""
    found = Calendar.objects.filter(pk=pk).first()
    if found is None:
        raise Http404("no such calendar")
    return found


@require_safe
def calendars(request: HttpRequest) -> HttpResponse:
    """All of them, the default first."""
    frame.reader(request)
    now = shell_of(request).now
    # The day may have begun there that has not here.
    soon = ClosedDay.objects.filter(day__gte=date.fromordinal(now.date().toordinal() - 1))
    rows = Calendar.objects.order_by("-is_default", "name").prefetch_related(
        "intervals", Prefetch("closed_days", queryset=soon.order_by("day"))
    )
    used = users()
    lines = []
    for row in rows:
        compiled = row.compile()
        there = now.astimezone(times.zone(row.time_zone))
        today = there.date()
        closed = [(day.day, day.name) for day in row.closed_days.all() if day.day >= today]
        is_open = "open" if hours.is_open(now, compiled) else "closed"
        lines.append(
            Line(
                id=row.pk,
                name=row.name,
                is_default=row.is_default,
                zone=row.time_zone.replace("_", " "),
                place="-".join(part for part in (row.country, row.subdivision) if part),
                week=wording.in_words(compiled.week),
                now=f"{there:%H:%M}, {is_open}",
                users=used[row.pk].words if row.pk in used else [],
                closed=wording.runs(closed, today)[:NEXT_DAYS],
            )
        )
    values = {"lines": lines, "may_edit": may_edit(request)}
    return render(request, "leads/routing/calendars.html", values)


@require_http_methods(["GET", "HEAD", "POST"])
def calendar_new(request: HttpRequest) -> HttpResponse:
    """A calendar that is not there yet."""
    editor(request)
    return _edit(request, Calendar(time_zone=str(shell_of(request).now.tzinfo or "UTC")), WORKWEEK)


@require_http_methods(["GET", "HEAD", "POST"])
def calendar(request: HttpRequest, pk: int) -> HttpResponse:
    """Its hours and its place; for those who do not edit, as they are."""
    frame.reader(request)
    row = of_id(pk)
    week = row.compile().week
    if request.method == "POST" or may_edit(request):
        editor(request)
        return _edit(request, row, week)
    return _render(request, row, {"week": wording.in_words(week)})


def _edit(request: HttpRequest, row: Calendar, stored: hours.Week) -> HttpResponse:
    names = Names()
    if request.method != "POST":
        form: RoutingForm = CalendarForm(names=names, initial=CalendarForm.of(row))
        return _page(request, row, form, WeekInput.of(stored))
    week = WeekInput.sent(request.POST)
    command = str(request.POST.get("edit", ""))[:40]
    if command:
        week.act(command)
        return _page(request, row, CalendarForm.typed(request.POST, names), week)
    bound = CalendarForm(request.POST, names=names, initial=CalendarForm.of(row))
    bound.is_valid()
    bound.refuse_taken(row.pk)
    made = week.read()
    if made is None or bound.errors:
        return _page(request, row, bound, week, status=422)
    is_new = row.pk is None
    bound.fill(row)
    user, now = editor(request), shell_of(request).now
    try:
        editing.save(row, frame.revision(request), user, made, now)
    except hours.InvalidCalendar as error:
        week.problem = str(error)
        return _page(request, row, bound, week, status=422)
    except draft.Stale as stale:
        theirs = cast(Calendar, stale.current)
        clash = frame.conflict(stale, _words(theirs, theirs.compile().week), _words(row, made), now)
        if clash.differences:
            return _page(request, row, bound, week, clash=clash, status=409)
    if is_new:
        text = f"The calendar “{row.name}” is there now. Nobody works by it yet."
        return frame.done(request, text, reverse("leads:calendars"))
    return answer(request, row, f"“{row.name}” is saved, as of now.", reverse("leads:calendars"))


def answer(request: HttpRequest, row: Calendar, text: str, to: str) -> HttpResponse:
    """Says what was done; where deadlines would move by it, on the page that shows them."""
    moving = len(lifecycle.affected(lifecycle.Act(shell_of(request).now), calendar=row).rows)
    if not moving:
        return frame.done(request, f"{text} No deadline that is set would move.", to)
    count = f"{moving:,} open lead{'' if moving == 1 else 's'}"
    text = f"{text} Deadlines stay as they are; those of {count} would move if you say so."
    return frame.done(request, text, reverse("leads:calendar_deadlines", args=[row.pk]))


def _page(
    request: HttpRequest,
    row: Calendar,
    form: RoutingForm,
    week: WeekInput,
    *,
    clash: frame.Conflict | None = None,
    status: int = 200,
) -> HttpResponse:
    values = {
        "form": form,
        "input": week,
        "clash": clash,
        "revision": clash.revision if clash else request.POST.get("revision", row.revision),
        "is_wrong": bool(form.errors) or bool(week.problem) or any(line.error for line in week.rows),
    }
    return _render(request, row, values, status)


def _render(
    request: HttpRequest, row: Calendar, values: Mapping[str, Any], status: int = 200
) -> HttpResponse:
    shown = {
        "row": row,
        "may_edit": may_edit(request),
        "changed": frame.last_change(row, shell_of(request).now),
        "used": users(row)[row.pk].words if row.pk else [],
    }
    return render(request, "leads/routing/calendar.html", shown | dict(values), status=status)


def users(only: Calendar | None = None) -> dict[int, Users]:
    """By calendar: who works by it. Five queries, whatever the number."""
    found: dict[int, Users] = {}
    if only is not None:
        found[only.pk] = Users()
    wanted = Q(calendar__isnull=False) if only is None else Q(calendar=only)
    active = User.objects.filter(is_active=True)
    kinds: tuple[tuple[str, Iterable[Any]], ...] = (
        ("people", active.filter(wanted).only("name", "email", "calendar_id")),
        ("teams", Team.objects.filter(wanted)),
        ("queues", Queue.objects.filter(wanted)),
        ("pools", Pool.objects.filter(wanted)),
    )
    for kind, rows in kinds:
        for row in rows:
            getattr(found.setdefault(row.calendar_id, Users()), kind).append(str(row))
    if only is None or only.is_default:
        default = only or Calendar.objects.filter(is_default=True).first()
        if default is not None:
            without = active.filter(Q(team=None) | Q(team__calendar=None), calendar=None)
            found.setdefault(default.pk, Users()).others = without.count()
    return found


def closed_day(row: ClosedDay, today: date) -> wording.Closed:
    return wording.Closed(
        id=row.pk,
        day=wording.day_in_words(row.day, today),
        exact=f"{row.day:%A} {row.day.day} {row.day:%B %Y}",
        name=row.name,
        is_public=row.is_public,
        is_over=row.day < today,
    )


def _words(row: Calendar, week: hours.Week) -> dict[str, str]:
    return {
        "Name": row.name,
        "Time zone": row.time_zone,
        "Public holidays of": "-".join(part for part in (row.country, row.subdivision) if part) or "nowhere",
        "Hours": wording.in_words(week),
    }
