"""Letting somebody in who has proved who they are, and where they go then: to a form that they had sent
before, or to the page that was wanted, if it is one of ours.

Owns what every way in ends with; how somebody proves it stands with each way.
"""

from __future__ import annotations

import posixpath
from urllib.parse import unquote, urljoin, urlsplit

from django.conf import settings
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme

from handoff_site import kept
from leads.views import proof
from routing.people import User

BACKEND = "handoff_site.sessions.Backend"
# Where one goes in and out. Nobody who is in is sent there: it would send them on, round in a circle.
DOORS = ("/login/", "/logout/", "/admin/login/", "/admin/logout/")


def let_in(request: HttpRequest, user: User, by: str, proved_at: float) -> None:
    """The session is this person's. `by` is their proof as the access log says it, `proved_at` the moment of
    it, in seconds of the epoch."""
    # One that waited for a proof was to wait for an hour.
    request.session.set_expiry(None)
    login(request, user, backend=BACKEND)
    request.signed_in_by = by  # type: ignore[attr-defined]
    request.session[proof.PROVED] = proved_at


def go_on(request: HttpRequest, wanted: str, sent: str) -> HttpResponse:
    """The form that was carried along (`sent`), to look at and send; without one, on to the page."""
    form = kept.read(sent)
    if form is not None:
        return render(request, "registration/resend.html", {"form": form})
    return redirect(onward(request, wanted))


def onward(request: HttpRequest, wanted: str) -> str:
    """The page that was wanted, if it is one of ours and no way in or out, else home."""
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours and not is_door(wanted) else resolve_url(settings.LOGIN_REDIRECT_URL)


def is_door(wanted: str) -> bool:
    """Whether a browser that is sent there from the sign-in page comes to a way in or out, however it is
    written: from where it stands, by way of dots, in percent signs, without its last slash."""
    path = unquote(urlsplit(urljoin("/login/", wanted.replace("\\", "/"))).path)
    # To a browser dots in percent signs are dots too.
    path = posixpath.normpath(path)
    return f"{path}/".startswith(DOORS)
