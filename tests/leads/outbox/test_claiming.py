"""The claim: in order, leased, within what pause, breaker and budget allow."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leads.models import Connection, Delivery
from leads.outbox import budget_wait, claim, lets, release, settle
from leads.outbox.claiming import LEASE
from tests.conftest import NOW
from tests.factories import make_lead
from tests.leads.connectors.conftest import make_connection
from tests.leads.outbox.rows import after, outcome, owed, pks

pytestmark = pytest.mark.django_db


def finish(rows, result="done", now=NOW, worker="a", **fields):
    return settle(rows[0].connection_id, [(row, outcome(result, **fields)) for row in rows], now, worker)


def test_a_claim_leases_and_counts_before_anything_is_sent():
    there = make_connection()
    row = owed(there, make_lead())
    [claimed] = claim(there.pk, 5, NOW, "a")
    row.refresh_from_db()
    assert claimed == row
    assert (row.status, row.attempts, row.locked_by, row.locked_until) == ("sending", 1, "a", NOW + LEASE)
    assert claim(there.pk, 5, NOW, "b") == []


def test_what_is_not_due_or_settled_or_of_another_connection_is_not_taken():
    there, other = make_connection(), make_connection()
    owed(there, make_lead(), at=after(seconds=1))
    owed(there, make_lead(), status="done", done_at=NOW)
    owed(other, make_lead())
    assert claim(there.pk, 5, NOW, "a") == []
    assert len(claim(there.pk, 5, after(seconds=1), "a")) == 1


def test_due_to_the_microsecond_whatever_zone_the_moment_is_given_in():
    there = make_connection()
    owed(there, make_lead(), at=NOW + timedelta(microseconds=500))
    moment = NOW.astimezone(ZoneInfo("America/New_York"))
    assert claim(there.pk, 5, moment + timedelta(microseconds=499), "a") == []
    assert len(claim(there.pk, 5, moment + timedelta(microseconds=500), "a")) == 1


def test_of_one_lead_only_the_oldest_goes_and_the_others_after_it():
    there, lead, other = make_connection(), make_lead(), make_lead()
    rows = [owed(there, lead), owed(there, lead), owed(there, other)]
    first = claim(there.pk, 10, NOW, "a")
    assert pks(first) == [rows[0].pk, rows[2].pk]
    assert claim(there.pk, 10, NOW, "a") == []
    finish(first)
    assert pks(claim(there.pk, 10, NOW, "a")) == [rows[1].pk]


def test_a_stuck_head_holds_its_own_lead_only():
    there, stuck, free = make_connection(), make_lead(), make_lead()
    head = owed(there, stuck, at=after(hours=1))
    owed(there, stuck)
    others = [owed(there, free), owed(there, free)]
    assert pks(claim(there.pk, 10, NOW, "a")) == [others[0].pk]
    assert pks(claim(there.pk, 10, after(hours=1), "a")) == [head.pk]


def test_leads_and_connections_do_not_wait_for_each_other():
    one, two, lead = make_connection(), make_connection(), make_lead()
    first, second = owed(one, lead), owed(two, lead)
    assert pks(claim(one.pk, 10, NOW, "a")) == [first.pk]
    assert pks(claim(two.pk, 10, NOW, "b")) == [second.pk]


def test_messages_without_a_lead_are_in_nobodys_order():
    there = make_connection()
    rows = [owed(there), owed(there)]
    assert pks(claim(there.pk, 10, NOW, "a")) == pks(rows)


def test_the_oldest_due_goes_first():
    there = make_connection()
    late = owed(there, make_lead(), at=after(seconds=-1))
    early = owed(there, make_lead(), at=after(seconds=-2))
    assert pks(claim(there.pk, 1, NOW, "a")) == [early.pk]
    assert pks(claim(there.pk, 1, NOW, "a")) == [late.pk]


@pytest.mark.parametrize(
    ("fields", "gets"),
    [
        ({}, 1),
        ({"is_active": False}, 0),
        ({"paused_why": "stopped"}, 0),
        ({"paused_why": "asked to wait", "paused_until": after(seconds=1)}, 0),
        ({"paused_why": "asked to wait", "paused_until": NOW}, 1),
        ({"probe_at": after(seconds=1)}, 0),
        ({"probe_at": NOW}, 1),
    ],
)
def test_what_stops_a_connection(fields, gets):
    there = make_connection(**fields)
    owed(there, make_lead())
    assert lets(there, NOW) == bool(gets)
    assert len(claim(there.pk, 5, NOW, "a")) == gets


def test_while_the_breaker_is_open_one_probe_is_made_and_only_one():
    there = make_connection(probe_at=NOW, failures=5, trips=1)
    for _ in range(3):
        owed(there, make_lead())
    probe = claim(there.pk, 3, NOW, "a")
    assert len(probe) == 1
    assert claim(there.pk, 3, after(seconds=5), "b") == []
    finish(probe)
    assert len(claim(there.pk, 3, after(seconds=6), "b")) == 2


def test_a_failed_probe_waits_twice_as_long_and_a_lost_one_as_long_as_the_lease():
    there = make_connection(probe_at=NOW, failures=5, trips=1)
    owed(there, make_lead())
    finish(claim(there.pk, 3, NOW, "a"), "transient")
    there.refresh_from_db()
    assert (there.trips, there.probe_at) == (2, after(seconds=120))
    owed(there, make_lead())
    assert claim(there.pk, 1, after(seconds=120), "a") != []
    assert claim(there.pk, 1, after(seconds=120) + LEASE - timedelta(seconds=1), "b") == []
    assert claim(there.pk, 1, after(seconds=120) + LEASE, "b") != []


def test_the_budget_lets_go_what_it_has_and_fills_with_time():
    there = make_connection(rate=2, burst=3)
    for _ in range(6):
        owed(there, make_lead())
    assert len(claim(there.pk, 10, NOW, "a")) == 3
    assert claim(there.pk, 10, NOW, "a") == []
    assert budget_wait(there.pk, NOW) == timedelta(seconds=0.5)
    assert len(claim(there.pk, 10, after(seconds=1), "a")) == 2
    # Only as many calls as there are deliveries are taken from it.
    assert len(claim(there.pk, 10, after(seconds=60), "a")) == 1
    there.refresh_from_db()
    assert there.tokens == 2


def test_a_delivery_of_several_calls_waits_for_all_of_them():
    there = make_connection(rate=1, burst=2)
    for _ in range(3):
        owed(there, make_lead())
    # More than the burst holds: the bucket is as large as one delivery at least.
    assert len(claim(there.pk, 10, NOW, "a", calls=3)) == 1
    for seconds in (1, 2):
        assert claim(there.pk, 10, after(seconds=seconds), "a", calls=3) == []
    assert budget_wait(there.pk, after(seconds=1), calls=3) == timedelta(seconds=2)
    assert len(claim(there.pk, 10, after(seconds=3), "a", calls=3)) == 1


def test_a_batch_that_is_one_call_costs_one():
    there = make_connection(rate=1, burst=1)
    for _ in range(5):
        owed(there, make_lead())
    assert len(claim(there.pk, 4, NOW, "a", calls=0)) == 4
    assert claim(there.pk, 4, NOW, "a", calls=0) == []
    assert len(claim(there.pk, 4, after(seconds=1), "a", calls=0)) == 1


def test_the_budget_is_waited_for_only_where_it_is_what_lacks():
    there = make_connection(rate=1, burst=1)
    assert budget_wait(there.pk, NOW) is None
    owed(there, make_lead())
    assert budget_wait(there.pk, NOW) is None
    claim(there.pk, 1, NOW, "a")
    assert budget_wait(there.pk, NOW) is None
    owed(there, make_lead())
    assert budget_wait(there.pk, NOW) == timedelta(seconds=1)
    Connection.objects.update(paused_why="stopped")
    assert budget_wait(there.pk, NOW) is None


def test_a_lease_comes_back_with_its_attempt_counted():
    there = make_connection()
    row = owed(there, make_lead())
    claim(there.pk, 1, NOW, "a")
    assert release(NOW + LEASE - timedelta(seconds=1)) == 0
    assert release(NOW + LEASE) == 1
    row.refresh_from_db()
    assert (row.status, row.attempts, row.locked_until, row.locked_by) == ("pending", 1, None, "")
    assert row.last_error == "The worker that sent it ended before it knew the answer."
    assert NOW + LEASE <= row.next_attempt_at <= NOW + LEASE + timedelta(seconds=6)


def test_what_brings_every_worker_down_is_given_up():
    there, moment = make_connection(), NOW
    row = owed(there, make_lead())
    for _ in range(10):
        moment += timedelta(days=2)
        assert len(claim(there.pk, 1, moment, "a")) == 1
        release(moment + LEASE)
    row.refresh_from_db()
    assert (row.status, row.attempts) == ("dead", 10)


def test_the_database_keeps_what_a_row_can_be():
    there, lead = make_connection(), make_lead()
    for wrong in (
        {"status": "done"},
        {"status": "pending", "done_at": NOW},
        {"status": "sending"},
        {"status": "pending", "locked_until": NOW},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            owed(there, lead, **wrong)


def test_the_claim_asks_as_much_for_three_as_for_thirty(django_assert_num_queries):
    there = make_connection()
    for number in (3, 30):
        for _ in range(number):
            owed(there, make_lead())
        # Connection, what is due, budget, rows, leases; two for the savepoint of the test.
        with django_assert_num_queries(7):
            assert len(claim(there.pk, 50, NOW, "a")) == number


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["owe", "claim", "done", "fail", "left", "crash", "supersede"]),
        st.integers(0, 3),
        st.integers(0, 200),
    ),
    max_size=40,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MOVES)
def test_nobody_ever_holds_two_of_one_lead_and_order_is_kept(db, moves):
    """Random owing, claiming, failing and crashing of three workers: what was delivered of a lead is in the
    order in which it was owed, and no two are ever on their way."""
    with transaction.atomic():
        there = make_connection()
        leads = [make_lead() for _ in range(3)]
        moment, held, delivered = NOW, [], []
        for what, number, seconds in moves:
            moment += timedelta(seconds=seconds)
            if what == "owe":
                owed(there, leads[number % 3], at=moment)
            elif what == "claim":
                rows = claim(there.pk, number + 1, moment, f"worker {number}")
                held += [(row, f"worker {number}") for row in rows]
            elif what == "crash":
                release(moment)
            elif what == "supersede":
                waiting = Delivery.objects.filter(status="pending", lead=leads[number % 3])
                waiting.update(status="withdrawn", done_at=moment)
            elif held:
                row, worker = held.pop(number % len(held))
                result = {"done": "done", "fail": "transient", "left": "left"}[what]
                if settle(there.pk, [(row, outcome(result))], moment, worker):
                    delivered.append(row)
            sending = list(Delivery.objects.filter(status="sending").values_list("lead", flat=True))
            assert len(sending) == len(set(sending))
        for lead in leads:
            of_lead = [row.pk for row in delivered if row.lead_id == lead.pk]
            assert of_lead == sorted(of_lead) and len(of_lead) == len(set(of_lead))
        transaction.set_rollback(True)
