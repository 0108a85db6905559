"""kill -9 of every part of a running site, under load, as `make storm` runs it.

A sender posts events all the while, and sends again what was not answered, as senders do. Afterwards:
every acknowledged event is stored, each person has one lead and one handoff, nothing fired twice, and the
invariants hold. Recovery is measured from the kill to the answer (web) or the next heartbeat (worker).
SQLite by default; with DATABASE_URL on that PostgreSQL server, in a database of its own.
"""

import itertools
import json
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.factories import event
from tests.processes import Site, alive, descendants, kill, wait_for

THREE_MINUTES = 180.0
LANES, PAUSE = 3, 0.2

LONG_TASK = "from django_q.tasks import async_task; async_task('time.sleep', 20)"
COUNTS = """
import json
from django.db.models import Count
from leads.models import Event, FiredStep, Handoff, Lead, Notification, Receipt
twice = lambda rows, *by: rows.values(*by).annotate(n=Count("id")).filter(n__gt=1).count()
print(json.dumps({
    "receipts": Receipt.objects.count(),
    "leads": Lead.objects.count(),
    "handoffs": Handoff.objects.count(),
    "steps": FiredStep.objects.count(),
    "messages": Notification.objects.count(),
    "steps_twice": twice(FiredStep.objects, "handoff", "code", "window"),
    "opened_twice": twice(Event.objects.filter(kind="opened"), "handoff"),
    "told_twice": twice(Notification.objects, "handoff", "user", "kind", "data"),
}))
"""


class Sender:
    """Posts events from three threads, each event until it is acknowledged."""

    def __init__(self, site: Site, key: str) -> None:
        self.site, self.key = site, key
        self.threads = [
            threading.Thread(target=self.send, args=(lane,), daemon=True) for lane in range(LANES)
        ]
        self.acknowledged: dict[str, dict[str, Any]] = {}
        self.sent: list[dict[str, Any]] = []
        self.retries = 0
        self.refused: list[str] = []
        self.over = threading.Event()

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        """End the load; what was begun is still brought to its acknowledgment."""
        self.over.set()
        for thread in self.threads:
            thread.join(timeout=60)
            assert not thread.is_alive(), "a sender never got its answer"

    def send(self, lane: int) -> None:
        for number in itertools.count(lane, LANES):
            if self.over.is_set():
                return
            # The form was sent an hour ago: some steps of the ladder are due as soon as somebody holds it.
            made = event(number, at=datetime.now(UTC) - timedelta(hours=1), source="/storm")
            self.sent.append(made)
            while True:
                answer = self.post(made)
                if answer is not None:
                    self.acknowledged[made["id"]] = answer
                    break
                self.retries += 1
                time.sleep(0.1)
            self.over.wait(PAUSE)

    def post(self, made: dict[str, Any]) -> dict[str, Any] | None:
        """The answer, or None when none came or the site was in trouble: then a sender sends again."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.site.port}/api/v1/intake",
            data=json.dumps(made).encode(),
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/cloudevents+json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            if error.code < 500:
                self.refused.append(f"{error.code} {error.read()[:300]!r}")
            return None
        except (OSError, ValueError):
            return None


@pytest.fixture
def sender(site: Site) -> Iterator[Sender]:
    made = Sender(site, site.manage("create_api_key", "storm", "--scope", "intake").strip())
    yield made
    made.over.set()


def heartbeat_age(site: Site) -> float:
    """Seconds since the worker's last heartbeat; endless when there is none to be read."""
    answer = site.get("/readyz")[1]
    age = answer and answer["checks"].get("worker", {}).get("heartbeat_age")
    return float("inf") if age is None else age


def worker_in(site: Site, others: list[int], where: str) -> int:
    """The pid of a worker (not one of `others`) that waits in `where` in the kernel."""
    found = wait_for(
        lambda: [pid for pid in site.crew() if pid not in others and where in waits_in(pid)], THREE_MINUTES
    )
    return found[0]


def waits_in(pid: int) -> str:
    """The kernel's name for what a process waits in; "" when it has just gone."""
    try:
        return Path(f"/proc/{pid}/wchan").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def kill_and_measure(name: str, pid: int, back: Callable[[], bool]) -> float:
    """kill -9; the seconds until `back()`, at most three minutes."""
    began = time.monotonic()
    kill(pid)
    wait_for(lambda: not alive(pid), 5)
    wait_for(
        back, THREE_MINUTES - (time.monotonic() - began), f"no service three minutes after the kill of {name}"
    )
    took = time.monotonic() - began
    print(f"\n  kill -9 of {name}: service back after {took:.1f} s", end="", flush=True)
    return took


def beats_after(site: Site) -> Callable[[], bool]:
    """Whether a heartbeat came through that began after this call."""
    began = time.monotonic()
    return lambda: heartbeat_age(site) < time.monotonic() - began - 1


def settle(site: Site, sender: Sender) -> dict[str, int]:
    """End the load, let the worker sweep once more, and count."""
    sender.stop()
    site.manage("sweep")
    return json.loads(site.manage("shell", "--verbosity", "0", "--command", COUNTS))


def assert_nothing_lost_or_doubled(site: Site, sender: Sender) -> None:
    counts = settle(site, sender)
    print(f"\n  {len(sender.acknowledged)} events acknowledged, {sender.retries} retries; {counts}")
    assert sender.refused == []
    assert len(sender.acknowledged) == len(sender.sent) > 50
    assert counts["receipts"] == counts["leads"] == counts["handoffs"] == len(sender.sent)
    assert counts["steps"] > 0 and counts["messages"] > 0
    for name in ("steps_twice", "opened_twice", "told_twice"):
        assert counts[name] == 0, name
    # What was acknowledged is answered again as it was, by the site that lived through it.
    for made in sender.sent[:: max(1, len(sender.sent) // 50)]:
        again = sender.post(made)
        assert again is not None and again["status"] == "duplicate"
        first = sender.acknowledged[made["id"]]
        assert again["handoff"]["id"] == first["handoff"]["id"]
        assert again["lead"] == first["lead"]
    site.manage("check_invariants")
    site.manage("rebuild_projection", "--check")


@pytest.mark.storm
def test_every_part_is_killed_under_load_and_nothing_is_lost(site: Site, sender: Sender) -> None:
    site.start()
    wait_for(site.whole, 60)
    others = site.crew()[2:]
    sender.start()
    wait_for(lambda: heartbeat_age(site) < 60, 90, "the worker never beat")

    # Five times, so that some requests are cut off between their commit and their answer.
    for _ in range(5):
        time.sleep(2)
        web = site.parts()["web"]
        assert kill_and_measure("the web process", web, lambda: site.get("/healthz")[0] == 200) < 60
        assert site.parts()["web"] != web

    # A busy worker: one that is in the middle of a task.
    site.manage("shell", "--verbosity", "0", "--command", LONG_TASK)
    kill_and_measure("a busy worker", worker_in(site, others, "sleep"), beats_after(site))

    # The idle one next in line holds the queue's lock while it waits: the others wait for ever behind it.
    # A worker that was given a task between our look and the kill does no such harm; then once more.
    for _ in range(4):
        wait_for(site.whole, 60)
        idle = worker_in(site, others, "pipe_read")
        kill_and_measure("the idle worker next in line", idle, beats_after(site))
        if "worker gave no sign" in site.log.read_text():
            break
    else:
        pytest.fail("the cluster never fell silent; the kills missed")

    before = list(descendants(site.parts()["cluster"]))
    kill_and_measure("the cluster's main process", site.parts()["cluster"], beats_after(site))
    assert not any(alive(pid) for pid in before)
    wait_for(site.whole, 60)

    assert_nothing_lost_or_doubled(site, sender)
    assert site.stop() == 0


@pytest.mark.storm
def test_the_supervisor_is_killed_under_load_and_the_next_start_is_complete(
    site: Site, sender: Sender
) -> None:
    for _ in range(3):
        supervisor = site.start()
        wait_for(site.whole, 60)
        if not sender.sent:
            sender.start()
        time.sleep(5)
        everything = list(descendants(supervisor))
        site.stop(signal.SIGKILL)
        began = time.monotonic()
        wait_for(lambda: not any(alive(pid) for pid in everything), 3, "an orphan stayed")
        print(
            f"\n  kill -9 of the supervisor: no process left after {time.monotonic() - began:.2f} s", end=""
        )
        with socket.create_server(("127.0.0.1", site.port)):
            pass
    site.start()
    wait_for(site.whole, 60)
    wait_for(beats_after(site), 120, "the worker never beat")
    assert_nothing_lost_or_doubled(site, sender)
    everything = list(descendants(site.process.pid if site.process else 0))
    assert site.stop(signal.SIGINT) == 0
    assert not any(alive(pid) for pid in everything)
