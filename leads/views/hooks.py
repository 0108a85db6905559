"""The addresses at which other systems call us: verify, store, answer. Nothing is made of a call here.

Owns which connection a secret address belongs to and the bounds of a body. No session, no form token: who
calls is known by the address and the signature. What is stored is answered with 2xx, whatever it is, for
some senders drop what they think was refused.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

import structlog
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from leads import connectors
from leads.connectors.base import Arrived, NotOffered
from leads.connectors.signatures import Refused
from leads.models import Connection
from leads.sealing import CannotOpen

log = structlog.get_logger(__name__)
MOST_BYTES = 1024 * 1024
# What is shorter was not made here, and stands in anything.
SHORTEST_SECRET = 16


@login_not_required
@csrf_exempt
@require_POST
def hook(request: HttpRequest, secret: str) -> JsonResponse:
    """200 once it is stored or was stored before; 401 without a fitting signature; 404 for an address that is
    nobody's; 413 for a body that is too long; 503 when we can't verify it now."""
    connection = Connection.objects.filter(hook_digest=connectors.digest(secret), is_active=True).first()
    if connection is None:
        return JsonResponse({"status": "unknown"}, status=404)
    if is_longer(request, MOST_BYTES):
        return JsonResponse({"status": "too_large"}, status=413)
    try:
        is_new = keep(request, connection, request.body, secret, timezone.now())
    except Refused as problem:
        return JsonResponse({"status": "refused", "reason": str(problem)}, status=401)
    except Unavailable:
        return JsonResponse({"status": "unavailable"}, status=503)
    return JsonResponse({"status": "stored" if is_new else "duplicate"})


class Unavailable(Exception):
    """A secret that is none, or that nobody can open: ours to mend, and the sender's to send again."""


def is_longer(request: HttpRequest, most: int) -> bool:
    """Whether the body is longer than `most` bytes, or does not say how long it is in a number."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    return not re.fullmatch("[0-9]{1,9}", length) or int(length) > most


def keep(request: HttpRequest, connection: Connection, body: bytes, secret: str, now: datetime) -> bool:
    """Verify a call and store its body; False when it was stored before. `secret` is by what the sender was
    known: some say it in the body too, where it is not kept. Raises Refused and Unavailable."""
    arrived = Arrived(
        method=request.method or "",
        # The address as others see it; the Host header may say anything.
        url=f"{settings.PUBLIC_URL}{request.get_full_path()}",
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
    )
    try:
        with connectors.opened(connection) as connector:
            identity = connector.identify(arrived, now)
    except Refused as problem:
        log.warning("a call was refused", connection=connection.slug, reason=str(problem))
        raise
    except (NotOffered, CannotOpen, ValueError) as problem:
        log.error("a call could not be verified", connection=connection.slug, reason=type(problem).__name__)
        raise Unavailable from problem
    if len(secret) >= SHORTEST_SECRET:
        arrived = replace(arrived, body=body.replace(secret.encode(), b"*" * len(secret)))
    return connectors.store(connection, arrived, identity, now)
