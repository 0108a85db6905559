"""kill -9 of the worker in the middle of an import, twice, as `make storm` runs it.

Another process goes on from the last chunk that was stored: afterwards each row of the file has been counted
once, each person is one lead with one handoff, and the rows that fail are told once. The same file once more
changes nothing. SQLite by default; with DATABASE_URL on that PostgreSQL server, in a database of its own.
"""

from __future__ import annotations

import json
import time

import pytest

from tests.leads.imports.files import csv_of, row
from tests.processes import Site, alive, descendants, kill, wait_for

ROWS, EVERY_TENTH = 3000, 10
MOST_SECONDS = 240.0
START = """
from pathlib import Path
from django.utils import timezone
from django_q.tasks import async_task
from leads import imports
run = imports.make(Path("leads.csv").read_bytes(), "leads.csv", None, timezone.now())
imports.start(run, None, timezone.now())
async_task("leads.tasks.take_imports")
"""
TOLD = """
import json
from django.db.models import Count
from leads.models import Event, Handoff, ImportFailure, Lead, LeadImport, Receipt
run = LeadImport.objects.latest("pk")
twice = ImportFailure.objects.values("lead_import", "row").annotate(n=Count("id"))
print(json.dumps({
    "status": run.status, "done": run.done, "counts": run.counts, "error": run.error,
    "leads": Lead.objects.count(),
    "receipts": Receipt.objects.count(),
    "handoffs": Handoff.objects.count(),
    "opened": Event.objects.filter(kind="opened").count(),
    "failures": ImportFailure.objects.filter(lead_import=run).count(),
    "failed_twice": twice.filter(n__gt=1).count(),
}))
"""


def told(site: Site) -> dict:
    return json.loads(site.manage("shell", "--verbosity", "0", "--command", TOLD))


def told_when(site: Site, done: int) -> dict:
    """How far it is, as soon as it is that far."""
    return wait_for(lambda: (now := told(site))["done"] >= done and now, MOST_SECONDS, f"never {done} rows")


@pytest.mark.storm
def test_an_import_whose_worker_is_killed_takes_every_row_once(site: Site) -> None:
    bad = {"country": "Narnia"}
    rows = [row(number, **(bad if number % EVERY_TENTH == 0 else {})) for number in range(ROWS)]
    (site.folder / "leads.csv").write_bytes(csv_of(*rows))
    site.start()
    wait_for(site.whole, 60)
    site.manage("shell", "--verbosity", "0", "--command", START)

    for share in (0.1, 0.4):
        before = told_when(site, int(ROWS * share))
        assert before["status"] == "running", "the import was over before the kill"
        cluster = site.parts()["cluster"]
        crew = list(descendants(cluster))
        kill(cluster)
        began = time.monotonic()
        wait_for(lambda gone=(cluster, *crew): not any(alive(pid) for pid in gone), 10)
        cut = told(site)
        assert cut["leads"] == cut["receipts"] == cut["counts"]["taken"]
        assert cut["done"] == cut["counts"]["taken"] + cut["failures"] < ROWS
        wait_for(site.whole, 120)
        told_when(site, cut["done"] + 1)
        print(
            f"\n  killed at {cut['done']} rows: gone on after {time.monotonic() - began:.1f} s",
            end="",
            flush=True,
        )

    over = told_when(site, ROWS)
    failed, taken = ROWS // EVERY_TENTH, ROWS - ROWS // EVERY_TENTH
    assert (over["status"], over["error"]) == ("done", "")
    assert over["counts"] == {"taken": taken, "handed": taken, "failed": failed}
    assert over["leads"] == over["receipts"] == over["handoffs"] == over["opened"] == taken
    assert (over["failures"], over["failed_twice"]) == (failed, 0)

    site.manage("shell", "--verbosity", "0", "--command", START)
    again = wait_for(
        lambda: (now := told(site))["status"] == "done" and now["done"] == ROWS and now, MOST_SECONDS
    )
    assert again["counts"] == {"repeated": taken, "failed": failed}
    for name in ("leads", "receipts", "handoffs", "opened"):
        assert again[name] == over[name], name
    site.manage("check_invariants")
    site.manage("rebuild_projection", "--check")
    assert site.stop() == 0
