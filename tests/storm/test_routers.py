"""Many routers at once: no cap is exceeded, no work has two turns, and of two claims one wins.

Threads against one database. PostgreSQL lets fifty route at once; SQLite lets one write at a time, so a few
are enough there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction

from leads import cases, lifecycle
from leads.intake import receive
from leads.lifecycle import Act, Refused
from leads.models import Event, Handoff
from routing.engine import Target
from routing.models import Pool, PoolMember, Queue, Turn, User
from routing.rotation import Desk
from tests.acting import assert_sound
from tests.conftest import NOW, Cast
from tests.factories import event, make_handoff, route_to
from tests.storm.test_storm import run_threads

pytestmark = [pytest.mark.storm, pytest.mark.django_db(transaction=True)]


def many() -> int:
    return 50 if connection.vendor == "postgresql" else 8


def pool(*people: User, **caps: int) -> Pool:
    made = Pool.objects.create(slug=f"pool-{Pool.objects.count()}", name="Pool", **caps)
    PoolMember.objects.bulk_create(PoolMember(pool=made, user=user) for user in people)
    return made


def router(targets: Callable[[int], list[Target]], works: int) -> Callable[[int], None]:
    """A thread that seats so many works, each in a transaction of its own."""

    def route(number: int) -> None:
        for work in range(works):
            wanted = targets(number + work)
            with transaction.atomic():
                desk = Desk(wanted, NOW)
                seating = desk.seat(wanted)
                if seating.turn is not None:
                    seating.turn.ref = f"work:{number}:{work}"
                desk.save()

    return route


def assert_ledger_sound() -> None:
    refs = Counter(Turn.objects.filter(released_at=None).values_list("ref", flat=True))
    assert set(refs.values()) <= {1}
    taken = Counter(Turn.objects.filter(pool__isnull=False).values_list("pool_id", "user_id"))
    for seat in PoolMember.objects.all():
        assert seat.taken == taken[seat.pool_id, seat.user_id]
    for made in Pool.objects.all():
        # Every turn brought shares that sum to one.
        assert sum(seat.accrued for seat in made.seats.all()) == made.turns.count()


def test_a_cap_on_open_work_holds(cast: Cast) -> None:
    team = pool(cast.femke, cast.jonas, cast.rosa, cap_open=7)
    run_threads(many(), router(lambda _: [Target("pool", str(team.pk), "rule")], 3))
    held = Counter(Turn.objects.filter(released_at=None).values_list("user_id", flat=True))
    assert held == {cast.femke.pk: 7, cast.jonas.pk: 7, cast.rosa.pk: 7}
    assert_ledger_sound()


def test_a_cap_on_the_day_holds_across_pools_and_releases(cast: Cast) -> None:
    """Two pools in either order, people by name in between: nobody waits for anybody in a circle."""
    first = pool(cast.femke, cast.jonas, cast.mia, cap_day=5)
    second = pool(cast.rosa, cast.jonas, cast.femke, cap_day=5)
    one, other = (Target("pool", str(made.pk), "rule") for made in (first, second))
    name = Target("rep", str(cast.nils.pk), "fallback")

    def wanted(number: int) -> list[Target]:
        return [one, other] if number % 2 else [other, one, name]

    Turn.objects.bulk_create(
        Turn(user=cast.femke, ref=f"done:{n}", taken_at=NOW - timedelta(hours=1), released_at=NOW)
        for n in range(3)
    )
    run_threads(many(), router(wanted, 4))
    today = Counter(Turn.objects.exclude(pool=None).values_list("user_id", flat=True))
    # Three of Femke's five were taken before, and are over.
    assert today == {cast.femke.pk: 2, cast.jonas.pk: 5, cast.mia.pk: 5, cast.rosa.pk: 5}
    assert_ledger_sound()


def test_routers_shares_stay_fair(cast: Cast) -> None:
    team = pool(cast.femke, cast.jonas, cast.rosa)
    PoolMember.objects.filter(user=cast.jonas).update(weight=3)
    run_threads(many(), router(lambda _: [Target("pool", str(team.pk), "rule")], 5))
    total = many() * 5
    taken = Counter(Turn.objects.values_list("user_id", flat=True))
    assert abs(taken[cast.jonas.pk] - total * 3 / 5) < 1
    assert abs(taken[cast.femke.pk] - total / 5) < 1 and abs(taken[cast.rosa.pk] - total / 5) < 1
    assert_ledger_sound()


def test_intake_rejections_and_draining_at_once_exceed_no_cap(cast: Cast) -> None:
    """Leads come in, are rejected, and what waits moves up, all at the same time."""
    reps = {user.pk: user for user in (cast.femke, cast.jonas, cast.rosa)}
    route_to(*reps.values(), cap=3)
    over: list[int] = []

    def work(number: int) -> None:
        receive([event(), event()], None, NOW)
        mine = Handoff.objects.filter(state="assigned").order_by("?").first()
        if mine is not None and number % 2:
            try:
                reason = "out_of_territory" if number % 4 == 1 else "not_icp"
                lifecycle.reject(mine.pk, Act(NOW, reps.get(mine.assignee_id)), reason=reason)
            except Refused:
                pass
        else:
            lifecycle.drain(NOW, limit=5)
        counts = Counter(Turn.objects.filter(released_at=None, pool__isnull=False).values_list("user_id"))
        over.extend(n for n in counts.values() if n > 3)

    run_threads(many() // 2, work)
    assert over == []
    assert_sound()
    while lifecycle.drain(NOW):
        pass
    # Whoever still has a place has said no to everything that waits.
    free = {pk for pk in reps if Turn.objects.filter(released_at=None, user=pk).count() < 3}
    waiting = Handoff.objects.filter(state="queued").select_related("lead__company")
    assert all(free <= set(case.rejected_by) for case in cases.load(waiting))
    assert Event.objects.filter(kind="rejected").exists()


def test_of_two_claims_one_wins_and_the_others_are_told_who(cast: Cast) -> None:
    handoff = make_handoff("queued", queue=Queue.objects.get(kind="overflow"))
    reps = [cast.femke, cast.jonas, cast.rosa]
    won: list[User] = []
    told: list[Refused] = []

    def claim(number: int) -> None:
        try:
            won.append(lifecycle.claim(handoff.pk, Act(NOW, reps[number])).assignee)
        except Refused as error:
            told.append(error)

    run_threads(3, claim)
    handoff.refresh_from_db()
    assert won == [handoff.assignee] and len(told) == 2
    for error in told:
        assert (error.code, error.state, error.by, error.at) == ("not_allowed", "assigned", won[0].email, NOW)
        assert error.message == f"Cannot claim: claimed by {won[0].email} at 2026-03-10 10:00 UTC."
    assert Event.objects.filter(handoff=handoff, kind="claimed").count() == 1
    assert list(Turn.objects.filter(released_at=None).values_list("user_id", flat=True)) == [won[0].pk]


def test_one_waiting_handoff_is_given_once(cast: Cast) -> None:
    route_to(cast.femke, cast.jonas)
    PoolMember.objects.update(is_active=False)
    receive([event() for _ in range(6)], None, NOW)
    PoolMember.objects.update(is_active=True)
    given: list[int] = []
    run_threads(6, lambda _: given.append(lifecycle.drain(NOW)))
    assert sum(given) == 6 == Turn.objects.filter(released_at=None).count()
    drained = Event.objects.filter(kind="assigned", data__drained=True)
    assert Counter(drained.values_list("handoff_id", flat=True)) == dict.fromkeys(
        Handoff.objects.values_list("pk", flat=True), 1
    )
    assert_sound()
