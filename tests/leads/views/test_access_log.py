"""The access log's page and file: narrowed, harmless, and for admins alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from leads import access_log, keys
from leads.models import AccessEntry
from leads.presenters import access_log as presenter
from tests.conftest import NOW, Cast
from tests.leads.connectors.conftest import make_connection
from tests.leads.views.asking import SignIn, file_of, html, queries, refuses, sent_to_sign_in

Kind = AccessEntry.Kind
URL = "/access/"


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def test_it_is_narrowed_by_its_address(as_: SignIn, cast: Cast) -> None:
    file = access_log.record(Kind.EXPORTED, NOW, cast.otto, about=("file", "leads.csv"), rows=1, whole=False)
    roles = access_log.record(
        Kind.ROLES_CHANGED, NOW, cast.ada, about=("person", cast.rosa.pk), given=["viewer"], taken=["rep"]
    )
    came = access_log.Origin("203.0.113.9", "r")
    failed = access_log.record(Kind.SIGN_IN_FAILED, NOW - timedelta(days=9), came=came)
    client = as_(cast.ada)
    for query, found in {
        "": [roles, file, failed],
        "kind=exported": [file],
        f"by={cast.ada.pk}": [roles],
        "by=nobody": [failed],
        f"about=person&number={cast.rosa.pk}": [roles],
        "since=2026-03-10": [roles, file],
        "until=2026-03-01": [failed],
    }.items():
        response = client.get(f"{URL}?{query}")
        assert [line.id for line in response.context["lines"]] == [row.pk for row in found], query
    body = html(client.get(URL))
    for words in (
        "file leads.csv", "1 row; broken off", "person Rosa Lindqvist", "given viewer; taken rep",
        "somebody unknown", "203.0.113.9", "no address",
    ):  # fmt: skip
        assert words in body, words
    assert "There is no such person" in html(client.get(f"{URL}?by=999"))
    assert "No entry fits." in html(client.get(f"{URL}?kind=signed"))


def test_a_connection_is_called_by_its_name_as_long_as_it_has_one(as_: SignIn, cast: Cast) -> None:
    row = make_connection(name="Our Mautic", slug="mautic")
    for about in (("connection", row.pk), ("connection", 999), ("connection", "x")):
        access_log.record(Kind.CONNECTION_CHANGED, NOW, cast.otto, about=about, changed=["made"])
    lines = as_(cast.ada).get(URL).context["lines"][-3:]
    assert [(line.about, line.more) for line in lines] == [
        ("connection x", "made"), ("connection 999", "made"), ("connection Our Mautic", "made"),
    ]  # fmt: skip


def test_how_somebody_signed_in_is_said_in_words_alone() -> None:
    """Former entries hold the name of a class beside it."""
    assert presenter.more({"backend": "handoff_site.sessions.Backend"}) == ""
    assert presenter.more({"backend": "x", "proof": "passkey"}) == "by passkey"
    assert presenter.more({"side": "sales"}) == "for sales"
    assert presenter.more({"changed": ["mapping", "secret"]}) == "mapping, secret"


def test_it_turns_its_pages(as_: SignIn, cast: Cast) -> None:
    rows = [access_log.record(Kind.SIGNED_IN, NOW, cast.femke) for _ in range(60)]
    client = as_(cast.ada)
    first = client.get(URL).context
    second = client.get(f"{URL}{first['more']}").context
    shown = [line.id for page in (first, second) for line in page["lines"]]
    assert shown == [row.pk for row in reversed(rows)]
    assert second["more"] == ""


def test_as_a_file_it_is_harmless_and_written_down(as_: SignIn, cast: Cast) -> None:
    cast.otto.name = "=HYPERLINK(1)"
    cast.otto.save()
    key, _ = keys.make_key("Loader", ["read"], NOW, created_by=cast.otto)
    lines = file_of(as_(cast.ada).get(f"{URL}access.csv?kind=key_made"))
    assert lines[1:] == [
        f"2026-03-10T10:00:00Z,Made an API key,'=HYPERLINK(1),{cast.otto.email},key,{key.pk},scopes read,,"
    ]
    last = AccessEntry.objects.order_by("-pk")[0]
    assert (last.kind, last.user, last.about_id, last.detail["rows"]) == (
        "exported",
        cast.ada,
        "access.csv",
        1,
    )


def test_others_find_nothing(as_: SignIn, cast: Cast, client: Client) -> None:
    pages = (URL, f"{URL}access.csv")
    sent_to_sign_in(client, *pages)
    for person in (cast.femke, cast.mia, cast.otto, cast.vera):
        refuses(as_(person), 404, get=pages, post=())
    refuses(as_(cast.ada), 405, post=pages)
    assert "Access log" in html(as_(cast.ada).get("/status/"))
    assert "Nothing has been written down so far." in html(as_(cast.ada).get(URL))


def test_the_cost_does_not_grow(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.ada)

    def write() -> None:
        key, _ = keys.make_key("Loader", ["read"], NOW)
        access_log.record(Kind.SIGNED_IN, NOW, None, api_key=key)
        access_log.record(Kind.ROLES_CHANGED, NOW, cast.ada, about=("person", cast.rosa.pk))

    write()
    one = queries(client, URL)
    write()
    write()
    assert queries(client, URL) == one
