"""Dead letters: sent once more, or let go with a reason; each once."""

from __future__ import annotations

import pytest

from leads import outbox
from leads.models import Delivery
from leads.outbox import NeedsNote, claim, discard, replay, settle
from tests.acting import at
from tests.conftest import NOW
from tests.factories import make_handoff, make_lead
from tests.leads.connectors.conftest import make_connection
from tests.leads.outbox.rows import after, outcome, owed

pytestmark = pytest.mark.django_db


def dead(**fields):
    row = owed(make_connection(), make_lead(), **fields)
    [claimed] = claim(row.connection_id, 1, NOW, "a")
    settle(row.connection_id, [(claimed, outcome("permanent", status=400))], NOW, "a")
    row.refresh_from_db()
    assert row.status == "dead"
    return row


def test_a_replayed_event_keeps_its_id_and_has_all_its_attempts_before_it():
    row = dead()
    assert replay(row, after(hours=1)) is True
    again = Delivery.objects.get()
    assert (again.pk, again.message_id, again.body) == (row.pk, row.message_id, row.body)
    assert (again.status, again.done_at, again.attempts, again.next_attempt_at) == (
        "pending", None, 0, after(hours=1),
    )  # fmt: skip
    [claimed] = claim(row.connection_id, 1, after(hours=1), "a")
    settle(row.connection_id, [(claimed, outcome("done", status=200))], after(hours=1), "a")
    # The log goes on where it was.
    assert list(again.tries.values_list("number", "status")) == [(1, 400), (2, 200)]


def test_a_replayed_event_goes_before_what_came_after_it():
    row = dead()
    later = owed(row.connection, row.lead)
    replay(row, after(hours=1))
    [claimed] = claim(row.connection_id, 5, after(hours=1), "a")
    assert claimed.pk == row.pk < later.pk


def test_replayed_twice_is_replayed_once():
    row = dead()
    assert [replay(row, after(hours=1)), replay(row, after(hours=2))] == [True, False]
    row.refresh_from_db()
    assert row.next_attempt_at == after(hours=1)


@pytest.mark.parametrize("kind", ["message", "erase"])
def test_messages_and_erasures_are_replayed_as_they_are(kind):
    row = dead(kind=kind, body='[["contact", "1"]]')
    assert replay(row, after(hours=1)) is True
    row.refresh_from_db()
    assert row.status == "pending"


def test_a_state_is_owed_as_it_is_now(cast):
    there = make_connection("mautic")
    handoff = make_handoff("accepted", cast.femke)
    Delivery.objects.filter(status="pending").update(status="dead", done_at=NOW)
    row = Delivery.objects.get(status="dead")
    assert replay(row, at(hours=1)) is True
    row.refresh_from_db()
    assert (row.status, row.done_at) == ("superseded", at(hours=1))
    fresh = Delivery.objects.get(status="pending")
    assert (fresh.connection, fresh.kind, fresh.revision, fresh.next_attempt_at) == (
        there, "state", handoff.revision, at(hours=1),
    )  # fmt: skip
    assert fresh.message_id != row.message_id
    assert replay(row, at(hours=2)) is False
    assert Delivery.objects.filter(status="pending").count() == 1


def test_a_state_without_a_handoff_stays_dead():
    row = dead(kind="state")
    assert replay(row, after(hours=1)) is False
    row.refresh_from_db()
    assert row.status == "dead"


@pytest.mark.parametrize("status", ["pending", "done", "superseded", "withdrawn", "discarded"])
def test_only_dead_letters_are_replayed_or_let_go(status):
    done_at = None if status == "pending" else NOW
    row = owed(make_connection(), make_lead(), status=status, done_at=done_at)
    assert (replay(row, after(hours=1)), discard(row, "why")) == (False, False)
    row.refresh_from_db()
    assert (row.status, row.note) == (status, "")


def test_to_let_go_takes_a_reason_and_is_done_once():
    row = dead()
    for note in ("", "  \n"):
        with pytest.raises(NeedsNote):
            discard(row, note)
    assert discard(row, "  The record was deleted there  ") is True
    row.refresh_from_db()
    assert (row.status, row.note, row.done_at) == ("discarded", "The record was deleted there", NOW)
    assert discard(row, "again") is False
    assert replay(row, after(hours=1)) is False
    assert outbox.claim(row.connection_id, 5, after(days=1), "a") == []
