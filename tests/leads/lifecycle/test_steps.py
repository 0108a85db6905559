"""What time does to a handoff: the ladder, each step once, late, cancelled; deferrals' ends; stale work."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from leads import lifecycle
from leads.lifecycle import Act
from leads.models import FiredStep, Handoff, Notification
from leads.notifications import words
from routing import policies, sla
from routing.models import Queue, SlaPolicy, Turn
from tests.acting import at, by, fresh
from tests.conftest import NOW
from tests.factories import make_handoff, open_handoff, route_to


def steps(handoff, when):
    return [step["step"] for step in lifecycle.fire(handoff.pk, when)]


def test_the_ladder_of_a_standard_lead(cast):
    handoff = make_handoff("assigned", cast.femke)
    rep, manager = cast.femke.email, cast.mia.email
    # code, due after, told
    expected = [
        ("accept_50", timedelta(hours=1), [rep]),
        ("contact_breach", timedelta(hours=1), [rep, manager]),
        ("accept_80", timedelta(hours=1, minutes=36), [rep]),
        ("accept_breach", timedelta(hours=2), [rep, manager]),
        ("unacknowledged", timedelta(hours=2), [manager]),
        ("no_activity", timedelta(hours=4), [manager]),
        ("black_hole", timedelta(hours=24), [manager]),
    ]
    seen = []
    for moment in sorted({after for _, after, _ in expected}):
        assert fresh(handoff).next_step_at == NOW + moment
        assert lifecycle.fire(handoff.pk, NOW + moment - timedelta(microseconds=1)) == []
        fired = lifecycle.fire(handoff.pk, NOW + moment)
        assert lifecycle.fire(handoff.pk, NOW + moment) == []
        seen += [(step["step"], NOW + moment - NOW, step["told"]) for step in fired]
        assert {step["due_at"] for step in fired} == {(NOW + moment).isoformat()}
    assert seen == expected
    done = fresh(handoff)
    # It ends at a named human; nothing is left to fire.
    assert (done.next_step_at, done.next_due_at) == (None, at(hours=1))
    assert (done.no_activity_at, done.black_hole_at) == (at(hours=4), at(hours=24))
    assert Notification.objects.filter(handoff=handoff).count() == 1 + sum(len(t) for _, _, t in expected)


def test_all_at_once_after_a_silence_is_the_same(cast):
    handoff = make_handoff("assigned", cast.femke)
    fired = lifecycle.fire(handoff.pk, at(days=2))
    assert len(fired) == 7 and len({(step["step"]) for step in fired}) == 7
    due = [step["due_at"] for step in fired]
    assert due == sorted(due)
    assert {step["fired_at"] for step in fired} == {at(days=2).isoformat()}
    assert FiredStep.objects.filter(handoff=handoff).count() == 7
    assert lifecycle.fire(handoff.pk, at(days=9)) == []


def test_the_database_refuses_a_second_firing(cast):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.fire(handoff.pk, at(hours=1))
    row = FiredStep.objects.get(code="accept_50")
    with pytest.raises(IntegrityError), transaction.atomic():
        FiredStep.objects.create(
            handoff=handoff, code=row.code, window=row.window, due_at=row.due_at, fired_at=at(hours=2)
        )


def test_a_new_holder_has_a_window_and_a_ladder_of_their_own(cast):
    handoff = make_handoff("assigned", cast.femke)
    assert steps(handoff, at(hours=2)) == [
        "accept_50", "contact_breach", "accept_80", "accept_breach", "unacknowledged",
    ]  # fmt: skip
    lifecycle.reassign(handoff.pk, by(cast.mia, hours=3), to=cast.jonas.email, reason="x")
    # Steps of the lead's own clock fired once and do not come again.
    assert steps(handoff, at(hours=5)) == ["accept_50", "accept_80", "accept_breach"]
    windows = FiredStep.objects.filter(code="accept_breach").values_list("window", flat=True)
    assert sorted(windows) == ["w1", "w2"]
    assert steps(handoff, at(hours=7)) == ["no_activity"]
    assert steps(handoff, at(hours=24)) == ["black_hole"]


def lapsed(handoff):
    rows = FiredStep.objects.filter(handoff=handoff, lapsed__isnull=False).order_by("pk")
    return [(row.code, row.window, row.lapsed.name.split()[0]) for row in rows.select_related("lapsed")]


def test_who_holds_it_at_the_end_of_the_window_has_let_it_lapse(cast):
    handoff = make_handoff("assigned", cast.femke)
    steps(handoff, at(hours=2) - timedelta(microseconds=1))
    assert lapsed(handoff) == []
    steps(handoff, at(hours=2))
    assert lapsed(handoff) == [("accept_breach", "w1", "Femke")]
    lifecycle.reassign(handoff.pk, by(cast.mia, hours=3), to=cast.jonas.email, reason="x")
    steps(handoff, at(hours=30))
    assert lapsed(handoff) == [("accept_breach", "w1", "Femke"), ("accept_breach", "w2", "Jonas")]


def test_who_answered_and_a_queue_let_nothing_lapse(cast):
    answered, queued = make_handoff("accepted", cast.femke), make_handoff("queued")
    for handoff in (answered, queued):
        steps(handoff, at(hours=30))
        assert lapsed(handoff) == []
    assert FiredStep.objects.filter(handoff=queued, code="accept_breach").exists()


def test_an_answer_ends_the_acceptance_ladder(cast):
    handoff = make_handoff("accepted", cast.femke)
    assert steps(handoff, at(hours=30)) == ["contact_breach", "no_activity"]


def test_a_contact_ends_them_all(cast):
    handoff = make_handoff("working", cast.femke)
    assert (steps(handoff, at(days=30)), fresh(handoff).next_due_at) == ([], None)


def test_delivered_late_is_one_notice(cast):
    route_to(cast.femke)
    handoff = open_handoff(at=NOW, now=at(hours=3))
    [step] = lifecycle.fire(handoff.pk, at(hours=3))
    assert (step["step"], step["due_at"]) == ("delivered_late", at(hours=3).isoformat())
    assert step["told"] == [cast.otto.email, cast.mia.email]
    # The holder's own window is fair, and nobody is blamed for the rest.
    assert steps(handoff, at(hours=5)) == ["accept_50", "accept_80", "accept_breach"]
    assert steps(handoff, at(hours=27)) == ["no_activity", "black_hole"]


def test_a_demo_by_the_minute(cast):
    handoff = make_handoff("assigned", cast.femke, kind="demo_request", at=at(days=-1, hours=9))
    start = handoff.mql_at
    assert steps(handoff, start + timedelta(minutes=2, seconds=30)) == ["accept_50"]
    assert steps(handoff, start + timedelta(minutes=4)) == ["accept_80"]
    assert steps(handoff, start + timedelta(minutes=5)) == ["accept_breach", "contact_breach"]


def test_a_queues_steps_tell_its_owner_in_the_managers_place(cast):
    handoff = make_handoff("queued")
    [*_, breach] = [s for s in lifecycle.fire(handoff.pk, at(hours=2)) if s["step"] == "accept_breach"]
    assert breach["told"] == [cast.ada.email]


def test_the_managers_cover_is_told_while_they_are_away(cast):
    handoff = make_handoff("assigned", cast.femke)
    cast.mia.absences.create(starts_at=NOW, ends_at=at(days=9), cover=cast.nils)
    [*_, last] = lifecycle.fire(handoff.pk, at(hours=2))
    assert (last["step"], last["told"]) == ("unacknowledged", [cast.nils.email])


def test_flags_and_marks_are_events(cast):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.fire(handoff.pk, at(hours=30))
    flag, mark = handoff.events.get(kind="flagged"), handoff.events.get(kind="black_hole")
    assert (flag.occurred_at, flag.recorded_at, flag.user) == (at(hours=4), at(hours=30), None)
    assert flag.data["set"]["no_activity_at"] == at(hours=4).isoformat()
    assert mark.data["set"]["black_hole_at"] == at(hours=24).isoformat()
    assert (mark.data["step"], mark.data["window"], mark.data["told"]) == (
        "black_hole",
        "lead",
        [cast.mia.pk],
    )


def test_the_flag_counts_from_the_last_activity(cast):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.note(handoff.pk, by(cast.femke, hours=3), text="Tried the front desk")
    assert "no_activity" not in steps(handoff, at(hours=6, minutes=59))
    assert "no_activity" in steps(handoff, at(hours=7))
    # An activity within the day: no black hole.
    assert steps(handoff, at(hours=30)) == []
    assert fresh(handoff).no_activity_at == at(hours=7)


def test_work_without_activity_for_sixty_days_is_superseded(cast):
    handoff = make_handoff("working", cast.femke)
    due = at(minutes=1, days=60)
    assert lifecycle.fire(handoff.pk, due - timedelta(seconds=1)) == []
    [step] = lifecycle.fire(handoff.pk, due)
    assert (step["step"], step["due_at"], step["told"]) == ("stale", due.isoformat(), [cast.mia.email])
    done = fresh(handoff)
    assert (done.state, done.close_reason, done.closed_at, done.next_step_at) == (
        "superseded",
        "stale",
        due,
        None,
    )
    assert Notification.objects.filter(kind="stale").get().user == cast.mia


def test_an_act_puts_it_off(cast):
    handoff = make_handoff("working", cast.femke)
    lifecycle.note(handoff.pk, by(cast.femke, days=50), text="Still on it")
    assert steps(handoff, at(days=70)) == []
    assert steps(handoff, at(days=110)) == ["stale"]


def test_a_moment_that_became_pointless_is_set_anew(cast):
    handoff = make_handoff("assigned", cast.femke)
    Handoff.objects.filter(pk=handoff.pk).update(next_step_at=at(minutes=1))
    assert lifecycle.fire(handoff.pk, at(minutes=1)) == []
    assert fresh(handoff).next_step_at == at(hours=1)


def test_nothing_fires_on_what_is_closed(cast):
    for state in ("rejected", "converted", "disqualified"):
        assert lifecycle.fire(make_handoff(state, cast.femke).pk, at(days=400)) == []


# What a policy may add


def with_steps(cast, *more, drop=()):
    """The standard policy in a version with these steps besides, live from now on."""
    row = SlaPolicy.objects.get(slug="standard", is_live=True)
    kept = [step for step in row.policy().steps if step.code not in drop]
    return policies.revise(
        "standard", policies.targets_of(row.policy()), [*kept, *more], cast.otto, NOW, "More steps"
    )


TAKEN = sla.Step("taken", "acceptance", 100, None, ("manager",), "reassign")


def told(kind):
    rows = Notification.objects.filter(kind=kind).order_by("pk")
    return [(row.user.email, words(row).subject.split(":")[0]) for row in rows]


def test_who_lets_it_lapse_loses_it_to_the_next_and_never_gets_it_back(cast):
    with_steps(cast, TAKEN)
    route_to(cast.femke, cast.jonas)
    handoff = open_handoff()
    first = handoff.assignee
    other = cast.jonas if first == cast.femke else cast.femke
    # Minute by minute, as the worker would.
    assert steps(handoff, at(hours=1)) == ["accept_50", "contact_breach"]
    assert steps(handoff, at(hours=1, minutes=36)) == ["accept_80"]
    assert steps(handoff, at(hours=2)) == ["accept_breach", "unacknowledged", "taken"]
    held = fresh(handoff)
    assert (held.state, held.assignee, held.window, held.held_since) == ("assigned", other, 2, at(hours=2))
    assert held.accept_due_at == at(hours=4)
    # Its own clock runs on; the new holder's window has its own steps.
    assert (held.contact_due_at, held.next_step_at) == (at(hours=1), at(hours=3))
    event = handoff.events.get(kind="escalated", data__what="reassign")
    assert (event.data["why"], event.data["was_held_by"], event.data["window"]) == ("taken", first.pk, "w1")
    assert told("taken_away") == [(cast.mia.email, "With somebody else now")]
    assert told("assigned")[-1] == (other.email, "New lead for you")
    assert steps(handoff, at(hours=3)) == ["accept_50"]
    assert steps(handoff, at(hours=4)) == ["accept_80", "accept_breach", "taken"]
    # Everybody of the pool had it: their manager, and after her the overflow queue, whose owner is told.
    assert (fresh(handoff).assignee, fresh(handoff).window) == (cast.mia, 3)
    steps(handoff, at(hours=6))
    queued = fresh(handoff)
    assert (queued.state, queued.queue.kind, queued.window) == ("queued", Queue.Kind.OVERFLOW, 4)
    assert lapsed(handoff) == [
        (code, window, user.name.split()[0])
        for window, user in (("w1", first), ("w2", other), ("w3", cast.mia))
        for code in ("accept_breach", "taken")
    ]
    fired = {step["step"]: step["told"] for step in lifecycle.fire(handoff.pk, at(hours=8))}
    # There is nobody to take it from now; whoever owns the queue is told, once, and it stays.
    assert (fired["accept_breach"], fired["taken"]) == ([cast.ada.email], [])
    assert (fresh(handoff).state, fresh(handoff).window) == ("queued", 4)
    assert told("queued") == [(cast.ada.email, "Waiting in your queue")]


def test_who_rejected_it_is_passed_over(cast):
    with_steps(cast, TAKEN)
    route_to(cast.femke, cast.jonas, cast.rosa)
    handoff = open_handoff()
    first = handoff.assignee
    lifecycle.reject(handoff.pk, Act(at(minutes=5), first), reason="out_of_territory")
    second = fresh(handoff).assignee
    assert second != first
    steps(handoff, at(hours=2, minutes=5))
    assert fresh(handoff).assignee not in (first, second)


def test_a_late_run_takes_it_once_and_gives_the_next_a_whole_window(cast):
    with_steps(cast, TAKEN)
    route_to(cast.femke, cast.jonas)
    handoff = open_handoff()
    fired = lifecycle.fire(handoff.pk, at(hours=30))
    # What the first holder would have been flagged for at 14:00 never came: they would not have held it.
    assert [step["step"] for step in fired] == [
        "accept_50", "contact_breach", "accept_80", "accept_breach", "unacknowledged", "taken", "black_hole",
    ]  # fmt: skip
    assert [step["late"] for step in fired] == [
        hours * 3600 + minutes * 60
        for hours, minutes in ((29, 0), (29, 0), (28, 24), (28, 0), (28, 0), (28, 0), (6, 0))
    ]
    held = fresh(handoff)
    assert (held.window, held.held_since, held.no_activity_at) == (2, at(hours=30), None)
    cancelled = handoff.events.get(kind="cancelled")
    assert cancelled.data["steps"] == [["no_activity", "w1"]]
    assert lifecycle.fire(handoff.pk, at(hours=30)) == []


def test_a_step_moves_it_to_its_queue_once(cast):
    desk = Queue.objects.create(slug="desk", name="Desk", owner=cast.mia)
    with_steps(
        cast,
        sla.Step("to_desk", "acceptance", None, sla.Target(30, True), ("rep", "manager"), "queue", desk.pk),
    )
    handoff = make_handoff("assigned", cast.femke)
    steps(handoff, at(hours=2))
    [moved] = lifecycle.fire(handoff.pk, at(hours=2, minutes=30))
    assert (moved["step"], moved["told"]) == ("to_desk", [cast.femke.email, cast.mia.email])
    queued = fresh(handoff)
    assert (queued.state, queued.queue, queued.assignee, queued.window) == ("queued", desk, None, 2)
    assert Turn.objects.filter(released_at__isnull=True).count() == 0
    # In that queue already, it only tells: whoever owns the queue, since a queue has no rep.
    assert steps(handoff, at(hours=4, minutes=30))[-1] == "accept_breach"
    [again] = lifecycle.fire(handoff.pk, at(hours=5))
    assert (again["step"], again["told"]) == ("to_desk", [cast.mia.email])
    assert (fresh(handoff).queue, fresh(handoff).window) == (desk, 2)
    lifecycle.reassign(handoff.pk, by(cast.mia, hours=7), to=cast.jonas.email, reason="x")
    assert "to_desk" in steps(handoff, at(hours=30))
    assert (fresh(handoff).queue, fresh(handoff).window) == (desk, 4)


def test_a_step_raises_the_priority_each_window_once(cast):
    with_steps(cast, sla.Step("first", "contact", 100, None, ("manager",), "raise"))
    handoff = make_handoff("assigned", cast.femke)
    assert "first" in steps(handoff, at(hours=1)) and fresh(handoff).priority == 1
    steps(handoff, at(hours=40))
    assert fresh(handoff).priority == 1
    assert told("put_first") == [(cast.mia.email, "First in line")]
    assert handoff.events.get(data__what="raise").data["set"]["priority"] == 1


def test_a_named_person_is_told_and_whoever_is_gone_is_stood_in_for(cast):
    with_steps(
        cast, sla.Step("nils", "acceptance", None, sla.Target(30, True), (f"person:{cast.nils.pk}",), "tell")
    )
    first, second = make_handoff("assigned", cast.femke), make_handoff("assigned", cast.femke)

    def of(handoff):
        assert steps(handoff, at(hours=2))[-1] == "unacknowledged"
        [fired] = lifecycle.fire(handoff.pk, at(hours=2, minutes=30))
        assert fired["step"] == "nils"
        return fired["told"]

    assert of(first) == [cast.nils.email]
    cast.nils.is_active = False
    cast.nils.save()
    assert of(second) == [cast.mia.email]


def test_an_unowned_breach_tells_a_named_person(cast):
    row = SlaPolicy.objects.get(slug="standard")
    # As no form would make it: a ladder that only speaks to the rep.
    row.steps.filter(code="accept_breach").update(who=["rep"])
    handoff = make_handoff("queued")
    fired = {step["step"]: step["told"] for step in lifecycle.fire(handoff.pk, at(hours=2))}
    assert fired["accept_breach"] == [cast.ada.email]
    assert fired["accept_50"] == []


# Late, and cancelled


def test_only_what_comes_after_ninety_seconds_is_late(cast):
    handoff = make_handoff("assigned", cast.femke)
    fired = lifecycle.fire(handoff.pk, at(hours=1, seconds=90))
    assert [step["late"] for step in fired] == [0, 0]
    [second] = lifecycle.fire(handoff.pk, at(hours=1, minutes=37, seconds=31))
    assert (second["step"], second["late"]) == ("accept_80", 91)
    late = {e.data["step"]: e.data.get("late") for e in handoff.events.filter(kind="escalated")}
    assert late == {"accept_50": None, "contact_breach": None, "accept_80": 91}


def cancelled(handoff):
    rows = handoff.events.filter(kind="cancelled").order_by("number")
    return [(row.data["why"], [code for code, _ in row.data["steps"]]) for row in rows]


def test_an_answer_in_time_cancels_nothing(cast):
    handoff = make_handoff("assigned", cast.femke)
    steps(handoff, at(hours=1))
    lifecycle.accept(handoff.pk, by(cast.femke, hours=1, minutes=30))
    steps(handoff, at(hours=30))
    # The steps to come never came: that is no news.
    assert cancelled(handoff) == []


def test_what_an_answer_overtook_is_cancelled_visibly_once_in_order(cast):
    handoff = make_handoff("assigned", cast.femke)
    done = lifecycle.accept(handoff.pk, by(cast.femke, hours=3))
    first = ["accept_50", "accept_80", "accept_breach", "unacknowledged"]
    assert cancelled(handoff) == [("accepted", first)]
    event = handoff.events.get(kind="cancelled")
    assert (event.user, event.number, event.data["set"]) == (None, done.revision, {})
    # The lead's own clock runs on: its breach is told, late.
    assert steps(handoff, at(hours=3)) == ["contact_breach"]
    assert lifecycle.accept(handoff.pk, by(cast.femke, hours=3)).revision == fresh(handoff).revision
    lifecycle.contact(handoff.pk, by(cast.femke, hours=4), channel="phone", outcome="reached")
    assert cancelled(handoff) == [("accepted", first)]
    assert not FiredStep.objects.filter(handoff=handoff, code="accept_breach").exists()


def test_after_a_deferral_the_first_contact_has_a_time_of_its_own_to_be_late(cast):
    """Late once, put off, and late again: the second time is told too."""
    handoff = make_handoff("assigned", cast.femke)
    assert "contact_breach" in steps(handoff, at(hours=1))
    lifecycle.defer(handoff.pk, by(cast.femke, hours=1, minutes=5), until=at(days=1), explanation="Tomorrow")
    assert steps(handoff, at(days=1)) == ["resume"]
    lifecycle.accept(handoff.pk, by(cast.femke, days=1))
    assert fresh(handoff).contact_due_at == at(days=1, hours=1)
    assert steps(handoff, at(days=1, hours=1)) == ["contact_breach"]
    assert told("contact_breach") == [(p.email, "Not contacted in time") for p in (cast.femke, cast.mia)] * 2


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (lambda h, a: lifecycle.reject(h.pk, a, reason="not_icp"), "followed_up"),
        (lambda h, a: lifecycle.reject(h.pk, a, reason="not_icp", undoable=True), "rejected"),
        (lambda h, a: lifecycle.defer(h.pk, a, until=at(days=3), explanation="Later"), "deferred"),
        (lambda h, a: lifecycle.contact(h.pk, a, channel="phone", outcome="reached"), "contacted"),
    ],
)
def test_every_answer_says_what_it_overtook(cast, act, why):
    handoff = make_handoff("assigned", cast.femke)
    act(handoff, by(cast.femke, hours=5))
    [(said, codes)] = cancelled(handoff)
    assert (said, codes[:3]) == (why, ["accept_50", "contact_breach", "accept_80"])
    assert codes[-1] == "no_activity"


def test_a_sign_of_life_cancels_the_flag_that_no_sweep_had_set(cast):
    handoff = make_handoff("assigned", cast.femke)
    steps(handoff, at(hours=3))
    lifecycle.note(handoff.pk, by(cast.femke, hours=5), text="On it")
    assert cancelled(handoff) == [("noted", ["no_activity"])]
    # Cancelled is not fired: the clock runs anew.
    assert steps(handoff, at(hours=25)) == ["no_activity"]


def test_an_undone_answer_leaves_the_step_to_fire(cast):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.accept(handoff.pk, by(cast.femke, hours=2))
    lifecycle.undo(handoff.pk, by(cast.femke, hours=2, seconds=5))
    assert steps(handoff, at(hours=2, minutes=1)) == [
        "accept_50", "contact_breach", "accept_80", "accept_breach", "unacknowledged",
    ]  # fmt: skip


def test_a_page_is_not_stale_by_what_was_cancelled(cast):
    handoff = make_handoff("assigned", cast.femke)
    seen = handoff.revision
    lifecycle.note(handoff.pk, by(cast.femke, hours=5), text="On it")
    assert handoff.events.filter(kind="cancelled", number__gt=seen).exists()
    assert lifecycle.accept(handoff.pk, by(cast.femke, hours=6), revision=seen).state == "accepted"


def test_data_completed_late_cancels_its_reminder(cast):
    handoff = make_handoff("incomplete")
    lifecycle.discard(handoff.pk, by(cast.otto, hours=5), reason="junk")
    assert cancelled(handoff) == [("discarded", ["completion_breach"])]


def test_a_policy_switched_off_mid_clock_leaves_what_runs_as_it_is(cast):
    with_steps(cast, TAKEN)
    route_to(cast.femke, cast.jonas)
    handoff = open_handoff()
    first = handoff.assignee
    with_steps(cast, drop=("taken", "accept_50"))
    other = open_handoff()
    assert fresh(handoff).policy.version == 2 and other.policy.version == 3
    assert steps(handoff, at(hours=2))[-2:] == ["unacknowledged", "taken"]
    assert fresh(handoff).assignee != first
    assert "taken" not in steps(other, at(hours=2)) and fresh(other).assignee == other.assignee


def test_what_started_before_a_version_keeps_the_earlier_one_when_it_is_routed(cast):
    handoff = make_handoff("incomplete")
    started = handoff.policy
    with_steps(cast, TAKEN)
    for check in handoff.missing:
        lifecycle.waive(handoff.pk, by(cast.otto, hours=1), check=check, reason="Known")
    routed = fresh(handoff)
    assert routed.state != "incomplete" and routed.policy == started
