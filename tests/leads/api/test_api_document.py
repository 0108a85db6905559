"""The OpenAPI document, its page, and problems for whatever else goes wrong under /api/v1."""

import re

import jsonschema_rs
import pytest
from django.test import Client

from leads.api import docs, examples
from leads.api.acting import VERBS
from tests.factories import route_to
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
        assert {"200", "401", "403", "429", "500", "503", *asks} <= operation["responses"].keys(), name
        for code, response in operation["responses"].items():
            kinds = {"200": {"application/json"}, "304": set()}.get(code, {"application/problem+json"})
            assert response.get("content", {}).keys() == kinds, name
        if name.startswith("POST"):
            assert operation["requestBody"]["required"], name
            assert {"400", "413", "415"} <= operation["responses"].keys(), name
        if "{handoff_id}/" in name:
            assert {"404", "409", "412"} <= operation["responses"].keys(), name
        if name.startswith("GET /api/v1/handoffs"):
            assert operation["responses"]["200"]["headers"].keys() == {"ETag", "Cache-Control"}, name
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


def test_code_in_words_is_code_and_nothing_else_is_markup():
    assert docs.coded("`a` and <b> `c&`") == "<code>a</code> and &lt;b&gt; <code>c&amp;</code>"
    assert docs.coded("") == ""


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


def bodies(document):
    """Each example with the schema it stands under, by operation, side and title."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts = {"sent": operation.get("requestBody", {}), **operation["responses"]}
            for side, part in parts.items():
                for content in part.get("content", {}).values():
                    shown = {"": {"value": content["example"]}} if "example" in content else {}
                    for title, example in {**shown, **content.get("examples", {})}.items():
                        yield f"{method} {path} {side} {title}", example["value"], content["schema"]


def test_every_example_is_one(document):
    found = list(bodies(document))
    assert len(found) > 60
    for name, value, schema in found:
        wrong = jsonschema_rs.validator_for({**schema, "components": document["components"]}).iter_errors(
            value
        )
        assert [error.message for error in wrong] == [], name


def test_the_events_shown_are_answered_as_shown(cast, keyed):
    route_to(cast.femke)
    wrong = {**examples.ACTIVITY, "id": "map-2026-11-22-0003", "data": {"lead": {"first_name": "Ada"}}}
    send = keyed("intake").post
    first, second = send("/intake", [examples.EVENT, wrong]).data["results"]
    assert (first["id"], first["status"]) == (examples.ANSWER["id"], "processed")
    assert second == examples.BATCH_ANSWER["results"][1]
    assert send("/intake", examples.ACTIVITY).data["status"] == "processed"


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_the_acts_shown_are_bodies_of_their_verbs(verb):
    assert verb.body.model_validate(examples.ACTS[verb.name]).model_dump(exclude_none=True).keys() == (
        examples.ACTS[verb.name].keys()
    )
    # Every member that the verb knows is shown, but for the revision, which any may have.
    assert verb.body.model_fields.keys() - {"revision"} == examples.ACTS[verb.name].keys()


def test_every_link_leads_to_an_operation_that_takes_it(document):
    operations = {op["operationId"]: op for methods in document["paths"].values() for op in methods.values()}
    links = [
        link
        for operation in operations.values()
        for link in operation["responses"]["200"].get("links", {}).values()
    ]
    assert len(links) == 1 + 2 + 13 + 13
    for link in links:
        known = {parameter["name"] for parameter in operations[link["operationId"]]["parameters"]}
        assert link["parameters"].keys() <= known
