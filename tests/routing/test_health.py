"""Rule health and coverage: each finding at its bound; unreachable is only what no lead reaches."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.conditions import evaluate
from routing.facts import Facts
from routing.health import Count, Person, PoolState, RuleState, World, coverage, inspect, unreachable
from tests.routing.test_implication import DOCS, FACTS, LISTS, TERRITORIES

TODAY = date(2026, 3, 10)
DE = {"all": [{"field": "country", "op": "equals", "value": "DE"}]}
DACH = {"all": [{"field": "country", "op": "in", "value": ["DE", "AT"]}]}
FINE = RuleState(
    since=date(2025, 1, 1), owner="Otto", last_reviewed=date(2026, 1, 5), due_on=date(2026, 6, 30)
)
PEOPLE = {
    "1": Person("Femke"),
    "2": Person("Jonas", away_until=date(2026, 3, 20)),
    "3": Person("Rosa", active=False),
    "4": Person("Mia", away_until=date(2026, 3, 15)),
}
POOLS = {
    "10": PoolState("Good", ("1", "2")),
    "11": PoolState("Away", ("2", "4", "3")),
    "12": PoolState("Gone", ("3",)),
    "13": PoolState("Empty"),
}


def rule(
    pk: str = "a", when: Any = DE, kind: str = "pool", target: str = "10", **parts: Any
) -> dict[str, Any]:
    made = {"id": pk, "name": f"Rule {pk}", "when": when, "target": {"kind": kind, "id": target}}
    return made | {"fallback": None, "policy": None} | parts


def findings(
    *rules: dict[str, Any], state: RuleState = FINE, count: Count = Count(9), **parts: Any
) -> dict[str, list[str]]:
    document = {"rules": list(rules), "territories": {}, "lists": {}} | parts
    states, counts = {row["id"]: state for row in rules}, {row["id"]: count for row in rules}
    world = World(PEOPLE, POOLS, states, frozenset({"demo"}))
    found = inspect(document, world, counts, TODAY)
    return {pk: [f"{finding.kind}: {finding.words}" for finding in rows] for pk, rows in found.items()}


def test_a_rule_in_good_health_has_no_finding() -> None:
    assert findings(rule(policy="demo", fallback={"kind": "rep", "id": "1"})) == {"a": []}


@pytest.mark.parametrize(
    ("kind", "target", "said"),
    [
        ("rep", "1", []),
        ("rep", "2", ["away: Its target, Jonas, is away until 20 March 2026."]),
        ("rep", "3", ["inactive: Its target, Rosa, is no longer active."]),
        ("rep", "9", ["inactive: Its target, a person, is gone."]),
        ("pool", "11", ["away: Its target, the pool Away, has all its members away until 15 March 2026."]),
        ("pool", "12", ["empty: Its target, the pool Gone, has no active member."]),
        ("pool", "13", ["empty: Its target, the pool Empty, has nobody in rotation."]),
        ("pool", "99", ["empty: Its target, a pool, is gone."]),
        ("account_owner", "", []),
        ("territory_owner", "", []),
        (
            "territory_owner",
            "north",
            ["inactive: Its target, the owner of North, Rosa, is no longer active."],
        ),
        ("territory_owner", "none", ["inactive: Its target, the owner of None, is nobody."]),
    ],
)
def test_where_it_sends_its_leads(kind: str, target: str, said: list[str]) -> None:
    territories = {
        "north": {"name": "North", "when": DE, "owner": 3},
        "none": {"name": "None", "when": DE, "owner": None},
    }  # fmt: skip
    assert findings(rule(kind=kind, target=target), territories=territories)["a"] == said
    fallback = findings(rule(fallback={"kind": kind, "id": target}), territories=territories)["a"]
    assert fallback == [words.replace("Its target, ", "Its fallback, ") for words in said]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (RuleState(FINE.since, "Otto", FINE.last_reviewed, TODAY), []),
        (
            RuleState(FINE.since, "Otto", FINE.last_reviewed, TODAY - timedelta(days=1)),
            ["overdue: Its review is 1 day overdue."],
        ),
        (
            RuleState(FINE.since, None, None, TODAY - timedelta(days=70)),
            [
                "no_owner: Nobody owns it: its reviews go to marketing ops.",
                "overdue: Its review is 70 days overdue.",
                "never_reviewed: It was never reviewed.",
            ],
        ),
    ],
)
def test_its_reviews(state: RuleState, said: list[str]) -> None:
    assert findings(rule(), state=state)["a"] == said


def test_its_policy() -> None:
    [words] = findings(rule(policy="gold"))["a"]
    assert words == "policy: Its SLA policy \u201cgold\u201d is not in force; the default is used."


@pytest.mark.parametrize(
    ("count", "kinds"),
    [
        (Count(0, 0), ["unused"]),
        (Count(4, 4), []),
        (Count(5, 5), ["out_of_territory"]),
        (Count(25, 5), ["out_of_territory"]),
        (Count(26, 5), []),
        (Count(100, 20), ["out_of_territory"]),
    ],
)
def test_what_it_did(count: Count, kinds: list[str]) -> None:
    assert [words.partition(":")[0] for words in findings(rule(), count=count)["a"]] == kinds


def test_a_young_rule_and_the_last_resort_are_not_called_unused() -> None:
    young = RuleState(TODAY - timedelta(days=89), "Otto", FINE.last_reviewed, FINE.due_on)
    assert findings(rule(), state=young, count=Count())["a"] == []
    old = RuleState(TODAY - timedelta(days=90), "Otto", FINE.last_reviewed, FINE.due_on)
    assert len(findings(rule(), state=old, count=Count())["a"]) == 1
    assert findings(rule(when={"all": []}), count=Count())["a"] == []


def test_a_rule_that_an_earlier_one_swallows() -> None:
    found = findings(
        rule("wide", DACH), rule("other", {"all": [*DE["all"], *DACH["all"]]}), rule("end", {"all": []})
    )
    assert found["wide"] == [] and found["end"] == []
    assert found["other"] == [
        "unreachable: It is never reached: rule 1 \u201cRule wide\u201d takes every lead that this one"
        " would take."
    ]
    found = findings(rule("all", {"all": []}), rule("after", DE))
    assert "rule 1 \u201cRule all\u201d takes every lead." in found["after"][0]
    never = {"all": [*DE["all"], {"field": "country", "op": "absent"}]}
    assert "exclude each other" in findings(rule("x", never), rule("y", DE))["x"][0]
    assert findings(rule("x", never), rule("y", DE))["y"] == []


def test_a_rule_that_two_others_swallow_together_is_not_claimed() -> None:
    at = {"all": [{"field": "country", "op": "equals", "value": "AT"}]}
    assert unreachable({"rules": [rule("a", DE), rule("b", at), rule("c", DACH)]}) == {}


@settings(max_examples=150)
@given(st.lists(DOCS, min_size=2, max_size=5), st.lists(FACTS, min_size=20, max_size=20))
def test_no_lead_reaches_a_rule_that_is_called_unreachable(docs: list[Any], leads: list[Facts]) -> None:
    document = {
        "rules": [rule(str(number), doc) for number, doc in enumerate(docs)],
        "territories": TERRITORIES, "lists": LISTS,
    }  # fmt: skip
    blocked = unreachable(document)
    for facts in leads if blocked else ():
        matched = (n for n, doc in enumerate(docs) if evaluate(doc, facts, TERRITORIES, LISTS).matched)
        assert str(next(matched, None)) not in blocked


def test_grave_findings_come_first() -> None:
    found = findings(
        rule(kind="rep", target="3", policy="gold"), state=RuleState(FINE.since), count=Count(9, 9)
    )
    kinds = [words.partition(":")[0] for words in found["a"]]
    assert kinds == ["inactive", "out_of_territory", "no_owner", "never_reviewed", "policy"]


def test_coverage_counts_what_no_rule_was_meant_for() -> None:
    leads = [
        (Facts(country="BR", source="Webinar", size_band="1-10"), "overflow"),
        (Facts(country="br", source="webinar"), "nothing"),
        (Facts(country="AR"), "overflow"),
        (Facts(country="DE"), "rule"),
    ]
    found = coverage(leads, top=2)
    assert (found.routed, found.overflow, found.nothing) == (4, 2, 1)
    assert [(s.value, s.overflow, s.nothing, s.total) for s in found.segments["country"]] == [
        ("BR", 1, 1, 2), ("AR", 1, 0, 1),
    ]  # fmt: skip
    assert [(s.value, s.total) for s in found.segments["source"]] == [("Webinar", 2), ("", 1)]
    assert [(s.value, s.total) for s in found.segments["industry"]] == [("", 3)]
    assert coverage([]).routed == 0
