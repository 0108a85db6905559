"""The decision: first match wins, accounts come first, and the trace says why, the same each time."""

import json
from copy import deepcopy
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.conditions import validate
from routing.engine import Ruleset, Target, decide, explain
from routing.facts import COMPANY_STAGES, Facts


def rule(number, when, target=("pool", "1"), fallback=None, policy=None):
    as_place = lambda place: place and {"kind": place[0], "id": place[1]}  # noqa: E731
    return {
        "id": str(number),
        "name": f"Rule {number}",
        "when": when,
        "target": as_place(target),
        "fallback": as_place(fallback),
        "policy": policy,
    }


def country(*codes):
    return {"field": "country", "op": "in", "value": list(codes)}


DOCUMENT = {
    "rules": [
        rule(1, {"all": [country("US")]}, ("rep", "5"), ("pool", "2")),
        rule(
            2, {"all": [{"op": "in_territory", "value": "dach"}]}, ("territory_owner", "dach"), policy="fast"
        ),
        rule(3, {"all": [country("FR")]}, ("account_owner", ""), ("queue", "9")),
        rule(4, {"all": [{"field": "employees", "op": "range", "value": {"min": 1000}}]}, ("pool", "3")),
    ],
    "territories": {
        "dach": {"name": "DACH", "when": {"all": [country("DE", "AT", "CH")]}, "owner": 11},
        "uk": {"name": "UK", "when": {"all": [country("GB")]}, "owner": None},
        "alps": {"name": "Alps", "when": {"all": [country("AT", "CH")]}, "owner": 12},
    },
    "lists": {},
    "overflow": {"kind": "queue", "id": "9"},
}


def test_the_first_rule_that_matches_decides():
    decision = decide(DOCUMENT, Facts(country="US", employees=5_000))
    assert (decision.rule_id, decision.rule_name, decision.policy) == ("1", "Rule 1", None)
    assert decision.targets == (
        Target("rep", "5", "rule"),
        Target("pool", "2", "fallback"),
        Target("queue", "9", "overflow"),
    )
    assert decision.trace == ({"rule": "1", "matched": True},)
    assert decision.absent == ()


def test_the_trace_holds_each_rule_up_to_the_one_that_matched():
    decision = decide(DOCUMENT, Facts(country="GB", employees=5_000))
    assert decision.rule_id == "4"
    assert [(entry["rule"], entry["matched"]) for entry in decision.trace] == [
        ("1", False), ("2", False), ("3", False), ("4", True),
    ]  # fmt: skip
    assert decision.trace[0]["failed"] == {"field": "country", "op": "in", "value": ["US"], "seen": "GB"}
    assert decision.trace[1]["failed"]["because"]["value"] == ["DE", "AT", "CH"]


def test_no_rule_gives_no_target_and_names_what_was_missing():
    decision = decide(DOCUMENT, Facts(country="GB"))
    assert (decision.rule_id, decision.rule_name, decision.targets) == (None, None, ())
    assert decision.absent == ("employees",)
    assert decide(DOCUMENT, Facts()).absent == ("country", "employees")
    assert decide(DOCUMENT, Facts(country="GB", employees=9)).absent == ()
    assert decide({}, Facts()).trace == ()


def test_the_owner_of_a_territory_is_looked_up():
    decision = decide(DOCUMENT, Facts(country="AT"))
    assert decision.targets == (Target("territory_owner", "11", "rule"), Target("queue", "9", "overflow"))
    assert (decision.territory, decision.policy) == ("dach", "fast"), "the one the rule asked for"


def test_a_rule_may_hand_to_the_owner_of_whatever_territory_it_is():
    document = DOCUMENT | {"rules": [rule(1, {"all": []}, ("territory_owner", ""))]}
    assert decide(document, Facts(country="AT")).targets[0] == Target("territory_owner", "12", "rule")
    ownerless = decide(document, Facts(country="GB"))
    assert ownerless.targets == (Target("queue", "9", "overflow"),)
    assert ownerless.trace[-1] == {"skipped": "territory_owner", "id": "uk", "why": "rule"}
    nowhere = decide(document, Facts(country="JP"))
    assert nowhere.trace[-1] == {"skipped": "territory_owner", "id": None, "why": "rule"}


def test_the_territory_is_told_even_when_no_rule_asked():
    assert decide(DOCUMENT, Facts(country="GB")).territory == "uk"
    catch_all = DOCUMENT | {"rules": [rule(1, {"all": []})]}
    assert decide(catch_all, Facts(country="AT")).territory == "alps", "the first by slug"
    assert decide(catch_all, Facts()).territory is None


def test_an_existing_customer_goes_to_the_account_owner_first():
    facts = Facts(country="US", company_stage="customer", account_owner=7)
    decision = decide(DOCUMENT, facts)
    assert decision.rule_id == "1"
    assert [(t.kind, t.id, t.why) for t in decision.targets] == [
        ("account_owner", "7", "account"),
        ("rep", "5", "rule"),
        ("pool", "2", "fallback"),
        ("queue", "9", "overflow"),
    ]
    assert decision.trace[-1] == {"account": "7"}


@pytest.mark.parametrize(
    ("facts", "document"),
    [
        (Facts(country="US", company_stage="customer"), {}),
        (Facts(country="US", account_owner=7), {}),
        *[
            (Facts(country="US", account_owner=7, company_stage=stage), {})
            for stage in COMPANY_STAGES
            if stage != "customer"
        ],
        (Facts(country="US", company_stage="customer", account_owner=7), {"account_first": False}),
    ],
)
def test_who_is_no_owned_customer_goes_by_the_rule(facts, document):
    assert decide(DOCUMENT | document, facts).targets[0] == Target("rep", "5", "rule")


def test_a_customer_no_rule_matches_is_not_routed():
    assert decide(DOCUMENT, Facts(country="GB", company_stage="customer", account_owner=7)).targets == ()


def test_an_account_without_an_owner_is_a_visible_outcome():
    decision = decide(DOCUMENT, Facts(country="FR"))
    assert decision.targets == (Target("queue", "9", "fallback"),), "queue 9 only once"
    assert decision.trace[-1] == {"skipped": "account_owner", "id": None, "why": "rule"}


def test_the_same_person_is_a_target_once():
    decision = decide(DOCUMENT, Facts(country="US", company_stage="customer", account_owner=5))
    assert [(t.kind, t.why) for t in decision.targets] == [
        ("account_owner", "account"), ("pool", "fallback"), ("queue", "overflow"),
    ]  # fmt: skip


def test_who_rejected_it_makes_no_difference_here():
    facts = Facts(country="US")
    assert decide(DOCUMENT, facts) == decide(DOCUMENT, Facts(country="US", rejected_by=(5, 7)))


def test_a_rule_that_cannot_be_read_matches_nothing():
    document = DOCUMENT | {
        "rules": [rule(1, {"all": [{"field": "country", "op": "like"}]}), rule(2, {"all": []})]
    }
    decision = decide(document, Facts(country="US"))
    assert decision.rule_id == "2"
    assert (
        explain(document, decision.trace)[0] == "Rule “Rule 1” did not match: its conditions cannot be read."
    )


def test_a_prepared_ruleset_decides_the_same_and_is_not_touched_by_its_traces():
    ruleset = Ruleset(DOCUMENT)
    first = decide(ruleset, Facts(country="GB"))
    kept = json.dumps(first.trace)
    for entry in first.trace:
        entry["failed"].clear()
    assert json.dumps(decide(ruleset, Facts(country="GB")).trace) == kept
    assert json.dumps(decide(DOCUMENT, Facts(country="GB")).trace) == kept


def test_a_renamed_or_reordered_key_changes_no_trace():
    """A database may give the keys of an object back in another order."""
    mixed = json.loads(json.dumps(DOCUMENT, sort_keys=True))
    for facts in (Facts(country="AT"), Facts(country="GB"), Facts(country="FR", employees=3)):
        assert json.dumps(decide(mixed, facts).trace) == json.dumps(decide(DOCUMENT, facts).trace)
        assert decide(mixed, facts) == decide(DOCUMENT, facts)


def test_the_trace_in_words():
    def words(facts):
        trace = json.loads(json.dumps(decide(DOCUMENT, facts).trace))
        return explain(DOCUMENT, trace, lambda kind, who: f"the {kind} no. {who}")

    assert words(Facts(country="US", company_stage="customer", account_owner=7)) == [
        "Rule “Rule 1” matched: country is US.",
        "The company is a customer, so its account owner comes first: the account_owner no. 7.",
        "Otherwise it goes to the rep no. 5, else to the pool no. 2, else to the queue no. 9.",
    ]
    assert words(Facts(country="AT")) == [
        "Rule “Rule 1” did not match: it asks that country is US, but country is AT.",
        "Rule “Rule 2” matched: territory is DACH.",
        "It goes to the owner of territory DACH, else to the queue no. 9.",
    ]
    assert words(Facts(country="FR")) == [
        "Rule “Rule 1” did not match: it asks that country is US, but country is FR.",
        "Rule “Rule 2” did not match: it asks that territory is DACH, but country is FR.",
        "Rule “Rule 3” matched: country is FR.",
        "The account has no owner.",
        "It goes to the queue no. 9.",
    ]
    assert words(Facts())[-2:] == [
        "Rule “Rule 4” did not match: it asks that number of employees is 1,000 or more, "
        "but number of employees is not known.",
        "No rule matched.",
    ]


def test_groups_in_words():
    document = {
        "rules": [
            rule(1, {"none": [country("US", "CA"), {"op": "in_territory", "value": "dach"}]}),
            rule(2, {"any": [country("FR"), {"field": "language", "op": "equals", "value": "fr"}]}),
        ],
        "territories": DOCUMENT["territories"],
    }
    assert explain(document, decide(document, Facts(country="US")).trace) == [
        "Rule “Rule 1” did not match: country is US, which it leaves out.",
        "Rule “Rule 2” did not match: none of its alternatives holds; "
        "the first asks that country is FR, but country is US.",
        "No rule matched.",
    ]
    assert explain(document, decide(document, Facts(country="DE")).trace)[0] == (
        "Rule “Rule 1” did not match: territory is DACH, which it leaves out."
    )


# A reference written apart from the engine: naive, slow, over plain dictionaries, for generated rulesets.

CODES = ["DE", "AT", "US", "GB"]
INDUSTRIES = ["Retail", "Health Care", "Energy"]


def naive_leaf(leaf, facts, document):
    op, value = leaf["op"], leaf.get("value")
    if op == "in_territory":
        return naive_group(document["territories"][value]["when"], facts, document)
    name = leaf["field"]
    seen = facts["custom"].get(name[7:]) if name.startswith("custom.") else facts[name]
    known = seen not in (None, "", [])
    if op == "absent":
        return not known
    if not known:
        return False
    if op == "present":
        return True
    if op == "range":
        at_least = value.get("min") is None or Decimal(str(seen)) >= Decimal(str(value["min"]))
        return at_least and (value.get("max") is None or Decimal(str(seen)) <= Decimal(str(value["max"])))
    many = [str(v).lower() for v in (seen if isinstance(seen, list) else [seen])]
    wanted = document["lists"][value] if op == "in_list" else value if isinstance(value, list) else [value]
    wanted = [str(v).lower() for v in wanted]
    if op == "starts_with":
        return any(m.startswith(w) for m in many for w in wanted)
    if op == "contains_word":
        return any(w in m.split() for m in many for w in wanted)
    return any(m == w for m in many for w in wanted)


def naive_group(group, facts, document):
    [(kind, parts)] = group.items()
    answers = [
        naive_leaf(p, facts, document) if "op" in p else naive_group(p, facts, document) for p in parts
    ]
    return {"all": all(answers), "any": any(answers), "none": not any(answers)}[kind]


def some_leaf(rng):
    return rng.choice(
        [
            lambda: country(*rng.sample(CODES, rng.randint(1, 2))),
            lambda: {"field": "industry", "op": "equals", "value": rng.choice(INDUSTRIES)},
            lambda: {"field": "industry", "op": "contains_word", "value": rng.choice(["care", "energy"])},
            lambda: {"field": "industry", "op": "starts_with", "value": rng.choice(["re", "he", "x"])},
            lambda: {
                "field": rng.choice(["score_total", "employees"]),
                "op": "range",
                "value": rng.choice([{"min": 50}, {"max": 60}, {"min": 40, "max": 70}]),
            },
            lambda: {"field": "technologies", "op": "in", "value": rng.sample(["a", "b", "c"], 2)},
            lambda: {"field": "custom.plan", "op": "in", "value": rng.sample(["gold", "tin", 3], 2)},
            lambda: {"field": "company_domain", "op": "in_list", "value": "named"},
            lambda: {"field": rng.choice(["region", "country"]), "op": rng.choice(["present", "absent"])},
            lambda: {"op": "in_territory", "value": rng.choice(["t0", "t1"])},
        ]
    )()


def some_group(rng, depth=1):
    parts = [
        some_group(rng, 0) if depth and rng.random() < 0.25 else some_leaf(rng)
        for _ in range(rng.randint(1, 3))
    ]
    return {rng.choice(["all", "all", "any", "none"]): parts}


def some_territory(rng):
    return {
        "all": [country(*rng.sample(CODES, 2)), {"field": "score_total", "op": "range", "value": {"min": 20}}]
    }


def some_document(rng):
    places = [("pool", "1"), ("pool", "2"), ("queue", "1"), ("rep", "4")]
    return {
        "rules": [
            rule(n, some_group(rng), rng.choice(places), rng.choice([None, *places]))
            for n in range(rng.randint(1, 6))
        ],
        "territories": {
            f"t{n}": {"name": f"T{n}", "when": some_territory(rng), "owner": rng.choice([None, n])}
            for n in range(2)
        },
        "lists": {"named": ["a.com", "b.com"]},
        "overflow": {"kind": "queue", "id": "1"},
    }


def some_facts(rng):
    return Facts(
        country=rng.choice([None, "", *CODES]),
        region=rng.choice([None, "", "North"]),
        industry=rng.choice([None, *INDUSTRIES]),
        score_total=rng.choice([None, 0, 40, 50, 60, 65, 70, 90]),
        employees=rng.choice([None, 1, 55, 1_000]),
        company_domain=rng.choice([None, "a.com", "x.com"]),
        company_stage=rng.choice([None, "customer", "prospect"]),
        account_owner=rng.choice([None, 4, 8]),
        technologies=tuple(rng.sample(["a", "b", "c"], rng.randint(0, 2))),
        custom={"plan": rng.choice([None, "Gold", 3])},
    )


def as_plain(facts):
    names = ("country", "region", "industry", "score_total", "employees", "company_domain")
    plain = {name: getattr(facts, name) for name in names}
    return plain | {"technologies": list(facts.technologies), "custom": dict(facts.custom)}


def test_ten_thousand_decisions_equal_a_naive_reference():
    rng = Random(20260101)
    outcomes = set()
    for _ in range(2_500):
        document = some_document(rng)
        ruleset = Ruleset(document)
        for _ in range(4):
            facts = some_facts(rng)
            plain = as_plain(facts)
            decision = decide(ruleset, facts)
            first = next(
                (r["id"] for r in document["rules"] if naive_group(r["when"], plain, document)), None
            )
            assert decision.rule_id == first, (document, facts)
            named = [entry["rule"] for entry in decision.trace if entry.get("matched")]
            assert named == ([first] if first is not None else [])
            outcomes.add(first)
    assert len(outcomes) > 4


def with_a_fact(facts, name, rng):
    """The same facts with one missing fact filled in, each way a rule of `some_document` could like."""
    values = {
        "country": CODES, "region": ["North"], "industry": INDUSTRIES, "score_total": [10, 50, 65, 90],
        "employees": [10, 55, 1_000], "company_domain": ["a.com"], "technologies": [("a", "b", "c")],
        "custom.plan": ["gold", "tin", 3],
    }  # fmt: skip
    for value in values[name]:
        change = {"custom": {"plan": value}} if name == "custom.plan" else {name: value}
        yield Facts(**{f: getattr(facts, f) for f in facts.__dataclass_fields__} | change)


def test_a_single_missing_fact_that_would_let_a_rule_match_is_always_named():
    rng = Random(8)
    named = 0
    for _ in range(1_500):
        document = some_document(rng)
        facts = some_facts(rng)
        decision = decide(document, facts)
        if decision.rule_id is not None:
            continue
        for name in (
            "country",
            "region",
            "industry",
            "score_total",
            "employees",
            "company_domain",
            "custom.plan",
        ):
            seen = facts.custom["plan"] if name == "custom.plan" else getattr(facts, name)
            if seen in (None, "") and any(decide(document, f).rule_id for f in with_a_fact(facts, name, rng)):
                assert name in decision.absent, (document, facts)
                named += 1
    assert named > 50


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_the_same_inputs_give_the_same_trace_byte_for_byte(seed):
    rng = Random(seed)
    document, facts = some_document(rng), some_facts(rng)
    before = deepcopy(document)
    assert all(
        validate(r["when"], territories={"t0", "t1"}, lists={"named"}) == [] for r in document["rules"]
    )
    first = decide(document, facts)
    stored = json.loads(json.dumps(document, sort_keys=True))
    again = decide(Ruleset(stored), Facts.from_json(json.loads(json.dumps(facts.to_json()))))
    assert json.dumps(first.trace) == json.dumps(again.trace)
    assert first == again
    assert json.loads(json.dumps(first.trace)) == list(first.trace)
    assert explain(document, first.trace) == explain(stored, json.loads(json.dumps(first.trace)))
    assert document == before, "nothing is written into the document"
    assert len(json.dumps(first.trace)) < 400 * len(document["rules"]) + 200
