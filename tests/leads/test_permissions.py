from dataclasses import fields

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from leads.models import Handoff
from leads.permissions import ALL_VERBS, may, may_give, sees_personal_data, verbs_for
from routing.models import Queue, User
from tests.factories import make_handoff

ANSWERS = ["accept", "reject", "defer", "contact", "opportunity", "disqualify"]
COMPLETES = ["waive", "recheck", "discard", "merge", "triage"]


def fresh(user):
    """The person as a request gets them: nothing remembered from before."""
    return User.objects.get(pk=user.pk)


def loaded(handoff):
    return Handoff.objects.select_related("assignee", "queue").get(pk=handoff.pk)


def allowed(user, handoff):
    return verbs_for(fresh(user), loaded(handoff))


@pytest.mark.parametrize(
    ("who", "verbs"),
    [
        ("femke", [*ANSWERS, "resume", "note", "report", "undo"]),
        ("jonas", ["note", "report", "undo"]),
        ("rosa", ["note", "report", "undo"]),
        ("mia", ["resume", "reassign", "note", "report", "undo"]),
        ("nils", ["note", "report", "undo"]),
        ("otto", ["reassign", "note", "report", "undo", *COMPLETES]),
        ("ada", ["reassign", "note", "report", "undo"]),
        ("vera", []),
    ],
)
@pytest.mark.parametrize("state", ["assigned", "accepted", "deferred", "working", "rejected"])
def test_who_may_what_with_a_reps_handoff(cast, who, verbs, state):
    handoff = make_handoff(state, cast.femke)
    user = getattr(cast, who)
    assert allowed(user, handoff) == verbs
    assert [verb for verb in ALL_VERBS if may(fresh(user), verb, loaded(handoff))] == verbs


@pytest.mark.parametrize(
    ("who", "verbs"),
    [
        ("femke", ["note", "report", "undo"]),
        ("jonas", ["accept", "claim", "note", "report", "undo"]),
        ("rosa", ["reassign", "note", "report", "undo"]),
        ("mia", ["note", "report", "undo"]),
        ("otto", ["reassign", "note", "report", "undo", *COMPLETES]),
        ("ada", ["reassign", "note", "report", "undo"]),
        ("vera", []),
    ],
)
def test_who_may_what_with_a_queues_handoff(cast, who, verbs):
    queue = Queue.objects.create(slug="north", name="North", owner=cast.rosa)
    queue.members.add(cast.jonas)
    assert allowed(getattr(cast, who), make_handoff("queued", queue=queue)) == verbs


def test_an_owner_who_is_a_member_too(cast):
    queue = Queue.objects.create(slug="north", name="North", owner=cast.jonas)
    queue.members.add(cast.jonas)
    verbs = allowed(cast.jonas, make_handoff("queued", queue=queue))
    assert verbs == ["accept", "claim", "reassign", "note", "report", "undo"]


def test_membership_counts_for_what_waits_and_not_for_what_was_taken(cast):
    handoff = make_handoff("queued")
    handoff.queue.members.add(cast.jonas)
    assert may(fresh(cast.jonas), "claim", loaded(handoff)) is True
    other = make_handoff("assigned", cast.femke)
    assert may(fresh(cast.jonas), "claim", loaded(other)) is False


def test_a_manager_of_several_teams(cast):
    cast.rosa.team.manager = cast.mia
    cast.rosa.team.save()
    assert may(fresh(cast.mia), "reassign", loaded(make_handoff("assigned", cast.rosa))) is True
    assert may(fresh(cast.nils), "reassign", loaded(make_handoff("assigned", cast.rosa))) is False


def test_leading_a_team_without_the_role_is_nothing(cast):
    cast.mia.groups.clear()
    handoff = make_handoff("assigned", cast.femke)
    assert allowed(cast.mia, handoff) == []


def test_roles_add_up(cast):
    cast.femke.groups.add(*Group.objects.filter(name__in=["marketing ops", "viewer"]))
    handoff = make_handoff("assigned", cast.femke)
    assert allowed(cast.femke, handoff) == [
        *ANSWERS,
        "resume",
        "reassign",
        "note",
        "report",
        "undo",
        *COMPLETES,
    ]


def test_the_inactive_may_nothing(cast):
    handoff = make_handoff("assigned", cast.femke)
    User.objects.filter(pk__in=[cast.femke.pk, cast.ada.pk]).update(is_active=False)
    assert (allowed(cast.femke, handoff), allowed(cast.ada, handoff)) == ([], [])


def test_an_unknown_verb(cast):
    handoff = loaded(make_handoff("assigned", cast.femke))
    for verb in ("", "erase", "__class__"):
        assert may(fresh(cast.ada), verb, handoff) is False


def test_to_whom_one_may_give(cast):
    handoff = loaded(make_handoff("assigned", cast.femke))
    names = [field.name for field in fields(cast)]
    given = {
        giver: [name for name in names if may_give(fresh(getattr(cast, giver)), handoff, getattr(cast, name))]
        for giver in ("mia", "nils", "otto", "ada")
    }
    assert given == {
        "mia": ["femke", "jonas", "mia"],
        "nils": ["rosa", "nils"],
        "otto": names,
        "ada": names,
    }


def test_a_queues_owner_gives_to_anybody(cast):
    queue = Queue.objects.create(slug="north", name="North", owner=cast.rosa)
    handoff = loaded(make_handoff("queued", queue=queue))
    assert may_give(fresh(cast.rosa), handoff, cast.femke) is True
    # Whoever owns nothing of it gives it to nobody but themselves.
    assert may_give(fresh(cast.jonas), handoff, cast.femke) is False
    assert may_give(fresh(cast.jonas), handoff, cast.jonas) is True


def test_personal_data(cast):
    seen = {field.name: sees_personal_data(fresh(getattr(cast, field.name))) for field in fields(cast)}
    assert seen == dict.fromkeys(seen, True) | {"vera": False}
    cast.femke.groups.clear()
    assert sees_personal_data(fresh(cast.femke)) is False


def test_a_page_of_rows_asks_once(cast):
    handoffs = [loaded(make_handoff("queued")) for _ in range(10)]
    handoffs += [loaded(make_handoff("assigned", cast.femke)) for _ in range(10)]
    costs = []
    for count in (1, 20):
        user = fresh(cast.mia)
        with CaptureQueriesContext(connection) as queries:
            for handoff in handoffs[:count] + handoffs[-1:]:
                verbs_for(user, handoff)
        costs.append(len(queries))
    assert costs == [2, 2]
