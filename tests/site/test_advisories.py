"""`make audit`: a planted advisory turns it red, and so does a service that is dead or knows nothing."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.advisories import CANARY, CLEAN, KNOWN, LOCK, NOT_AUDITED, ROOT, audit, pins

HASH = "a" * 64
SOUND = f"""soundly==1.2.0 \\
    --hash=sha256:{HASH}
    # via handoff (pyproject.toml)
harmed-thing==2.0 \\
    --hash=sha256:{HASH}
for-windows==1.0 ; sys_platform == 'win32' \\
    --hash=sha256:{HASH}
"""


class Osv:
    """A service that speaks OSV's API and knows what it is told: advisories by package and version."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], str] = {CANARY: "PYSEC-2021-1"}
        self.asked: list[tuple[str, str]] = []
        osv = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                asked = (body["package"]["name"], body["version"])
                osv.asked.append(asked)
                answer = json.dumps(osv.answer(*asked)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/query"

    def answer(self, name: str, version: str) -> dict[str, Any]:
        found = self.known.get((name, version))
        if found is None:
            return {}
        events = [{"introduced": "0"}, {"fixed": "2.0.1"}]
        package = {"name": name, "ecosystem": "PyPI"}
        affected = [{"package": package, "ranges": [{"type": "ECOSYSTEM", "events": events}]}]
        return {"vulns": [{"id": found, "summary": "Harm", "affected": affected}]}

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def osv() -> Iterator[Osv]:
    made = Osv()
    yield made
    made.close()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    made = tmp_path / "some.lock"
    made.write_text(SOUND)
    return made


def test_nothing_known_is_said_of_as_many_as_were_asked_about(osv: Osv, lock: Path) -> None:
    assert audit(lock, osv.url) == (CLEAN, ["2 packages audited, 0 advisories."])
    assert sorted(osv.asked) == [("harmed-thing", "2.0"), CANARY, ("soundly", "1.2.0")]


def test_a_planted_advisory_turns_it_red(osv: Osv, lock: Path) -> None:
    osv.known["harmed-thing", "2.0"] = "GHSA-plant-ed00-0001"
    osv.known["soundly", "1.1.9"] = "GHSA-of-a-former-version"
    assert audit(lock, osv.url) == (
        KNOWN,
        ["harmed-thing 2.0: GHSA-plant-ed00-0001, mended in 2.0.1", "2 packages audited, 1 advisory."],
    )


def test_a_service_that_knows_nothing_or_is_dead_turns_it_red(osv: Osv, lock: Path) -> None:
    osv.known.clear()
    status, [line] = audit(lock, osv.url)
    assert (status, "knows nothing against pillow==8.0.0" in line) == (NOT_AUDITED, True)
    osv.close()
    status, [line] = audit(lock, osv.url)
    assert (status, "nothing was audited" in line) == (NOT_AUDITED, True)


def test_the_lock_that_is_audited_holds_all_that_is_deployed() -> None:
    deployed, audited = pins(ROOT / "requirements.lock"), pins(LOCK)
    assert deployed.items() <= audited.items()
    assert CANARY[0] not in audited and len(deployed) > 30


def test_make_runs_it_on_the_locks() -> None:
    told = subprocess.run(
        ["make", "--no-print-directory", "-n", "audit", "ARGS=--osv-url=x"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert told.stdout.splitlines()[-1].endswith("python -m tests.advisories --osv-url=x")
