"""The servers of a run: a PostgreSQL of its own, and the site under gunicorn. What is started here is ended.

Owns which they are and how they are told to be, and what all of them worked. How a PostgreSQL is made and
ended is `tests.cluster`'s.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.cluster import Cluster, programs
from tests.processes import free_port, open_folder, running

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 2  # of two cores
# Durable as it comes (fsync on): the bare INSERT pays for its commit as ours does.
OPTIONS = ("shared_buffers=512MB", "max_wal_size=2GB", "max_connections=100")


class Unavailable(Exception):
    """No PostgreSQL can be had; the message says what is missing."""


@dataclass
class Spent:
    """Seconds of processor time of all that ran, without this process's own; none where Linux is not."""

    seconds: float = 0.0


@contextmanager
def work() -> Iterator[Spent]:
    """The whole machine's work while the block runs: web and database, and whatever else was not quiet."""
    spent = Spent()
    before, own = _busy(), time.process_time()
    yield spent
    spent.seconds = max(0.0, _busy() - before - (time.process_time() - own))


def _busy() -> float:
    """Seconds that the processors were not idle since the start of the machine (proc(5), /proc/stat)."""
    try:
        words = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    except OSError:
        return 0.0
    user, nice, system, _idle, _waiting, interrupt, soft = (int(word) for word in words[1:8])
    return (user + nice + system + interrupt + soft) / os.sysconf("SC_CLK_TCK")


@contextmanager
def postgres(kept: str = "") -> Iterator[str]:
    """The URL of an empty database: on the server of BENCH_DATABASE_URL, else on one of its own. With a name
    it is that database of BENCH_DATABASE_URL, made if it is not there, and stays.

    Raises Unavailable.
    """
    given = os.environ.get("BENCH_DATABASE_URL")
    if given:
        with _database(given, kept) as url:
            yield url
        return
    if kept:
        raise Unavailable("a database is kept on the server of BENCH_DATABASE_URL, which is not set")
    if programs() is None:
        raise Unavailable("initdb and pg_ctl are not here, and BENCH_DATABASE_URL is not set")
    with _own() as url, _database(url) as own:
        yield own


@contextmanager
def _own() -> Iterator[str]:
    """The address of a server of this run."""
    with open_folder() as folder:
        server = Cluster(folder / "pg", OPTIONS)
        try:
            try:
                server.begin()
            except AssertionError as error:
                raise Unavailable(f"no PostgreSQL could be made here: {error}") from error
            yield server.address("postgres")
        finally:
            if server.is_up():
                server.stop("immediate")


@contextmanager
def _database(server: str, kept: str = "") -> Iterator[str]:
    """A database of this run on a server, dropped in the end; or the one that is kept."""
    name = kept or f"handoff_bench_{os.getpid()}"
    try:
        connection = psycopg.connect(server, autocommit=True)
    except psycopg.Error as error:
        raise Unavailable(f"no connection to {server.rpartition('@')[2]}: {error}") from error
    try:
        try:
            there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if there.fetchone() is None:
                connection.execute(f"CREATE DATABASE {name}")
        except psycopg.Error as error:
            raise Unavailable(f"no database can be made there: {error}") from error
        try:
            yield f"{server.rpartition('/')[0]}/{name}"
        finally:
            if not kept:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        connection.close()


def environment(url: str) -> dict[str, str]:
    """The environment of a process that uses the bench's settings on this database."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.bench.settings",
        "DATABASE_URL": url,
        "PYTHONPATH": path,
    }


@contextmanager
def site(url: str, log: Path) -> Iterator[int]:
    """The site under gunicorn as it is deployed; the port it listens on. No connection is kept: one that is
    stays with the process that took it, and two clients that share one leave the other processor idle."""
    port = free_port()
    command = [
        sys.executable, "-m", "gunicorn", "--config", "python:handoff_site.deploy.serving",
        "handoff_site.wsgi:application", "--timeout", "300", "--log-level", "warning",
        "--worker-tmp-dir", str(log.parent),
    ]  # fmt: skip
    serving = {"WEB_BIND": f"127.0.0.1:{port}", "WEB_CONCURRENCY": str(WORKERS)}
    with running(*command, log=log, cwd=ROOT, env=environment(url) | serving) as process:
        _wait(process, port, log)
        yield port


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"gunicorn ended at once:\n{log.read_text()[-2000:]}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("gunicorn did not listen within a minute")
