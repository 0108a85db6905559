"""The second step of a sign-in, and signing in by a passkey alone.

Owns these pages. Wrong codes count as wrong passwords do, and after five of them the password is asked for
again. What counts as right is `handoff_site.signing_in.proving`.
"""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from handoff_site import kept, lockout
from handoff_site.login import is_only_sso
from handoff_site.signing_in import again as proving_again
from handoff_site.signing_in import onward as going
from handoff_site.signing_in import proving, second
from leads.views.shell import person
from routing.people import User

WRONG = "That is not right. Wait for the next code of the app, or use one of your codes on paper."


@never_cache
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def step(request: HttpRequest) -> HttpResponse:
    """The page that asks for a code or a passkey after the password, and the answer to it."""
    now = timezone.now()
    found = second.waiting(request.session, now)
    if found is None or is_only_sso():
        return redirect("login")
    user, half = found
    if request.method != "POST":
        return _page(request, user)
    lockout.prepare(request, user.email)
    if lockout.is_shut(request, user.email):
        return render(request, "registration/locked.html", status=429)
    if not _is_right(request, user, now):
        is_over = second.failed(request.session, half)
        return redirect("login") if is_over else _page(request, user, WRONG, 422)
    request.session.pop(second.HALF, None)
    return _let_in(request, user, half["onward"], half["kept"], "password and second step")


def _page(request: HttpRequest, user: User, problem: str = "", status: int = 200) -> HttpResponse:
    kinds = set(second.rows(user).values_list("type", flat=True))
    values = {
        "problem": problem,
        "has_code": bool(kinds - {"webauthn"}),
        "challenge": proving.challenge(user) if "webauthn" in kinds else None,
    }
    return render(request, "registration/second.html", values, status=status)


@never_cache
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def by_passkey(request: HttpRequest) -> HttpResponse:
    """What to ask a passkey, as JSON; and its answer, which signs in without a password."""
    if is_only_sso():
        raise Http404("passwords and passkeys are not taken here")
    if request.method != "POST":
        if seconds := lockout.begin(request, timezone.now()):
            told = {"detail": lockout.wait(seconds)}
            return JsonResponse(told, status=429, headers={"Retry-After": str(seconds)})
        return JsonResponse(proving.challenge(None))
    user = proving.takes_passkey(None, request.POST.get("credential", ""), timezone.now())
    if user is None:
        words = "That passkey is not known here. Sign in by your password."
        return render(request, "registration/turned_away.html", {"words": words}, status=403)
    onward, sent = request.POST.get("next", ""), request.POST.get(kept.FIELD, "")
    return _let_in(request, user, onward, sent, "passkey")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def again(request: HttpRequest) -> HttpResponse:
    """Proving again who one is by a code or a passkey; without an answer, what to ask a passkey, as JSON."""
    user, now = person(request), timezone.now()
    if is_only_sso():
        raise Http404("the provider asks here")
    if request.method != "POST":
        return JsonResponse(proving.challenge(user))
    onward, sent = request.POST.get("next", ""), request.POST.get(kept.FIELD, "")
    lockout.prepare(request, user.email)
    if lockout.is_shut(request, user.email):
        return render(request, "registration/locked.html", status=429)
    if not _is_right(request, user, now):
        return proving_again.page(request, onward=onward, sent=sent, problem=WRONG, status=422)
    return proving_again.done(request, onward, sent)


def _is_right(request: HttpRequest, user: User, now: datetime) -> bool:
    answer = request.POST.get("credential", "")
    if answer:
        is_right = proving.takes_passkey(user, answer, now) is not None
    else:
        is_right = proving.takes_code(user, request.POST.get("code", "")[:40], now)
    if not is_right:
        lockout.failed(request, user, "second step", now)
    return is_right


def _let_in(request: HttpRequest, user: User, onward: str, sent: str, by: str) -> HttpResponse:
    going.let_in(request, user, by, timezone.now().timestamp())
    answer = going.go_on(request, onward, sent)
    lockout.remember(request, answer, user.email)
    return answer
