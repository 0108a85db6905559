"""The worker's queue on a real Redis: work comes through, and what is lost on the way is found again."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from django_q.brokers.redis_broker import Redis
from django_q.conf import Conf
from django_q.signing import SignedPackage

from handoff_site.monitoring import saying
from handoff_site.monitoring.figures import gather
from leads import queueing
from tests.conftest import NOW
from tests.factories import event
from tests.processes import Site, free_port, wait_for

BEAT = "handoff_site.tasks.heartbeat"
ASKS = f"from leads import queueing; queueing.put({BEAT!r})"


class Queue:
    """A Redis of its own on a free port, which keeps nothing when it ends."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        program = shutil.which("redis-server")
        assert program is not None
        bounds = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        self.process = subprocess.Popen([program, *bounds], stdout=subprocess.DEVNULL)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    made = Queue(tmp_path)
    made.start()
    yield made
    made.end()


def test_work_comes_through_redis_and_goes_on_after_it_was_away(
    queue: Queue, migrated: Path, tmp_path: Path
) -> None:
    file = shutil.copy(migrated, tmp_path / "site.sqlite3")
    site = Site(tmp_path, {"DATABASE_URL": f"sqlite:///{file}", "QUEUE_URL": queue.url})
    site.manage("setup")
    key = site.manage("create_api_key", "queue", "--scope", "intake").strip()
    site.start()
    with closing(sqlite3.connect(file, timeout=30)) as rows:

        def beats() -> int:
            return int(_one(rows, "SELECT count(*) FROM django_q_task WHERE success AND func = ?", BEAT))

        try:
            site.manage("shell", "--verbosity", "0", "--command", ASKS)
            first = wait_for(beats, 60, "no heartbeat came through")
            assert _one(rows, "SELECT count(*) FROM django_q_ormq") == 0, "it went into the database's queue"

            queue.end()
            # Intake asks for nothing that it needs, so it is taken all the same.
            assert _send(site, key, 1) == 200
            queue.start()
            assert _send(site, key, 2) == 200
            # The next look at the schedule, half a minute after the last, is to find it due: the queue that
            # ended may have taken the last one with it.
            first = beats()
            with rows:
                rows.execute("UPDATE django_q_schedule SET next_run = '2026-01-01' WHERE func = ?", (BEAT,))
            wait_for(lambda: beats() > first, 100, "no heartbeat after the queue came back")
        finally:
            assert site.stop() == 0


def _one(rows: sqlite3.Connection, question: str, *values: str) -> Any:
    return rows.execute(question, values).fetchone()[0]


def _send(site: Site, key: str, number: int) -> int:
    made = event(number, at=datetime.now(UTC) - timedelta(minutes=1), source="/queue")
    request = urllib.request.Request(
        f"http://127.0.0.1:{site.port}/api/v1/intake",
        data=json.dumps(made).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents+json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return int(answer.status)


@pytest.mark.django_db
def test_a_task_of_before_another_secret_key_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    queueing.put("leads.tasks.deliver")
    assert queueing.waits("leads.tasks.deliver") is True
    monkeypatch.setattr(Conf, "SECRET_KEY", "another-one")
    assert queueing.waits("leads.tasks.deliver") is False
    queueing.put("leads.tasks.deliver")
    assert queueing.waits("leads.tasks.deliver") is True


@pytest.mark.django_db
def test_a_queue_that_is_away_is_said_and_breaks_nothing() -> None:
    with override_settings(QUEUE_URL="redis://127.0.0.1:1/0"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(queueing, "get_broker", _Away)
        assert queueing.size() is None
        assert queueing.waits("leads.tasks.deliver") is False
        figures = gather(NOW)
    lines = [line for part in saying.parts(figures) for line in part.lines]
    (line,) = [line for line in lines if line.name == "Tasks that wait"]
    assert (line.value, line.todo) == ("unknown", "The Redis of QUEUE_URL does not answer. Start it again.")


class _Away:
    """A broker whose Redis does not answer."""

    list_key = "x"

    @property
    def connection(self) -> _Away:
        return self

    def lrange(self, *bounds: object) -> list[bytes]:
        raise queueing.RedisError

    def queue_size(self) -> int:
        raise queueing.RedisError


def test_in_redis_a_task_is_put_after_the_commit(db: None, django_capture_on_commit_callbacks: Any) -> None:
    put: list[tuple[object, ...]] = []
    with override_settings(QUEUE_URL="redis://127.0.0.1:1/0"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(queueing, "async_task", lambda *what: put.append(what))
        with django_capture_on_commit_callbacks(execute=True):
            queueing.put("leads.tasks.first_sync", 3, 0)
            assert put == []
    assert put == [("leads.tasks.first_sync", 3, 0)]


def test_a_redis_that_is_away_at_the_commit_fails_nothing(
    db: None, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Any
) -> None:
    def away(*what: object) -> None:
        raise queueing.RedisError("no answer from Redis")

    with override_settings(QUEUE_URL="redis://127.0.0.1:1/0"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(queueing, "async_task", away)
        with django_capture_on_commit_callbacks(execute=True):
            queueing.put("leads.tasks.first_sync", 3, 0)
    assert "no answer from Redis" in caplog.text


def test_what_waits_in_redis_is_seen(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Conf, "REDIS", queue.url)
    broker = Redis("tests")
    wait_for(lambda: _answers(broker), 20, "Redis never answered")
    monkeypatch.setattr(queueing, "get_broker", lambda: broker)
    with override_settings(QUEUE_URL=queue.url):
        assert (queueing.size(), queueing.waits("leads.tasks.deliver")) == (0, False)
        for task in ("leads.tasks.deliver", "leads.tasks.sweep"):
            broker.enqueue(SignedPackage.dumps({"func": task}))
        assert (queueing.size(), queueing.waits("leads.tasks.deliver")) == (2, True)
        broker.dequeue()
        assert (queueing.size(), queueing.waits("leads.tasks.deliver")) == (1, False)


def _answers(broker: Redis) -> bool:
    try:
        return bool(broker.ping())
    except queueing.RedisError:
        return False
