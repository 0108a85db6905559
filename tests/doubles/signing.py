"""Signatures of webhooks, as the senders compute them; pure functions over the exact bytes.

Standard Webhooks 1.0.0 [V], with its published vector. HubSpot v1, v2 and v3 [V], with the vectors of its
Python client. Mautic: base64 of HMAC-SHA256 over the raw body [V]. The receiving side of Standard Webhooks is
`problem`. Nothing here is shared with the product: a fault in one must not hide in the other.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping

# What HubSpot decodes in the URI before signing it, and nothing else.
DECODED = {
    "%3A": ":", "%2F": "/", "%3F": "?", "%40": "@", "%21": "!", "%24": "$",
    "%27": "'", "%28": "(", "%29": ")", "%2A": "*", "%2C": ",", "%3B": ";",
}  # fmt: skip
TOLERANCE = 300


def _b64(key: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def mautic(secret: str, body: bytes) -> str:
    """The value of `Webhook-Signature`."""
    return _b64(secret.encode(), body)


def hubspot_v1(secret: str, body: bytes) -> str:
    """Hex SHA-256 of secret and body."""
    return hashlib.sha256(secret.encode() + body).hexdigest()


def hubspot_v2(secret: str, method: str, uri: str, body: bytes) -> str:
    """Hex SHA-256 of secret, method, URI and body."""
    return hashlib.sha256(secret.encode() + method.encode() + uri.encode() + body).hexdigest()


def hubspot_v3(secret: str, method: str, uri: str, body: bytes, timestamp: int) -> str:
    """The value of `X-HubSpot-Signature-v3`; `timestamp` in milliseconds."""
    decoded = re.sub("%[0-9A-Fa-f]{2}", lambda found: DECODED.get(found[0].upper(), found[0]), uri)
    return _b64(secret.encode(), method.encode() + decoded.encode() + body + str(timestamp).encode())


def standard(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """One entry of `webhook-signature`; `timestamp` in seconds."""
    return "v1," + _b64(key_of(secret), f"{message_id}.{timestamp}.".encode() + body)


def key_of(secret: str) -> bytes:
    """The bytes of a `whsec_` secret, with or without prefix and padding. Raises ValueError when empty."""
    encoded = secret.removeprefix("whsec_")
    if not encoded:
        raise ValueError("the secret is empty")
    return base64.b64decode(encoded + "=" * (-len(encoded) % 4))


def problem(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> str:
    """Why a Standard Webhooks message is not to be trusted, or ""; header names lower-case."""
    missing = [n for n in ("webhook-id", "webhook-timestamp", "webhook-signature") if not headers.get(n)]
    if missing:
        return f"{missing[0]} is missing"
    stamp = headers["webhook-timestamp"]
    if not stamp.isdigit():
        return "webhook-timestamp is no number of seconds"
    if "." in headers["webhook-id"]:
        return "webhook-id contains a dot"
    if abs(now - int(stamp)) > TOLERANCE:
        return "webhook-timestamp is too far from now"
    expected = standard(secret, headers["webhook-id"], int(stamp), body)
    given = headers["webhook-signature"].split(" ")
    # Every entry is compared: rotation sends the old and the new one.
    matches = [hmac.compare_digest(expected.encode(), entry.encode()) for entry in given]
    return "" if any(matches) else "no signature matches"
