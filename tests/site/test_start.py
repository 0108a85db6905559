"""`manage.py start` for real: web and django-q2 cluster, what kills do to them, and how they stop.

The kills that take minutes (a deaf cluster) are in tests/storm/long/test_kills.py.
"""

import shutil
import signal
import socket
from argparse import ArgumentTypeError
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone
from django_q.models import Task

from handoff_site.management.commands.start import address, signs_of_life
from handoff_site.tasks import heartbeat
from tests.processes import Site, alive, descendants, kill, wait_for


@pytest.fixture(scope="module")
def site(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = _site(migrated, tmp_path_factory.mktemp("site"))
    made.manage("setup")
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()


def _site(migrated: Path, folder: Path, **environment: str) -> Site:
    file = shutil.copy(migrated, folder / "site.sqlite3")
    return Site(folder, {"DATABASE_URL": f"sqlite:///{file}", **environment})


def _free(site: Site) -> None:
    with socket.create_server(("127.0.0.1", site.port)):
        pass


def test_a_start_restarts_what_dies_and_comes_again_after_a_kill(site: Site) -> None:
    supervisor = site.start()
    assert site.get("/healthz") == (200, {"status": "alive"})
    wait_for(site.whole, 120)
    parts = site.parts()
    before = set(descendants(supervisor))

    kill(parts["web"])
    wait_for(lambda: site.parts()["web"] not in (0, parts["web"]))
    wait_for(lambda: site.get("/healthz")[0] == 200)

    kill(parts["cluster"])
    wait_for(lambda: site.parts()["cluster"] not in (0, parts["cluster"]) and site.whole(), 120)
    # The last of the former cluster may still be at its end when the new one is whole.
    wait_for(lambda: not any(alive(pid) for pid in before), 10, "something of the former cluster stayed")

    everything = list(descendants(supervisor))
    site.stop(signal.SIGKILL)
    wait_for(lambda: not any(alive(pid) for pid in everything), 10, "an orphan stayed")
    _free(site)

    # The next start is complete and has the same port.
    supervisor = site.start()
    wait_for(site.whole, 120)
    assert f"cannot listen on 127.0.0.1:{site.port}" in site.refused(
        "start", "--bind", f"127.0.0.1:{site.port}"
    )
    everything = list(descendants(supervisor))
    assert site.stop(signal.SIGINT) == 0
    assert not any(alive(pid) for pid in everything)
    _free(site)


def test_the_worker_alone_opens_no_port(site: Site) -> None:
    site.launch("start", "--only", "worker")
    assert site.process is not None
    wait_for(lambda: len(descendants(site.process.pid)) == 6 if site.process else False, 120)
    assert site.parts()["web"] == 0
    assert "http://" not in site.log.read_text()
    assert site.stop() == 0


def test_it_does_not_start_on_a_database_that_is_behind(tmp_path: Path) -> None:
    site = Site(tmp_path, {"DATABASE_URL": f"sqlite:///{tmp_path / 'empty.sqlite3'}"})
    assert "migrations are not applied; run manage.py migrate first" in site.refused("start", "--bind", ":0")


def test_it_does_not_serve_pages_without_their_styles(migrated: Path, tmp_path: Path) -> None:
    deployed = {
        "DEBUG": "0",
        "SECURE_SSL": "0",
        "SECRET_KEY": "of-this-test-4nT8vQ2mZr7LxKpW0sYd9HgB3cJfUeA6-only",
        "STATIC_ROOT": str(tmp_path / "static"),
    }
    told = _site(migrated, tmp_path, **deployed).refused("start", "--only", "web", "--bind", ":0")
    assert "the static files are not collected; run manage.py collectstatic first" in told


def test_a_busy_worker_gives_signs_although_its_heartbeat_waits(db: None) -> None:
    assert signs_of_life() == (None, None)
    heartbeat()
    first = signs_of_life()
    assert first[0] is not None
    for number, success in ((1, True), (2, False)):
        now = timezone.now()
        Task.objects.create(id=str(number), name="t", func="f", started=now, stopped=now, success=success)
        assert signs_of_life() == (first[0], now)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("[::1]:8001", ("::1", 8001)),
        (":0", ("127.0.0.1", 0)),
        ("8002", ("127.0.0.1", 8002)),
    ],
)
def test_an_address_is_read(text: str, wanted: tuple[str, int]) -> None:
    assert address(text) == wanted


@pytest.mark.parametrize("text", ["localhost", "127.0.0.1:http", "127.0.0.1:65536", ""])
def test_nonsense_is_no_address(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is not HOST:PORT"):
        address(text)
