"""The worker is asked for: after the commit, when something is due, and once however much it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import transaction
from django.utils import timezone
from django_q.models import OrmQ
from django_q.tasks import async_task

from leads import queueing
from leads.outbox import waking
from leads.outbox.waking import DELIVER, TAKE_CALLS, ask, later, soon
from tests.conftest import NOW
from tests.leads.outbox.rows import after


@pytest.fixture
def asked(monkeypatch) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    monkeypatch.setattr(waking, "later", lambda task, wait: found.append((task, wait)))
    return found


@pytest.fixture
def timers(monkeypatch) -> Iterator[list[threading.Timer]]:
    """Timers that were made and not started; the clock stands at 100.25."""
    made: list[threading.Timer] = []
    monkeypatch.setattr(threading.Timer, "start", lambda timer: made.append(timer))
    monkeypatch.setattr(waking, "time", SimpleNamespace(monotonic=lambda: 100.25))
    waking._asked.clear()
    yield made
    waking._asked.clear()


def test_nobody_is_asked_for_what_is_rolled_back(db, asked, django_capture_on_commit_callbacks):
    rolled_back = pytest.raises(ZeroDivisionError)
    with django_capture_on_commit_callbacks(execute=True), rolled_back, transaction.atomic():
        soon(DELIVER, NOW, [NOW])
        raise ZeroDivisionError
    assert asked == []


def test_one_is_asked_for_at_each_moment_that_is_near(db, asked, django_capture_on_commit_callbacks):
    moments = [NOW, after(seconds=-9), NOW, after(seconds=11.2), after(seconds=12), after(seconds=31)]
    with django_capture_on_commit_callbacks(execute=True):
        soon(DELIVER, NOW, moments)
        assert asked == []
    assert asked == [(DELIVER, 0), (DELIVER, 12)]


def test_a_worker_that_cannot_be_asked_for_fails_nothing(
    db, monkeypatch, caplog, django_capture_on_commit_callbacks
):
    def no_thread(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(waking, "later", no_thread)
    with django_capture_on_commit_callbacks(execute=True):
        soon(DELIVER, NOW, [NOW])
    assert "can't start new thread" in caplog.text


def test_a_burst_is_one_wake_a_second(timers):
    for _ in range(500):
        later(DELIVER, 0)
    assert len(timers) == 1
    # At the end of that second, so that the last of the burst is seen as well.
    assert (timers[0].interval, timers[0].daemon) == (0.75, True)
    later(TAKE_CALLS, 0)
    later(DELIVER, 12)
    assert [timer.interval for timer in timers] == [0.75, 0.75, 12.75]


def test_after_it_fired_it_is_asked_for_again(timers, db):
    later(DELIVER, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waking.connections, "close_all", lambda: None)
        timers[0].function(*timers[0].args)
    later(DELIVER, 0)
    assert len(timers) == 2
    assert OrmQ.objects.count() == 1


def test_while_one_waits_no_other_is_asked_for(db):
    assert [ask(DELIVER), ask(DELIVER), ask(TAKE_CALLS)] == [True, False, True]
    assert sorted(row.task["func"] for row in OrmQ.objects.all()) == [DELIVER, TAKE_CALLS]
    # A worker has begun it: what comes in now it may have looked past.
    OrmQ.objects.update(lock=timezone.now() + timedelta(minutes=5))
    assert ask(DELIVER) is True


def test_other_tasks_that_wait_do_not_hide_it(db):
    assert ask(DELIVER) is True
    for _ in range(queueing.LOOKED_AT - 1):
        async_task("time.sleep", 0)
    assert ask(DELIVER) is False


@pytest.mark.django_db(transaction=True)
def test_a_commit_wakes_the_worker_within_two_seconds():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waking, "later", later)
        with transaction.atomic():
            soon(DELIVER, NOW, [NOW])
            assert not OrmQ.objects.exists()
        ends = time.monotonic() + 2.5
        while not OrmQ.objects.exists():
            assert time.monotonic() < ends, "nobody was asked for"
            time.sleep(0.02)
    assert [row.task["func"] for row in OrmQ.objects.all()] == [DELIVER]
    assert waking._asked == set()


def test_a_database_that_is_gone_is_the_schedules_to_mend(timers, monkeypatch):
    def gone(task: str) -> bool:
        raise waking.Error("no database")

    monkeypatch.setattr(waking, "ask", gone)
    monkeypatch.setattr(waking.connections, "close_all", lambda: None)
    later(DELIVER, 0)
    timers[0].function(*timers[0].args)
    assert waking._asked == set()
