"""Where the SDKs of Segment and its like send what people do: one address a type, known by a write key.

Owns the key (the secret part of a Segment connection's address, as the user of Basic authorisation), the
bounds of a call and the answers that SDKs understand. What is kept is made of later. No header lets a browser
of another site call: a write key that stands in a page is everybody's.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from leads import connectors
from leads.connectors.segment import BATCH, LONGEST_EVENT, TYPES
from leads.connectors.signatures import Refused
from leads.models import Connection
from leads.views import hooks

LONGEST_BATCH = 500 * 1024
LONGEST_KEY = 200


@login_not_required
@csrf_exempt
@require_POST
def collect(request: HttpRequest, kind: str) -> JsonResponse:
    """200 {"success": true} once it is stored or was stored before; 400 for what is not JSON; 401 without a
    write key of ours, or a signature where one is asked for; 404 for another type; 413 for what is longer
    than 32 kB (a batch: 500 kB); 415 for what is neither plain nor gzip; 503 when we can't verify it now."""
    if kind not in (*TYPES, BATCH):
        return _no(404, f"Send {', '.join(TYPES)} or {BATCH}.")
    key = _key(request)
    connection = _whose(key)
    if connection is None:
        refused = _no(401, "Send the write key as the user of Basic authorisation.")
        refused["WWW-Authenticate"] = 'Basic realm="collect"'
        return refused
    most = LONGEST_BATCH if kind == BATCH else LONGEST_EVENT
    if hooks.is_longer(request, most):
        return _no(413, f"At most {most // 1024} kB are taken.")
    encoding = request.headers.get("Content-Encoding", "").lower()
    if encoding not in ("", "identity", "gzip"):
        return _no(415, "Send it as it is, or as gzip.")
    try:
        body = _unpacked(request.body, most) if encoding == "gzip" else request.body
        content = json.loads(body)
    except _TooLong:
        return _no(413, f"At most {most // 1024} kB are taken.")
    except (ValueError, RecursionError, zlib.error):
        return _no(400, "The body is not JSON.")
    if not isinstance(content, dict | list):
        return _no(400, "An event or a batch of events is expected.")
    try:
        hooks.keep(request, connection, body, key, timezone.now())
    except Refused as problem:
        return _no(401, str(problem))
    except hooks.Unavailable:
        return _no(503, "It can't be verified now. Send it again.")
    return JsonResponse({"success": True})


def _key(request: HttpRequest) -> str:
    """The write key that was sent; "" for none."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic" or len(given) > 2 * LONGEST_KEY:
        return ""
    try:
        return base64.b64decode(given.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, ValueError):
        return ""


def _whose(key: str) -> Connection | None:
    """The connection of this write key. Found by the key's digest: no key is compared with another, so how
    long that takes tells nothing."""
    found = Connection.objects.filter(kind=Connection.Kind.SEGMENT, is_active=True)
    return found.filter(hook_digest=connectors.digest(key)).first() if key else None


class _TooLong(ValueError):
    """It is longer than is taken, unpacked."""


def _unpacked(packed: bytes, most: int) -> bytes:
    """What was packed with gzip, of which no more than `most` bytes are ever made. Raises _TooLong, and
    zlib.error or ValueError for what is none."""
    opened = zlib.decompressobj(16 + zlib.MAX_WBITS)
    body = opened.decompress(packed, most + 1)
    if len(body) > most:
        raise _TooLong
    if not opened.eof:
        raise ValueError("it breaks off")
    return body


def _no(status: int, message: str) -> JsonResponse:
    return JsonResponse({"success": False, "message": message}, status=status)
