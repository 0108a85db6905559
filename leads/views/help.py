"""Help: five minutes for each role, the keys, and what the words mean.

Owns the page. The words are `presenters.tours` and `presenters.terms`; it asks the database for nothing but
who is signed in.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from leads.presenters.addresses import address
from leads.presenters.terms import TERMS
from leads.presenters.tours import TOURS, Stop
from leads.views.shell import person, shell_of
from routing.people import ADMIN

KEYS = (
    ("j k", "next, previous lead in the list"),
    ("Enter", "open it"),
    ("a", "accept; take up a deferred lead"),
    ("r", "reject, then a digit for the reason"),
    ("d", "defer: the lead's words, then a day"),
    ("c", "log a contact, then a digit for what came of it"),
    ("o", "opportunity"),
    ("x", "disqualify"),
    ("n", "note"),
    ("w", "report wrong data"),
    ("u", "undo, for ten seconds"),
    ("Ctrl Enter", "send what is being written"),
    ("f", "filter the list"),
    ("/", "search"),
    ("g i", "to the inbox; g t team, g d dashboard, g r reports, g l leads, g c completion"),
    ("Esc", "close what is open"),
    ("?", "the keys of the page one is on"),
)


@dataclass(frozen=True, slots=True)
class Tour:
    """A role's stops; `is_mine` where the viewer has the role, and only then they are links."""

    role: str
    stops: tuple[tuple[Stop, str], ...]
    is_mine: bool


@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    """The page, one's own role first."""
    user = person(request)
    mine = set(user.roles) | ({ADMIN} if user.is_superuser else set())
    tours = [
        Tour(role, tuple((stop, address(stop.view) if role in mine else "") for stop in stops), role in mine)
        for role, stops in TOURS.items()
    ]
    values = {
        "tours": sorted(tours, key=lambda tour: not tour.is_mine),
        "roles": shell_of(request).roles,
        "keys": [(keys.split(), what) for keys, what in KEYS],
        "terms": TERMS,
    }
    return render(request, "leads/help.html", values)
