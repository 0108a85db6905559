"""Asks every address of a site by every method as everybody, and says what was answered unexpectedly.

The addresses are the resolver's own, so that one nobody has thought of is found. Whoever is not let in must
be answered as the table says and nothing may be written; whoever is let in is answered by the page, or told
what is wrong with an empty form. What is done is undone at once.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.conftest import forget_kept
from tests.site.reach import STAFF, Door, Keyed, Odd, Staffed, table
from tests.site.world import ANONYMOUS, World

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
LOG = "leads_accessentry"
SIGN_IN, STAFF_ONLY = "sign in", "staff only"
_WRITES = re.compile(r"\s*(INSERT INTO|UPDATE|DELETE FROM)\s+\"?(\w+)", re.IGNORECASE)
_FIELD = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True)
class Asked:
    """One question and what came of it: a status, or SIGN_IN or STAFF_ONLY; the tables that were written."""

    route: str
    method: str
    who: str
    answer: int | str
    wrote: tuple[str, ...]
    text: str = ""
    is_file: bool = False

    def __str__(self) -> str:
        wrote = f", wrote {', '.join(self.wrote)}" if self.wrote else ""
        return f"{self.method} {self.route} by {self.who}: {self.answer}{wrote}"


def routes() -> list[str]:
    """Every address that the site has, as the URL map writes it."""
    return sorted(set(_routes(get_resolver().url_patterns, "")))


def _routes(patterns: list[URLPattern | URLResolver], front: str) -> Iterator[str]:
    for pattern in patterns:
        route = front + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, route)
        else:
            yield route


def path(route: str, values: Mapping[str, Mapping[str, Any]], more: Mapping[str, Any] | None = None) -> str:
    """An address of this route: what stands for a field is the value of the longest front that has it."""
    fronts = sorted((front for front in values if route.startswith(front)), key=len, reverse=True)

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if more and name in more:
            return str(more[name])
        return str(next(values[front][name] for front in fronts if name in values[front]))

    if route.startswith("admin/"):
        return "/" + _of_admin(route)
    return "/" + _FIELD.sub(value, route)


def _of_admin(route: str) -> str:
    """An address of the admin: of the last row that there is."""
    route = route.replace("^(?P<app_label>django_q|leads|routing)/$", "leads/").replace("(?P<url>.*)$", "x")
    if "object_id>/<" in route or "<path:content_type_id>" in route:
        return "admin/r/1/1/"
    parts = route.split("/")
    if len(parts) < 4 or parts[1] not in apps.app_configs:
        return route
    model = apps.get_model(parts[1], parts[2])
    if "^([^/]+)/history" in route:
        entry = model.history.order_by("history_id").last()  # type: ignore[attr-defined]
        return f"admin/{parts[1]}/{parts[2]}/{entry.id}/history/{entry.history_id}/"
    row = model._default_manager.order_by("pk").last()
    assert row is not None, f"the world has no {model.__name__}"
    pk = str(row.pk)
    return route.replace("<path:object_id>", pk).replace("<id>", pk)


def ask(
    world: World,
    route: str,
    method: str,
    who: str,
    more: Mapping[str, Any] | None = None,
    data: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Asked:
    """Ask once, and undo what was done. `who` is one of the people, or anonymous."""
    client = world.client(who)
    wrote: list[str] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if found := _WRITES.match(sql):
            wrote.append(found[2])
        return execute(sql, params, many, context)

    url = path(route, world.values, more)
    given = world.given.get(route, {}) if data is None else data
    with ExitStack() as stack:
        stack.enter_context(transaction.atomic())
        stack.enter_context(connection.execute_wrapper(watch))
        response = _send(client, method, url, given, headers)
        text = _text(response)
        is_file = response.headers.get("Content-Disposition", "").startswith("attachment")
        transaction.set_rollback(True)
    if wrote:
        # Nobody is to remember a row that is not there any more.
        forget_kept()
    return Asked(route, method, who, _answer(response), tuple(dict.fromkeys(wrote)), text, is_file)


def _send(client: Client, method: str, url: str, data: Mapping[str, str], headers: Any) -> HttpResponse:
    if method in ("GET", "HEAD", "POST") and "/api/" not in url:
        response: HttpResponse = getattr(client, method.lower())(url, data, headers=headers)
        return response
    body = json.dumps(data) if method == "POST" else ""
    return client.generic(method, url, body, "application/json", headers=headers)


def _text(response: HttpResponse) -> str:
    """What it says, the parts of a workbook unpacked."""
    if "spreadsheet" in response.headers.get("Content-Type", ""):
        with zipfile.ZipFile(io.BytesIO(response.content)) as book:
            return " ".join(book.read(name).decode() for name in book.namelist())
    if getattr(response, "streaming", False):
        return b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    return response.content.decode(errors="replace")


def _answer(response: HttpResponse) -> int | str:
    to = response.headers.get("Location", "")
    if to.startswith("/admin/login/"):
        return STAFF_ONLY
    # A form that somebody sent is carried through signing in.
    is_page = response.headers.get("Content-Type", "").startswith("text/html")
    if to.startswith("/login/?next=") or (response.status_code == 401 and is_page):
        return SIGN_IN
    return response.status_code


# What they ought to be answered


LET_IN = frozenset({200, 204, 302, 400, 409, 422})


def unknown() -> list[str]:
    """Addresses that the table does not know, and lines of the table that no address has."""
    known, there = set(table()), set(routes())
    return [f"nobody decided on {route}" for route in sorted(there - known)] + [
        f"there is no {route}" for route in sorted(known - there)
    ]


def surprises(world: World, who: str, only: Collection[str] | None = None) -> list[str]:
    """What this person was answered otherwise than the table says, on every address that it knows."""
    known = table()
    found = []
    for route in routes():
        if route not in known or (only is not None and route not in only):
            continue
        door = known[route]
        for method in METHODS:
            if (wanted := _wanted(door, method, who)) is None:
                continue
            asked = ask(world, route, method, who)
            answers, may_write = wanted
            # A file is written down in the access log, and a page is not.
            is_noted = LOG in asked.wrote
            wrote = set(asked.wrote) - ({LOG} if asked.is_file else set())
            if asked.answer not in answers or (wrote and not may_write):
                found.append(f"{asked}; expected {sorted(map(str, answers))}")
            elif asked.is_file and not is_noted:
                found.append(f"{asked}; nobody wrote down that it was taken")
    return found


Wanted = tuple[frozenset[int | str], bool]
_WALL: Wanted = (frozenset({SIGN_IN, STAFF_ONLY}), False)


def _wanted(door: Door | Keyed | Staffed | Odd, method: str, who: str) -> Wanted | None:
    """What may be answered, and whether something may be written; None for what need not be asked."""
    match door:
        case Keyed():
            return frozenset({401 if method == door.method else 405}), False
        case Odd():
            if door.is_of_staff and who not in STAFF:
                return _WALL if method in ("GET", "POST") else None
            by_method = door.anonymous if who == ANONYMOUS else door.others
            if method not in by_method:
                return None
            return frozenset(by_method[method]), method == "POST" or door.is_noted
        case Staffed():
            return _of_staff(door, method, who)
    if who == ANONYMOUS:
        return frozenset({SIGN_IN}), False
    if method in ("GET", "HEAD"):
        if door.read is None or (method == "HEAD" and not door.has_head):
            return frozenset({405}), False
        if who in door.read:
            # As good as a GET, and as dear.
            return (LET_IN, door.is_noted) if method == "GET" else None
        return frozenset({403 if who in door.refused else 404}), False
    if method != "POST" or door.write is None:
        return frozenset({405}), False
    if who in door.write:
        return LET_IN, True
    seen = door.seen if door.seen is not None else door.read or ()
    return frozenset({403 if who in seen or who in door.refused else 404}), False


def _of_staff(door: Staffed, method: str, who: str) -> Wanted | None:
    if who not in STAFF:
        return _WALL if method in ("GET", "POST") else None
    let_in = who in (door.write if method == "POST" else door.read)
    if not let_in:
        return frozenset({403}), False
    return (LET_IN, method == "POST") if method in ("GET", "POST") else None
