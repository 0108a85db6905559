"""Signatures of what leaves and of what comes in: Standard Webhooks 1.0, Mautic, HubSpot, Segment. Pure.

Owns signing and verifying, always over the bytes as they were sent, compared in constant time. Knows no
request and no row; whether a message was taken before is `leads.connectors.receiving`.
Sources: standard-webhooks/spec (1.0.0), mautic WebhookBundle/Http/Client.php, HubSpot's request validation.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

TOLERANCE = timedelta(minutes=5)
PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64
# HubSpot signs the address after these, and only these, were decoded.
_HUBSPOT_DECODED = re.compile("%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)


class Refused(Exception):
    """It is not signed as it should be. The message says what is wrong without giving anything away."""


def new_secret() -> str:
    """A secret for one address, in the form that the other side's library takes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def secret_bytes(secret: str) -> bytes:
    """The bytes of a secret, with or without its prefix and padding. Raises ValueError when it is none."""
    text = secret.strip().removeprefix(PREFIX)
    if not text:
        raise ValueError("The secret is empty.")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("A secret is whsec_ and base64.") from None


def problem(secret: str) -> str:
    """What is wrong with a signing secret as it was typed, in words; "" for nothing."""
    try:
        length = len(secret_bytes(secret))
    except ValueError as error:
        return str(error)
    if not SHORTEST <= length <= LONGEST:
        return f"A secret has {SHORTEST} to {LONGEST} bytes; this one has {length}."
    return ""


def sign(secret: str, message_id: str, at: datetime, body: bytes) -> str:
    """The Standard Webhooks signature of one secret: "v1,<base64>"."""
    return "v1," + _over(secret, message_id, str(int(at.timestamp())), body)


def _over(secret: str, message_id: str, stamp: str, body: bytes) -> str:
    signed = f"{message_id}.{stamp}.".encode() + body
    return base64.b64encode(hmac.digest(secret_bytes(secret), signed, "sha256")).decode()


def headers(keys: Sequence[str], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers, signed with each secret: the present one and, while it is changed, the former."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(sign(key, message_id, at, body) for key in keys),
    }


def verify(keys: Sequence[str], given: Mapping[str, str], body: bytes, now: datetime) -> str:
    """The message's id if one of the secrets signed it. `given` has lower-case names. Raises Refused."""
    message_id = given.get("webhook-id", "")
    stamp = given.get("webhook-timestamp", "")
    signature = given.get("webhook-signature", "")
    if not message_id or not stamp or not signature:
        raise Refused("webhook-id, webhook-timestamp and webhook-signature are needed")
    if not re.fullmatch(r"[!-~]{1,200}", message_id) or "." in message_id:
        raise Refused("webhook-id has another form")
    if abs(now - _seconds(stamp)) > TOLERANCE:
        raise Refused("webhook-timestamp is too far from now")
    # Every pair is compared, whatever the first says.
    wanted = [_over(key, message_id, stamp, body).encode() for key in keys]
    matches = False
    for item in signature.split(" ")[:20]:
        version, _, value = item.partition(",")
        for one in wanted:
            matches |= hmac.compare_digest(one, value.encode("utf-8", "replace")) and version == "v1"
    if not matches:
        raise Refused("the signature does not fit")
    return message_id


def _seconds(stamp: str) -> datetime:
    if not re.fullmatch("[0-9]{1,11}", stamp):
        raise Refused("webhook-timestamp is no number of seconds")
    return datetime.fromtimestamp(int(stamp), tz=UTC)


def mautic(secret: str, body: bytes) -> str:
    """Mautic's `Webhook-Signature`: base64 of the HMAC-SHA256 over the raw body."""
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()


def verify_mautic(secret: str, given: str, body: bytes) -> None:
    """Raises Refused. Mautic sends neither time nor id: a replay is known by the body alone."""
    if not hmac.compare_digest(mautic(secret, body).encode(), given.encode("utf-8", "replace")):
        raise Refused("the signature does not fit")


def segment(secret: str, body: bytes) -> str:
    """Segment's `X-Signature`: hex of the HMAC-SHA1 over the raw body; of a batch over its first event."""
    return hmac.digest(secret.encode(), body, "sha1").hex()


# Where the first event of a batch begins: in a list, or in the list of the member "batch".
_FIRST = re.compile(rb'\s*(?:\{.*?"batch"\s*:\s*)?\[\s*', re.DOTALL)


def first_of(body: bytes) -> bytes:
    """The bytes of the first event of a batch, as they came; none where it is no batch."""
    found = _FIRST.match(body)
    if found is None:
        return b""
    try:
        text = body[found.end() :].decode()
        return text[: json.JSONDecoder().raw_decode(text)[1]].encode()
    except (ValueError, RecursionError):
        return b""


def verify_segment(secret: str, given: Mapping[str, str], body: bytes) -> None:
    """Raises Refused. Segment sends no time: a replay is known by its messageId, and of a batch only the
    first event is proven to be the sender's."""
    said = given.get("x-signature", "").strip().lower().encode("utf-8", "replace")
    matches = False
    for signed in (body, first_of(body) or body):
        # Both are compared, whatever the first says.
        matches |= hmac.compare_digest(segment(secret, signed).encode(), said)
    if not matches:
        raise Refused("x-signature does not fit")


def hubspot_v1(secret: str, body: bytes) -> str:
    """HubSpot v1: hex of SHA-256 over secret and body."""
    return hashlib.sha256(secret.encode() + body).hexdigest()


def hubspot_v2(secret: str, method: str, url: str, body: bytes) -> str:
    """HubSpot v2: hex of SHA-256 over secret, method, address and body."""
    return hashlib.sha256((secret + method + url).encode() + body).hexdigest()


def hubspot_v3(secret: str, method: str, url: str, body: bytes, stamp: str) -> str:
    """HubSpot v3: base64 of the HMAC-SHA256 over method, address, body and time in milliseconds."""
    plain = _HUBSPOT_DECODED.sub(lambda found: chr(int(found[1], 16)), url)
    signed = (method + plain).encode() + body + stamp.encode()
    return base64.b64encode(hmac.digest(secret.encode(), signed, "sha256")).decode()


def verify_hubspot(
    secret: str,
    given: Mapping[str, str],
    method: str,
    url: str,
    body: bytes,
    now: datetime,
    *,
    takes_v1: bool = False,
) -> None:
    """Raises Refused. `url` is our public address of the call; v1, which has no time, only where it is taken
    on purpose."""
    newest = given.get("x-hubspot-signature-v3", "")
    if newest:
        stamp = given.get("x-hubspot-request-timestamp", "")
        if not re.fullmatch("[0-9]{1,14}", stamp):
            raise Refused("x-hubspot-request-timestamp is no number of milliseconds")
        if abs(now - datetime.fromtimestamp(int(stamp) / 1000, tz=UTC)) > TOLERANCE:
            raise Refused("x-hubspot-request-timestamp is too far from now")
        wanted = hubspot_v3(secret, method, url, body, stamp)
    elif takes_v1 and given.get("x-hubspot-signature-version", "v1").lower() == "v1":
        newest = given.get("x-hubspot-signature", "")
        wanted = hubspot_v1(secret, body)
    else:
        raise Refused("x-hubspot-signature-v3 is needed")
    if not hmac.compare_digest(wanted.encode(), newest.encode("utf-8", "replace")):
        raise Refused("the signature does not fit")
