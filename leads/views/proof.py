"""Whether whoever is signed in has lately proved who they are: asked before keys, secrets, roles and exports.

Owns for what and how long a proof holds. A form is asked for before it is shown, and one that was shown may
be sent for an hour longer, so that nothing that was typed is lost. Never asks itself: `Unproved` is answered
by the site, with a page that comes back here.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from leads.views.shell import shell_of

# In the session: the moment of the last proof, in seconds of the epoch.
PROVED = "proved_at"
# How much longer a form may be sent that was shown in time.
GRACE_SECONDS = 60 * 60


class Unproved(Exception):
    """Somebody must prove again who they are before this is done."""


def for_secrets(request: HttpRequest) -> None:
    """Before keys, secrets, second factors and roles. Raises Unproved."""
    grace = GRACE_SECONDS if request.method == "POST" else 0
    _need(request, settings.REAUTH_MINUTES * 60 + grace)


def for_export(request: HttpRequest) -> None:
    """Before a file of personal data: once a working day. Raises Unproved."""
    _need(request, settings.REAUTH_EXPORT_HOURS * 3600)


def _need(request: HttpRequest, seconds: int) -> None:
    age = age_of(request.session, shell_of(request).now.timestamp())
    if age is None or age > seconds:
        raise Unproved


def age_of(session: SessionBase, now: float) -> float | None:
    """Seconds since the last proof, None for a session that says none."""
    at = session.get(PROVED)
    return now - at if isinstance(at, int | float) else None
