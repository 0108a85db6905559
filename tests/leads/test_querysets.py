from copy import copy

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from leads import lifecycle
from leads.lifecycle import Act
from leads.models import Handoff
from leads.querysets import sees
from routing.models import Queue, User
from tests.acting import at
from tests.conftest import NOW
from tests.factories import make_handoff

STATES = ("incomplete", "queued", "assigned", "accepted", "deferred", "working", "rejected", "disqualified")


def seen(user, rows=None):
    """Ids of what a person sees, as a request asks: nothing remembered from before."""
    rows = Handoff.objects.all() if rows is None else rows
    user = User.objects.get(pk=user.pk)
    found = set(rows.visible_to(user).values_list("pk", flat=True))
    # Of each that is at hand it is said in the same way.
    assert {handoff.pk for handoff in rows if sees(user, handoff)} == found
    return found


def all_ids():
    return set(Handoff.objects.values_list("pk", flat=True))


def test_who_sees_all(cast):
    for state in STATES:
        make_handoff(state, cast.femke)
    for user in (cast.otto, cast.ada, cast.vera):
        assert seen(user) == all_ids()


def test_a_rep_sees_their_own_and_nobody_elses(cast):
    mine = {make_handoff(state, cast.femke).pk for state in STATES if state not in ("incomplete", "queued")}
    for state in STATES:
        make_handoff(state, cast.jonas)
    assert seen(cast.femke) == mine


def test_members_and_owners_see_what_waits_in_their_queues(cast):
    north = Queue.objects.create(slug="north", name="North", owner=cast.rosa)
    north.members.add(cast.femke, cast.jonas)
    waiting, other = make_handoff("queued", queue=north), make_handoff("queued")
    for user in (cast.femke, cast.jonas, cast.rosa):
        assert seen(user) == {waiting.pk}
    assert seen(cast.mia) == set()
    # Taken from the queue it is the taker's, and no longer the queue's.
    lifecycle.claim(waiting.pk, Act(at(minutes=1), cast.femke))
    assert (seen(cast.femke), seen(cast.jonas), seen(cast.rosa)) == ({waiting.pk}, set(), set())
    assert seen(cast.mia) == {waiting.pk}
    assert other.pk not in seen(cast.femke) | seen(cast.jonas) | seen(cast.rosa)


def test_the_duty_owner_sees_what_waits_for_data(cast):
    waiting = make_handoff("incomplete")
    assert seen(cast.rosa) == set()
    Queue.objects.filter(kind="completion").update(owner=cast.rosa)
    assert seen(cast.rosa) == {waiting.pk}


def test_a_manager_sees_the_teams_they_lead(cast):
    ours = {
        make_handoff(state, user).pk for state in ("assigned", "working") for user in (cast.femke, cast.jonas)
    }
    theirs = {make_handoff("assigned", cast.rosa).pk}
    assert (seen(cast.mia), seen(cast.nils)) == (ours, theirs)
    cast.rosa.team.manager = cast.mia
    cast.rosa.team.save()
    assert (seen(cast.mia), seen(cast.nils)) == (ours | theirs, set())
    # Leading without the role of a manager shows nothing.
    cast.mia.groups.set(Group.objects.filter(name="rep"))
    assert seen(cast.mia) == set()


def test_whoever_decided_keeps_seeing_what_came_of_it(cast):
    sent_back = make_handoff("assigned", cast.femke)
    lifecycle.reject(sent_back.pk, Act(at(minutes=1), cast.femke), reason="bad_data")
    passed_on = make_handoff("accepted", cast.femke)
    lifecycle.reassign(passed_on.pk, Act(at(minutes=2), cast.otto), to=cast.rosa.email, reason="x")
    untouched = make_handoff("assigned", cast.femke)
    lifecycle.reassign(untouched.pk, Act(at(minutes=2), cast.otto), to=cast.rosa.email, reason="x")
    assert seen(cast.femke) == {sent_back.pk, passed_on.pk}
    assert seen(cast.mia) == {sent_back.pk, passed_on.pk}
    assert seen(cast.rosa) == {passed_on.pk, untouched.pk}


def test_somebody_without_a_role_sees_what_they_hold_at_most(cast):
    stranger = User.objects.create_user("new@handoff.example.com")
    make_handoff("assigned", cast.femke)
    assert seen(stranger) == set()


def test_what_is_hidden_is_all_the_rest(cast):
    make_handoff("assigned", cast.femke)
    make_handoff("accepted", cast.rosa)
    make_handoff("queued")
    make_handoff("incomplete")
    make_handoff("working", cast.jonas)
    lifecycle.reject(make_handoff("assigned", cast.femke).pk, Act(NOW, cast.femke), reason="not_icp")
    hidden = {}
    for who in User.objects.all():
        hidden[who.email] = set(Handoff.objects.hidden_from(who).values_list("pk", flat=True))
        assert hidden[who.email] == all_ids() - seen(who)
    assert hidden[cast.otto.email] == set() and 0 < len(hidden[cast.femke.email]) < len(all_ids())


def test_selections_are_narrowed_and_never_widened(cast):
    mine, other = make_handoff("assigned", cast.femke), make_handoff("assigned", cast.jonas)
    rows = Handoff.objects.filter(pk=other.pk)
    assert (seen(cast.femke, rows), seen(cast.ada, rows)) == (set(), {other.pk})
    assert seen(cast.femke, Handoff.objects.exclude(pk=other.pk)) == {mine.pk}
    # Each row once, whatever makes it visible.
    queue = Queue.objects.create(slug="north", name="North", owner=cast.femke)
    queue.members.add(*cast)
    make_handoff("queued", queue=queue)
    user = User.objects.get(pk=cast.femke.pk)
    assert Handoff.objects.visible_to(user).count() == 2


def test_open_live_and_held(cast):
    made = {state: make_handoff(state, cast.femke) for state in STATES}
    past = make_handoff("assigned", cast.femke)
    Handoff.objects.filter(pk=past.pk).update(is_history=True)
    opened = {made[state].pk for state in STATES[:6]}
    assert set(Handoff.objects.open().values_list("pk", flat=True)) == opened
    assert set(Handoff.objects.live().values_list("pk", flat=True)) == {h.pk for h in made.values()}
    assert set(Handoff.objects.held_by(cast.femke).values_list("pk", flat=True)) == {
        made[state].pk for state in ("assigned", "accepted", "deferred", "working")
    }
    assert list(Handoff.objects.incomplete()) == [made["incomplete"]]
    # Imported ones are lists' and figures', so they can be seen.
    assert past.pk in seen(cast.femke)


def test_waiting_in(cast):
    handoff = make_handoff("queued")
    for user, count in ((cast.jonas, 0), (cast.ada, 1)):
        assert Handoff.objects.waiting_in(User.objects.get(pk=user.pk)).count() == count
    handoff.queue.members.add(cast.jonas)
    assert list(Handoff.objects.waiting_in(User.objects.get(pk=cast.jonas.pk))) == [handoff]


def test_due_and_to_follow_up_in_order_of_time(cast):
    late = make_handoff("assigned", cast.femke, at=at(minutes=10))
    early = make_handoff("assigned", cast.femke)
    rejected = make_handoff("assigned", cast.femke)
    lifecycle.reject(rejected.pk, Act(at(minutes=1), cast.femke), reason="timing", undoable=True)
    assert list(Handoff.objects.due(at(minutes=59))) == []
    assert list(Handoff.objects.due(at(hours=1))) == [early]
    assert list(Handoff.objects.due(at(hours=2))) == [early, late]
    assert list(Handoff.objects.to_follow_up(at(minutes=1, seconds=9))) == []
    assert list(Handoff.objects.to_follow_up(at(minutes=1, seconds=10))) == [rejected]


def test_breached(cast):
    made = {state: make_handoff(state, cast.femke) for state in STATES}
    assert list(Handoff.objects.breached(at(minutes=59, seconds=59))) == []
    # From the deadline on, as the sweep has it.
    found = set(Handoff.objects.breached(at(hours=1)))
    assert found == {made["queued"], made["assigned"], made["accepted"]}


@pytest.mark.parametrize("who", ["femke", "mia", "otto", "vera", "ada"])
def test_what_it_costs_does_not_depend_on_how_much_there_is(cast, who):
    def cost():
        user = User.objects.get(pk=getattr(cast, who).pk)
        with CaptureQueriesContext(connection) as queries:
            for row in Handoff.objects.visible_to(user).with_context():
                str((row.lead.company, row.assignee, row.queue, row.policy, row.rejection_reason))
        return len(queries)

    make_handoff("assigned", cast.femke)
    first = cost()
    for _ in range(5):
        make_handoff("assigned", cast.femke)
        make_handoff("queued")
    assert cost() == first


def test_what_a_person_sees_is_found_by_the_handoffs_own_columns(cast):
    user = User.objects.get(pk=cast.mia.pk)
    sql = str(Handoff.objects.visible_to(user).query)
    assert " JOIN " not in sql and sql.count("SELECT") == 1


def test_what_is_past_its_deadline_is_found_by_an_index(cast):
    """Each page of some roles counts it, among ever more that are closed."""
    closed = make_handoff("rejected", cast.femke)
    copies = [copy(closed) for _ in range(2000)]
    for copied in copies:
        copied.pk = None
    Handoff.objects.bulk_create(copies)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE leads_handoff")
    plan = Handoff.objects.breached(NOW).order_by().explain()
    # PostgreSQL has the choice of several that hold what is open alone.
    assert ("Index Scan" if connection.vendor == "postgresql" else "handoff_by_deadline") in plan
