"""The sweep: what is due fires once, a failing handoff stops no other, nobody's work stays with nobody."""

import json
import logging
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.core.management import CommandError, call_command
from django.db import Error, connection
from django.utils import timezone

from leads import escalation, invariants, keys, lifecycle, notifications, tasks
from leads.choices import EventKind
from leads.escalation import repair, sweep, sweeping
from leads.models import FiredStep, Handoff, Notification, RememberedAnswer, UsedLink
from routing import policies, sla
from routing.models import Absence, Calendar, Queue, Session, SlaPolicy, Turn, User
from tests import factories
from tests.conftest import NOW, Cast

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def steps(fired: list[dict[str, Any]]) -> list[str]:
    return [item["step"] for item in fired]


def test_before_anything_is_due_nothing_fires(cast: Cast, django_assert_num_queries: Any) -> None:
    factories.make_handoff("assigned", cast.femke)
    with django_assert_num_queries(2):
        assert sweep(NOW + 29 * MINUTE) == []
    assert not FiredStep.objects.exists()


def test_the_ladder_fires_in_order_each_step_once(cast: Cast) -> None:
    handoff = factories.make_handoff("assigned", cast.femke)
    Notification.objects.all().delete()
    seen: list[str] = []
    for minutes in range(0, 8 * 60, 5):
        fired = sweep(NOW + minutes * MINUTE)
        assert all(item["handoff"] == str(handoff.pk) for item in fired)
        seen += steps(fired)
        assert sweep(NOW + minutes * MINUTE) == []
    assert seen == [
        "accept_50", "contact_breach", "accept_80", "accept_breach", "unacknowledged", "no_activity",
    ]  # fmt: skip
    told = Notification.objects.filter(kind="accept_breach").values_list("user__email", flat=True)
    assert sorted(told) == [cast.femke.email, cast.mia.email]


def test_a_late_sweep_fires_everything_at_once(cast: Cast) -> None:
    handoff = factories.make_handoff("assigned", cast.femke)
    fired = sweep(NOW + timedelta(days=2))
    assert len(fired) == 7 and steps(fired)[-1] == "black_hole"
    assert fired == sorted(fired, key=lambda item: item["due_at"])
    breach = next(item for item in fired if item["step"] == "accept_breach")
    assert breach == {
        "handoff": str(handoff.pk),
        "step": "accept_breach",
        "due_at": (NOW + 2 * HOUR).isoformat(),
        "fired_at": (NOW + timedelta(days=2)).isoformat(),
        "told": [cast.femke.email, cast.mia.email],
        "late": 46 * 3600,
    }
    handoff.refresh_from_db()
    assert handoff.no_activity_at == NOW + 4 * HOUR and handoff.black_hole_at == NOW + 24 * HOUR


def test_quiet_closed_and_worked_handoffs_stay_silent(cast: Cast) -> None:
    factories.make_handoff("assigned", cast.femke, is_quiet=True)
    for state in ("working", "rejected", "converted"):
        factories.make_handoff(state, cast.femke)
    assert sweep(NOW + timedelta(days=3)) == []


def test_more_than_one_batch_is_walked_oldest_first(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "BATCH", 2)
    handoffs = [factories.make_handoff("assigned", cast.femke, at=NOW + n * MINUTE) for n in range(5)]
    fired = sweep(NOW + 70 * MINUTE)
    order = list(dict.fromkeys(item["handoff"] for item in fired))
    assert order == [str(handoff.pk) for handoff in handoffs]
    assert {item["step"] for item in fired} == {"accept_50", "contact_breach"}
    assert sweep(NOW + 70 * MINUTE) == []


def test_the_limit_leaves_the_rest_for_the_next_run(cast: Cast) -> None:
    for _ in range(3):
        factories.make_handoff("assigned", cast.femke)
    at = NOW + HOUR
    first, second, third = sweep(at, limit=2), sweep(at, limit=2), sweep(at, limit=2)
    assert [len({item["handoff"] for item in fired}) for fired in (first, second, third)] == [2, 1, 0]


def test_one_that_fails_stops_no_other_and_is_reported(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken, sound = (factories.make_handoff("assigned", cast.femke) for _ in range(2))
    real = lifecycle.Round.fire

    def fire(self: lifecycle.Round, handoff_id: int) -> list[dict[str, Any]] | None:
        if handoff_id == broken.pk:
            raise ValueError("bent")
        return real(self, handoff_id)

    monkeypatch.setattr(lifecycle.Round, "fire", fire)
    with caplog.at_level(logging.ERROR):
        fired = sweep(NOW + HOUR)
    assert fired[0] == {"handoff": str(broken.pk), "error": "ValueError: bent"}
    assert {item["handoff"] for item in fired[1:]} == {str(sound.pk)}
    assert f"sweep of handoff {broken.pk} failed" in caplog.text
    # It stays due: the next run tries it again.
    assert [item["error"] for item in sweep(NOW + HOUR)] == ["ValueError: bent"]


def test_a_calendar_without_hours_stops_only_its_own(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    """As a shell or a restore may leave one; more of them than the database may fail in a row."""
    empty = Calendar.objects.create(name="Empty")
    User.objects.filter(pk=cast.femke.pk).update(calendar=empty)
    astray = {
        str(factories.make_handoff("assigned", cast.jonas).pk) for _ in range(sweeping.MOST_FAILURES + 1)
    }
    Handoff.objects.update(assignee=cast.femke)
    sound = factories.make_handoff("assigned", cast.jonas, at=NOW + timedelta(minutes=1))
    with caplog.at_level(logging.ERROR):
        fired = sweep(NOW + 2 * HOUR)
    assert {item["handoff"] for item in fired if "error" in item} == astray
    assert {item["handoff"] for item in fired if "step" in item} == {str(sound.pk)}
    assert "(Empty) has no hours" in caplog.text


def test_what_fails_in_the_sweep_keeps_nothing_from_being_repaired(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    handoff = factories.make_handoff("assigned", cast.femke)
    User.objects.filter(pk=cast.femke.pk).update(is_active=False)

    def fail(*args: Any, **kwargs: Any) -> None:
        raise Error("gone")

    monkeypatch.setattr(escalation, "sweep", fail)
    with pytest.raises(Error, match="gone"):
        tasks.sweep()
    handoff.refresh_from_db()
    assert handoff.assignee != cast.femke


def test_failures_without_end_are_raised(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "MOST_FAILURES", 3)
    for _ in range(5):
        factories.make_handoff("assigned", cast.femke)
    tried: list[int] = []

    def fire(self: lifecycle.Round, handoff_id: int) -> list[dict[str, Any]] | None:
        tried.append(handoff_id)
        raise Error("the database is gone")

    monkeypatch.setattr(lifecycle.Round, "fire", fire)
    with pytest.raises(Error, match="gone"):
        sweep(NOW + HOUR)
    assert len(tried) == 3


def test_follow_ups_of_rejections_are_swept(cast: Cast) -> None:
    handoff = factories.make_handoff("assigned", cast.femke)
    act = lifecycle.Act(NOW, cast.femke)
    lifecycle.reject(handoff.pk, act, reason="competitor", undoable=True)
    assert sweep(NOW + timedelta(seconds=9)) == []
    assert steps(sweep(NOW + timedelta(seconds=10))) == ["follow_up"]
    handoff.lead.refresh_from_db()
    assert handoff.lead.suppressed_reason == "competitor"
    assert sweep(NOW + HOUR) == []


def test_the_end_of_a_deferral_is_swept(cast: Cast) -> None:
    handoff = factories.make_handoff("deferred", cast.femke)
    fired = sweep(NOW + timedelta(days=7))
    assert steps(fired)[0] == "resume" and fired[0]["told"] == [cast.femke.email]
    handoff.refresh_from_db()
    assert handoff.state == "assigned" and handoff.assignee == cast.femke


# Repair


def test_work_of_the_inactive_is_moved_on(cast: Cast) -> None:
    assigned = factories.make_handoff("assigned", cast.femke)
    accepted = factories.make_handoff("accepted", cast.femke)
    working = factories.make_handoff("working", cast.femke)
    factories.route_to(cast.femke, cast.jonas)
    User.objects.filter(pk=cast.femke.pk).update(is_active=False)
    assert [v.code for v in invariants.violations()] == ["accountable"] * 3

    later = NOW + HOUR
    assert repair(later) == [{"user": cast.femke.email, "why": "inactive", "moved": 3}]
    for handoff in (assigned, accepted, working):
        handoff.refresh_from_db()
    assert assigned.assignee == cast.jonas and assigned.state == "assigned"
    assert accepted.assignee == cast.mia and working.assignee == cast.mia
    event = accepted.events.get(kind=EventKind.REPAIRED)
    assert event.data["why"] == "inactive" and event.user is None
    assert list(invariants.violations()) == []
    assert repair(later) == []


def test_what_nobody_can_take_ends_in_the_overflow_queue(cast: Cast) -> None:
    handoff = factories.make_handoff("assigned", cast.femke)
    User.objects.filter(pk=cast.femke.pk).update(is_active=False)
    repair(NOW + HOUR)
    handoff.refresh_from_db()
    assert handoff.state == "queued" and handoff.queue.kind == "overflow"
    assert not Turn.objects.filter(released_at__isnull=True).exists()
    assert list(invariants.violations()) == []


def test_quiet_work_alone_calls_for_no_repair(cast: Cast) -> None:
    factories.make_handoff("assigned", cast.femke, is_quiet=True)
    User.objects.filter(pk=cast.femke.pk).update(is_active=False)
    assert repair(NOW) == []


def test_who_goes_on_leave_keeps_only_what_waits_for_the_lead(cast: Cast) -> None:
    held = {
        state: factories.make_handoff(state, cast.femke)
        for state in ("assigned", "accepted", "deferred", "working")
    }
    factories.route_to(cast.femke, cast.jonas)
    Absence.objects.create(
        user=cast.femke, cover=cast.nils, starts_at=NOW + HOUR, ends_at=NOW + timedelta(days=3)
    )
    assert repair(NOW + HOUR - MINUTE) == []
    assert repair(NOW + HOUR) == [{"user": cast.femke.email, "why": "away", "moved": 2}]
    holders = {state: Handoff.objects.get(pk=row.pk).assignee for state, row in held.items()}
    assert holders == {
        "assigned": cast.nils, "accepted": cast.nils, "deferred": cast.femke, "working": cast.femke,
    }  # fmt: skip
    assert held["accepted"].events.get(kind=EventKind.REPAIRED).data["why"] == "away"
    assert repair(NOW + HOUR) == [] and list(invariants.violations()) == []


def test_let_go_moves_what_a_change_by_hand_leaves_behind(cast: Cast) -> None:
    act = lifecycle.Act(NOW + HOUR, cast.ada)
    handoff = factories.make_handoff("assigned", cast.femke)
    assert escalation.let_go(cast.femke, act) == 0
    cast.femke.groups.clear()
    assert escalation.let_go(cast.femke, act) == 1
    event = handoff.events.get(kind=EventKind.REPAIRED)
    assert event.data["why"] == "no longer in sales" and event.user == cast.ada


def test_nothing_to_repair_costs_five_queries(cast: Cast, django_assert_num_queries: Any) -> None:
    factories.make_handoff("assigned", cast.femke)
    with django_assert_num_queries(5):
        assert repair(NOW) == []


def test_who_lost_the_role_unseen_loses_everything(cast: Cast) -> None:
    assigned, accepted = (factories.make_handoff(s, cast.femke) for s in ("assigned", "accepted"))
    factories.route_to(cast.femke, cast.jonas)
    cast.femke.groups.clear()
    assert repair(NOW + HOUR) == [{"user": cast.femke.email, "why": "no longer in sales", "moved": 2}]
    holders = [Handoff.objects.get(pk=row.pk).assignee for row in (assigned, accepted)]
    assert holders == [cast.jonas, cast.mia]
    assert repair(NOW + HOUR) == [] and list(invariants.violations()) == []


def test_a_member_of_a_queue_keeps_what_they_claimed(cast: Cast) -> None:
    handoff = factories.make_handoff("queued")
    handoff.queue.members.add(cast.otto)
    lifecycle.claim(handoff.pk, lifecycle.Act(NOW + MINUTE, cast.otto))
    assert repair(NOW + HOUR) == []


def test_all_reps_away_and_back(cast: Cast) -> None:
    factories.route_to(cast.femke, cast.jonas)
    held = [factories.open_handoff(at=NOW + n * MINUTE) for n in range(4)]
    ends = NOW + timedelta(days=2)
    for user in (cast.femke, cast.jonas):
        Absence.objects.create(user=user, starts_at=NOW + HOUR, ends_at=ends)
    assert [item["moved"] for item in repair(NOW + HOUR)] == [2, 2]
    came = factories.open_handoff(at=NOW + 2 * HOUR)
    rows = Handoff.objects.order_by("mql_at")
    assert [row.queue.slug for row in rows if row.queue] == ["overflow"] * 5
    assert list(invariants.violations()) == []
    assert lifecycle.drain(ends) == 5
    back = Counter(row.assignee for row in rows.all())
    assert {back[cast.femke], back[cast.jonas]} == {2, 3}
    assert {row.pk for row in rows} == {came.pk, *(row.pk for row in held)}
    assert list(invariants.violations()) == []


# A queue whose owner left


def test_a_queue_whose_owner_left_goes_to_their_manager_who_is_told(
    cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    queue = Queue.objects.create(slug="dach", name="DACH inbound", owner=cast.femke)
    User.objects.filter(pk=cast.femke.pk).update(is_active=False)
    assert [str(v) for v in invariants.violations()] == [
        f"queue: queue dach: its owner {cast.femke.email} is inactive"
    ]
    with caplog.at_level(logging.WARNING):
        assert repair(NOW) == [
            {"queue": "dach", "user": cast.femke.email, "why": "inactive", "to": cast.mia.email}
        ]
    queue.refresh_from_db()
    assert (queue.owner, queue.revision) == (cast.mia, 2)
    assert queue.history.first().history_change_reason == f"{cast.femke.email}, who owned it, is inactive"
    assert f"queue dach was given to user {cast.mia.pk}" in caplog.text
    told = Notification.objects.get()
    words = notifications.words(told)
    assert (told.user, told.kind, told.mail, told.handoff) == (cast.mia, "queue_given", "pending", None)
    assert words.subject == "Your queue now: DACH inbound" and "given to you" in words.text
    assert list(invariants.violations()) == [] and repair(NOW) == []


@pytest.mark.parametrize(
    ("change", "heir"),
    [("manager away, covered", "nils"), ("no team, covered", "rosa"), ("no team", "ada"), ("manager", "ada")],
)
def test_who_inherits_a_queue(cast: Cast, change: str, heir: str) -> None:
    owner = cast.mia if change == "manager" else cast.femke
    Queue.objects.create(slug="dach", name="DACH", owner=owner)
    span = {"starts_at": NOW, "ends_at": NOW + HOUR}
    if change == "manager away, covered":
        Absence.objects.create(user=cast.mia, cover=cast.nils, **span)
    elif change.startswith("no team"):
        User.objects.filter(pk=owner.pk).update(team=None)
        if change.endswith("covered"):
            Absence.objects.create(user=owner, cover=cast.rosa, **span)
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert [item["to"] for item in repair(NOW)] == [getattr(cast, heir).email]


def test_without_anybody_to_take_it_the_queue_is_named(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    User.objects.update(is_active=False)
    with caplog.at_level(logging.ERROR):
        assert repair(NOW) == []
    assert "queue overflow has no owner who can answer" in caplog.text
    assert {v.code for v in invariants.violations()} == {"queue"}


def test_work_moves_on_to_a_queue_that_has_an_owner_again(cast: Cast) -> None:
    """The one who left held the only lead and owned the queue it falls into."""
    handoff = factories.make_handoff("assigned", cast.femke)
    Queue.objects.filter(kind="overflow").update(owner=cast.femke)
    User.objects.filter(pk=cast.femke.pk).update(is_active=False)
    first, second = repair(NOW + HOUR)
    assert (first["to"], second["moved"]) == (cast.mia.email, 1)
    told = Notification.objects.filter(handoff=handoff, kind="queued").get()
    assert told.user == cast.mia and list(invariants.violations()) == []


# Command and tasks


def test_the_command_prints_what_fired_as_json(cast: Cast) -> None:
    handoff = factories.make_handoff("assigned", cast.femke)
    out = StringIO()
    call_command("sweep", "--now", "2026-03-10T11:00:00Z", stdout=out)
    printed = json.loads(out.getvalue())
    assert [(item["handoff"], item["step"]) for item in printed] == [
        (str(handoff.pk), "accept_50"),
        (str(handoff.pk), "contact_breach"),
    ]
    assert set(printed[0]) == {"handoff", "step", "due_at", "fired_at", "told", "late"}
    out = StringIO()
    call_command("sweep", "--now", "2026-03-10T12:00:00+01:00", stdout=out)
    assert json.loads(out.getvalue()) == []


def test_the_command_repairs_too(cast: Cast) -> None:
    factories.make_handoff("assigned", cast.femke)
    User.objects.filter(pk=cast.femke.pk).update(is_active=False)
    out, err = StringIO(), StringIO()
    call_command("sweep", "--now", "2026-03-10T10:01:00", stdout=out, stderr=err)
    assert json.loads(out.getvalue()) == []
    assert f"moved on 1 handoffs of {cast.femke.email}, who is inactive" in err.getvalue()


def test_the_command_gives_on_queues_and_drains_too(cast: Cast) -> None:
    factories.route_to(cast.femke)
    away = Absence.objects.create(user=cast.femke, starts_at=NOW - HOUR, ends_at=NOW + HOUR)
    waiting = factories.open_handoff()
    Queue.objects.create(slug="dach", name="DACH", owner=cast.jonas)
    User.objects.filter(pk=cast.jonas.pk).update(is_active=False)
    err = StringIO()
    call_command("sweep", "--now", away.ends_at.isoformat(), stdout=StringIO(), stderr=err)
    assert f"gave queue dach of {cast.jonas.email}, who is inactive, to {cast.mia.email}" in err.getvalue()
    assert "gave 1 waiting handoffs to people with a free place" in err.getvalue()
    waiting.refresh_from_db()
    assert waiting.assignee == cast.femke


@pytest.mark.parametrize("text", ["yesterday", "2026-02-30T10:00:00Z", "noon", ""])
def test_the_command_refuses_other_times(db: None, text: str) -> None:
    with pytest.raises(CommandError, match="is no time"):
        call_command("sweep", "--now", text)


def test_the_command_fails_when_a_handoff_failed(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    handoff = factories.make_handoff("assigned", cast.femke)

    def fire(self: lifecycle.Round, handoff_id: int) -> list[dict[str, Any]] | None:
        raise ValueError("bent")

    monkeypatch.setattr(lifecycle.Round, "fire", fire)
    out, err = StringIO(), StringIO()
    with pytest.raises(CommandError, match="1 handoffs failed"):
        call_command("sweep", "--now", "2026-03-11T10:00:00Z", stdout=out, stderr=err)
    assert json.loads(out.getvalue()) == []
    assert f"handoff {handoff.pk}: ValueError: bent" in err.getvalue()


def test_tasks_take_the_moment_themselves_and_may_run_twice(cast: Cast) -> None:
    factories.make_handoff("assigned", cast.femke, at=timezone.now() - timedelta(days=30))
    assert tasks.sweep() > 0 and tasks.sweep() == 0
    due = Notification.objects.filter(mail="pending")
    due.update(mail_after=timezone.now() - MINUTE)
    count = due.count()
    assert tasks.deliver_mail() == count > 0 and tasks.deliver_mail() == 0
    assert tasks.enrich() == 0


def test_pruning_deletes_only_what_nobody_needs(cast: Cast) -> None:
    now = timezone.now()
    key, _ = keys.make_key("k", ["act"], now)
    for number, days in enumerate((1, 6, 8, 30)):
        RememberedAnswer.objects.create(
            api_key=key, idempotency_key=str(number), request_digest="", status=200, answer={},
            at=now - timedelta(days=days),
        )  # fmt: skip
    handoff = factories.make_handoff("assigned", cast.femke, at=now - timedelta(days=200))
    Notification.objects.all().delete()
    for read_at, state in (
        (None, "sent"),
        (now - timedelta(days=89), "sent"),
        (now - timedelta(days=91), "sent"),
    ):
        Notification.objects.create(
            user=cast.femke, handoff=handoff, kind="assigned", created_at=handoff.mql_at, read_at=read_at,
            mail="sent",
        )  # fmt: skip
    for days in (29, 31):
        used_at = now - timedelta(days=days)
        UsedLink.objects.create(digest=str(days), handoff=handoff, user=cast.femke, used_at=used_at)
    Session.objects.create(session_key="old", session_data="", expire_date=now - MINUTE)
    Session.objects.create(session_key="new", session_data="", expire_date=now + HOUR)
    for days in (29, 31):
        AccessAttempt.objects.create(username=str(days), failures_since_start=1)
        AccessAttempt.objects.filter(username=str(days)).update(attempt_time=now - timedelta(days=days))
    assert tasks.prune() == 6 and tasks.prune() == 0
    assert UsedLink.objects.get().digest == "29"
    assert AccessAttempt.objects.get().username == "29"
    assert sorted(RememberedAnswer.objects.values_list("idempotency_key", flat=True)) == ["0", "1"]
    assert Notification.objects.count() == 2
    assert [session.session_key for session in Session.objects.all()] == ["new"]


@pytest.mark.storm
@pytest.mark.django_db(transaction=True)
def test_four_sweeps_at_once_fire_each_step_once(cast: Cast) -> None:
    for _ in range(6):
        factories.make_handoff("assigned", cast.femke)
    at = NOW + timedelta(days=2)

    def work() -> list[dict[str, Any]]:
        try:
            return sweep(at)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        fired = [item for future in [pool.submit(work) for _ in range(4)] for item in future.result()]
    keys_ = [(item["handoff"], item["step"]) for item in fired]
    assert len(keys_) == len(set(keys_)) == FiredStep.objects.count() == 6 * 7
    assert list(invariants.violations()) == []


@pytest.mark.storm
@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_take_a_lead_away_once(cast: Cast) -> None:
    row = SlaPolicy.objects.get(slug="standard")
    taken = sla.Step("taken", "acceptance", 100, None, ("manager",), "reassign")
    steps_ = [*row.policy().steps, taken]
    policies.revise("standard", policies.targets_of(row.policy()), steps_, cast.otto, NOW, "Reassign")
    factories.route_to(cast.femke, cast.jonas)
    first = dict(_holders([factories.open_handoff() for _ in range(6)]))
    at = NOW + 2 * HOUR

    def work(_: int) -> list[dict[str, Any]]:
        try:
            return sweep(at)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        fired = [item for some in pool.map(work, range(2)) for item in some]
    assert Counter(item["step"] for item in fired)["taken"] == 6
    assert len(fired) == len({(item["handoff"], item["step"]) for item in fired}) == FiredStep.objects.count()
    held = dict(_holders(Handoff.objects.all()))
    assert all(held[pk] not in (None, holder) for pk, holder in first.items())
    assert set(Handoff.objects.values_list("window", flat=True)) == {2}
    assert Turn.objects.filter(released_at__isnull=True).count() == 6
    assert list(invariants.violations()) == []


def _holders(handoffs: Iterable[Handoff]) -> list[tuple[int, int | None]]:
    return [(handoff.pk, handoff.assignee_id) for handoff in handoffs]


def test_a_sweep_whose_time_is_up_begins_no_further_handoff(cast: Cast) -> None:
    factories.make_handoff("assigned", cast.femke)
    later = NOW + timedelta(hours=30)
    assert sweep(later, seconds=0) == []
    assert sweep(later, seconds=60) != []
