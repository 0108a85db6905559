"""Signing out at the provider as well: where it ends its own session, kept in ours until then.

OpenID Connect RP-Initiated Logout 1.0. Never ends a session here; that is the view's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.urls import reverse

KEY = "sso_end"
# A token with very many groups in it is not worth its place in every session; the provider then asks whose.
LONGEST_HINT = 4_000


def remember(session: SessionBase, given: Mapping[str, Any]) -> None:
    """Keep where the provider ends a session and, as a hint whose, the ID token it gave."""
    hint = str(given.get("hint") or "")
    session[KEY] = {"end": str(given.get("end") or ""), "hint": hint if len(hint) <= LONGEST_HINT else ""}


def there(session: SessionBase) -> str:
    """The address at which the provider ends its session, "" where there is none to end."""
    kept: Mapping[str, str] = session.get(KEY) or {}
    end = kept.get("end", "")
    if settings.OIDC is None or not end:
        return ""
    asked = {
        "client_id": settings.OIDC.client_id,
        "post_logout_redirect_uri": f"{settings.PUBLIC_URL}{reverse('login')}",
    }
    if kept.get("hint"):
        asked["id_token_hint"] = kept["hint"]
    return f"{end}{'&' if '?' in end else '?'}{urlencode(asked)}"
