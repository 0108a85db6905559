"""The web process: waitress on a socket that the supervisor opened and lends.

Owns how requests are served and how the process leaves: on SIGTERM it takes no new connection, finishes
and flushes the requests it has, and goes. Never opens a port itself and never touches the worker.
"""

import select
import signal
import socket
import sys
import time
from types import FrameType
from typing import Any

import waitress
from django.conf import settings

from handoff_site import lifeline
from handoff_site.wsgi import application

THREADS = 8
# Larger than any body the API takes (it answers 413 itself), small enough not to fill a disk.
LARGEST_BODY = 32 * 1024 * 1024
# Shorter than the supervisor's grace, which ends in a kill.
DRAIN_SECONDS = 5.0


def adjustments(listener: socket.socket) -> dict[str, Any]:
    """waitress's settings. The proxy's headers count only where the settings say there is a proxy."""
    chosen: dict[str, Any] = {
        "sockets": [listener],
        "threads": THREADS,
        "ident": None,
        "max_request_body_size": LARGEST_BODY,
        "connection_limit": 1000,
        "asyncore_use_poll": hasattr(select, "poll"),
        # In a debug run the demo cards have to see that a proxy spoke; it is believed in nothing.
        "clear_untrusted_proxy_headers": not settings.DEBUG,
    }
    if settings.SECURE_PROXY_SSL_HEADER:
        chosen |= {
            "trusted_proxy": "*",
            "trusted_proxy_count": settings.PROXY_COUNT,
            "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto"},
        }
    return chosen


def serve(listener: socket.socket) -> None:
    """Serve the site on the listening socket until SIGTERM, then drain for at most DRAIN_SECONDS."""
    server = waitress.create_server(application, **adjustments(listener))
    asked: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        server.pull_trigger()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    while not asked:
        _turn(server, 1.0)
    server.accepting = False
    deadline = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < deadline and any(
        channel.requests or channel.total_outbufs_len for channel in list(server.active_channels.values())
    ):
        _turn(server, 0.05)
    server.task_dispatcher.shutdown(timeout=1)
    server.close()


def _turn(server: Any, seconds: float) -> None:
    """One round of waitress's loop, at most so long."""
    server.asyncore.loop(timeout=seconds, use_poll=server.adj.asyncore_use_poll, map=server._map, count=1)


if __name__ == "__main__":
    lifeline.hold()
    serve(socket.socket(fileno=int(sys.argv[1])))
