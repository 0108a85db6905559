"""What is kept of the outbox and of what came in, and for how long."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from leads import outbox, tasks
from leads.models import Connection, Delivery, DeliveryAttempt, InboundCall
from tests.conftest import NOW
from tests.factories import make_lead
from tests.leads.connectors.conftest import make_connection
from tests.leads.outbox.rows import owed

pytestmark = pytest.mark.django_db
SETTLED = ("done", "superseded", "withdrawn", "discarded")


def days(number: float):
    return NOW - timedelta(days=number)


def prune() -> int:
    with time_machine.travel(NOW, tick=False):
        return tasks.prune()


@pytest.mark.parametrize("status", [*SETTLED, "dead"])
def test_what_was_settled_goes_after_its_time_with_its_attempts(status):
    there, kept = make_connection(), 90 if status == "dead" else 30
    old = owed(there, make_lead(), status=status, done_at=days(kept + 0.01))
    young = owed(there, make_lead(), status=status, done_at=days(kept - 0.01))
    for row in (old, young):
        DeliveryAttempt.objects.create(delivery=row, number=1, at=NOW, outcome="done")
    assert prune() == 2
    assert list(Delivery.objects.values_list("pk", flat=True)) == [young.pk]
    assert DeliveryAttempt.objects.get().delivery == young


def test_what_waits_or_is_on_its_way_stays_whatever_its_age():
    there = make_connection(is_active=False)
    owed(there, make_lead(), at=days(900))
    owed(there, make_lead(), at=days(900), status="sending", locked_until=days(899))
    assert prune() == 0
    assert Delivery.objects.count() == 2


def call(number: int, age: float, status: str = "taken") -> InboundCall:
    return InboundCall.objects.create(
        connection=Connection.objects.first() or make_connection(),
        identity=f"c{number}", body=b"{}", body_digest="d", received_at=days(age), try_after=days(age),
        status=status,
    )  # fmt: skip


def test_calls_lose_their_body_first_and_their_row_later_but_never_while_they_wait():
    ages = (29.9, 30.1, 89.9, 90.1)
    for number, age in enumerate(ages):
        call(number, age)
    call(9, 400, "waiting")
    assert prune() == 1
    kept = {row.identity: bytes(row.body) for row in InboundCall.objects.all()}
    assert kept == {"c0": b"{}", "c1": b"", "c2": b"", "c9": b"{}"}
    assert prune() == 0


def test_more_than_a_batch_goes_in_several(monkeypatch):
    monkeypatch.setattr(tasks, "PRUNED_AT_ONCE", 3)
    there = make_connection()
    for number in range(8):
        owed(there, make_lead(), status="done", done_at=days(31))
        call(number, 31)
    assert prune() == 8
    assert Delivery.objects.count() == 0
    assert not InboundCall.objects.exclude(body=b"").exists()


def test_bodies_are_emptied_in_bounded_batches():
    for number in range(5):
        call(number, 31)
    assert [outbox.empty_bodies(NOW, 2) for _ in range(4)] == [2, 2, 1, 0]
