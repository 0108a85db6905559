"""The heartbeat out: after each good sweep, once a minute, bounded, and harmless when nobody listens."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from handoff_site import outside, tasks
from handoff_site.models import Heartbeat
from leads import tasks as leads_tasks

NOW = datetime(2026, 3, 10, 10, 0, 20, tzinfo=UTC)
Respond = Callable[[BaseHTTPRequestHandler], None]


def ok(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()


class Listener:
    """A monitor on 127.0.0.1 that answers as it is told and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.respond: Respond = ok
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                listener.asked.append((self.command, self.path))
                listener.respond(self)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def listener(settings: Any) -> Iterator[Listener]:
    made = Listener()
    settings.HEARTBEAT_URL = f"{made.url}/a-key"
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_good_sweep_is_told_outside(db: None, listener: Listener) -> None:
    assert tasks.sweep() == 0
    assert listener.asked == [("GET", "/a-key")]


def test_a_sweep_that_fails_is_not(db: None, listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> int:
        raise RuntimeError("no database")

    monkeypatch.setattr(leads_tasks, "sweep", broken)
    with pytest.raises(RuntimeError):
        tasks.sweep()
    assert listener.asked == []


def test_without_an_address_nothing_is_called_or_written(db: None, settings: Any) -> None:
    settings.HEARTBEAT_URL = ""
    assert outside.beat(NOW) is False
    assert not Heartbeat.objects.exists()


def test_at_most_once_in_a_minute(db: None, listener: Listener) -> None:
    moments = [NOW + timedelta(seconds=seconds) for seconds in (0, 1, 39, 40, 41, 99, 100)]
    assert [outside.beat(moment) for moment in moments] == [True, False, False, True, False, False, True]
    assert len(listener.asked) == 3


def answering(status: int, **headers: str) -> Respond:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()

    return respond


@pytest.mark.parametrize("status", [404, 500])
def test_what_it_answers_harms_nothing(
    db: None, listener: Listener, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    listener.respond = answering(status)
    with caplog.at_level(logging.WARNING):
        assert tasks.sweep() == 0
    assert f"answered {status}" in caplog.text
    assert "a-key" not in caplog.text


def test_it_goes_nowhere_else(db: None, listener: Listener, caplog: pytest.LogCaptureFixture) -> None:
    listener.respond = answering(302, Location=f"{listener.url}/elsewhere")
    assert outside.beat(NOW) is False
    assert listener.asked == [("GET", "/a-key")]
    assert "answered 302" in caplog.text


def test_nobody_there_harms_nothing(
    db: None, listener: Listener, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    listener.server.shutdown()
    listener.server.server_close()
    assert tasks.sweep() == 0
    assert "was not heard (ConnectError)" in caplog.text
    # The minute is used up all the same: one call a minute, not one a try.
    settings.HEARTBEAT_URL = "http://127.0.0.1:1/a-key"
    assert outside.beat(Heartbeat.objects.get().beat_at) is False
    assert caplog.text.count("was not heard") == 1


def test_an_answer_that_trickles_is_cut_off(
    db: None, listener: Listener, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done = threading.Event()

    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        try:
            # Each piece comes well within the limit; all of them together do not.
            while not done.wait(0.1):
                handler.wfile.write(b"X-More: y\r\n")
        except OSError:
            pass

    listener.respond = trickle
    monkeypatch.setattr(outside, "SECONDS", 0.5)
    began = time.monotonic()
    assert outside.beat(NOW) is False
    done.set()
    assert time.monotonic() - began < 5
    assert "no answer within 0.5 seconds" in caplog.text
