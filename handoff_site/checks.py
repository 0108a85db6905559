"""System checks for a deployment: settings that are right on a desk and wrong in front of customers.

Run by `manage.py check --deploy`, and by `make check`. Never looks at the database.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Warning

LOCAL = {"localhost", "127.0.0.1", "::1", "[::1]"}


def deployment(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """What still points at this machine, or goes nowhere."""
    found: list[CheckMessage] = []
    public = urlsplit(settings.PUBLIC_URL)
    if public.hostname in LOCAL or not public.hostname:
        found.append(
            Warning(
                "PUBLIC_URL points at this machine, and so would every link in an e-mail.",
                hint="Set it to the address people use, such as https://handoff.example.com.",
                id="handoff.W001",
            )
        )
    elif public.scheme != "https":
        found.append(
            Warning("PUBLIC_URL is not https.", hint="Links would go in the clear.", id="handoff.W002")
        )
    if not set(settings.ALLOWED_HOSTS) - LOCAL:
        found.append(
            Warning(
                "ALLOWED_HOSTS names only this machine.",
                hint="Name the host that people use, such as handoff.example.com.",
                id="handoff.W003",
            )
        )
    if settings.SECURE_SSL_REDIRECT and not settings.SECURE_PROXY_SSL_HEADER:
        found.append(
            Warning(
                "TRUST_PROXY is not set, and the site speaks no TLS itself: every page redirects to itself.",
                hint="Set it to 1 behind a proxy that sets X-Forwarded-Proto and X-Forwarded-For anew.",
                id="handoff.W005",
            )
        )
    if settings.EMAIL_BACKEND == "django.core.mail.backends.console.EmailBackend":
        found.append(
            Warning(
                "EMAIL_URL is not set: messages are printed, not sent.",
                hint="Set it, such as smtp+tls://user:password@mail.example.com:587.",
                id="handoff.W004",
            )
        )
    return found
