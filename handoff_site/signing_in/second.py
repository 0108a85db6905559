"""Whether somebody has a second step, and the session that waits for it after a good password.

Owns that half of a sign-in: who, since when, where to, kept in an anonymous session for ten minutes. Imports
nothing of django-allauth, for signing in by password works without it; the step itself is
`handoff_site.signing_in.stepping`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db.models import QuerySet
from django.http import HttpRequest

from routing.people import User

HALF, MUST = "half_signed_in", "must_set_up"
WAITS_SECONDS = 600
# Wrong codes after which the password is asked for again.
MOST_TRIES = 5


def rows(user: User) -> QuerySet[Any]:
    """Somebody's codes and passkeys, as django-allauth keeps them. Only where it is installed."""
    found: QuerySet[Any] = apps.get_model("mfa", "Authenticator").objects.filter(user=user).order_by("pk")
    return found


def has(user: User) -> bool:
    """Whether a password alone does not sign this person in."""
    return settings.HAS_LIBRARY and rows(user).exclude(type="recovery_codes").exists()


def kinds(user: User) -> frozenset[str]:
    """What somebody can prove themselves by: "totp", "webauthn", "recovery_codes"."""
    return frozenset(rows(user).values_list("type", flat=True)) if settings.HAS_LIBRARY else frozenset()


def is_wanted(user: User) -> bool:
    """Whether somebody with these roles has to have a second step."""
    roles = set(user.roles) | ({"admin"} if user.is_superuser else set())
    return bool(roles & settings.REQUIRE_MFA)


def begin(request: HttpRequest, user: User, onward: str, sent: str, now: datetime) -> None:
    """The password was right; what is left is the second step."""
    request.session.cycle_key()
    request.session[HALF] = {
        "user": user.pk, "at": now.timestamp(), "onward": onward, "kept": sent, "tries": 0,
    }  # fmt: skip


def waiting(session: SessionBase, now: datetime) -> tuple[User, dict[str, Any]] | None:
    """Who is half signed in, and with what; None for nobody, and after ten minutes."""
    half: dict[str, Any] | None = session.get(HALF)
    if half is None or now.timestamp() - half["at"] > WAITS_SECONDS:
        return None
    user = User.objects.filter(pk=half["user"], is_active=True).first()
    return (user, half) if user is not None else None


def failed(session: SessionBase, half: dict[str, Any]) -> bool:
    """Count a wrong code; whether the password has to be asked for again."""
    half["tries"] += 1
    if half["tries"] >= MOST_TRIES:
        session.pop(HALF, None)
        return True
    session[HALF] = half
    return False
