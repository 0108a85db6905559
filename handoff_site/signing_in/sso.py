"""The two ends of single sign-on that a browser meets: the press that leads away, and the way back.

Owns the addresses. Both are not there where no provider is set up.
"""

from __future__ import annotations

from typing import Any

import structlog
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from requests import RequestException

from handoff_site import kept, lockout
from handoff_site.signing_in import arriving, oidc

log = structlog.get_logger(__name__)


@never_cache
@login_not_required
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """To the provider. By a press alone: a link could sign somebody in as somebody else. With `again`, for
    whoever is signed in, it asks there once more who they are."""
    asked: dict[str, Any] = {}
    if "again" in request.POST and request.user.is_authenticated:
        asked = {"auth_params": {"prompt": "login", "max_age": "0"}, "again": request.user.pk}
    if seconds := lockout.begin(request, timezone.now()):
        return arriving.begun_too_often(request, seconds)
    sent = request.POST.get(kept.FIELD, "")
    try:
        return oidc.provider(request).redirect(
            request,
            AuthProcess.LOGIN,
            request.POST.get("next", "")[:2000] or None,
            kept=sent if kept.read(sent) else "",
            **asked,
        )
    except (OAuth2Error, RequestException, KeyError, ValueError) as error:
        return arriving.failed(request, "", error)


@never_cache
@login_not_required
@require_safe
def callback(request: HttpRequest) -> HttpResponse:
    """Back from the provider."""
    oidc.configured()
    view = OAuth2CallbackView.adapter_view(oidc.Talk(request))
    try:
        answer: HttpResponse = view(request)
    except (KeyError, ValueError, TypeError, AttributeError, ImproperlyConfigured) as error:
        # An answer that is not what the standard says.
        return arriving.failed(request, "", error)
    return answer
