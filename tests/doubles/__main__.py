"""`python -m tests.doubles --port N`: the doubles in a process of their own, until it is told to end."""

from __future__ import annotations

import argparse
import os
import signal
import threading

from tests.doubles.running import Doubles


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.doubles", description="Doubles of the outer systems."
    )
    parser.add_argument("--port", type=int, default=8300)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--seed", type=int, default=1, help="what chance begins with")
    parser.add_argument(
        "--webhooks-to",
        action="append",
        default=[],
        metavar="SYSTEM=URL",
        help="where mautic or hubspot sends its webhooks; may be given for each",
    )
    parser.add_argument(
        "--with-parent", action="store_true", help="end when whoever started this process has ended"
    )
    asked = parser.parse_args()
    parent = os.getppid()
    targets = dict(each.split("=", 1) if "=" in each else ("", each) for each in asked.webhooks_to)
    if not set(targets) <= {"mautic", "hubspot"}:
        parser.error("--webhooks-to: give mautic=URL or hubspot=URL")
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    try:
        started = Doubles(asked.host, asked.port, asked.seed)
    except OSError as error:
        parser.error(f"--port {asked.port}: {error.strerror or error}")
    with started as doubles:
        for system, url in targets.items():
            doubles.systems[system].seed({"webhooks": url})
        print(f"The doubles answer on {doubles.url}", flush=True)
        while not done.wait(0.5):
            if asked.with_parent and os.getppid() != parent:
                break


if __name__ == "__main__":
    main()
