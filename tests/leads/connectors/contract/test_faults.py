"""What goes wrong on the way: refreshed, waited for, tried again, given up, and never done twice."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from leads import audit, outbox
from leads.connectors import delivering
from leads.models import Connection, Delivery, Finding
from leads.outbox.claiming import LEASE
from tests.conftest import NOW, Cast
from tests.factories import make_handoff
from tests.leads.connectors.contract.conftest import LATER, acted, deliver, settled
from tests.leads.connectors.contract.systems import System

# Past every wait after a few failures in a row, and past the breaker's.
MUCH_LATER = NOW + timedelta(hours=2)


class Ready:
    """A lead whose assigned handoff the other side knows, then accepted: one state is owed."""

    def __init__(self, cast: Cast, system: System, **fields: Any) -> None:
        self.system = system
        self.connection = system.connection(**fields)
        self.handoff = make_handoff("assigned", cast.femke)
        self.remote_id = system.make_record(self.handoff.lead)
        settled(self.connection, self.handoff.lead_id)
        self.before = system.effects(self.remote_id)
        acted("accept", self.handoff, cast.femke)
        self.row = Delivery.objects.get(done_at__isnull=True)
        self.tokens = self.asked_for_tokens()

    def asked_for_tokens(self) -> int:
        return len(self.system.outer.log.of(self.system.name, self.system.tokens))

    def assert_one_effect(self) -> None:
        self.row.refresh_from_db()
        wanted = outbox.wanted([self.handoff.lead_id])[self.handoff.lead_id]
        assert self.row.status == "done"
        assert self.system.effects(self.remote_id) == [*self.before, wanted.revision]


@pytest.fixture
def ready(cast: Cast, system: System) -> Ready:
    return Ready(cast, system)


def test_a_token_that_ended_is_fetched_once(ready: Ready) -> None:
    if not ready.system.tokens:
        pytest.skip("it has no tokens that end")
    ready.system.fault("ended")

    assert deliver(ready.connection) == 1

    ready.assert_one_effect()
    assert (ready.row.attempts, ready.asked_for_tokens() - ready.tokens) == (1, 1)


def test_credentials_that_are_refused_stop_the_connection_and_lose_nothing(
    cast: Cast, system: System
) -> None:
    ready = Ready(cast, system)
    good = ready.connection.sealed
    system.break_credentials(ready.connection)
    delivering_at = NOW + LATER

    assert deliver(ready.connection, delivering_at) == 0
    ready.row.refresh_from_db()
    ready.connection.refresh_from_db()
    assert (ready.row.status, ready.connection.paused_until) == ("pending", None)
    assert "credentials are refused" in ready.connection.paused_why
    calls = sum(system.outer.log.counts.values())
    assert deliver(ready.connection, MUCH_LATER) == 0
    assert sum(system.outer.log.counts.values()) == calls

    Connection.objects.update(sealed=good, paused_why="")
    assert deliver(ready.connection, MUCH_LATER) == 1
    ready.assert_one_effect()


def test_asked_to_wait_it_waits(ready: Ready) -> None:
    ready.system.fault("wait")

    assert deliver(ready.connection) == 0
    ready.connection.refresh_from_db()
    assert ready.connection.paused_until is not None
    assert ready.connection.paused_until >= NOW + LATER + timedelta(seconds=1)
    calls = sum(ready.system.outer.log.counts.values())
    assert deliver(ready.connection, ready.connection.paused_until - timedelta(seconds=1)) == 0
    assert sum(ready.system.outer.log.counts.values()) == calls
    assert deliver(ready.connection, MUCH_LATER) == 1
    ready.assert_one_effect()
    assert ready.connection.failures == 0


@pytest.mark.parametrize("name", ["broken", "lost before", "lost after", "answer lost"])
def test_what_failed_is_tried_again_and_done_once(ready: Ready, name: str) -> None:
    ready.system.fault(name, times=2)

    assert deliver(ready.connection) == 0
    ready.row.refresh_from_db()
    assert (ready.row.status, ready.row.attempts) == ("pending", 1)
    assert deliver(ready.connection, NOW + timedelta(hours=1)) == 0
    assert deliver(ready.connection, MUCH_LATER) == 1

    ready.assert_one_effect()
    assert ready.row.attempts == 3
    outcomes = list(ready.row.tries.values_list("outcome", flat=True))
    assert outcomes == ["transient", "transient", "done"]


def test_what_is_refused_for_good_is_given_up_with_its_reason(ready: Ready) -> None:
    ready.system.fault("refused", only=ready.remote_id)

    assert deliver(ready.connection) == 0
    ready.row.refresh_from_db()
    assert (ready.row.status, ready.row.attempts) == ("dead", 1)
    assert ready.row.last_error
    assert deliver(ready.connection, MUCH_LATER) == 0
    assert ready.system.effects(ready.remote_id) == ready.before

    run = audit.start(MUCH_LATER)
    while audit.work(run, MUCH_LATER):
        pass
    found = set(Finding.objects.filter(check_code="DEAD_LETTER").values_list("connection", "lead"))
    assert found == {(ready.connection.pk, ready.handoff.lead_id)}


def test_one_that_is_refused_spoils_no_other(cast: Cast, system: System) -> None:
    connection = system.connection()
    handoffs = [make_handoff("accepted", cast.femke) for _ in range(4)]
    ids = [system.make_record(handoff.lead) for handoff in handoffs]
    system.fault("refused", only=ids[1])

    assert deliver(connection) == 3

    rows = {row.lead_id: row.status for row in Delivery.objects.filter(status__in=("done", "dead"))}
    assert [rows[handoff.lead_id] for handoff in handoffs] == ["done", "dead", "done", "done"]
    assert [bool(system.effects(remote_id)) for remote_id in ids] == [True, False, True, True]


def test_a_worker_that_ends_before_it_wrote_down_the_answer_leaves_one_effect(
    ready: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: Any, **__: Any) -> int:
        raise SystemExit

    with monkeypatch.context() as patched, pytest.raises(SystemExit), transaction.atomic():
        patched.setattr(delivering, "settle", dies)
        deliver(ready.connection)
    # The claim stood in a transaction of its own, which the test's savepoint has taken back: put it again.
    claimed = outbox.claim(ready.connection.pk, 10, NOW + LATER, "gone")
    assert [row.pk for row in claimed] == [ready.row.pk]
    assert deliver(ready.connection, NOW + LATER + LEASE / 2) == 0

    assert outbox.release(NOW + LATER + LEASE) == 1
    assert deliver(ready.connection, MUCH_LATER) == 1
    ready.assert_one_effect()
