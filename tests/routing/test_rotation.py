"""Who gets it: the walk over targets, caps, absences, the ledger of turns. The quota itself is test_quota."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from routing import rotation
from routing.engine import Target
from routing.models import Pool, PoolMember, Queue, Turn, User
from routing.rotation import Desk
from tests.conftest import NOW


def at(**span):
    return NOW + timedelta(**span)


def pool(*people, **fields):
    made = Pool.objects.create(slug=f"pool-{Pool.objects.count()}", name="Pool", **fields)
    for person in people:
        user, weight = person if isinstance(person, tuple) else (person, 1)
        PoolMember.objects.create(pool=made, user=user, weight=weight)
    return made


def to(kind, target, why="rule"):
    return Target(kind, str(getattr(target, "pk", target)), why)


def seat(*targets, excluded=(), now=NOW, ref=None):
    """One work through a desk of its own."""
    with transaction.atomic():
        desk = Desk(targets, now)
        seating = desk.seat(targets, frozenset(excluded))
        if seating.turn is not None:
            seating.turn.ref = ref or f"work:{Turn.objects.count()}"
        desk.save()
    return seating


def seats(of):
    return {row.user.name.split()[0]: (row.taken, row.accrued) for row in of.seats.select_related("user")}


def test_turns_go_round(cast):
    team = pool(cast.femke, cast.jonas, cast.rosa)
    order = [seat(to("pool", team)).user.name.split()[0] for _ in range(6)]
    assert Counter(order[:3]) == Counter(order[3:]) == {"Femke": 1, "Jonas": 1, "Rosa": 1}
    assert seats(team) == dict.fromkeys(("Femke", "Jonas", "Rosa"), (2, Decimal(2)))
    assert Turn.objects.filter(pool=team, released_at=None).count() == 6


def test_weights(cast):
    team = pool((cast.femke, 3), cast.jonas)
    counts = Counter(seat(to("pool", team)).user.name for _ in range(40))
    assert counts == {"Femke de Boer": 30, "Jonas Keller": 10}


def test_what_was_looked_at_is_kept(cast):
    team = pool(cast.femke, cast.jonas, cast.rosa, cast.mia, cap_open=1)
    User.objects.filter(pk=cast.femke.pk).update(is_active=False)
    cast.jonas.absences.create(starts_at=NOW, ends_at=at(seconds=1))
    rotation.take(cast.rosa, "elsewhere", NOW)
    PoolMember.objects.filter(user=cast.mia).update(is_active=False)
    overflow = Queue.objects.get(kind="overflow")
    seating = seat(to("pool", team), to("queue", overflow, "overflow"))
    assert (seating.outcome, seating.why, seating.queue, seating.turn) == (
        "queue",
        "overflow",
        overflow,
        None,
    )
    assert seating.candidates == [
        {"user": cast.femke.pk, "skipped": "inactive"},
        {"user": cast.jonas.pk, "skipped": "away"},
        {"user": cast.rosa.pk, "skipped": "holds 1 of 1"},
        {"user": cast.mia.pk, "skipped": "not in rotation"},
        {"queue": "overflow", "took": "overflow"},
    ]
    # Nobody accrues anything by a turn that nobody took.
    assert seats(team) == dict.fromkeys(("Femke", "Jonas", "Rosa", "Mia"), (0, Decimal(0)))
    # Back from the absence.
    assert seat(to("pool", team), now=at(seconds=1)).user == cast.jonas


def test_nobody_at_all_says_why(cast):
    empty = pool()
    seating = seat(to("pool", empty), to("rep", cast.femke), excluded=[cast.femke.pk])
    assert (seating.outcome, seating.candidates) == (
        "nobody",
        [{"pool": empty.pk, "skipped": "no members"}, {"user": cast.femke.pk, "skipped": "had it before"}],
    )


def test_what_is_gone_is_passed_over(cast):
    seating = seat(to("rep", 4711), to("queue", 4711), to("pool", 4711), to("rep", cast.femke, "fallback"))
    assert (seating.user, seating.why) == (cast.femke, "fallback")
    assert [candidate.get("skipped") for candidate in seating.candidates] == [
        "gone",
        "gone",
        "no members",
        None,
    ]


@pytest.mark.parametrize("kind", ["rep", "account_owner", "territory_owner"])
def test_somebody_by_name(cast, kind):
    seating = seat(to(kind, cast.femke, "account"), to("rep", cast.jonas))
    assert (seating.outcome, seating.user, seating.pool_id, seating.why) == (
        "rep",
        cast.femke,
        None,
        "account",
    )
    turn = Turn.objects.get()
    assert (turn.user, turn.pool, turn.shares, turn.taken_at) == (cast.femke, None, {}, NOW)


@pytest.mark.parametrize("how", ["inactive", "away", "not in sales", "had it before"])
def test_the_next_target_when_the_person_cannot(cast, how):
    excluded = []
    if how == "inactive":
        User.objects.filter(pk=cast.femke.pk).update(is_active=False)
    elif how == "away":
        cast.femke.absences.create(starts_at=at(days=-1), ends_at=at(days=1))
    elif how == "not in sales":
        cast.femke.groups.set(Group.objects.filter(name="viewer"))
    else:
        excluded = [cast.femke.pk]
    seating = seat(to("rep", cast.femke), to("rep", cast.jonas, "fallback"), excluded=excluded)
    assert (seating.user, seating.why) == (cast.jonas, "fallback")
    assert seating.candidates[0] == {"user": cast.femke.pk, "skipped": how}
    user = User.objects.get(pk=cast.femke.pk)
    assert rotation.can_take(user, NOW) is (how == "had it before")


def test_a_cap_is_the_pools_or_the_seats_own(cast):
    team = pool(cast.femke, cast.jonas, cap_open=1)
    PoolMember.objects.filter(user=cast.jonas).update(cap_open=2)
    took = [seat(to("pool", team)) for _ in range(4)]
    assert Counter(s.user.name if s.user else "nobody" for s in took) == {
        "Femke de Boer": 1,
        "Jonas Keller": 2,
        "nobody": 1,
    }
    rotation.release(took[0].turn.ref, at(hours=1))
    assert seat(to("pool", team)).user == took[0].user


def test_a_cap_of_zero_is_a_cap(cast):
    team = pool(cast.femke, cap_open=0)
    assert seat(to("pool", team)).candidates == [{"user": cast.femke.pk, "skipped": "holds 0 of 0"}]


def test_the_load_of_all_pools_counts(cast):
    one, other = pool(cast.femke, cap_open=1), pool(cast.femke, cap_open=1)
    assert seat(to("pool", one)).outcome == "rep"
    assert seat(to("pool", other)).outcome == "nobody"


def test_the_least_loaded(cast):
    team = pool((cast.femke, 2), cast.jonas, method=Pool.Method.LEAST_OPEN)
    took = Counter(seat(to("pool", team)).user.name for _ in range(6))
    # Twice the weight, twice the load.
    assert took == {"Femke de Boer": 4, "Jonas Keller": 2}
    rotation.release(Turn.objects.filter(user=cast.jonas).first().ref, NOW)
    assert seat(to("pool", team)).user == cast.jonas


def test_a_quota_is_frozen_while_somebody_is_away_and_not_owed(cast):
    team = pool(cast.femke, cast.jonas)
    cast.femke.absences.create(starts_at=NOW, ends_at=at(days=1))
    for _ in range(10):
        assert seat(to("pool", team)).user == cast.jonas
    assert seats(team) == {"Femke": (0, Decimal(0)), "Jonas": (10, Decimal(10))}
    back = Counter(seat(to("pool", team), now=at(days=2)).user.name for _ in range(10))
    assert back == {"Femke de Boer": 5, "Jonas Keller": 5}


def test_a_new_member_starts_level(cast):
    team = pool(cast.femke, cast.jonas)
    for _ in range(10):
        seat(to("pool", team))
    PoolMember.objects.create(pool=team, user=cast.rosa)
    counts = Counter(seat(to("pool", team)).user.name for _ in range(9))
    assert counts == {"Femke de Boer": 3, "Jonas Keller": 3, "Rosa Lindqvist": 3}


def test_one_desk_for_many_works(cast):
    team = pool(cast.femke, cast.jonas, cap_open=2)
    targets = (to("pool", team), to("queue", Queue.objects.get(kind="overflow"), "overflow"))
    costs = []
    for count in (3, 30):
        Turn.objects.all().delete()
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            desk = Desk(targets, NOW)
            found = [desk.seat(targets) for _ in range(count)]
            for number, seating in enumerate(found):
                if seating.turn:
                    seating.turn.ref = f"work:{count}:{number}"
            desk.save()
        costs.append(len(queries))
        assert Counter(s.outcome for s in found) == Counter(rep=min(count, 4), queue=count - min(count, 4))
    assert costs == [7, 7]


# The ledger


def test_a_turn_given_back_never_was(cast):
    team = pool((cast.femke, 3), cast.jonas, cast.rosa)
    seat(to("pool", team))
    before = seats(team)
    ref = seat(to("pool", team)).turn.ref
    turn = rotation.release(ref, at(hours=1))
    rotation.give_back(turn, at(hours=1))
    rotation.give_back(turn, at(hours=2))
    assert seats(team) == before
    turn.refresh_from_db()
    assert (turn.released_at, turn.given_back_at) == (at(hours=1), at(hours=1))


def test_undone_it_is_taken_again(cast):
    team = pool(cast.femke, cast.jonas)
    seating = seat(to("pool", team), ref="work:1")
    before = seats(team)
    rotation.give_back(rotation.release("work:1", NOW), NOW)
    rotation.reopen("work:1", seating.user.pk)
    assert seats(team) == before
    turn = Turn.objects.get()
    assert (turn.released_at, turn.given_back_at) == (None, None)
    # Open already, or never had: nothing to do.
    rotation.reopen("work:1", seating.user.pk)
    rotation.reopen("work:1", cast.rosa.pk)
    rotation.reopen("work:2", seating.user.pk)
    assert (seats(team), Turn.objects.count()) == (before, 1)


def test_somebody_who_left_the_pool_and_came_back(cast):
    team = pool(cast.femke, cast.jonas)
    seating = seat(to("pool", team), ref="work:1")
    PoolMember.objects.filter(user=seating.user).delete()
    PoolMember.objects.create(pool=team, user=seating.user)
    rotation.give_back(rotation.release("work:1", NOW), NOW)
    assert PoolMember.objects.get(user=seating.user).taken == 0


def test_releasing(cast):
    assert rotation.release("work:1", NOW) is None
    turn = rotation.take(cast.femke, "work:1", NOW)
    assert rotation.release("work:1", at(hours=1)) == turn
    assert rotation.release("work:1", at(hours=2)) is None
    turn.refresh_from_db()
    assert turn.released_at == at(hours=1)


def test_one_open_turn_a_work(cast):
    rotation.take(cast.femke, "work:1", NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        rotation.take(cast.jonas, "work:1", NOW)
