"""The keyed hashes by which late events of an erased person are known, and nothing else about them is.

Owns how such a hash is made (HMAC-SHA-256 under a key derived from SECRET_KEY, older keys by
SECRET_KEY_FALLBACKS) and looked up. Without the key of the installation a hash cannot be compared with
anything; once the key is gone, so is the knowledge.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet
from django.utils.crypto import salted_hmac

from leads.models import ErasedKey
from routing.prepared import prepared

_SALT = "leads.erasure"
EVENT = "event:"
CHUNK = 500


def digest(key: str, secret: str | bytes | None = None) -> str:
    """The keyed hash of a key, as it is stored."""
    return salted_hmac(_SALT, key, secret=secret, algorithm="sha256").hexdigest()


def event_key(source: str, event_id: str) -> str:
    """The key of an event that was taken in for somebody who is erased."""
    return f"{EVENT}{source}:{event_id}"


def history_mark(external_id: str) -> str:
    """What stands in the place of an imported handoff's row id: importing the file again still changes
    nothing."""
    return f"erased:{digest(f'history:{external_id}')}"


def remember(keys: Iterable[str], at: datetime) -> None:
    """Keep the hashes of these keys (`Identity.keys`, `event_key`) as erased as of this moment."""
    digests = {digest(key) for key in keys}
    known = dict(ErasedKey.objects.filter(digest__in=digests).values_list("digest", "at"))
    ErasedKey.objects.bulk_create(
        [ErasedKey(digest=made, at=max(at, known.get(made, at))) for made in sorted(digests)],
        update_conflicts=True,
        unique_fields=["digest"],
        update_fields=["at"],
        batch_size=CHUNK,
    )


def erased_since(keys: Collection[str]) -> dict[str, datetime]:
    """Those of these keys that were an erased person's, each with the moment of the erasure; one query."""
    secrets = (None, *settings.SECRET_KEY_FALLBACKS)
    by_digest = {digest(key, secret): key for key in keys for secret in secrets}
    if not by_digest:
        return {}
    return {by_digest[made]: at for made, at in _erased(by_digest)}


@prepared
def _erased(digests: Collection[str]) -> QuerySet[ErasedKey, tuple[str, datetime]]:
    return ErasedKey.objects.filter(digest__in=digests).values_list("digest", "at")
