"""Proving again who one is, on the way to keys, secrets, roles or a file, and then going on there.

Owns the page. A form that was sent too late is carried through it, signed and in the page, and sent by a
press. When a proof is needed is `leads.views.proof`.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.auth import authenticate
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from handoff_site import kept, lockout
from handoff_site.signing_in import access, second
from handoff_site.signing_in import onward as going
from leads.views import proof
from leads.views.shell import person


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def again(request: HttpRequest) -> HttpResponse:
    """The page, and the password typed on it."""
    if request.method != "POST":
        return page(request, onward=request.GET.get("next", ""))
    user = person(request)
    onward, sent = request.POST.get("next", ""), request.POST.get(kept.FIELD, "")
    lockout.prepare(request, user.email)
    typed = request.POST.get("password", "")[:1000]
    found = (
        authenticate(request, username=user.email, password=typed) if access.takes_password(user) else None
    )
    if found is None or found.pk != user.pk:
        return page(request, onward=onward, sent=sent, problem="That is not your password.", status=422)
    return done(request, onward, sent)


def done(request: HttpRequest, onward: str, sent: str) -> HttpResponse:
    """Goes on to what was wanted, now that it is proved who asks."""
    request.session[proof.PROVED] = timezone.now().timestamp()
    return going.go_on(request, onward, sent)


def ask(request: HttpRequest) -> HttpResponse:
    """The answer to whoever has not proved it lately: the page, with what was sent."""
    if request.htmx:  # type: ignore[attr-defined]
        there = urlsplit(request.headers.get("HX-Current-URL", ""))
        answer = HttpResponse(status=204)
        answer["HX-Redirect"] = _address(there.path + (f"?{there.query}" if there.query else ""))
        return answer
    sent = kept.of(request)
    if sent is not None:
        return page(request, sent=sent, status=403)
    if request.method == "POST":
        # A bare press, or what is never carried: back to the page of it.
        return redirect(_address(urlsplit(request.headers.get("Referer", "")).path or reverse("home")))
    return redirect(_address(request.get_full_path()))


def _address(onward: str) -> str:
    return f"{reverse('again')}?{urlencode({'next': onward})}"


def page(
    request: HttpRequest, *, onward: str = "", sent: str = "", problem: str = "", status: int = 200
) -> HttpResponse:
    """The page that asks, by whatever this person has."""
    user = person(request)
    values: dict[str, Any] = {
        "email": user.email,
        "onward": onward,
        "kept": sent,
        "problem": problem,
        "takes_password": access.takes_password(user),
        "oidc": settings.OIDC,
        "kinds": second.kinds(user),
    }
    return render(request, "registration/again.html", values, status=status)
