"""What is done with a connection: switched on and off, paused, tried, brought up to date, deleted.

Owns these acts, each a POST that is answered on the connection's page. Calls to the other system are made
outside any transaction and within seconds; what takes longer goes on in the worker.
"""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from leads import queueing
from leads.connecting import changing, first_sync, kinds, removing, trying
from leads.connecting.changing import NotDone
from leads.models import Connection, Delivery
from leads.presenters import times
from leads.views.integrations import connection, frame
from leads.views.shell import shell_of, tell

# Of a log's deletion, while somebody waits for the page.
WAITED_SECONDS = 3.0


@require_POST
def switch(request: HttpRequest, slug: str) -> HttpResponse:
    """On (also after a pause, an answer 410 or refused credentials) or off."""
    frame.runner(request)
    row, edit = frame.find(slug), frame.edit(request)
    if request.POST.get("to") == "off":
        changing.switch_off(row.pk, edit)
        return frame.done(request, row, f"“{row.name}” is switched off. What is owed stays.")
    try:
        changing.switch_on(row.pk, edit)
    except NotDone as problem:
        return connection.overview(request, row, status=422, problem=str(problem))
    return frame.done(request, row, f"“{row.name}” runs.")


@require_POST
def pause(request: HttpRequest, slug: str) -> HttpResponse:
    """Send nothing until somebody resumes it."""
    frame.runner(request)
    row = frame.find(slug)
    try:
        changing.pause(row.pk, frame.edit(request), request.POST.get("why", "").replace("\x00", ""))
    except NotDone as problem:
        return connection.overview(request, row, status=422, pause_problem=str(problem))
    return frame.done(request, row, f"“{row.name}” is paused. What is owed to it waits.")


@require_POST
def check(request: HttpRequest, slug: str) -> HttpResponse:
    """Call it once, changing nothing, and say what it said."""
    frame.runner(request)
    row = frame.find(slug)
    if not kinds.does(row.kind, "check"):
        return connection.overview(request, row, status=422, problem="There is nothing to try here.")
    tried = trying.check(row)
    return connection.overview(request, row, tried=tried)


@require_POST
def test(request: HttpRequest, slug: str) -> HttpResponse:
    """Send a test event and show its delivery, with the answer."""
    frame.runner(request)
    row = frame.find(slug)
    if not trying.takes_tests(row):
        return connection.overview(request, row, status=422, problem="It has no address to send an event to.")
    sent = trying.send_test(row, timezone.now)
    said = _said(sent, shell_of(request).now)
    if sent.status == Delivery.Status.DONE and row.kind == Connection.Kind.TEAMS:
        said += " Look into the channel: what the flow made of it Teams does not say."
    tell(request, said, is_late=sent.status != Delivery.Status.DONE)
    return redirect("leads:delivery", sent.pk)


def _said(sent: Delivery, now: datetime) -> str:
    """What became of a test event, as far as it is known."""
    if sent.status == Delivery.Status.DONE:
        return f"The test event arrived: answered {sent.last_status}."
    if sent.status == Delivery.Status.DEAD:
        return f"The test event was refused: {sent.last_error}"
    if sent.status == Delivery.Status.SENDING:
        return "The worker is sending it at this moment."
    if sent.last_error:
        return f"{sent.last_error} It is tried again at {times.by(sent.next_attempt_at, now)}."
    return "The test event has not left yet: it waits until the connection runs and may be called."


@require_POST
def sync(request: HttpRequest, slug: str) -> HttpResponse:
    """Owe it the present state of every open handoff."""
    frame.runner(request)
    row = frame.find(slug)
    if not (first_sync.takes_states(row) and row.is_active):
        problem = "It keeps no state of handoffs." if row.is_active else "Switch it on first."
        return connection.overview(request, row, status=422, problem=problem)
    queueing.put("leads.tasks.first_sync", row.pk, 0)
    changing.ask_for_sync(row.pk, frame.edit(request))
    count = first_sync.waiting()
    leads = f"{count:,} lead{'' if count == 1 else 's'}"
    return frame.done(request, row, f"The state of {leads} is written to “{row.name}” by the worker.")


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, slug: str) -> HttpResponse:
    """Delete it with its log, once its name is typed. What cannot be undone is said before."""
    frame.runner(request)
    row = frame.find(slug)
    problem = ""
    if request.method == "POST":
        typed = request.POST.get("name", "").replace("\x00", "")
        try:
            removing.begin(row.pk, frame.edit(request), typed)
        except NotDone as refused:
            problem = str(refused)
        else:
            if removing.work(row.pk, WAITED_SECONDS):
                queueing.put("leads.tasks.remove_connection", row.pk)
            tell(request, f"“{row.name}” is deleted.")
            return redirect("leads:integrations")
    values = {
        "row": row,
        "problem": problem,
        "typed": request.POST.get("name", "")[:100],
        "owed": Delivery.objects.filter(connection=row, done_at__isnull=True).count(),
    }
    return frame.page(request, "delete", values, status=422 if problem else 200)
