"""Codes and passkeys looked at: a code counts once, whichever process looks at it, and is not guessed.

Owns that. The cryptography is django-allauth's, the challenge of a passkey stands in the session until it is
answered. Never shows a secret; those of apps are sealed as those of connections are.
"""

from __future__ import annotations

import json
import struct
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from allauth.mfa.utils import decrypt
from allauth.mfa.webauthn.internal import auth as passkeys
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from leads import sealing
from routing.people import User

# Wrong codes of one person in an hour, from wherever: only who has the password comes so far.
MOST_WRONG, FORGOTTEN_SECONDS = 20, 3600
LONGEST_ANSWER = 20_000
# What reading an answer can come to, which may be anything: no JSON or no end of it, bytes that say nothing.
UNREADABLE = (
    ValidationError, ValueError, TypeError, LookupError, AttributeError, RecursionError, struct.error,
)  # fmt: skip


class Adapter(DefaultMFAAdapter):
    """Secrets sealed, and this site's name on the phone."""

    def encrypt(self, text: str) -> str:
        return sealing.seal({"secret": text})

    def decrypt(self, encrypted_text: str) -> str:
        return sealing.open_sealed(encrypted_text)["secret"]

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        # Not by the request's host: a passkey belongs to one site for good.
        return {"id": urlsplit(settings.PUBLIC_URL).hostname or "localhost", "name": settings.ORG_NAME}

    def get_totp_issuer(self) -> str:
        return settings.ORG_NAME


@transaction.atomic
def takes_code(user: User, code: str, now: datetime) -> bool:
    """Whether a code of the app, or one on paper, is this person's and was not used before."""
    held = list(
        Authenticator.objects.select_for_update()
        .filter(user=user)
        .exclude(type=Authenticator.Type.WEBAUTHN)
        .order_by("pk")
    )
    if not held:
        return False
    counts = held[0]
    failed, since = counts.data.get("wrong", 0), counts.data.get("wrong_since", 0.0)
    if now.timestamp() - since > FORGOTTEN_SECONDS:
        failed, since = 0, now.timestamp()
    if failed >= MOST_WRONG:
        return False
    for row in held:
        is_right = (
            _is_of_app(row, code)
            if row.type == Authenticator.Type.TOTP
            else row.wrap().validate_code(code.replace("-", ""))
        )
        if is_right:
            Authenticator.objects.filter(pk=row.pk).update(last_used_at=now)
            return True
    counts.data |= {"wrong": failed + 1, "wrong_since": since}
    counts.save(update_fields=["data"])
    return False


def _is_of_app(row: Authenticator, code: str) -> bool:
    """RFC 6238, 5.2: a code of a time step that was used, or of one before, is refused."""
    secret = decrypt(row.data["secret"])
    for counter in totp.yield_hotp_counters_from_time():
        expected = totp.format_hotp_value(totp.hotp_value(secret, counter))
        if counter > row.data.get("counter", 0) and compare_user_code(actual=code, expected=expected):
            row.data |= {"counter": counter, "wrong": 0}
            row.save(update_fields=["data"])
            return True
    return False


def challenge(user: User | None) -> dict[str, Any]:
    """What a browser asks a passkey; of anybody's, where nobody has said yet who they are."""
    return {"request_options": passkeys.begin_authentication(user)}


def takes_passkey(user: User | None, answer: str, now: datetime) -> User | None:
    """Whose passkey answered the challenge of this session: this person's, or with None anybody's, who then
    must have been recognised by the passkey itself. None for nobody's."""
    try:
        credential = json.loads(answer[:LONGEST_ANSWER])
        parsed = passkeys.parse_authentication_response(credential)
        whose = user if user is not None else passkeys.extract_user_from_response(credential)
        row = passkeys.complete_authentication(whose, credential)
    except UNREADABLE:
        return None
    if user is None and not parsed.response.authenticator_data.is_user_verified():
        return None
    Authenticator.objects.filter(pk=row.pk).update(last_used_at=now)
    return whose if isinstance(whose, User) and whose.is_active else None
