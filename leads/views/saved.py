"""Saved views: the tabs above a list, and keeping, changing, deleting and opening with one.

Owns the forms. What may be kept and who sees it is `leads.saved_views`; the list itself is its own page. A
view's name is what somebody typed: it is text, never an address.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from leads import saved_views
from leads.lifecycle import Invalid
from leads.models import SavedView
from leads.views.inbox import number
from leads.views.shell import shell_of, tell
from routing.people import User

LISTS = {"handoffs": "leads:handoffs", "leads": "leads:leads"}


@dataclass(frozen=True, slots=True)
class Tab:
    """A view above its list. `note` says whose it is when it is not one's own."""

    id: int
    name: str
    href: str
    note: str
    is_current: bool
    is_mine: bool


def href(view: SavedView) -> str:
    """The list with what this view keeps."""
    own = f"{view.query}&" if view.query else ""
    return f"{reverse(LISTS[view.page])}?{own}{urlencode({'view': view.pk})}"


def values(user: User, page: str, data: QueryDict) -> dict[str, Any]:
    """What the tabs of a list need; three queries for any number of views."""
    found, chosen = list(saved_views.seen_by(user, page)), number(data.get("view"))
    current = next((view for view in found if view.pk == chosen), None)
    now = saved_views.plain(data.urlencode())
    default = saved_views.default(user, page)
    return {
        "saved_page": page,
        "tabs": [
            Tab(
                id=view.pk,
                name=view.name,
                href=href(view),
                note="" if view.owner_id == user.pk else f"by {view.owner}",
                is_current=view is current,
                is_mine=saved_views.may_change(user, view),
            )
            for view in found
        ],
        "all_href": f"?view={saved_views.ALL}",
        "view": current,
        "view_changed": current is not None and sorted(current.query.split("&")) != sorted(now.split("&")),
        "may_change_view": current is not None and saved_views.may_change(user, current),
        "is_default": current is not None and default is not None and current.pk == default.pk,
        "view_query": now,
        "view_gone": bool(chosen) and current is None,
    }


@require_http_methods(["GET", "HEAD", "POST"])
def view_new(request: HttpRequest, page: str) -> HttpResponse:
    """Keep what a list shows: the name and with whom. `query` is the list's address."""
    if page not in LISTS:
        raise Http404("no such list")
    user = shell_of(request).user
    given = request.POST if request.method == "POST" else request.GET
    if request.method != "POST":
        return _form(request, page, None, given)
    try:
        view = saved_views.save(user, page, _given(given), shell_of(request).now)
    except Invalid as invalid:
        return _form(request, page, None, given, invalid.errors)
    if given.get("default"):
        saved_views.set_default(user, page, view)
    tell(request, f"Saved as “{view.name}”.")
    return redirect(href(view))


@require_http_methods(["GET", "HEAD", "POST"])
def view_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Another name or audience for a view; with a `query` in the form, other filters."""
    view = _changeable(request, pk)
    if request.method != "POST":
        kept = {"name": view.name, "audience": saved_views.code_of(view), "query": view.query}
        return _form(request, view.page, view, kept)
    try:
        saved_views.save(
            shell_of(request).user, view.page, _given(request.POST, view), shell_of(request).now, view
        )
    except Invalid as invalid:
        return _form(request, view.page, view, request.POST, invalid.errors)
    tell(request, f"“{view.name}” is saved.")
    return redirect(href(view))


@require_POST
def view_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete it, for everybody with whom it was shared too."""
    view = _changeable(request, pk)
    view.delete()
    tell(request, f"“{view.name}” is deleted.")
    return redirect(f"{reverse(LISTS[view.page])}?view={saved_views.ALL}")


@require_POST
def view_default(request: HttpRequest, pk: int) -> HttpResponse:
    """Open the list with this view from now on, or (`off`) with the list itself."""
    view = _find(request, pk)
    is_on = not request.POST.get("off")
    saved_views.set_default(shell_of(request).user, view.page, view if is_on else None)
    what = f"“{view.name}”" if is_on else "everything"
    tell(request, f"{view.get_page_display()} opens with {what} from now on.")
    return redirect(href(view))


def _given(data: Any, view: SavedView | None = None) -> dict[str, str]:
    given = {"name": data.get("name", ""), "audience": data.get("audience", "")}
    if not given["audience"]:
        given["audience"] = saved_views.code_of(view) if view else str(SavedView.Audience.OWNER)
    if not given["name"] and view is not None and "name" not in data:
        given["name"] = view.name
    if "query" in data:
        given["query"] = data["query"]
    return given


def _form(
    request: HttpRequest, page: str, view: SavedView | None, given: Any, errors: dict[str, str] | None = None
) -> HttpResponse:
    shell = shell_of(request)
    query = saved_views.plain(given.get("query", ""))
    context = {
        "view": view,
        "page": page,
        "label": SavedView.Page(page).label,
        "name": given.get("name", ""),
        "audience": given.get("audience", ""),
        "audiences": saved_views.audiences(shell.user),
        "query": query,
        "back": f"{reverse(LISTS[page])}?{query}",
        "errors": errors or {},
        "longest": saved_views.LONGEST_NAME,
        "deletes_for": view is not None and view.audience != SavedView.Audience.OWNER,
    }
    return render(request, "leads/lists/view.html", context, status=422 if errors else 200)


def _find(request: HttpRequest, pk: int) -> SavedView:
    user = shell_of(request).user
    for page in LISTS:
        view = saved_views.seen_by(user, page).filter(pk=pk).first()
        if view is not None:
            return view
    raise Http404("no such view")


def _changeable(request: HttpRequest, pk: int) -> SavedView:
    view = _find(request, pk)
    if not saved_views.may_change(shell_of(request).user, view):
        raise PermissionDenied("somebody else's view")
    return view
