"""Who gets it: the walk over targets, caps, absences, the ledger of turns. The quota itself is test_quota."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from routing import rotation
from routing.engine import Target
from routing.models import Calendar, CalendarInterval, Pool, PoolMember, Queue, Team, Turn, User
from routing.rotation import Desk, capacity
from tests.acting import at
from tests.conftest import NOW


def pool(*people, **fields):
    made = Pool.objects.create(slug=f"pool-{Pool.objects.count()}", name="Pool", **fields)
    for person in people:
        user, weight = person if isinstance(person, tuple) else (person, 1)
        PoolMember.objects.create(pool=made, user=user, weight=weight)
    return made


def to(kind, target, why="rule"):
    return Target(kind, str(getattr(target, "pk", target)), why)


def seat(*targets, excluded=None, now=NOW, ref=None):
    """One work through a desk of its own."""
    with transaction.atomic():
        desk = Desk(targets, now)
        seating = desk.seat(targets, excluded or {})
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
        {"user": cast.femke.pk, "pool": team.pk, "skipped": "inactive"},
        {"user": cast.jonas.pk, "pool": team.pk, "skipped": "away"},
        {"user": cast.rosa.pk, "pool": team.pk, "skipped": "holds 1 of 1"},
        {"user": cast.mia.pk, "pool": team.pk, "skipped": "not in rotation"},
        {"queue": "overflow", "took": "overflow"},
    ]
    # Nobody accrues anything by a turn that nobody took.
    assert seats(team) == dict.fromkeys(("Femke", "Jonas", "Rosa", "Mia"), (0, Decimal(0)))
    # Back from the absence.
    back = seat(to("pool", team), now=at(seconds=1))
    assert (back.user, back.candidates[-1]) == (
        cast.jonas,
        {"user": cast.jonas.pk, "pool": team.pk, "took": "rule"},
    )


def test_nobody_at_all_says_why(cast):
    empty = pool()
    seating = seat(to("pool", empty), to("rep", cast.femke), excluded={cast.femke.pk: "changed team"})
    assert (seating.outcome, seating.candidates) == (
        "nobody",
        [{"pool": empty.pk, "skipped": "no members"}, {"user": cast.femke.pk, "skipped": "changed team"}],
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


@pytest.mark.parametrize("how", ["inactive", "away", "not in sales", "let it lapse"])
def test_the_next_target_when_the_person_cannot(cast, how):
    excluded = {}
    if how == "inactive":
        User.objects.filter(pk=cast.femke.pk).update(is_active=False)
    elif how == "away":
        cast.femke.absences.create(starts_at=at(days=-1), ends_at=at(days=1))
    elif how == "not in sales":
        cast.femke.groups.set(Group.objects.filter(name="viewer"))
    else:
        excluded = {cast.femke.pk: how}
    seating = seat(to("rep", cast.femke), to("rep", cast.jonas, "fallback"), excluded=excluded)
    assert (seating.user, seating.why) == (cast.jonas, "fallback")
    assert seating.candidates[0] == {"user": cast.femke.pk, "skipped": how}
    user = User.objects.get(pk=cast.femke.pk)
    assert rotation.can_take(user, NOW) is (how == "let it lapse")


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
    assert seat(to("pool", team)).candidates == [
        {"user": cast.femke.pk, "pool": team.pk, "skipped": "holds 0 of 0"}
    ]


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
    assert costs == [6, 6]


def test_turns_are_counted_only_where_a_cap_or_the_method_asks(cast):
    asked = {}
    for name, more in (("none", {}), ("cap", {"cap_open": 2}), ("least", {"method": Pool.Method.LEAST_OPEN})):
        team = pool(cast.femke, cast.jonas, **more)
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            Desk([to("pool", team)], NOW)
        asked[name] = len([one for one in queries if "COUNT(" in one["sql"]])
    assert asked == {"none": 0, "cap": 1, "least": 1}


# Caps on days and weeks


def caps(of, **fields):
    Pool.objects.filter(pk=of.pk).update(**fields)


def skipped(seating):
    return [candidate.get("skipped") for candidate in seating.candidates]


def taken(user, *moments, given_back=False, released=True):
    for moment in moments:
        Turn.objects.create(
            user=user,
            ref=f"old:{Turn.objects.count()}",
            taken_at=moment,
            released_at=moment if released else None,
            given_back_at=moment if given_back else None,
        )


def test_a_cap_on_the_day_counts_what_was_taken_today(cast):
    team = pool(cast.femke, cap_day=2)
    # NOW is 10:00 in UTC, where nobody says otherwise.
    taken(cast.femke, at(hours=-11), at(hours=-10))
    assert seat(to("pool", team)).user == cast.femke
    assert skipped(seat(to("pool", team))) == ["had 2 of 2 today"]
    tomorrow = at(hours=14)
    assert seat(to("pool", team), now=tomorrow - timedelta(microseconds=1)).outcome == "nobody"
    assert seat(to("pool", team), now=tomorrow).user == cast.femke


def test_a_cap_on_the_week_begins_on_monday(cast):
    team = pool(cast.femke, cap_week=3)
    # NOW is a Tuesday: Monday began 34 hours ago.
    taken(cast.femke, at(hours=-34, microseconds=-1), at(hours=-34), at(hours=-30))
    assert seat(to("pool", team)).user == cast.femke
    assert skipped(seat(to("pool", team))) == ["3 of 3 this week"]
    monday = at(days=6, hours=-10)
    assert seat(to("pool", team), now=monday - timedelta(microseconds=1)).outcome == "nobody"
    assert seat(to("pool", team), now=monday).user == cast.femke


def test_the_first_cap_that_is_reached_is_named(cast):
    team = pool(cast.femke, cap_open=1, cap_day=1, cap_week=1)
    taken(cast.femke, NOW, released=False)
    for words, lifted in (
        ("holds 1 of 1", "cap_open"),
        ("had 1 of 1 today", "cap_day"),
        ("1 of 1 this week", "cap_week"),
    ):
        assert skipped(seat(to("pool", team))) == [words]
        caps(team, **{lifted: None})
    assert seat(to("pool", team)).user == cast.femke


def test_a_lowered_cap_says_how_much_there_is(cast):
    team = pool(cast.femke, cap_open=1)
    taken(cast.femke, NOW, NOW, NOW, released=False)
    assert skipped(seat(to("pool", team))) == ["holds 3 of 1"]


def test_the_seats_own_cap_overrides_the_pools(cast):
    team = pool(cast.femke, cast.jonas, cap_day=1, cap_week=9)
    PoolMember.objects.filter(user=cast.jonas).update(cap_day=2, cap_week=1)
    taken(cast.femke, NOW)
    taken(cast.jonas, NOW)
    assert skipped(seat(to("pool", team))) == ["had 1 of 1 today", "1 of 1 this week"]
    PoolMember.objects.filter(user=cast.jonas).update(cap_week=None)
    assert seat(to("pool", team)).user == cast.jonas


def test_a_turn_given_back_is_not_counted_and_every_other_is(cast):
    one, other = pool(cast.femke, cap_day=2), pool(cast.femke)
    taken(cast.femke, NOW, NOW, NOW, given_back=True)
    assert seat(to("pool", other)).user == cast.femke
    rotation.release(Turn.objects.last().ref, NOW)
    # One through another pool, one by name; both count here.
    rotation.take(cast.femke, "by:name", NOW)
    assert skipped(seat(to("pool", one))) == ["had 2 of 2 today"]


@pytest.mark.parametrize("own", ["calendar", "time_zone", "team", "nothing"])
def test_whose_midnight_it_is(cast, own, settings):
    settings.ORG_TIME_ZONE = "Pacific/Auckland"
    tokyo = Calendar.objects.create(name="Tokyo", time_zone="Asia/Tokyo")
    if own == "team":
        cast.femke.team.calendar = tokyo
        cast.femke.team.save()
    elif own != "nothing":
        cast.femke.time_zone = "America/New_York"
        cast.femke.calendar = tokyo if own == "calendar" else None
        cast.femke.save()
    # Midnight in UTC: Tokyo is 9 hours ahead, New York 4 behind in March, Auckland 13 ahead.
    begins = at(hours=-10) - timedelta(hours={"calendar": 9, "team": 9, "time_zone": -4, "nothing": 13}[own])
    if begins + timedelta(days=1) <= NOW:
        begins += timedelta(days=1)
    team = pool(cast.femke, cap_day=1)
    taken(cast.femke, begins - timedelta(microseconds=1))
    assert seat(to("pool", team)).user == cast.femke
    Turn.objects.all().delete()
    taken(cast.femke, begins)
    assert skipped(seat(to("pool", team))) == ["had 1 of 1 today"]


def test_a_day_whose_midnight_does_not_exist(cast):
    cast.femke.time_zone = "America/Santiago"
    cast.femke.save()
    # On Sunday, 6 September 2026, the clocks in Santiago go from 24:00 to 01:00, at 04:00 UTC.
    begins = datetime(2026, 9, 6, 4, 0, tzinfo=UTC)
    assert capacity.began(cast.femke, begins)[0] == begins
    assert capacity.began(cast.femke, begins - timedelta(microseconds=1))[0] == begins - timedelta(days=1)


# Working hours


def calendar(zone="UTC", start=9, end=17, name=None):
    made = Calendar.objects.create(name=name or f"{zone} {start}-{end}", time_zone=zone)
    CalendarInterval.objects.bulk_create(
        CalendarInterval(calendar=made, weekday=day, start_minute=start * 60, end_minute=end * 60)
        for day in range(5)
    )
    return made


def works(user, *hours):
    user.calendar = calendar(*hours)
    user.save()


def test_outside_their_hours_members_are_passed_over_where_the_pool_says_so(cast):
    works(cast.femke, "America/New_York")
    works(cast.jonas)
    team = pool(cast.femke, cast.jonas)
    assert Counter(seat(to("pool", team)).user.name for _ in range(4)) == {
        "Femke de Boer": 2,
        "Jonas Keller": 2,
    }
    caps(team, in_hours_only=True)
    for _ in range(3):
        seating = seat(to("pool", team))
        assert (seating.user, skipped(seating)) == (cast.jonas, ["outside working hours", None])
    # 17:00 in UTC: Jonas has gone home, in New York it is 13:00.
    assert seat(to("pool", team), now=at(hours=7)).user == cast.femke
    assert skipped(seat(to("pool", team), now=at(days=4))) == ["outside working hours"] * 2


def test_the_teams_hours_and_then_the_default_ones_where_somebody_has_none(cast):
    team = pool(cast.femke, in_hours_only=True)
    Calendar.objects.filter(is_default=True).update(is_default=False)
    closed = calendar(start=20, end=21, name="late")
    Calendar.objects.filter(pk=closed.pk).update(is_default=True)
    assert skipped(seat(to("pool", team))) == ["outside working hours"]
    cast.femke.team.calendar = calendar()
    cast.femke.team.save()
    assert seat(to("pool", team)).user == cast.femke
    # Without any calendar everybody is always at work.
    Calendar.objects.filter(is_default=True).update(is_default=False)
    cast.femke.team.calendar = None
    cast.femke.team.save()
    assert seat(to("pool", team)).user == cast.femke


def test_the_earliest_reachable(cast):
    works(cast.femke, "UTC", 12, 18)
    works(cast.jonas, "UTC", 11, 18)
    works(cast.rosa, "UTC", 11, 12)
    team = pool(cast.femke, cast.jonas, cast.rosa, method=Pool.Method.EARLIEST)
    # At 10:00 Jonas and Rosa are there first, and take turns.
    assert Counter(seat(to("pool", team)).user.name for _ in range(6)) == {
        "Jonas Keller": 3,
        "Rosa Lindqvist": 3,
    }
    # At 13:00 Femke and Jonas are there; what Jonas took before is in nobody's way.
    assert Counter(seat(to("pool", team), now=at(hours=3)).user.name for _ in range(6)) == {
        "Femke de Boer": 3,
        "Jonas Keller": 3,
    }
    # Saturday: on Monday Jonas and Rosa are back at 11:00, Femke at 12:00; at a cap the next soonest.
    caps(team, cap_open=6)
    seating = seat(to("pool", team), now=at(days=4))
    assert (seating.user, skipped(seating)) == (cast.rosa, ["holds 6 of 6", None])


def test_equal_load_goes_by_quota(cast):
    team = pool((cast.femke, 1), (cast.jonas, 1), (cast.rosa, 1), method=Pool.Method.LEAST_OPEN)
    order = []
    for number in range(9):
        seating = seat(to("pool", team), ref=f"tie:{number}")
        order.append(seating.user.name)
        rotation.release(f"tie:{number}", NOW)
    # Nobody ever holds anything: without the quota the first would get everything.
    assert Counter(order) == dict.fromkeys(("Femke de Boer", "Jonas Keller", "Rosa Lindqvist"), 3)


# Who had it before


def had(*people, why=rotation.REJECTED):
    return {person.pk: why for person in people}


def test_when_all_had_it_before_a_manager_takes_it(cast):
    team = pool(cast.femke, cast.jonas)
    overflow = to("queue", Queue.objects.get(kind="overflow"), "overflow")
    excluded = had(cast.femke) | had(cast.jonas, why=rotation.LAPSED)
    seating = seat(to("pool", team), overflow, excluded=excluded)
    assert (seating.outcome, seating.user, seating.why, seating.pool_id) == ("rep", cast.mia, "manager", None)
    assert seating.candidates == [
        {"user": cast.femke.pk, "pool": team.pk, "skipped": "rejected it before"},
        {"user": cast.jonas.pk, "pool": team.pk, "skipped": "let it lapse"},
        {"user": cast.mia.pk, "took": "manager"},
    ]
    turn = Turn.objects.get()
    assert (turn.user, turn.pool, turn.shares) == (cast.mia, None, {})


def test_somebody_else_comes_before_the_manager(cast):
    team = pool(cast.femke)
    seating = seat(to("pool", team), to("rep", cast.rosa, "fallback"), excluded=had(cast.femke))
    assert (seating.user, seating.why) == (cast.rosa, "fallback")


def test_only_who_had_it_calls_for_a_manager(cast):
    team = pool(cast.femke, cast.jonas)
    overflow = to("queue", Queue.objects.get(kind="overflow"), "overflow")
    cast.jonas.absences.create(starts_at=NOW, ends_at=at(days=1))
    for excluded, why in ((had(cast.femke, why="inactive"), "overflow"), (had(cast.femke), "manager")):
        assert seat(to("pool", team), overflow, excluded=excluded).why == why


def test_an_absent_manager_is_stood_in_for(cast):
    team = pool(cast.femke)
    overflow = to("queue", Queue.objects.get(kind="overflow"), "overflow")
    away = cast.mia.absences.create(starts_at=NOW, ends_at=at(days=1), cover=cast.nils)
    seating = seat(to("pool", team), overflow, excluded=had(cast.femke))
    assert (seating.user, seating.why) == (cast.nils, "manager")
    assert seating.candidates[1:] == [
        {"user": cast.mia.pk, "skipped": "away"},
        {"user": cast.nils.pk, "took": "manager"},
    ]
    away.cover = None
    away.save()
    seating = seat(to("pool", team), overflow, excluded=had(cast.femke))
    assert (seating.why, seating.candidates[1]) == ("overflow", {"user": cast.mia.pk, "skipped": "away"})


def test_a_manager_who_had_it_too_is_asked_once_and_it_ends_in_the_queue(cast):
    team = pool(cast.femke, cast.jonas)
    cast.mia.absences.create(starts_at=at(days=1), ends_at=at(days=2), cover=cast.nils)
    overflow = to("queue", Queue.objects.get(kind="overflow"), "overflow")
    seating = seat(to("pool", team), overflow, excluded=had(cast.femke, cast.jonas, cast.mia))
    assert seating.why == "overflow"
    assert [c for c in seating.candidates if c.get("user") == cast.mia.pk] == [
        {"user": cast.mia.pk, "skipped": "rejected it before"}
    ]


def test_without_a_manager_it_ends_in_the_queue(cast):
    overflow = to("queue", Queue.objects.get(kind="overflow"), "overflow")
    for change in ({"team": None}, {"team": Team.objects.create(name="Unled")}):
        User.objects.filter(pk=cast.femke.pk).update(**change)
        assert seat(to("rep", cast.femke), overflow, excluded=had(cast.femke)).why == "overflow"


def test_the_team_of_the_first_who_had_it_that_has_a_manager(cast):
    User.objects.filter(pk=cast.femke.pk).update(team=None)
    seating = seat(to("rep", cast.femke), to("rep", cast.rosa), excluded=had(cast.femke, cast.rosa))
    assert seating.user == cast.nils


# Trying, and what it costs


def test_a_dry_desk_reads_without_a_lock_and_saves_nothing(cast):
    team = pool(cast.femke, cast.jonas, cap_day=2)
    targets = [to("pool", team), to("queue", Queue.objects.get(kind="overflow"), "overflow")]
    before = seats(team)
    with CaptureQueriesContext(connection) as queries:
        desk = Desk(targets, NOW, dry=True)
        found = [desk.seat(targets) for _ in range(5)]
    assert not [query for query in queries if "FOR NO KEY UPDATE" in query["sql"]]
    assert [seating.outcome for seating in found] == ["rep"] * 4 + ["queue"]
    with pytest.raises(RuntimeError, match="nothing of it is saved"):
        desk.save()
    assert (seats(team), Turn.objects.count()) == (before, 0)


def test_as_many_queries_for_three_members_as_for_thirty(cast):
    for method in Pool.Method.values:
        costs = []
        for size in (3, 30):
            people = []
            for number in range(size):
                user = User.objects.create_user(f"{method}-{size}-{number}@handoff.example.com")
                user.groups.add(Group.objects.get(name="rep"))
                works(user, "UTC", number % 8, 20)
                people.append(user)
                calendar_name = f"{method} {size} {number}"
                Calendar.objects.filter(pk=user.calendar.pk).update(name=calendar_name)
            team = pool(*people, method=method, cap_day=5, cap_week=9, cap_open=9, in_hours_only=True)
            targets = [to("pool", team), to("rep", cast.femke), to("queue", 1, "overflow")]
            with transaction.atomic(), CaptureQueriesContext(connection) as queries:
                desk = Desk(targets, NOW)
                for number in range(40):
                    desk.seat(targets).turn.ref = f"{method}:{size}:{number}"
                desk.save()
            costs.append(len(queries))
        # People, seats, queues, turns; hours not read before; the turns and the seats written.
        assert costs == [9, 9]


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


def test_a_desk_that_is_widened_knows_its_own_turns(cast):
    one = to("pool", pool(cast.femke, cap_open=2))
    both = to("pool", pool(cast.femke, cast.jonas, cap_open=2))
    desk = Desk([one], NOW)
    assert [desk.seat([one]).user, desk.seat([one]).user] == [cast.femke, cast.femke]
    desk.widen([one, both])
    # Femke is full with what she took before the second pool was read, and of which nothing is saved yet.
    assert desk.seat([both]).user == cast.jonas
    assert desk.seat([one]).outcome == "nobody"
