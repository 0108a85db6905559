"""A walk through the whole site with data that means harm in every column of words.

Somebody follows every link of a kind once, and sends every form they find, with hostile words in each
field and fields that the form does not have. Each is sent in a transaction of its own that is taken back.
Owns how it is walked and what comes back; what that has to be is said by tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, models, transaction
from django.db.models import Q
from django.http import HttpResponse
from django.test import Client
from django.urls import Resolver404, resolve
from django.utils import timezone

from leads import keys
from leads.audit.checks import Code
from leads.models import Finding, Handoff
from routing.models import NamedList, Territory, User
from routing.people import ROLES
from tests.conftest import NOW, Cast
from tests.factories import make_handoff, make_proposal
from tests.leads.erasure import planted
from tests.leads.views.integrations import made

SignIn = Callable[[User], Client]
SIGN = "\"'><zq>"
SIGN_SHOWN = "&gt;&lt;zq&gt;"
EVIL = "https://evil.example/"
# What no form may set for whoever writes it in.
FOREIGN = {
    "is_superuser": "on", "is_staff": "1", "groups": "1", "role": "admin", "roles": "admin", "user": "1",
    "password": "taken over", "state": "converted", "first_contact_at": "2020-01-01", "is_history": "1",
    "created_by": "1", "email_key": "taken@over.example", "next": EVIL, "back": EVIL, "X-Evil": "1",
}  # fmt: skip
WORDS = {
    "name", "label", "title", "text", "why", "note", "explanation", "description", "last_error", "comment",
}  # fmt: skip
LINKS = {"a": ("href",), "img": ("src",), "script": ("src",), "link": ("href",)}
EACH_ROUTE = 3
# Django's own pages, one a table, with no word of ours.
SKIPPED = ("/history/", "/delete/", "/autocomplete/", "logout/", "theme/")


@dataclass
class Form:
    action: str
    method: str
    fields: list[tuple[str, str, str]] = field(default_factory=list)


class Page(HTMLParser):
    """The links, the forms and the scripts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[Form] = []
        self.wrong: list[str] = []
        self._named = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.links += [given[name] for name in (*LINKS.get(tag, ()), "hx-get", "formaction") if name in given]
        own = {"style", "srcdoc"} | {name for name in given if re.match(r"on[a-z]+$", name)}
        self.wrong += [f"{tag} {name}" for name in own & set(given)]
        if tag in ("object", "embed", "iframe", "base") or (
            tag in ("script", "style") and "src" not in given and given.get("type") != "application/json"
        ):
            self.wrong.append(f"<{tag}>")
        if tag == "form":
            method = "post" if "hx-post" in given else given.get("method", "get").lower()
            self.forms.append(Form(given.get("action") or given.get("hx-post", ""), method))
        if self.forms and given.get("name"):
            kind = given.get("type", "text") if tag == "input" else tag
            if tag in ("input", "textarea", "button", "select"):
                self.forms[-1].fields.append((given["name"], kind, given.get("value", "")))
                self._named = given["name"] if tag == "select" else ""
        if tag == "option" and self._named and self.forms and given.get("value"):
            self.forms[-1].fields.append((self._named, "option", given["value"]))


@dataclass(frozen=True)
class Answer:
    who: str
    how: str
    url: str
    route: str
    status: int
    headers: dict[str, str]
    text: str

    @property
    def is_page(self) -> bool:
        return "html" in self.headers.get("Content-Type", "")

    def __str__(self) -> str:
        return f"{self.who} {self.how} {self.url} {self.status}"


def route_of(url: str) -> str:
    try:
        return resolve(urlsplit(url).path).route
    except Resolver404:
        return ""


def told(who: str, how: str, url: str, response: HttpResponse) -> Answer:
    parts = response.streaming_content if response.streaming else [response.content]  # type: ignore[attr-defined]
    text = b"".join(parts).decode(errors="replace")
    return Answer(who, how, url, route_of(url), response.status_code, dict(response.items()), text)


def harm(cast: Cast) -> None:
    """Rows in every table that a page shows, with the sign wherever words can stand."""
    cast.ada.groups.set(Group.objects.filter(name__in=ROLES))
    at = timezone.now() - timedelta(hours=30)
    handoffs = {
        state: make_handoff(state, None if state in ("queued", "incomplete") else cast.femke, at=at)
        for state in ("queued", "incomplete", "accepted", "working", "deferred", "rejected", "assigned")
    }
    lead = handoffs["assigned"].lead
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planted, "MARK", SIGN)
        planted.plant(lead, handoffs["assigned"])
    Finding.objects.update(check_code=next(iter(Code)), past=[])
    one = made.made("Warehouse")
    made.attempt(made.delivery(one, "dead", **made.of(handoffs["accepted"])))
    made.call(one, "refused", body=f'{{"name": "{SIGN}"}}'.encode())
    make_proposal(cast.otto, at, why=SIGN)
    Territory.objects.create(slug="dach", name="DACH", conditions={"all": []})
    NamedList.objects.create(slug="big", name="Big", values=[SIGN])
    keys.make_key("A key", ["read"], NOW)
    for model in apps.get_models():
        if model._meta.app_label in ("routing", "leads", "metrics"):
            for column in model._meta.concrete_fields:
                if isinstance(column, models.CharField | models.TextField) and column.name in WORDS:
                    mark(model, column)


def mark(model: type[models.Model], column: models.Field[Any, Any]) -> None:
    if column.choices:
        return
    for number in model._default_manager.values_list("pk", flat=True)[:20]:
        # What the database keeps as it is, it keeps.
        with suppress(DatabaseError), transaction.atomic():
            model._default_manager.filter(pk=number).update(
                **{column.name: f"{SIGN}{number}"[: column.max_length]}
            )


class Walk:
    """Follows every link of a kind once, and sends every form once."""

    def __init__(self, who: str, client: Client) -> None:
        self.who, self.client = who, client
        client.raise_request_exception = False
        self.seen: set[Any] = set()
        self.pages: list[Answer] = []
        self.sent: list[Answer] = []
        self.wrong: list[str] = []

    def go(self) -> None:
        todo = ["/", "/status/", "/help/", "/admin/", "/api/v1/docs", "/api/v1/openapi.json"]
        while todo:
            url = todo.pop(0)
            answer = told(self.who, "GET", url, self.client.get(url))
            self.pages.append(answer)
            if "Location" in answer.headers:
                todo += self.new([urljoin(url, answer.headers["Location"])])
            if answer.is_page:
                page = Page(answer.text)
                todo += self.new([urljoin(url, link) for link in page.links])
                for form in page.forms:
                    self.send(url, form)

    def new(self, links: list[str]) -> Iterator[str]:
        for link in links:
            at = urlsplit(link)
            if at.scheme or at.netloc or not (route := route_of(link)) or route.endswith(SKIPPED):
                continue
            # One page of a kind: by the route, and by what its address asks for.
            key = (route, () if route.startswith("admin/") else tuple(sorted(parse_qs(at.query))))
            if key not in self.seen and sum(seen[0] == route for seen in self.seen) < EACH_ROUTE:
                self.seen.add(key)
                yield link.partition("#")[0]

    def send(self, url: str, form: Form) -> None:
        action = urljoin(url, form.action or url).partition("#")[0]
        key = ("post", route_of(action), tuple(sorted({name for name, _, _ in form.fields})))
        if form.method != "post" or key in self.seen:
            return
        self.seen.add(key)
        if "csrfmiddlewaretoken" not in key[2] and not action.startswith("/go/"):
            self.wrong.append(f"{url}: the form to {action} has no token")
        data: dict[str, Any] = dict(FOREIGN)
        for name, kind, value in form.fields:
            data[name] = filled(kind, value, data.get(name))
        cookies, before = self.client.cookies.copy(), facts()
        with transaction.atomic():
            answer = told(self.who, "POST", action, self.client.post(action, data))
            # Who manages accounts makes admins there, and nowhere else.
            if not action.startswith("/admin/") and facts() != before:
                self.wrong.append(f"{answer}: somebody became somebody else")
            transaction.set_rollback(True)
        self.client.cookies = cookies
        self.sent.append(answer)


def filled(kind: str, value: str, before: Any) -> Any:
    """What is sent in a field: harm where words are asked for, else what stands there."""
    if kind == "file":
        return SimpleUploadedFile(f"{SIGN}.csv", f"email,name\na@b.de,{SIGN}\n".encode())
    if kind in ("text", "textarea", "search"):
        return f"{SIGN}\r\nX-Evil: 1\r\n\r\n=1+1"
    return value or before or ""


def facts() -> list[Any]:
    """What no form outside the admin changes by fields that it does not have."""
    columns = ("pk", "is_superuser", "is_staff", "is_active", "email", "password")
    groups = User.groups.through.objects.order_by("pk").values_list("user_id", "group_id")
    handoffs = Handoff.objects.filter(Q(state="converted") | Q(is_history=True)).count()
    return [*User.objects.order_by("pk").values_list(*columns), *groups, handoffs]
