"""Secrets at rest: sealed with a key that is derived from the site's, opened only to be used.

Owns sealing and opening of small mappings of text. `SECRET_KEY_FALLBACKS` open what an older key has sealed,
so that the key can be changed. Never shows, logs or compares what is inside.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

_PURPOSE = b"handoff.sealing.v1:"


class CannotOpen(Exception):
    """What is sealed was sealed with a key that this site no longer has."""


def _fernet() -> MultiFernet:
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    digests = (hashlib.sha256(_PURPOSE + key.encode()).digest() for key in keys)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])


def seal(secrets: Mapping[str, str]) -> str:
    """These names and values as one sealed text; "" for none."""
    if not secrets:
        return ""
    return _fernet().encrypt(json.dumps(dict(secrets), sort_keys=True).encode()).decode()


def open_sealed(sealed: str) -> dict[str, str]:
    """The names and values in it. Raises CannotOpen."""
    if not sealed:
        return {}
    try:
        opened: dict[str, str] = json.loads(_fernet().decrypt(sealed.encode()))
    except InvalidToken:
        raise CannotOpen("These secrets were sealed with another SECRET_KEY: set them anew.") from None
    return opened


def reseal(sealed: str) -> str:
    """The same, sealed with the present key. Raises CannotOpen."""
    return seal(open_sealed(sealed))
