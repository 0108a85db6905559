"""What the worker does of deliveries and calls: in turns, looking once more, sharing what is much."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from leads import connectors, tasks
from leads.connectors import delivering
from leads.models import Connection, Delivery
from leads.outbox import waking
from tests.factories import make_lead
from tests.leads.connectors.conftest import Played, make_connection
from tests.leads.connectors.dummies import install
from tests.leads.outbox.rows import owed

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(waking, "ask", found.append)
    return found


def test_a_turn_sends_what_is_due_to_all_and_gives_back_lost_leases(played: Played, asked):
    now = timezone.now()
    first, second = make_connection(base_url=played.url), make_connection(base_url=played.url)
    owed(first, make_lead(), at=now)
    owed(second, make_lead(), at=now)
    lost = owed(first, make_lead(), at=now, status="sending", locked_until=now, attempts=1)
    assert tasks.deliver() == 2
    lost.refresh_from_db()
    assert (lost.status, lost.locked_until, asked) == ("pending", None, [])
    assert tasks.deliver() == 0


def test_before_it_ends_it_looks_once_more(played: Played, asked):
    there = make_connection(base_url=played.url)
    owed(there, make_lead(), at=timezone.now())
    came: list[Delivery] = []
    real = connectors.deliver

    def deliver(connection, clock, *, seconds):
        sent = real(connection, clock, seconds=seconds)
        if not came:
            # A change is made just after the last look at this connection.
            came.append(owed(there, make_lead(), at=timezone.now()))
        return sent

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connectors, "deliver", deliver)
        assert tasks.deliver() == 2


def test_what_only_fails_ends_the_turn(played: Played, asked):
    there = make_connection(base_url=played.url)
    for _ in range(3):
        owed(there, make_lead(), at=timezone.now())
    played.answer = lambda *_: (503, {}, b"")
    assert tasks.deliver() == 0
    assert len(played.calls) == 3


@pytest.mark.parametrize(
    "fields",
    [{"paused_why": "stopped"}, {"probe_at": "2999-01-01T00:00:00Z"}, {"is_active": False}],
    ids=["paused", "spared", "off"],
)
def test_what_is_stopped_is_not_looked_at_again_and_again(played: Played, asked, fields):
    there = make_connection(base_url=played.url)
    owed(there, make_lead(), at=timezone.now())
    Connection.objects.update(**fields)
    assert (tasks.deliver(), asked, played.calls) == (0, [], [])


def test_a_stuck_head_does_not_keep_the_turn_running(played: Played, asked):
    """Something is due, and behind what is not: nothing can be sent of it."""
    there, lead = make_connection(base_url=played.url), make_lead()
    owed(there, lead, at=timezone.now() + timedelta(hours=1))
    owed(there, lead, at=timezone.now())
    assert (tasks.deliver(), played.calls) == (0, [])


def test_when_the_time_is_up_it_goes_on_in_another_turn(asked, monkeypatch):
    dummy = install(monkeypatch)
    dummy.batch = 1
    monkeypatch.setattr(tasks, "DELIVERING_SECONDS", 0)
    owed(make_connection("mautic"), make_lead(), at=timezone.now())
    assert (tasks.deliver(), asked) == (0, [waking.DELIVER])


def test_when_one_has_taken_all_the_time_the_others_have_the_next_turn(asked, monkeypatch):
    """Several that answer slowly must not add up beyond what a task may take."""
    for _ in range(3):
        owed(make_connection(), make_lead(), at=timezone.now())
    begun: list[int] = []

    def slow(connection, clock, *, seconds):
        begun.append(connection.pk)
        time.sleep(0.1)
        return 0

    monkeypatch.setattr(connectors, "deliver", slow)
    monkeypatch.setattr(tasks, "DELIVERING_SECONDS", 0.05)
    assert (tasks.deliver(), len(begun), asked) == (0, 1, [waking.DELIVER])


def test_what_is_much_is_shared(asked, monkeypatch):
    monkeypatch.setattr(delivering, "SHARED", 3)
    install(monkeypatch)
    there = make_connection("mautic")
    for _ in range(2):
        owed(there, make_lead(), at=timezone.now())
    assert (tasks.deliver(), asked) == (2, [])
    for _ in range(3):
        owed(there, make_lead(), at=timezone.now())
    assert (tasks.deliver(), asked) == (3, [waking.DELIVER])


def test_a_third_finds_nothing_to_do(asked, monkeypatch):
    install(monkeypatch)
    there, now = make_connection("mautic"), timezone.now()
    for worker in ("a", "b"):
        leased = {"status": "sending", "locked_by": worker, "locked_until": now + timedelta(seconds=60)}
        owed(there, make_lead(), at=now, **leased)
    owed(there, make_lead(), at=now)
    assert (tasks.deliver(), asked) == (0, [])


def test_calls_are_taken_for_one_turn_and_then_in_another(asked, monkeypatch):
    monkeypatch.setattr(connectors, "take_waiting", lambda clock, seconds: 3)
    assert (tasks.take_calls(), asked) == (3, [])
    monkeypatch.setattr(tasks, "TAKING_SECONDS", 0)
    assert (tasks.take_calls(), asked) == (3, [waking.TAKE_CALLS])
    monkeypatch.setattr(connectors, "take_waiting", lambda clock, seconds: 0)
    assert (tasks.take_calls(), asked) == (0, [waking.TAKE_CALLS])
