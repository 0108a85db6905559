"""The rep's inbox: what to do next, in order, and the lead that is open beside it.

Owns the page, the fragment of one lead, and the poll that brings news without moving what one reads.
The list's queries are `worklist`, the lead's are `pane`.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from leads.models import Handoff
from leads.presenters.actions import Panel
from leads.views import news, pane, stamp, worklist
from leads.views.pane import Pane
from leads.views.shell import person, shell_of
from leads.views.worklist import Params, WorkList


@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    """The page; for htmx the lead alone, or the list when it has changed."""
    params = Params.of(request.GET)
    open_id = number(request.GET.get("h"))
    if wants(request, "list-body"):
        return _poll(request, params)
    user, now = person(request), shell_of(request).now
    opened = None if open_id is None else pane.find(user, open_id)
    if wants(request, "lead") and opened is not None:
        shown = pane.load(user, opened, now, asked_panel(request))
        return fragment(request, "leads/_lead.html", {"pane": shown, "params": params})
    return page(request, params, opened, asked_panel(request))


def page(
    request: HttpRequest,
    params: Params,
    opened: Handoff | None,
    panel: Panel | None = None,
    *,
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    """The whole inbox with one lead open; without one, the first is fetched once it can be seen."""
    frame = shell_of(request)
    found = worklist.load(frame.user, frame, frame.now, params, opened.pk if opened else None)
    shown = pane.load(frame.user, opened, frame.now, panel) if opened is not None else None
    values = around(found, shown) | context
    return render(request, "leads/inbox.html", values, status=status)


def around(found: WorkList, shown: Pane | None) -> dict[str, Any]:
    """The context of the list and the lead beside it."""
    values: dict[str, Any] = {"list": found, "params": found.params, "pane": shown}
    if shown is not None:
        values |= {"place": found.place(shown.handoff.pk), "next_id": found.after(shown.handoff.pk)}
    elif found.order:
        values["first_href"] = found.params.query(h=found.order[0])
    return values


def wants(request: HttpRequest, target: str) -> bool:
    """Whether htmx asks for this part only. Going back in the history asks for the whole page."""
    htmx = request.htmx  # type: ignore[attr-defined]
    return bool(htmx) and not htmx.history_restore_request and htmx.target == target


def fragment(request: HttpRequest, template: str, values: dict[str, Any], status: int = 200) -> HttpResponse:
    """A part of a page; caches must not take it for the page at the same address."""
    response = render(request, template, values, status=status)
    patch_vary_headers(response, ("HX-Request", "HX-Target"))
    response["Cache-Control"] = "no-store"
    return response


def number(text: str | None) -> int | None:
    """A positive id from outside; None for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def asked_panel(request: HttpRequest) -> Panel:
    """The form that a plain link asks for, with what it fills in."""
    values = {name: request.GET[name] for name in ("activity_id", "reason") if name in request.GET}
    return Panel(request.GET.get("form", "")[:20], values)


def _poll(request: HttpRequest, params: Params) -> HttpResponse:
    """204 while nothing has changed; else the list, the frame's counts, and news of the open lead."""
    frame = shell_of(request)
    open_id, revision = number(request.GET.get("open")), number(request.GET.get("rev"))
    as_it_is = stamp.of(frame.user, frame.now, open_id)
    told = None
    if open_id is not None and revision is not None and as_it_is.revision != revision:
        told = news.since(frame.user, open_id, revision, frame.now)
    if told is None and request.GET.get("v") == as_it_is.text:
        return HttpResponse(status=204)
    found = worklist.load(frame.user, frame, frame.now, params, open_id)
    return fragment(request, "leads/_list.html", around(found, None) | {"oob": True, "news": told})
