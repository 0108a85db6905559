"""API keys: made once, shown once, found by one look-up.

Owns the form of a key, its scopes and the way from the plain text to the row. A key is a high-entropy
token, so its SHA-256 is stored and looked up; nothing here is slow on purpose. Never keeps, logs or
repeats the plain text, and never decides what a person on whose behalf a key acts may do.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from leads import access_log
from leads.models import AccessEntry, ApiKey
from routing.people import User
from routing.prepared import prepared

SCOPES = ("intake", "read", "act")
MARK = "ho_"
SHOWN = 10
# The column answers "is this key still in use?", for which a minute is fine; a write a call is not.
USE_NOTED_EVERY = timedelta(minutes=1)
_LONGEST = 200


def make_key(
    name: str,
    scopes: Iterable[str],
    now: datetime,
    *,
    created_by: User | None = None,
    is_quiet: bool = False,
) -> tuple[ApiKey, str]:
    """A new key, saved, with its plain text, which nobody can ever read again.

    `scopes` is at least one of SCOPES. Raises ValueError for an empty name or for other scopes.
    """
    name = " ".join(name.split())
    wanted = set(scopes)
    if not name or len(name) > 100:
        raise ValueError("A key needs a name of at most 100 characters.")
    if unknown := sorted(wanted - set(SCOPES)):
        raise ValueError(f"There is no scope {', '.join(unknown)}; the scopes are {', '.join(SCOPES)}.")
    if not wanted:
        raise ValueError(f"A key needs at least one scope of {', '.join(SCOPES)}.")
    plain = MARK + secrets.token_urlsafe(32)
    with transaction.atomic():
        key = ApiKey.objects.create(
            name=name,
            prefix=plain[:SHOWN],
            digest=digest(plain),
            scopes=[scope for scope in SCOPES if scope in wanted],
            is_quiet=is_quiet,
            created_at=now,
            created_by=created_by,
        )
        kind = AccessEntry.Kind.KEY_MADE
        access_log.record(kind, now, created_by, about=("key", key.pk), scopes=key.scopes)
    return key, plain


def digest(plain: str) -> str:
    """The SHA-256 of a key's plain text, in hexadecimal."""
    return hashlib.sha256(plain.encode(errors="replace")).hexdigest()


def authenticate(plain: str, now: datetime) -> ApiKey | None:
    """The key with this plain text, or None when there is none or it was revoked. One query.

    Its use is noted at most once a minute, by a conditional update, so that a busy key writes nothing.
    """
    if not plain or len(plain) > _LONGEST:
        return None
    key = _in_force.first(digest(plain))
    if key is None:
        return None
    if key.last_used_at is None or now - key.last_used_at >= USE_NOTED_EVERY:
        stale = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - USE_NOTED_EVERY)
        ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)
        key.last_used_at = now
    return key


@prepared
def _in_force(digest: str) -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(digest=digest, revoked_at__isnull=True)


def revoke(key: ApiKey, now: datetime, by: User | None = None) -> None:
    """The key opens nothing from now on. It stays in the log of what it did."""
    with transaction.atomic():
        if ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=now):
            access_log.record(AccessEntry.Kind.KEY_REVOKED, now, by, about=("key", key.pk))
