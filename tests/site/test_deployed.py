"""What we ship for a deployment is tried as it stands: nginx, gunicorn, PgBouncer and the real site behind.

One test a set-up, for each starts several processes. What is not installed here is skipped and says so.
"""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from axes.models import AccessAttempt
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django_q.models import Schedule
from django_q.tasks import async_task

from leads import keys
from leads.models import FiredStep, Handoff, Receipt
from tests import deployed
from tests.conftest import NOW, Cast
from tests.factories import event, route_to
from tests.processes import ROOT, Site, descendants, free_port, open_folder, wait_for

COLLECT = ("collectstatic", "--noinput", "--verbosity", "0")


def manage(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    how = deployed.environment(folder, **more)
    return subprocess.run(command, env=how, cwd=folder, capture_output=True, text=True)


def an_hour_ago() -> datetime:
    """By the clock, as the processes read it: some steps of the ladder are due at once."""
    return datetime.now(UTC) - timedelta(hours=1)


def session_of(user: Any) -> str:
    """The cookie of somebody who is signed in."""
    client = Client()
    client.force_login(user, backend="handoff_site.sessions.Backend")
    return f"sessionid={client.cookies['sessionid'].value}"


def told(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, Any]:
    return answer[0], json.loads(answer[2])


@deployed.needs_nginx
@pytest.mark.django_db(transaction=True)
def test_the_site_behind_nginx(cast: Cast, tmp_path: Path) -> None:
    _, key = keys.make_key("deployed", ["intake"], NOW)
    collected = manage(tmp_path, *COLLECT)
    assert collected.returncode == 0, collected.stderr
    port = free_port()
    with deployed.nginx(tmp_path, port) as front:
        with deployed.gunicorn(tmp_path, port) as web:
            serves_over_tls_and_by_its_name_only(front)
            serves_static_files_itself(front, tmp_path)
            believes_no_forged_header(front)
            refuses_what_is_too_large(front)
            cuts_off_who_is_slow(front)
            shows_figures_to_nobody_outside(front)
            reloads_under_load(front, web, key)
        page = front.ask("GET", "/login/")
        assert (page[0], page[1]["retry-after"]) == (503, "5")
        assert b"Handoff is away for a moment" in page[2]
        away = front.ask("POST", "/api/v1/intake", b"{}")
        assert away[1]["content-type"] == "application/problem+json"
        assert told(away)[1]["detail"].startswith("Away for a moment.")


def serves_over_tls_and_by_its_name_only(front: deployed.Front) -> None:
    plain = http.client.HTTPConnection("127.0.0.1", front.plain, timeout=30)
    plain.request("GET", "/inbox/?a=b", headers={"Host": deployed.HOST})
    answer = plain.getresponse()
    assert (answer.status, answer.headers["Location"]) == (301, f"https://{deployed.HOST}/inbox/?a=b")
    plain.close()
    stranger = http.client.HTTPConnection("127.0.0.1", front.plain, timeout=30)
    stranger.request("GET", "/", headers={"Host": "evil.example"})
    with pytest.raises(ConnectionResetError):
        stranger.getresponse()
    with pytest.raises(ssl.SSLError):
        front.open(host="evil.example").connect()
    status, headers, body = front.ask("GET", "/healthz", X_Request_ID="my-own-request-id")
    assert (status, json.loads(body), headers["server"]) == (200, {"status": "alive"}, "nginx")
    assert re.fullmatch(r"[0-9a-f]{32}", headers["x-request-id"])


def serves_static_files_itself(front: deployed.Front, folder: Path) -> None:
    status, headers, body = front.ask("GET", "/login/")
    assert (status, headers["strict-transport-security"][:16]) == (200, "max-age=31536000")
    [sheet] = re.findall(r'href="(/static/css/base\.[0-9a-f]{12}\.css)"', body.decode())
    status, headers, body = front.ask("GET", sheet, Accept_Encoding="gzip")
    kept = (headers["cache-control"], headers["content-encoding"], headers["x-content-type-options"])
    assert (status, kept) == (200, ("public, max-age=31536000, immutable", "gzip", "nosniff"))
    assert body == (folder / sheet[1:]).with_name(Path(sheet).name + ".gz").read_bytes()
    status, headers, _ = front.ask("GET", "/static/css/base.css")
    assert (status, headers["cache-control"]) == (200, "max-age=300")
    # Nothing beside the folder.
    assert [front.ask("GET", f"/static/{path}")[0] for path in ("../key.pem", "%2e%2e/key.pem")] == [404, 404]


def believes_no_forged_header(front: deployed.Front) -> None:
    """A failed sign-in is put down to the address that made it."""
    _, headers, body = front.ask("GET", "/login/")
    token, *_ = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', body.decode())
    cookie = headers["set-cookie"].partition(";")[0]
    status, headers, _ = front.ask(
        "POST", "/login/",
        urlencode({"username": "x@example.com", "password": "y", "csrfmiddlewaretoken": token}),
        source="127.0.0.2", Cookie=cookie, Referer=f"https://{deployed.HOST}/login/",
        Content_Type="application/x-www-form-urlencoded", X_Forwarded_For="203.0.113.9",
        X_Forwarded_Proto="http", X_Forwarded_Host="evil.example", Forwarded="for=203.0.113.9",
        X_Real_IP="203.0.113.9",
    )  # fmt: skip
    assert (status, "location" in headers) == (200, False)
    assert list(AccessAttempt.objects.values_list("ip_address", flat=True)) == ["127.0.0.2"]


def refuses_what_is_too_large(front: deployed.Front) -> None:
    large = b"x" * (6 * 1024 * 1024)
    status, headers, page = front.ask("POST", "/login/", large)
    assert (status, headers["content-type"]) == (413, "text/html; charset=utf-8")
    assert b"This is too large" in page
    status, headers, body = front.ask("POST", "/api/v1/intake", large)
    assert (status, headers["content-type"]) == (413, "application/problem+json")
    assert json.loads(body)["status"] == 413
    # Files of leads may be larger: the site itself asks who this is.
    assert front.ask("POST", "/imports/", large)[0] in (302, 403)


def cuts_off_who_is_slow(front: deployed.Front) -> None:
    """In the head of a request and in its body; the two web processes are not kept from others meanwhile."""
    for said in (
        b"GET / HT",
        b"POST /login/ HTTP/1.1\r\nHost: handoff.example.com\r\nContent-Length: 99\r\n\r\nuser",
    ):
        slow = []
        for _ in range(20):
            made = front.open()
            made.connect()
            made.sock.sendall(said)
            slow.append(made)
        began = time.monotonic()
        assert front.ask("GET", "/healthz")[0] == 200
        assert time.monotonic() - began < 5
        for made in slow:
            made.sock.settimeout(10)
            try:
                assert b"200" not in made.sock.recv(1000)[:15]
            except (TimeoutError, ConnectionResetError, ssl.SSLError) as error:
                assert not isinstance(error, socket.timeout), "it was never cut off"
            made.close()
        assert time.monotonic() - began < 20


def shows_figures_to_nobody_outside(front: deployed.Front) -> None:
    bearer = f"Bearer {deployed.TOKEN}"
    asked = [
        front.ask("GET", "/metrics", source=source, **said)[0]
        for source, said in (
            ("127.0.0.2", {"Authorization": bearer}),
            ("127.0.0.1", {"Authorization": "Bearer no"}),
            ("127.0.0.1", {"Authorization": bearer}),
        )
    ]
    assert asked[0] == 403 and asked[1] in (401, 403, 404) and asked[2] == 200


def reloads_under_load(front: deployed.Front, web: Any, key: str) -> None:
    """Two reloads while two clients ask and send all the time, each over one connection that it keeps."""
    answers: list[int | str] = []
    over = threading.Event()
    sent = [0, 0]

    def load(lane: int) -> None:
        kept = front.open()
        while not over.is_set():
            sent[lane] += 1
            made = event(sent[lane] * 2 + lane, at=an_hour_ago(), source="/reload")
            sending = {"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents+json"}
            for method, path, body, headers in (
                ("POST", "/api/v1/intake", json.dumps(made), sending),
                ("GET", "/healthz", None, {}),
            ):
                try:
                    kept.request(method, path, body, headers)
                    answer = kept.getresponse()
                    answer.read()
                    answers.append(answer.status)
                except (OSError, http.client.HTTPException) as error:
                    answers.append(repr(error))
                    return

    before = set(descendants(web.pid))
    threads = [threading.Thread(target=load, args=(lane,)) for lane in (0, 1)]
    for thread in threads:
        thread.start()
    for reloads in range(2):
        wait_for(lambda so_many=4 * (reloads + 1): len(answers) > so_many, 60, "nobody was answered")
        workers = set(descendants(web.pid))
        deployed.reload(web)
        wait_for(lambda: len(set(descendants(web.pid)) - workers) == 2, 30, "no new workers came")
        wait_for(lambda: not set(descendants(web.pid)) & workers, 60, "the old workers stayed")
    wait_for(lambda: len(answers) > 12, 60, "nobody was answered")
    over.set()
    for thread in threads:
        thread.join(timeout=60)
    assert set(answers) == {200}
    assert not before & set(descendants(web.pid))
    assert Receipt.objects.filter(source="/reload").count() == sum(sent)


@deployed.needs_pgbouncer
@pytest.mark.django_db(transaction=True)
def test_web_and_worker_through_pgbouncer(cast: Cast, tmp_path: Path) -> None:
    """Intake, pages, verbs and the worker over two pools of two connections each, which keep nothing."""
    route_to(cast.femke)
    # The cast lives in the past: the scheduler would count every minute since.
    Schedule.objects.update(next_run=datetime.now(UTC))
    _, key = keys.make_key("pooled", ["intake", "read", "act"], NOW)
    port, pooler = free_port(), free_port()
    to = connection.settings_dict
    pools = {f"pool_size={size}": "pool_size=2" for size in (20, 10)}
    address = f"postgres://{to['USER']}@127.0.0.1:{pooler}/handoff_"
    through = {"POOLER": "transaction", "DATABASE_URL": f"{address}web"}
    sound = {"TRUST_PROXY": "0", "SECURE_SSL": "0", "DEBUG": "1"}
    with open_folder() as folder, deployed.pgbouncer(folder, pooler, **pools):
        worker = Site(
            tmp_path,
            deployed.environment(tmp_path, **through, **sound) | {"DATABASE_URL": f"{address}worker"},
        )
        worker.launch("start", "--only", "worker")
        try:
            with deployed.gunicorn(
                tmp_path, port, ALLOWED_HOSTS="127.0.0.1", WEB_PROCESSES="1", **through, **sound
            ):
                asks = Asker(port, key)
                uses_it(asks, cast)
                for task in ("sweep", "heartbeat"):
                    async_task(f"handoff_site.tasks.{task}")
                wait_for(lambda: FiredStep.objects.exists() and beats(asks), 100, "the worker did nothing")
                # One thing is wanted that the pooler does not set.
                wrong = {"HANDOFF_WEB": "1", "LOCK_TIMEOUT": "7"}
                checked = manage(tmp_path, "check", "--database", "default", **through, **wrong).stderr
        finally:
            assert worker.stop() == 0
    said = re.findall(r"handoff.W010\) (.*)", checked)
    assert said == ["PostgreSQL has lock_timeout = 10000, not 7000."], checked
    call_command("check_invariants")
    call_command("rebuild_projection", "--check")


class Asker:
    """A client of the site without anything before it."""

    def __init__(self, port: int, key: str) -> None:
        self.port, self.key = port, key

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        made = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        made.request(method, path, body, named)
        answer = made.getresponse()
        read = answer.status, answer.read()
        made.close()
        return read

    def api(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        kind = "application/cloudevents-batch+json" if isinstance(body, list) else "application/json"
        more = {"Authorization": f"Bearer {self.key}", "Content-Type": kind, **headers}
        status, text = self.ask(method, f"/api/v1{path}", None if body is None else json.dumps(body), **more)
        return status, json.loads(text)


def uses_it(asks: Asker, cast: Cast) -> None:
    """Twenty events in four batches at once, pages of all kinds, an acceptance twice with one key."""
    found: list[tuple[int, Any]] = []
    batches = [
        [event(lane * 5 + number, at=an_hour_ago(), source="/pooled") for number in range(5)]
        for lane in range(4)
    ]
    threads = [
        threading.Thread(target=lambda sent=sent: found.append(asks.api("POST", "/intake", sent)))
        for sent in batches
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [status for status, _ in found] == [200] * 4
    assert {one["status"] for _, body in found for one in body["results"]} == {"processed"}
    assert Handoff.objects.count() == 20
    cookie = session_of(cast.femke)
    for path in ("/inbox/", "/handoffs/", "/leads/", "/dashboard/", "/handoffs/handoffs.csv"):
        status, _ = asks.ask("GET", path, Cookie=cookie)
        assert (path, status) == (path, 200)
    held = Handoff.objects.filter(assignee=cast.femke).order_by("pk").first()
    assert held is not None
    for _ in range(2):
        status, body = asks.api(
            "POST", f"/handoffs/{held.pk}/accept", {"on_behalf_of": cast.femke.email},
            Idempotency_Key='"once"',
        )  # fmt: skip
        assert (status, body["state"]) == (200, "accepted")
    held.refresh_from_db()
    assert held.state == "accepted"


def beats(asks: Asker) -> bool:
    status, text = asks.ask("GET", "/readyz")
    return status == 200 and bool(json.loads(text)["checks"]["worker"]["ok"])


SESSION = re.compile(
    r"pg_advisory_lock|pg_try_advisory_lock|\bLISTEN\s+\w|\bPREPARE\s+\w+\s+AS|WITH HOLD|TEMP(ORARY)? TABLE"
    r"|set_config\([^)]*false\)|\bSET SESSION\b",
)


def test_no_statement_of_ours_rests_on_a_session() -> None:
    """Behind a pooler nothing is held beyond its transaction. Migrations, backups and moves go directly."""
    direct = {"migrations", "migrating", "keeping"}
    rooms = [
        path
        for app in ("routing", "leads", "metrics", "handoff_site")
        for path in (ROOT / app).rglob("*.py")
        if not direct & set(path.relative_to(ROOT).parts)
    ]
    assert [str(path.relative_to(ROOT)) for path in rooms if SESSION.search(path.read_text())] == []


def test_whoever_runs_it_for_real_is_told_of_each_unit() -> None:
    told = (ROOT / "README.md").read_text().partition("## Running it for real")[2].partition("\n## ")[0]
    units = {path.stem for path in deployed.DEPLOY.glob("handoff-*")}
    assert units and {unit for unit in units if unit not in told} == set()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_the_units_are_sound(tmp_path: Path) -> None:
    names = (
        "handoff-web.service", "handoff-worker.service", "handoff-migrate.service", "handoff-check.service",
        "handoff-check.timer",
    )  # fmt: skip
    (tmp_path / "bin").mkdir()
    for program in ("python", "gunicorn"):
        (tmp_path / "bin" / program).symlink_to(sys.executable)
    for name in names:
        programs = {} if name.endswith(".timer") else {"/opt/handoff/.venv/bin": str(tmp_path / "bin")}
        text = deployed.filled(name, **programs)
        (tmp_path / name).write_text(text.replace("/opt/handoff", str(ROOT)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in names)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_the_example_environment_is_one_that_starts(tmp_path: Path) -> None:
    """Every name in it is read, and with a key the site finds nothing to say against it."""
    lines = (deployed.DEPLOY / "handoff.env").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    source = "".join(
        path.read_text() for path in (ROOT / "handoff_site").glob("*.py")
    ) + (deployed.DEPLOY / "serving.py").read_text()  # fmt: skip
    assert [name for name in given if f'"{name}"' not in source] == []
    refused = manage(tmp_path, "check", "--deploy", **given)
    assert refused.returncode == 1
    assert refused.stderr == "handoff: SECRET_KEY must be set (or DEBUG=1 for a development run)\n"
    given |= {
        "SECRET_KEY": "an-example-for-the-check-4nT8vQ2mZr7LxKpW0sYd9HgB3cJfUeA6",
        "VAR_DIR": str(tmp_path),
    }
    done = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING", **given)
    assert done.returncode == 0, done.stderr
