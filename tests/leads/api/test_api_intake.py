"""POST /intake: works, wrong method, no key or another's scope, what is not taken, twice; and its limits."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from leads.models import Handoff, Lead, Receipt
from tests.factories import event, route_to
from tests.leads.api.conftest import problem

MIB = 1024 * 1024


@pytest.fixture
def send(cast, keyed):
    route_to(cast.femke, cast.jonas)
    return keyed("intake")


def test_one_event_is_answered_with_its_result(send, cast):
    response = send.post("/intake", event(1))
    assert response.status_code == 200
    answer = response.data
    assert answer["id"] == "ev-1" and answer["status"] == "processed" and answer["errors"] == []
    assert answer["lead"] == {
        "id": str(Lead.objects.get().pk),
        "url": f"http://127.0.0.1:8000/leads/{Lead.objects.get().pk}/",
    }
    assert answer["handoff"]["state"] == "assigned" and answer["handoff"]["assignee"] == cast.femke.email
    assert answer["handoff"].keys() == {
        "id", "url", "state", "lead_type", "trigger", "mql_at", "assignee", "queue", "rule", "ruleset",
        "missing", "clock_started_at", "accept_due_at", "contact_due_at", "next_due_at", "revision",
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["application/json", "application/cloudevents-batch+json; charset=utf-8"])
def test_an_array_is_answered_in_order_and_a_bad_event_spoils_none(send, kind):
    body = [event(1), event(2, id=""), "nothing", event(3)]
    response = send.post("/intake", body, kind=kind)
    assert response.status_code == 200
    results = response.data["results"]
    assert [result["status"] for result in results] == ["processed", "invalid", "invalid", "processed"]
    assert [error["pointer"] for error in results[1]["errors"]] == ["/id"]
    assert Handoff.objects.count() == Receipt.objects.count() == 2
    assert send.post("/intake", [], kind=kind).data == {"results": []}


def test_a_single_event_by_its_own_content_type(send):
    assert send.post("/intake", event(1), kind="application/cloudevents+json").data["status"] == "processed"
    body = problem(send.post("/intake", [event(2)], kind="application/cloudevents+json"), 422)
    assert body["errors"][0]["code"] == "not_an_object"
    body = problem(send.post("/intake", event(2), kind="application/cloudevents-batch+json"), 422)
    assert body["errors"][0]["code"] == "not_an_array"


def test_sent_twice_it_is_a_duplicate_with_the_first_answer(send):
    first = send.post("/intake", event(1)).data
    again = send.post("/intake", [event(1)]).data["results"][0]
    assert again == {**first, "status": "duplicate"}
    assert Handoff.objects.count() == 1


@pytest.mark.parametrize(
    "number", ["1e3", "1E+3", "1.0", "-0.0", "1e-7", "0.1000000000000000055511151231257827"]
)
def test_the_same_bytes_are_a_plain_duplicate_however_their_numbers_are_written(send, number):
    raw = json.dumps(event(1) | {"ours": "NUMBER"}).replace('"NUMBER"', number).encode()
    first = send.post("/intake", raw=raw).data
    assert first["status"] == "processed"
    assert send.post("/intake", raw=raw).data == {**first, "status": "duplicate"}
    assert Receipt.objects.get().differing_repeats == 0


def test_an_invalid_event_alone_is_refused_with_pointers(send):
    body = problem(
        send.post("/intake", event(1, time="yesterday", lead={"email": "", "external_ids": []})), 422
    )
    assert body["errors"][0]["pointer"] == "/time"
    body = problem(send.post("/intake", event(1, lead={"first_name": "a\x00b"})), 422)
    assert body["errors"] == [
        {
            "pointer": "/data/lead/first_name",
            "code": "control_character",
            "detail": "Control characters are not allowed.",
        }
    ]
    body = problem(send.post("/intake", event(1, type="lead.merged")), 422)
    assert [(e["pointer"], e["code"]) for e in body["errors"]] == [("/data/merged_from", "missing")]
    assert not Receipt.objects.exists()


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_other_methods_are_refused_and_say_what_is_allowed(send, method):
    response = send(method, "/intake")
    problem(response, 405)
    assert response["Allow"] == "POST"


def test_without_a_key_or_with_anothers_scope(cast, keyed):
    response = keyed().post("/intake", event(1))
    problem(response, 401)
    assert response["WWW-Authenticate"] == "Bearer"
    problem(keyed().post("/intake", event(1), Authorization="Bearer nonsense"), 401)
    problem(keyed().post("/intake", event(1), Authorization="Basic YTpi"), 401)
    body = problem(keyed("read", "act").post("/intake", event(1)), 403)
    assert body["scope"] == "intake"
    assert not Lead.objects.exists()


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b" ", "not_json"),
        (b"{", "not_json"),
        (b"\xff\xfe{}", "not_utf8"),
        (b'{"id": "1", "id": "2"}', "duplicate_member"),
        (b'{"n": NaN}', "not_json"),
        (b'{"n": -Infinity}', "not_json"),
        (b'{"n": 1e999}', "number_too_large"),
        (b'{"n": 9223372036854775808}', "number_too_large"),
        (b'{"n": ' + b"9" * 500_000 + b"}", "number_too_large"),
        (b"[" * 200_000, "too_deep"),
        (b'{"a":' * 100_000, "too_deep"),
    ],
)
def test_what_is_not_json_as_we_take_it(send, raw, code):
    assert problem(send.post("/intake", raw=raw), 400)["errors"][0]["code"] == code


@pytest.mark.parametrize("depth", [9, 200, 900])
def test_what_is_nested_deeply_crashes_nothing(send, depth):
    deep = "x"
    for _ in range(depth):
        deep = [deep]
    raw = json.dumps({**event(1), "extra": "DEEP"}).replace('"DEEP"', "[" * depth + "]" * depth).encode()
    response = send.post("/intake", raw=raw)
    assert response.status_code in (400, 422), response.content
    assert not Lead.objects.exists()


def test_content_types_that_are_not_taken(send):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", ""):
        response = send.post("/intake", event(1), kind=kind)
        problem(response, 415)
    problem(send.post("/intake", event(1), Content_Encoding="gzip"), 415)
    assert not Lead.objects.exists()


def test_what_is_too_large(send):
    """1 MiB for one, 4 MiB and 500 events for a batch; exactly that much is taken."""

    def padded(size: int) -> bytes:
        one = json.dumps(event(1)).encode()
        return one + b" " * (size - len(one))

    assert send.post("/intake", raw=padded(MIB)).status_code == 200
    problem(send.post("/intake", raw=padded(MIB + 1)), 413)
    problem(send.post("/intake", raw=padded(MIB + 1), kind="application/cloudevents+json"), 413)
    batch = json.dumps([event(2)]).encode()
    batch += b" " * (4 * MIB - len(batch))
    assert send.post("/intake", raw=batch).status_code == 200
    problem(send.post("/intake", raw=batch + b" "), 413)
    problem(send.post("/intake", [{}] * 501), 413)
    assert len(send.post("/intake", [{}] * 500).data["results"]) == 500


def test_hostile_ids_come_back_as_they_were(send):
    response = send.post("/intake", raw=json.dumps([{**event(1), "id": "\ud800", "x": "<script>"}]).encode())
    assert response.data["results"][0]["status"] == "invalid"


def test_a_quiet_key_tells_nobody(cast, keyed):
    route_to(cast.femke)
    assert keyed("intake", is_quiet=True).post("/intake", event(1)).data["handoff"]["state"] == "assigned"
    assert Handoff.objects.get().is_quiet


def test_a_failure_of_ours_is_a_problem_and_keeps_nothing(send, monkeypatch):
    def breaks(*args, **options):
        raise RuntimeError("database on fire")

    monkeypatch.setattr("leads.intake.receiving._receipts", breaks)
    body = problem(send.post("/intake", event(1)), 500)
    assert "fire" not in json.dumps(body)
    assert not Lead.objects.exists()


def test_one_event_and_three_cost_the_same_queries(send):
    send.post("/intake", event())

    def queries(count: int) -> int:
        with CaptureQueriesContext(
            connection,
        ) as found:
            assert send.post("/intake", [event() for _ in range(count)]).status_code == 200
        return len(found)

    assert queries(1) == queries(3)
