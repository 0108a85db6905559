"""API keys for admins: made and shown once, revoked, and nobody else's page."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from leads import keys
from leads.models import ApiKey
from tests.leads.views.asking import html, queries, refuses, sent_to_sign_in
from tests.leads.views.integrations.made import NOW, PAGE

pytestmark = pytest.mark.django_db
URL = f"{PAGE}keys/"


@pytest.fixture(autouse=True)
def _now(time_machine):
    time_machine.move_to(NOW, tick=False)


def test_a_key_is_made_shown_once_and_opens_what_it_says(cast, as_):
    client = as_(cast.ada)
    response = client.post(URL, {"name": " Data  loader ", "scope": ["read", "intake"], "quiet": "yes"})
    [plain] = re.findall(r'id="plain-key">([^<]+)<', html(response))
    assert "no-store" in response["Cache-Control"]
    key = ApiKey.objects.get()
    assert (key.name, key.scopes, key.is_quiet, key.created_by) == (
        "Data loader",
        ["intake", "read"],
        True,
        cast.ada,
    )
    assert key.digest == keys.digest(plain)
    said = Client().get("/api/v1/handoffs", headers={"Authorization": f"Bearer {plain}"})
    assert said.status_code == 200
    page = html(client.get(URL))
    assert (
        plain not in page and plain[: keys.SHOWN] in page and "Last used" in page and "by Ada Admin" in page
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "", "scope": ["read"]}, "A key needs a name"),
        ({"name": "x" * 101, "scope": ["read"]}, "at most 100 characters"),
        ({"name": "Loader"}, "A key needs at least one scope"),
        ({"name": "Loader", "scope": ["read", "everything"]}, "There is no scope everything"),
        ({"name": "Taken", "scope": ["read"]}, "A key of this name is in force already."),
    ],
)
def test_bad_input_says_what_and_keeps_what_was_typed(cast, as_, given, words):
    keys.make_key("Taken", ["read"], NOW)
    body = html(as_(cast.ada).post(URL, {**given, "quiet": "yes"}), 422)
    assert words in body and ApiKey.objects.count() == 1
    assert f'value="{given["name"][:100]}"' in body and 'name="quiet" value="yes" checked' in body
    assert ('value="read" checked' in body) == ("read" in given.get("scope", ()))


def test_revoked_it_opens_nothing_and_its_name_is_free(cast, as_):
    key, plain = keys.make_key("Loader", ["read"], NOW)
    client = as_(cast.ada)
    for _ in range(2):
        assert client.post(f"{URL}{key.pk}/revoke/")["Location"] == URL
    key.refresh_from_db()
    assert key.revoked_at == NOW
    assert Client().get("/api/v1/handoffs", headers={"Authorization": f"Bearer {plain}"}).status_code == 401
    body = html(client.get(URL))
    assert "No key is in force." in body and "Revoked <span" in body
    assert "plain-key" in html(client.post(URL, {"name": "Loader", "scope": ["read"]}))


def test_only_admins_find_it(cast, as_, client):
    key, _ = keys.make_key("Loader", ["read"], NOW)
    acts = (URL, f"{URL}{key.pk}/revoke/")
    sent_to_sign_in(client, URL)
    for person in (cast.femke, cast.mia, cast.otto, cast.vera):
        refuses(as_(person), 404, get=(URL,), post=acts)
    refuses(as_(cast.ada), 405, get=(f"{URL}{key.pk}/revoke/",))
    refuses(as_(cast.ada), 404, post=(f"{URL}999/revoke/",))
    key.refresh_from_db()
    assert key.revoked_at is None and ApiKey.objects.count() == 1


def test_the_cost_does_not_grow(cast, as_):
    client = as_(cast.ada)
    keys.make_key("One", ["read"], NOW, created_by=cast.ada)
    one = queries(client, URL)
    keys.make_key("Two", ["read"], NOW, created_by=cast.mia)
    key, _ = keys.make_key("Three", ["read"], NOW, created_by=cast.otto)
    keys.revoke(key, NOW)
    assert queries(client, URL) == one
