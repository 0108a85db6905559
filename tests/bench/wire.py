"""Clients that cost little: raw sockets, requests made in advance, answers read by their length.

A connection is kept open where the server keeps it. On two cores the clients share the machine with the
server; what they use up is missing there. So they parse nothing but the status line and Content-Length.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

BODILESS = (204, 304)
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """The bytes of a request; underscores in names of headers stand for hyphens."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes


class Client:
    """One connection that is kept open and opened anew when the server closes it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._socket: socket.socket | None = None

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def send(self, raw: bytes) -> Answer:
        """Send a request and read its answer. Raises OSError, and ValueError for what is no answer."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=300)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(raw)
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._read()
        head = data[: end + 2]
        status = int(head[9:12])
        found = _LENGTH.search(head)
        if found is None and status not in BODILESS:
            raise ValueError(f"an answer without a length: {head[:200]!r}")
        length = int(found[1]) if found is not None else 0
        parts, missing = [data[end + 4 :]], length - len(data) + end + 4
        while missing > 0:
            more = self._read()
            parts.append(more)
            missing -= len(more)
        if b"\r\nconnection: close" in head.lower():
            self.close()
        return Answer(status, b"".join(parts))

    def _read(self) -> bytes:
        assert self._socket is not None
        data = self._socket.recv(262_144)
        if not data:
            raise ValueError("the server hung up in the middle of an answer")
        return data


class Wrong(Exception):
    """An answer that makes the figure worthless."""


def expect(answer: Answer, *statuses: int) -> Answer:
    if answer.status not in (statuses or (200,)):
        raise Wrong(f"status {answer.status}: {answer.body[:400]!r}")
    return answer


def timed(client: Client, raw: bytes, *statuses: int) -> float:
    """Milliseconds that one request takes."""
    start = time.perf_counter()
    answer = client.send(raw)
    took = (time.perf_counter() - start) * 1000
    expect(answer, *statuses)
    return took


def flood(
    port: int, clients: int, seconds: float, requests: Callable[[int], Iterator[bytes]], *statuses: int
) -> tuple[int, float]:
    """Requests of many clients at once until time or requests are up; how many were answered, in how long."""
    done = [0] * clients
    wrong: list[BaseException] = []
    ready = threading.Barrier(clients + 1)
    stop = threading.Event()

    def work(number: int) -> None:
        with Client(port) as client:
            ready.wait()
            try:
                for raw in requests(number):
                    if stop.is_set():
                        return
                    expect(client.send(raw), *statuses)
                    done[number] += 1
            except (OSError, ValueError, Wrong) as error:
                wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(clients)]
    for thread in threads:
        thread.start()
    ready.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join(max(0.0, start + seconds - time.perf_counter()))
    stop.set()
    for thread in threads:
        thread.join(300)
    took = time.perf_counter() - start
    if wrong:
        raise Wrong(str(wrong[0])) from wrong[0]
    return sum(done), took


def dealt(requests: Sequence[bytes], clients: int) -> Callable[[int], Iterator[bytes]]:
    """Each request once, dealt to the clients like cards."""
    return lambda number: iter(requests[number::clients])


def repeated(raw: bytes) -> Callable[[int], Iterator[bytes]]:
    """The same request without end."""

    def forever(number: int) -> Iterator[bytes]:
        while True:
            yield raw

    return forever
