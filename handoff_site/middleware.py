"""Request-wide behaviour: a request id, what may be kept, the login wall, the viewer's time zone.

Never decides what a person may do; that stands at each view.
"""

import re
import time
import uuid
import zoneinfo
from collections.abc import Callable

import structlog
from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from handoff_site import kept, login

GetResponse = Callable[[HttpRequest], HttpResponse]
View = Callable[..., HttpResponseBase]
log = structlog.get_logger(__name__)
_UNSAID = {"healthz", "readyz", "metrics"}
_OF_HANDOFF = "handoffs/<int:pk>/"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestId:
    """Takes the proxy's X-Request-ID when it looks like one, else makes one; logs and answers carry it.

    Each request leaves a line with its route (an address may hold a secret), status and time; what is about
    one handoff says which in all its lines. Probes and static files leave none.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        began = time.perf_counter()
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
        return super().process_view(request, view_func, view_args, view_kwargs)

    def handle_no_permission(  # type: ignore[override]
        self, request: HttpRequest, view_func: View
    ) -> HttpResponseBase:
        if request.htmx:  # type: ignore[attr-defined]
            return HttpResponse("Sign in again.", status=401, content_type="text/plain")
        # What needs no token of ours may come from anywhere; that is not shown as somebody's own form.
        is_ours = not getattr(view_func, "csrf_exempt", False)
        sent = kept.of(request) if is_ours else None
        if sent is not None:
            return login.ask_again(request, sent)
        return super().handle_no_permission(request, view_func)


class PersonalTimeZone:
    """Shows times in the viewer's own zone, else in the organisation's."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name = getattr(request.user, "time_zone", "") or settings.ORG_TIME_ZONE
        with timezone.override(zoneinfo.ZoneInfo(name)):
            return self.get_response(request)
