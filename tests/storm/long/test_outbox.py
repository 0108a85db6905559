"""How fast the outbox is emptied by two worker processes, whether their memory grows, and what a claim costs.

STORM_LEADS changes of how many leads there is something to say (3,000): one webhook each, sent one by one to
a receiver on this machine, and one state each, taken in batches of 100; STORM_BACKLOG how many events of
these leads wait in order for a third system (30,000). The receiver, the database and both workers share the
machine, and whatever else it does: so the rate that is wanted is asked of the workers' processor time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.processes import ROOT, Site
from tests.storm.long.conftest import DEPLOYED

LEADS = int(os.environ.get("STORM_LEADS", "3000"))
BACKLOG = int(os.environ.get("STORM_BACKLOG", "30000"))
WORKERS = 2
pytestmark = [pytest.mark.storm]

FILL = """
from datetime import timedelta
from django.db import connection
from django.utils import timezone
from leads import outbox, sealing
from leads.connectors.signatures import new_secret
from leads.intake import receive
from leads.models import Connection, Delivery, Lead
from leads.outbox import catalogue
from leads.models import Event
from tests.bench.loading import Maker
from tests.storm.opened import clone_open
now = timezone.now()
def there(kind, url=""):
    return Connection.objects.create(
        kind=kind, name=kind, slug=kind, base_url=url, is_active=True, created_at=now, rate=1e6, burst=10**6,
        sealed=sealing.seal({{"secret": new_secret()}}),
    )
webhook, mautic, salesforce = there("webhook", "{url}"), there("mautic"), there("salesforce")
Connection.objects.update(is_active=False)
event = Maker().event(now)
event["data"]["trigger"]["kind"] = "demo_request"
receive([event], None, now)
clone_open({leads} - 1, now)
Connection.objects.update(is_active=True)
told = Event.objects.select_related("handoff__assignee", "handoff__queue", "user").filter(kind="opened")
def owed(connection, one):
    return Delivery(
        connection=connection, lead_id=one.handoff.lead_id, handoff=one.handoff, kind="event",
        type="handoff.opened", message_id=outbox.new_id(), body=catalogue.body(one, one.handoff, ()),
        revision=1, next_attempt_at=now, occurred_at=now, created_at=now,
    )
events = list(told)
Delivery.objects.bulk_create([owed(webhook, one) for one in events], batch_size=500)
for start in range(0, {backlog}, {leads}):
    rows = [owed(salesforce, one) for one in events[:{backlog} - start]]
    Delivery.objects.bulk_create(rows, batch_size=500)
leads = [one.handoff.lead_id for one in events]
for start in range(0, len(leads), 500):
    outbox.owe_states(mautic, leads[start:start + 500], now)
if connection.vendor == "postgresql":
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
"""

WORK = """
import json, sys, time
from django.utils import timezone
from leads import connectors
from leads.connectors.kinds import CONNECTORS
from leads.models import Connection, Delivery
from leads.outbox import Outcome, Result
from tests.leads.connectors.dummies import Dummy
class Counted(Dummy):
    batch = 100
    def push(self, wanted, now):
        return type(self).push_as(wanted)
    def post(self, deliveries, now):
        return [Outcome(Result.DONE) for _ in deliveries]
CONNECTORS[Connection.Kind.MAUTIC] = CONNECTORS[Connection.Kind.SALESFORCE] = Counted
def rss():
    lines = open("/proc/self/status")
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1024
there = Connection.objects.get(slug="{slug}")
left = Delivery.objects.filter(connection=there, done_at=None)
sizes, sent, began, spent = [], 0, time.time(), time.process_time()
while left.exists():
    sent += connectors.deliver(there, timezone.now, seconds=1)
    sizes.append(rss())
spent = time.process_time() - spent
print(json.dumps({{"sent": sent, "began": began, "ended": time.time(), "spent": spent, "rss": sizes}}))
"""

COSTS = """
import json, time
from django.db import connection
from django.utils import timezone
from leads.models import Connection
from leads.outbox import claiming
there, costs = Connection.objects.get(slug="{slug}"), []
moment = connection.ops.adapt_datetimefield_value(timezone.now())
for _ in range(20):
    began = time.perf_counter()
    found = claiming._due(there.pk, timezone.now(), 100)
    costs.append((time.perf_counter() - began) * 1000)
explain = "EXPLAIN (ANALYZE, COSTS OFF) " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN "
with connection.cursor() as cursor:
    cursor.execute(explain + claiming._DUE.format(only=''), [there.pk, moment, 100])
    plan = [str(row[-1]) for row in cursor.fetchall()]
print(json.dumps({{"ms": sorted(costs)[10], "found": len(found), "plan": plan}}))
"""


class Receiver:
    """Takes signed webhooks on this machine, counted by id."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}
        outer, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                name = self.headers["webhook-id"]
                with lock:
                    outer.seen[name] = outer.seen.get(name, 0) + 1
                self.wfile.write(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def work(site: Site, slug: str) -> list[dict[str, Any]]:
    """What each of the worker processes did until nothing was left."""
    shell = [sys.executable, str(ROOT / "manage.py"), "shell", "--verbosity", "0", "--command"]
    workers = [
        subprocess.Popen(
            [*shell, WORK.format(slug=slug)], env=site.environment, cwd=site.folder, stdout=subprocess.PIPE
        )
        for _ in range(WORKERS)
    ]
    said = [worker.communicate(timeout=1800)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * WORKERS
    return [json.loads(one.splitlines()[-1]) for one in said]


def tell(what: str, number: int, done: list[dict[str, Any]]) -> float:
    """Print how fast it went, from when the first began to when the last ended; gives how many are sent in a
    second of which both workers have all."""
    seconds = max(one["ended"] for one in done) - min(one["began"] for one in done)
    rate = WORKERS * number / sum(one["spent"] for one in done)
    print(f"  {number} {what} by {WORKERS} workers in {seconds:.1f} s: {number / seconds:.0f} a second")
    print(f"    {rate:.0f} a second of both workers' processor time")
    for one in done:
        sizes = one["rss"]
        middle = sizes[len(sizes) // 2]
        print(f"    {one['sent']} sent; MB at start, middle, end: {sizes[0]}, {middle}, {sizes[-1]}")
    sys.stdout.flush()
    return rate


def test_a_backlog_is_emptied_quickly_and_in_the_same_memory(site: Site, receiver: Receiver) -> None:
    site.environment |= DEPLOYED | {"CONNECTOR_PRIVATE_HOSTS": "127.0.0.1", "PYTHONPATH": str(ROOT)}
    began = time.monotonic()
    site.manage(
        "shell", "--verbosity", "0", "--command",
        FILL.format(url=receiver.url, leads=LEADS, backlog=BACKLOG),
    )  # fmt: skip
    print(f"\n  of {LEADS} leads all is owed after {time.monotonic() - began:.0f} s")
    for slug in ("webhook", "salesforce"):
        command = COSTS.format(slug=slug)
        cost = json.loads(site.manage("shell", "--verbosity", "0", "--command", command).splitlines()[-1])
        print(f"  what is due of {slug}: {cost['found']} found in {cost['ms']:.2f} ms")
        print("   ", "\n    ".join(cost["plan"]))
        assert any("delivery_due" in line for line in cost["plan"])
        assert any("delivery_undone_by_lead" in line for line in cost["plan"])
        assert cost["ms"] < 20

    events = work(site, "webhook")
    rate = tell("signed webhooks, one by one,", LEADS, events)
    assert sum(one["sent"] for one in events) == len(receiver.seen) == LEADS
    assert set(receiver.seen.values()) == {1}
    states = work(site, "mautic")
    tell("states, a hundred at once,", LEADS, states)
    assert sum(one["sent"] for one in states) == LEADS
    backlog = work(site, "salesforce")
    tell("events of a backlog, a hundred at once and in order,", BACKLOG, backlog)
    assert sum(one["sent"] for one in backlog) == BACKLOG
    assert rate >= 200
    for one in (*events, *states, *backlog):
        half = one["rss"][len(one["rss"]) // 2]
        assert one["rss"][-1] <= half * 1.1 + 8, "memory grows with what was sent"
