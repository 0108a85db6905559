"""The catalogue of events: on a page, and as JSON for whoever holds a key."""

from __future__ import annotations

import json

import jsonschema_rs
import pytest
from django.test import Client

from leads import keys
from leads.connectors import signatures
from leads.outbox import catalogue, examples
from tests.leads.connectors.conftest import SECRET
from tests.leads.views.asking import html, refuses, sent_to_sign_in
from tests.leads.views.integrations.made import NOW, PAGE

pytestmark = pytest.mark.django_db
URL, API = f"{PAGE}events/", "/api/v1/events"


@pytest.fixture(autouse=True)
def _now(time_machine):
    time_machine.move_to(NOW, tick=False)


def get(path: str, *scopes: str):
    _, plain = keys.make_key("Reader", scopes, NOW) if scopes else (None, "")
    return Client().get(path, headers={"Authorization": f"Bearer {plain}"} if plain else {})


@pytest.mark.parametrize("name", catalogue.ALL_TYPES)
def test_each_example_is_as_its_schema_says(name):
    jsonschema_rs.validator_for(catalogue.schema(name)).validate(examples.example(name))
    assert examples.words(name)


@pytest.mark.parametrize("scope", keys.SCOPES)
def test_any_key_in_force_reads_the_catalogue(scope):
    answer = get(API, scope)
    assert answer.status_code == 200
    found = answer.json()["results"]
    assert [one["type"] for one in found] == list(catalogue.ALL_TYPES)
    assert found[3]["example"] == examples.example("handoff.accepted")
    assert found[3]["schema_url"].endswith("/api/v1/events/handoff.accepted.json")


def test_a_schema_by_its_address():
    answer = get(f"{API}/handoff.accepted.json", "act")
    assert (answer.status_code, answer.json()) == (200, catalogue.schema("handoff.accepted"))
    answer = get(f"{API}/handoff.nonsense.json", "act")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


def test_without_a_key_or_with_a_revoked_one_nothing():
    assert get(API).status_code == 401
    key, plain = keys.make_key("Gone", ["read"], NOW)
    keys.revoke(key, NOW)
    assert Client().get(API, headers={"Authorization": f"Bearer {plain}"}).status_code == 401


def test_both_are_in_the_document():
    paths = Client().get("/api/v1/openapi.json").json()["paths"]
    assert set(paths["/api/v1/events"]["get"]["responses"]) == {"200", "401", "403", "429", "500", "503"}
    assert "404" in paths["/api/v1/events/{type_name}.json"]["get"]["responses"]


def test_the_page_says_it_all(cast, as_):
    body = html(as_(cast.otto).get(URL))
    for name in catalogue.ALL_TYPES:
        assert f'id="{name}"' in body
    assert "&quot;revision&quot;: 4" in body and "hmac.compare_digest" in body


def test_the_python_that_is_shown_verifies_ours_and_nothing_else():
    shown: dict = {}
    exec(examples.VERIFYING.replace("time.time()", str(NOW.timestamp())), shown)
    said = json.dumps(examples.example("handoff.accepted")).encode()
    former = signatures.new_secret()
    signed = signatures.headers([SECRET, former], "msg_1", NOW, said)
    assert shown["verify"](SECRET, signed, said) and shown["verify"](former, signed, said)
    assert not shown["verify"](signatures.new_secret(), signed, said)
    assert not shown["verify"](SECRET, signed, said + b" ")
    assert not shown["verify"](SECRET, {**signed, "webhook-id": "msg_2"}, said)
    assert not shown["verify"](SECRET, {**signed, "webhook-timestamp": str(int(NOW.timestamp()) - 301)}, said)


def test_others_find_nothing(cast, as_, client):
    sent_to_sign_in(client, URL)
    for person in (cast.femke, cast.mia, cast.vera):
        refuses(as_(person), 404, get=(URL,))
    refuses(as_(cast.otto), 405, post=(URL,))
