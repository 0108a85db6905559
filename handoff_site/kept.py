"""A form that was sent after the session had ended: carried through the sign-in page, then shown again.

Owns what is kept (short text fields, signed, for an hour, in the page and nowhere else) and how it is read
back. It is never carried out by itself: whoever signs in sees it and sends it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.http import HttpRequest

FIELD = "kept"
SALT = "handoff.kept"
SECONDS = 60 * 60
MOST_FIELDS, MOST_CHARACTERS = 60, 20_000
# What belongs to the page that sent it, and what nobody should find in a page; passwords by any name.
DROPPED = frozenset({"csrfmiddlewaretoken", "credential", "seal", FIELD})
# Fields of secrets begin so; they are never given back to any page.
SEALED = "secret-"
# What the page sent along by itself: goes with the form, but says nothing to whoever looks at it.
SILENT = frozenset({"revision", "next", "alone", "queue", "q", "type"})


@dataclass(frozen=True, slots=True)
class Kept:
    """The address a form was sent to and its fields in order."""

    path: str
    pairs: tuple[tuple[str, str], ...]

    @property
    def shown(self) -> list[tuple[str, str]]:
        """What somebody typed or chose, with the field's name in words."""
        return [
            (name.replace("_", " ").capitalize(), value)
            for name, value in self.pairs
            if value and name not in SILENT
        ]


def of(request: HttpRequest) -> str | None:
    """What a form brought, signed; None when there is nothing worth keeping, or too much of it."""
    if request.method != "POST" or request.FILES:
        return None
    pairs = [
        (name, value)
        for name, values in request.POST.lists()
        if name not in DROPPED and not name.startswith(SEALED) and "password" not in name
        for value in values
        if isinstance(value, str)
    ]
    size = sum(len(name) + len(value) for name, value in pairs)
    if not pairs or len(pairs) > MOST_FIELDS or size > MOST_CHARACTERS:
        return None
    return signing.dumps({"path": request.path, "pairs": pairs}, salt=SALT, compress=True)


def read(text: str) -> Kept | None:
    """What was kept; None when there is nothing, when it is too old, and when it is not ours."""
    if not text:
        return None
    try:
        found: dict[str, Any] = signing.loads(text, salt=SALT, max_age=SECONDS)
    except signing.BadSignature:
        return None
    return Kept(found["path"], tuple((name, value) for name, value in found["pairs"]))
