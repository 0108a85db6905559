"""A PostgreSQL server of a test's or the bench's own, to be stopped, killed, filled up and followed.

Made by initdb in a folder of the test, durable as it comes, with trust on loopback. Root runs it as nobody.
`initdb` and `pg_ctl` are looked for on the PATH and under /usr/lib/postgresql.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg

from tests.processes import alive, descendants, free_port, kill, somebody, wait_for

USER = "handoff"
# Little is kept of what was written, so that a server is soon behind, full or begun anew.
SMALL = ("max_wal_size=96MB", "min_wal_size=32MB", "wal_keep_size=0", "max_connections=60")


def programs() -> tuple[str, str] | None:
    """Paths of initdb and pg_ctl, from one place; None when they are not there."""
    beside = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name, reverse=True
    )
    for folder in (None, *beside):
        found = [shutil.which(name, path=str(folder) if folder else None) for name in ("initdb", "pg_ctl")]
        if found[0] and found[1]:
            return found[0], found[1]
    return None


def program(name: str) -> str | None:
    """Where one of PostgreSQL's programs is, beside initdb first."""
    found = programs()
    beside = [str(Path(found[0]).parent), str(Path(found[0]).resolve().parent)] if found else []
    return shutil.which(name, path=os.pathsep.join([*beside, os.environ.get("PATH", "")]))


class Cluster:
    """One server. `data` is its folder, `port` where it listens on loopback, `options` what it is told."""

    def __init__(self, folder: Path, options: tuple[str, ...] = SMALL) -> None:
        assert programs() is not None, "initdb and pg_ctl are not installed"
        self.home, self.data, self.log = folder, folder / "data", folder / "log"
        self.port, self.options = free_port(), options
        self.who = somebody()
        folder.mkdir(exist_ok=True)
        if self.who:
            os.chown(folder, self.who["user"], self.who["group"])

    def begin(self) -> None:
        """Make it and start it."""
        self._run("initdb", "-D", str(self.data), "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        self.start()

    def make(self, database: str) -> None:
        """Begin it, with an empty database."""
        self.begin()
        with psycopg.connect(self.address("postgres"), autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE "{database}"')

    def follow(self, primary: Cluster) -> None:
        """Begin it as a copy of another, from which it streams until it is ended."""
        where = f"host=127.0.0.1 port={primary.port} user={USER}"
        self._run("pg_basebackup", "-D", str(self.data), "-d", where, "-R", "-X", "stream", "-c", "fast")
        self.start()

    def address(self, database: str) -> str:
        return f"postgres://{USER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        own = (f"port={self.port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={self.home}")
        options = " ".join(f"-c {option}" for option in (*own, *self.options))
        # Beside what is left of a server that was killed none starts; a moment later it is gone.
        for tries in range(20):
            try:
                self._run("pg_ctl", "-D", str(self.data), "-l", str(self.log), "-w", "-o", options, "start")
                return
            except AssertionError:
                if tries == 19:
                    raise
                time.sleep(0.5)

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    @property
    def pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().splitlines()[0])

    def kill(self) -> None:
        """kill -9 of the server and of all its processes: as long as one lives no other server may start."""
        every = [self.pid, *descendants(self.pid)]
        for pid in every:
            if alive(pid):
                kill(pid)
        wait_for(lambda: not any(map(alive, every)), 10)

    def is_up(self) -> bool:
        try:
            with psycopg.connect(self.address("postgres"), connect_timeout=2) as one:
                one.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def _run(self, name: str, *arguments: str) -> None:
        how: dict[str, Any] = {"cwd": self.home, "timeout": 120, **self.who}
        with open(os.devnull, "wb") as nowhere, (self.home.parent / "cluster.out").open("ab") as out:
            done = subprocess.run(
                [program(name) or name, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=nowhere,
                stderr=out,
                **how,
            )
        assert done.returncode == 0, (self.home.parent / "cluster.out").read_text()[-1000:]
