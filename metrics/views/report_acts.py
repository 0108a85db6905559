"""What is done on the report pages: make one, write on a call, subscribe, set the schedule.

Managers, marketing ops and admins make and write; marketing ops and admins set the schedule; whoever reads
may subscribe. Never changes a made report.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from leads.forms import complaints
from leads.roles import Can
from leads.views import access
from leads.views.shell import tell
from metrics import words
from metrics.models import CallEntry, Report, ReportSchedule
from metrics.periods import Week
from metrics.reports import calls, forms, mailing, making
from metrics.reports.calls import Overtaken
from metrics.reports.making import NotYet
from metrics.views import reports
from routing.people import User


@require_POST
def make(request: HttpRequest) -> HttpResponse:
    """Make a report of a week that is over, or a further edition of it."""
    user = _writer(request)
    form = forms.MakeForm(request.POST)
    errors = {} if form.is_valid() else complaints(form)
    if not errors:
        week: Week = form.cleaned_data["week"]
        edition: int = form.cleaned_data["edition"]
        before = Report.objects.filter(week=week.name, edition=edition).exists()
        try:
            made = making.make(week, timezone.now(), user, edition)
        except NotYet as error:
            errors = {"week": str(error)}
        else:
            told = "was made already" if before else "is made"
            tell(request, f"Edition {made.edition} of {words.short(week)} {told}.")
            return redirect("metrics:report", week.name)
    return reports.listing(request, errors=errors, status=422)


@require_POST
def subscription(request: HttpRequest) -> HttpResponse:
    """Switch one's own mail of the report on or off."""
    user = reports.reader(request)
    is_on = request.POST.get("on") == "1"
    changed = mailing.subscribe(user, is_on, timezone.now())
    said = "The weekly report comes to you by mail." if is_on else "The weekly report does not come by mail."
    tell(request, said if changed else "Nothing was changed.")
    return redirect("metrics:reports")


@require_POST
def schedule(request: HttpRequest) -> HttpResponse:
    """Set when reports are made and mailed, or that they are not."""
    reports.reader(request)
    access.act(request, Can.SCHEDULE_REPORTS)
    form = forms.ScheduleForm(request.POST)
    if not form.is_valid():
        return reports.listing(request, errors=complaints(form), given=_given(request), status=422)
    values = form.cleaned_data
    row, _ = ReportSchedule.objects.update_or_create(pk=1, defaults=values)
    plan, _ = making.plan()
    tell(request, f"Reports are made each {plan.words}." if row.is_on else "No report is made by itself.")
    return redirect("metrics:reports")


@require_POST
def write(request: HttpRequest, week: str) -> HttpResponse:
    """Write a note or a decision on the call of a week that has a report."""
    user = _writer(request)
    there = _reported(week)
    form = forms.EntryForm(request.POST)
    if not form.is_valid():
        return reports.week_page(request, there, given=_given(request), errors=complaints(form), status=422)
    kind = form.cleaned_data["kind"]
    calls.write(there, user, timezone.now(), kind=kind, **form.arguments())
    tell(request, "The decision is written down." if kind == "decision" else "The note is written down.")
    return _to_call(there)


@require_http_methods(["GET", "HEAD", "POST"])
def correct(request: HttpRequest, week: str, pk: int) -> HttpResponse:
    """The form of a correction, and its keeping: what was written before stays readable."""
    user = _writer(request)
    there = _reported(week)
    said = next((each for each in calls.of_week(there) if each.first.pk == pk), None)
    if said is None:
        raise Http404("no such entry")
    row, now = said.now, timezone.now()
    given: Mapping[str, str] = {
        "text": row.text,
        "owner": str(row.owner_id or ""),
        "until": row.until.isoformat() if row.until else "",
    }
    errors: dict[str, str] = {}
    status = 200
    if request.method == "POST":
        form = forms.EntryForm({**request.POST.dict(), "kind": row.kind})
        seen = request.POST.get("last", "")
        entries = {str(each.pk): each for each in (*said.was, row)}
        if not form.is_valid():
            given, errors, status = _given(request), complaints(form), 422
        else:
            try:
                calls.correct(entries.get(seen, row), user, now, **form.arguments())
            except Overtaken as error:
                given, errors, status = _given(request), {"text": str(error)}, 409
            else:
                tell(request, "Corrected; what it said before is kept.")
                return _to_call(there)
    context = {
        "week": there.name,
        "title": words.short(there),
        "entry": reports.entry(said, timezone.localtime(now)),
        "given": given,
        "errors": errors,
        "people": [(each.pk, str(each)) for each in forms.people()],
    }
    return render(request, "metrics/report_correct.html", context, status=status)


@require_POST
def turn(request: HttpRequest, week: str, pk: int) -> HttpResponse:
    """Mark a decision as done (`done=1`), or reopen it; back to the report that it was done from."""
    user = _writer(request)
    there = reports.parsed(week)
    decision = CallEntry.objects.filter(pk=pk, week=there.name, kind="decision", about=None).first()
    if decision is None:
        raise Http404("no such decision")
    done = request.POST.get("done") == "1"
    changed = calls.turn(decision, user, timezone.now(), done=done)
    said = "The decision is done." if done else "The decision is open again."
    tell(request, said if changed else "It was so already.")
    back = request.POST.get("back", "")
    return _to_call(reports.parsed(back) if back else there)


def _writer(request: HttpRequest) -> User:
    """Who is signed in, if they make reports and write on calls; a reader who does not is refused."""
    reports.reader(request)
    return access.act(request, Can.WRITE_REPORTS)


def _reported(week: str) -> Week:
    there = reports.parsed(week)
    if not Report.objects.filter(week=there.name).exists():
        raise Http404("no report of this week")
    return there


def _to_call(week: Week) -> HttpResponse:
    return redirect(f"{reverse('metrics:report', args=[week.name])}#call")


def _given(request: HttpRequest) -> dict[str, str]:
    return {name: str(value) for name, value in request.POST.items()}
