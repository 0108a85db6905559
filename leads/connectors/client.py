"""The one HTTP client of all connectors: bounded, guarded, without redirects and without retries.

Owns a call and its answer as plain values. Whether and when to try again is the outbox's; what an answer
means is the connector's. Never logs a header, a body or an address with a query.
"""

from __future__ import annotations

import json
import re
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from types import TracebackType
from typing import Any

import httpcore
import httpx
from django.utils import timezone

from leads.connectors.addresses import Forbidden, GuardedBackend, checked_url
from leads.connectors.bounded import Deadline

MOST_BYTES = 4 * 1024 * 1024
TIMEOUT = httpx.Timeout(20.0, connect=10.0)
# A call as a whole, from looking the name up to the last byte of the answer.
CALL_SECONDS = 25.0


class Unreachable(Exception):
    """No answer came, or none that could be taken. The message is fit for a page and holds no secret."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    milliseconds: int

    def json(self) -> Any:
        """The body as JSON. Raises Unreachable: an answer that can't be read is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Unreachable(f"The answer ({self.status}) is not JSON.") from None

    def text(self, most: int = 500) -> str:
        return self.body[:most].decode("utf-8", "replace")

    def retry_after(self) -> timedelta | None:
        """What `Retry-After` asks for, in seconds or as a date; None without one that can be read."""
        raw = self.headers.get("retry-after", "").strip()
        if re.fullmatch("[0-9]{1,9}", raw):
            return timedelta(seconds=min(int(raw), 7 * 86400))
        try:
            return max(timedelta(0), parsedate_to_datetime(raw) - timezone.now()) if raw else None
        except (ValueError, TypeError, OverflowError):
            return None


@cache
def _authorities() -> ssl.SSLContext:
    """Whose certificates are believed; reading them takes longer than a call, so they are read once."""
    return httpx.create_ssl_context(trust_env=False)


class _Transport(httpx.BaseTransport):
    """httpx over connections that are checked when they are made."""

    def __init__(self, allowed: Sequence[str] | None, deadline: Deadline) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=_authorities(),
            max_connections=20,
            max_keepalive_connections=10,
            keepalive_expiry=30,
            network_backend=GuardedBackend(allowed, deadline),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not isinstance(request.stream, httpx.SyncByteStream):
            raise TypeError("only plain bodies are sent")
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Stream(answer))

    def close(self) -> None:
        self._pool.close()


class _Stream(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class Http:
    """A client for one system. Use as a context manager; it keeps its connections while it is open. `made` is
    how many calls it has begun."""

    def __init__(
        self, base_url: str = "", *, timeout: httpx.Timeout = TIMEOUT, allowed: Sequence[str] | None = None
    ) -> None:
        self._base = base_url.rstrip("/")
        self._allowed = allowed
        self._deadline = Deadline()
        self._ends: float | None = None
        self.made = 0
        self._client = httpx.Client(
            transport=_Transport(allowed, self._deadline),
            timeout=timeout,
            follow_redirects=False,
            trust_env=False,
            headers={"User-Agent": "Handoff", "Accept-Encoding": "identity"},
        )

    def __enter__(self) -> Http:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def give(self, seconds: float) -> None:
        """All further calls together have so many seconds."""
        self._ends = time.monotonic() + seconds

    def call(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        data: Any = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """One call; `path` is added to the base address or is one of its own. `data` is sent as JSON.

        Raises Unreachable when no answer comes, and Forbidden for an address that may not be called.
        """
        url = path if path.startswith(("http://", "https://")) else f"{self._base}{path}"
        checked_url(url.partition("?")[0], allowed=self._allowed)
        began = time.monotonic()
        left = CALL_SECONDS if self._ends is None else min(CALL_SECONDS, self._ends - began)
        if left <= 0:
            raise Unreachable("There was no time left for this call.")
        self._deadline.set(left)
        self.made += 1
        # What one call was given to keep is nothing for the next.
        self._client.cookies.clear()
        sent = dict(headers or {})
        if data is not None:
            content = json.dumps(data, separators=(",", ":")).encode()
            sent.setdefault("Content-Type", "application/json")
        try:
            with self._client.stream(
                method, url, headers=sent, params=dict(params) if params else None, content=content, data=form
            ) as response:
                body = bytearray()
                for part in response.iter_raw():
                    body += part
                    if len(body) > MOST_BYTES:
                        raise Unreachable(f"The answer ({response.status_code}) is longer than is taken.")
                names = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, names, bytes(body), _since(began))
        except Forbidden:
            raise
        except (httpx.TimeoutException, httpcore.TimeoutException):
            raise Unreachable(f"No answer within {_since(began) / 1000:.0f} seconds.") from None
        except (
            httpx.HTTPError,
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpx.InvalidURL,
            OSError,
        ) as error:
            raise Unreachable(f"No answer: {type(error).__name__}.") from None


def _since(began: float) -> int:
    return int((time.monotonic() - began) * 1000)
