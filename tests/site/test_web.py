"""The web process: it leaves no request unanswered, and believes a proxy only where there is one."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from handoff_site.web import LARGEST_BODY, THREADS
from tests.processes import ROOT

# The real server around a small application: slow and large on /slow, else what it was told of the client.
PROGRAM = """
import json, socket, time, django
from handoff_site import web

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    if environ["PATH_INFO"] == "/slow":
        time.sleep(1)
        return [b"x" * 3_000_000]
    names = ("REMOTE_ADDR", "wsgi.url_scheme", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST")
    return [json.dumps({name: environ.get(name) for name in names}).encode()]

web.application = application
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
web.serve(listener)
"""


class Web:
    def __init__(self, **environment: str) -> None:
        environment = {"DEBUG": "0"} | environment
        environment |= {"DJANGO_SETTINGS_MODULE": "handoff_site.settings", "SECRET_KEY": "for-tests-only"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, **environment}, cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def get(self, path: str, **headers: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(
            "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )
        return connection.getresponse().read()


@pytest.fixture
def started() -> Iterator[list[Web]]:
    """Every server in the list is ended with the test."""
    made: list[Web] = []
    yield made
    for web in made:
        web.process.kill()
        web.process.wait()


def test_a_stop_waits_for_the_answer_that_is_under_way(started: list[Web]) -> None:
    web = Web()
    started.append(web)
    answers: list[bytes] = []
    client = threading.Thread(target=lambda: answers.append(web.get("/slow")))
    client.start()
    time.sleep(0.4)
    began = time.monotonic()
    web.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    with pytest.raises(OSError):
        web.get("/")
    client.join(timeout=60)
    assert [len(answer) for answer in answers] == [3_000_000]
    assert web.process.wait(timeout=60) == 0
    assert time.monotonic() - began < 20


def test_an_idle_server_stops_at_once(started: list[Web]) -> None:
    web = Web()
    started.append(web)
    web.get("/")
    began = time.monotonic()
    web.process.send_signal(signal.SIGTERM)
    assert web.process.wait(timeout=60) == 0
    assert time.monotonic() - began < 5


FORGED = {"X_Forwarded_For": "203.0.113.9", "X_Forwarded_Proto": "https", "X_Forwarded_Host": "evil.example"}


def test_without_a_proxy_its_headers_are_dropped(started: list[Web]) -> None:
    web = Web()
    started.append(web)
    assert json.loads(web.get("/", **FORGED)) == {
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "HTTP_X_FORWARDED_PROTO": None,
        "HTTP_X_FORWARDED_HOST": None,
    }


def test_in_a_debug_run_the_demo_door_sees_that_a_proxy_spoke(started: list[Web]) -> None:
    web = Web(DEBUG="1")
    started.append(web)
    assert json.loads(web.get("/", **FORGED)) == {
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "HTTP_X_FORWARDED_PROTO": "https",
        "HTTP_X_FORWARDED_HOST": "evil.example",
    }


def test_behind_a_proxy_its_word_counts_for_address_and_scheme_only(started: list[Web]) -> None:
    web = Web(TRUST_PROXY="1")
    started.append(web)
    assert json.loads(web.get("/", **FORGED)) == {
        "REMOTE_ADDR": "203.0.113.9",
        "wsgi.url_scheme": "https",
        "HTTP_X_FORWARDED_PROTO": "https",
        "HTTP_X_FORWARDED_HOST": None,
    }


def test_slow_bodies_hold_nobody_up_and_large_ones_are_not_read(started: list[Web]) -> None:
    """More half bodies than there are threads wait, and others are answered: a request is worked on once it
    is whole. What says that it is too large is refused at its first lines."""
    web = Web()
    started.append(web)
    head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n"
    slow = [socket.create_connection(("127.0.0.1", web.port), timeout=10) for _ in range(THREADS * 3)]
    for line in slow:
        line.sendall(head.format(1000).encode() + b"half a body")
    assert json.loads(web.get("/"))["REMOTE_ADDR"] == "127.0.0.1"
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as large:
        large.sendall(head.format(LARGEST_BODY + 1).encode())
        assert large.recv(100).startswith(b"HTTP/1.1 413 ")
    for line in slow:
        line.close()
