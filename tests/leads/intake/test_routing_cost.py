"""What routing adds to an intake, and how five hundred at once are shared out."""

import re
from collections import Counter
from fractions import Fraction

from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from leads.intake import receive
from leads.models import Company, Handoff
from routing.models import Calendar, Pool, PoolMember, Queue, Ruleset, Turn, User
from tests.acting import assert_sound
from tests.conftest import NOW
from tests.factories import event

MOST_QUERIES = 8
# Tables that only routing reads or writes; policies and calendars are the clocks'.
ROUTINGS = re.compile(
    r'"(routing_(ruleset|pool|poolmember|queue|turn|user|absence|user_groups|team)|leads_routingdecision)"'
)


def country(code):
    return {"all": [{"field": "country", "op": "equals", "value": code}]}


def world(size, people):
    """As many rules and territories before the one that matches, and a pool of these people behind it."""
    pool = Pool.objects.create(
        slug=f"p{size}", name=f"P{size}", cap_open=500, cap_day=400, cap_week=900, in_hours_only=True
    )
    PoolMember.objects.bulk_create(PoolMember(pool=pool, user=user) for user in people)
    overflow = {"kind": "queue", "id": str(Queue.objects.get(kind="overflow").pk)}
    target = {"kind": "pool", "id": str(pool.pk)}
    rules = [
        {
            "id": str(number),
            "name": f"Rule {number}",
            "when": {"all": [{"op": "in_territory", "value": f"t{number}"}, *country("FR")["all"]]},
            "target": {"kind": "territory_owner", "id": f"t{number}"},
            "fallback": target,
            "policy": None,
        }
        for number in range(size)
    ]
    named = {"kind": "rep", "id": str(people[-1].pk)}
    rules.append(rules[-1] | {"id": "last", "when": {"all": []}, "target": target, "fallback": named})
    owner = people[0].pk
    territories = {
        f"t{number}": {"name": f"T{number}", "when": country("DE"), "owner": owner} for number in range(size)
    }
    document = {"rules": rules, "territories": territories, "lists": {}, "overflow": overflow}
    Ruleset.objects.update(is_live=False)
    return Ruleset.objects.create(version=1000 + size, document=document, published_at=NOW, is_live=True)


def reps(count):
    rep = Group.objects.get(name="rep")
    found = []
    for number in range(count):
        calendar = Calendar.objects.create(name=f"{count}-{number}", time_zone="Europe/Berlin")
        for day in range(7):
            calendar.intervals.create(weekday=day, start_minute=0, end_minute=1440)
        user = User.objects.create_user(f"rep-{count}-{number}@handoff.example.com", calendar=calendar)
        user.groups.add(rep)
        found.append(user)
    return found


def cost(at=NOW):
    """Queries of one intake: all, and those that are routing's."""
    sent = event(at=at)
    owner = User.objects.get(email="rosa@handoff.example.com")
    # A customer of somebody who cannot take it now: the account owner is looked at too.
    Company.objects.create(
        name="Known", domain=sent["data"]["company"]["domain"], size_band="201-500", stage="customer",
        owner=owner, created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    with CaptureQueriesContext(connection) as queries:
        [answer] = receive([sent], None, at)
    assert answer["handoff"]["assignee"].startswith("rep-"), answer
    routing = [q["sql"] for q in queries if ROUTINGS.search(q["sql"]) and "SAVEPOINT" not in q["sql"]]
    return len(queries), len(routing)


def test_routing_adds_at_most_eight_queries_whatever_there_is(cast):
    cast.rosa.absences.create(starts_at=NOW, ends_at=NOW.replace(year=2027))
    found = []
    for size in (1, 50):
        ruleset = world(size, reps(size))
        # Documents and hours are read once a process.
        cost()
        found.append(cost())
        assert Handoff.objects.last().decisions.get().ruleset == ruleset
    small, large = found
    assert small == large
    assert 0 < small[1] <= MOST_QUERIES


def test_a_bulk_of_five_hundred_is_spread_by_weight(cast):
    weights = {cast.femke: 1, cast.jonas: 20, cast.rosa: 5, cast.mia: 9, cast.nils: 3}
    world(1, [cast.femke])
    pool = Pool.objects.get()
    Pool.objects.update(cap_open=None, cap_day=None, cap_week=None, in_hours_only=False)
    PoolMember.objects.all().delete()
    PoolMember.objects.bulk_create(PoolMember(pool=pool, user=u, weight=w) for u, w in weights.items())
    answers = receive([event() for _ in range(500)], None, NOW)
    assert {answer["status"] for answer in answers} == {"processed"}
    taken = Counter(Turn.objects.values_list("user_id", flat=True))
    assert sum(taken.values()) == 500 == Handoff.objects.filter(state="assigned").count()
    for user, weight in weights.items():
        assert abs(taken[user.pk] - Fraction(500 * weight, sum(weights.values()))) < 1
    # At any moment, not at the end alone.
    so_far: Counter = Counter()
    for number, user_id in enumerate(Turn.objects.order_by("pk").values_list("user_id", flat=True), start=1):
        so_far[user_id] += 1
        for user, weight in weights.items():
            assert abs(so_far[user.pk] - Fraction(number * weight, sum(weights.values()))) < 1
    assert_sound()
