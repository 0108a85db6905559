"""The secrets of a connection: set, replaced, rotated, and the secret address at which it calls us.

Owns what may be known of a secret (that it is set, when and by whom) and its way into the seal. A secret that
is made here is given back once, to be shown, and is nowhere else in the clear. Never shows or logs one that
is there.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from leads import connectors, sealing
from leads.connecting import changing, kinds
from leads.connecting.changing import Edit, NotDone
from leads.connectors import signatures
from leads.models import Connection
from leads.representation import time as rfc3339

# For how long the former secret signs beside the new one, so that the other side can change over.
ROTATION = timedelta(hours=24)
SECRET, FORMER = "secret", "former_secret"


def put(pk: int, edit: Edit, given: Mapping[str, str]) -> Connection:
    """Set or replace these secrets; the others stay."""
    with transaction.atomic():
        connection = changing.claim(pk, edit)
        if given:
            _seal(connection, edit, {**_opened(connection), **given}, given)
            labels = {option.name: option.label for option in kinds.secrets(connection.kind)}
            names = ", ".join(labels.get(name, name) for name in sorted(given))
            changing.save(connection, edit, ["sealed", "options"], f"Set anew: {names}")
        return connection


def rotate(pk: int, edit: Edit, secret: str = "") -> str:
    """A new signing secret; the one before signs as well for ROTATION. Gives the new one, to be shown once.

    The edit must say which state it was made from: sent twice, it would do away with the one that was just
    shown. Raises changing.Stale.
    """
    if not edit.seen:
        raise NotDone("Open the page again.")
    plain = secret or signatures.new_secret()
    with transaction.atomic():
        connection = changing.claim(pk, edit)
        known = _opened(connection)
        kept = {name: value for name, value in known.items() if name not in (SECRET, FORMER)}
        if known.get(SECRET):
            kept[FORMER] = known[SECRET]
            connection.options["former_until"] = rfc3339(edit.now + ROTATION)
        _seal(connection, edit, {**kept, SECRET: plain}, [SECRET])
        changing.save(connection, edit, ["sealed", "options"], "Signing secret rotated")
    return plain


def end_former(pk: int, edit: Edit) -> None:
    """Let the former signing secret end at once: it is known to somebody who should not know it."""
    with transaction.atomic():
        connection = changing.claim(pk, edit)
        kept = {name: value for name, value in _opened(connection).items() if name != FORMER}
        connection.options.pop("former_until", None)
        connection.sealed = sealing.seal(kept)
        changing.save(connection, edit, ["sealed", "options"], "Former signing secret ended")


def renew_hook(pk: int, edit: Edit) -> str:
    """A new address at which the other system calls us, the whole of it, to be shown once; the former one is
    nobody's from now on. The edit must say which state it was made from."""
    if not edit.seen:
        raise NotDone("Open the page again.")
    plain = secrets.token_urlsafe(24)
    with transaction.atomic():
        connection = changing.claim(pk, edit)
        connection.hook_digest = connectors.digest(plain)
        connection.options["secrets_set"] = _set_now(connection, edit, ["hook"])
        changing.save(connection, edit, ["hook_digest", "options"], "Address for its calls made")
    return f"{settings.PUBLIC_URL}{reverse('leads:hook', args=[plain])}"


def former_until(connection: Connection) -> datetime | None:
    """Until when the former signing secret counts, as it was last rotated; None where there was none."""
    text = connection.options.get("former_until")
    return datetime.fromisoformat(text) if text else None


def known(connection: Connection) -> dict[str, tuple[datetime, int]]:
    """Which secrets are set: by name, when and by whom (a user's key); "hook" is the address it calls."""
    found = connection.options.get("secrets_set", {})
    return {name: (datetime.fromisoformat(at), int(by)) for name, (at, by) in found.items()}


def _opened(connection: Connection) -> dict[str, str]:
    try:
        return sealing.open_sealed(connection.sealed)
    except sealing.CannotOpen:
        # What nobody can open any more is replaced as a whole.
        connection.options["secrets_set"] = {}
        return {}


def _seal(
    connection: Connection, edit: Edit, values: Mapping[str, str], names: Mapping[str, str] | list[str]
) -> None:
    connection.sealed = sealing.seal(values)
    connection.options["secrets_set"] = _set_now(connection, edit, list(names))


def _set_now(connection: Connection, edit: Edit, names: list[str]) -> dict[str, list[str | int]]:
    own: dict[str, list[str | int]] = dict(connection.options.get("secrets_set", {}))
    return own | {name: [rfc3339(edit.now) or "", edit.user.pk] for name in names}
