"""Whatever nobody answers for: what is found, where it goes, what it costs, and what is said of the rest."""

from __future__ import annotations

import logging
from copy import copy
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from leads import escalation, invariants, lifecycle, permissions, tasks
from leads.choices import EventKind
from leads.escalation import find, repair
from leads.lifecycle import Act
from leads.lifecycle.book import clocks
from leads.models import Event, Handoff, Notification
from routing import sla
from routing.models import Absence, Queue, User
from routing.people import MANAGER, REP, ROLES, VIEWER
from tests import factories
from tests.conftest import NOW, Cast

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
STATES = ("incomplete", "queued", "assigned", "accepted", "deferred", "working")


def bend(handoff: Handoff, **columns: Any) -> None:
    """As a shell might."""
    Handoff.objects.filter(pk=handoff.pk).update(**columns)


def leave(user: User, cover: User | None = None, days: int = 3) -> Absence:
    return Absence.objects.create(user=user, cover=cover, starts_at=NOW, ends_at=NOW + days * DAY)


# Astray: no holder, no deadline


def test_what_is_selected_is_what_the_clocks_say(cast: Cast) -> None:
    """The condition of the index and `sla.next_deadline` are two ways to say one thing: every combination of
    instants, in every open state."""
    handoffs = [
        factories.make_handoff(state, None if state in ("incomplete", "queued") else cast.femke)
        for state in STATES
    ]
    assert not Handoff.objects.astray().exists()
    moments = (None, NOW, NOW + HOUR)
    for handoff in handoffs:
        for due, accept, contact, until in product(moments, repeat=4):
            columns = {"accept_due_at": accept, "contact_due_at": contact, "deferred_until": until}
            bend(handoff, next_due_at=due, next_step_at=NOW, completion_due_at=contact, **columns)
            row = Handoff.objects.get(pk=handoff.pk)
            expected = sla.next_deadline(clocks(row))
            wrong = row.state != "working" and (expected is None or row.next_due_at != expected)
            assert Handoff.objects.astray().filter(pk=row.pk).exists() == wrong, (row.state, columns, due)
        bend(handoff, is_quiet=True)
        assert not Handoff.objects.astray().filter(pk=handoff.pk).exists()
        bend(handoff, is_quiet=False)


@pytest.mark.parametrize("state", ["accepted", "deferred", "working"])
def test_what_nobody_holds_gets_its_holder_back(cast: Cast, state: str) -> None:
    handoff = factories.make_handoff(state, cast.femke)
    bend(handoff, assignee=None)
    assert repair(NOW + HOUR) == [{"handoff": str(handoff.pk), "why": "nobody held it"}]
    handoff.refresh_from_db()
    assert (handoff.assignee, handoff.state) == (cast.femke, state)
    assert handoff.events.get(kind=EventKind.REPAIRED).data["why"] == "nobody held it"
    assert list(invariants.violations()) == [] and repair(NOW + HOUR) == []


def test_what_even_the_log_gives_to_nobody_is_routed(cast: Cast) -> None:
    handoff = factories.make_handoff("accepted", cast.femke)
    factories.route_to(cast.jonas)
    bend(handoff, assignee=None, revision=handoff.revision + 1)
    Event.objects.create(
        handoff=handoff, number=handoff.revision + 1, kind="noted", stage="after", occurred_at=NOW,
        recorded_at=NOW, data={"set": {"assignee_id": None}},
    )  # fmt: skip
    repair(NOW + HOUR)
    handoff.refresh_from_db()
    assert (handoff.assignee, handoff.state) == (cast.jonas, "assigned")
    assert list(Notification.objects.filter(user=cast.jonas).values_list("kind", flat=True)) == ["assigned"]
    assert [v for v in invariants.violations() if v.code != "projection"] == []


@pytest.mark.parametrize("state", ["incomplete", "queued", "assigned", "accepted", "deferred"])
def test_a_deadline_that_is_gone_comes_back(cast: Cast, state: str) -> None:
    handoff = factories.make_handoff(state, None if state in ("incomplete", "queued") else cast.femke)
    due = handoff.next_due_at
    bend(handoff, next_due_at=None)
    assert repair(NOW + HOUR) == [{"handoff": str(handoff.pk), "why": "its deadline was wrong"}]
    handoff.refresh_from_db()
    assert (handoff.next_due_at, handoff.events.last().kind) == (due, "repaired")
    assert list(invariants.violations()) == []


@pytest.mark.parametrize(
    ("state", "column", "minutes"),
    [("incomplete", "completion_due_at", 240), ("accepted", "contact_due_at", 60)],
)
def test_a_deadline_that_never_was_runs_from_now(cast: Cast, state: str, column: str, minutes: int) -> None:
    """Not even the log knows one: the policy's target from now on, or from when marketing got it."""
    handoff = factories.make_handoff(state, None if state == "incomplete" else cast.femke)
    bend(handoff, revision=handoff.revision + 1, **{column: None})
    Event.objects.create(
        handoff=handoff, number=handoff.revision + 1, kind="noted", stage="after", occurred_at=NOW,
        recorded_at=NOW, data={"set": {column: None, "next_due_at": None}},
    )  # fmt: skip
    repair(NOW + HOUR)
    handoff.refresh_from_db()
    since = NOW if state == "incomplete" else NOW + HOUR
    assert handoff.next_due_at == since + minutes * MINUTE
    assert list(invariants.violations()) == []


def test_one_that_cannot_be_mended_stops_none_of_the_others(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken, sound = (factories.make_handoff("accepted", cast.femke) for _ in range(2))
    Handoff.objects.update(next_due_at=None)
    real = lifecycle.mend

    def mend(handoff_id: int, act: Act) -> str:
        if handoff_id == broken.pk:
            raise ValueError("bent")
        return real(handoff_id, act)

    monkeypatch.setattr(lifecycle, "mend", mend)
    with caplog.at_level(logging.ERROR):
        assert [item["handoff"] for item in repair(NOW)] == [str(sound.pk)]
    assert f"handoff {broken.pk} could not be mended" in caplog.text
    assert [orphan.handoff_id for orphan in find(NOW)] == [broken.pk]


def test_one_that_cannot_be_moved_stops_none_of_the_others(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken, sound = (factories.make_handoff("accepted", cast.femke) for _ in range(2))
    User.objects.filter(pk=cast.femke.pk).update(is_active=False)
    real = lifecycle.moving.guard.locked  # type: ignore[attr-defined]

    def locked(handoff_id: int) -> Handoff:
        if handoff_id == broken.pk:
            raise ValueError("bent")
        return real(handoff_id)

    monkeypatch.setattr("leads.lifecycle.guard.locked", locked)
    with caplog.at_level(logging.ERROR):
        assert repair(NOW) == [{"user": cast.femke.email, "why": "inactive", "moved": 1}]
    sound.refresh_from_db()
    assert sound.assignee == cast.mia and f"handoff {broken.pk} could not be moved on" in caplog.text
    assert [orphan.user for orphan in find(NOW)] == [cast.femke]


# People


def test_repair_ends_with_its_time_and_goes_on_in_the_next_minute(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        factories.make_handoff("assigned", cast.femke)
    leave(cast.femke, cover=cast.rosa)
    monkeypatch.setattr(escalation.repairing, "SLICE", 2)
    # A slice that was begun is brought to its end; without time nothing is begun.
    assert repair(NOW, seconds=0) == []
    with monkeypatch.context() as patched:
        looks = iter([False, True])
        patched.setattr(escalation.repairing, "_is_over", lambda ends: next(looks))
        assert [row["moved"] for row in repair(NOW, seconds=5)] == [2]
    assert [row["moved"] for row in repair(NOW)] == [3]
    assert set(Handoff.objects.values_list("assignee", flat=True)) == {cast.rosa.pk}


def test_what_somebody_works_on_moves_when_they_leave_the_firm_for_good(cast: Cast) -> None:
    handoff = factories.make_handoff("working", cast.femke)
    User.objects.filter(pk=cast.femke.pk).update(is_active=False)
    assert repair(NOW + HOUR) == [{"user": cast.femke.email, "why": "inactive", "moved": 1}]
    handoff.refresh_from_db()
    assert (handoff.assignee, handoff.state, handoff.window) == (cast.mia, "working", 1)


def test_at_the_start_of_an_absence_the_cover_answers(cast: Cast) -> None:
    """Unanswered and accepted leads go to the cover; what waits for the lead stays. The event says why."""
    held = {
        state: factories.make_handoff(state, cast.femke)
        for state in ("assigned", "accepted", "deferred", "working")
    }
    factories.route_to(cast.femke, cast.jonas)
    leave(cast.femke, cover=cast.rosa)
    Notification.objects.all().delete()
    repair(NOW + HOUR)
    found = {state: Handoff.objects.get(pk=row.pk) for state, row in held.items()}
    assert {state: row.assignee for state, row in found.items()} == {
        "assigned": cast.rosa, "accepted": cast.rosa, "deferred": cast.femke, "working": cast.femke,
    }  # fmt: skip
    event = found["assigned"].events.get(kind=EventKind.REPAIRED)
    assert (event.data["why"], event.data["was_held_by"]) == ("away", cast.femke.pk)
    told = Notification.objects.values_list("user__email", "kind")
    assert list(told) == [(cast.rosa.email, "repaired")] * 2
    assert list(invariants.violations(NOW + HOUR)) == []


def test_a_cover_who_cannot_leaves_it_to_the_rules(cast: Cast) -> None:
    handoff = factories.make_handoff("assigned", cast.femke)
    factories.route_to(cast.femke, cast.jonas)
    leave(cast.femke, cover=cast.rosa)
    leave(cast.rosa)
    repair(NOW + HOUR)
    handoff.refresh_from_db()
    assert handoff.assignee == cast.jonas


def test_a_cover_who_rejected_it_does_not_get_it_again(cast: Cast) -> None:
    factories.route_to(cast.femke, cast.rosa, cast.jonas)
    handoff = factories.open_handoff()
    lifecycle.reassign(handoff.pk, Act(NOW + MINUTE, cast.ada), to=cast.rosa.email, reason="hers")
    lifecycle.reject(handoff.pk, Act(NOW + 2 * MINUTE, cast.rosa), reason="out_of_territory")
    holder = Handoff.objects.get(pk=handoff.pk).assignee
    assert holder in (cast.femke, cast.jonas)
    leave(holder, cover=cast.rosa)
    repair(NOW + HOUR)
    assert Handoff.objects.get(pk=handoff.pk).assignee in {cast.femke, cast.jonas} - {holder}


def test_who_comes_back_leaves_the_cover_what_they_were_given(cast: Cast) -> None:
    """Nothing moves back by itself: the cover was told and their window runs. What waited in the overflow
    queue goes to whoever is back, and so does what comes in."""
    handoff = factories.make_handoff("assigned", cast.femke)
    factories.route_to(cast.femke)
    absence = leave(cast.femke, cover=cast.rosa, days=1)
    repair(NOW + HOUR)
    waiting = factories.open_handoff(at=NOW + 2 * HOUR)
    assert waiting.state == "queued"
    assert repair(absence.ends_at) == []
    assert lifecycle.drain(absence.ends_at) == 1
    handoff.refresh_from_db()
    waiting.refresh_from_db()
    assert (handoff.assignee, waiting.assignee) == (cast.rosa, cast.femke)
    assert factories.open_handoff(at=absence.ends_at).assignee == cast.femke


def test_everything_goes_to_the_named_person_while_they_can_take_it(cast: Cast) -> None:
    held = [factories.make_handoff(s, cast.femke) for s in ("assigned", "accepted", "deferred", "working")]
    factories.route_to(cast.femke, cast.jonas)
    User.objects.filter(pk=cast.femke.pk).update(is_active=False)
    away = leave(cast.nils)
    act = Act(NOW + HOUR, cast.ada)
    gone = User.objects.get(pk=cast.femke.pk)
    assert escalation.let_go(gone, act, cast.rosa) == 4
    assert {Handoff.objects.get(pk=row.pk).assignee for row in held} == {cast.rosa}
    # Somebody who cannot take it is no answer: then it goes as if nobody had been named.
    User.objects.filter(pk=cast.rosa.pk).update(is_active=False)
    assert escalation.let_go(User.objects.get(pk=cast.rosa.pk), act, away.user) == 4
    assert cast.nils not in {Handoff.objects.get(pk=row.pk).assignee for row in held}
    assert list(invariants.violations(NOW + HOUR)) == []


# Who can answer


@pytest.mark.parametrize("role", ["", VIEWER])
@pytest.mark.parametrize("at_once", [False, True])
def test_a_member_of_a_queue_without_a_role_keeps_nothing(cast: Cast, role: str, at_once: bool) -> None:
    """They may do nothing with it any more, so it goes to those who may."""
    Queue.objects.get(kind="overflow").members.add(cast.femke)
    held = [factories.make_handoff(state, cast.femke) for state in ("assigned", "accepted")]
    factories.route_to(cast.femke, cast.jonas)
    cast.femke.groups.set(Group.objects.filter(name=role))
    femke = User.objects.get(pk=cast.femke.pk)
    assert not permissions.may(femke, "accept", Handoff.objects.get(pk=held[0].pk))
    assert {v.message for v in invariants.violations()} == {f"is held by {femke.email}, who is not in sales"}
    if at_once:
        assert escalation.let_go(femke, Act(NOW + HOUR, cast.ada)) == 2
    else:
        assert repair(NOW + HOUR) == [{"user": femke.email, "why": "no longer in sales", "moved": 2}]
    assert [Handoff.objects.get(pk=row.pk).assignee for row in held] == [cast.jonas, cast.mia]
    assert list(invariants.violations()) == [] and find(NOW + HOUR) == []


def test_by_hand_a_member_of_a_queue_keeps_what_the_minute_lets_them_keep(cast: Cast) -> None:
    """Otto of marketing has contacted what he claimed; that he is away for a while takes nothing from him."""
    handoff = factories.make_handoff("queued")
    handoff.queue.members.add(cast.otto)
    otto = Act(NOW + MINUTE, cast.otto)
    lifecycle.claim(handoff.pk, otto)
    lifecycle.contact(handoff.pk, otto, channel="phone", outcome="reached")
    leave(cast.otto)
    assert escalation.let_go(cast.otto, Act(NOW + HOUR, cast.ada)) == 0 and repair(NOW + HOUR) == []
    handoff.refresh_from_db()
    assert (handoff.state, handoff.assignee) == ("working", cast.otto)


def test_for_many_at_once_it_is_as_for_one(cast: Cast) -> None:
    """The conditions on users say what a person's permissions say, for every role, in and out of a queue."""
    queue = Queue.objects.get(kind="overflow")
    held = factories.make_handoff("assigned", cast.femke)
    for active, superuser, member, role in product((True, False), (True, False), (True, False), ("", *ROLES)):
        User.objects.filter(pk=cast.jonas.pk).update(is_active=active, is_superuser=superuser)
        cast.jonas.groups.set(Group.objects.filter(name=role))
        queue.members.set([cast.jonas] if member else [])
        user = User.objects.get(pk=cast.jonas.pk)
        held.assignee = user
        may = permissions.may(user, "accept", held)
        me = User.objects.filter(pk=user.pk)
        assert me.filter(permissions.can_act()).exists() == may
        answers = may and (member or role in (REP, MANAGER))
        assert me.filter(permissions.can_answer()).exists() == answers, (active, superuser, member, role)


# Queues


@pytest.mark.parametrize("role", ["", VIEWER])
def test_a_queue_goes_on_when_its_owner_may_do_nothing_any_more(cast: Cast, role: str) -> None:
    queue = Queue.objects.create(slug="nordics", name="Nordics", owner=cast.rosa)
    handoff = factories.make_handoff("queued", queue=queue)
    cast.rosa.groups.set(Group.objects.filter(name=role))
    assert {str(v) for v in invariants.violations()} == {
        f"accountable: handoff {handoff.pk}: is in no queue whose owner can answer",
        f"queue: queue nordics: its owner {cast.rosa.email} is no more than a viewer",
    }
    [given] = repair(NOW)
    assert given == {
        "queue": "nordics", "user": cast.rosa.email, "why": "no more than a viewer", "to": cast.nils.email,
    }  # fmt: skip
    queue.refresh_from_db()
    reason = queue.history.first().history_change_reason
    assert reason == f"{cast.rosa.email}, who owned it, is no more than a viewer"
    assert list(invariants.violations()) == [] and repair(NOW) == []


def test_a_queue_goes_to_nobody_who_may_do_nothing(cast: Cast) -> None:
    """The manager, who lost the role too, owns it and leads the team; the cover only reads."""
    Queue.objects.create(slug="nordics", name="Nordics", owner=cast.nils)
    User.objects.filter(pk=cast.nils.pk).update(team=cast.rosa.team)
    leave(cast.nils, cover=cast.vera)
    cast.nils.groups.clear()
    assert [item["to"] for item in repair(NOW)] == [cast.ada.email]


def test_a_long_address_is_no_hindrance_to_giving_a_queue_on(cast: Cast) -> None:
    email = f"{'a' * 60}@{'b' * 60}.example.com"
    User.objects.filter(pk=cast.nils.pk).update(email=email, is_active=False)
    queue = Queue.objects.create(slug="nordics", name="Nordics", owner=cast.nils)
    assert [item["user"] for item in repair(NOW)] == [email]
    assert queue.history.first().history_change_reason.endswith(".example.com, who owned it, is inactive")


def test_a_catch_all_that_is_not_there_is_found_and_said_aloud(
    cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    Queue.objects.filter(kind="completion").delete()
    assert find(NOW) == []
    factories.make_handoff("assigned", cast.femke)
    assert [(orphan.why, orphan.kind) for orphan in find(NOW)] == [("missing", "completion")]
    with caplog.at_level(logging.ERROR):
        assert repair(NOW) == []
    assert "there is no completion queue" in caplog.text


# Cost


@pytest.mark.parametrize("count", [1, 3])
def test_all_well_costs_five_queries_whatever_there_is(cast: Cast, count: int) -> None:
    for _ in range(count):
        for state in ("assigned", "accepted", "queued"):
            factories.make_handoff(state, None if state == "queued" else cast.femke)
    leave(cast.jonas)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert repair(NOW + MINUTE) == []
    assert len(queries) == 5


def test_what_the_minute_asks_is_answered_by_an_index(cast: Cast) -> None:
    """Also among thousands of closed ones, of which there are always the most."""
    handoff = factories.make_handoff("rejected", cast.femke)
    copies = [copy(handoff) for _ in range(3000)]
    for copied in copies:
        copied.pk = None
    Handoff.objects.bulk_create(copies)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE leads_handoff")
    for rows, index in (
        (Handoff.objects.due(NOW)[:200], "handoff_next_step"),
        (Handoff.objects.to_follow_up(NOW)[:200], "handoff_follow_up"),
        (Handoff.objects.astray().order_by("pk")[:200], "handoff_astray"),
    ):
        plan = rows.explain()
        assert index in plan, f"{index} is not in {plan}"


def test_the_task_asks_other_workers_to_share_and_to_go_on(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(tasks.queueing, "put", lambda *what: asked.append(what))
    monkeypatch.setattr(tasks, "SHARED", 2)
    past = timezone.now() - timedelta(days=1)
    factories.make_handoff("assigned", cast.femke, at=past)
    monkeypatch.setattr(tasks, "MOST_SECONDS", 0)
    assert tasks.sweep() == 0 and asked == []
    factories.make_handoff("assigned", cast.femke, at=past)
    assert tasks.sweep() == 0 and asked == [("leads.tasks.fire_due", 1, 2)]
    monkeypatch.setattr(tasks, "SHARED", 1)
    parts = 3 if connection.features.has_select_for_update_skip_locked else 2
    assert tasks.sweep() == 0
    assert asked[1:] == [("leads.tasks.fire_due", part, parts) for part in range(1, parts)]
    asked.clear()
    # Its time was up before it began: once more at once, until the next minute's sweep is there.
    monkeypatch.setattr(tasks, "TURN_SECONDS", 0)
    assert tasks.fire_due(1, 2) == 0 and asked == [("leads.tasks.fire_due", 1, 2, 2)]
    assert tasks.fire_due(1, 2, tasks.MOST_TURNS) == 0 and len(asked) == 1
    # Its own part is one of the two; then it takes the rest.
    monkeypatch.setattr(tasks, "TURN_SECONDS", 30)
    assert tasks.fire_due(1, 2) > 0 and len(asked) == 1
    assert not Handoff.objects.due(timezone.now()).exists()


@pytest.mark.parametrize("part", [0, 1, 2])
def test_each_that_sweeps_takes_its_part_first(cast: Cast, part: int) -> None:
    for _ in range(6):
        factories.make_handoff("assigned", cast.femke)
    later = NOW + timedelta(hours=1)
    fired = [int(step["handoff"]) for step in escalation.sweep(later, limit=2, part=(part, 3))]
    assert fired and {pk % 3 for pk in fired} == {part}
    escalation.sweep(later, part=(part, 3))
    assert not Handoff.objects.due(later).exists()
