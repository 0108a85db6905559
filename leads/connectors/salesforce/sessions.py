"""Signing in to Salesforce without a person: a signed assertion (JWT bearer), or client credentials.

Owns the two grants, the assertion, and reading the private key. Answers with a session and the address of the
instance that it is for, which is used as it was given once it may be called at all. Never logs, never keeps:
that is `base.token`. Sources: Salesforce's "OAuth 2.0 JWT Bearer Flow" and RFC 7523; a session's life is the
org's own setting and stands in no answer.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from leads.connectors.addresses import Forbidden, checked_url
from leads.connectors.base import Denied
from leads.connectors.client import Http, Unreachable

TOKEN_PATH = "/services/oauth2/token"  # noqa: S105
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LOGIN, SANDBOX = "https://login.salesforce.com", "https://test.salesforce.com"
# Salesforce takes assertions that end within five minutes.
ASSERTION_LIFE = timedelta(minutes=3)
# An org's sessions last two hours where nobody chose otherwise, and fifteen minutes at least; one that ends
# sooner than we think is renewed when it is refused.
SESSION_LIFE = timedelta(hours=1)
_PEM = re.compile(r"-----BEGIN ([A-Z ]{1,40})-----([^-]*)-----END \1-----")


def sign_in(
    http: Http, secrets: Mapping[str, str], audience: str, login: str, now: datetime
) -> tuple[str, timedelta, dict[str, str]]:
    """A session, how long it is kept, and its `instance_url`. Raises Denied, and Unreachable.

    `login` is put before the path: "" where the client's base address is the org's own.
    """
    headers: dict[str, str] = {}
    if secrets.get("private_key"):
        signed = assertion(secrets, audience or LOGIN, now)
        form = {"grant_type": JWT_BEARER, "assertion": signed}
    else:
        form = {"grant_type": "client_credentials"}
        pair = f"{secrets.get('client_id', '')}:{secrets.get('client_secret', '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    answer = http.call("POST", f"{login}{TOKEN_PATH}", headers=headers, form=form)
    if answer.status in (400, 401, 403):
        raise Denied(_refusal(answer.body, answer.status))
    if answer.status != 200:
        raise Unreachable(f"{TOKEN_PATH} answered {answer.status}.")
    given = answer.json()
    instance = str(given.get("instance_url") or "").rstrip("/")
    try:
        checked_url(instance)
    except Forbidden as error:
        raise Denied(f"the instance's address that it gave may not be called: {error}") from None
    return str(given["access_token"]), SESSION_LIFE, {"instance_url": instance}


def assertion(secrets: Mapping[str, str], audience: str, now: datetime) -> str:
    """The JWT that stands for the integration's user, RS256. Raises Denied where the key is none."""
    claims = {
        "iss": secrets.get("client_id", ""),
        "sub": secrets.get("username", ""),
        "aud": audience,
        "exp": int((now + ASSERTION_LIFE).timestamp()),
    }
    signed = f"{_part({'alg': 'RS256', 'typ': 'JWT'})}.{_part(claims)}"
    signature = private_key(secrets["private_key"]).sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{_base64(signature)}"


def private_key(text: str) -> rsa.RSAPrivateKey:
    """The key of a PEM, also of one that lost its line breaks on its way through a form. Raises Denied."""
    found = _PEM.search(text.replace("\\n", "\n"))
    if found is None:
        raise Denied("the private key is no PEM.")
    body = "".join(found[2].split())
    lines = "\n".join(body[start : start + 64] for start in range(0, len(body), 64))
    pem = f"-----BEGIN {found[1]}-----\n{lines}\n-----END {found[1]}-----\n"
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Denied("the private key can't be read; it must be RSA, without a passphrase.") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise Denied("the private key is not an RSA key.")
    return key


def _refusal(body: bytes, status: int) -> str:
    """Why the token was refused, by its code alone: nothing of what was sent comes back into words."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        given = None
    code = given.get("error") if isinstance(given, dict) else None
    told = str(code) if isinstance(code, str) and re.fullmatch(r"[a-z_]{1,60}", code) else str(status)
    return f"{TOKEN_PATH} answers {told}."


def _part(value: Any) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
