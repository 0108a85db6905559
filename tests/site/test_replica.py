"""A copy that really follows: figures come from it while it is fit, else from the primary; never wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.cluster import Cluster, program
from tests.processes import ROOT, open_folder, wait_for

LIMIT = 4
pytestmark = [
    pytest.mark.storm,
    pytest.mark.skipif(
        not all(map(program, ("initdb", "pg_ctl", "pg_basebackup"))),
        reason="PostgreSQL's initdb, pg_ctl and pg_basebackup are not installed",
    ),
]


class Web:
    """The process of `tests.site.following`, and the two servers that it reads from."""

    def __init__(self, primary: Cluster, copy: Cluster, lag: int = LIMIT) -> None:
        self.copy = copy
        environment = {
            **os.environ,
            "DATABASE_URL": primary.address("handoff"),
            "DATABASE_REPLICA_URL": copy.address("handoff"),
            "REPLICA_MAX_LAG": str(lag),
            "DJANGO_SETTINGS_MODULE": "tests.settings",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.site.following"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, verb: str) -> Any:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(verb + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"{verb} ended the process"
        return json.loads(line)

    def catch_up(self) -> None:
        """Wait until the copy is read and shows what the primary has."""
        wait_for(lambda: (seen := self("shown"))["used"] and seen["mqls"] == self("by_the_primary"), 20)

    def replay(self, verb: str) -> None:
        """`pause` or `resume` the copy's replay."""
        with psycopg.connect(self.copy.address("handoff"), autocommit=True) as one:
            one.execute(f"SELECT pg_wal_replay_{verb}()")
            if verb == "pause":
                state = "SELECT pg_get_wal_replay_pause_state()"
                wait_for(lambda: one.execute(state).fetchone() == ("paused",), 10)

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(20)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Cluster, Cluster]]:
    with open_folder() as folder:
        (folder / "one").mkdir(mode=0o777)
        (folder / "two").mkdir(mode=0o777)
        primary, copy = Cluster(folder / "one" / "pg"), Cluster(folder / "two" / "pg")
        try:
            primary.make("handoff")
            copy.follow(primary)
            first = Web(primary, copy)
            first("made")
            first.end()
            yield primary, copy
        finally:
            for each in (copy, primary):
                if each.is_up():
                    each.stop("immediate")


@pytest.fixture
def web(servers: tuple[Cluster, Cluster]) -> Iterator[Web]:
    found = Web(*servers)
    found("began")
    yield found
    found.end()


def test_figures_come_from_the_copy_until_it_is_too_far_behind(web: Web) -> None:
    web("added")
    web.catch_up()
    before = web("shown")["mqls"]
    assert web("parts") == [200] * 8
    web.replay("pause")
    try:
        paused = time.monotonic()
        web("added")
        # The copy does not know of it, so this was read there.
        assert web("shown") | {"took": 0} == {"mqls": before, "used": True, "took": 0}
        wait_for(lambda: web("shown")["mqls"] == before + 1, LIMIT + 10)
        assert time.monotonic() - paused > LIMIT - 1
        seen = web("scraped")
        assert seen["handoff_replica_used"] == 0 and seen["handoff_replica_lag_seconds"] > LIMIT
        assert "It is too far behind." in web("said")
    finally:
        web.replay("resume")
    web.catch_up()
    assert web("scraped")["handoff_replica_used"] == 1


def test_what_is_counted_of_an_old_copy_is_nobodys_answer_later(servers: tuple[Cluster, Cluster]) -> None:
    web = Web(*servers, lag=600)
    web("began")
    web("added")
    web.catch_up()
    before, settled = web("shown")["mqls"], web("settled")
    web.replay("pause")
    try:
        web("added")
        newer = web("settled")
        assert newer > settled
        # Counted of the copy and kept with its mark; the primary's ledger is not begun anew.
        assert web("shown") | {"took": 0} == {"mqls": before, "used": True, "took": 0}
        assert web("settled") == newer
        assert web("by_the_primary") == before + 1
        # And the other way round: what was kept of the primary is not what the copy has.
        assert web("shown")["mqls"] == before
        assert web("by_the_primary") == before + 1
    finally:
        web.replay("resume")
    web.catch_up()
    assert web("shown")["mqls"] == before + 1
    web.end()


def test_a_copy_that_is_killed_is_missed_by_no_page_and_read_again_when_it_is_back(web: Web) -> None:
    web("added")
    web.catch_up()
    before = web("shown")["mqls"]
    web.copy.kill()
    try:
        seen = web("shown")
        assert seen["mqls"] == before and not seen["used"]
        assert seen["took"] < 3
        web("added")
        again = web("shown")
        assert again["mqls"] == before + 1 and again["took"] < 3
        assert web("scraped") == {"handoff_replica_used": 0}
    finally:
        web.copy.start()
    web.catch_up()


def test_nothing_can_be_written_into_it(web: Web) -> None:
    assert "read-only transaction" in web("write")
