"""Request-wide: the client's address, a request id, what may be kept, the login wall, the time zone.

Never decides what a person may do; that stands at each view.
"""

import re
import time
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone

from handoff_site import kept, lockout, login
from handoff_site.signing_in import again, second
from leads import access_log
from leads.views import proof
from routing import signed_in
from routing.people import User

GetResponse = Callable[[HttpRequest], HttpResponse]
# What somebody may do who has to set up a second step first.
FREE = ("/profile/sign-in/", "/login/", "/logout/")
# Pages on which somebody who is signed in proves anew who they are.
OF_PROOF = "/login/again/"
View = Callable[..., HttpResponseBase]
log = structlog.get_logger(__name__)
_UNSAID = {"healthz", "readyz", "metrics"}
_OF_HANDOFF = "handoffs/<int:pk>/"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestId:
    """Takes the X-Request-ID of a proxy that is trusted when it looks like one, else makes one; logs and
    answers carry it. What anybody else sends is not taken: it would say whatever they like in our logs.

    Each request leaves a line with its route (an address may hold a secret), status and time; what is about
    one handoff says which in all its lines. Probes and static files leave none.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "") if settings.PROXY_COUNT else ""
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        began = time.perf_counter()
        with access_log.coming_from(request.META.get("REMOTE_ADDR", ""), request_id):
            response = self.get_response(request)
        response["X-Request-ID"] = request_id
        match = request.resolver_match
        if match is not None and match.url_name not in _UNSAID:
            milliseconds = round((time.perf_counter() - began) * 1000)
            log.info(
                "answered",
                method=request.method,
                route=match.route,
                status=response.status_code,
                milliseconds=milliseconds,
            )
        return response

    def process_view(
        self, request: HttpRequest, view_func: View, view_args: tuple, view_kwargs: dict
    ) -> HttpResponseBase | None:
        route = request.resolver_match.route if request.resolver_match is not None else ""
        handoff = view_kwargs.get("pk") if route.startswith(_OF_HANDOFF) else view_kwargs.get("handoff_id")
        if handoff is not None:
            structlog.contextvars.bind_contextvars(handoff=handoff)
        return None


class ClientAddress:
    """Settles the client's address for all that comes after: behind proxies that are trusted, what they say;
    always one that can be read."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.META["REMOTE_ADDR"] = lockout.through_proxies(request)
        return self.get_response(request)


class KeptByNobody:
    """What a view says nothing about is kept by no browser and no cache on the way: pages are one person's,
    and whoever is next at the machine gets none by going back. Static files are answered before this."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class LoginRequired(LoginRequiredMiddleware):
    """Django's login wall for every view that is not marked open.

    The API authenticates by key in its own routers. An htmx request is answered 401, so that the page it
    came from stays with all that was typed in it. A plain form that was sent is kept while one signs in.
    Whoever has to prove again who they are is asked to.
    """

    def process_view(
        self,
        request: HttpRequest,
        view_func: View,
        view_args: tuple,
        view_kwargs: dict,
    ) -> HttpResponseBase | None:
        if request.path.startswith("/api/v1/"):
            return None
        refused = super().process_view(request, view_func, view_args, view_kwargs)
        is_free = request.path.startswith(FREE) or getattr(view_func, "login_required", True) is False
        if refused is None and not is_free and request.session.get(second.MUST):
            return redirect("access")
        return refused

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return again.ask(request) if isinstance(exception, proof.Unproved) else None

    def handle_no_permission(  # type: ignore[override]
        self, request: HttpRequest, view_func: View
    ) -> HttpResponseBase:
        if request.htmx:  # type: ignore[attr-defined]
            return HttpResponse("Sign in again.", status=401, content_type="text/plain")
        if request.method == "POST" and request.path.startswith(OF_PROOF):
            # A password or a code is not kept; the form that it was to bring back still is.
            return login.ask_again(request, request.POST.get(kept.FIELD, ""))
        # What needs no token of ours may come from anywhere; that is not shown as somebody's own form.
        is_ours = not getattr(view_func, "csrf_exempt", False)
        sent = kept.of(request) if is_ours else None
        if sent is not None:
            return login.ask_again(request, sent)
        return super().handle_no_permission(request, view_func)


class Seen:
    """Writes down, now and then, that a session is used and in which browser; at once when one begins."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        session: Any = request.session
        # What no view looked into is not looked into for this.
        if not session.accessed or not isinstance(user := request.user, User):
            return response
        agent, now = request.headers.get("User-Agent", ""), timezone.now()
        if session.row is not None and session.row.session_key == session.session_key:
            signed_in.see(session.row, user, agent, now)
        elif session.session_key:
            signed_in.note(session.session_key, user, agent, now)
        return response


class PersonalTimeZone:
    """Shows times in the viewer's own zone, else in the organisation's."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name = getattr(request.user, "time_zone", "") or settings.ORG_TIME_ZONE
        with timezone.override(zoneinfo.ZoneInfo(name)):
            return self.get_response(request)
