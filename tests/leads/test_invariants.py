"""Each invariant: silent on honest data of every state, and loud when one thing is bent."""

import re
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from leads import invariants, lifecycle
from leads.models import Event, FiredStep, Handoff, Lead, LeadAlias
from routing.models import PoolMember, Queue, Turn, User
from tests import factories
from tests.conftest import NOW, Cast, with_the_cast

STATES = [
    "incomplete", "queued", "assigned", "accepted", "deferred", "working", "converted", "disqualified",
    "rejected",
]  # fmt: skip


def found() -> list[str]:
    """The violations' codes and messages, without those of the projection that bending a row brings along."""
    return [f"{v.code}: {v.message}" for v in invariants.violations() if v.code != "projection"]


@pytest.fixture
def handoffs(cast: Cast) -> dict[str, Handoff]:
    """One handoff in each state."""
    return with_the_cast(cast, _handoffs)


def _handoffs(cast: Cast) -> dict[str, Handoff]:
    return {
        state: factories.make_handoff(state, None if state in ("incomplete", "queued") else cast.femke)
        for state in STATES
    }


def test_honest_data_has_no_violation(handoffs: dict[str, Handoff]) -> None:
    assert list(invariants.violations()) == []
    out = StringIO()
    call_command("check_invariants", stdout=out)
    assert out.getvalue() == "No violation.\n"


def test_after_days_of_sweeping_there_is_none(cast: Cast, handoffs: dict[str, Handoff]) -> None:
    for hours in (1, 5, 30, 24 * 9):
        at = NOW + timedelta(hours=hours)
        for handoff in Handoff.objects.due(at):
            lifecycle.fire(handoff.pk, at)
    assert list(invariants.violations()) == []


def test_an_empty_database_has_none(db: None) -> None:
    assert list(invariants.violations()) == []


def _bend(state: str, **columns: object) -> Callable[[dict[str, Handoff]], None]:
    def bend(handoffs: dict[str, Handoff]) -> None:
        Handoff.objects.filter(pk=handoffs[state].pk).update(**columns)

    return bend


def _erase_lead(handoffs: dict[str, Handoff]) -> None:
    nobody = factories.make_lead(first_name="", last_name="", email="", job_title="")
    Lead.objects.filter(pk=nobody.pk).update(erased_at=NOW)
    Handoff.objects.filter(pk=handoffs["assigned"].pk).update(lead=nobody)


def _unqueue_owner(handoffs: dict[str, Handoff]) -> None:
    Queue.objects.update(owner=User.objects.create_user("gone@handoff.example.com", is_active=False))


@pytest.mark.parametrize(
    ("bend", "said"),
    [
        (_bend("accepted", assignee=None), "accountable: is accepted and nobody holds it"),
        (_bend("accepted", next_due_at=None), "deadline: is due None, its clocks say"),
        (_bend("assigned", accept_due_at=None, contact_due_at=None), "has no next deadline"),
        (_bend("deferred", next_step_at=None), "deadline: is deferred and nothing will wake it"),
        (_bend("working", disposition=""), "is worked but lacks what makes it complete"),
        (_bend("converted", closed_at=None), "state: is closed without a time"),
        (_bend("assigned", closed_at=NOW), "state: is open and has a closing time"),
        (_bend("rejected", next_step_at=NOW), "state: is closed and steps would still fire"),
        (_bend("rejected", rejection_reason=None), "state: is rejected without a reason"),
        (_bend("queued", assigned_at=None), "state: was never assigned"),
        (_bend("converted", opportunity_at=None), "state: is converted without an opportunity"),
        (_erase_lead, "state: is open and its lead was erased"),
        (_unqueue_owner, "its owner gone@handoff.example.com is inactive"),
        (_unqueue_owner, "accountable: waits for data in no queue whose owner can answer"),
        (_unqueue_owner, "accountable: is in no queue whose owner can answer"),
    ],
)
def test_a_bent_row_is_named(
    handoffs: dict[str, Handoff], bend: Callable[[dict[str, Handoff]], None], said: str
) -> None:
    bend(handoffs)
    assert any(said in line for line in found()), found()


def test_two_holders_at_once_are_named(cast: Cast, handoffs: dict[str, Handoff]) -> None:
    queue = handoffs["queued"].queue
    _bend("assigned", queue=queue)(handoffs)
    _bend("queued", assignee=cast.femke)(handoffs)
    assert found() == [
        "accountable: is queued and a person holds it too",
        "accountable: is assigned and still in a queue",
    ]


def test_an_inactive_holder_is_named_and_quiet_or_history_is_not(cast: Cast) -> None:
    factories.make_handoff("assigned", cast.femke)
    quiet = factories.make_handoff("assigned", cast.femke, is_quiet=True)
    cast.femke.is_active = False
    cast.femke.save()
    assert found() == [f"accountable: is held by {cast.femke.email}, who is inactive"]
    Handoff.objects.exclude(pk=quiet.pk).update(is_quiet=True)
    assert found() == []


def test_turns_are_the_holders(cast: Cast) -> None:
    held = factories.make_handoff("assigned", cast.femke)
    taken = factories.make_handoff("accepted", cast.femke)
    free = factories.make_handoff("queued")
    Turn.objects.filter(ref=f"handoff:{held.pk}").update(released_at=NOW)
    Turn.objects.filter(ref=f"handoff:{taken.pk}").update(user=cast.jonas)
    Turn.objects.create(ref=f"handoff:{free.pk}", user=cast.rosa, taken_at=NOW)
    told = [str(v) for v in invariants.violations() if v.code == "turn"]
    assert told == [
        f"turn: handoff {held.pk}: is held by user {cast.femke.pk} without a turn",
        f"turn: handoff {taken.pk}: is held by user {cast.femke.pk}, the turn is user {cast.jonas.pk}'s",
        f"turn: handoff {free.pk}: gives user {cast.rosa.pk} an open turn and is not held",
    ]


def test_a_seat_that_miscounts_is_named(cast: Cast) -> None:
    factories.make_handoff("assigned", cast.femke)
    PoolMember.objects.update(taken=4)
    assert found() == ["seat: took 4 turns, the ledger has 1"]


def test_a_gap_in_the_log_is_named(cast: Cast) -> None:
    handoff = factories.make_handoff("assigned", cast.femke)
    Event.objects.create(
        handoff=handoff, number=handoff.revision + 2, kind="noted", stage="after", occurred_at=NOW,
        recorded_at=NOW,
    )  # fmt: skip
    count, last = handoff.revision + 1, handoff.revision + 2
    assert found() == [f"log: has {count} events numbered 1 to {last}, or another revision"]


def test_a_row_behind_its_log_is_named(cast: Cast) -> None:
    handoff = factories.make_handoff("assigned", cast.femke)
    Handoff.objects.filter(pk=handoff.pk).update(revision=1)
    assert [v.code for v in invariants.violations()] == ["log", "projection"]


def test_a_step_that_fired_too_early_or_in_silence_is_named(cast: Cast) -> None:
    handoff = factories.make_handoff("assigned", cast.femke)
    quiet = factories.make_handoff("assigned", cast.femke, is_quiet=True)
    later = NOW + timedelta(hours=1)
    for row in (handoff, quiet):
        FiredStep.objects.create(handoff=row, code="accept_50", window="w1", due_at=later, fired_at=NOW)
    FiredStep.objects.filter(handoff=quiet).update(fired_at=later)
    assert found() == [
        "step: accept_50 fired before it was due",
        "step: accept_50 fired on a silent handoff",
    ]


def test_addresses_that_name_two_people_are_named(db: None) -> None:
    one, two = factories.make_lead(), factories.make_lead()
    Lead.objects.filter(pk=two.pk).update(email_key="somebody@else.example.com")
    LeadAlias.objects.create(lead=two, email_key=one.email_key, added_at=NOW)
    gone = factories.make_lead()
    Lead.objects.filter(pk=gone.pk).update(merged_into=one)
    assert found() == [
        "identity: its key is not its address's",
        f"identity: has the address of lead {one.pk} as an alias",
        "identity: was merged and still claims an address",
    ]


def test_a_merge_leaves_no_violation(cast: Cast) -> None:
    one = factories.make_handoff("assigned", cast.femke)
    two = factories.make_handoff("accepted", cast.jonas)
    lifecycle.merge(one.lead, two.lead, lifecycle.Act(NOW + timedelta(hours=1), cast.otto))
    assert list(invariants.violations()) == []


def test_the_command_prints_one_line_each_and_fails(cast: Cast, handoffs: dict[str, Handoff]) -> None:
    _bend("converted", opportunity_at=None)(handoffs)
    out = StringIO()
    with pytest.raises(CommandError, match="2 violations"):
        call_command("check_invariants", stdout=out)
    pk = handoffs["converted"].pk
    lines = out.getvalue().splitlines()
    assert lines[0] == f"state: handoff {pk}: is converted without an opportunity"
    assert lines[1].startswith(f"projection: handoff {pk}: opportunity_at is None, the log says")


@pytest.mark.django_db(transaction=True)
def test_a_snapshot_reads_and_leaves_the_connection_usable() -> None:
    with invariants.snapshot():
        assert Lead.objects.count() == 0
    assert connection.get_autocommit() and not connection.in_atomic_block
    lead = factories.make_lead()
    with pytest.raises(ZeroDivisionError), invariants.snapshot():
        assert Lead.objects.get().pk == lead.pk
        raise ZeroDivisionError
    assert Lead.objects.count() == 1


def test_every_code_is_known() -> None:
    """The monitor tells each, of those that were not broken that they are 0."""
    written = re.findall(r'Violation\(\s*"(\w+)"', Path(invariants.__file__).read_text())
    assert set(written) == set(invariants.CODES)
