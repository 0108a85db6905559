"""Team: who needs help, in five seconds, and giving a lead to somebody else.

Owns the page and its one act. The queries are `staff`, who can be given a lead is `leads.receivers`.
"""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from leads import lifecycle, permissions
from leads.lifecycle import Act, Invalid, Refused, guard
from leads.models import Handoff
from leads.presenters import rows
from leads.receivers import ME
from leads.roles import Can
from leads.views import access, inbox, staff
from leads.views.shell import Toast, shell_of, tell
from leads.views.staff import Overview, Params, Reassigning
from routing.people import User


@require_safe
def team(request: HttpRequest) -> HttpResponse:
    """The page; `h` opens the form of one handoff, `rep` lists one person's work."""
    user = access.page(request, Can.WATCH_TEAMS)
    now = shell_of(request).now
    overview = staff.load(user, Params.of(request.GET), now)
    open_id = inbox.number(request.GET.get("h"))
    if open_id is not None:
        handoff = _find(user, open_id)
        staff.put_in(overview, staff.form_for(user, handoff, now), handoff, now)
    if inbox.wants(request, "overview"):
        return inbox.fragment(request, "leads/team/_overview.html", {"overview": overview})
    return render(request, "leads/team/team.html", {"overview": overview})


@require_POST
def reassign(request: HttpRequest, pk: int) -> HttpResponse:
    """Give one handoff to an eligible person or a queue, with the reason; `anyway` overrules an earlier
    rejection. 422 for wrong input, 409 when refused; what was typed stays."""
    frame = shell_of(request)
    user = access.page(request, Can.WATCH_TEAMS)
    handoff = _find(user, pk)
    form = staff.form_for(user, handoff, frame.now)
    form.to = request.POST.get("to", "").strip().lower()[:300]
    form.reason = request.POST.get("reason", "")
    if handoff.assignee is not None and form.to == handoff.assignee.email:
        return _done(request, handoff)
    _check(form, bool(request.POST.get("anyway")))
    if form.to_error or form.reason_error:
        return _again(request, handoff, form)
    try:
        if not permissions.may(user, "reassign", handoff):
            raise guard.refusal(handoff, "reassign")
        revision = inbox.number(request.POST.get("revision"))
        act = Act(frame.now, user)
        after = lifecycle.reassign(pk, act, to=form.to, reason=form.reason, revision=revision)
    except Refused as refused:
        return _refused(request, refused, form.reason)
    except Invalid as invalid:
        form.to_error = invalid.errors.get("to", "")
        form.reason_error = invalid.errors.get("reason", "")
        return _again(request, handoff, form)
    return _done(request, after)


def _find(user: User, pk: int) -> Handoff:
    """An open handoff that this person watches over; else Http404."""
    found = (
        staff.watched(user, Params())
        .select_related(
            "lead__company", "policy", "queue__calendar", "assignee__calendar", "assignee__team__calendar"
        )
        .filter(pk=pk)
        .first()
    )
    if found is None:
        raise Http404("no such handoff")
    return found


def _check(form: Reassigning, anyway: bool) -> None:
    """Say what is wrong with what was typed, and whether it can be overruled."""
    receiver = next((row for row in form.receivers if row.value == form.to), None)
    if not form.to:
        form.to_error = "Choose who gets it."
    elif receiver is None:
        form.to_error = "Choose somebody of a team you lead, or a queue."
    elif receiver.is_away:
        # No "anyway": the next minute would move it on again.
        who = "You are" if receiver.label == ME else f"{receiver.label} is"
        form.to_error = f"{who} {receiver.why_not}."
    elif receiver.why_not:
        form.asks_anyway = True
        if not anyway:
            form.to_error = f"{receiver.label} {receiver.why_not}."
    if not form.reason.strip():
        form.reason_error = "Write why: the new holder reads it."


def _done(request: HttpRequest, after: Handoff) -> HttpResponse:
    frame = shell_of(request)
    params = Params.of(request.POST)
    to = after.assignee if after.assignee is not None else f"the queue {after.queue}"
    text = f"{rows.name_of(after)} given to {to}."
    if not request.htmx:  # type: ignore[attr-defined]
        tell(request, text)
        return redirect(f"{reverse('leads:team')}{params.query()}")
    overview = staff.load(frame.user, params, frame.now)
    href = reverse("leads:handoff", args=[after.pk])
    values: dict[str, Any] = {
        "overview": overview,
        "oob": True,
        "toasts": [Toast(text, href=href, link="Open")],
    }
    response = inbox.fragment(request, "leads/team/_after.html", values)
    response["HX-Push-Url"] = f"{reverse('leads:team')}{params.query()}"
    return response


def _again(request: HttpRequest, handoff: Handoff, form: Reassigning) -> HttpResponse:
    frame = shell_of(request)
    overview = staff.load(frame.user, Params.of(request.POST), frame.now)
    return _answer(request, staff.put_in(overview, form, handoff, frame.now), 422)


def _refused(request: HttpRequest, refused: Refused, reason: str) -> HttpResponse:
    frame = shell_of(request)
    overview = staff.load(frame.user, Params.of(request.POST), frame.now)
    overview.notice, overview.kept = refused.message, reason.strip()
    return _answer(request, overview, 409)


def _answer(request: HttpRequest, overview: Overview, status: int) -> HttpResponse:
    values = {"overview": overview}
    if request.htmx:  # type: ignore[attr-defined]
        return inbox.fragment(request, "leads/team/_overview.html", values, status=status)
    return render(request, "leads/team/team.html", values, status=status)
