"""One's own profile: name, time zone, theme, single keys, how one is told, and when one is away.

Owns the page. The forms are `leads.personal`; what follows an absence is `leads.absences`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from leads import absences, escalation
from leads.forms import complaints
from leads.lifecycle import Act
from leads.models import Preference
from leads.personal import THEMES, AbsenceForm, PreferenceForm, ProfileForm, covers, wishes, zones
from leads.presenters import times
from leads.views.shell import person, shell_of, tell
from routing.models import Absence
from routing.people import MANAGER, REP, User

MOST_ABSENCES = 50
# What the choices of mail mean, in the order of the page.
MAILS = (
    (Preference.Mail.ALL, "Each message as it comes; what can wait in a daily digest, if you set one below"),
    (
        Preference.Mail.URGENT,
        "New leads, deadlines, missing data, all about demo leads; the rest waits in Notifications",
    ),
    (Preference.Mail.NONE, "Not even for demo leads: everything waits in Notifications"),
)


@dataclass(frozen=True, slots=True)
class Away:
    """An absence in words; `is_now` while it lasts."""

    id: int
    days: str
    cover: str
    note: str
    is_now: bool


@require_safe
def profile(request: HttpRequest) -> HttpResponse:
    """The page of whoever is signed in."""
    return _page(request)


@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Keep name, time zone, theme and single keys."""
    user = person(request)
    form = ProfileForm(request.POST)
    if not form.is_valid():
        return _page(request, given=_given(request), errors=complaints(form), status=422)
    tell(request, "Saved." if form.save(user) else "Nothing was changed.")
    return redirect("leads:profile")


@require_POST
def save_told(request: HttpRequest) -> HttpResponse:
    """Keep which mail comes, when, and whether the browser calls for demo leads."""
    user = person(request)
    form = PreferenceForm(request.POST)
    if not form.is_valid():
        return _page(request, told=_given(request), told_errors=complaints(form), status=422)
    tell(request, "Saved." if form.save(user) else "Nothing was changed.")
    return redirect("leads:profile")


@require_POST
def add_absence(request: HttpRequest) -> HttpResponse:
    """Say when one is away. If that is now, open work goes to the cover or is routed again."""
    frame = shell_of(request)
    form = AbsenceForm(request.POST, user=frame.user, now=frame.now)
    if not form.is_valid():
        return _page(request, away=_given(request), away_errors=complaints(form), status=422)
    tell(request, absences.moved_words(absences.enter(form, Act(frame.now, frame.user))))
    return redirect("leads:profile")


@require_POST
def delete_absence(request: HttpRequest, pk: int) -> HttpResponse:
    """Take an absence of one's own back; one that lasts ends now."""
    frame = shell_of(request)
    absence = Absence.objects.filter(user=frame.user, pk=pk).first()
    if absence is None:
        raise Http404("no such absence")
    done = absences.take_back(absence, Act(frame.now, frame.user))
    if done:
        tell(
            request,
            "Welcome back. New leads come to you again." if done == "ended" else "The absence is deleted.",
        )
    return redirect("leads:profile")


def _given(request: HttpRequest) -> dict[str, str]:
    return {name: str(value) for name, value in request.POST.items()}


def _page(
    request: HttpRequest,
    *,
    given: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    told: Mapping[str, Any] | None = None,
    told_errors: Mapping[str, str] | None = None,
    away: Mapping[str, str] | None = None,
    away_errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    frame = shell_of(request)
    user = frame.user
    sells = bool(user.roles & {REP, MANAGER})
    values: dict[str, Any] = {
        "given": given or {name: getattr(user, name) for name in ProfileForm.base_fields},
        "errors": errors or {},
        "zones": zones(),
        "themes": THEMES,
        "told": told or wishes(user),
        "told_errors": told_errors or {},
        "mails": MAILS,
        "away": away or {},
        "away_errors": away_errors or {},
        "absences": _absences(user, frame.now),
        "covers": [(person.pk, str(person)) for person in covers(user)] if sells else [],
        "sells": sells,
        "owed": sum(frame.mine[str(state)] for state in escalation.OWED) if sells else 0,
        "roles": frame.roles,
        "team": user.team,
        "today": frame.now.date().isoformat(),
    }
    return render(request, "leads/profile.html", values, status=status)


def _absences(user: User, now: datetime) -> list[Away]:
    rows = Absence.objects.filter(user=user, ends_at__gt=now).select_related("cover").order_by("starts_at")
    return [
        Away(
            id=row.pk,
            days=times.days(row.starts_at, row.ends_at, now),
            cover=str(row.cover) if row.cover else "",
            note=row.note,
            is_now=absences.is_now(row, now),
        )
        for row in rows[:MOST_ABSENCES]
    ]
