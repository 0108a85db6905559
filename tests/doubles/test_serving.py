"""The server and the faults of requests: keep-alive, framing, sockets closed before, midway and after."""

import json
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests import doubles
from tests.doubles import Doubles

CONTACTS = "/crm/objects/2026-09/contacts"


def patch(client: httpx.Client, status: str) -> httpx.Response:
    return client.patch(CONTACTS + "/101", json={"properties": {"hs_lead_status": status}})


@pytest.fixture
def contact(outer: Doubles) -> None:
    outer.hubspot.seed({"contacts": [{"id": 101, "email": "jane@acme.example"}]})


def talk(outer: Doubles, raw: bytes) -> bytes:
    """What comes back over a socket until the other side closes."""
    with socket.create_connection(("127.0.0.1", outer.port), timeout=5) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_two_calls_on_one_connection(outer: Doubles) -> None:
    one = b"POST /slack/hook HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n" + b'{"text":"hi"}'
    assert talk(outer, one + one).count(b"HTTP/1.1 200 OK\r\n") == 2
    assert [message.value for message in outer.slack.messages] == [{"text": "hi"}] * 2


def test_a_connection_closes_when_asked(outer: Doubles) -> None:
    one = b"POST /slack/hook HTTP/1.1\r\nConnection: close\r\nContent-Length: 13\r\n\r\n" + b'{"text":"hi"}'
    said = talk(outer, one + one)
    assert said.count(b"HTTP/1.1 200") == 1
    assert b"Connection: close\r\n" in said


def test_a_body_in_chunks(outer: Doubles) -> None:
    head = b"POST /slack/hook HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    talk(outer, head + b'6\r\n{"text\r\n7;x=y\r\n":"hi"}\r\n0\r\n\r\n')
    assert [message.value for message in outer.slack.messages] == [{"text": "hi"}]


def test_an_expectation_is_answered(outer: Doubles) -> None:
    head = b"POST /slack/hook HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 13\r\n\r\n"
    assert talk(outer, head + b'{"text":"hi"}').startswith(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
    )


@pytest.mark.parametrize(
    "raw", [b"nonsense\r\n\r\n", b"GET /slack/hook HTTP/1.1\r\nContent-Length: x\r\n\r\n", b""]
)
def test_what_is_no_http_ends_the_connection(outer: Doubles, raw: bytes) -> None:
    assert talk(outer, raw) == b""


def test_an_unknown_system(control: httpx.Client) -> None:
    assert control.get("/oracle/x").status_code == 404


@pytest.mark.usefixtures("contact")
@pytest.mark.parametrize(("drop", "effect"), [("before", []), ("after", ["OPEN"])])
def test_a_socket_closes_without_an_answer(
    outer: Doubles, hubspot: httpx.Client, drop: str, effect: list[str]
) -> None:
    outer.fault(system="hubspot", match="PATCH", drop=drop)
    with pytest.raises(httpx.RemoteProtocolError):
        patch(hubspot, "OPEN")
    assert outer.hubspot.contacts["101"].written("hs_lead_status") == effect
    assert patch(hubspot, "CONNECTED").status_code == 200
    assert [(entry.status, entry.fault) for entry in outer.log.of("hubspot")] == [(0, 1), (200, 0)]


@pytest.mark.usefixtures("contact")
def test_an_answer_breaks_off(outer: Doubles, hubspot: httpx.Client) -> None:
    outer.fault(system="hubspot", match="PATCH", drop="midway")
    with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
        patch(hubspot, "OPEN")
    assert outer.hubspot.contacts["101"].written("hs_lead_status") == ["OPEN"]


@pytest.mark.usefixtures("contact")
def test_an_answer_is_lost_though_the_effect_stands(outer: Doubles, hubspot: httpx.Client) -> None:
    outer.fault(system="hubspot", match="PATCH", kind="gateway_timeout", apply=True)
    answer = patch(hubspot, "OPEN")
    assert (answer.status_code, answer.headers["content-type"]) == (504, "text/html")
    assert outer.hubspot.contacts["101"].written("hs_lead_status") == ["OPEN"]


@pytest.mark.usefixtures("contact")
def test_a_fault_says_what_it_was_told(outer: Doubles, hubspot: httpx.Client) -> None:
    outer.fault(system="hubspot", status=418, body={"a": 1}, headers={"Retry-After": "7"})
    outer.fault(system="hubspot", status=200, body="<html>")
    teapot, page = patch(hubspot, "OPEN"), patch(hubspot, "OPEN")
    assert (teapot.status_code, teapot.json(), teapot.headers["retry-after"]) == (418, {"a": 1}, "7")
    assert (page.status_code, page.text) == (200, "<html>")
    assert outer.hubspot.contacts["101"].written("hs_lead_status") == []


@pytest.mark.usefixtures("contact")
def test_a_fault_waits_strikes_and_ends(outer: Doubles, hubspot: httpx.Client) -> None:
    outer.fault(system="hubspot", kind="locked", skip=1, times=2)
    assert [patch(hubspot, "OPEN").status_code for _ in range(4)] == [200, 423, 423, 200]


@pytest.mark.usefixtures("contact")
def test_a_fault_stays_until_it_is_lifted(outer: Doubles, hubspot: httpx.Client) -> None:
    outer.fault(system="hubspot", kind="unavailable", times=-1)
    assert [patch(hubspot, "OPEN").status_code for _ in range(3)] == [503, 503, 503]
    outer.faults.clear()
    assert patch(hubspot, "OPEN").status_code == 200


@pytest.mark.usefixtures("contact")
def test_a_fault_looks_at_path_and_body(outer: Doubles, hubspot: httpx.Client) -> None:
    outer.fault(system="hubspot", match="PATCH .*contacts/101$", body_match="CONNECTED", kind="validation")
    statuses = [patch(hubspot, status).status_code for status in ("OPEN", "CONNECTED", "CONNECTED")]
    assert statuses == [200, 400, 200]


@pytest.mark.usefixtures("contact")
def test_chance_is_the_same_for_the_same_seed(outer: Doubles, hubspot: httpx.Client) -> None:
    def struck(seed: int) -> list[int]:
        outer.faults.clear(seed)
        outer.fault(system="hubspot", kind="server_error", times=-1, probability=0.5)
        return [patch(hubspot, "OPEN").status_code for _ in range(30)]

    first = struck(7)
    assert first == struck(7)
    assert first != struck(8)
    assert Counter(first).keys() == {200, 500}


@pytest.mark.usefixtures("contact")
def test_a_slow_answer_holds_up_no_other(outer: Doubles, hubspot: httpx.Client) -> None:
    outer.fault(system="hubspot", match="GET", delay_ms=400)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(httpx.get, str(hubspot.base_url) + CONTACTS[1:] + "/101", headers=hubspot.headers)
        began = time.perf_counter()
        while not outer.log.under_way["hubspot"]:
            assert time.perf_counter() - began < 5
        assert patch(hubspot, "OPEN").status_code == 200
        assert not slow.done()
        assert slow.result().status_code == 200
    assert outer.log.of("hubspot", method="GET")[0].ms >= 400
    assert outer.log.peak["hubspot"] == 2


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"system": "oracle"}, "system"),
        ({"system": "hubspot", "kind": "nope"}, "kind"),
        ({"kind": "locked"}, "kind"),
        ({"system": "hubspot", "items": [0]}, "kind"),
        ({"system": "hubspot", "items": [0], "kind": "daily"}, "kind"),
        ({"drop": "sometimes"}, "drop"),
        ({"colour": "red"}, "colour"),
        ({"match": "("}, ""),
    ],
)
def test_a_senseless_fault_is_refused(control: httpx.Client, fault: dict[str, object], says: str) -> None:
    answer = control.post("/__fault", json=fault)
    assert answer.status_code == 400
    assert says in answer.json()["error"]
    assert control.get("/__fault").json() == {"faults": []}


@pytest.mark.parametrize("system", ["mautic", "hubspot", "salesforce", "slack", "teams", "hooks"])
def test_every_kind_of_refusal_is_an_error(outer: Doubles, system: str) -> None:
    for kind in outer.systems[system].REFUSALS:
        given = outer.systems[system].refusal(kind)
        assert 300 <= given.status < 600, kind
        if "json" in given.headers.get("Content-Type", ""):
            json.loads(given.body)


def test_a_stopped_server_ends_its_connections() -> None:
    started = doubles.start()
    with httpx.Client(base_url=started.url) as client:
        assert client.post("/hooks/x", json={}).status_code == 200
        started.stop()
        with pytest.raises(httpx.TransportError):
            client.post("/hooks/x", json={})


def test_many_at_once_lose_nothing(outer: Doubles, hubspot: httpx.Client) -> None:
    outer.hubspot.seed({"generate": 40})
    ids = list(outer.hubspot.contacts.all)

    def write(number: int) -> int:
        body = {"properties": {"handoff_revision": number}}
        return hubspot.patch(f"{CONTACTS}/{ids[number % 40]}", json=body).status_code

    with ThreadPoolExecutor(8) as pool:
        assert Counter(pool.map(write, range(400))) == {200: 400}
    written = [value for record in outer.hubspot.contacts for value in record.written("handoff_revision")]
    assert Counter(written) == Counter(str(number) for number in range(400))
    assert outer.log.counts["hubspot", 200] == 400
