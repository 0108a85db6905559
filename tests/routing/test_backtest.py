"""The pure part of back-tests: two worlds of load, a crowd that chooses as rotation does, the verdicts."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import pytest

from routing import hours
from routing.backtest import (
    Crowd,
    Holder,
    Past,
    Person,
    PoolFacts,
    QueueFacts,
    Replay,
    Seat,
    TurnTaken,
    Windows,
)
from routing.backtest.crowd import Counted, Memory, Moment, next_of
from routing.backtest.load import Load
from routing.engine import Ruleset, Target
from routing.facts import Facts
from routing.models import Absence, Pool, PoolMember
from routing.rotation import Desk
from routing.sla import Target as Window
from tests.conftest import NOW

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OFFICE = hours.Calendar("UTC", (((540, 1080),),) * 5 + ((), ()))
POOL, OTHER, OVERFLOW = 1, 2, 9


def ruleset(target: dict, fallback: dict | None = None, rule: str = "1", **when: list) -> Ruleset:
    leaves = [{"field": name, "op": "in", "value": value} for name, value in when.items()]
    made = {
        "id": rule,
        "name": f"Rule {rule}",
        "when": {"all": leaves},
        "target": target,
        "fallback": fallback,
    }
    return Ruleset({"rules": [made], "overflow": {"kind": "queue", "id": str(OVERFLOW)}})


def crowd(*people: Person, seats: tuple[Seat, ...] = (), other: tuple[Seat, ...] = ()) -> Crowd:
    everybody = people or tuple(Person(number, OFFICE) for number in range(1, 6))
    pools = {POOL: PoolFacts(POOL, "quota", seats), OTHER: PoolFacts(OTHER, "quota", other)}
    queues = {
        OVERFLOW: QueueFacts(
            OVERFLOW, "overflow", is_overflow=True, calendar=OFFICE, former_slugs=("spill",)
        ),
        8: QueueFacts(8, "north", calendar=OFFICE),
    }
    return Crowd({person.id: person for person in everybody}, pools, queues)


def past(number: int = 1, user: int = 1, at: datetime = NOW, rule: str = "1", **more: object) -> Past:
    """A decision of rule 1 that gave a lead to a person directly, unless told otherwise."""
    values = {
        "key": number,
        "ref": f"handoff:{number}",
        "at": at,
        "rule": rule,
        "facts": Facts(country="DE", lead_type="demo"),
        "candidates": [{"user": user, "took": "rule"}],
        "holder": Holder("rep", str(user), None, "rule"),
    }
    return Past(**(values | more))  # type: ignore[arg-type]


def rep(user: int) -> dict[str, str]:
    return {"kind": "rep", "id": str(user)}


def pool(pool_id: int) -> dict[str, str]:
    return {"kind": "pool", "id": str(pool_id)}


# The load of one world


def test_work_occupies_its_holder_until_it_is_released():
    load = Load()
    load.take("a", 1, NOW + HOUR)
    load.take("b", 1, None)
    load.advance(NOW + HOUR - timedelta(seconds=1))
    assert load.open[1] == 2
    load.advance(NOW + HOUR)
    assert (load.open[1], load.peak[1]) == (1, 2)


def test_work_that_changes_hands_is_counted_once():
    load = Load()
    load.take("a", 1, NOW + HOUR)
    load.take("a", 2, NOW + 3 * HOUR)
    assert (load.open[1], load.open[2]) == (0, 1)
    # The end of the first holder's turn is not the end of the second's.
    load.advance(NOW + 2 * HOUR)
    assert load.open[2] == 1


def test_load_goes_on_from_its_json():
    dice = random.Random(3)
    load = Load()
    for step in range(200):
        load.advance(NOW + step * HOUR)
        until = NOW + (step + dice.randrange(1, 30)) * HOUR if dice.random() < 0.8 else None
        load.take(f"w{dice.randrange(60)}", dice.randrange(1, 5), until)
    again = Load.from_json(json.loads(json.dumps(load.to_json())))
    for world in (load, again):
        world.advance(NOW + 210 * HOUR)
    assert {user: n for user, n in load.open.items() if n} == {user: n for user, n in again.open.items() if n}
    assert load.peak == again.peak


# Choosing in a pool


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["quota", "least_open"])
def test_a_pool_chooses_as_rotation_does(cast, method):
    """Two hundred turns taken in truth and in the simulation, with caps, absences and leavers: the same
    person each time, the same ones passed over, for the same reasons."""
    dice = random.Random(11)
    row = Pool.objects.create(slug="p", name="P", method=method, cap_open=9)
    people = [cast.femke, cast.jonas, cast.rosa, cast.mia, cast.nils]
    for user in people:
        PoolMember.objects.create(
            pool=row, user=user, weight=dice.randrange(1, 6), cap_day=dice.choice([None, 3, 7])
        )
    seats = tuple(
        Seat(s.user_id, s.weight, 9, s.cap_day, None) for s in PoolMember.objects.order_by("user_id")
    )
    facts = PoolFacts(row.pk, method, seats)
    memory, counted, load = Memory(), Counted(), Load()
    absences: dict[int, list] = {}
    target = (Target("pool", str(row.pk), "rule"),)
    turns: list = []
    took = 0
    for step in range(200):
        now = NOW + step * HOUR
        if dice.random() < 0.1:
            user = dice.choice(people)
            until = now + dice.randrange(2, 20) * HOUR
            Absence.objects.create(user=user, starts_at=now, ends_at=until)
            absences.setdefault(user.pk, []).append((now, until, None))
        while turns and dice.random() < 0.6:
            turn = turns.pop(dice.randrange(len(turns)))
            turn.released_at = now
            turn.save()
            load.drop(turn.ref)
        excluded = {dice.choice(people).pk: "rejected it before"} if dice.random() < 0.2 else {}
        desk = Desk(target, now)
        seating = desk.seat(target, excluded)
        crew = {u.pk: Person(u.pk, None, "UTC", tuple(absences.get(u.pk, ()))) for u in people}
        chosen, shares, passed = next_of(facts, crew, Moment(now, load.open, counted, memory, excluded))
        skipped = [row for row in seating.candidates if row.get("pool") == facts.id and "skipped" in row]
        assert (chosen, passed) == (seating.user.pk if seating.pool_id else None, skipped), step
        if seating.pool_id is None:
            continue
        assert {str(user): str(share) for user, share in shares.items()} == seating.turn.shares
        seating.turn.ref = f"w{step}"
        desk.save()
        turns.append(seating.turn)
        load.take(f"w{step}", chosen, None)
        memory.took(facts.id, chosen, shares)
        counted.took(crew[chosen], now)
        took += 1
    assert took > 120


def test_earliest_reachable_is_who_works_first():
    late = hours.Calendar("America/New_York", (((540, 1080),),) * 7)
    crew = {1: Person(1, late), 2: Person(2, OFFICE)}
    facts = PoolFacts(POOL, "earliest", (Seat(1), Seat(2)))
    at = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)
    assert next_of(facts, crew, Moment(at, {}, Counted(), Memory(), {}))[0] == 2
    evening = datetime(2026, 3, 10, 20, 0, tzinfo=UTC)
    assert next_of(facts, crew, Moment(evening, {}, Counted(), Memory(), {}))[0] == 1


def test_members_outside_their_hours_are_passed_over_where_the_pool_says_so():
    facts = PoolFacts(POOL, "quota", (Seat(1), Seat(2)), in_hours_only=True)
    crew = {1: Person(1, OFFICE), 2: Person(2, None)}
    night = datetime(2026, 3, 10, 23, 0, tzinfo=UTC)
    chosen, _, passed = next_of(facts, crew, Moment(night, {}, Counted(), Memory(), {}))
    assert (chosen, passed) == (2, [{"user": 1, "pool": POOL, "skipped": "outside working hours"}])


def test_a_day_and_a_week_are_those_of_the_person():
    counted = Counted()
    auckland = Person(1, None, "Pacific/Auckland")
    sunday = datetime(2026, 3, 8, 10, 30, tzinfo=UTC)  # 23:30 on Sunday in Auckland
    counted.took(auckland, sunday)
    assert counted.so_far(auckland, sunday) == (1, 1)
    assert counted.so_far(auckland, sunday + HOUR) == (0, 0)
    again = Counted.from_json(json.loads(json.dumps(counted.to_json())))
    assert again.so_far(auckland, sunday) == (1, 1)


# Verdicts


def test_the_same_rule_and_holder_is_the_same():
    replay = Replay(ruleset(rep(1)), crowd(), Windows())
    verdict = replay.decision(past())
    assert (verdict.kind, verdict.holder) == ("same", Holder("rep", "1", None, "rule"))
    assert replay.tally.agreement == 1


def test_the_same_holder_by_another_rule_is_no_move():
    replay = Replay(ruleset(rep(1), rule="2"), crowd(), Windows())
    assert replay.decision(past()).kind == "rule"
    assert (replay.tally.changed_hands, replay.tally.agreement) == (0, 0)


def test_the_same_person_by_another_way_is_no_agreement():
    replay = Replay(ruleset(pool(POOL)), crowd(seats=(Seat(1),)), Windows())
    assert replay.decision(past()).kind == "rule"


@pytest.mark.parametrize(
    ("before", "target", "kind"),
    [
        (Holder("rep", "1", None, "rule"), {"kind": "queue", "id": "8"}, "queue"),
        (Holder("rep", "1", None, "rule"), {"kind": "queue", "id": str(OVERFLOW)}, "unrouted"),
        (Holder("queue", str(OVERFLOW), None, "overflow"), {"kind": "rep", "id": "2"}, "routed"),
        (Holder("queue", str(OVERFLOW), None, "overflow"), {"kind": "queue", "id": "8"}, "routed"),
        (Holder("queue", "8", None, "rule"), {"kind": "rep", "id": "2"}, "moved"),
        (Holder("nobody"), {"kind": "rep", "id": "2"}, "routed"),
    ],
)
def test_where_it_goes_names_the_kind(before, target, kind):
    replay = Replay(ruleset(target), crowd(), Windows())
    assert replay.decision(past(candidates=[], holder=before)).kind == kind


def test_no_rule_leaves_it_nowhere():
    verdict = Replay(ruleset(rep(1), country=["FR"]), crowd(), Windows()).decision(past())
    assert (verdict.kind, verdict.rule, verdict.holder.kind) == ("unrouted", "", "nobody")


def test_what_was_kept_of_a_person_holds():
    """Who could not take it then cannot now, whatever they are by now; the next target is walked."""
    kept = [{"user": 1, "skipped": "away"}, {"user": 2, "took": "fallback"}]
    holder = Holder("rep", "2", None, "fallback")
    replay = Replay(ruleset(rep(1), rep(2)), crowd(), Windows())
    assert replay.decision(past(candidates=kept, holder=holder)).kind == "same"


def test_an_old_slug_still_names_its_queue():
    kept = [{"queue": "spill", "took": "rule"}]
    there = crowd()
    holder = Holder("queue", str(there.by_slug["spill"].id), None, "rule")
    replay = Replay(ruleset({"kind": "queue", "id": str(OVERFLOW)}), there, Windows())
    assert replay.decision(past(candidates=kept, holder=holder)).kind == "same"


def test_who_had_it_before_does_not_get_it_again():
    replay = Replay(ruleset(pool(POOL)), crowd(seats=(Seat(1), Seat(2))), Windows())
    facts = Facts(country="DE", rejected_by=(1,), lapsed_by=())
    verdict = replay.decision(past(user=3, facts=facts))
    assert verdict.holder.id == "2"
    assert {"user": 1, "pool": POOL, "skipped": "rejected it before"} in verdict.candidates


def test_whoever_would_have_had_it_is_excluded_in_the_place_of_who_had_it():
    """1 had it and rejected it; with these rules 2 would have had it, so 2 does not get it a second time."""
    replay = Replay(ruleset(pool(POOL)), crowd(seats=(Seat(2), Seat(3))), Windows())
    first = replay.decision(past(until=NOW + HOUR))
    assert first.holder.id == "2"
    again = past(2, user=4, at=NOW + HOUR, ref="handoff:1", facts=Facts(rejected_by=(1,)))
    assert replay.decision(again).holder.id == "3"


def test_a_manager_takes_what_is_left_by_those_who_had_it():
    people = (Person(1, OFFICE, manager=4), Person(4, OFFICE))
    replay = Replay(ruleset(rep(1)), crowd(*people), Windows())
    verdict = replay.decision(past(user=3, facts=Facts(rejected_by=(1,))))
    assert verdict.holder == Holder("rep", "4", None, "manager")


def test_a_manager_who_is_away_is_covered_for():
    people = (
        Person(1, OFFICE, manager=4),
        Person(4, OFFICE, absences=((NOW - DAY, NOW + DAY, 5),)),
        Person(5, OFFICE),
    )
    replay = Replay(ruleset(rep(1)), crowd(*people), Windows())
    assert replay.decision(past(user=3, facts=Facts(lapsed_by=(1,)))).holder.id == "5"


def test_a_lead_that_comes_back_goes_to_whoever_had_it_first():
    kept = [{"user": 3, "took": "re_engaged"}]
    replay = Replay(ruleset(rep(1)), crowd(), Windows())
    verdict = replay.decision(past(candidates=kept, holder=Holder("rep", "3", None, "re_engaged")))
    assert verdict.kind == "same"


def test_capacity_that_was_moved_away_is_free():
    """The cap of one is full of a lead that these rules give to somebody else."""
    rules = Ruleset(
        {
            "rules": [
                {
                    "id": "1",
                    "name": "French",
                    "when": {"all": [{"field": "country", "op": "in", "value": ["FR"]}]},
                    "target": rep(2),
                },
                {"id": "2", "name": "Rest", "when": {"all": []}, "target": pool(POOL)},
            ],
            "overflow": {"kind": "queue", "id": str(OVERFLOW)},
        }
    )
    replay = Replay(rules, crowd(seats=(Seat(1, cap_open=1),)), Windows())
    replay.decision(past(1, facts=Facts(country="FR")))
    verdict = replay.decision(past(2, user=3, at=NOW + HOUR, rule="7"))
    assert (verdict.kind, verdict.holder.id) == ("moved", "1")
    assert (replay.was.open, replay.would.open) == ({1: 1, 3: 1}, {2: 1, 1: 1})


def test_a_lead_that_would_not_have_waited_is_not_claimed():
    """In truth it waited in overflow and 5 claimed it; with these rules 2 has had it all the while."""
    replay = Replay(ruleset(rep(2)), crowd(), Windows())
    waited = Holder("queue", str(OVERFLOW), None, "overflow")
    assert replay.decision(past(candidates=[], holder=waited)).kind == "routed"
    replay.turn(TurnTaken("handoff:1", 5, NOW + HOUR, NOW + 2 * HOUR))
    assert (replay.was.open[5], replay.would.open) == (1, {2: 1})
    replay.would.advance(NOW + 2 * HOUR)
    assert replay.would.open == {2: 0}


def test_a_lead_given_by_hand_is_given_in_both_worlds():
    replay = Replay(ruleset(rep(2)), crowd(), Windows())
    assert replay.decision(past(until=NOW + HOUR)).kind == "moved"
    replay.turn(TurnTaken("handoff:1", 5, NOW + HOUR, None))
    assert {user for user, n in replay.was.open.items() if n} == {5}
    assert {user for user, n in replay.would.open.items() if n} == {5}


@pytest.mark.parametrize(
    ("window", "at", "late"),
    [
        (Window(5, business=False), datetime(2026, 3, 10, 23, 0, tzinfo=UTC), True),
        (Window(5, business=False), datetime(2026, 3, 10, 8, 55, tzinfo=UTC), True),
        (Window(6, business=False), datetime(2026, 3, 10, 8, 55, tzinfo=UTC), False),
        (Window(5, business=True), datetime(2026, 3, 10, 23, 0, tzinfo=UTC), False),
        (Window(60 * 24, business=False), datetime(2026, 3, 14, 0, 0, tzinfo=UTC), True),
    ],
)
def test_late_is_a_window_without_working_time(window, at, late):
    replay = Replay(ruleset(rep(1)), crowd(), Windows(by_type={"demo": window}))
    verdict = replay.decision(past(at=at))
    assert (verdict.is_late, verdict.was_late) == (late, late)


def test_a_rule_s_own_policy_comes_before_the_type_s():
    windows = Windows({"slow": Window(60 * 24 * 7, business=False)}, {"demo": Window(5, business=False)})
    night = datetime(2026, 3, 10, 23, 0, tzinfo=UTC)
    verdict = Replay(ruleset(rep(1)), crowd(), windows).decision(past(at=night, policy="slow"))
    assert (verdict.was_late, verdict.is_late) == (False, True)


def test_a_replay_goes_on_from_its_state():
    dice = random.Random(4)
    rules = ruleset(pool(POOL), pool(OTHER))
    there = crowd(seats=(Seat(1, 2, 3), Seat(2, 1, 3, 2)), other=(Seat(3), Seat(4, 5)))
    rows = [
        past(
            n,
            user=dice.randrange(1, 5),
            at=NOW + n * HOUR,
            until=NOW + (n + dice.randrange(1, 9)) * HOUR,
            rule="7",
        )
        for n in range(120)
    ]
    whole, parted = Replay(rules, there, Windows()), Replay(rules, there, Windows())
    for number, row in enumerate(rows):
        one, other = whole.decision(row), parted.decision(row)
        assert one == other
        if number % 7 == 0:
            parted = Replay(rules, there, Windows(), json.loads(json.dumps(parted.state())))
    assert whole.tally == parted.tally and whole.would.peak == parted.would.peak
    assert len(whole.tally.people) == 4
