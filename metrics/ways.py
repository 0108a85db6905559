"""The pages beside the dashboard: who may read them, their links with the weeks and filters that are shown.

Owns the line of links that stands on each of them. For whoever answers for the process, not for reps: a
rep's own leads are no ground for judging a model or a team.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from leads.roles import Can, can
from leads.views import access
from leads.views.shell import address, person
from metrics import words
from metrics.address import Asked
from metrics.periods import Week
from routing.people import User

PAGES = (
    ("metrics:dashboard", "Dashboard"),
    ("metrics:diagnosis", "Diagnosis"),
    ("metrics:time", "Where the time went"),
    ("metrics:loop", "Closed loop"),
    ("metrics:gaming", "Weak signals"),
)


@dataclass(frozen=True)
class Way:
    label: str
    href: str
    is_current: bool


@dataclass(frozen=True)
class Links:
    """The links alone; none for whom these pages are not."""

    pages: tuple[Way, ...]


@dataclass(frozen=True)
class Ways(Links):
    """The links, the weeks before and after on this page, and what it is narrowed to with a way out."""

    span: str
    before: str
    after: str
    narrowed: tuple[tuple[str, str], ...]
    whole: str


def reader(request: HttpRequest) -> User:
    """Who is signed in, if these pages are for them; else Http404."""
    return access.page(request, Can.READ_FIGURES)


def links(request: HttpRequest, asked: Asked, current: str) -> Links:
    """See `Links`; `current` is the name of the page's address."""
    user = person(request)
    if not can(user, Can.READ_FIGURES):
        return Links(())
    params = urlencode(asked.params(metric=None))
    return Links(tuple(Way(label, f"{address(view)}?{params}", view == current) for view, label in PAGES))


def of(request: HttpRequest, asked: Asked, current: str, **own: str) -> Ways:
    """For the page `current` (the name of its address); `own` are its own values in the address."""
    this_week = Week.of(asked.as_of, asked.weeks.zone)

    def at(week: Week) -> str:
        return _href(current, asked, own, week=week.name)

    return Ways(
        pages=links(request, asked, current).pages,
        span=f"{words.short(asked.weeks.first)} to {words.short(asked.weeks.last)}",
        before=at(asked.weeks.last.plus(-1)),
        after=at(asked.weeks.last.plus(1)) if asked.weeks.last < this_week else "",
        narrowed=tuple(asked.filters.params().items()),
        whole=_href(current, asked, own, **dict.fromkeys(asked.filters.params())),
    )


def _href(view: str, asked: Asked, own: dict[str, str], **changes: str | None) -> str:
    return f"{reverse(view)}?{urlencode(asked.params(metric=None, **changes) | own)}"
