"""HTTP/1.1 with keep-alive over the standard library's threading server, with a parser of its own.

The stdlib's handler parses headers with the e-mail parser and writes line by line; this one reads the few
things the doubles need and writes an answer with one send, which makes it several times quicker. It knows
neither systems nor faults: `answer_call` gives an Answer, or None for a socket that is closed without one.
"""

from __future__ import annotations

import contextlib
import http
import socket
import socketserver
import threading
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from typing import Any

from tests.doubles.wire import Answer, Call

LONGEST_BODY = 64 * 1024 * 1024
LONGEST_LINE = 64 * 1024
PHRASES = {status.value: status.phrase for status in http.HTTPStatus}
AnswerCall = Callable[[Call], Answer | None]


class Server(ThreadingHTTPServer):
    """One thread a connection; remembers its connections, so that stopping ends them too."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, host: str, port: int, answer_call: AnswerCall) -> None:
        self.answer_call = answer_call
        self.open: set[socket.socket] = set()
        super().__init__((host, port), Conversation)

    def server_bind(self) -> None:
        # Without HTTPServer's look-up of the machine's name, which can take seconds.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Conversation(socketserver.StreamRequestHandler):
    """One connection: calls and answers until either side is done."""

    disable_nagle_algorithm = True
    rbufsize = 64 * 1024
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.open.add(self.connection)

    def finish(self) -> None:
        self.server.open.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def handle(self) -> None:
        try:
            while self._exchange():
                pass
        except (OSError, ValueError):
            return

    def _exchange(self) -> bool:
        """One call; whether another may follow."""
        line = self.rfile.readline(LONGEST_LINE)
        if line in (b"\r\n", b"\n"):
            line = self.rfile.readline(LONGEST_LINE)
        words = line.split()
        if len(words) != 3:
            return False
        method, target, version = words[0].decode("latin-1"), words[1].decode("latin-1"), words[2]
        headers = self._headers()
        call = Call(method, *_target(target), headers, self._body(headers))
        given = self.server.answer_call(call)
        if given is None:
            # Closed hard, so that the other side sees a reset and no orderly end.
            self.connection.shutdown(socket.SHUT_RDWR)
            return False
        wants = headers.get("connection", "").lower()
        stays = wants != "close" and (version == b"HTTP/1.1" or wants == "keep-alive")
        self._write(given, stays, without_body=method == "HEAD")
        if given.cut:
            self.connection.shutdown(socket.SHUT_RDWR)
        return stays and not given.cut

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        while (line := self.rfile.readline(LONGEST_LINE)) not in (b"\r\n", b"\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        return headers

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("expect", "").lower() == "100-continue":
            self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunks()
        length = int(headers.get("content-length") or 0)
        if not 0 <= length <= LONGEST_BODY:
            raise ValueError("the body is too long")
        body = self.rfile.read(length) if length else b""
        if len(body) != length:
            raise ValueError("the body ended early")
        return body

    def _chunks(self) -> bytes:
        body = bytearray()
        while size := int(self.rfile.readline(LONGEST_LINE).split(b";")[0], 16):
            if len(body) + size > LONGEST_BODY:
                raise ValueError("the body is too long")
            body += self.rfile.read(size)
            self.rfile.readline(LONGEST_LINE)
        self._headers()
        return bytes(body)

    def _write(self, given: Answer, stays: bool, without_body: bool) -> None:
        head = [f"HTTP/1.1 {given.status} {PHRASES.get(given.status, 'Unknown')}"]
        head += [f"{name}: {value}" for name, value in given.headers.items()]
        if given.status != 204:
            head.append(f"Content-Length: {len(given.body)}")
        if not stays:
            head.append("Connection: close")
        raw = ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")
        body = b"" if without_body or given.status == 204 else given.body
        self.connection.sendall(raw + (body[: len(body) // 2] if given.cut else body))


def _target(target: str) -> tuple[str, str]:
    """Path and query of a request's target, which may be a whole URL."""
    if "://" in target[:8]:
        target = "/" + target.split("://", 1)[1].partition("/")[2]
    path, _, query = target.partition("?")
    return path, query


def serve(host: str, port: int, answer_call: AnswerCall) -> tuple[Server, threading.Thread]:
    """A server that answers from now on, in a thread of its own; port 0 takes a free one."""
    server = Server(host, port, answer_call)
    # The poll interval is how long stopping takes at most.
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="doubles", daemon=True)
    thread.start()
    return server, thread
