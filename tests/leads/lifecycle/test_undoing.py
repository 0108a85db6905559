"""Undo: within ten seconds, by the same person, if nobody else has acted or seen."""

from decimal import Decimal

import pytest

from leads import lifecycle, projection
from leads.intake import receive
from leads.lifecycle import Refused
from leads.models import Complaint, Handoff, Lead, Notification, TriageItem
from routing.models import PoolMember, Turn
from tests.acting import at, by
from tests.factories import event, make_handoff, make_lead

# Not what an undo restores: the row's own history.
HISTORY = {"revision", "updated_at"}


def columns(handoff):
    row = Handoff.objects.filter(pk=handoff.pk).values().get()
    return {name: value for name, value in row.items() if name not in HISTORY}


def seats():
    return list(PoolMember.objects.order_by("pk").values_list("user_id", "taken", "accrued"))


def holders():
    return list(Turn.objects.filter(released_at=None).values_list("user_id", "ref"))


MOVES = {
    "accept": ("assigned", lambda pk, act: lifecycle.accept(pk, act)),
    "accept from a queue": ("queued", lambda pk, act: lifecycle.accept(pk, act)),
    "claim": ("queued", lambda pk, act: lifecycle.claim(pk, act)),
    "reject": ("assigned", lambda pk, act: lifecycle.reject(pk, act, reason="not_icp", undoable=True)),
    "reject, not the rep's fault": (
        "assigned",
        lambda pk, act: lifecycle.reject(pk, act, reason="bad_data", undoable=True),
    ),
    "reject after accepting": (
        "accepted",
        lambda pk, act: lifecycle.reject(pk, act, reason="out_of_territory", undoable=True),
    ),
    "defer": ("assigned", lambda pk, act: lifecycle.defer(pk, act, until=at(days=3), explanation="x")),
    "defer work": ("working", lambda pk, act: lifecycle.defer(pk, act, until=at(days=3), explanation="x")),
    "contact": ("accepted", lambda pk, act: lifecycle.contact(pk, act, channel="phone", outcome="reached")),
    "contact that accepts": (
        "assigned",
        lambda pk, act: lifecycle.contact(pk, act, channel="phone", outcome="reached"),
    ),
    "contact of a deferred one": (
        "deferred",
        lambda pk, act: lifecycle.contact(pk, act, channel="phone", outcome="reached"),
    ),
    "opportunity": (
        "accepted",
        lambda pk, act: lifecycle.opportunity(pk, act, amount=Decimal("12.50"), currency="EUR"),
    ),
    "opportunity of a rejected one": ("rejected", lambda pk, act: lifecycle.opportunity(pk, act)),
    "disqualify": ("working", lambda pk, act: lifecycle.disqualify(pk, act, reason="timing", note="x")),
    "note": ("assigned", lambda pk, act: lifecycle.note(pk, act, text="x")),
}


@pytest.mark.parametrize("move", MOVES)
def test_as_it_was(cast, move):
    state, verb = MOVES[move]
    handoff = make_handoff(state, cast.femke)
    before, turns, taken = columns(handoff), holders(), seats()
    verb(handoff.pk, by(cast.femke, minutes=30))
    assert columns(handoff) != before
    done = lifecycle.undo(handoff.pk, by(cast.femke, minutes=30, seconds=10))
    assert columns(handoff) == before
    assert (holders(), seats()) == (turns, taken)
    # The log keeps both, and is still the row's.
    assert (done.events.last().kind, projection.differences(Handoff.objects.get(pk=handoff.pk))) == (
        "undone",
        [],
    )
    # What was said beside it is marked, what was set off is gone.
    moment = at(minutes=30)
    for rows in (done.rejections, done.deferral_rows, done.notes):
        assert rows.filter(at=moment, undone_at=None).count() == 0
    assert done.attempts.filter(recorded_at=moment, undone_at=None).count() == 0
    assert (Complaint.objects.count(), TriageItem.objects.count()) == (0, 0)
    assert Notification.objects.filter(created_at=moment).count() == 0


def test_ten_seconds_and_no_more(cast):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.accept(handoff.pk, by(cast.femke))
    with pytest.raises(Refused) as caught:
        lifecycle.undo(handoff.pk, by(cast.femke, seconds=10, microseconds=1))
    assert caught.value.message == (
        "This can no longer be undone. Cannot undo: accepted by femke@handoff.example.com"
        " at 2026-03-10 10:00 UTC."
    )
    assert caught.value.code == "not_allowed"


def test_not_by_somebody_else(cast):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.accept(handoff.pk, by(cast.femke))
    for user in (cast.jonas, cast.mia, cast.ada, None):
        with pytest.raises(Refused):
            lifecycle.undo(handoff.pk, by(user, seconds=1))


@pytest.mark.parametrize("verb", ["note", "reassign"])
def test_not_when_somebody_else_has_acted_since(cast, verb):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.accept(handoff.pk, by(cast.femke))
    if verb == "note":
        lifecycle.note(handoff.pk, by(cast.mia, seconds=1), text="x")
    else:
        lifecycle.reassign(handoff.pk, by(cast.mia, seconds=1), to=cast.jonas.email, reason="x")
    with pytest.raises(Refused):
        lifecycle.undo(handoff.pk, by(cast.femke, seconds=2))


def test_what_time_did_meanwhile_does_not_stand_between(cast):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.accept(handoff.pk, by(cast.femke, hours=1, minutes=59, seconds=58))
    assert [s["step"] for s in lifecycle.fire(handoff.pk, at(hours=2))] == ["contact_breach"]
    done = lifecycle.undo(handoff.pk, by(cast.femke, hours=2, seconds=2))
    assert (done.state, done.accepted_at) == ("assigned", None)
    assert [s["step"] for s in lifecycle.fire(handoff.pk, at(hours=2, minutes=1))][-2:] == [
        "accept_breach",
        "unacknowledged",
    ]


def test_only_the_last_act(cast):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.accept(handoff.pk, by(cast.femke, seconds=1))
    lifecycle.contact(handoff.pk, by(cast.femke, seconds=3), channel="phone", outcome="reached")
    done = lifecycle.undo(handoff.pk, by(cast.femke, seconds=5))
    assert (done.state, done.first_contact_at, done.accepted_at) == ("accepted", None, at(seconds=1))
    # An undo is not undone, nor is what was before it.
    with pytest.raises(Refused):
        lifecycle.undo(handoff.pk, by(cast.femke, seconds=6))


@pytest.mark.parametrize("state", ["incomplete", "assigned", "queued"])
def test_what_nobody_did_is_not_undone(cast, state):
    handoff = make_handoff(state, cast.femke)
    with pytest.raises(Refused):
        lifecycle.undo(handoff.pk, by(cast.femke, seconds=1))


def test_what_a_rejection_set_off_is_final(cast):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.reject(handoff.pk, by(cast.femke), reason="competitor", undoable=True)
    lifecycle.fire(handoff.pk, at(seconds=10))
    with pytest.raises(Refused):
        lifecycle.undo(handoff.pk, by(cast.femke, seconds=10))
    assert Lead.objects.get(pk=handoff.lead_id).suppressed_at == at(seconds=10)


def test_an_undone_rejection_follows_up_nothing(cast):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.reject(handoff.pk, by(cast.femke), reason="competitor", undoable=True)
    lifecycle.undo(handoff.pk, by(cast.femke, seconds=5))
    assert [s["step"] for s in lifecycle.fire(handoff.pk, at(minutes=59))] == []
    assert Lead.objects.get(pk=handoff.lead_id).suppressed_at is None
    # And it holds nobody off: the same rep can be given it again.
    assert lifecycle.reject(handoff.pk, by(cast.femke, minutes=59), reason="competitor").state == "rejected"


def test_an_undone_act_is_no_activity(cast):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.accept(handoff.pk, by(cast.femke, hours=23))
    lifecycle.undo(handoff.pk, by(cast.femke, hours=23, seconds=5))
    assert "black_hole" in [s["step"] for s in lifecycle.fire(handoff.pk, at(hours=24))]


def test_withdrawn_flags_come_back(cast):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.fire(handoff.pk, at(hours=30))
    before = columns(handoff)
    log = {"channel": "phone", "outcome": "reached", "at": at(hours=1)}
    done = lifecycle.contact(handoff.pk, by(cast.femke, hours=31), **log)
    assert (done.black_hole_at, done.no_activity_at) == (None, None)
    lifecycle.undo(handoff.pk, by(cast.femke, hours=31, seconds=3))
    assert columns(handoff) == before


def test_a_new_trigger_does_not_stand_between_and_stays(cast):
    lead = make_lead(email="adaeze1@halvorsen-1.com")
    handoff = make_handoff("assigned", cast.femke, lead=lead)
    lifecycle.accept(handoff.pk, by(cast.femke, minutes=5))
    receive([event(1, at=at(minutes=5, seconds=2))], None, at(minutes=5, seconds=2))
    done = lifecycle.undo(handoff.pk, by(cast.femke, minutes=5, seconds=5))
    assert (done.state, done.accepted_at, done.raised_at) == ("assigned", None, at(minutes=5, seconds=2))


def ask_for_a_demo(when):
    asked = {"id": "a", "kind": "demo_request", "occurred_at": when.isoformat()}
    made = event(1, when, type="lead.activity", trigger=None, score=None, activities=[asked])
    receive([made], None, when)


def test_what_came_in_between_is_not_taken_back(cast):
    """A demo request between the act and its undo: the clocks that come back are a demo's."""
    handoff = make_handoff("assigned", cast.femke, lead=make_lead(email="adaeze1@halvorsen-1.com"))
    lifecycle.accept(handoff.pk, by(cast.femke, minutes=1))
    ask_for_a_demo(at(minutes=1, seconds=3))
    lifecycle.undo(handoff.pk, by(cast.femke, minutes=1, seconds=6))
    handoff.refresh_from_db()
    assert (handoff.state, handoff.effective_type, handoff.acknowledged_at) == ("assigned", "demo", None)
    assert handoff.accept_due_at == handoff.contact_due_at == at(minutes=6, seconds=3)
    assert projection.differences(handoff) == []


def test_a_deferral_that_a_demo_request_has_ended_is_past_undoing(cast):
    handoff = make_handoff("assigned", cast.femke, lead=make_lead(email="adaeze1@halvorsen-1.com"))
    lifecycle.defer(handoff.pk, by(cast.femke, minutes=1), until=at(days=9), explanation="Later")
    ask_for_a_demo(at(minutes=1, seconds=3))
    with pytest.raises(Refused):
        lifecycle.undo(handoff.pk, by(cast.femke, minutes=1, seconds=6))
