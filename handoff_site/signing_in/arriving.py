"""Coming back from a provider: let in, asked for the same person again, or turned away in plain words.

Owns the session that follows an answer and the page for those who are not let in. Who somebody is and
which roles they have is `handoff_site.signing_in.joining`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from handoff_site import lockout, witness
from handoff_site.signing_in import claims, ending, joining
from handoff_site.signing_in.configured import Oidc
from handoff_site.signing_in.onward import go_on, let_in
from leads import access_log
from leads.models import AccessEntry

# How long ago somebody may have typed a password there to count as having proved it again.
FRESH_SECONDS = 300
FAILED = "That did not work. Please sign in again; if it goes on, tell your administrator."
log = structlog.get_logger(__name__)


def arrive(
    request: HttpRequest, oidc: Oidc, given: Mapping[str, Any], state: Mapping[str, Any]
) -> HttpResponse:
    """The answer to somebody whom the provider has sent back with a code that held."""
    token, userinfo = given.get("id_token") or {}, given.get("userinfo") or {}
    again = state.get("again")
    said: claims.Said | None = None
    try:
        said = claims.read(token, userinfo, str(state.get("nonce") or ""), oidc)
        if again and not _is_fresh(token):
            raise claims.Refused("not asked again", "The provider did not ask who you are. Please try again.")
        user = joining.join(said, oidc.issuer, timezone.now())
        if again and again != user.pk:
            raise claims.Refused("somebody else", "You signed in there as somebody else than here.")
    except claims.Refused as refused:
        # A provider vouched for somebody, so nobody fills the log with these.
        about = witness.about(witness.named(said.email) if said else None)
        kind = AccessEntry.Kind.SIGN_IN_FAILED
        access_log.record(kind, timezone.now(), about=about, reason=refused.code)
        return turned_away(request, refused)
    let_in(request, user, "single sign-on", _proved_at(token))
    ending.remember(request.session, given)
    answer = go_on(request, str(state.get("next") or ""), str(state.get("kept") or ""))
    lockout.remember(request, answer, user.email)
    return answer


def _proved_at(token: Mapping[str, Any]) -> float:
    """When somebody proved it there, for its running session proves nothing anew; now, if it is not said."""
    at, now = token.get("auth_time"), time.time()
    return min(float(at), now) if isinstance(at, int | float) else now


def _is_fresh(token: Mapping[str, Any]) -> bool:
    """Whether somebody proved there just now who they are; a provider need not say when it was asked to."""
    return time.time() - _proved_at(token) < FRESH_SECONDS


def failed(request: HttpRequest, error: str, exception: Exception | None) -> HttpResponse:
    """The answer where the talk broke off: cancelled, an old page, a provider that is away."""
    if error == "cancelled":
        return turned_away(request, claims.Refused("cancelled", "You did not sign in there."), 400)
    log.warning("single sign-on failed", kind=type(exception).__name__ if exception else "state")
    return turned_away(request, claims.Refused("failed", FAILED), 400)


def begun_too_often(request: HttpRequest, seconds: int) -> HttpResponse:
    """The answer to whoever was sent to the provider too often to be sent there once more."""
    answer = turned_away(request, claims.Refused("begun too often", lockout.wait(seconds)), 429)
    answer["Retry-After"] = str(seconds)
    return answer


def turned_away(request: HttpRequest, why: claims.Refused, status: int = 403) -> HttpResponse:
    """The page for whoever is not let in. Who is signed in already stays so."""
    log.info("not let in", reason=why.code)
    return render(request, "registration/turned_away.html", {"words": str(why)}, status=status)
