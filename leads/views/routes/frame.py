"""What the routing pages share: who may, what is shown on an edit conflict, and how a save is answered.

Owns the gate of these pages and the laying of two versions of a row beside each other. Saving is
`routing.draft`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from leads.presenters import times
from leads.presenters.reading import Called, Piece, aloud, compared
from leads.roles import Can, can
from leads.views import access
from leads.views.shell import shell_of, tell
from routing.draft import Stale, changed_last
from routing.people import User


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two editors wrote differently; `says` is yours with what differs marked, where that
    helps."""

    label: str
    theirs: str
    yours: str
    says: Sequence[Piece] = ()


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody saved between the page and the save. `revision` is theirs: saving from it is deliberate."""

    by: str
    when: str
    exact: str
    revision: int
    differences: list[Difference]


@dataclass(frozen=True, slots=True)
class Changed:
    """Who changed a row last, and when."""

    by: str
    when: str
    exact: str


def reader(request: HttpRequest) -> User:
    """Who is signed in, if routing is theirs to see; else Http404."""
    return access.page(request, Can.READ_ROUTING)


def editor(request: HttpRequest) -> User:
    """Who is signed in, if they edit routing. For others who see it the page is not there and the act is
    refused."""
    reader(request)
    return access.edit(request, Can.EDIT_ROUTING)


def may_edit(request: HttpRequest) -> bool:
    return can(shell_of(request).user, Can.EDIT_ROUTING)


def revision(request: HttpRequest) -> int:
    """The revision that the form was made from; 0, which no row has, for none."""
    sent = request.POST.get("revision", "")
    return int(sent) if sent.isdecimal() and len(sent) < 10 else 0


def conflict(
    stale: Stale,
    theirs: Mapping[str, str],
    yours: Mapping[str, str],
    now: datetime,
    conditions: tuple[Any, Any, Called] | None = None,
) -> Conflict:
    """What the two wrote, as labelled words; only what differs. `conditions` are the two documents, which
    are compared as data: long ones can read alike and differ all the same."""
    differs = [
        Difference(label, theirs.get(label, ""), yours.get(label, ""))
        for label in yours
        if theirs.get(label, "") != yours.get(label, "")
    ]
    if conditions is not None and conditions[0] != conditions[1]:
        said, typed, called = conditions
        words = "".join(piece.text for piece in aloud(said, called))
        differs.insert(0, Difference("Conditions", words, "", compared(said, typed, called)))
    return Conflict(
        by=str(stale.by) if stale.by else "Somebody",
        when=times.day(stale.at, now) if stale.at else "meanwhile",
        exact=times.exact(stale.at, now) if stale.at else "",
        revision=stale.current.revision,
        differences=differs,
    )


def last_change(row: Any, now: datetime) -> Changed | None:
    """Who changed a stored row last; None where nobody knows."""
    by, at = changed_last(row) if row.pk else (None, None)
    if at is None:
        return None
    return Changed(str(by) if by else "the system", times.day(at, now), times.exact(at, now))


def done(request: HttpRequest, text: str, to: str) -> HttpResponse:
    """Says what was done on the page that follows."""
    tell(request, text)
    return redirect(to)
