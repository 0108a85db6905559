"""A form that was sent after the session ended: kept through sign-in, shown, sent only by a press."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
import time_machine
from django.http import HttpResponse
from django.test import Client

from leads.models import Handoff
from tests.conftest import NOW, PASSWORD, Cast
from tests.factories import make_handoff

TYPED = {"until": "2026-03-20T09:00+00:00", "explanation": 'After <the> "fair"'}


@pytest.fixture
def mine(cast: Cast) -> Handoff:
    return make_handoff("assigned", cast.femke)


def _carried(response: HttpResponse) -> str:
    found = re.search(r'name="kept" value="([^"]+)"', response.content.decode())
    assert found is not None
    return html.unescape(found[1])


def _sign_in(client: Client, email: str, carried: str, password: str = PASSWORD) -> HttpResponse:
    return client.post("/login/", {"username": email, "password": password, "kept": carried})


def _send(client: Client, mine: Handoff) -> HttpResponse:
    return client.post(f"/handoffs/{mine.pk}/defer/", TYPED)


def test_what_was_sent_is_asked_about_after_signing_in(client: Client, cast: Cast, mine: Handoff) -> None:
    asked = _send(client, mine)
    assert asked.status_code == 401
    assert 'action="/login/"' in asked.content.decode()
    page = _sign_in(client, cast.femke.email, _carried(asked))
    words = page.content.decode()
    assert page.status_code == 200
    assert f'action="/handoffs/{mine.pk}/defer/"' in words
    assert "After &lt;the&gt; &quot;fair&quot;" in words
    mine.refresh_from_db()
    assert mine.state == "assigned"


def test_pressing_then_does_it(client: Client, cast: Cast, mine: Handoff) -> None:
    page = _sign_in(client, cast.femke.email, _carried(_send(client, mine)))
    pairs = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.content.decode())
    fields = {name: html.unescape(value) for name, value in pairs}
    assert fields["explanation"] == TYPED["explanation"]
    with time_machine.travel(NOW + timedelta(minutes=5), tick=False):
        assert client.post(f"/handoffs/{mine.pk}/defer/", fields).status_code == 302
    mine.refresh_from_db()
    assert mine.state == "deferred"


def test_a_wrong_password_loses_nothing(client: Client, cast: Cast, mine: Handoff) -> None:
    carried = _carried(_send(client, mine))
    again = _sign_in(client, cast.femke.email, carried, "not this one")
    assert _carried(again) == carried


def test_somebody_elses_lead_stays_theirs(client: Client, cast: Cast, mine: Handoff) -> None:
    page = _sign_in(client, cast.rosa.email, _carried(_send(client, mine)))
    assert page.status_code == 200
    assert _send(client, mine).status_code == 404


def test_after_an_hour_one_starts_anew(client: Client, cast: Cast, mine: Handoff) -> None:
    with time_machine.travel(NOW, tick=False):
        carried = _carried(_send(client, mine))
    with time_machine.travel(NOW + timedelta(minutes=61), tick=False):
        assert _sign_in(client, cast.femke.email, carried).status_code == 302


@pytest.mark.parametrize("carried", ["", "nonsense", "e30:1abc:xyz"])
def test_what_is_not_ours_is_ignored(client: Client, cast: Cast, carried: str) -> None:
    assert _sign_in(client, cast.femke.email, carried).status_code == 302


@pytest.mark.parametrize(
    "data", [{}, {"note": "x" * 20_001}, {"password": "hush"}, {"new_password1": "hush"}]
)
def test_nothing_too_much_and_no_secret_is_kept(client: Client, mine: Handoff, data: dict[str, str]) -> None:
    response = client.post(f"/handoffs/{mine.pk}/reject/", data)
    assert response.status_code == 302
    assert response["Location"].startswith("/login/")


def test_what_needs_no_token_is_never_kept(client: Client, cast: Cast) -> None:
    assert client.post("/go/some-token/", {"note": "from elsewhere"}).status_code == 302


def test_htmx_keeps_its_page(client: Client, mine: Handoff) -> None:
    response = client.post(f"/handoffs/{mine.pk}/defer/", TYPED, headers={"HX-Request": "true"})
    assert response.status_code == 401
    assert "HX-Redirect" not in response
