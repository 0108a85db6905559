"""The one HTTP client: bounded in bytes and in time, no redirects, plain values and plain words."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import time_machine
from django.utils.http import http_date

from leads.connectors import client
from leads.connectors.client import MOST_BYTES, Answer, Http, Unreachable
from leads.connectors.hubspot import calling as hubspot
from leads.connectors.salesforce import calling as salesforce
from leads.connectors.salesforce import sessions
from tests.conftest import NOW
from tests.leads.connectors.conftest import Played


def get(url: str, path: str = "/", **options) -> Answer:
    with Http(url) as http:
        return http.call("GET", path, **options)


@pytest.fixture
def raw(settings) -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """A server that does with each connection what a test says; gives its address."""
    settings.CONNECTOR_PRIVATE_HOSTS = ["127.0.0.1"]
    opened: list[socket.socket] = []

    def start(serve: Callable[[socket.socket], None]) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        opened.append(listener)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                opened.append(connection)
                try:
                    connection.recv(65536)
                    serve(connection)
                except OSError:
                    continue

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for one in opened:
        one.close()


def drip(parts: bytes, pause: float = 0.05) -> Callable[[socket.socket], None]:
    """Sends this for ever, a byte at a time."""

    def serve(connection: socket.socket) -> None:
        while True:
            for place in range(len(parts)):
                connection.sendall(parts[place : place + 1])
                time.sleep(pause)

    return serve


def test_a_call_and_its_answer_are_plain_values(played: Played):
    played.answer = lambda *_: (201, {"X-Id": "7"}, b'{"id": 7}')
    with Http(played.url + "/") as http:
        answer = http.call("PATCH", "/a", headers={"X-Key": "k"}, params={"q": "a b"}, data={"é": 1})
    assert (answer.status, answer.headers["x-id"], answer.json()) == (201, "7", {"id": 7})
    [(method, path, headers, body)] = played.calls
    assert (method, path, body) == ("PATCH", "/a?q=a+b", b'{"\\u00e9":1}')
    assert (headers["x-key"], headers["content-type"], headers["user-agent"]) == (
        "k", "application/json", "Handoff",
    )  # fmt: skip


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(played: Played, status):
    played.answer = lambda method, path, *_: (
        (status, {"Location": f"{played.url}/secret"}, b"") if path == "/" else (200, {}, b"reached")
    )
    assert get(played.url).status == status
    assert [path for _, path, _, _ in played.calls] == ["/"]


def test_cookies_of_an_answer_are_not_sent_elsewhere(played: Played):
    played.answer = lambda *_: (200, {"Set-Cookie": "a=b"}, b"")
    with Http(played.url) as http:
        http.call("GET", "/")
        http.call("GET", "/", headers={"X-Key": "k"})
    assert "cookie" not in played.calls[1][2]


@pytest.mark.parametrize("name", ["X-Bad\r\nInjected: 1", "X Bad"])
def test_a_header_that_would_be_two_is_not_sent(played: Played, name):
    with pytest.raises(Unreachable):
        get(played.url, headers={name: "1"})
    with pytest.raises(Unreachable):
        get(played.url, headers={"X-Good": "1\r\nInjected: 1"})
    assert played.calls == []


def test_an_answer_that_is_too_long_is_given_up_while_it_comes(played: Played):
    played.answer = lambda *_: (200, {}, b"x" * MOST_BYTES)
    assert len(get(played.url).body) == MOST_BYTES
    played.answer = lambda *_: (200, {}, b"x" * (MOST_BYTES + 1))
    with pytest.raises(Unreachable, match="longer than is taken"):
        get(played.url)


def test_an_answer_without_an_end_is_given_up(raw):
    def pour(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    with pytest.raises(Unreachable, match="longer than is taken"):
        get(raw(pour))


def test_a_packed_answer_is_not_unpacked(played: Played):
    """What unpacks to gigabytes stays as it came; nobody was told that we take it packed."""
    played.answer = lambda *_: (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b\x08")
    assert get(played.url).body == b"\x1f\x8b\x08"
    assert played.calls[0][2]["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "serve",
    [
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 1000),
        drip(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 1000),
        drip(b"HTTP/1.1 100 Continue\r\n\r\n", 0.01),
        lambda connection: time.sleep(30),
    ],
    ids=["body", "headers", "continue", "silence"],
)
def test_who_answers_slowly_or_never_is_given_up_when_the_call_has_had_its_time(raw, serve, monkeypatch):
    monkeypatch.setattr(client, "CALL_SECONDS", 0.5)
    url, began = raw(serve), time.monotonic()
    with pytest.raises(Unreachable, match="No answer within"):
        get(url)
    assert 0.4 < time.monotonic() - began < 1.5


def test_who_does_not_read_is_given_up_as_well(raw, monkeypatch):
    monkeypatch.setattr(client, "CALL_SECONDS", 0.5)
    url, began = raw(lambda connection: time.sleep(30)), time.monotonic()
    with pytest.raises(Unreachable), Http(url) as http:
        http.call("POST", "/", content=b"x" * 64 * 1024 * 1024)
    assert time.monotonic() - began < 1.5


def test_several_calls_share_what_they_were_given(played: Played):
    with Http(played.url) as http:
        http.give(60)
        assert http.call("GET", "/").status == 200
        http.give(0)
        with pytest.raises(Unreachable, match="no time left"):
            http.call("GET", "/")
    assert len(played.calls) == 1


def test_an_answer_that_is_none(raw):
    for said in (
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx",
    ):

        def serve(connection: socket.socket, said: bytes = said) -> None:
            connection.sendall(said)
            connection.close()

        with pytest.raises(Unreachable):
            get(raw(serve))


def test_nobody_listens(settings):
    settings.CONNECTOR_PRIVATE_HOSTS = ["127.0.0.1"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unreachable, match="No answer: ConnectError"):
        get(f"http://127.0.0.1:{port}")


def test_an_address_is_not_logged(played: Played, caplog):
    with caplog.at_level("INFO"):
        get(played.url, "/?sig=SECRET")
    assert "SECRET" not in caplog.text


def test_a_word_of_an_error_holds_no_secret(settings):
    settings.CONNECTOR_PRIVATE_HOSTS = ["127.0.0.1"]
    with pytest.raises(Unreachable) as error:
        get("http://127.0.0.1:9", "/?token=SECRET", headers={"Authorization": "SECRET"})
    assert "SECRET" not in str(error.value)


@pytest.mark.parametrize(
    ("said", "waits"),
    [
        ("120", 120), ("0", 0), (" 5 ", 5), ("9" * 9, 7 * 86400),
        (http_date((NOW + timedelta(seconds=90)).timestamp()), 90),
        (http_date((NOW - timedelta(days=1)).timestamp()), 0), ("", None), ("-5", None), ("1.5", None),
        ("9" * 5000, None), ("²", None), ("٣", None), ("soon", None), ("Tue, 99 Foo 2026", None),
        ("Tue, 10 Mar 99999 10:00:00 GMT", None), ("Tue, 10 Mar 2026 10:00:00", None),
    ],
)  # fmt: skip
def test_how_long_to_wait_is_read_in_both_forms_and_nonsense_is_none(said, waits):
    with time_machine.travel(NOW, tick=False):
        asked = Answer(429, {"retry-after": said}, b"", 1).retry_after()
    assert asked == (None if waits is None else timedelta(seconds=waits))


def test_an_answer_that_is_no_json_is_no_answer():
    for body in (b"<html>", b"", b"\xff\xfe", b"[" * 100_000):
        with pytest.raises(Unreachable, match="not JSON"):
            Answer(200, {}, body, 1).json()


@pytest.mark.parametrize("body", [b"[" * 100_000, b"<html>", b"\xff", b""])
def test_an_error_that_nobody_can_read_says_nothing(body: bytes) -> None:
    answer = Answer(400, {}, body, 5)
    assert (hubspot._told(answer), salesforce.told(answer)) == ({}, ("", ""))
    assert sessions._refusal(body, 400).endswith(" answers 400.")
    with pytest.raises(Unreachable, match="is not JSON"):
        answer.json()
