"""When somebody of one's team is away: entered and taken back on their page by whoever watches their work.

Owns the two addresses. Whose that is stands in `staff.people_of`: a manager's are the people of the teams
they lead; marketing ops and admins see everybody. What follows an absence is `leads.absences`.
"""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from leads import absences
from leads.forms import complaints
from leads.lifecycle import Act
from leads.personal import AbsenceForm
from leads.roles import Can
from leads.views import access, staff
from leads.views.shell import shell_of, tell
from leads.views.staff import Params
from routing.models import Absence
from routing.people import User


@require_POST
def add(request: HttpRequest, pk: int) -> HttpResponse:
    """Say when this person is away. If that is now, open work goes to the cover or is routed again. 422 with
    what was typed for days that cannot be."""
    frame = shell_of(request)
    person = _person(request, pk)
    form = AbsenceForm(request.POST, user=person, now=frame.now, by=frame.user)
    if not form.is_valid():
        overview = staff.load(frame.user, Params(rep=pk), frame.now)
        overview.away = {name: str(value)[:300] for name, value in request.POST.items()}
        overview.away_errors = complaints(form)
        return render(request, "leads/team/team.html", {"overview": overview}, status=422)
    tell(request, absences.moved_words(absences.enter(form, Act(frame.now, frame.user))))
    return _back(pk)


@require_POST
def delete(request: HttpRequest, pk: int, absence: int) -> HttpResponse:
    """Take an absence of this person's back; one that lasts ends now."""
    person = _person(request, pk)
    row = Absence.objects.filter(user=person, pk=absence).first()
    if row is None:
        raise Http404("no such absence")
    frame = shell_of(request)
    done = absences.take_back(row, Act(frame.now, frame.user))
    if done:
        tell(
            request,
            f"New leads come to {person} again." if done == "ended" else "The absence is deleted.",
        )
    return _back(pk)


def _person(request: HttpRequest, pk: int) -> User:
    """Somebody whose work whoever is signed in watches over; else Http404."""
    user = access.page(request, Can.WATCH_TEAMS)
    found = staff.people_of(user, Params()).filter(pk=pk).first()
    if found is None:
        raise Http404("nobody of a team they lead")
    return found


def _back(pk: int) -> HttpResponse:
    return redirect(f"{reverse('leads:team')}?rep={pk}#away")
