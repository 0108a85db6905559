"""What comes in: stored once as it came, taken in later, and given up in the end."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import DatabaseError

from leads import connectors, intake
from leads.connectors import arriving, receiving
from leads.connectors.base import Arrived, Unreadable
from leads.connectors.client import Unreachable
from leads.connectors.standard_webhooks import StandardWebhooks
from leads.models import Handoff, InboundCall, Lead, Receipt
from tests.conftest import NOW
from tests.factories import event, route_to
from tests.leads.connectors.conftest import make_connection
from tests.leads.outbox.rows import after

pytestmark = pytest.mark.django_db


def store(there, body: bytes, identity: str = "msg_1", now=NOW) -> bool:
    return connectors.store(there, Arrived("POST", "", {}, body), identity, now)


def take(now=NOW) -> int:
    return connectors.take_waiting(lambda: now, seconds=5)


def events(*numbers: int) -> bytes:
    return json.dumps([event(number) for number in numbers]).encode()


def test_a_call_is_stored_as_it_came_and_taken_in_later(cast):
    there = make_connection()
    route_to(cast.femke)
    body = events(1, 2)
    assert store(there, body) is True
    assert Lead.objects.count() == 0
    call = InboundCall.objects.get()
    assert (bytes(call.body), call.status, call.received_at) == (body, "waiting", NOW)
    there.refresh_from_db()
    assert there.last_in_at == NOW
    assert take(after(seconds=1)) == 1
    call.refresh_from_db()
    assert (call.status, call.outcome, call.done_at, call.error) == (
        "taken", {"events": 2, "processed": 2}, after(seconds=1), "",
    )  # fmt: skip
    assert (Lead.objects.count(), Handoff.objects.count()) == (2, 2)
    assert take(after(days=1)) == 0


def test_sent_again_it_is_the_same_and_counted(cast):
    there = make_connection()
    route_to(cast.femke)
    store(there, events(1))
    take()
    assert store(there, events(1), now=after(hours=1)) is False
    assert store(there, b"another body", now=after(hours=2)) is False
    call = InboundCall.objects.get()
    assert (call.repeats, call.differing_repeats, call.status) == (2, 1, "taken")
    assert (take(after(days=1)), Lead.objects.count()) == (0, 1)


def test_one_identity_is_one_call_for_each_connection():
    for _ in range(2):
        assert store(make_connection(), b"{}") is True
    assert InboundCall.objects.count() == 2


def test_the_oldest_first(cast, monkeypatch):
    there = make_connection()
    taken: list[str] = []
    monkeypatch.setattr(receiving, "_take", lambda call, now: taken.append(call.identity))
    for number in (3, 1, 2):
        store(there, b"{}", f"msg_{number}", after(seconds=number))
    take(after(minutes=1))
    assert taken == ["msg_1", "msg_2", "msg_3"]


def test_two_who_take_do_not_take_the_same(monkeypatch):
    there = make_connection()
    store(there, b"{}")
    claimed = receiving._claim(NOW)
    assert claimed is not None and claimed.tries == 1
    # Whoever has it has a minute before another may try.
    assert receiving._claim(after(seconds=59)) is None
    assert receiving._claim(after(seconds=60)).tries == 2


def test_a_call_that_says_nothing_to_us_is_ignored():
    store(make_connection(), b"[]")
    assert take() == 1
    assert InboundCall.objects.get().status == "ignored"


def test_bad_events_spoil_no_good_ones(cast):
    route_to(cast.femke)
    store(make_connection(), json.dumps([event(1), {"type": "nonsense"}]).encode())
    take()
    call = InboundCall.objects.get()
    assert (call.status, call.outcome) == ("taken", {"events": 2, "processed": 1, "invalid": 1})


def test_what_makes_no_sense_is_never_tried_again():
    store(make_connection(), b"<xml>Jane Doe</xml>")
    take()
    call = InboundCall.objects.get()
    assert (call.status, call.tries, call.error) == ("failed", 1, "The body is not JSON.")
    assert take(after(days=9)) == 0


def test_a_quiet_connection_brings_leads_in_quietly(cast):
    route_to(cast.femke)
    store(make_connection(is_quiet=True), events(1))
    take()
    assert Handoff.objects.get().is_quiet is True


@pytest.mark.parametrize(
    ("problem", "error"),
    [
        (Unreachable("No answer: ConnectError."), "No answer: ConnectError."),
        (KeyError("Jane Doe"), "It could not be understood (KeyError)."),
        (DatabaseError("Jane Doe"), "It could not be understood (DatabaseError)."),
    ],
)
def test_what_may_go_better_later_is_tried_again_each_time_later_and_given_up_after_eight(
    monkeypatch, problem, error
):
    def fail(*_):
        raise problem

    monkeypatch.setattr(StandardWebhooks, "translate", fail)
    store(make_connection(), b"{}")
    moment, waits = NOW, []
    for number in range(1, 9):
        assert take(moment) == 1
        call = InboundCall.objects.get()
        assert (call.tries, call.error) == (number, error)
        waits.append(call.try_after - moment)
        assert take(call.try_after - timedelta(seconds=1)) == 0
        moment = call.try_after
    assert waits == [timedelta(seconds=30 * 2**number) for number in range(1, 9)]
    assert (call.status, call.done_at is not None) == ("failed", True)
    assert take(after(days=30)) == 0


def test_a_poisonous_call_holds_up_nobody_and_is_given_up(cast, monkeypatch):
    """Whatever brings the worker down comes back until its tries are over; what is beside it gets through."""
    there = make_connection()
    route_to(cast.femke)
    store(there, b"poison", "msg_poison")
    real = StandardWebhooks.translate

    def fall(self, body, identity, received_at):
        if body == b"poison":
            raise SystemExit
        return real(self, body, identity, received_at)

    monkeypatch.setattr(StandardWebhooks, "translate", fall)
    moment = NOW
    for _ in range(8):
        with pytest.raises(SystemExit):
            take(moment)
        moment += timedelta(days=1)
    store(there, events(1), "msg_good", moment)
    assert take(moment) == 1
    calls = dict(InboundCall.objects.values_list("identity", "status"))
    assert calls == {"msg_poison": "failed", "msg_good": "taken"}


def test_taken_twice_after_a_crash_it_is_taken_once(cast, monkeypatch):
    """The crash comes after the events were taken in and before that was written down."""
    there = make_connection()
    route_to(cast.femke)
    store(there, events(1))
    real = intake.receive

    def crash(*args, **options):
        real(*args, **options)
        raise SystemExit

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arriving.intake, "receive", crash)
        with pytest.raises(SystemExit):
            take()
    assert take(after(hours=1)) == 1
    call = InboundCall.objects.get()
    assert (call.status, call.tries, call.outcome) == ("taken", 2, {"events": 1, "duplicate": 1})
    assert (Lead.objects.count(), Handoff.objects.count(), Receipt.objects.count()) == (1, 1, 1)


def test_reading_a_call_has_its_bounds(monkeypatch):
    """What only names a record is looked up there; that must end before the task does."""
    given: list[float] = []
    monkeypatch.setattr("leads.connectors.client.Http.give", lambda self, seconds: given.append(seconds))
    store(make_connection(), b"[]")
    take()
    assert given == [40.0]


def test_a_new_call_asks_for_somebody_to_take_it_in(monkeypatch, django_capture_on_commit_callbacks):
    asked: list[tuple[str, float]] = []
    monkeypatch.setattr("leads.outbox.waking.later", lambda task, wait: asked.append((task, wait)))
    there = make_connection()
    with django_capture_on_commit_callbacks(execute=True):
        store(there, b"{}")
        store(there, b"{}")
    assert asked == [("leads.tasks.take_calls", 0)]


def test_an_error_of_a_connector_holds_none_of_what_was_said():
    with pytest.raises(Unreadable) as problem:
        StandardWebhooks.translate(None, b'{"email": "jane@acme.com"', "msg", NOW)  # type: ignore[arg-type]
    assert "jane" not in str(problem.value)
