"""Thousands fall due within one minute, two clusters fire them beside two web processes that are asked for
pages all the while, and a worker is killed in the middle.

STORM_DUE changes how many (2,000), STORM_OPEN how many others are open beside them (none). What is printed is
the time from the moment they were due until all had fired, as a clock on the wall has it, and how many a
second from the first that was seen to fire until the last, the kill and what follows it included.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.processes import Site, alive, kill, wait_for
from tests.storm.long.conftest import DEPLOYED

DUE, OPEN = int(os.environ.get("STORM_DUE", "2000")), int(os.environ.get("STORM_OPEN", "0"))
# Demo leads: half of their five minutes is over 150 seconds after they came.
FILL = """
import sys, time
from datetime import timedelta
from django.utils import timezone
from leads.intake import receive
from tests.bench.loading import Maker
from tests.storm.opened import clone_open
due, others = {due}, {others}
due_at = timezone.now().replace(microsecond=0) + timedelta(seconds=60 + due / 25)
maker, came = Maker(), due_at - timedelta(seconds=150)
def events(count, at):
    for event in (maker.event(at) for _ in range(count)):
        event["data"]["trigger"]["kind"] = "demo_request"
        yield event
for start in range(0, due, 200):
    receive(list(events(min(200, due - start), came)), None, came)
clone_open(others, came + timedelta(days=1))
print(due_at.isoformat())
"""
FIRED = "SELECT count(*) FROM leads_firedstep WHERE code = 'accept_50'"
TWICE = """
import json
from django.db.models import Count
from leads.models import Event, FiredStep, Notification
def twice(rows, *by):
    return rows.values(*by).annotate(n=Count("id")).filter(n__gt=1).count()
halves = FiredStep.objects.filter(code="accept_50")
print(json.dumps({
    "handoffs": halves.values("handoff").distinct().count(),
    "steps_twice": twice(halves, "handoff"),
    "events_twice": twice(Event.objects.filter(kind="escalated", data__step="accept_50"), "handoff"),
    "events": Event.objects.filter(kind="escalated", data__step="accept_50").count(),
    "messages": Notification.objects.filter(kind="accept_50").count(),
    "told_twice": twice(Notification.objects.filter(kind="accept_50"), "handoff", "user"),
}))
"""


@pytest.fixture
def fired(database: str) -> Iterator[Callable[[], int]]:
    """How many of the steps have fired by now, asked beside the site."""
    if database.startswith("postgres"):
        with psycopg.connect(database, autocommit=True) as other:
            yield lambda: other.execute(FIRED).fetchone()[0]  # type: ignore[index]
        return
    with sqlite3.connect(database.removeprefix("sqlite:///"), timeout=20) as file:
        yield lambda: file.execute(FIRED).fetchone()[0]


def busiest(pids: list[int]) -> int:
    """Which of these processes works the most just now."""

    def worked(pid: int) -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = {pid: worked(pid) for pid in pids}
    time.sleep(0.4)
    return max(pids, key=lambda pid: worked(pid) - before[pid])


@pytest.mark.storm
def test_all_that_falls_due_fires_once_whoever_dies(
    site: Site, tmp_path: Path, fired: Callable[[], int]
) -> None:
    site.environment |= DEPLOYED
    script = FILL.format(due=DUE, others=OPEN)
    due_at = site.manage("shell", "--verbosity", "0", "--command", script).strip()
    (tmp_path / "second").mkdir()
    second = Site(tmp_path / "second", site.environment | {"VAR_DIR": str(tmp_path / "second")})
    try:
        for one in (site, second):
            one.start()
            wait_for(lambda one=one: one.parts()["cluster"] and len(one.crew()) == 4, 60)
        began = time.time()
        moment = _epoch(due_at)
        assert fired() == 0
        wait_for(lambda: fired() > 0, 120 + max(0, moment - began), "nothing fired")
        first = time.time()
        wait_for(lambda: fired() > DUE // 10, 120, "no more than a few fired")
        victim = busiest([*site.crew()[:2], *second.crew()[:2]])
        at = fired()
        kill(victim)
        wait_for(lambda: not alive(victim), 5)
        asked = 0

        def all_fired() -> bool:
            nonlocal asked
            asked += 1
            # Now and then: who looks twenty times a second is a good part of the load.
            time.sleep(0.5)
            # Both web processes answer all the while.
            assert all(one.get("/healthz")[0] == 200 for one in (site, second))
            return fired() >= DUE

        wait_for(all_fired, 300, f"only {fired()} of {DUE} fired")
        took, rate = time.time() - moment, DUE / (time.time() - first)
    finally:
        for one in (site, second):
            if one.process is not None:
                one.stop()
    site.manage("sweep")
    counts = json.loads(site.manage("shell", "--verbosity", "0", "--command", TWICE))
    print(f"\n  {DUE} due beside {OPEN} open; a worker killed after {at}; all fired {took:.0f} s after time")
    print(f"  {rate:.0f} steps a second over all, both web processes asked {asked} times")
    print(f"  {counts}", end="", flush=True)
    assert counts["handoffs"] == counts["events"] == counts["messages"] == DUE
    assert not any(counts[name] for name in ("steps_twice", "events_twice", "told_twice"))
    site.manage("check_invariants")
    site.manage("rebuild_projection", "--check")


def _epoch(iso: str) -> float:
    return time.mktime(time.strptime(iso[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
