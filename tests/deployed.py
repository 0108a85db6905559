"""The site as it is deployed: gunicorn, nginx and PgBouncer as processes of a test, with the files we ship.

Only addresses, paths, names and, where a test would wait for them, times are put in; each replacement has to
find its place. Whatever is started here is ended with the block that started it.
"""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from tests.processes import ROOT, free_port, running, somebody, wait_for

DEPLOY = ROOT / "handoff_site" / "deploy"
HOST = "handoff.example.com"
TOKEN = "a-token-of-the-tests-only"
_SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin"


def program(name: str) -> str:
    """Where it is, or ""."""
    return shutil.which(name, path=_SBIN) or ""


needs_nginx = pytest.mark.skipif(
    not (program("nginx") and program("openssl")),
    reason="nginx or openssl is not installed (Debian: apt install nginx-light openssl)",
)
needs_pgbouncer = pytest.mark.skipif(
    not program("pgbouncer") or not os.environ.get("DATABASE_URL", "").startswith("postgres"),
    reason="pgbouncer is not installed (Debian: apt install pgbouncer), or DATABASE_URL names no PostgreSQL",
)


def filled(name: str, **places: str) -> str:
    """A shipped file with what a deployment puts in; the keys of `places` stand in `_FOR`."""
    text = (DEPLOY / name).read_text()
    for said, value in places.items():
        assert said in text, f"{name} does not say {said!r}"
        text = text.replace(said, value)
    return text


def address_of_tests() -> str:
    """The database of this test run, as DATABASE_URL."""
    to = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{to['NAME']}"
    return f"postgres://{to['USER']}:{to['PASSWORD']}@{to['HOST']}:{to['PORT']}/{to['NAME']}"


def environment(folder: Path, **more: str) -> dict[str, str]:
    """A deployment's, on the database of this test run."""
    # Of this process alone: its settings, and what Playwright wants in it.
    own = {"DJANGO_SETTINGS_MODULE", "DJANGO_ALLOW_ASYNC_UNSAFE"}
    names = {name: value for name, value in os.environ.items() if name not in own}
    return names | {
        "DEBUG": "0",
        "SECURE_SSL": "1",
        "SECRET_KEY": settings.SECRET_KEY,
        "DATABASE_URL": address_of_tests(),
        "ALLOWED_HOSTS": HOST,
        "PUBLIC_URL": f"https://{HOST}",
        "EMAIL_URL": "dummymail://",
        "TRUST_PROXY": "1",
        "METRICS_TOKEN": TOKEN,
        "VAR_DIR": str(folder),
        "PYTHONPATH": str(ROOT),
        **more,
    }


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def gunicorn(folder: Path, port: int, **more: str) -> Iterator[Any]:
    """The web processes as we ship them; the process of gunicorn itself."""
    command = [sys.executable, "-m", "gunicorn", "--config", "python:handoff_site.deploy.serving"]
    how = environment(folder, **({"WEB_BIND": f"127.0.0.1:{port}", "WEB_PROCESSES": "2"} | more))
    log = folder / "gunicorn.log"
    with running(*command, "handoff_site.wsgi", log=log, env=how, cwd=ROOT) as process:
        wait_for(lambda: process.poll() is not None or listens(port), 60, "gunicorn never listened")
        assert process.poll() is None, log.read_text()
        yield process


def reload(process: Any) -> None:
    """As `systemctl reload` does."""
    process.send_signal(signal.SIGHUP)


@dataclass
class Front:
    """nginx in front of the site, as a client sees it."""

    plain: int
    tls: int
    certificate: Path

    def open(self, source: str = "127.0.0.1", host: str = HOST) -> http.client.HTTPSConnection:
        """A connection that is kept, from an address of this machine."""
        trusted = ssl.create_default_context(cafile=str(self.certificate))
        made = http.client.HTTPSConnection(host, self.tls, context=trusted, timeout=30)
        made._create_connection = lambda *_, **__: socket.create_connection(  # type: ignore[attr-defined]
            ("127.0.0.1", self.tls), timeout=30, source_address=(source, 0)
        )
        return made

    def ask(
        self, method: str, path: str, body: Any = None, source: str = "127.0.0.1", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers in small letters, and body."""
        kept = self.open(source)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            kept.request(method, path, body, named)
            answer = kept.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, told, answer.read()
        finally:
            kept.close()


@contextmanager
def nginx(folder: Path, port: int) -> Iterator[Front]:
    """Debian's nginx with our files before what listens on `port`; times of ten seconds are one."""
    front = Front(free_port(), free_port(), folder / "cert.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}",
         "-keyout", str(folder / "key.pem"), "-out", str(front.certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    site = {
        "listen 80": f"listen 127.0.0.1:{front.plain}",
        "listen 443": f"listen 127.0.0.1:{front.tls}",
        "server 127.0.0.1:8000 ": f"server 127.0.0.1:{port} ",
        "/etc/handoff/tls/fullchain.pem": str(front.certificate),
        "/etc/handoff/tls/privkey.pem": str(folder / "key.pem"),
        "/var/lib/handoff/static/": f"{folder / 'static'}/",
        "timeout 10s": "timeout 1s",
    }
    (folder / "handoff.conf").write_text(filled("nginx.conf", **site))
    (folder / "handoff_proxy.conf").write_text(filled("nginx_proxy.conf"))
    temporary = "".join(
        f"{kind}_temp_path {folder / kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"{'user root;' if os.geteuid() == 0 else ''}\ndaemon off; worker_processes 1;\n"
        f"pid {folder}/nginx.pid; error_log {folder}/nginx.log;\nevents {{ worker_connections 256; }}\n"
        "http { include /etc/nginx/mime.types; access_log off;\n"
        f"{temporary}include {folder}/handoff.conf; }}\n"
    )
    command = [program("nginx"), "-c", str(folder / "nginx.conf"), "-e", str(folder / "nginx.log")]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True)
    assert tested.returncode == 0 and "[warn]" not in tested.stderr, tested.stderr
    with running(*command, log=folder / "nginx.out") as process:
        wait_for(lambda: process.poll() is not None or listens(front.tls), 20, "nginx never listened")
        assert process.poll() is None, (folder / "nginx.log").read_text()
        yield front


@contextmanager
def pgbouncer(folder: Path, port: int, to: Mapping[str, Any] | None = None, **places: str) -> Iterator[Any]:
    """PgBouncer with our file before the database of this test run, or another; it knows `handoff_web` and
    `handoff_worker`. After each transaction all that a session may hold is taken from it. `folder` is one
    that others may enter."""
    to = to or connection.settings_dict
    forget = "CLOSE ALL; UNLISTEN *; DEALLOCATE ALL; DISCARD TEMP; SELECT pg_advisory_unlock_all()"
    own = {
        "host=127.0.0.1 port=5432 dbname=handoff ": f"host={to['HOST']} port={to['PORT']} "
        f"dbname={to['NAME']} user={to['USER']} {'password=' + to['PASSWORD'] if to['PASSWORD'] else ''} ",
        "listen_port = 6432": f"listen_port = {port}",
        "auth_type = scram-sha-256": "auth_type = any",
        "auth_file = /etc/pgbouncer/userlist.txt": "",
        "pool_mode = transaction": "pool_mode = transaction\nserver_reset_query_always = 1\n"
        f"server_reset_query = {forget}",
    }
    who = somebody()
    home = folder / "pgbouncer"
    home.mkdir(exist_ok=True)
    config = home / "pgbouncer.ini"
    config.write_text(filled("pgbouncer.ini", **(own | places)))
    if who:
        os.chown(home, who["user"], who["group"])
    command = [program("pgbouncer"), str(config)]
    with running(*command, log=folder / "pgbouncer.log", who=who) as process:
        wait_for(lambda: process.poll() is not None or listens(port), 20, "pgbouncer never listened")
        assert process.poll() is None, (folder / "pgbouncer.log").read_text()
        yield process
