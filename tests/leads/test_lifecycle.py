from datetime import timedelta

import pytest

from leads import lifecycle
from leads.lifecycle import Act
from leads.models import Handoff
from routing.models import Turn
from tests.conftest import NOW
from tests.factories import make_handoff


@pytest.mark.parametrize(
    "state",
    [
        "incomplete",
        "queued",
        "assigned",
        "accepted",
        "deferred",
        "working",
        "converted",
        "disqualified",
        "rejected",
    ],
)
def test_every_state_can_be_reached(cast, state):
    handoff = make_handoff(state, cast.femke)
    assert handoff.state == state
    assert handoff.revision == handoff.events.count()
    holds = state in ("assigned", "accepted", "deferred")
    assert Turn.objects.filter(released_at=None).count() == holds


def test_undo_accept(cast):
    handoff = make_handoff("assigned", cast.femke)
    act = Act(NOW + timedelta(minutes=1), cast.femke)
    lifecycle.accept(handoff.pk, act)
    lifecycle.undo(handoff.pk, Act(NOW + timedelta(minutes=1, seconds=5), cast.femke))
    back = Handoff.objects.get(pk=handoff.pk)
    assert (back.state, back.accepted_at, back.first_activity_at) == ("assigned", None, None)
    assert back.next_step_at == handoff.next_step_at


def test_bad_data_goes_back_and_reroute(cast):
    handoff = make_handoff("assigned", cast.femke)
    done = lifecycle.reject(handoff.pk, Act(NOW + timedelta(minutes=1), cast.femke), reason="bad_data")
    assert done.state == "incomplete" and done.missing == ["bad_data"]
    other = make_handoff("assigned", cast.femke)
    done = lifecycle.reject(other.pk, Act(NOW + timedelta(minutes=1), cast.femke), reason="out_of_territory")
    assert done.state == "assigned" and done.assignee == cast.mia


def test_sweep(cast):
    handoff = make_handoff("assigned", cast.femke, kind="demo_request")
    assert handoff.next_step_at == NOW + timedelta(minutes=2, seconds=30)
    fired = lifecycle.fire(handoff.pk, NOW + timedelta(hours=30))
    assert [step["step"] for step in fired]
    assert not lifecycle.fire(handoff.pk, NOW + timedelta(hours=30))
