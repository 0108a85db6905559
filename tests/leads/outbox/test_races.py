"""A change and a worker at the same moment: what is being taken back is not sent, and nobody stumbles."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from leads.models import Delivery
from leads.outbox import claim, settle
from tests.conftest import NOW
from tests.factories import make_lead
from tests.leads.connectors.conftest import make_connection
from tests.leads.outbox.rows import outcome, owed, pks

pytestmark = [
    pytest.mark.storm,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor == "sqlite",
        reason="where one writes at a time there is no such moment",
    ),
]


def beside(change: Callable[[], object], meanwhile: Callable[[], object]) -> None:
    """Make this change in a transaction of another connection, and do something before it commits."""
    made, go_on = threading.Event(), threading.Event()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with transaction.atomic():
                change()
                made.set()
                go_on.wait(20)
        except BaseException as error:
            errors.append(error)
        finally:
            made.set()
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    made.wait(20)
    try:
        meanwhile()
    finally:
        go_on.set()
        thread.join(20)
    assert errors == []


@pytest.mark.parametrize("status", ["withdrawn", "superseded"])
def test_what_is_about_to_be_taken_back_is_not_claimed_and_what_is_beside_it_is(status):
    there, lead = make_connection(), make_lead()
    row, behind, other = owed(there, lead), owed(there, lead), owed(there, make_lead())
    claimed: list[Delivery] = []

    def take_back() -> None:
        Delivery.objects.filter(pk=row.pk, status="pending").update(status=status, done_at=NOW)

    beside(take_back, lambda: claimed.extend(claim(there.pk, 5, NOW, "a")))
    # What stands behind it waits too: whether it goes first is not known yet.
    assert pks(claimed) == [other.pk]
    assert pks(claim(there.pk, 5, NOW, "a")) == [behind.pk]
    row.refresh_from_db()
    assert (row.status, row.attempts) == (status, 0)


def test_a_change_that_comes_while_a_state_is_settled_leaves_the_newer_one_to_be_sent():
    there, lead = make_connection(), make_lead()
    owed(there, lead, kind="state")
    [sending] = claim(there.pk, 5, NOW, "a")

    def change() -> None:
        waiting = Delivery.objects.filter(lead=lead, kind="state", status="pending", done_at__isnull=True)
        waiting.update(status="superseded", done_at=NOW)
        owed(there, lead, kind="state", message_id="newer")

    beside(change, lambda: settle(there.pk, [(sending, outcome("transient"))], NOW, "a"))
    assert Delivery.objects.get(message_id="newer").status == "pending"
    assert Delivery.objects.get(pk=sending.pk).status == "pending"
    assert claim(there.pk, 5, NOW, "a") == []


def test_owing_does_not_wait_for_a_worker_that_holds_the_connection():
    """The connection's row is the workers' lock; a change only points to it."""
    there, lead = make_connection(), make_lead()
    owed(there, make_lead())
    beside(lambda: claim(there.pk, 5, NOW, "a"), lambda: owed(there, lead))
    assert Delivery.objects.filter(lead=lead, status="pending").count() == 1
