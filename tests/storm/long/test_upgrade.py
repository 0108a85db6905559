"""Upgrade from the oldest migration while the oldest version goes on working, as `make storm` runs it.

STORM_ROWS (1,000,000) handoffs, each with a company, a lead, an address elsewhere, a score, two activities,
six events, a rejection and a decided pair of duplicates: every table that a migration changes or reads has as
many rows. The older code (`older`) serves STORM_RATE (30) requests a second meanwhile: events, batches,
pages, accepting, contacting and rejecting. Then `manage.py migrate` of today. No request may fail, and nobody
may wait for a lock behind the migration for STORM_LOCK_MS (500, never more) milliseconds. STORM_KEPT names a
database of that server that keeps what was filled in, for the next run to begin with.
"""

from __future__ import annotations

import os
import queue
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.processes import ROOT, Site, free_port, wait_for
from tests.storm.long import older
from tests.storm.long.copied import Copier
from tests.storm.long.mixed import Load
from tests.storm.long.waits import Watch

ROWS = int(os.environ.get("STORM_ROWS", "1000000"))
KEPT = os.environ.get("STORM_KEPT", "")
RATE = float(os.environ.get("STORM_RATE", "30"))
LONGEST = min(500, int(os.environ.get("STORM_LOCK_MS", "500"))) / 1000
needed = pytest.mark.skipif(
    not os.environ.get("DATABASE_URL", "").startswith("postgres"),
    reason="needs DATABASE_URL of a PostgreSQL server; SQLite has one writer, who waits for a migration",
)
# What the database would not vouch for, and what is left half done.
UNSOUND = """
SELECT 'constraint ' || conname FROM pg_constraint WHERE NOT convalidated
UNION ALL SELECT 'index ' || indexrelid::regclass FROM pg_index WHERE NOT (indisvalid AND indisready)
"""
WORDS = "SELECT count(DISTINCT lead_id), count(DISTINCT company_id) FROM leads_searchword"
BIG = (
    "leads_company", "leads_lead", "leads_externalid", "leads_score", "leads_activity", "leads_handoff",
    "leads_event", "leads_rejection", "leads_duplicatepair",
)  # fmt: skip
DONE = re.compile(r"Applying (\S+)\.\.\. OK \(([\d.]+)s\)")


class OldLoad(Load):
    """The mixed load; every third of what it would accept is rejected instead."""

    rejected = 0

    def page(self, path: str) -> Any:
        # The list of all handoffs came later.
        return super().page("/leads/" if path == "/handoffs/" else path)

    def act(self, client: Any) -> None:
        if len(self.book.accepted) < 2 * (self.rejected + 1):
            return super().act(client)
        try:
            handoff = self.to_act.get(timeout=0.2)
        except queue.Empty:
            return client.read("/leads/")
        body = {"on_behalf_of": handoff["assignee"], "reason": "wrong_title", "note": "Not the one."}
        path = f"/api/v1/handoffs/{handoff['id']}/reject"
        status, answer = client.until_answered("POST", path, body, f"reject-{handoff['id']}")
        with self.lock:
            if status == 200:
                self.rejected += 1
            else:
                self.book.refused[f"reject {status} {str(answer)[:80]}"] += 1
        return None


def fill(old: older.Older, database: str) -> None:
    """ROWS copies of one handoff, out of the database that was kept if there is one."""
    server, _, name = database.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        kept = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [KEPT]).fetchone()
        if kept:
            admin.execute(f'DROP DATABASE "{name}"')
            admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{KEPT}"')
            return
        old.found()
        with psycopg.connect(database, autocommit=True) as connection:
            Copier(connection).fill(ROWS)
        if KEPT:
            admin.execute(f'CREATE DATABASE "{KEPT}" TEMPLATE "{name}"')


def counts(address: str) -> dict[str, int]:
    with psycopg.connect(address) as asked:
        return {table: asked.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in BIG}  # type: ignore[index]


def migrate(site: Site) -> tuple[str, float]:
    """What it printed, and the seconds it took."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "migrate", "--verbosity", "2", "--no-color"],
        env=site.environment | {"PGAPPNAME": "upgrade"}, cwd=site.folder, capture_output=True, text=True,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-4000:]
    return said, time.monotonic() - began


def say(text: str) -> None:
    print(f"  {text}", flush=True)


@needed
@pytest.mark.storm
@pytest.mark.skipif(not older.commit(), reason="the history that has the oldest version is not here")
def test_the_oldest_version_goes_on_working_while_the_newest_migrates(tmp_path: Path, database: str) -> None:
    began = time.monotonic()
    old = older.Older(tmp_path, database)
    fill(old, database)
    old.enter()
    before = counts(database)
    print()
    say(f"filled in {time.monotonic() - began:.0f} s: {before}")
    assert min(before.values()) >= ROWS

    port = free_port()
    site = Site(tmp_path, {"DATABASE_URL": database})
    with old.serving(port), Watch(database, LONGEST) as watch:
        load = OldLoad(older.Door(port), old.key, old.cookie, RATE)  # type: ignore[arg-type]
        with load:
            wait_for(lambda: load.book.answered > 20, 120, "the older version answers nobody")
            alone, older.Timed.longest = older.Timed.longest, (0.0, "")
            said, took = migrate(site)
            # Until the web is told to load the new code it is the old code that answers.
            time.sleep(10)
            load.pause()
            load.go_on()
    behind = [wait for wait in watch.waits if wait.who != "upgrade" and "upgrade" in wait.behind]
    told(load, watch, said, took, alone)
    say(f"{len(behind)} of them behind the migration" + "".join(f"\n  {wait}" for wait in behind[:5]))
    book = load.book
    assert (dict(book.failed), dict(book.refused)) == ({}, {})
    assert book.accepted and load.rejected and book.events
    assert [str(wait) for wait in behind if wait.seconds >= LONGEST] == []
    whole(site, database, before, load)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_watch_that_could_not_look_says_so() -> None:
    nowhere = f"postgres://nobody@127.0.0.1:{free_port()}/none"
    with pytest.raises(AssertionError, match="before its time"), Watch(nowhere, LONGEST) as watch:
        watch.thread.join(timeout=30)


@needed
@pytest.mark.django_db
def test_a_watch_that_looked_away_for_too_long_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    took = Watch._take

    def slow(watch: Watch, asked: psycopg.Connection[Any]) -> None:
        time.sleep(0.1)
        took(watch, asked)

    monkeypatch.setattr(Watch, "_take", slow)
    address = os.environ["DATABASE_URL"]
    with Watch(address, 5.0) as watch:
        wait_for(lambda: watch.looks > 1, 30, "it does not look")
    assert 0.1 < watch.pause < 5
    with pytest.raises(AssertionError, match="looked away for 0"), Watch(address, 0.05) as watch:
        wait_for(lambda: watch.looks > 1, 30, "it does not look")


def told(load: Load, watch: Watch, said: str, took: float, alone: tuple[float, str]) -> None:
    durations = DONE.findall(said)
    for name, seconds in sorted(durations, key=lambda one: -float(one[1])):
        say(f"{float(seconds):7.2f} s  {name}")
    book, again = load.book, said.count("again in")
    say(f"migrated in {took:.0f} s, {len(durations)} migrations; {again} times a table was in use")
    say(f"{book.answered} answers, {sum(book.failed.values())} failures; {len(book.events)} events")
    say(f"slowest answer {older.Timed.longest[0]:.2f} s ({older.Timed.longest[1]}), before {alone[0]:.2f} s")
    say(f"{len(watch.seen)} waits for locks in {watch.looks} looks, at most {watch.pause:.3f} s apart")
    for wait in watch.waits[:8]:
        say(str(wait))


def whole(site: Site, database: str, before: dict[str, int], load: OldLoad) -> None:
    """The new code finds everything as it should be, and serves."""
    site.manage("migrate", "--check")
    site.manage("makemigrations", "--check", "--dry-run")
    site.manage("setup")
    with psycopg.connect(database) as asked:
        assert asked.execute(UNSOUND).fetchall() == []
        found = asked.execute(WORDS)
        leads, companies = found.fetchone() or (0, 0)
    assert leads >= before["leads_lead"] and companies >= before["leads_company"]
    after = counts(database)
    book = load.book
    assert after["leads_rejection"] == before["leads_rejection"] + load.rejected
    assert after["leads_handoff"] == before["leads_handoff"] + len(book.events)
    began = time.monotonic()
    assert site.manage("check_invariants") == "No violation.\n"
    say(f"invariants of {after['leads_handoff']} handoffs checked in {time.monotonic() - began:.0f} s")
