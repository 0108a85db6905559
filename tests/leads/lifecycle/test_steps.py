"""What time does to a handoff: the ladder, each step once; deferrals' ends; stale work."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from leads import lifecycle
from leads.lifecycle import Act
from leads.models import FiredStep, Handoff, Notification
from tests.conftest import NOW
from tests.factories import make_handoff, open_handoff, route_to


def at(**span):
    return NOW + timedelta(**span)


def by(user, **span):
    return Act(at(**span), user)


def fresh(handoff):
    return Handoff.objects.get(pk=handoff.pk)


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
