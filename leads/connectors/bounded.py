"""A network stream that knows until when its call may take, whatever the other side does.

Owns the end of a call, which reads, writes and handshakes share: who sends a byte every few seconds never
meets a timeout that counts from the last one. Decides nothing about what is sent.
"""

from __future__ import annotations

import ssl
import time
from typing import Any

import httpcore

# Written in parts, so that a slow reader meets the end as well.
PART = 64 * 1024


class Deadline:
    """When the present call ends, on the monotonic clock; none before the first."""

    def __init__(self) -> None:
        self._ends: float | None = None

    def set(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def left(self, timeout: float | None) -> float | None:
        """This timeout, or what is left of the call when that is less. Raises httpcore.ReadTimeout."""
        if self._ends is None:
            return timeout
        left = self._ends - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the call has taken its time")
        return left if timeout is None else min(timeout, left)


class BoundedStream(httpcore.NetworkStream):
    """A stream all of whose operations end with the call."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), PART):
            self._inner.write(buffer[start : start + PART], self._deadline.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        inner = self._inner.start_tls(ssl_context, server_hostname, self._deadline.left(timeout))
        return BoundedStream(inner, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
