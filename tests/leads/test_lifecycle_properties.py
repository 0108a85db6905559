"""Random lives of one handoff: whatever people try in whatever order, the rules hold.

Each example is a list of moves by random people at growing times. Refused moves must write nothing;
after each move the log, the columns and the ledger of turns agree.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leads import lifecycle, projection
from leads.choices import CLOSED, HOLDS_TURN
from leads.intake import receive
from leads.lifecycle import Act, Invalid, Refused
from leads.models import Event, Handoff
from routing.models import Turn, User
from tests.acting import assert_sound
from tests.conftest import NOW, Cast
from tests.factories import event, route_to

MOVES = (
    "accept", "claim", "reject", "reject_bad_data", "reject_territory", "defer", "resume", "contact",
    "reached", "late_contact", "opportunity", "disqualify", "note", "view", "reassign", "to_queue", "waive",
    "recheck", "discard", "undo", "fire", "demo_again", "release", "reroute", "change_team", "drain",
)  # fmt: skip
# The table of the domain: from a state, where one move may lead (itself included).
REACHABLE = {
    "incomplete": {"incomplete", "assigned", "queued", "discarded"},
    "queued": {"queued", "assigned", "accepted"},
    "assigned": {"assigned", "queued", "accepted", "rejected", "incomplete", "deferred", "working"},
    "accepted": {"accepted", "assigned", "queued", "rejected", "incomplete", "deferred", "working"}
    | {"converted"},
    "deferred": {"deferred", "assigned", "queued", "accepted", "working"},
    "working": {"working", "converted", "disqualified", "deferred", "superseded", "accepted", "assigned"},
    "rejected": {"rejected", "incomplete", "assigned", "queued", "accepted"},
    "converted": {"converted", "accepted", "working"},
    "disqualified": {"disqualified", "working"},
    "discarded": {"discarded"},
    "superseded": {"superseded"},
}

step = st.tuples(st.sampled_from(MOVES), st.integers(0, 3), st.sampled_from([2, 8, 90, 600, 7200, 200_000]))


def do(move: str, pk: int, act: Act, people: list[User], cast: Cast, number: int) -> None:
    now = act.now
    if move == "reject":
        lifecycle.reject(pk, act, reason="not_icp", undoable=True)
    elif move == "reject_bad_data":
        lifecycle.reject(pk, act, reason="bad_data")
    elif move == "reject_territory":
        lifecycle.reject(pk, act, reason="out_of_territory", undoable=True)
    elif move == "defer":
        lifecycle.defer(pk, act, until=now + timedelta(days=3), explanation="later")
    elif move == "contact":
        lifecycle.contact(pk, act, channel="phone", outcome="no_answer")
    elif move == "reached":
        lifecycle.contact(pk, act, channel="email", outcome="reached")
    elif move == "late_contact":
        lifecycle.contact(pk, act, channel="phone", outcome="voicemail", at=now - timedelta(hours=2))
    elif move == "disqualify":
        lifecycle.disqualify(pk, act, reason="not_icp")
    elif move == "note":
        lifecycle.note(pk, act, text="a note")
    elif move == "reassign":
        lifecycle.reassign(pk, Act(now, cast.mia), to=people[number % 3].email, reason="balance")
    elif move == "to_queue":
        lifecycle.reassign(pk, Act(now, cast.mia), to="queue:overflow", reason="nobody is free")
    elif move == "waive":
        lifecycle.waive(pk, Act(now, cast.otto), check="full_name", reason="known by phone")
    elif move == "discard":
        lifecycle.discard(pk, Act(now, cast.otto), reason="not a person")
    elif move == "fire":
        lifecycle.fire(pk, now)
    elif move == "demo_again":
        receive([event(1, id=f"again-{number}", at=now)], None, now)
    elif move == "release":
        lifecycle.release(act.user, Act(now), "left")
    elif move == "reroute":
        lifecycle.reroute(pk, Act(now), "accept_breach")
    elif move == "change_team":
        lifecycle.change_team(act.user, Act(now))
    elif move == "drain":
        lifecycle.drain(now)
    else:
        getattr(lifecycle, move)(pk, act)


def assert_agrees(pk: int) -> None:
    handoff = Handoff.objects.get(pk=pk)
    assert projection.differences(handoff) == []
    assert handoff.revision == handoff.events.count()
    turns = list(Turn.objects.filter(ref=f"handoff:{pk}", released_at=None).values_list("user_id", flat=True))
    assert turns == ([handoff.assignee_id] if handoff.state in HOLDS_TURN else [])
    if handoff.state in CLOSED:
        assert handoff.next_due_at is None and handoff.next_step_at is None and handoff.closed_at is not None
    for earlier, later in (
        ("mql_at", "ready_at"),
        ("ready_at", "assigned_at"),
        ("mql_at", "first_contact_at"),
    ):
        one, other = getattr(handoff, earlier), getattr(handoff, later)
        assert one is None or other is None or one <= other, (earlier, later)


@pytest.mark.parametrize("complete", [True, False])
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(moves=st.lists(step, min_size=1, max_size=14))
def test_any_sequence_of_moves_keeps_the_rules(cast: Cast, complete: bool, moves: list) -> None:
    people = [cast.femke, cast.jonas, cast.rosa]
    with transaction.atomic():
        route_to(*people)
        names = {} if complete else {"first_name": "-"}
        scored = {"kind": "score_threshold"}
        [answer] = receive([event(1, id="first", lead=names, trigger=scored)], None, NOW)
        pk, now = int(answer["handoff"]["id"]), NOW
        for number, (move, who, seconds) in enumerate(moves):
            now += timedelta(seconds=seconds)
            live_one(pk, move, who, now, people, cast, number)
        assert_sound()
        transaction.set_rollback(True)


def live_one(
    pk: int, move: str, who: int, now: datetime, people: list[User], cast: Cast, number: int
) -> None:
    before = Handoff.objects.get(pk=pk)
    holder = before.assignee if who == 3 else people[who]
    events = Event.objects.count()
    try:
        with transaction.atomic():
            do(move, pk, Act(now, holder or people[0]), people, cast, number)
    except (Refused, Invalid):
        assert Event.objects.count() == events
        return
    after = Handoff.objects.get(pk=pk)
    # `undo` may lead back to whatever was before; everything else follows the table.
    assert move == "undo" or after.state in REACHABLE[before.state], (move, before.state, after.state)
    if move != "undo":
        assert before.accepted_at is None or after.accepted_at is not None
        assert before.assigned_at is None or after.assigned_at == before.assigned_at
        assert before.clock_started_at is None or after.clock_started_at == before.clock_started_at
    assert_agrees(pk)
