"""Routing as it is in force and as the draft would have it: rules read aloud, how often each fired, marks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from leads.models import Handoff
from routing import draft, publish
from routing.models import Absence, NamedList, Pool, PoolMember, Queue, Rule, Ruleset, Territory
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
    for position, (name, when, kind, target) in enumerate(wanted, start=1):
        made[name] = Rule.objects.create(
            position=position * 10, name=name, conditions=when, target_kind=kind, target_id=target
        )
    publish.publish(NOW, cast.otto, "A test")
    return made


def lines(client: Client, url: str = "/routing/") -> dict[str, Any]:
    return {line.name: line for line in client.get(url).context["lines"]}


def says(line: Any) -> str:
    return "".join(piece.text for piece in line.says)


DRAFT = "/routing/?tab=draft"


def test_each_rule_is_read_aloud_in_order(as_: SignIn, cast: Cast, rules: dict[str, Rule]) -> None:
    response = as_(cast.otto).get("/routing/")
    page = html(response)
    found = response.context["lines"]
    assert [(line.number, line.name) for line in found] == [
        ("1", "German"), ("2", "Named"), ("3", "North"), ("4", "Accounts"), ("5", "Rest"),
    ]  # fmt: skip
    assert [says(line) for line in found] == [
        "When country is DE, give it to the pool DACH.",
        "When source is Fair, give it to Jonas Keller.",
        "When territory is Nordics, give it to the owner of Nordics.",
        "When company stage is customer, give it to the owner of the account.",
        "Give it to the queue Overflow.",
    ]
    assert "<mark>DE</mark>" in page and "<mark>DACH</mark>" in page
    assert "Ada Admin answers for it." in page
    assert "every company that has an owner" in page


def test_it_counts_ninety_days_and_names_what_is_wrong(
    as_: SignIn, cast: Cast, rules: dict[str, Rule]
) -> None:
    handoff = make_handoff("assigned", cast.femke)
    old = make_handoff("assigned", cast.femke)
    Ruleset.objects.exclude(version=2).update(is_live=False)
    Ruleset.objects.filter(version=2).update(is_live=True)
    Handoff.objects.filter(pk__in=[handoff.pk, old.pk]).update(rule_id=str(rules["German"].pk))
    Handoff.objects.filter(pk=old.pk).update(mql_at=NOW - timedelta(days=91))
    Absence.objects.create(user=cast.jonas, starts_at=NOW, ends_at=NOW + timedelta(days=1))
    found = lines(as_(cast.otto))
    assert (found["German"].fired, found["German"].share, list(found["German"].findings)) == (1, 100, [])
    assert [finding.kind for finding in found["Named"].findings] == ["away"]
    assert list(found["Rest"].findings) == []


def test_what_is_gone_is_said(as_: SignIn, cast: Cast, rules: dict[str, Rule]) -> None:
    PoolMember.objects.all().delete()
    type(cast.jonas).objects.filter(pk=cast.jonas.pk).update(is_active=False)
    found = lines(as_(cast.mia))
    assert [finding.kind for finding in found["German"].findings] == ["empty"]
    assert [finding.kind for finding in found["Named"].findings] == ["inactive"]
    Pool.objects.all().delete()
    assert says(lines(as_(cast.mia))["German"]) == "When country is DE, give it to a pool that is gone."


def test_before_anything_is_published_it_says_so(as_: SignIn, cast: Cast) -> None:
    Ruleset.objects.all().delete()
    assert "No rules are in force." in html(as_(cast.otto).get("/routing/"))
    Rule.objects.all().delete()
    assert "The draft has no rules." in html(as_(cast.otto).get(DRAFT))


def test_the_draft_shows_how_it_differs(as_: SignIn, cast: Cast, rules: dict[str, Rule]) -> None:
    german, named, north = rules["German"], rules["Named"], rules["North"]
    german.conditions = {"all": [{"field": "country", "op": "in", "value": ["DE", "AT"]}]}
    draft.save(german, german.revision, cast.otto)
    named.is_active = False
    draft.save(named, named.revision, cast.otto)
    draft.move(north, "up", draft.current().revision, cast.otto)
    new = Rule(name="New", conditions={"all": []}, target_kind="rep", target_id=str(cast.rosa.pk))
    draft.save(new, 0, cast.otto)
    client = as_(cast.otto)
    found = lines(client, DRAFT)
    assert {name: line.marks for name, line in found.items()} == {
        "North": ["Moved, was 3"],
        "German": ["Changed"],
        "Named": ["Removed"],
        "Accounts": [],
        "Rest": [],
        "New": ["Added"],
    }
    page = html(client.get(DRAFT))
    assert "Draft, 4 changes" in page
    assert found["Named"].is_gone and found["Named"].number == ""
    # What is in force has not changed.
    in_force = next(iter(lines(client).values()))
    assert says(in_force) == "When country is DE, give it to the pool DACH."


def test_other_changes_are_counted_and_named(as_: SignIn, cast: Cast, rules: dict[str, Rule]) -> None:
    territory = Territory.objects.get()
    territory.name = "The North"
    draft.save(territory, territory.revision, cast.otto)
    draft.save(NamedList(slug="named", name="Named", values=["a.com"]), 0, cast.otto)
    page = html(as_(cast.otto).get(DRAFT))
    # The rule that asks for the territory reads otherwise by its name alone: it is the same rule.
    assert "Territory The North changed" in page
    assert "List Named added" in page


def test_only_marketing_ops_get_the_controls(as_: SignIn, cast: Cast, rules: dict[str, Rule]) -> None:
    rules["German"].name = "Germany"
    draft.save(rules["German"], rules["German"].revision, cast.otto)
    for user, edits in ((cast.otto, True), (cast.ada, False), (cast.mia, False)):
        page = html(as_(user).get(DRAFT))
        for control in ("Add a rule", "Publish draft", "Discard draft", "Move German", "Save in the draft"):
            assert (control in page) is edits, (user, control)
        assert "was called" in page


def test_it_is_not_there_for_reps_and_viewers(as_: SignIn, cast: Cast) -> None:
    for user in (cast.femke, cast.vera):
        refuses(as_(user), 404, get=("/routing/", DRAFT))


def test_it_is_only_read(as_: SignIn, cast: Cast) -> None:
    refuses(as_(cast.otto), 405, post=("/routing/",))


def test_the_anonymous_are_sent_to_sign_in(client: Client, cast: Cast) -> None:
    sent_to_sign_in(client, "/routing/")


def test_hostile_names_are_shown_as_text(as_: SignIn, cast: Cast, rules: dict[str, Rule]) -> None:
    rules["German"].name = "<script>x</script>"
    rules["German"].conditions = {"all": [{"field": "region", "op": "equals", "value": "<img src=x>"}]}
    rules["German"].save()
    Territory.objects.update(name="<b>North</b>")
    client = as_(cast.otto)
    for _ in range(2):
        for url in ("/routing/", DRAFT):
            page = html(client.get(url))
            assert "<script>x" not in page and "<img" not in page and "<b>North" not in page
        publish.publish(NOW, cast.otto, "A test")


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast, rules: dict[str, Rule]) -> None:
    client = as_(cast.mia)
    before = [queries(client, url) for url in ("/routing/", DRAFT)]
    for name in ("Two", "Three"):
        pool = Pool.objects.create(slug=name.lower(), name=name)
        PoolMember.objects.create(pool=pool, user=cast.rosa)
        Rule.objects.create(
            position=1,
            name=name,
            conditions={"all": []},
            target_kind="pool",
            target_id=str(pool.pk),
            owner=cast.otto,
        )
    assert queries(client, DRAFT) == before[1]
    publish.publish(NOW, cast.otto, "A test")
    assert [queries(client, url) for url in ("/routing/", DRAFT)] == before


def test_the_navigation_names_only_what_there_is(as_: SignIn, cast: Cast) -> None:
    def places(user: Any) -> list[str]:
        return [item.label for item in as_(user).get("/profile/").context["shell"].nav]

    assert places(cast.otto) == [
        "Team",
        "Leads",
        "Completion",
        "Triage",
        "Routing",
        "Dashboard",
        "Reports",
        "Agreement",
        "Imports",
        "Integrations",
    ]
    assert places(cast.mia) == ["Inbox", "Team", "Leads", "Routing", "Dashboard", "Reports", "Agreement"]
    assert places(cast.femke) == ["Inbox", "Leads", "Dashboard"]
    assert places(cast.vera) == ["Leads", "Dashboard", "Reports", "Agreement"]
    for user in cast:
        client = as_(user)
        for item in client.get("/profile/").context["shell"].nav:
            assert client.get(item.href).status_code == 200, (user, item.href)
