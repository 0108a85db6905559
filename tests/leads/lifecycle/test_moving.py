"""Changing hands: reassign by a person, reroute by the ladder, release when somebody can no longer answer."""

import pytest

from leads import lifecycle
from leads.lifecycle import Act, Invalid, Refused
from leads.models import FiredStep, Handoff, Notification
from routing.models import Absence, Pool, Queue, Turn
from tests.acting import assert_sound, at, by, fresh
from tests.conftest import NOW
from tests.factories import make_handoff, open_handoff, route_to


def give(handoff, act, to, reason="balance"):
    return lifecycle.reassign(handoff.pk, act, to=to if isinstance(to, str) else to.email, reason=reason)


def told(handoff):
    rows = Notification.objects.filter(handoff=handoff, created_at__gt=NOW).order_by("pk")
    return [(row.kind, row.user.name.split()[0]) for row in rows.select_related("user")]


def holders():
    return list(Turn.objects.filter(released_at=None).values_list("user__name", flat=True))


@pytest.mark.parametrize("state", ["assigned", "accepted", "queued", "deferred"])
def test_reassign(cast, state):
    handoff = make_handoff(state, cast.femke)
    done = give(handoff, by(cast.otto, minutes=30), cast.jonas, reason="Speaks the language")
    assert (done.state, done.assignee, done.queue) == ("assigned", cast.jonas, None)
    # A fair window for the new holder; the lead's own clock runs on.
    assert (done.held_since, done.accept_due_at) == (at(minutes=30), at(hours=2, minutes=30))
    assert (done.contact_due_at, done.assigned_at) == (handoff.contact_due_at, NOW)
    assert (done.window, done.viewed_at) == (2, None)
    # Reassignment by somebody else is no activity.
    assert done.last_activity_at == handoff.last_activity_at
    assert told(done)[-1] == ("reassigned", "Jonas")
    assert holders() == ["Jonas Keller"]
    assert done.notes.get().text == "Speaks the language"
    event = done.events.last()
    assert (event.kind, event.user, "language" in str(event.data)) == ("reassigned", cast.otto, False)


@pytest.mark.parametrize("state", ["incomplete", "working", "rejected", "converted"])
def test_what_cannot_be_reassigned(cast, state):
    handoff = make_handoff(state, cast.femke)
    with pytest.raises(Refused) as caught:
        give(handoff, by(cast.otto, minutes=30), cast.jonas)
    assert caught.value.state == state


def test_a_chain_of_reassignments_cannot_hide_the_lead(cast):
    handoff = make_handoff("assigned", cast.femke)
    for minutes, user in ((30, cast.jonas), (60, cast.rosa), (90, cast.femke)):
        handoff = give(handoff, by(cast.otto, minutes=minutes), user)
    assert (handoff.window, handoff.accept_due_at) == (4, at(hours=3, minutes=30))
    assert (handoff.contact_due_at, handoff.clock_started_at) == (at(hours=1), NOW)
    assert handoff.next_due_at == at(hours=1)
    # Whoever held it first, and whoever held it last within the day.
    assert (handoff.first_holder, handoff.holder_at_24h) == (cast.femke, cast.femke)
    later = give(handoff, by(cast.otto, hours=25), cast.jonas)
    assert (later.assignee, later.holder_at_24h) == (cast.jonas, cast.femke)


def test_to_the_holder_it_is_done_already(cast):
    handoff = make_handoff("assigned", cast.femke)
    assert give(handoff, by(cast.otto), cast.femke).revision == handoff.revision
    queued = make_handoff("queued")
    assert give(queued, by(cast.otto), "queue:overflow").revision == queued.revision


def test_to_a_queue(cast):
    handoff = make_handoff("accepted", cast.femke)
    done = give(handoff, by(cast.mia, minutes=30), "queue:overflow")
    assert (done.state, done.queue.slug, done.assignee, done.holder_at_24h) == (
        "queued",
        "overflow",
        None,
        None,
    )
    assert (done.accept_due_at, holders()) == (at(hours=2, minutes=30), [])
    assert told(done) == [("queued", "Ada")]
    assert (done.accepted_at, done.first_holder) == (at(minutes=1), cast.femke)


def test_taking_it_over_is_activity(cast):
    handoff = make_handoff("assigned", cast.femke)
    done = give(handoff, by(cast.mia, minutes=30), cast.mia)
    assert (done.assignee, done.last_activity_at, told(done)) == (cast.mia, at(minutes=30), [])
    assert lifecycle.accept(handoff.pk, by(cast.mia, minutes=31)).accepted_by == cast.mia


@pytest.mark.parametrize(
    "to", ["nobody@handoff.example.com", "queue:nothing", "queue:completion", "\x00", "\ud800"]
)
def test_to_nobody(cast, to):
    handoff = make_handoff("assigned", cast.femke)
    with pytest.raises(Invalid) as caught:
        give(handoff, by(cast.otto), to)
    assert list(caught.value.errors) == ["to"]


def test_only_to_people_in_sales(cast):
    handoff = make_handoff("assigned", cast.femke)
    cast.jonas.is_active = False
    cast.jonas.save()
    for user in (cast.jonas, cast.otto, cast.vera, cast.ada):
        with pytest.raises(Refused) as caught:
            give(handoff, by(cast.otto, minutes=1), user)
        assert (caught.value.code, caught.value.by) == ("not_eligible", user.email)
    assert give(handoff, by(cast.otto, minutes=1), cast.nils).assignee == cast.nils


def test_a_manager_moves_work_within_the_teams_they_lead(cast):
    handoff = make_handoff("assigned", cast.femke)
    with pytest.raises(Refused) as caught:
        give(handoff, by(cast.mia, minutes=1), cast.rosa)
    assert (caught.value.code, caught.value.message) == (
        "not_eligible",
        "Rosa Lindqvist is in no team that you lead.",
    )
    assert give(handoff, by(cast.mia, minutes=1), cast.jonas).assignee == cast.jonas


def test_to_nobody_who_is_away(cast):
    """The next minute would move it on again; so whoever gives it hears who covers instead."""
    handoff = give(make_handoff("assigned", cast.femke), by(cast.mia), cast.jonas)
    span = {"starts_at": at(), "ends_at": at(hours=26)}
    Absence.objects.create(user=cast.femke, cover=cast.rosa, **span)
    for giver in (cast.mia, cast.otto):
        with pytest.raises(Refused) as caught:
            give(handoff, by(giver, minutes=1), cast.femke)
        assert (caught.value.code, caught.value.message) == (
            "not_eligible",
            "Femke de Boer is away until 2026-03-11 12:00 UTC; Rosa Lindqvist covers.",
        )
    # Whoever holds it already is answered as done.
    Absence.objects.create(user=cast.jonas, **span)
    assert give(handoff, by(cast.mia, minutes=1), cast.jonas).revision == handoff.revision
    with pytest.raises(Refused, match="; nobody covers"):
        give(make_handoff("assigned", cast.mia), by(cast.mia, minutes=1), cast.jonas)


def test_a_reason_is_needed(cast):
    handoff = make_handoff("assigned", cast.femke)
    with pytest.raises(Invalid) as caught:
        give(handoff, by(cast.mia, minutes=1), cast.jonas, reason=" ")
    assert caught.value.errors == {"reason": "This is needed."}


# Reroute


def test_what_a_holder_does_not_answer_is_routed_again_without_them(cast):
    handoff = make_handoff("assigned", cast.femke)
    route_to(cast.femke, cast.jonas)
    done = lifecycle.reroute(handoff.pk, Act(at(hours=2)), "accept_breach")
    assert (done.state, done.assignee, done.window, done.accept_due_at) == (
        "assigned",
        cast.jonas,
        2,
        at(hours=4),
    )
    taken, given, cancelled = list(done.events.order_by("number"))[-3:]
    assert (taken.kind, taken.data["why"], taken.data["was_held_by"], taken.user) == (
        "escalated",
        "accept_breach",
        cast.femke.pk,
        None,
    )
    assert (given.kind, given.data["why"]) == ("assigned", "rule")
    # No sweep ran before it: what Femke was to be told of her own window is told nobody any more.
    assert (cancelled.kind, cancelled.data["steps"]) == (
        "cancelled",
        [["accept_50", "w1"], ["accept_80", "w1"], ["accept_breach", "w1"]],
    )
    decision, pool = done.decisions.last(), Pool.objects.latest("pk")
    assert decision.candidates == [
        {"user": cast.femke.pk, "pool": pool.pk, "skipped": "let it lapse"},
        {"user": cast.jonas.pk, "pool": pool.pk, "took": "rule"},
    ]
    assert (holders(), told(done)) == (["Jonas Keller"], [("assigned", "Jonas")])
    assert_sound()


def test_when_all_have_tried_it_goes_to_the_manager_and_then_to_the_queue(cast):
    handoff = make_handoff("assigned", cast.femke)
    route_to(cast.femke, cast.jonas)
    found = []
    for number in range(3):
        lifecycle.fire(handoff.pk, at(hours=3 * (number + 1)))
        done = lifecycle.reroute(handoff.pk, Act(at(hours=3 * (number + 1))), "accept_breach")
        found.append(done.assignee.name.split()[0] if done.assignee else done.queue.slug)
    assert found == ["Jonas", "Mia", "overflow"]
    assert [candidate.get("skipped") for candidate in done.decisions.last().candidates] == [
        "let it lapse",
        "let it lapse",
        "let it lapse",
        None,
    ]
    lapsed = (
        FiredStep.objects.filter(lapsed__isnull=False).order_by("pk").values_list("lapsed__name", flat=True)
    )
    assert list(lapsed) == ["Femke de Boer", "Jonas Keller", "Mia Brandt"]
    assert_sound()


def test_who_rejected_it_does_not_get_it_by_escalation_either(cast):
    handoff = make_handoff("assigned", cast.femke)
    route_to(cast.femke, cast.jonas)
    lifecycle.reject(handoff.pk, by(cast.femke, minutes=1), reason="out_of_territory")
    done = lifecycle.reroute(handoff.pk, Act(at(hours=3)), "accept_breach")
    assert (done.assignee, [c.get("skipped") for c in done.decisions.last().candidates]) == (
        cast.mia,
        ["rejected it before: out of territory, and the place is the same", "let it lapse", None],
    )


@pytest.mark.parametrize("state", ["incomplete", "queued", "accepted", "deferred", "working", "rejected"])
def test_only_what_is_not_answered_is_taken_from_somebody(cast, state):
    handoff = make_handoff(state, cast.femke)
    with pytest.raises(Refused) as caught:
        lifecycle.reroute(handoff.pk, Act(at(hours=2)), "accept_breach")
    assert (caught.value.code, caught.value.state) == ("not_allowed", state)
    assert fresh(handoff).revision == handoff.revision


def test_a_rule_renamed_during_an_escalation_is_named_by_its_id(cast):
    handoff = make_handoff("assigned", cast.femke)
    rule_id = handoff.rule_id
    renamed = route_to(cast.femke, cast.jonas)
    renamed.document["rules"][0] |= {"id": rule_id, "name": "By another name"}
    renamed.save()
    before = handoff.decisions.get()
    done = lifecycle.reroute(handoff.pk, Act(at(hours=2)), "accept_breach")
    after = done.decisions.last()
    assert (before.rule_id, after.rule_id, after.ruleset) == (rule_id, rule_id, renamed)
    before.refresh_from_db()
    assert before.ruleset.document["rules"][0]["name"] == "All leads"
    assert (done.rule_id, done.rule_name, done.policy) == (rule_id, "By another name", handoff.policy)


# Another team


def test_who_changes_team_keeps_what_they_answered_and_the_rest_is_routed_again(cast):
    held = {
        state: make_handoff(state, cast.femke) for state in ("assigned", "accepted", "deferred", "working")
    }
    route_to(cast.femke, cast.jonas)
    cast.femke.team = cast.rosa.team
    cast.femke.save()
    assert lifecycle.change_team(cast.femke, by(cast.ada, minutes=30)) == 1
    assert {state: fresh(handoff).assignee for state, handoff in held.items()} == {
        "assigned": cast.jonas,
        "accepted": cast.femke,
        "deferred": cast.femke,
        "working": cast.femke,
    }
    event = fresh(held["assigned"]).events.last()
    assert (event.kind, event.user, event.data["why"], event.data["reason"], event.data["was_held_by"]) == (
        "assigned",
        cast.ada,
        "rule",
        "changed team",
        cast.femke.pk,
    )
    assert fresh(held["assigned"]).decisions.last().candidates[0]["skipped"] == "changed team"
    assert sorted(holders()) == ["Femke de Boer", "Femke de Boer", "Jonas Keller"]
    assert_sound()


def test_what_nobody_else_can_take_stays_with_who_changes_team(cast):
    handoff = make_handoff("assigned", cast.femke)
    assert lifecycle.change_team(cast.femke, by(cast.ada, minutes=30)) == 0
    done = fresh(handoff)
    assert (done.assignee, done.revision, holders()) == (cast.femke, handoff.revision, ["Femke de Boer"])


# Release


def leave(user, how):
    if how == "away":
        user.absences.create(starts_at=NOW, ends_at=at(days=30))
    elif how == "inactive":
        user.is_active = False
        user.save()
    else:
        user.groups.clear()


@pytest.mark.parametrize("how", ["away", "inactive", "no longer in sales"])
def test_what_is_not_answered_is_routed_again(cast, how):
    handoff = make_handoff("assigned", cast.femke)
    route_to(cast.femke, cast.jonas)
    leave(cast.femke, how)
    assert lifecycle.release(cast.femke, Act(at(minutes=30)), how) == 1
    done = fresh(handoff)
    assert (done.state, done.assignee, done.window) == ("assigned", cast.jonas, 2)
    event = done.events.get(kind="repaired")
    assert (event.data["why"], event.data["was_held_by"], event.user) == (how, cast.femke.pk, None)
    assert holders() == ["Jonas Keller"]
    assert told(done) == [("assigned", "Jonas")]


def test_what_is_answered_goes_to_the_cover(cast):
    made = {state: make_handoff(state, cast.femke) for state in ("accepted", "deferred", "working")}
    cast.femke.absences.create(starts_at=NOW, ends_at=at(days=30), cover=cast.rosa)
    assert lifecycle.release(cast.femke, Act(at(minutes=30)), "away") == 3
    found = {state: fresh(handoff) for state, handoff in made.items()}
    assert {state: h.assignee for state, h in found.items()} == dict.fromkeys(made, cast.rosa)
    # What was contacted stays contacted; the rest must be answered by the new holder.
    assert {state: h.state for state, h in found.items()} == {
        "accepted": "assigned",
        "deferred": "assigned",
        "working": "working",
    }
    assert found["working"].window == 1
    assert told(found["accepted"]) == [("repaired", "Rosa")]
    assert told(found["working"])[-1] == ("released", "Rosa")
    assert holders() == ["Rosa Lindqvist"] * 2


def test_without_a_cover_the_manager_answers(cast):
    handoff = make_handoff("accepted", cast.femke)
    leave(cast.femke, "inactive")
    lifecycle.release(cast.femke, Act(at(minutes=30)), "inactive")
    assert fresh(handoff).assignee == cast.mia


def test_a_cover_who_is_away_too_does_not_get_it(cast):
    handoff = make_handoff("accepted", cast.femke)
    cast.femke.absences.create(starts_at=NOW, ends_at=at(days=30), cover=cast.jonas)
    cast.jonas.absences.create(starts_at=NOW, ends_at=at(days=30), cover=cast.femke)
    lifecycle.release(cast.femke, Act(at(minutes=30)), "away")
    assert fresh(handoff).assignee == cast.mia


def test_with_nobody_left_it_is_routed(cast):
    handoff = make_handoff("accepted", cast.femke)
    for user in (cast.femke, cast.mia):
        leave(user, "inactive")
    lifecycle.release(cast.femke, Act(at(minutes=30)), "inactive")
    done = fresh(handoff)
    assert (done.state, done.queue.slug, done.assignee) == ("queued", "overflow", None)
    assert holders() == []


def test_only_the_states_that_are_asked_for(cast):
    assigned, deferred = make_handoff("assigned", cast.femke), make_handoff("deferred", cast.femke)
    leave(cast.femke, "away")
    lifecycle.release(cast.femke, Act(at(minutes=30)), "away", ("assigned", "accepted"))
    assert (fresh(assigned).queue.slug, fresh(deferred).assignee) == ("overflow", cast.femke)


def test_nothing_is_ever_left_without_a_holder(cast):
    reps = [cast.femke, cast.jonas, cast.rosa]
    route_to(*reps)
    for _ in range(6):
        open_handoff()
    for number, user in enumerate((*reps, cast.mia, cast.nils)):
        leave(user, "inactive")
        lifecycle.release(user, Act(at(minutes=number)), "inactive")
        assert_sound()
    assert {handoff.state for handoff in Handoff.objects.all()} == {"queued"}
    assert Queue.objects.get(slug="overflow").handoffs.count() == 6
