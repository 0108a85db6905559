"""The working page of one handoff, and its verbs.

Owns the way from a form to a lifecycle verb and back: the next lead after an act, the undo, the refusal
with who did what when, the form again with what is wrong with it. State is moved by `leads.lifecycle`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from leads import lifecycle, permissions
from leads.forms import FIELD_OF, FORMS, complaints
from leads.lifecycle import guard
from leads.models import Handoff
from leads.presenters import clocks, rows, times
from leads.presenters.actions import Panel
from leads.views import inbox, news, pane, worklist
from leads.views.shell import UNDO_SECONDS, Shell, Toast, shell_of, tell
from leads.views.worklist import Params
from routing.models import User

VERBS: dict[str, Callable[..., Handoff]] = {
    "accept": lifecycle.accept,
    "claim": lifecycle.claim,
    "resume": lifecycle.resume,
    "undo": lifecycle.undo,
    "reject": lifecycle.reject,
    "defer": lifecycle.defer,
    "contact": lifecycle.contact,
    "opportunity": lifecycle.opportunity,
    "disqualify": lifecycle.disqualify,
    "note": lifecycle.note,
    "report": lifecycle.report,
    "reassign": lifecycle.reassign,
}
UNDOABLE = frozenset(VERBS) - {"resume", "undo", "reassign"}
# After these the same lead stays open: there is more to do on it, or one wants to see it back.
STAYS = frozenset({"claim", "resume", "note", "report", "undo"})
SAID = {
    "accept": "accepted",
    "claim": "claimed, it is yours now",
    "resume": "taken up again",
    "undo": "undone, it is as it was",
    "reject": "rejected",
    "defer": "deferred",
    "contact": "contact logged",
    "opportunity": "opportunity recorded",
    "disqualify": "disqualified",
    "note": "note kept",
    "report": "wrong data reported to marketing",
    "reassign": "given",
}


@require_safe
def handoff(request: HttpRequest, pk: int) -> HttpResponse:
    """The working page: in the inbox for whoever has it there, else on its own."""
    frame = shell_of(request)
    found = pane.find(frame.user, pk)
    panel = inbox.asked_panel(request)
    if inbox.wants(request, "lead"):
        shown = pane.load(frame.user, found, frame.now, panel)
        is_alone = worklist.list_of(frame.user, found) is None
        return inbox.fragment(request, "leads/_lead.html", {"pane": shown, "is_alone": is_alone})
    params = worklist.list_of(frame.user, found)
    if params is not None:
        return inbox.page(request, params, found, panel)
    return _alone(request, found, panel)


@require_POST
def act(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """One verb by the person signed in. 422 for wrong input, 409 when refused; what was typed stays."""
    if verb not in VERBS:
        raise Http404("no such verb")
    frame = shell_of(request)
    found = pane.glimpse(frame.user, pk)
    if found is None:
        return _lost(request, pk)
    if permissions.is_only_viewer(frame.user):
        raise PermissionDenied("viewers read")
    form = FORMS[verb](request.POST)
    if not form.is_valid():
        return _again(request, pk, verb, complaints(form), 422)
    arguments = form.arguments()
    if verb == "contact":
        arguments["at"] = _within_the_minute(arguments["at"], found)
    try:
        if not permissions.may(frame.user, verb, found):
            raise guard.refusal(found, verb)
        after = VERBS[verb](pk, lifecycle.Act(frame.now, frame.user), **arguments)
    except lifecycle.Refused as refused:
        return _again(request, pk, verb, {"": refused.message}, 409)
    except lifecycle.Invalid as invalid:
        errors = {FIELD_OF.get(name, name): words for name, words in invalid.errors.items()}
        return _again(request, pk, verb, errors, 422)
    return _done(request, after, verb)


@require_POST
def viewed(request: HttpRequest, pk: int) -> HttpResponse:
    """The open lead was looked at by its holder; from anybody else's page this changes nothing."""
    frame = shell_of(request)
    if not Handoff.objects.visible_to(frame.user).filter(pk=pk).exists():
        raise Http404("no such handoff")
    lifecycle.view(pk, lifecycle.Act(frame.now, frame.user))
    return HttpResponse(status=204)


def _done(request: HttpRequest, after: Handoff, verb: str) -> HttpResponse:
    """What was done, said once, and the lead that comes next."""
    frame = shell_of(request)
    params = Params.of(request.POST)
    if verb == "claim":
        params = Params()
    next_id = after.pk if verb in STAYS else inbox.number(request.POST.get("next"))
    text = _said(after, verb, frame)
    undo = after.pk if verb in UNDOABLE else None
    if request.POST.get("alone"):
        return _done_alone(request, after, text, undo)
    if not request.htmx:  # type: ignore[attr-defined]
        tell(request, text, undo=undo, now=frame.now)
        return redirect(f"{reverse('leads:inbox')}{params.query(h=next_id)}")
    found = worklist.load(frame.user, frame, frame.now, params, next_id)
    if verb not in STAYS and next_id not in found.order:
        next_id = found.order[0] if found.order else None
        found.sections = rows.marked(found.sections, next_id)
    opened = _visible(frame.user, next_id)
    shown = pane.load(frame.user, opened, frame.now) if opened is not None else None
    values = inbox.around(found, shown) | {"oob": True, "toasts": [_toast(after, verb, text, undo)]}
    response = inbox.fragment(request, "leads/_after.html", values)
    response["HX-Push-Url"] = f"{reverse('leads:inbox')}{params.query(h=opened.pk if opened else None)}"
    return response


def _done_alone(request: HttpRequest, after: Handoff, text: str, undo: int | None) -> HttpResponse:
    """The same lead again, for somebody who has it open on its own page."""
    frame = shell_of(request)
    opened = _visible(frame.user, after.pk)
    if opened is None or not request.htmx:  # type: ignore[attr-defined]
        tell(request, text, undo=undo, now=frame.now)
        to = reverse("leads:handoff", args=[after.pk]) if opened else reverse("leads:inbox")
        if not request.htmx:  # type: ignore[attr-defined]
            return redirect(to)
        response = HttpResponse(status=204)
        response["HX-Redirect"] = to
        return response
    values = {
        "pane": pane.load(frame.user, opened, frame.now),
        "is_alone": True,
        "oob": True,
        "toasts": [_toast(after, "", text, undo)],
    }
    return inbox.fragment(request, "leads/_after.html", values)


def _again(request: HttpRequest, pk: int, verb: str, errors: dict[str, str], status: int) -> HttpResponse:
    """The same lead, as it is now, with the form as it was typed and what is wrong with it."""
    frame = shell_of(request)
    found = _visible(frame.user, pk)
    if found is None:
        return _lost(request, pk)
    panel = Panel(verb, {name: str(value) for name, value in request.POST.items()}, errors)
    is_alone = bool(request.POST.get("alone"))
    params = Params.of(request.POST)
    if request.htmx:  # type: ignore[attr-defined]
        values: dict[str, Any] = {
            "pane": pane.load(frame.user, found, frame.now, panel),
            "params": params,
            "is_alone": is_alone,
            "next_id": inbox.number(request.POST.get("next")),
        }
        return inbox.fragment(request, "leads/_lead.html", values, status=status)
    if is_alone:
        return _alone(request, found, panel, status=status)
    return inbox.page(request, params, found, panel, status=status)


def _lost(request: HttpRequest, pk: int) -> HttpResponse:
    """It was taken from this person while the page was open: by whom and when. A foreign one is Http404."""
    frame = shell_of(request)
    told = news.lost(frame.user, pk, frame.now)
    if told is None:
        raise Http404("no such handoff")
    if request.htmx:  # type: ignore[attr-defined]
        # Only the notice is put in, so that what was typed stays where it stands.
        response = inbox.fragment(request, "leads/_news.html", {"news": told}, status=409)
        response["HX-Retarget"], response["HX-Reswap"] = "#lead-news", "innerHTML"
        return response
    typed = "\n".join(request.POST.get(name, "") for name in ("explanation", "text", "note")).strip()
    return inbox.page(request, Params.of(request.POST), None, status=409, lost=told, typed=typed)


def _alone(request: HttpRequest, found: Handoff, panel: Panel, *, status: int = 200) -> HttpResponse:
    frame = shell_of(request)
    shown = pane.load(frame.user, found, frame.now, panel)
    return render(request, "leads/handoff.html", {"pane": shown, "is_alone": True}, status=status)


def _visible(user: User, pk: int | None) -> Handoff | None:
    """The handoff with its context; None when there is none or it is not this person's to see."""
    if pk is None:
        return None
    try:
        return pane.find(user, pk)
    except Http404:
        return None


def _said(after: Handoff, verb: str, frame: Shell) -> str:
    text = f"{rows.name_of(after)}: {SAID[verb]}"
    if verb == "accept" and after.contact_due_at is not None:
        text += f", contact due {clocks.contact_by(after, frame.now)}"
    elif verb == "reject" and after.rejection_reason is not None:
        text += f", {after.rejection_reason.label.lower()}"
    elif verb == "reassign":
        text += f" to {after.assignee or f'queue {after.queue}'}"
    elif verb == "defer" and after.deferred_until is not None:
        text += f" to {times.moment(after.deferred_until, frame.now)}"
    elif verb == "contact" and after.next_touch_at is not None:
        text += f", next touch {times.moment(after.next_touch_at, frame.now)}"
    return f"{text}."


def _toast(after: Handoff, verb: str, text: str, undo: int | None) -> Toast:
    opens = verb not in STAYS and verb != ""
    return Toast(
        text,
        href=reverse("leads:handoff", args=[after.pk]) if opens else "",
        link="Open" if opens else "",
        undo_href=reverse("leads:act", args=[after.pk, "undo"]) if undo else "",
        seconds=UNDO_SECONDS if undo else 0,
    )


def _within_the_minute(at: Any, found: Handoff) -> Any:
    """A field for minutes cannot say the second at which the lead qualified."""
    if at is not None and at < found.mql_at < at + timedelta(minutes=1):
        return found.mql_at
    return at
