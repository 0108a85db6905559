"""Where somebody goes once they are in: to the page that was wanted, if it is one of ours."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme

BACKEND = "handoff_site.sessions.Backend"


def onward(request: HttpRequest, wanted: str) -> str:
    """The page that was wanted, if it is one of ours, else home."""
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours else resolve_url(settings.LOGIN_REDIRECT_URL)
