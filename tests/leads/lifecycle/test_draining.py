"""Freed capacity: what waits because nobody had a place goes to whoever gets one, the oldest first."""

import logging

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from leads import lifecycle
from leads.lifecycle import Act, draining
from leads.models import Handoff, Notification
from routing.models import Pool, PoolMember, Queue, Turn, User
from tests.acting import assert_sound, at, by, fresh
from tests.conftest import NOW
from tests.factories import make_handoff, make_lead, open_handoff, route_to


def places(*handoffs):
    return [h.assignee.name.split()[0] if h.assignee else h.queue.slug for h in map(fresh, handoffs)]


@pytest.fixture
def full(cast):
    """Femke may hold one and holds it; two wait, the second of them the older lead."""
    route_to(cast.femke, cap=1)
    held, young = open_handoff(), open_handoff(at=at(minutes=2))
    old = open_handoff(at=at(minutes=1), now=at(minutes=2))
    assert places(held, young, old) == ["Femke", "overflow", "overflow"]
    return held, young, old


def end(verb, held, cast):
    act = by(cast.femke, minutes=5)
    if verb == "reject":
        lifecycle.reject(held.pk, act, reason="not_icp")
    elif verb == "reject and reroute":
        lifecycle.reject(held.pk, act, reason="out_of_territory")
    elif verb == "contact":
        lifecycle.contact(held.pk, act, channel="phone", outcome="reached")
    elif verb == "convert":
        lifecycle.accept(held.pk, act)
        lifecycle.opportunity(held.pk, act)
    elif verb == "reassign":
        lifecycle.reassign(held.pk, by(cast.otto, minutes=5), to=cast.rosa.email, reason="busy")
    elif verb == "reassign to a queue":
        lifecycle.reassign(held.pk, by(cast.otto, minutes=5), to="queue:overflow", reason="busy")
    else:
        lifecycle.reroute(held.pk, Act(at(minutes=5)), "accept_breach")


@pytest.mark.parametrize(
    "verb",
    ["reject", "reject and reroute", "contact", "convert", "reassign", "reassign to a queue", "reroute"],
)
def test_a_freed_place_takes_the_oldest_waiting_at_once(cast, full, verb, django_capture_on_commit_callbacks):
    held, young, old = full
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        end(verb, held, cast)
    assert len(callbacks) == 1
    assert places(young, old) == ["overflow", "Femke"]
    assert fresh(held).assignee != cast.femke or fresh(held).state in ("rejected", "working", "converted")
    assert_sound()


def test_a_database_that_goes_after_the_commit_fails_nothing_of_the_act(
    cast, full, monkeypatch, caplog, django_capture_on_commit_callbacks
):
    held, young, old = full

    def gone(*_):
        raise OperationalError("terminating connection due to administrator command")

    monkeypatch.setattr(draining, "_batches", gone)
    with caplog.at_level(logging.ERROR), django_capture_on_commit_callbacks(execute=True):
        end("contact", held, cast)
    assert (fresh(held).state, places(young, old)) == ("working", ["overflow", "overflow"])
    assert "terminating connection" in caplog.text


def test_what_is_given_is_assigned_with_its_decision_and_told(cast, full):
    held, _, old = full
    lifecycle.reject(held.pk, by(cast.femke, minutes=5), reason="not_icp")
    assert lifecycle.drain(at(minutes=6)) == 1
    done = fresh(old)
    assert (done.state, done.assignee, done.held_since, done.accept_due_at) == (
        "assigned",
        cast.femke,
        at(minutes=6),
        at(hours=2, minutes=6),
    )
    event = done.events.last()
    assert (event.kind, event.user, event.data["why"], event.data["drained"]) == (
        "assigned",
        None,
        "rule",
        True,
    )
    first, second = done.decisions.all()
    pool = Pool.objects.get()
    assert first.candidates[0] == {"user": cast.femke.pk, "pool": pool.pk, "skipped": "holds 1 of 1"}
    assert (second.at, second.outcome, second.candidates) == (
        at(minutes=6),
        "rep",
        [{"user": cast.femke.pk, "pool": pool.pk, "took": "rule"}],
    )
    turn = Turn.objects.get(released_at=None)
    assert (turn.ref, turn.user, turn.pool) == (f"handoff:{old.pk}", cast.femke, pool)
    assert Notification.objects.filter(handoff=old, kind="assigned").get().user == cast.femke


def test_nothing_waits_nothing_is_read(cast, django_assert_num_queries):
    make_handoff("assigned", cast.femke)
    with django_assert_num_queries(1):
        assert lifecycle.drain(at(minutes=1)) == 0


def test_an_act_that_frees_nothing_sets_nothing_off(cast, full, django_capture_on_commit_callbacks):
    held, *_ = full
    with django_capture_on_commit_callbacks() as callbacks:
        lifecycle.accept(held.pk, by(cast.femke, minutes=1))
        lifecycle.note(held.pk, by(cast.femke, minutes=1), text="on it")
        lifecycle.contact(held.pk, by(cast.femke, minutes=1), channel="phone", outcome="reached")
        lifecycle.disqualify(held.pk, by(cast.femke, minutes=2), reason="not_icp")
    # Only the contact ended a turn.
    assert len(callbacks) == 1


def test_who_is_back_and_who_may_hold_more_takes_what_waits(cast):
    route_to(cast.femke, cap=2)
    away = cast.femke.absences.create(starts_at=at(hours=-1), ends_at=at(hours=1))
    waiting = [open_handoff(at=at(minutes=n)) for n in range(4)]
    assert lifecycle.drain(at(minutes=59)) == 0
    assert lifecycle.drain(away.ends_at) == 2
    assert places(*waiting) == ["Femke", "Femke", "overflow", "overflow"]
    assert lifecycle.drain(at(hours=2)) == 0
    Pool.objects.update(cap_open=3)
    assert lifecycle.drain(at(hours=2)) == 1
    assert places(*waiting)[2:] == ["Femke", "overflow"]
    assert_sound()


def test_a_new_day_is_a_free_place(cast):
    route_to(cast.femke)
    Pool.objects.update(cap_day=1)
    today, tomorrow = open_handoff(), open_handoff(at=at(minutes=1))
    assert places(today, tomorrow) == ["Femke", "overflow"]
    assert (lifecycle.drain(at(hours=13)), lifecycle.drain(at(hours=14))) == (0, 1)


def test_at_most_so_many_at_once_and_the_rest_later(cast):
    route_to(cast.femke)
    PoolMember.objects.update(is_active=False)
    for minutes in range(5):
        open_handoff(at=at(minutes=minutes))
    PoolMember.objects.update(is_active=True)
    later = at(hours=1)
    assert [lifecycle.drain(later, limit=2) for _ in range(4)] == [2, 2, 1, 0]


def test_one_that_nobody_can_take_stands_in_nobodys_way(cast, monkeypatch):
    monkeypatch.setattr(draining, "BATCH", 2)
    # Only Femke takes what comes from Austria, and she has no place.
    ruleset = route_to(cast.jonas)
    austria = Pool.objects.create(slug="at", name="Austria", cap_open=0)
    PoolMember.objects.create(pool=austria, user=cast.femke)
    rule = ruleset.document["rules"][0]
    ruleset.document["rules"].insert(
        0,
        rule
        | {
            "id": "at",
            "when": {"all": [{"field": "country", "op": "equals", "value": "AT"}]},
            "target": {"kind": "pool", "id": str(austria.pk)},
        },
    )
    ruleset.save()
    blocked = [open_handoff(make_lead(country_code="AT"), at=at(minutes=n)) for n in range(3)]
    PoolMember.objects.filter(user=cast.jonas).update(is_active=False)
    behind = open_handoff(at=at(minutes=9))
    PoolMember.objects.update(is_active=True)
    assert places(*blocked, behind) == ["overflow"] * 4
    # So many are looked at and no more; the sweep looks further.
    assert lifecycle.drain(at(hours=1), looked_at=3) == 0
    assert lifecycle.drain(at(hours=1), looked_at=4) == 1
    assert places(*blocked, behind) == ["overflow"] * 3 + ["Jonas"]


def test_what_was_sent_to_the_queue_on_purpose_stays(cast):
    overflow = Queue.objects.get(kind="overflow")
    by_rule = make_handoff("queued", queue=overflow)
    route_to(cast.femke)
    by_hand = open_handoff()
    lifecycle.reassign(by_hand.pk, by(cast.otto, minutes=1), to="queue:overflow", reason="wait")
    # Nobody claims it, and the rules of today would give both to Femke.
    assert lifecycle.drain(at(hours=1)) == 0
    assert places(by_rule, by_hand) == ["overflow", "overflow"]


def test_a_fallback_to_the_queue_is_for_want_of_a_place_too(cast):
    ruleset = route_to(cast.femke, cap=1)
    overflow = Queue.objects.get(kind="overflow")
    ruleset.document["rules"][0]["fallback"] = {"kind": "queue", "id": str(overflow.pk)}
    ruleset.save()
    held, waiting = open_handoff(), open_handoff(at=at(minutes=1))
    lifecycle.contact(held.pk, by(cast.femke, minutes=5), channel="phone", outcome="reached")
    assert (lifecycle.drain(at(minutes=6)), places(waiting)) == (1, ["Femke"])


def test_who_rejected_it_does_not_get_it_back(cast):
    handoff = make_handoff("assigned", cast.femke)
    cast.mia.absences.create(starts_at=NOW, ends_at=at(days=1))
    lifecycle.reject(handoff.pk, by(cast.femke, minutes=1), reason="out_of_territory")
    assert places(handoff) == ["overflow"]
    assert lifecycle.drain(at(hours=1)) == 0
    # Her manager is back.
    assert lifecycle.drain(at(days=1)) == 1
    assert places(handoff) == ["Mia"]


def test_claimed_meanwhile_it_is_left_alone(cast, full, monkeypatch):
    held, young, old = full
    lifecycle.reject(held.pk, by(cast.femke, minutes=5), reason="not_icp")
    real = draining._takeable

    def slow(batch, now):
        found = real(batch, now)
        lifecycle.claim(old.pk, by(cast.jonas, minutes=5))
        return found

    monkeypatch.setattr(draining, "_takeable", slow)
    assert lifecycle.drain(at(minutes=6)) == 0
    assert places(young, old) == ["overflow", "Jonas"]


def test_taken_meanwhile_it_stays_and_nothing_is_written(cast, full, monkeypatch):
    held, young, old = full
    lifecycle.reject(held.pk, by(cast.femke, minutes=5), reason="not_icp")
    real = draining._takeable

    def slow(batch, now):
        found = real(batch, now)
        open_handoff(at=at(minutes=5))
        return found

    monkeypatch.setattr(draining, "_takeable", slow)
    assert lifecycle.drain(at(minutes=6)) == 0
    assert (places(young, old), fresh(old).revision) == (["overflow", "overflow"], old.revision)
    assert_sound()


def test_one_that_fails_stops_no_other(cast, full, monkeypatch, caplog):
    held, young, old = full
    lifecycle.reject(held.pk, by(cast.femke, minutes=5), reason="not_icp")
    Pool.objects.update(cap_open=2)
    real = draining.offer

    def offer(book, handoff, **codes):
        if handoff.pk == old.pk:
            raise ValueError("bent")
        return real(book, handoff, **codes)

    monkeypatch.setattr(draining, "offer", offer)
    with caplog.at_level(logging.ERROR):
        assert lifecycle.drain(at(minutes=6)) == 1
    assert places(young, old) == ["Femke", "overflow"]
    assert f"handoff {old.pk} could not be taken" in caplog.text


def test_it_is_never_given_before_it_waited(cast, full):
    held, *_ = full
    lifecycle.reject(held.pk, by(cast.femke, minutes=5), reason="not_icp")
    assert lifecycle.drain(at(minutes=1)) == 0


def test_three_waiting_cost_as_much_to_look_at_as_thirty(cast):
    route_to(cast.femke, cap=0)
    costs = []
    for count in (3, 30):
        while Handoff.objects.count() < count:
            open_handoff()
        with CaptureQueriesContext(connection) as queries:
            assert lifecycle.drain(at(minutes=1)) == 0
        costs.append(len(queries))
    assert costs[0] == costs[1]


def test_a_raised_cap_and_an_absence_cut_short_in_the_admin(cast, as_, django_capture_on_commit_callbacks):
    """The forms set it off; what they look like is test_admin's."""
    route_to(cast.femke, cap=0)
    waiting = open_handoff()
    pool = Pool.objects.get()
    away = cast.femke.absences.create(starts_at=at(days=-1), ends_at=at(days=1))
    ada = as_(cast.ada)
    with django_capture_on_commit_callbacks(execute=True):
        ada.post(f"/admin/routing/absence/{away.pk}/delete/", {"post": "yes"})
    assert places(waiting) == ["overflow"]
    User.objects.filter(pk=cast.femke.pk).update(is_active=False)
    Pool.objects.filter(pk=pool.pk).update(cap_open=None)
    rep = Group.objects.get(name="rep")
    with django_capture_on_commit_callbacks(execute=True):
        answer = ada.post(
            f"/admin/routing/user/{cast.femke.pk}/change/",
            {"email": cast.femke.email, "name": "Femke", "groups": [rep.pk], "team": cast.femke.team_id}
            | {"is_active": "on"},
        )
    assert (answer.status_code, places(waiting)) == (302, ["Femke"])


def test_a_rule_renamed_while_it_waits_is_named_by_its_id(cast):
    ruleset = route_to(cast.femke, cap=1)
    held, waiting = open_handoff(), open_handoff(at=at(minutes=1))
    renamed = route_to(cast.femke)
    renamed.document["rules"] = [ruleset.document["rules"][0] | {"name": "Everything"}]
    renamed.save()
    lifecycle.reject(held.pk, by(cast.femke, minutes=5), reason="not_icp")
    assert lifecycle.drain(at(minutes=6)) == 1
    done = fresh(waiting)
    assert (done.rule_id, done.rule_name, done.ruleset) == (waiting.rule_id, "Everything", renamed)
    assert [decision.rule_id for decision in done.decisions.all()] == [waiting.rule_id] * 2
