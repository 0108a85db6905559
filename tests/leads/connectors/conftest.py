"""Connections for tests, and a small server that other systems' parts can be played on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.conf import LazySettings

from leads import sealing
from leads.connectors.receiving import digest
from leads.models import Connection
from tests.conftest import NOW

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def make_connection(
    kind: str = "webhook", *, secrets: dict[str, str] | None = None, **fields: Any
) -> Connection:
    """An active connection; `hook` names the secret part of its address."""
    hook = fields.pop("hook", None)
    values = {
        "kind": kind,
        "name": f"{kind} {Connection.objects.count() + 1}",
        "slug": f"{kind}-{Connection.objects.count() + 1}",
        "is_active": True,
        # Without an address a webhook is owed nothing.
        "base_url": "https://hooks.example.com/in" if kind == "webhook" else "",
        "created_at": NOW,
        "rate": 1000,
        "burst": 100_000,
        "sealed": sealing.seal(secrets if secrets is not None else {"secret": SECRET}),
        "hook_digest": digest(hook) if hook else None,
    } | fields
    return Connection.objects.create(**values)


@dataclass
class Played:
    """A server whose answers a test chooses: `answer(method, path, headers, body)` gives (status, headers,
    body)."""

    url: str = ""
    calls: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    answer: Callable[[str, str, dict[str, str], bytes], tuple[int, dict[str, str], bytes]] = lambda *_: (
        200,
        {},
        b"",
    )


@pytest.fixture
def played(settings: LazySettings) -> Iterator[Played]:
    settings.CONNECTOR_PRIVATE_HOSTS = ["127.0.0.1"]
    state = Played()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            state.calls.append((self.command, self.path, headers, body))
            status, extra, content = state.answer(self.command, self.path, headers, body)
            self.send_response(status)
            for name, value in extra.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with suppress(OSError):
                # Who waits no longer has gone.
                self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()
