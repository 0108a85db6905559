"""Putting the draft in force, throwing it away, and its one setting.

Owns the page that shows the differences once more, what stands in the way and where, and asks why. The
acts are `routing.publish` and `routing.draft`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from leads import in_force
from leads.drafts import Names
from leads.models import Backtest
from leads.presenters import times
from leads.presenters.addresses import address
from leads.presenters.rules import of
from leads.roles import Can
from leads.routing_forms import NoteForm, RoutingForm, SettingsForm
from leads.views import access
from leads.views.routes import changes, frame
from leads.views.shell import shell_of
from routing import draft, publish
from routing.models import NamedList, Territory


@dataclass(frozen=True, slots=True)
class Hurdle:
    """One thing that keeps the draft from being published, and where it is mended ("" for nowhere)."""

    where: str
    message: str
    href: str


@require_http_methods(["GET", "HEAD", "POST"])
def routing_publish(request: HttpRequest) -> HttpResponse:
    """The differences once more, and why; then the next version is in force."""
    user = frame.editor(request)
    names = Names()
    if request.method != "POST":
        return _page(request, NoteForm(names=names), names)
    form = NoteForm(request.POST, names=names)
    if not form.is_valid():
        return _page(request, form, names, status=422)
    now = shell_of(request).now
    before = publish.live()
    if before is not None and request.POST.get("from") != str(before.version):
        return _page(request, form, names, overtaken=True, status=409)
    try:
        ruleset = in_force.publish(now, user, form.cleaned_data["note"])
    except publish.NotPublishable:
        return _page(request, form, names, status=422)
    if ruleset == before:
        text = f"Nothing differs: version {ruleset.version} stays in force."
    else:
        text = f"Version {ruleset.version} is in force. New leads go by it from now on."
    return frame.done(request, text, reverse("leads:routing"))


@require_http_methods(["GET", "HEAD", "POST"])
def routing_discard(request: HttpRequest) -> HttpResponse:
    """Make the draft what is live again, once it was seen what gets lost."""
    user = frame.editor(request)
    frame_ = shell_of(request)
    if request.method == "POST":
        try:
            draft.discard(frame_.now, user)
        except draft.NothingLive as nothing:
            return frame.done(request, str(nothing), reverse("leads:routing"))
        text = "The draft is what is live again. What it held stands in the history of each row."
        return frame.done(request, text, reverse("leads:routing"))
    state = frame_.draft
    if state.live is None or not state.changes:
        return redirect(f"{reverse('leads:routing')}?tab=draft")
    values = {"changes": changes.between(state.live_document, state.document, Names())}
    return render(request, "leads/routing/discard.html", values)


@require_POST
def routing_settings(request: HttpRequest) -> HttpResponse:
    """Whose leads go to the owner of the account first."""
    frame.reader(request)
    user = access.act(request, Can.EDIT_ROUTING)
    form = SettingsForm(request.POST, names=Names())
    back = f"{reverse('leads:routing')}?tab=draft"
    if not form.is_valid():
        return frame.done(request, "Not saved: choose whose leads go to the owner of the account.", back)
    row = draft.current()
    row.account_first = form.cleaned_data["account_first"]
    try:
        draft.save(row, frame.revision(request), user)
    except draft.Stale as stale:
        who = stale.by or "Somebody"
        text = f"Not saved: {who} changed the draft meanwhile. This is how it stands now; choose again."
        return frame.done(request, text, back)
    return frame.done(request, "Saved in the draft.", back)


def _page(
    request: HttpRequest,
    form: RoutingForm,
    names: Names,
    *,
    overtaken: bool = False,
    status: int = 200,
) -> HttpResponse:
    state = shell_of(request).draft
    values = {
        "form": form,
        "live": state.live,
        "next": state.live.version + 1 if state.live is not None else 1,
        "changes": changes.between(state.live_document, state.document, names),
        "hurdles": _hurdles(state.document, publish.check(state.document)),
        "overtaken": overtaken,
        "tested": _tested(request, state.document),
        "backtests_href": address("leads:backtests"),
    }
    return render(request, "leads/routing/publish.html", values, status=status)


def _hurdles(document: Mapping[str, Any], problems: list[publish.Problem]) -> list[Hurdle]:
    """The problems with links to where they are mended."""
    if not problems:
        return []
    rules = list(of(document))
    territories = dict(Territory.objects.values_list("slug", "pk"))
    lists = dict(NamedList.objects.values_list("slug", "pk"))
    found = []
    for problem in problems:
        kind, _, rest = problem.pointer.strip("/").partition("/")
        which = rest.partition("/")[0]
        href = ""
        if kind == "rules" and which.isdecimal() and int(which) < len(rules):
            href = reverse("leads:rule", args=[rules[int(which)]])
        elif kind == "rules":
            href = reverse("leads:rule_new")
        elif kind == "territories" and which in territories:
            href = reverse("leads:territory", args=[territories[which]])
        elif kind == "lists" and which in lists:
            href = reverse("leads:list", args=[lists[which]])
        elif kind == "overflow":
            href = reverse("leads:queues")
        elif kind == "account_first":
            href = f"{reverse('leads:routing')}?tab=draft"
        found.append(Hurdle(problem.where, problem.message, href))
    return found


def _tested(request: HttpRequest, document: Mapping[str, Any]) -> dict[str, Any] | None:
    """The latest back-test of exactly this draft, with how many leads would move."""
    now = shell_of(request).now
    done = Backtest.objects.filter(status=Backtest.Status.DONE, ruleset=None)
    for run in done.defer("state").order_by("-created_at")[:5]:
        if run.document == document:
            return {
                "pk": run.pk,
                "when": times.day(run.created_at, now),
                "moved": run.result.get("moved", 0),
                "of": run.result.get("replayed", run.replayed),
            }
    return None
