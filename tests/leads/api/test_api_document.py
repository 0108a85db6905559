"""The OpenAPI document, its page, and problems for whatever else goes wrong under /api/v1."""

import re

import pytest
from django.test import Client

from leads.api import docs
from tests.leads.api.conftest import problem


@pytest.fixture
def document(client):
    response = client.get("/api/v1/openapi.json")
    assert response.status_code == 200 and response["Content-Type"] == "application/json"
    return response.json()


def references(value):
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_every_operation_is_there_with_its_failures(document):
    operations = {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    verbs = (
        "accept", "claim", "reject", "defer", "contact", "opportunity", "disqualify", "note", "reassign",
        "waive", "recheck", "discard", "resume",
    )  # fmt: skip
    assert operations.keys() == {
        "POST /api/v1/intake",
        "GET /api/v1/handoffs",
        "GET /api/v1/handoffs/{handoff_id}",
        "GET /api/v1/metrics",
        "GET /api/v1/events",
        "GET /api/v1/events/{type_name}.json",
        *(f"POST /api/v1/handoffs/{{handoff_id}}/{verb}" for verb in verbs),
    }
    for name, operation in operations.items():
        assert operation["security"] == [{"BearerKey": []}], name
        assert operation["summary"] and operation["description"], name
        asks = {"422"} if operation.get("parameters") or operation.get("requestBody") else set()
        assert {"200", "401", "403", "429", "500", *asks} <= operation["responses"].keys(), name
        for code, response in operation["responses"].items():
            kind = "application/json" if code == "200" else "application/problem+json"
            assert response["content"].keys() == {kind}, name
        if name.startswith("POST"):
            assert operation["requestBody"]["required"], name
            assert {"400", "413", "415"} <= operation["responses"].keys(), name
    assert "409" in operations["POST /api/v1/handoffs/{handoff_id}/accept"]["responses"]
    ids = [operation["operationId"] for operation in operations.values()]
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere(document):
    named = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) <= named


def test_the_page_shows_every_operation_without_script_or_style(client, document):
    response = client.get("/api/v1/docs")
    assert response.status_code == 200
    page = response.content.decode()
    for path in document["paths"]:
        assert path in page
    for name in document["components"]["schemas"]:
        assert f'id="schema-{name}"' in page
    assert "<script" not in page and "<style" not in page and " style=" not in page
    assert not re.search(r'(src|href)="(https?:)?//', page)
    assert "unsafe" not in response["Content-Security-Policy"]
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert links - set(re.findall(r'id="([^"]+)"', page)) == set()


A = {"$ref": "#/components/schemas/A"}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string", "maxLength": 5}, "string (at most 5)"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
        (
            {"type": "array", "items": {"$ref": "#/components/schemas/A"}, "maxItems": 3},
            "list of A, at most 3",
        ),
        ({"enum": ["", "a"]}, "one of \u201c\u201d, a"),
        ({"const": "1.0"}, "\u201c1.0\u201d"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "object of integer"),
        ({}, "anything"),
    ],
)
def test_a_schema_in_words(schema, words):
    assert docs.kind(schema).words == words


@pytest.mark.parametrize("path", ["/", "/nothing", "/handoffs/", "/handoffs/1/accept/x", "/intake/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_path_is_a_problem(keyed, path, method):
    problem(keyed("read", "act", "intake")(method, path), 404)


def test_what_django_itself_refuses_is_a_problem_too():
    response = Client().get("/api/v1/handoffs", headers={"Host": "evil.example"})
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json" and response.json()["status"] == 400


def test_other_pages_keep_their_own_words(client):
    assert client.get("/nowhere/")["Content-Type"].startswith("text/html")
