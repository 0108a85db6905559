"""Publishing: what the draft compiles to, what keeps it from being published, and the one pointer."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from routing.engine import Ruleset as Compiled
from routing.engine import decide
from routing.facts import Facts
from routing.models import Draft, NamedList, Pool, Queue, Rule, Ruleset, SlaPolicy, Territory, User
from routing.publish import NoReason, NotPublishable, check, compile_draft, live, publish, restore
from tests.conftest import NOW, Cast

DACH = {"all": [{"field": "country", "op": "in", "value": ["DE", "AT", "CH"]}]}

DACH_DEMO = {
    "all": [
        {"op": "in_territory", "value": "dach"},
        {"field": "lead_type", "op": "equals", "value": "demo"},
    ]
}


@pytest.fixture
def pool(cast: Cast) -> Pool:
    made = Pool.objects.create(slug="dach", name="DACH")
    made.seats.create(user=cast.femke)
    return made


@pytest.fixture
def draft(cast: Cast, pool: Pool) -> list[Rule]:
    """Demo leads of DACH to the pool, else the territory's owner; the rest to the overflow queue."""
    Rule.objects.all().delete()
    Territory.objects.create(slug="dach", name="DACH", conditions=DACH, owner=cast.rosa)
    first = Rule.objects.create(
        position=1, name=" DACH demo ", target_kind="pool", target_id=str(pool.pk),
        conditions=DACH_DEMO,
        fallback_kind="territory_owner", fallback_id="dach", policy_slug="demo",
    )  # fmt: skip
    overflow = Queue.objects.get(kind=Queue.Kind.OVERFLOW)
    last = Rule.objects.create(
        position=9, name="Everything else", target_kind="queue", target_id=str(overflow.pk),
        conditions={"all": []},
    )  # fmt: skip
    Rule.objects.create(
        position=0, name="Asleep", conditions={"nonsense": 1}, target_kind="rep", is_active=False
    )
    return [first, last]


def refused() -> list[str]:
    version = live()
    with pytest.raises(NotPublishable) as caught:
        publish(NOW, None)
    assert live() == version
    return [str(problem) for problem in caught.value.problems]


def test_the_document_is_what_the_engine_reads(cast: Cast, draft: list[Rule], pool: Pool) -> None:
    first, last = draft
    overflow = str(Queue.objects.get(kind=Queue.Kind.OVERFLOW).pk)
    assert compile_draft() == {
        "rules": [
            {
                "id": str(first.pk),
                "name": "DACH demo",
                "when": first.conditions,
                "target": {"kind": "pool", "id": str(pool.pk)},
                "fallback": {"kind": "territory_owner", "id": "dach"},
                "policy": "demo",
            },
            {
                "id": str(last.pk),
                "name": "Everything else",
                "when": {"all": []},
                "target": {"kind": "queue", "id": overflow},
                "fallback": None,
                "policy": None,
            },
        ],
        "territories": {"dach": {"name": "DACH", "when": DACH, "owner": cast.rosa.pk}},
        "lists": {},
        "overflow": {"kind": "queue", "id": overflow},
        "account_first": "owned",
    }
    decision = decide(Compiled(publish(NOW, None).document), Facts(country="at", lead_type="demo"))
    assert (decision.rule_name, decision.territory, decision.policy) == ("DACH demo", "dach", "demo")
    assert [(target.kind, target.id) for target in decision.targets] == [
        ("pool", str(pool.pk)), ("territory_owner", str(cast.rosa.pk)), ("queue", overflow),
    ]  # fmt: skip
    assert decide(live().document, Facts(country="US")).rule_name == "Everything else"


def test_publishing_moves_the_one_pointer(cast: Cast, draft: list[Rule]) -> None:
    before = live()
    assert before is not None
    made = publish(NOW, cast.otto, "  Germany \n first ")
    assert made.version == before.version + 1 and live() == made
    assert (made.published_at, made.published_by, made.note) == (NOW, cast.otto, "Germany first")
    assert Ruleset.objects.filter(is_live=True).count() == 1
    before.refresh_from_db()
    assert before.document != made.document


def test_the_same_draft_publishes_nothing(cast: Cast, draft: list[Rule]) -> None:
    made = publish(NOW, cast.otto, "once")
    count = Ruleset.objects.count()
    assert publish(NOW + timedelta(days=1), cast.ada, "twice") == made
    assert Ruleset.objects.count() == count and live().note == "once"
    Rule.objects.filter(name="Asleep").delete()
    assert publish(NOW, cast.otto, "again") == made
    draft[1].name = "The rest"
    draft[1].save()
    assert publish(NOW, cast.otto, "renamed").version == made.version + 1


def test_an_edit_of_the_draft_changes_no_published_version(cast: Cast, draft: list[Rule]) -> None:
    made = publish(NOW, cast.otto, "a note")
    document = made.document
    Rule.objects.all().delete()
    Territory.objects.all().delete()
    made.refresh_from_db()
    assert made.document == document


def test_active_lists_and_whose_account_comes_first_are_of_the_draft(cast: Cast, draft: list[Rule]) -> None:
    NamedList.objects.create(slug="named", name="Named", kind="domains", values=["x.com"])
    NamedList.objects.create(slug="old", name="Old", values=["y"], is_active=False)
    Draft.objects.update(account_first="never")
    draft[0].conditions = {"all": [{"field": "company_domain", "op": "in_list", "value": "named"}]}
    draft[0].save()
    document = publish(NOW, None).document
    assert document["lists"] == {"named": ["x.com"]} and document["account_first"] == "never"
    NamedList.objects.update(is_active=False)
    assert refused() == ["Rule 1 \u201cDACH demo\u201d: There is no list \u201cnamed\u201d."]


def test_a_territory_that_is_switched_off_is_not_published(draft: list[Rule]) -> None:
    Territory.objects.update(is_active=False)
    assert compile_draft()["territories"] == {}
    assert "There is no territory" in refused()[0]


def test_compiling_writes_nothing_where_there_is_no_draft_row(draft: list[Rule]) -> None:
    Draft.objects.all().delete()
    assert compile_draft()["account_first"] == "owned" and not Draft.objects.exists()


@pytest.mark.parametrize("note", ["", "   ", "\n"])
def test_a_person_says_why(cast: Cast, draft: list[Rule], note: str) -> None:
    before = live()
    with pytest.raises(NoReason, match="Say why"):
        publish(NOW, cast.otto, note)
    with pytest.raises(NoReason):
        restore(before.version, NOW, cast.otto, note)
    assert live() == before


def test_an_old_version_is_published_again_as_the_next(cast: Cast, draft: list[Rule]) -> None:
    first, second = publish(NOW, cast.otto, "one"), None
    draft[0].name = "Renamed"
    draft[0].save()
    second = publish(NOW, cast.otto, "two")
    later = NOW + timedelta(days=1)
    made = restore(first.version, later, cast.ada, "Too many went astray")
    assert (made.version, made.restored_from, made.document) == (second.version + 1, first, first.document)
    assert (made.published_at, made.published_by, made.note) == (later, cast.ada, "Too many went astray")
    assert live() == made and Ruleset.objects.filter(is_live=True).count() == 1
    assert Rule.objects.get(pk=draft[0].pk).name == "Renamed"
    # Once more: it is in force already.
    assert restore(first.version, later, cast.ada, "again") == made
    with pytest.raises(Ruleset.DoesNotExist):
        restore(99, later, cast.ada, "nothing there")


def test_an_old_version_is_checked_against_the_people_of_today(cast: Cast, draft: list[Rule]) -> None:
    first = publish(NOW, cast.otto, "one")
    Territory.objects.update(owner=cast.nils)
    second = publish(NOW, cast.otto, "two")
    User.objects.filter(pk=cast.rosa.pk).update(is_active=False)
    with pytest.raises(NotPublishable) as caught:
        restore(first.version, NOW, cast.otto, "back")
    assert [str(problem) for problem in caught.value.problems] == [
        "Territory \u201cDACH\u201d: Its owner is no longer active."
    ]
    assert live() == second


def test_an_unknown_word_for_whose_account_comes_first_is_a_problem(draft: list[Rule]) -> None:
    [problem] = check(compile_draft() | {"account_first": "always"})
    assert problem.pointer == "/account_first" and "owned, customers, never" in problem.message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": " "}, "Rule 1: It has no name."),
        ({"conditions": {"all": [{"field": "colour", "op": "equals", "value": "x"}]}}, "There is no field"),
        ({"conditions": {}}, "exactly one of: all, any, none"),
        ({"conditions": {"all": [{"op": "in_territory", "value": "mars"}]}}, "There is no territory"),
        (
            {"conditions": {"all": [{"field": "industry", "op": "in_list", "value": "nowhere"}]}},
            "There is no list",
        ),
        ({"target_kind": "rep", "target_id": "999999"}, "Its target is a person who does not exist."),
        ({"target_kind": "rep", "target_id": "femke"}, "Its target is a person who does not exist."),
        ({"target_id": "999999"}, "Its target is a pool that does not exist."),
        ({"target_id": ""}, "Its target is a pool that does not exist."),
        ({"target_kind": "queue", "target_id": "999999"}, "Its target is a queue that does not exist"),
        ({"fallback_id": "mars"}, "Its fallback is the owner of a territory that does not exist."),
        ({"fallback_kind": "queue", "fallback_id": "0"}, "Its fallback is a queue that does not exist"),
        ({"policy_slug": "gold"}, "There is no live SLA policy called \u201cgold\u201d."),
    ],
)
def test_broken_rules_are_refused_with_the_reason(
    draft: list[Rule], change: dict[str, Any], said: str
) -> None:
    Rule.objects.filter(pk=draft[0].pk).update(**change)
    [problem] = refused()
    assert problem.startswith("Rule 1") and said in problem


def test_a_target_who_left_is_refused(cast: Cast, draft: list[Rule]) -> None:
    Rule.objects.filter(pk=draft[0].pk).update(target_kind="rep", target_id=str(cast.jonas.pk))
    publish(NOW, None)
    User.objects.filter(pk__in=(cast.jonas.pk, cast.rosa.pk)).update(is_active=False)
    assert refused() == [
        "Rule 1 \u201cDACH demo\u201d: Its target is a person who is no longer active.",
        "Territory \u201cDACH\u201d: Its owner is no longer active.",
    ]


def test_the_completion_queue_takes_no_leads_from_rules(draft: list[Rule]) -> None:
    completion = Queue.objects.get(kind=Queue.Kind.COMPLETION)
    Rule.objects.filter(pk=draft[1].pk).update(target_id=str(completion.pk))
    assert refused() == [
        "Rule 2 \u201cEverything else\u201d: Its target is a queue that does not exist or takes no leads."
    ]


def test_an_owner_of_the_account_or_of_whatever_territory_it_is_is_fine(draft: list[Rule]) -> None:
    Rule.objects.filter(pk=draft[0].pk).update(
        target_kind="account_owner", target_id="", fallback_kind="territory_owner", fallback_id=""
    )
    assert check(compile_draft()) == []


def test_a_territory_without_an_owner_is_no_target(draft: list[Rule]) -> None:
    Territory.objects.update(owner=None)
    assert refused() == [
        "Rule 1 \u201cDACH demo\u201d: Its fallback is the owner of a territory that has none."
    ]


def test_broken_territories_are_refused(draft: list[Rule]) -> None:
    Territory.objects.update(conditions={"all": [{"op": "in_territory", "value": "dach"}]})
    assert refused() == ["Territory \u201cDACH\u201d: A territory cannot be defined by a territory."]


def test_every_problem_is_named_with_its_place(draft: list[Rule]) -> None:
    Rule.objects.filter(pk=draft[0].pk).update(name="", policy_slug="gold")
    Rule.objects.filter(pk=draft[1].pk).update(conditions={"any": []})
    assert [problem.pointer for problem in check(compile_draft())] == [
        "/rules/0/name",
        "/rules/0/policy",
        "/rules/1/when/any",
    ]


def test_without_rules_or_overflow_nothing_is_published(draft: list[Rule]) -> None:
    Rule.objects.all().delete()
    assert refused() == ["The ruleset: There is no active rule."]
    Queue.objects.filter(kind=Queue.Kind.OVERFLOW).delete()
    assert len(refused()) == 2


def test_a_policy_that_is_no_longer_live_is_refused(draft: list[Rule]) -> None:
    SlaPolicy.objects.filter(slug="demo").update(is_live=False)
    assert "no live SLA policy" in refused()[0]


def test_queries_do_not_grow_with_rules(
    cast: Cast, draft: list[Rule], django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        Rule.objects.create(
            position=2,
            name=f"Rule {number}",
            conditions=DACH,
            target_kind="rep",
            target_id=str(cast.femke.pk),
        )
    with django_assert_max_num_queries(20):
        publish(NOW, None)


@pytest.mark.storm
@pytest.mark.django_db(transaction=True)
def test_four_publishers_at_once_make_one_version(cast: Cast, draft: list[Rule]) -> None:
    before = live().version

    def work() -> int:
        try:
            return publish(NOW, None).version
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as workers:
        made = {future.result() for future in [workers.submit(work) for _ in range(4)]}
    assert made == {before + 1} == {live().version}
