"""Editing a connection: made, changed, switched on, paused, resumed, each kept in its history with who did.

Owns every edit that a person makes, but for secrets (`leads.connecting.keeping`) and mapping
(`leads.connecting.mapping`). An edit says which state of the connection it was made from, so that of two
editors the second is told. Sends nothing, and never writes what deliveries leave on the row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from leads import access_log
from leads.connecting import kinds
from leads.models import AccessEntry, Connection
from leads.representation import time
from routing import draft
from routing.people import User

MOST_SLUG = 50
# What an edit may set; the rest is the outbox's and the connectors'.
EDITED = ("name", "role", "base_url", "id_system", "is_quiet", "rate", "burst", "options")
SECRETS = frozenset({"sealed", "hook_digest"})
# Options that are kept beside those of the form: they belong to other rooms.
OWN_OPTIONS = ("secrets_set", "former_until", "asked")


class NotDone(ValueError):
    """The edit was refused; the message is fit for a page."""


class Stale(NotDone):
    """Somebody or something changed the connection after the page was made; nothing was saved."""

    def __init__(self, by: str, at: datetime | None) -> None:
        super().__init__(f"{by} changed this connection meanwhile.")
        self.by, self.at = by, at


@dataclass(frozen=True, slots=True)
class Edit:
    """Who edits, when, and the newest entry of the history that their page knew (0: not looked at)."""

    user: User
    now: datetime
    seen: int = 0


def newest(connection: Connection) -> int:
    """The number of the newest entry in its history; 0 for none."""
    found = connection.history.order_by("-history_id").values_list("history_id", flat=True)
    return int(found.first() or 0)


def make(kind: str, edit: Edit, values: Mapping[str, Any]) -> Connection:
    """A new connection, not switched on. `values` are of EDITED. Raises NotDone for a name that is taken."""
    connection = Connection(kind=kind, created_at=edit.now, created_by=edit.user)
    _set(connection, values)
    connection.slug = _slug(connection.name)
    draft.signed(connection, edit.user, edit.now, "Made")
    try:
        with transaction.atomic():
            connection.save()
            _log(connection, edit, ["made"])
    except IntegrityError:
        raise NotDone(f"There is a connection “{connection.name}” already.") from None
    return connection


def change(pk: int, edit: Edit, values: Mapping[str, Any], why: str = "Changed") -> Connection:
    """The connection with these of EDITED. Raises Stale, and NotDone for a name that is taken."""
    try:
        with transaction.atomic():
            connection = claim(pk, edit)
            changed = _set(connection, values)
            if changed:
                save(connection, edit, changed, why)
            return connection
    except IntegrityError:
        raise NotDone(f"There is a connection “{values.get('name')}” already.") from None


def switch_on(pk: int, edit: Edit) -> Connection:
    """Let it run from now on, whatever had stopped it; what waits leaves. Raises NotDone while something is
    missing."""
    with transaction.atomic():
        connection = claim(pk, edit)
        if missing := lacking(connection):
            raise NotDone(f"Not yet: {missing}")
        if connection.is_active and not connection.paused_why and connection.probe_at is None:
            return connection
        was_on, connection.is_active = connection.is_active, True
        connection.paused_why, connection.paused_until = "", None
        save(
            connection,
            edit,
            ["is_active", "paused_why", "paused_until"],
            "Resumed" if was_on else "Switched on",
        )
        # Whoever starts it by hand has looked: what failed before counts no more.
        Connection.objects.filter(pk=pk).update(failures=0, outcomes="", trips=0, probe_at=None)
        return connection


def switch_off(pk: int, edit: Edit) -> Connection:
    """Owe it nothing any more, and take nothing from it; what waits stays."""
    with transaction.atomic():
        connection = claim(pk, edit)
        if connection.is_active or connection.paused_why:
            connection.is_active, connection.paused_why, connection.paused_until = False, "", None
            save(connection, edit, ["is_active", "paused_why", "paused_until"], "Switched off")
        return connection


def pause(pk: int, edit: Edit, why: str) -> Connection:
    """Send nothing until somebody resumes it; what is owed meanwhile waits. Raises NotDone without a why."""
    why = " ".join(why.split())[:300]
    if not why:
        raise NotDone("Say why: whoever finds it paused will ask.")
    with transaction.atomic():
        connection = claim(pk, edit)
        if connection.paused_why != why or connection.paused_until is not None:
            connection.paused_why, connection.paused_until = why, None
            save(connection, edit, ["paused_why", "paused_until"], "Paused")
        return connection


def ask_for_sync(pk: int, edit: Edit) -> None:
    """Say in the history that the first sync was asked for."""
    with transaction.atomic():
        connection = claim(pk, edit)
        connection.options["asked"] = time(edit.now)
        save(connection, edit, ["options"], "First sync asked for")


def lacking(connection: Connection) -> str:
    """What has to be set before it can run, in words; "" for nothing."""
    shape = kinds.SHAPES[Connection.Kind(connection.kind)]
    if Connection.Kind(connection.kind) not in kinds.offered():
        return "this kind of connection is not offered here."
    if shape.is_needed and not connection.base_url:
        return f"the {shape.address.lower()} is missing."
    if shape.needs_secret and kinds.secrets(connection.kind) and not connection.sealed:
        return "no secret is set."
    if not shape.needs_secret and not connection.hook_digest:
        return "it has no address for its calls."
    return ""


def claim(pk: int, edit: Edit) -> Connection:
    """The row, locked, as it is now. Raises Stale when it is not the one that the edit was made from."""
    connection = Connection.objects.select_for_update(no_key=True).get(pk=pk)
    if edit.seen and edit.seen != newest(connection):
        last = connection.history.select_related("history_user").order_by("-history_id").first()
        by = str(last.history_user) if last is not None and last.history_user else "The system"
        raise Stale(by, last.history_date if last is not None else None)
    return connection


def save(connection: Connection, edit: Edit, changed: Collection[str], why: str) -> None:
    """Write these columns of a claimed row, with an entry in its history."""
    draft.signed(connection, edit.user, edit.now, why[:100])
    connection.save(update_fields=list(changed))
    _log(connection, edit, changed)


def _log(connection: Connection, edit: Edit, changed: Collection[str]) -> None:
    """Which columns were changed, never what stands in them."""
    kinds_of = AccessEntry.Kind
    kind = kinds_of.CONNECTION_CHANGED if SECRETS.isdisjoint(changed) else kinds_of.SECRET_CHANGED
    about = ("connection", connection.pk)
    access_log.record(kind, edit.now, edit.user, about=about, changed=sorted(changed))


def _set(connection: Connection, values: Mapping[str, Any]) -> list[str]:
    """Put the values on the row; the names of what changed."""
    changed = []
    for name in EDITED:
        if name not in values:
            continue
        value = values[name]
        if name == "options":
            kept = {own: connection.options[own] for own in OWN_OPTIONS if own in connection.options}
            value = {**value, **kept}
        if getattr(connection, name) != value:
            setattr(connection, name, value)
            changed.append(name)
    return changed


def _slug(name: str) -> str:
    """A slug of its own; what came to be between looking and saving is an error of the save."""
    base = slugify(name)[:MOST_SLUG].strip("-") or "connection"
    # Words that are pages of their own.
    taken = {*Connection.objects.filter(slug__startswith=base).values_list("slug", flat=True), *RESERVED}
    number, slug = 2, base
    while slug in taken:
        slug, number = f"{base}-{number}", number + 1
    return slug


RESERVED = ("new", "deliveries", "calls", "events", "keys", "audit", "conflicts")
