"""Asks every page and sends every form with what no database keeps and no number or day can be.

The names are those that a view asks the query or the form for while it answers, so that a new one is swept by
itself; what a form holds otherwise is what the pages show in it. Owns how it is asked and what broke. What is
done is undone at once. Never says what an answer ought to be, but that it is no error of the site.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.http import HttpResponse, QueryDict

from tests.conftest import forget_kept
from tests.site import walking
from tests.site.harming import Page, route_of
from tests.site.reach import Door, Odd, table
from tests.site.world import ANONYMOUS, World

NULL, HUGE, FIRST_DAY, LAST_WEEK, SQUARE = "a\x00b", "9" * 30, "0001-01-01T00:00", "9999-W53", "\u00b2"
VALUES = (NULL, HUGE, FIRST_DAY, LAST_WEEK, SQUARE)
WHO = ("otto", "femke", "mia", "ada")
NOT_SWEPT = {"csrfmiddlewaretoken"}
# What a field holds that a page shows empty.
WORDS = {
    "number": "5", "date": "2026-04-01", "datetime-local": "2026-04-01T10:00", "time": "10:00",
    "email": "femke@handoff.example.com", "password": "correct horse battery", "text": "Words",
    "textarea": "Words",
}  # fmt: skip


@dataclass
class Sent:
    """What is asked or sent as it ought to be: by whom, where to, and what it holds."""

    who: str
    method: str
    url: str
    route: str
    values: dict[str, Any] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)

    def data(self, more: Mapping[str, Any]) -> dict[str, Any]:
        files = {name: SimpleUploadedFile("list.csv", b"email,name\na@b.de,x\n") for name in self.files}
        return {**files, **self.values, **more}


@contextmanager
def names_asked() -> Iterator[set[str]]:
    """The names that are looked for in a query or a form meanwhile."""
    names: set[str] = set()
    with pytest.MonkeyPatch.context() as patch:
        for method in ("__getitem__", "get", "getlist", "__contains__"):
            patch.setattr(QueryDict, method, _noting(getattr(QueryDict, method), names), raising=False)
        yield names


def _noting(ask: Any, names: set[str]) -> Any:
    def asked(self: Any, name: Any, *args: Any, **more: Any) -> Any:
        if isinstance(name, str):
            names.add(name)
        return ask(self, name, *args, **more)

    return asked


class Sweep:
    """All names of a page or a form have the null character at once; a `thorough` sweep, of half an hour, has
    each value under one name at a time, for the check of one may stand before what another one breaks."""

    def __init__(self, world: World, is_thorough: bool = False) -> None:
        self.world, self.is_thorough = world, is_thorough
        self.broke: list[str] = []
        self.asked = 0

    def pages(self, routes: Collection[str] | None = None) -> None:
        """Each page, or those of these routes, as somebody who may read it."""
        for page in self._plain("GET", routes):
            self._each_name(page)

    def forms(self, routes: Collection[str] | None = None) -> None:
        """Each form that somebody is shown, and each address that is posted to without one; of certain routes
        what they ask for alone, without looking for a form."""
        shown = set()
        for form in self._shown() if routes is None else ():
            shown.add(form.route)
            self._each_name(form)
        for form in self._plain("POST", routes):
            if form.route not in shown:
                self._each_name(form)

    def _plain(self, method: str, routes: Collection[str] | None) -> Iterator[Sent]:
        """Each address that has this method, with what it needs and no more."""
        for route, door in self._doors(routes):
            who = next(iter(_let_in(door, method)), None)
            if who is not None:
                given = self.world.given.get(route, {})
                yield Sent(who, method, walking.path(route, self.world.values), route, dict(given))

    def _doors(self, routes: Collection[str] | None) -> list[tuple[str, Any]]:
        # Django's own pages are Django's to sweep.
        return [
            (route, door)
            for route, door in table().items()
            if not route.startswith("admin/") and (routes is None or route in routes)
        ]

    def _shown(self) -> Iterator[Sent]:
        """The forms on the pages, one of each kind."""
        seen: set[Any] = set()
        for route, door in self._doors(None):
            for who in _let_in(door, "GET"):
                url = walking.path(route, self.world.values)
                answer = self._ask(Sent(who, "GET", url, route), {})
                is_page = "html" in answer.headers.get("Content-Type", "")
                for form in Page(answer.content.decode()).forms if is_page else []:
                    action = urljoin(url, form.action or url).partition("#")[0]
                    key = (route_of(action), tuple(sorted({name for name, _, _ in form.fields})))
                    if form.method == "post" and key not in seen:
                        seen.add(key)
                        yield self._filled(Sent(who, "POST", action, key[0]), form.fields)

    def _filled(self, sent: Sent, fields: list[tuple[str, str, str]]) -> Sent:
        for name, kind, value in fields:
            if kind == "file":
                sent.files.add(name)
            elif not sent.values.get(name):
                sent.values[name] = value or WORDS.get(kind, "")
        sent.values |= self.world.given.get(sent.route, {})
        return sent

    def _each_name(self, sent: Sent) -> None:
        """Also under names that are asked for only once another one is there."""
        with names_asked() as names:
            self._ask(sent, {})
            self._ask(sent, dict.fromkeys(names - NOT_SWEPT, NULL))
        done = set(NOT_SWEPT)
        while self.is_thorough and names - done:
            name = min(names - done)
            done.add(name)
            for value in VALUES:
                with names_asked() as more:
                    self._ask(sent, {name: value})
                names |= more

    def _ask(self, sent: Sent, more: Mapping[str, str]) -> HttpResponse:
        client = self.world.client(sent.who)
        self.asked += 1
        with transaction.atomic():
            ask = client.get if sent.method == "GET" else client.post
            answer: Any = ask(sent.url, sent.data(more))
            transaction.set_rollback(True)
        if sent.method != "GET":
            # Nobody is to remember a row that is not there any more.
            forget_kept()
        if answer.status_code >= 500:
            said = ", ".join(f"{name}={value[:12]!r}" for name, value in more.items())
            self.broke.append(f"{sent.method} {sent.route} by {sent.who} with {said}: {answer.exc_info}")
        return answer  # type: ignore[no-any-return]


def _let_in(door: Any, method: str) -> list[str]:
    """Those who are asked as, of whoever may: one of each kind. Nobody where there is no such method, and for
    what has tests of its own."""
    if isinstance(door, Odd):
        return ["ada" if door.is_of_staff else ANONYMOUS]
    if not isinstance(door, Door):
        return []
    let_in = (door.read if method == "GET" else door.write) or ()
    return [who for who in WHO if who in let_in] or sorted(let_in)[:1]
