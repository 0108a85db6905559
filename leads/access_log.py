"""The access log: who signed in, took a file, was shown what is held of somebody, or changed who may what.

Owns the writing of entries and where the present request came from, which the site's middleware says. An
entry is written in the transaction of what it tells. Never holds a lead's name, address or number, nor what
somebody typed who could not sign in.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leads.models import AccessEntry, ApiKey
from routing.people import User

Kind = AccessEntry.Kind
LONGEST_ID = 100
SUPERUSER = "superuser"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from and its id; both "" for what no request asked for."""

    address: str = ""
    request_id: str = ""


_present: ContextVar[Origin | None] = ContextVar("origin", default=None)


@contextmanager
def coming_from(address: str, request_id: str) -> Iterator[None]:
    """While a request is answered: where it came from."""
    before = _present.set(Origin(_valid(address), request_id[:64]))
    try:
        yield
    finally:
        _present.reset(before)


def origin() -> Origin:
    """Where the present request came from; for what is written down after it was answered."""
    return _present.get() or Origin()


def record(
    kind: AccessEntry.Kind,
    at: datetime,
    user: User | None = None,
    *,
    api_key: ApiKey | None = None,
    about: tuple[str, str | int] = ("", ""),
    came: Origin | None = None,
    **detail: Any,
) -> AccessEntry:
    """Write one entry: by whom (nobody for the system or somebody unknown), about what kind and number of
    object, with codes that say more."""
    came = came or origin()
    return AccessEntry.objects.create(
        kind=kind,
        at=at,
        user=user,
        api_key=api_key,
        about=about[0],
        about_id=str(about[1])[:LONGEST_ID],
        address=came.address,
        request_id=came.request_id,
        detail=detail,
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether somebody is active, and what they are: their roles, and "superuser"."""

    is_active: bool = True
    roles: frozenset[str] = frozenset()

    @classmethod
    def of(cls, person: User) -> Standing:
        return cls(person.is_active, person.roles | ({SUPERUSER} if person.is_superuser else set()))


def record_roles(person: User, was: Standing, at: datetime, by: User | None = None) -> None:
    """Write down how somebody, as they are stored, stands otherwise than they did; `Standing()` is somebody
    who was not there."""
    now, about = Standing.of(person), ("person", person.pk)
    if now.roles != was.roles:
        given, taken = sorted(now.roles - was.roles), sorted(was.roles - now.roles)
        record(Kind.ROLES_CHANGED, at, by, about=about, given=given, taken=taken)
    if now.is_active != was.is_active:
        kind = Kind.ACTIVATED if person.is_active else Kind.DEACTIVATED
        record(kind, at, by, about=about)


def _valid(address: str) -> str:
    """An address without its zone; "" for what is none, such as of a socket of this machine."""
    try:
        return str(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return ""
