"""What came of an attempt: on the row, in the log, on the connection."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from leads.models import Connection, Delivery
from leads.outbox import claim, is_paused, release, settle
from leads.outbox.claiming import LEASE
from tests.conftest import NOW
from tests.factories import make_lead
from tests.leads.connectors.conftest import make_connection
from tests.leads.outbox.rows import after, outcome, owed

pytestmark = pytest.mark.django_db


class Middle(random.Random):
    """Always in the middle of the jitter."""

    def random(self) -> float:
        return 0.5


def attempt(row, result, now=NOW, worker="a", **fields):
    """Claim this row, which is the only one due, and settle it; the row as it is now."""
    [claimed] = claim(row.connection_id, 1, now, worker)
    assert claimed == row
    settle(row.connection_id, [(claimed, outcome(result, **fields))], now, worker, Middle())
    row.refresh_from_db()
    return row


@pytest.mark.parametrize(
    ("result", "status", "next_attempt", "attempts"),
    [
        ("done", "done", NOW, 1),
        ("transient", "pending", after(seconds=5.25), 1),
        ("throttled", "pending", after(seconds=10.5), 1),
        ("permanent", "dead", NOW, 1),
        ("gone", "dead", NOW, 1),
        ("unauthorised", "pending", NOW, 1),
        ("left", "pending", NOW, 0),
    ],
)
def test_what_each_outcome_makes_of_an_event(result, status, next_attempt, attempts):
    said = "" if result == "done" else "said so"
    row = attempt(owed(make_connection(), make_lead()), result, status=418, error=said)
    assert (row.status, row.next_attempt_at, row.attempts) == (status, next_attempt, attempts)
    assert (row.done_at, row.locked_until, row.locked_by) == (None if status == "pending" else NOW, None, "")
    assert (row.last_status, row.last_error) == (418, said)
    logged = list(row.tries.values_list("number", "outcome", "status", "error"))
    assert logged == ([] if result == "left" else [(1, result, 418, said)])


def test_what_stands_behind_a_stuck_row_is_due_with_it_and_not_before():
    there, lead = make_connection(), make_lead()
    head, next_, late = (owed(there, lead, at=at) for at in (NOW, NOW, after(hours=1)))
    beside, elsewhere = owed(there, make_lead()), owed(make_connection(), lead)
    rows = claim(there.pk, 5, NOW, "a")
    assert rows == [head, beside]
    settle(
        there.pk, list(zip(rows, [outcome("transient"), outcome("done")], strict=True)), NOW, "a", Middle()
    )
    moments = dict(Delivery.objects.values_list("pk", "next_attempt_at"))
    stuck = after(seconds=5.25)
    assert [moments[row.pk] for row in (head, next_, late, elsewhere)] == [stuck, stuck, after(hours=1), NOW]
    # The head is done: what stood behind it goes at once.
    assert claim(there.pk, 5, after(seconds=5), "a") == []
    [again] = claim(there.pk, 5, stuck, "a")
    settle(there.pk, [(again, outcome("permanent"))], stuck, "a")
    assert claim(there.pk, 5, stuck, "a") == [next_]


def test_what_stands_behind_a_lost_lease_waits_with_it():
    there, lead = make_connection(), make_lead()
    head, behind = owed(there, lead), owed(there, lead)
    claim(there.pk, 5, NOW, "a")
    release(NOW + LEASE, Middle())
    head.refresh_from_db()
    behind.refresh_from_db()
    assert NOW + LEASE < head.next_attempt_at == behind.next_attempt_at


def test_a_state_backs_off_otherwise_than_an_event():
    row = attempt(owed(make_connection(), make_lead(), kind="state"), "transient")
    assert row.next_attempt_at == after(seconds=2.5)


def test_what_was_asked_for_is_the_least():
    row = owed(make_connection(), make_lead())
    assert attempt(row, "transient", retry_after=timedelta(hours=2)).next_attempt_at == after(hours=2)


def test_an_event_is_given_up_after_its_schedule_and_a_state_much_later():
    event, state = owed(make_connection(), make_lead()), owed(make_connection(), make_lead(), kind="state")
    for row, most in ((event, 10), (state, 100)):
        moment = NOW
        for number in range(1, most + 1):
            assert row.status == "pending", number
            # After the breaker's longest pause and the schedule's longest wait.
            moment += timedelta(days=2)
            attempt(row, "transient", moment)
        assert (row.status, row.attempts, row.tries.count()) == ("dead", most, most)


def test_waiting_as_asked_brings_nothing_nearer_to_being_given_up():
    row, moment = owed(make_connection(), make_lead()), NOW
    for _ in range(12):
        moment += timedelta(days=2)
        attempt(row, "throttled", moment)
    attempt(row, "transient", moment + timedelta(days=1))
    # Its first failure: the schedule's first wait.
    assert row.next_attempt_at == moment + timedelta(days=1, seconds=5.25)
    assert (row.status, row.attempts, row.tries.count()) == ("pending", 13, 13)


def test_a_lost_lease_is_left_to_whoever_has_it():
    there = make_connection()
    row = owed(there, make_lead())
    [first] = claim(there.pk, 1, NOW, "a")
    release(NOW + LEASE)
    later = NOW + LEASE + timedelta(minutes=10)
    [second] = claim(there.pk, 1, later, "b")
    assert settle(there.pk, [(first, outcome("done"))], later, "a") == 0
    row.refresh_from_db()
    assert (row.status, row.locked_by, row.attempts, row.tries.count()) == ("sending", "b", 2, 0)
    assert settle(there.pk, [(second, outcome("done"))], later, "b") == 1
    # The attempt that nobody heard of again shows in the number.
    assert list(row.tries.values_list("number", flat=True)) == [2]


def test_a_lost_lease_is_not_mistaken_for_ones_own_new_one():
    there = make_connection()
    owed(there, make_lead())
    [first] = claim(there.pk, 1, NOW, "a")
    release(NOW + LEASE)
    later = NOW + LEASE + timedelta(minutes=10)
    [second] = claim(there.pk, 1, later, "a")
    assert settle(there.pk, [(first, outcome("permanent"))], later, "a") == 0
    assert settle(there.pk, [(second, outcome("done"))], later, "a") == 1


def test_settling_twice_is_settling_once():
    there = make_connection()
    row = owed(there, make_lead())
    [claimed] = claim(there.pk, 1, NOW, "a")
    assert settle(there.pk, [(claimed, outcome("done"))], NOW, "a") == 1
    assert settle(there.pk, [(claimed, outcome("done"))], NOW, "a") == 0
    assert row.tries.count() == 1


@pytest.mark.parametrize("result", ["transient", "permanent", "unauthorised", "throttled", "left"])
def test_a_state_that_failed_while_a_newer_one_waits_is_superseded(result):
    there, lead = make_connection(), make_lead()
    old = owed(there, lead, kind="state")
    [claimed] = claim(there.pk, 1, NOW, "a")
    newer = owed(there, lead, kind="state")
    settle(there.pk, [(claimed, outcome(result))], NOW, "a")
    old.refresh_from_db()
    newer.refresh_from_db()
    assert (old.status, newer.status) == ("superseded", "pending")


def test_an_event_is_never_superseded_and_neither_is_another_leads_state():
    there, lead = make_connection(), make_lead()
    event, state = owed(there, lead), owed(there, make_lead(), kind="state")
    rows = claim(there.pk, 2, NOW, "a")
    owed(there, lead, kind="state")
    owed(make_connection(), state.lead, kind="state")
    settle(there.pk, [(row, outcome("transient")) for row in rows], NOW, "a")
    assert set(Delivery.objects.filter(pk__in=[event.pk, state.pk]).values_list("status", flat=True)) == {
        "pending"
    }


def test_a_lease_that_returns_to_a_newer_state_is_superseded():
    there, lead = make_connection(), make_lead()
    old = owed(there, lead, kind="state")
    claim(there.pk, 1, NOW, "a")
    owed(there, lead, kind="state")
    release(NOW + LEASE)
    old.refresh_from_db()
    assert old.status == "superseded"


def test_five_failures_in_a_row_open_the_breaker_and_a_batch_is_one_of_them():
    there = make_connection()
    for _ in range(4):
        for _ in range(3):
            owed(there, make_lead())
        rows = claim(there.pk, 3, NOW, "a")
        settle(there.pk, [(row, outcome("transient")) for row in rows], NOW, "a")
    there.refresh_from_db()
    assert (there.failures, there.outcomes, there.probe_at) == (4, "0000", None)
    attempt(owed(there, make_lead()), "transient")
    there.refresh_from_db()
    assert there.probe_at == after(seconds=60)


def test_a_refusal_of_one_row_is_an_answer():
    there = make_connection(failures=4, outcomes="0000")
    attempt(owed(there, make_lead()), "permanent")
    there.refresh_from_db()
    assert (there.failures, there.last_out_at) == (0, None)


def test_who_asks_to_wait_is_left_alone_and_then_gone_on_with():
    there = make_connection()
    attempt(owed(there, make_lead()), "throttled", retry_after=timedelta(minutes=3))
    there.refresh_from_db()
    assert (there.paused_why, there.paused_until) == (
        "The other side asked to wait (rate limit).", after(minutes=3),
    )  # fmt: skip
    assert is_paused(there, after(minutes=2)) and not is_paused(there, after(minutes=3))
    attempt(owed(there, make_lead(), at=after(minutes=3)), "done", after(minutes=3))
    there.refresh_from_db()
    assert (there.paused_why, there.paused_until, there.last_out_at) == ("", None, after(minutes=3))


def test_a_person_who_stopped_it_is_not_overruled_by_an_answer():
    there = make_connection()
    row = owed(there, make_lead())
    [claimed] = claim(there.pk, 1, NOW, "a")
    Connection.objects.update(paused_why="Moved over the weekend")
    settle(there.pk, [(claimed, outcome("throttled", retry_after=timedelta(seconds=1)))], NOW, "a")
    there.refresh_from_db()
    assert (there.paused_why, there.paused_until) == ("Moved over the weekend", None)
    row.refresh_from_db()
    assert row.status == "pending"


def test_refused_credentials_stop_everything_and_lose_nothing():
    there = make_connection()
    attempt(owed(there, make_lead()), "unauthorised", error="expired")
    there.refresh_from_db()
    assert (there.paused_why, there.paused_until, there.is_active) == (
        "The credentials are refused: expired", None, True,
    )  # fmt: skip
    assert claim(there.pk, 1, after(days=9), "a") == []


def test_the_history_of_a_connection_is_of_what_stops_it_and_not_of_what_leaves():
    there = make_connection()
    for result in ("done", "transient", "throttled", "done"):
        attempt(owed(there, make_lead(), at=after(hours=1)), result, after(hours=1))
        Connection.objects.update(paused_why="", paused_until=None)
    assert there.history.count() == 1
    attempt(owed(there, make_lead()), "unauthorised", after(hours=2))
    assert there.history.count() == 2


def test_who_wants_no_more_is_switched_off():
    there = make_connection()
    attempt(owed(there, make_lead()), "gone", error="The address answers 410: it wants no more.")
    there.refresh_from_db()
    assert (there.is_active, there.paused_why) == (False, "The address answers 410: it wants no more.")


def test_a_probe_that_is_asked_to_wait_says_nothing_and_is_made_again():
    there = make_connection(failures=5, trips=1, probe_at=NOW)
    attempt(owed(there, make_lead()), "throttled", retry_after=timedelta(seconds=30))
    there.refresh_from_db()
    assert (there.probe_at, there.trips, there.failures) == (NOW, 1, 5)
    assert claim(there.pk, 1, after(seconds=29), "a") == []
    assert len(claim(there.pk, 1, after(seconds=33), "a")) == 1


def test_what_another_system_says_is_cut_short_and_keeps_no_nul():
    row = attempt(
        owed(make_connection(), make_lead()), "permanent", error="e" * 999, request="r" * 9999,
        answer="a\x00" * 9999,
    )  # fmt: skip
    logged = row.tries.get()
    assert (len(row.last_error), len(logged.error), len(logged.request)) == (300, 300, 2000)
    assert logged.answer == "a\ufffd" * 1000


def test_settling_asks_as_much_for_three_as_for_thirty(django_assert_num_queries):
    there = make_connection()
    for number in (3, 30):
        for _ in range(number):
            owed(there, make_lead(), kind="state")
        rows = claim(there.pk, 50, NOW, "a")
        results = [(row, outcome("transient" if row.pk % 2 else "done")) for row in rows]
        with django_assert_num_queries(11):
            settle(there.pk, results, NOW, "a")
