"""Everything that can break breaks under a mixed load, as `make storm` runs it; afterwards nothing is lost.

STORM_SECONDS (600) of load at STORM_RATE (30) requests a second through nginx, gunicorn and PgBouncer on a
PostgreSQL of the test's own; the faults take turns. After each: the time until a write went through that
began after it, every acknowledged write there, once, no step twice, the invariants clean, columns the fold of
the log. What needs root or a program that is not here is left out, and the table says so.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests import deployed
from tests.cluster import USER, Cluster, programs
from tests.processes import ROOT, Site, descendants, free_port, kill, open_folder, running, somebody, wait_for
from tests.storm.long.conftest import PEOPLE, ROUTES
from tests.storm.long.mixed import SOURCE, Load

SECONDS = float(os.environ.get("STORM_SECONDS", "600"))
RATE = float(os.environ.get("STORM_RATE", "30"))
THREE_MINUTES = 180.0
COOKIE = """
from django.test import Client
from routing.models import User
client = Client()
client.force_login(User.objects.get(email="femke@example.com"), backend="handoff_site.sessions.Backend")
print("sessionid=" + client.cookies["sessionid"].value)
"""
CHECK = f"""
import json
from django.core.management import call_command
from django.db.models import Count
from leads.models import ContactAttempt, Event, FiredStep, Handoff, Lead, Receipt
call_command("check_invariants")
call_command("rebuild_projection", "--check")
twice = lambda rows, *by: rows.values(*by).annotate(n=Count("id")).filter(n__gt=1).count()
print("COUNTED" + json.dumps({{
    "events": list(Receipt.objects.filter(source="{SOURCE}").values_list("event_id", flat=True)),
    "handoffs": Handoff.objects.count(),
    "leads": Lead.objects.count(),
    "accepted": list(Event.objects.filter(kind="accepted").values_list("handoff_id", flat=True)),
    "contacted": list(ContactAttempt.objects.values_list("handoff_id", flat=True)),
    "steps_twice": twice(FiredStep.objects, "handoff", "code", "window"),
    "opened_twice": twice(Event.objects.filter(kind="opened"), "handoff"),
}}))
"""
PRELOAD = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
needed = pytest.mark.skipif(
    not all(map(deployed.program, ("nginx", "openssl", "pgbouncer"))) or programs() is None,
    reason="nginx, openssl, pgbouncer or the programs of PostgreSQL are not installed",
)


@dataclass
class Whole:
    """All that runs, each to be broken and mended."""

    folder: Path
    database: Cluster
    front: deployed.Front
    web: Any
    worker: Site
    pooler: int
    stack: ExitStack
    bouncer: Any
    # Where web listens and its environment.
    port: int
    pooled: dict[str, str]

    def give_a_clock(self) -> None:
        """From now on web and worker tell the time by the file, which costs more than all else they do."""
        skewed = _skewed(self.folder)
        self.worker.stop()
        self.worker.environment |= skewed
        self.worker.launch("start", "--only", "worker")
        self.web.terminate()
        self.web.wait(timeout=60)
        self.web = self.stack.enter_context(
            deployed.gunicorn(self.folder, self.port, **self.pooled, **skewed)
        )

    @property
    def direct(self) -> dict[str, str]:
        return self.worker.environment | {"DATABASE_URL": self.database.address("handoff"), "POOLER": ""}

    def counted(self) -> dict[str, Any]:
        command = [sys.executable, str(ROOT / "manage.py"), "shell", "--verbosity", "0", "--command", CHECK]
        done = subprocess.run(command, env=self.direct, cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return json.loads(done.stdout.rpartition("COUNTED")[2])

    def clock(self, shift: str) -> None:
        """By how much the clock of web and worker is off, from now on."""
        (self.folder / "clock").write_text(f"{shift}\n")

    def beat(self) -> float:
        with psycopg.connect(self.database.address("handoff")) as asked:
            row = asked.execute("SELECT count(*), max(id) FROM django_q_task").fetchone()
        return float((row or (0, 0))[0])


def _skewed(folder: Path) -> dict[str, str]:
    """What gives a process a clock that follows the file. Not the monotonic one, which no clock's jump moves;
    and as libfaketime then breaks Python's sleep until a moment, sleep is a wait for nothing."""
    early = folder / "early"
    early.mkdir()
    (early / "sitecustomize.py").write_text(
        "import select, time\n"
        "time.sleep = lambda seconds: select.select([], [], [], max(0, seconds)) and None\n"
    )
    return {
        "LD_PRELOAD": str(PRELOAD),
        # Read anew every second: at each look at the clock it would cost more than all that the site does.
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": f"{early}{os.pathsep}{ROOT}",
    }


@contextmanager
def whole(folder: Path, data: Path) -> Iterator[Whole]:
    database = Cluster(data)
    database.make("handoff")
    port, pooler = free_port(), free_port()
    through = f"postgres://{USER}@127.0.0.1:{pooler}/handoff_"
    (folder / "clock").write_text("+0\n")
    pooled = {
        "SECURE_SSL": "0", "POOLER": "transaction", "DATABASE_URL": f"{through}web",
        "INTAKE_RATE": "100000", "INTAKE_BURST": "1000000", "LOG_LEVEL": "WARNING",
    }  # fmt: skip
    worker = Site(folder, deployed.environment(folder, **pooled) | {"DATABASE_URL": f"{through}worker"})
    plain = Site(folder, worker.environment | {"DATABASE_URL": database.address("handoff"), "POOLER": ""})
    plain.manage("migrate", "--verbosity", "0")
    plain.manage("setup")
    plain.manage("collectstatic", "--noinput", "--verbosity", "0")
    (folder / "people.csv").write_text(PEOPLE)
    plain.manage("import_people", "people.csv")
    plain.manage("shell", "--verbosity", "0", "--command", ROUTES)
    to = {"HOST": "127.0.0.1", "PORT": database.port, "NAME": "handoff", "USER": USER, "PASSWORD": ""}
    with ExitStack() as stack:
        bouncer = stack.enter_context(deployed.pgbouncer(folder, pooler, to))
        web = stack.enter_context(deployed.gunicorn(folder, port, **pooled))
        front = stack.enter_context(deployed.nginx(folder, port))
        worker.launch("start", "--only", "worker")
        try:
            yield Whole(folder, database, front, web, worker, pooler, stack, bouncer, port, pooled)
        finally:
            worker.stop()
            stack.close()
            if database.is_up():
                database.stop("immediate")


def restart_database(site: Whole) -> None:
    site.database.stop("fast")
    site.database.start()


def kill_database(site: Whole) -> None:
    site.database.kill()
    time.sleep(1)
    site.database.start()


def kill_web(site: Whole) -> None:
    for pid in descendants(site.web.pid):
        kill(pid)


def kill_worker(site: Whole) -> None:
    assert site.worker.process is not None
    [cluster, *_] = [
        pid for pid, words in descendants(site.worker.process.pid).items() if "qcluster" in words
    ]
    kill(cluster)


def restart_pooler(site: Whole) -> None:
    config = site.folder / "pgbouncer" / "pgbouncer.ini"
    site.bouncer.send_signal(signal.SIGTERM)
    site.bouncer.wait(timeout=20)
    site.bouncer = site.stack.enter_context(
        running(
            deployed.program("pgbouncer"), str(config), log=site.folder / "pgbouncer.log",
            who=somebody(),
        )
    )  # fmt: skip


def fill_disk(site: Whole) -> None:
    """Nothing more can be written, for five seconds; then somebody makes room and starts what stopped."""
    ballast = site.database.home / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * (1 << 20))
        except OSError:
            pass
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    time.sleep(5)
    ballast.unlink()
    if not site.database.is_up():
        (site.database.data / "postmaster.pid").unlink(missing_ok=True)
        site.database.start()


def jump(shift: str) -> Callable[[Whole], None]:
    def jumps(site: Whole) -> None:
        site.clock(shift)
        time.sleep(3)
        site.clock("+0")

    return jumps


def slow_clients(site: Whole) -> None:
    """Sixty that send half a request and then nothing, while the load goes on."""
    slow = []
    for _ in range(60):
        made = site.front.open()
        made.connect()
        made.sock.sendall(
            b"POST /api/v1/intake HTTP/1.1\r\nHost: handoff.example.com\r\nContent-Length: 9\r\n\r\n{"
        )
        slow.append(made)
    time.sleep(2)
    for made in slow:
        made.close()


CLOCK = "" if PRELOAD else "libfaketime is not installed (Debian: apt install faketime)"
ROOT_ONLY = "" if os.geteuid() == 0 else "needs root, to mount a small file system"
FAULTS: list[tuple[str, Callable[[Whole], None], str]] = [
    ("PostgreSQL restarted", restart_database, ""),
    ("PostgreSQL killed (-9)", kill_database, ""),
    ("web processes killed (-9)", kill_web, ""),
    ("worker killed (-9)", kill_worker, ""),
    ("PgBouncer restarted", restart_pooler, ""),
    ("60 slow clients", slow_clients, ""),
    ("disk full for 5 s", fill_disk, ROOT_ONLY),
    # Last: from here on the site is slow.
    ("clock an hour ahead", jump("+1h"), CLOCK),
    ("clock an hour back", jump("-1h"), CLOCK),
]


@pytest.fixture
def small() -> Iterator[Path]:
    """A folder on a file system of 512 MB where one can be mounted, else beside the others."""
    with open_folder() as folder:
        yield from _small(folder / "small")


def _small(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    mounted = not ROOT_ONLY and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512m", "tmpfs", str(folder)], capture_output=True
    ).returncode == 0  # fmt: skip
    yield folder / "server" if mounted else folder
    if mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@needed
@pytest.mark.storm
def test_faults_under_mixed_load(small: Path) -> None:
    rows: list[tuple[str, str, str, str]] = []
    can_fill = small.name == "server"
    with open_folder() as folder, whole(folder, small) as site:
        plain = Site(folder, site.direct)
        key = plain.manage(
            "create_api_key", "mixed", "--scope", "intake", "--scope", "read", "--scope", "act"
        ).strip()
        cookie = plain.manage("shell", "--verbosity", "0", "--command", COOKIE).strip().splitlines()[-1]
        with Load(site.front, key, cookie, RATE) as load:
            wait_for(lambda: len(load.book.writes) > 20, 120, f"nothing was answered: {load.book}")
            for name, fault, missing in FAULTS:
                why = missing or (
                    "" if fault is not fill_disk or can_fill else "no file system can be mounted"
                )
                if why:
                    rows.append((name, f"left out: {why}", "", ""))
                    continue
                if name == "clock an hour ahead":
                    load.pause()
                    site.give_a_clock()
                    load.go_on()
                rows.append(suffer(site, load, name, fault))
                print("  " + " | ".join(rows[-1]), flush=True)
            load.pause()
            wait_for(lambda tasks=site.beat(): site.beat() > tasks, THREE_MINUTES, "the worker does nothing")
            site.clock("+0")
            whole_and_once(site, load)
            book = load.book
        log = (folder / "gunicorn.log").read_text()
    # Whoever asks meanwhile is told that it passes, and never that we are broken.
    assert {told: count for told, count in book.failed.items() if told.endswith(" 500")} == {}, broken(log)
    # What was done and not answered is answered as the first time when it is sent again.
    assert book.refused == {}
    print(f"\n{book.answered} answered in {load.loaded:.0f} s, {len(book.events)} events, "
          f"{len(book.accepted)} acceptances and "
          f"{len(book.contacted)} contacts acknowledged; sent again or failed: {dict(book.failed)}; "
          f"refused: {dict(book.refused)}")  # fmt: skip
    print("| fault | first write after it | failed meanwhile | checks |\n| --- | --- | --- | --- |")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def broken(log: str) -> str:
    """What the site wrote down of answers that told of a fault of our own."""
    return "\n".join(line for line in log.splitlines() if " broke" in line or "Internal Server Error" in line)


def suffer(site: Whole, load: Load, name: str, fault: Callable[[Whole], None]) -> tuple[str, str, str, str]:
    """One fault in its share of the time: how long until a write went through, what failed, what is there."""
    share = max(4.0, SECONDS / len(FAULTS))
    time.sleep(share / 2)
    failed = sum(load.book.failed.values())
    began = time.monotonic()
    fault(site)
    mended = time.monotonic() - began
    if fault is kill_worker:
        tasks = site.beat()
        wait_for(lambda: site.beat() > tasks, THREE_MINUTES, "the worker never came back")
        took = time.monotonic() - began
        told = f"{took:.1f} s (a task done)"
    else:
        wait_for(
            lambda: any(start > began for start, _ in load.book.writes[-200:]), THREE_MINUTES, f"after {name}"
        )
        first = min(end for start, end in load.book.writes if start > began)
        told = f"{first - began:.1f} s ({mended:.1f} s of them the fault itself)"
    time.sleep(share / 2)
    load.pause()
    whole_and_once(site, load)
    load.go_on()
    return name, told, str(sum(load.book.failed.values()) - failed), "clean"


def whole_and_once(site: Whole, load: Load) -> None:
    """Every acknowledged write is there, and none twice; `check_invariants` and the fold of the log agree."""
    counts = site.counted()
    book = load.book
    assert len(counts["events"]) == len(set(counts["events"]))
    assert book.events <= set(counts["events"])
    for name, acknowledged in (("accepted", book.accepted), ("contacted", book.contacted)):
        there = [str(pk) for pk in counts[name]]
        assert acknowledged <= set(there), f"{name} and not there: {acknowledged - set(there)}"
        assert len(there) == len(set(there)), f"{name} twice"
    assert counts["leads"] == counts["handoffs"] == len(counts["events"])
    assert (counts["steps_twice"], counts["opened_twice"]) == (0, 0)
