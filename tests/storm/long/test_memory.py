"""An hour of mixed load on one site: about 30 requests a second, and no process larger at the end.

STORM_MINUTES changes its length (60). Prints megabytes per quarter and what the whole machine worked for each
lead. SQLite by default; with DATABASE_URL on that PostgreSQL server, in a database of its own.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.bench import servers, wire
from tests.factories import event
from tests.processes import Site, descendants
from tests.storm.long.conftest import DEPLOYED

MINUTES = float(os.environ.get("STORM_MINUTES", "60"))
LANES, A_SECOND = 3, 30
# Of ten requests three bring a lead; the others look.
PATHS = ("/inbox/", "/handoffs/", "/leads/", "/search/?q=per", "/notifications/", "/dashboard/", "/inbox/")
SESSIONS = """
import json
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from handoff_site.sessions import SessionStore
from routing.models import User
made = []
for user in User.objects.filter(email__in=["femke@example.com", "mia@example.com", "otto@example.com"]):
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "handoff_site.sessions.Backend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    made.append(f"{settings.SESSION_COOKIE_NAME}={session.session_key}")
print(json.dumps(made))
"""


class Load:
    """Three clients in step, each with a tenth of a second a request; what came back that was wrong."""

    def __init__(self, port: int, key: str, cookies: list[str], over: float) -> None:
        self.port, self.key, self.cookies, self.over = port, key, cookies, over
        self.answered = self.leads = 0
        self.wrong: list[str] = []
        self.lock = threading.Lock()

    def run(self, watch: Callable[[], None]) -> None:
        threads = [threading.Thread(target=self.lane, args=(lane,), daemon=True) for lane in range(LANES)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            watch()
            time.sleep(min(5.0, max(0.2, MINUTES)))

    def lane(self, lane: int) -> None:
        due = time.monotonic()
        with wire.Client(self.port) as client:
            for number in itertools.count(lane, LANES):
                if time.monotonic() > self.over:
                    return
                is_lead = number % 10 < 3
                answer = client.send(self.lead(number) if is_lead else self.look(number))
                with self.lock:
                    self.answered += 1
                    self.leads += is_lead
                    if answer.status != 200:
                        self.wrong.append(f"{answer.status} {answer.body[:200]!r}")
                due = max(due + LANES / A_SECOND, time.monotonic() - 1)
                time.sleep(max(0.0, due - time.monotonic()))

    def lead(self, number: int) -> bytes:
        made = event(number, at=datetime.now(UTC) - timedelta(minutes=5), source="/memory")
        return wire.request(
            "POST", "/api/v1/intake", json.dumps(made).encode(),
            Authorization=f"Bearer {self.key}", Content_Type="application/cloudevents+json",
        )  # fmt: skip

    def look(self, number: int) -> bytes:
        cookie = self.cookies[number % len(self.cookies)]
        return wire.request("GET", PATHS[number % len(PATHS)], Cookie=cookie)


def megabytes(pids: list[int]) -> float:
    """The largest resident set of these processes."""
    found = [0.0]
    for pid in pids:
        try:
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        found.append(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
    return max(found)


def test_an_hour_of_load_makes_no_process_larger(site: Site) -> None:
    site.environment |= DEPLOYED | {"SECURE_SSL": "0"}
    site.manage("collectstatic", "--noinput", "--verbosity", "0")
    site.start()
    key = site.manage("create_api_key", "storm", "--scope", "intake").strip()
    cookies = json.loads(site.manage("shell", "--verbosity", "0", "--command", SESSIONS).splitlines()[-1])
    load = Load(site.port, key, cookies, time.monotonic() + MINUTES * 60)
    web: list[float] = []
    worker: list[float] = []

    def watch() -> None:
        parts = site.parts()
        web.append(megabytes([parts["web"]]))
        worker.append(megabytes([parts["cluster"], *descendants(parts["cluster"])]))

    with servers.work() as spent:
        load.run(watch)

    assert load.wrong == []
    print(
        f"\n  {MINUTES:g} minutes: {load.answered} answers, {load.answered / MINUTES / 60:.1f} a second,"
        f" {load.leads} leads; the machine worked {spent.seconds / load.leads * 1000:.0f} ms a lead with all"
        " that was looked at"
    )
    for name, sizes in (("web", web), ("worker", worker)):
        part = max(1, len(sizes) // 4)
        quarters = [statistics.median(sizes[start : start + part]) for start in range(0, part * 4, part)]
        print(f"  {name}, MB by quarter: {', '.join(f'{size:.0f}' for size in quarters)}")
        # The first quarter fills what a process keeps.
        assert quarters[3] <= quarters[1] * 1.1 + 8, f"{name} grows"
