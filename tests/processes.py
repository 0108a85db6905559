"""What the process tests share: whether a process lives, waiting for something, servers of their own."""

import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parents[1]
Found = TypeVar("Found")


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie that nobody has collected yet does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout
    return bool(state.strip()) and not state.startswith("Z")


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Signal one process. Refuses 0 and below, which name whole groups, this test run's own among them."""
    assert pid > 1, f"{pid} is no process that a test may signal"
    os.kill(pid, number)


def wait_for(found: Callable[[], Found | None], seconds: float = 60.0, what: str = "") -> Found:
    """The first true value of `found()`, asked twenty times a second; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = found()
        if value:
            return value
        assert time.monotonic() < deadline, what or "it did not happen in time"
        time.sleep(0.05)


def descendants(pid: int) -> dict[int, str]:
    """Pid and command line of every living process below `pid`, children before their children."""
    # Twice wide: COLUMNS in the environment would cut the command lines short otherwise.
    listing = subprocess.run(
        ["ps", "-eww", "-o", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 3) for line in listing.stdout.splitlines()]
    children: dict[int, list[tuple[int, str]]] = {}
    for child, parent, state, *words in rows:
        if not state.startswith("Z"):
            children.setdefault(int(parent), []).append((int(child), " ".join(words)))
    found: dict[int, str] = {}
    waiting = [pid]
    while waiting:
        for below, command in children.get(waiting.pop(0), []):
            found[below] = command
            waiting.append(below)
    return found


@contextmanager
def running(*command: str, log: Path, who: dict[str, Any] | None = None, **how: Any) -> Iterator[Any]:
    """A process until the end of the block; asked to go, and after ten seconds made to."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, **how, **(who or {})
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def somebody() -> dict[str, Any]:
    """Whom PgBouncer and PostgreSQL run as: they refuse root."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam("nobody")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that others may enter too: pytest's are their user's alone, and each run sees to that."""
    folder = Path(tempfile.mkdtemp(prefix="handoff-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Site:
    """`manage.py start` on a database and a free port of its own, as a person would run it."""

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.log = folder / "site.log"
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
            "DEBUG": "1",
            "VAR_DIR": str(folder),
            "SECRET_KEY": "for-tests-only",
            "PYTHONUNBUFFERED": "1",
            **(environment or {}),
        }
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            env=self.environment, cwd=self.folder, capture_output=True, text=True,
        )  # fmt: skip

    def manage(self, *arguments: str) -> str:
        """What a command printed; it must succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refused(self, *arguments: str) -> str:
        """What a command said on failing; it must fail, without a traceback."""
        done = self.run(*arguments)
        assert done.returncode != 0
        assert "Traceback" not in done.stderr
        return done.stderr

    def launch(self, *arguments: str) -> None:
        """Start a command that goes on by itself; what it prints goes to the log."""
        # Through the site's own launcher: a test run that is killed leaves no server behind either.
        with self.log.open("wb") as log, open(os.devnull) as pipe:
            launcher = [str(ROOT / "handoff_site" / "lifeline.py"), str(os.getpid()), str(pipe.fileno())]
            self.process = subprocess.Popen(
                [sys.executable, *launcher, sys.executable, str(ROOT / "manage.py"), *arguments],
                env=self.environment, cwd=self.folder, pass_fds=(pipe.fileno(),),
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def start(self) -> int:
        """Start it and wait until it serves; the supervisor's pid. The second start takes the same port."""
        self.launch("start", "--bind", f"127.0.0.1:{self.port}")
        said = wait_for(
            lambda: re.search(r"127\.0\.0\.1:(\d+) ", self.log.read_text()), 120, "it never listened"
        )
        self.port = int(said.group(1))
        wait_for(lambda: self.get("/healthz")[0] == 200, 120, "it never answered")
        assert self.process is not None
        return self.process.pid

    def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON of an answer; status 0 when there was none."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, None
        except (OSError, ValueError):
            return 0, None

    def parts(self) -> dict[str, int]:
        """Pids of the web process, the cluster's main process and its sentinel, and how many lie below."""
        assert self.process is not None
        below = descendants(self.process.pid)
        web = [pid for pid, words in below.items() if "handoff_site.web" in words]
        cluster = [pid for pid, words in below.items() if words.endswith("qcluster")]
        return {"web": web[0] if web else 0, "cluster": cluster[0] if cluster else 0, "count": len(below)}

    def whole(self) -> bool:
        """Whether everything runs: web, the cluster's main process, sentinel and its four."""
        parts = self.parts()
        return parts["web"] > 0 and parts["cluster"] > 0 and parts["count"] == 7

    def crew(self) -> list[int]:
        """What the cluster's sentinel forked, oldest first: in a new one two workers, monitor and pusher.
        None as long as there is no sentinel."""
        sentinel = next(iter(descendants(self.parts()["cluster"])), 0)
        return sorted(descendants(sentinel)) if sentinel else []

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal the supervisor and wait for its end; its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=60)
