"""Keys, secrets, roles and files of personal data want a proof that is not old; then one goes on."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
import time_machine
from django.test import Client

from leads.models import ApiKey, Connection
from leads.views.proof import PROVED
from routing.models import User
from tests.conftest import NOW, PASSWORD, Cast
from tests.factories import make_handoff, make_lead

SignIn = Callable[[User], Client]
AGAIN = "/login/again/"


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOW, tick=False) as travelled:
        yield travelled


def asked(answer: Any) -> bool:
    return answer.status_code == 302 and answer["Location"].startswith(AGAIN)


def carried(answer: Any) -> str:
    found = re.search(r'name="kept" value="([^"]+)"', answer.content.decode())
    assert found is not None
    return html.unescape(found[1])


@pytest.fixture
def connection(cast: Cast) -> Connection:
    return Connection.objects.create(
        kind=Connection.Kind.WEBHOOK, name="House", slug="house", created_by=cast.ada, created_at=NOW
    )


def test_what_wants_a_proof_and_for_how_long(
    cast: Cast, as_: SignIn, clock: Any, connection: Connection
) -> None:
    lead = make_lead()
    make_handoff("assigned", cast.femke)
    secret = (
        "/integrations/keys/", "/integrations/new/webhook/", "/integrations/house/edit/",
        "/admin/leads/apikey/add/", f"/admin/routing/user/{cast.femke.pk}/change/",
        f"/admin/routing/user/{cast.femke.pk}/password/", "/admin/routing/user/add/",
    )  # fmt: skip
    exported = (
        "/leads/leads.csv", "/handoffs/handoffs.csv", "/completion/completion.csv",
        "/duplicates/duplicates.csv", "/dashboard/loop.csv", f"/leads/{lead.pk}/held/",
        f"/leads/{lead.pk}/held.json", "/dashboard/handoffs/?format=csv",
        "/access/access.csv",
    )  # fmt: skip
    ada = as_(cast.ada)
    for after, wanted in (
        (timedelta(minutes=15), ()),
        (timedelta(minutes=1), secret),
        (timedelta(hours=11, minutes=44), secret),
        (timedelta(minutes=1), secret + exported),
    ):
        clock.shift(after)
        found = {path: ada.get(path) for path in secret + exported}
        assert {path for path, answer in found.items() if asked(answer)} == set(wanted)
        assert {answer.status_code for path, answer in found.items() if path not in wanted} <= {200}
    # Lists and pages go on, and so does what is figures alone.
    for path in ("/leads/", "/integrations/", "/integrations/house/", "/dashboard/figures.csv"):
        assert ada.get(path).status_code == 200
    # Who may not is not asked but refused.
    otto = as_(cast.otto)
    clock.shift(timedelta(days=1))
    assert otto.get("/integrations/keys/").status_code == 404
    assert as_(cast.femke).get("/completion/completion.csv").status_code == 404


def test_one_goes_on_where_one_was(cast: Cast, as_: SignIn, clock: Any) -> None:
    femke = as_(cast.femke)
    clock.shift(timedelta(hours=13))
    path = "/leads/leads.csv?q=a&sort=name"
    answer = femke.get(path)
    assert answer["Location"] == f"{AGAIN}?next={quote(path, safe='')}"
    page = femke.get(answer["Location"]).content.decode()
    assert f'value="{html.escape(path)}"' in page
    wrong = femke.post(AGAIN, {"password": "wrong", "next": path})
    assert (wrong.status_code, "not your password" in wrong.content.decode()) == (422, True)
    assert asked(femke.get(path))
    assert femke.post(AGAIN, {"password": PASSWORD, "next": path})["Location"] == path
    assert femke.get(path).status_code == 200
    assert femke.post(AGAIN, {"password": PASSWORD, "next": "//evil.example.com"})["Location"] == "/"
    assert Client().get(AGAIN).status_code == 302
    assert Client().post(AGAIN, {"password": PASSWORD}).status_code in (302, 401)


def test_nothing_that_was_typed_is_lost(cast: Cast, as_: SignIn, clock: Any) -> None:
    ada, form = as_(cast.ada), {"name": "Warehouse", "scope": ["read", "act"]}
    assert ada.get("/integrations/keys/").status_code == 200
    # The form was shown in time: it may be sent for an hour.
    clock.shift(timedelta(minutes=74))
    assert asked(ada.get("/integrations/keys/"))
    assert "The key" in ada.post("/integrations/keys/", form | {"name": "First"}).content.decode()
    clock.shift(timedelta(minutes=2))
    late = ada.post("/integrations/keys/", form)
    assert late.status_code == 403
    assert "is kept" in late.content.decode()
    page = ada.post(AGAIN, {"password": PASSWORD, "kept": carried(late)}).content.decode()
    assert page.count('name="scope"') == 2
    assert not ApiKey.objects.filter(name="Warehouse").exists()
    assert ada.post("/integrations/keys/", form).status_code == 200
    assert ApiKey.objects.get(name="Warehouse").scopes == ["read", "act"]


def test_a_secret_is_not_carried_and_a_press_leads_back(
    cast: Cast, as_: SignIn, clock: Any, connection: Connection
) -> None:
    otto = as_(cast.otto)
    clock.shift(timedelta(hours=2))
    typed = {"secret-own": "whsec_hush", "seen": "0"}
    late = otto.post("/integrations/house/rotate/", typed)
    assert late.status_code == 403
    page = otto.post(AGAIN, {"password": PASSWORD, "kept": carried(late)}).content.decode()
    assert "hush" not in page
    clock.shift(timedelta(hours=2))
    bare = otto.post("/integrations/house/rotate/", HTTP_REFERER="http://testserver/integrations/house/")
    assert bare["Location"] == f"{AGAIN}?next=%2Fintegrations%2Fhouse%2F"
    quick = otto.get(
        "/integrations/house/edit/", headers={"HX-Request": "true", "HX-Current-URL": "http://x/a?b=1"}
    )
    assert quick["HX-Redirect"] == f"{AGAIN}?next=%2Fa%3Fb%3D1"


def test_guessing_here_is_guessing(cast: Cast, as_: SignIn, settings: Any) -> None:
    femke = as_(cast.femke)
    said = [femke.post(AGAIN, {"password": "wrong"}).status_code for _ in range(9)]
    assert said == [422] * 7 + [429] * 2
    assert femke.post(AGAIN, {"password": PASSWORD}).status_code == 429


def test_a_session_of_before_has_no_proof(cast: Cast, as_: SignIn) -> None:
    ada = as_(cast.ada)
    session = ada.session
    assert PROVED in session
    session[PROVED] = "never"
    session.save()
    assert asked(ada.get("/integrations/keys/"))


def test_what_it_was_to_bring_back_outlives_the_session(cast: Cast, as_: SignIn, clock: Any) -> None:
    ada, form = as_(cast.ada), {"name": "Warehouse", "scope": ["read", "act"]}
    clock.shift(timedelta(hours=2))
    late = carried(ada.post("/integrations/keys/", form))
    ada.post("/logout/")
    page = ada.post(AGAIN, {"password": PASSWORD, "next": "/triage/", "kept": late})
    assert page.status_code == 401
    assert carried(page) == late
    # With nothing to bring back, one signs in and is home: neither a password nor a code is carried.
    for path, sent in ((AGAIN, {"password": "x", "next": "/a"}), (f"{AGAIN}second/", {"code": "1234-5678"})):
        page = Client().post(path, sent)
        assert page.status_code == 401
        assert 'name="kept"' not in page.content.decode()
