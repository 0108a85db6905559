"""Many at once on one database: threads send, accept, reject, reassign and sweep, and nothing is lost.

A small storm for every run; the long ones are in tests/storm/long. What must hold afterwards is in
`leads.invariants`; here it is enough to count.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection

from leads import escalation, lifecycle
from leads.intake import receive
from leads.lifecycle import Act, Invalid, Refused
from leads.models import Event, FiredStep, Handoff, Lead, Receipt
from routing.models import Turn, User
from tests.acting import assert_sound
from tests.conftest import NOW
from tests.factories import event, route_to

pytestmark = [pytest.mark.storm, pytest.mark.django_db(transaction=True)]

THREADS, ROUNDS, PEOPLE = 8, 12, 25


def run_threads(count: int, work: Callable[[int], None]) -> None:
    """Run work(0..count-1) at once; the first exception of any thread is raised here."""
    errors: list[BaseException] = []
    start = threading.Barrier(count)

    def one(number: int) -> None:
        try:
            start.wait()
            work(number)
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]


def storm(thread: int, reps: list[User], manager: User, outcomes: Counter) -> None:
    dice = random.Random(thread)
    for round_ in range(ROUNDS):
        now = NOW + timedelta(minutes=round_ * 3)
        person = dice.randrange(PEOPLE)
        receive([event(person, at=now, id=f"storm-{thread}-{round_}-{n}") for n in range(2)], None, now)
        for pk in Handoff.objects.open().order_by("?").values_list("pk", flat=True)[:4]:
            handoff = Handoff.objects.get(pk=pk)
            act = Act(now, handoff.assignee or dice.choice(reps))
            move = dice.choice(["accept", "reject", "reassign", "contact", "note", "fire"])
            try:
                if move == "accept":
                    lifecycle.accept(pk, act)
                elif move == "reject":
                    reason = dice.choice(["not_icp", "bad_data", "out_of_territory", "timing"])
                    lifecycle.reject(pk, act, reason=reason, undoable=dice.random() < 0.3)
                elif move == "reassign":
                    lifecycle.reassign(pk, Act(now, manager), to=dice.choice(reps).email, reason="storm")
                elif move == "contact":
                    lifecycle.contact(pk, act, channel="phone", outcome="no_answer")
                elif move == "note":
                    lifecycle.note(pk, act, text="storm")
                else:
                    lifecycle.fire(pk, now + timedelta(hours=30))
                outcomes[move] += 1
            except Refused:
                outcomes["refused"] += 1
            except Invalid:
                outcomes["invalid"] += 1


def test_a_storm_leaves_everything_sound(cast):
    reps = [cast.femke, cast.jonas, cast.rosa]
    route_to(*reps, cap=6)
    outcomes: Counter = Counter()
    run_threads(THREADS, lambda number: storm(number, reps, cast.mia, outcomes))
    escalation.sweep(NOW + timedelta(days=3))
    assert_sound()
    assert Receipt.objects.count() == THREADS * ROUNDS * 2
    assert Lead.objects.count() <= PEOPLE
    assert Lead.objects.values("email_key").distinct().count() == Lead.objects.count()
    assert outcomes["accept"] and outcomes["reject"] and outcomes["reassign"], outcomes
    fired = FiredStep.objects.values_list("handoff_id", "code", "window")
    assert len(fired) == len(set(fired))


def test_fifty_requests_bring_the_same_new_person(cast):
    route_to(cast.femke)
    run_threads(10, lambda n: [receive([event(1, id=f"e-{n}-{i}")], None, NOW) for i in range(5)])
    assert (Lead.objects.count(), Handoff.objects.count(), Receipt.objects.count()) == (1, 1, 50)
    assert_sound()


def test_the_same_event_from_eight_threads_is_one_event(cast):
    route_to(cast.femke)
    answers: list[dict] = []
    run_threads(8, lambda n: answers.extend(receive([event(1)], None, NOW)))
    assert Counter(answer["status"] for answer in answers) == {"processed": 1, "duplicate": 7}
    assert len({answer["handoff"]["id"] for answer in answers}) == 1


def test_one_of_many_accepts_a_queued_handoff(cast):
    route_to()
    reps = [cast.femke, cast.jonas, cast.rosa]
    [answer] = receive([event()], None, NOW)
    pk = int(answer["handoff"]["id"])
    results: list[str] = []

    def accept(number: int) -> None:
        try:
            lifecycle.accept(pk, Act(NOW, reps[number % 3]))
            results.append("accepted")
        except Refused:
            results.append("refused")

    run_threads(3, accept)
    assert Counter(results) == {"accepted": 1, "refused": 2}
    assert Event.objects.filter(handoff=pk, kind="accepted").count() == 1
    assert Turn.objects.filter(released_at=None).count() == 1


def test_a_cap_holds_with_two_routers_at_once(cast):
    route_to(cast.femke, cast.jonas, cap=3)
    run_threads(6, lambda n: [receive([event()], None, NOW) for _ in range(3)])
    held = Counter(Turn.objects.filter(released_at=None).values_list("user__name", flat=True))
    assert set(held.values()) == {3} and len(held) == 2
    assert Handoff.objects.filter(state="queued").count() == 18 - 6
    assert_sound()


def test_eight_sweeps_fire_each_step_once(cast):
    route_to(cast.femke)
    receive([event() for _ in range(6)], None, NOW)
    fired: list[dict] = []
    run_threads(8, lambda n: fired.extend(escalation.sweep(NOW + timedelta(hours=30))))
    seen = Counter((step["handoff"], step["step"]) for step in fired if "step" in step)
    assert seen and set(seen.values()) == {1}, seen
    assert_sound()
