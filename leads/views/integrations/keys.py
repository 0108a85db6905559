"""API keys for admins: made, shown once, revoked, and when each was last used.

Owns the page and its acts. What a key is and how it is found is `leads.keys`. The plain text of a new key is
in the answer that makes it, and nowhere else.
"""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from leads import keys, paging
from leads.models import ApiKey
from leads.presenters import connections as words
from leads.typed import plain
from leads.views import proof
from leads.views.integrations import frame
from leads.views.shell import shell_of, tell

SIZE = 50
SCOPE_WORDS = {
    "intake": "Send events and leads in",
    "read": "Read handoffs and figures",
    "act": "Act for a person who is named in each call",
}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def api_keys(request: HttpRequest) -> HttpResponse:
    """All keys, those in force first, and the form for a new one."""
    frame.keeper(request)
    proof.for_secrets(request)
    if request.method != "POST":
        return _list(request)
    name, scopes = plain(request.POST.get("name"), 200), request.POST.getlist("scope")
    shell = shell_of(request)
    if ApiKey.objects.filter(name=" ".join(name.split()), revoked_at__isnull=True).exists():
        # Also what stops a form that is sent twice.
        return _list(request, "A key of this name is in force already.")
    try:
        key, shown = keys.make_key(
            name, scopes, shell.now, created_by=shell.user, is_quiet="quiet" in request.POST
        )
    except ValueError as problem:
        return _list(request, str(problem))
    values = {"key": key, "plain": shown, "scopes": [SCOPE_WORDS[scope] for scope in key.scopes]}
    return frame.page(request, "key_once", values)


def _list(request: HttpRequest, problem: str = "") -> HttpResponse:
    now = shell_of(request).now
    rows = ApiKey.objects.select_related("created_by")
    in_force = list(rows.filter(revoked_at__isnull=True).order_by("name", "pk"))
    page = paging.page(
        rows.filter(revoked_at__isnull=False), ("-revoked_at", "-id"), request.GET.get("after", ""), SIZE
    )
    values: dict[str, Any] = {
        "keys": [_line(key, now) for key in in_force],
        "revoked": [_line(key, now) for key in page.rows],
        "more": f"?after={page.next}" if page.next else "",
        "first": "?" if page.after else "",
        "scopes": [(scope, SCOPE_WORDS[scope]) for scope in keys.SCOPES],
        "problem": problem,
        "given": {
            "name": request.POST.get("name", "")[:100],
            "scopes": request.POST.getlist("scope"),
            "quiet": "quiet" in request.POST,
        },
    }
    return frame.page(request, "keys", values, 422 if problem else 200)


def _line(key: ApiKey, now: Any) -> dict[str, Any]:
    return {
        "id": key.pk,
        "name": key.name,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "is_quiet": key.is_quiet,
        "made": words.moment(key.created_at, now),
        "by": str(key.created_by) if key.created_by else "the shell",
        "used": words.moment(key.last_used_at, now),
        "revoked": words.moment(key.revoked_at, now),
    }


@require_POST
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """The key opens nothing from now on."""
    frame.keeper(request)
    key = ApiKey.objects.filter(pk=pk).first()
    if key is None:
        raise Http404("there is no such key")
    keys.revoke(key, shell_of(request).now, shell_of(request).user)
    tell(request, f"“{key.name}” opens nothing from now on.")
    return redirect("leads:api_keys")
