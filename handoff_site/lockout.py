"""Against guessing passwords, in a way that shuts nobody else out.

Failures are counted by account and address, never by account alone, so that nobody locks a colleague out from
elsewhere; a browser in which that person has signed in before is counted by itself, so that nobody does it
from the same office either. Many accounts tried from one address shut that address. Owns whose address a
request comes from behind proxies. The counting is django-axes'.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.core import signing
from django.core.cache import cache
from django.db.models import Sum
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.crypto import salted_hmac

from leads import access_log
from leads.models import AccessEntry
from routing.people import User

COOKIE, SALT = "known", "handoff.known"
KEPT = timedelta(days=180)
# A browser that several people share.
MOST_PEOPLE = 6
NOWHERE = "0.0.0.0"  # noqa: S104 - somebody without an address, not an interface
# Sign-ins begun in a minute: by a browser in which somebody has signed in before, and by all others from one
# address, which may be that of an office of hundreds.
MOST_BY_BROWSER, MOST_BY_ADDRESS, MINUTE = 60, 600, 60
# A session that waits for a passkey or for the provider's answer, in seconds.
BEGUN_FOR = 3600
BY_ADDRESS, BY_BROWSER = [["username", "ip_address"]], [["username", "user_agent"]]


def through_proxies(request: HttpRequest) -> str:
    """Whose address a request comes from: as the outermost of our proxies saw it, so that what a client puts
    into the header itself counts for nothing. "0.0.0.0" where nobody said one. Asked once for each request,
    by the middleware; all others read REMOTE_ADDR."""
    found = str(request.META.get("REMOTE_ADDR", ""))
    header = request.META.get("HTTP_X_FORWARDED_FOR", "")
    told = [part.strip() for part in header.split(",") if part.strip()]
    if settings.PROXY_COUNT and len(told) >= settings.PROXY_COUNT:
        found = told[-settings.PROXY_COUNT]
    if found.count(":") == 1:
        # Some proxies say the port as well.
        found = found.partition(":")[0]
    try:
        return str(ipaddress.ip_address(found))
    except ValueError:
        return NOWHERE


def client_address(request: HttpRequest) -> str:
    """By what failures are counted: the address; of IPv6 its network of 64 bits, which is one customer's."""
    # A request that came through no middleware, as a command's own, has none.
    address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", NOWHERE))
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network(f"{address}/64", strict=False).network_address)
    return str(address)


def account(request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> str:
    """The account that is tried, as it is stored: however it is written, it is one."""
    name = (credentials or request.POST).get("username") or ""
    return str(name).strip().lower().replace("\0", "")[:254]


def parameters(request: Any, credentials: Mapping[str, Any] | None = None) -> list[list[str]]:
    """By what failures are counted for this request."""
    return BY_BROWSER if getattr(request, "is_known_browser", False) else BY_ADDRESS


def prepare(request: HttpRequest, email: str = "") -> None:
    """Before a password is looked at, of the account that is typed or named: a browser that has signed it in
    before counts for itself."""
    AxesProxyHandler.update_request(request)
    known = _read(request)
    if _mark(email or account(request)) in known["people"]:
        request.is_known_browser = True  # type: ignore[attr-defined]
        request.axes_user_agent = f"browser {known['id']}"  # type: ignore[attr-defined]


def is_flooded(request: HttpRequest, now: datetime) -> bool:
    """Whether this address has tried too much, whichever the accounts; known browsers are not held to it."""
    if getattr(request, "is_known_browser", False):
        return False
    recent = AccessAttempt.objects.filter(
        ip_address=client_address(request),
        attempt_time__gte=now - timedelta(hours=settings.AXES_COOLOFF_TIME),
    )
    failures = recent.aggregate(n=Sum("failures_since_start"))["n"] or 0
    return bool(failures >= settings.LOGIN_ADDRESS_LIMIT)


def begin(request: HttpRequest, now: datetime) -> int:
    """Begin a session that waits for a proof made elsewhere: 0, or the seconds after which it may be begun.

    What is bounded is rows of sessions that nobody goes on with; each process counts for itself. A browser
    that has a session goes on in it. One that is known counts by itself, so that nobody at its address keeps
    it from signing in, however much they begin.
    """
    if request.session.keys():
        return 0
    known = _read(request)
    is_known = bool(known["people"])
    who, most = (known["id"], MOST_BY_BROWSER) if is_known else (client_address(request), MOST_BY_ADDRESS)
    number, second = divmod(int(now.timestamp()), MINUTE)
    key = f"begun:{who}:{number}"
    cache.add(key, 0, timeout=MINUTE)
    try:
        begun = cache.incr(key)
    except ValueError:
        # Dropped between the two.
        begun = 1
    if begun > most:
        return MINUTE - second
    request.session.set_expiry(BEGUN_FOR)
    return 0


def wait(seconds: int) -> str:
    """What to say to whoever begins too often."""
    return f"Too many sign-ins were begun from here at once. Try again in {seconds} s."


def is_shut(request: HttpRequest, email: str) -> bool:
    """Whether too much was tried for this account from here, where no password is asked for."""
    return not AxesProxyHandler.is_allowed(request, {"username": email})


def failed(request: HttpRequest, user: User, what: str, now: datetime) -> None:
    """Count what was wrong there as a wrong password is counted, and write it down: `what` was tried."""
    AxesProxyHandler.user_login_failed(sender=failed, credentials={"username": user.email}, request=request)
    kind, about = AccessEntry.Kind.SIGN_IN_FAILED, ("person", user.pk)
    access_log.record(kind, now, about=about, proof=what)


def remember(request: HttpRequest, response: HttpResponseBase, email: str) -> None:
    """This browser has signed this account in."""
    known, mark = _read(request), _mark(email)
    people = [mark, *(other for other in known["people"] if other != mark)][:MOST_PEOPLE]
    response.set_cookie(
        COOKIE,
        signing.dumps({"id": known["id"], "people": people}, salt=SALT),
        max_age=KEPT,
        path="/login/",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _mark(email: str) -> str:
    """An account as the cookie names it: whoever reads it on a shared machine sees no address."""
    return salted_hmac(SALT, email.strip().lower()).hexdigest()[:20]


def _read(request: HttpRequest) -> dict[str, Any]:
    try:
        found: dict[str, Any] = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=KEPT)
    except signing.BadSignature:
        return {"id": secrets.token_urlsafe(12), "people": []}
    return found
