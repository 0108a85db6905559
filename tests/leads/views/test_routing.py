"""Routing as it is in force: the rules read aloud, who gets what, how often each fired."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from leads.models import Handoff
from routing import publish
from routing.models import Absence, Pool, PoolMember, Queue, Rule, Ruleset, Territory
from tests.conftest import NOW, Cast
from tests.factories import make_handoff
from tests.leads.views.asking import SignIn, html, queries, refuses, sent_to_sign_in


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(NOW + timedelta(minutes=10), tick=False):
        yield


@pytest.fixture
def rules(cast: Cast) -> dict[str, Rule]:
    """A published ruleset with a rule of every kind of target."""
    Rule.objects.all().delete()
    pool = Pool.objects.create(slug="dach", name="DACH", cap_open=8)
    PoolMember.objects.create(pool=pool, user=cast.femke, weight=2)
    PoolMember.objects.create(pool=pool, user=cast.jonas)
    Territory.objects.create(
        slug="nordics",
        name="Nordics",
        conditions={"any": [{"field": "country", "op": "in", "value": ["SE", "NO"]}]},
        owner=cast.rosa,
    )
    queue = Queue.objects.get(kind=Queue.Kind.OVERFLOW)
    german: dict[str, Any] = {"all": [{"field": "country", "op": "equals", "value": "DE"}]}
    wanted = (
        ("German", german, "pool", str(pool.pk)),
        ("Named", {"all": [{"field": "source", "op": "equals", "value": "Fair"}]}, "rep", str(cast.jonas.pk)),
        ("North", {"all": [{"op": "in_territory", "value": ["nordics"]}]}, "territory_owner", "nordics"),
        (
            "Accounts",
            {"all": [{"field": "company_stage", "op": "equals", "value": "customer"}]},
            "account_owner",
            "",
        ),
        ("Rest", {"all": []}, "queue", str(queue.pk)),
    )
    made = {}
    for position, (name, when, kind, target) in enumerate(wanted):
        made[name] = Rule.objects.create(
            position=position, name=name, conditions=when, target_kind=kind, target_id=target
        )
    publish.publish(NOW, cast.otto, "A test")
    return made


def lines(client: Client) -> dict[str, Any]:
    return {line.name: line for line in client.get("/routing/").context["rules"]}


def test_each_rule_is_read_aloud_in_order(as_: SignIn, cast: Cast, rules: dict[str, Rule]) -> None:
    response = as_(cast.otto).get("/routing/")
    page = html(response)
    found = response.context["rules"]
    assert [line.name for line in found] == ["German", "Named", "North", "Accounts", "Rest"]
    assert found[0].when == "When country is DE."
    assert found[4].when == "Every lead."
    assert [line.to for line in found] == [
        "the pool DACH",
        "Jonas Keller",
        "the owner of Nordics",
        "the owner of the account",
        "the queue Overflow",
    ]
    assert found[0].who == "Femke de Boer, Jonas Keller"
    assert "Femke de Boer, weight 2; Jonas Keller" in page
    assert "quota rotation, at most 8 open each" in page
    assert "it waits in the queue Overflow" in page


def test_it_counts_ninety_days_and_names_what_is_wrong(
    as_: SignIn, cast: Cast, rules: dict[str, Rule]
) -> None:
    handoff = make_handoff("assigned", cast.femke)
    old = make_handoff("assigned", cast.femke)
    live = publish.live()
    assert live is not None
    Ruleset.objects.exclude(version=2).update(is_live=False)
    Ruleset.objects.filter(version=2).update(is_live=True)
    Handoff.objects.filter(pk__in=[handoff.pk, old.pk]).update(rule_id=str(rules["German"].pk))
    Handoff.objects.filter(pk=old.pk).update(mql_at=NOW - timedelta(days=91))
    Absence.objects.create(user=cast.jonas, starts_at=NOW, ends_at=NOW + timedelta(days=1))
    found = lines(as_(cast.otto))
    assert (found["German"].fired, found["German"].share, found["German"].health) == (1, 100, "")
    assert found["Named"].health == "Points at somebody who is away"
    assert found["North"].health == "Never fired"
    assert found["Rest"].health == ""


def test_what_is_gone_is_said(as_: SignIn, cast: Cast, rules: dict[str, Rule]) -> None:
    PoolMember.objects.all().delete()
    type(cast.jonas).objects.filter(pk=cast.jonas.pk).update(is_active=False)
    found = lines(as_(cast.mia))
    assert found["German"].health == "Its pool has no members"
    assert found["Named"].health == "Points at somebody who is no longer active"
    Pool.objects.all().delete()
    assert lines(as_(cast.mia))["German"].to == "a pool that is gone"


def test_before_anything_is_published_it_says_so(as_: SignIn, cast: Cast) -> None:
    Ruleset.objects.all().delete()
    assert "No rules are in force." in html(as_(cast.otto).get("/routing/"))


def test_the_draft_is_for_those_who_may_edit_it(as_: SignIn, cast: Cast, rules: dict[str, Rule]) -> None:
    for user, edits in ((cast.otto, True), (cast.ada, True), (cast.mia, False)):
        page = html(as_(user).get("/routing/"))
        assert ("Edit the draft" in page) is edits
    assert as_(cast.otto).get("/admin/routing/rule/").status_code == 200


def test_it_is_not_there_for_reps_and_viewers(as_: SignIn, cast: Cast) -> None:
    for user in (cast.femke, cast.vera):
        refuses(as_(user), 404, get=("/routing/",))


def test_it_is_only_read(as_: SignIn, cast: Cast) -> None:
    refuses(as_(cast.otto), 405, post=("/routing/",))


def test_the_anonymous_are_sent_to_sign_in(client: Client, cast: Cast) -> None:
    sent_to_sign_in(client, "/routing/")


def test_hostile_names_are_shown_as_text(as_: SignIn, cast: Cast, rules: dict[str, Rule]) -> None:
    rules["German"].name = "<script>x</script>"
    rules["German"].save()
    publish.publish(NOW, cast.otto)
    assert "<script>x" not in html(as_(cast.otto).get("/routing/"))


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast, rules: dict[str, Rule]) -> None:
    client = as_(cast.mia)
    one = queries(client, "/routing/")
    for name in ("Two", "Three"):
        pool = Pool.objects.create(slug=name.lower(), name=name)
        PoolMember.objects.create(pool=pool, user=cast.rosa)
        Rule.objects.create(
            position=1, name=name, conditions={"all": []}, target_kind="pool", target_id=str(pool.pk)
        )
    publish.publish(NOW, cast.otto)
    assert queries(client, "/routing/") == one


def test_the_navigation_names_only_what_there_is(as_: SignIn, cast: Cast) -> None:
    def places(user: Any) -> list[str]:
        return [item.label for item in as_(user).get("/profile/").context["shell"].nav]

    assert places(cast.otto) == ["Team", "Leads", "Completion", "Triage", "Routing", "Dashboard"]
    assert places(cast.mia) == ["Inbox", "Team", "Leads", "Routing", "Dashboard"]
    assert places(cast.femke) == ["Inbox", "Leads", "Dashboard"]
    assert places(cast.vera) == ["Leads", "Dashboard"]
    for user in cast:
        client = as_(user)
        for item in client.get("/profile/").context["shell"].nav:
            assert client.get(item.href).status_code == 200, (user, item.href)
