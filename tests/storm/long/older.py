"""The oldest version that an installation could have: its own code, from the history, beside today's.

Owns where that code comes from, its database, its people and its web processes. It runs with today's
environment, whose libraries are the same or more. Never knows what is done to the database later.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from handoff_site import limits
from tests.deployed import listens
from tests.processes import ROOT, running, wait_for
from tests.storm.long.conftest import PEOPLE, ROUTES

# The first migration that was made once there was something to deploy; what came before it is the oldest.
FIRST_CHANGE = "leads/migrations/0003_imports.py"
LIMITS = limits.wanted(limits.WEB, {"web": 30, "worker": 60, "lock": 10, "idle": 60})
COOKIE = """
from django.test import Client
from routing.models import User
client, femke = Client(), User.objects.get(email="femke@example.com")
client.force_login(femke, backend="django.contrib.auth.backends.ModelBackend")
print("COOKIE" + client.cookies["sessionid"].value)
"""
# One whole story: taken in, routed, rejected by its holder an hour later.
MOULD = """
from datetime import timedelta
from django.utils import timezone
from leads import lifecycle
from leads.intake import receive
from leads.models import Handoff
from tests.factories import event
at = timezone.now() - timedelta(days=9)
(made,) = receive([event(9_000_001, at=at, source="/mould")], None, at)
act = lifecycle.Act(at + timedelta(hours=1), Handoff.objects.get().assignee)
lifecycle.reject(int(made["handoff"]["id"]), act, reason="wrong_title", note="Not the one who decides.")
"""
KEY = """
from django.utils import timezone
from leads import keys
print("KEY" + keys.make_key("older", keys.SCOPES, timezone.now())[1])
"""


def commit() -> str:
    """The last one before the first change of the tables, or "" where the history does not go back so far."""
    asked = ["git", "log", "--diff-filter=A", "--format=%H", "--", FIRST_CHANGE]
    found = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True).stdout.split()
    if not found:
        return ""
    before = ["git", "rev-parse", "--verify", "--quiet", f"{found[-1]}^"]
    return subprocess.run(before, cwd=ROOT, capture_output=True, text=True).stdout.strip()


class Older:
    """That version in a folder, on a database. In an empty one `found` makes its tables, its people and one
    handoff, which they reject; `enter` gives `key`, good for all that it takes in, and Femke's `cookie`."""

    key = cookie = ""

    def __init__(self, folder: Path, database: str) -> None:
        self.home, self.var = folder / "older", folder
        self.home.mkdir()
        # By tar itself: Python's before 3.11.4 does not know how to unpack with care.
        packed = subprocess.run(["git", "archive", commit()], cwd=ROOT, capture_output=True, check=True)
        subprocess.run(["tar", "-x", "-C", str(self.home)], input=packed.stdout, check=True)
        own = {"DJANGO_SETTINGS_MODULE", "PYTHONPATH"}
        self.environment = {name: value for name, value in os.environ.items() if name not in own} | {
            "DEBUG": "1", "SECURE_SSL": "0", "SECRET_KEY": "for-tests-only", "VAR_DIR": str(folder),
            "DATABASE_URL": database, "PGOPTIONS": limits.options(LIMITS), "PGAPPNAME": "older",
            "INTAKE_RATE": "100000", "INTAKE_BURST": "1000000", "LOG_LEVEL": "WARNING",
        }  # fmt: skip

    def found(self) -> None:
        self.manage("migrate", "--verbosity", "0")
        self.manage("setup")
        people = self.var / "people.csv"
        people.write_text(PEOPLE)
        self.manage("import_people", str(people))
        # The queues want an owner, who is there now.
        self.manage("setup")
        self.shell(ROUTES)
        self.shell(MOULD)

    def enter(self) -> None:
        self.key = self.shell(KEY).rpartition("KEY")[2].strip()
        self.cookie = "sessionid=" + self.shell(COOKIE).rpartition("COOKIE")[2].strip()

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, env=self.environment, cwd=self.home, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    def shell(self, program: str) -> str:
        return self.manage("shell", "--verbosity", "0", "--command", program)

    @contextmanager
    def serving(self, port: int) -> Iterator[Any]:
        """Its web processes on this port of loopback."""
        command = (
            sys.executable, "-m", "gunicorn", "handoff_site.wsgi", "--workers", "2", "--threads", "4",
            "--bind", f"127.0.0.1:{port}", "--timeout", "60",
        )  # fmt: skip
        log = self.var / "older.log"
        how = self.environment | {"HANDOFF_WEB": "1", "WEB_PROCESSES": "2"}
        with running(*command, log=log, env=how, cwd=self.home) as process:
            wait_for(lambda: process.poll() is not None or listens(port), 60, "it never listened")
            assert process.poll() is None, log.read_text()
            yield process


class Timed(http.client.HTTPConnection):
    """One connection; `longest` of them all is how long the slowest answer took, in seconds, and for what."""

    longest = (0.0, "")

    def request(self, method: str, url: str, *arguments: Any, **named: Any) -> None:
        self.asked, self.what = time.monotonic(), f"{method} {url}"
        super().request(method, url, *arguments, **named)

    def getresponse(self) -> http.client.HTTPResponse:
        answer = super().getresponse()
        Timed.longest = max(Timed.longest, (time.monotonic() - self.asked, self.what))
        return answer


class Door:
    """Where the load comes in: straight at a port, without nginx."""

    def __init__(self, port: int) -> None:
        self.port = port

    def open(self) -> Timed:
        return Timed("127.0.0.1", self.port, timeout=90)
