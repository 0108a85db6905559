"""The decision: first match wins, accounts come first, and the trace says why, the same each time."""

import json
from copy import deepcopy
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.conditions import validate
from routing.engine import PERSONAL, Ruleset, Target, decide, expand, explain
from routing.facts import COMPANY_STAGES, Facts
from tests.bench.deciding import world


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
    assert decision.trace == {"failed": [], "matched": "1"}
    assert decision.absent == ()


def test_the_trace_numbers_the_leaf_on_which_each_rule_before_the_match_failed():
    groups = [
        {"all": [country("GB"), {"any": [country("US"), country("FR")]}, country("GB")]},
        {"all": [{"all": [country("GB"), country("GB")]}, {"none": [country("US"), country("GB")]}]},
        {"any": [{"all": [country("GB"), country("US")]}, country("FR")]},
        {"none": [{"any": [country("US"), country("GB")]}]},
        {"all": [country("GB"), {"any": [country("GB")]}, country("US")]},
        {"all": []},
    ]
    document = {"rules": [rule(number, when) for number, when in enumerate(groups)]}
    assert decide(document, Facts(country="GB")).trace == {"failed": [1, 3, 1, 1, 2], "matched": "5"}


def test_a_trace_in_full_holds_each_rule_up_to_the_one_that_matched():
    facts = Facts(country="GB", employees=5_000)
    decision = decide(DOCUMENT, facts)
    assert decision.trace == {"failed": [0, 0, 0], "matched": "4"}
    entries = expand(DOCUMENT, facts, decision.trace)
    assert [(entry["rule"], entry["matched"]) for entry in entries] == [
        ("1", False), ("2", False), ("3", False), ("4", True),
    ]  # fmt: skip
    assert entries[0]["failed"] == {"field": "country", "op": "in", "value": ["US"], "seen": "GB"}
    assert entries[1]["failed"]["because"]["value"] == ["DE", "AT", "CH"]


def test_no_rule_gives_no_target_and_names_what_was_missing():
    decision = decide(DOCUMENT, Facts(country="GB"))
    assert (decision.rule_id, decision.rule_name, decision.targets) == (None, None, ())
    assert decision.absent == ("employees",)
    assert decide(DOCUMENT, Facts()).absent == ("country", "employees")
    assert decide(DOCUMENT, Facts(country="GB", employees=9)).absent == ()
    assert decide({}, Facts()).trace == {"failed": []}


def test_the_owner_of_a_territory_is_looked_up():
    decision = decide(DOCUMENT, Facts(country="AT"))
    assert decision.targets == (Target("territory_owner", "11", "rule"), Target("queue", "9", "overflow"))
    assert (decision.territory, decision.policy) == ("dach", "fast"), "the one the rule asked for"


def test_a_rule_may_hand_to_the_owner_of_whatever_territory_it_is():
    document = DOCUMENT | {"rules": [rule(1, {"all": []}, ("territory_owner", ""))]}
    assert decide(document, Facts(country="AT")).targets[0] == Target("territory_owner", "12", "rule")
    ownerless = decide(document, Facts(country="GB"))
    assert ownerless.targets == (Target("queue", "9", "overflow"),)
    assert ownerless.trace["skipped"] == [{"kind": "territory_owner", "id": "uk", "why": "rule"}]
    nowhere = decide(document, Facts(country="JP"))
    assert nowhere.trace["skipped"] == [{"kind": "territory_owner", "id": None, "why": "rule"}]
    assert expand(document, Facts(country="JP"), nowhere.trace)[-1] == {
        "skipped": "territory_owner", "id": None, "why": "rule",
    }  # fmt: skip


def test_the_territory_is_told_even_when_no_rule_asked():
    assert decide(DOCUMENT, Facts(country="GB")).territory == "uk"
    catch_all = DOCUMENT | {"rules": [rule(1, {"all": []})]}
    assert decide(catch_all, Facts(country="AT")).territory == "alps", "the first by slug"
    assert decide(catch_all, Facts()).territory is None


@pytest.mark.parametrize("stage", [None, *COMPANY_STAGES])
def test_the_owner_of_the_company_comes_first(stage):
    facts = Facts(country="US", company_stage=stage, account_owner=7)
    decision = decide(DOCUMENT, facts)
    assert decision.rule_id == "1"
    assert [(t.kind, t.id, t.why) for t in decision.targets] == [
        ("account_owner", "7", "account"),
        ("rep", "5", "rule"),
        ("pool", "2", "fallback"),
        ("queue", "9", "overflow"),
    ]
    assert decision.trace == {"failed": [], "matched": "1", "account": "7"}
    assert expand(DOCUMENT, facts, decision.trace)[-1] == {"account": "7"}
    assert decide(DOCUMENT | {"account_first": "owned"}, facts) == decision


@pytest.mark.parametrize(
    ("facts", "document"),
    [
        (Facts(country="US", company_stage="customer"), {}),
        (Facts(country="US", account_owner=7), {"account_first": "customers"}),
        *[
            (Facts(country="US", account_owner=7, company_stage=stage), {"account_first": "customers"})
            for stage in COMPANY_STAGES
            if stage != "customer"
        ],
        (Facts(country="US", company_stage="customer", account_owner=7), {"account_first": "never"}),
    ],
)
def test_otherwise_it_goes_by_the_rule(facts, document):
    decision = decide(DOCUMENT | document, facts)
    assert decision.targets[0] == Target("rep", "5", "rule")
    assert "account" not in decision.trace


def test_a_ruleset_may_put_owners_first_for_customers_only():
    facts = Facts(country="US", company_stage=" Customer", account_owner=7)
    document = DOCUMENT | {"account_first": "customers"}
    assert decide(document, facts).targets[0] == Target("account_owner", "7", "account")


def test_a_customer_no_rule_matches_is_not_routed():
    assert decide(DOCUMENT, Facts(country="GB", company_stage="customer", account_owner=7)).targets == ()


def test_an_account_without_an_owner_is_a_visible_outcome():
    decision = decide(DOCUMENT, Facts(country="FR"))
    assert decision.targets == (Target("queue", "9", "fallback"),), "queue 9 only once"
    assert decision.trace["skipped"] == [{"kind": "account_owner", "id": None, "why": "rule"}]


def test_the_same_person_is_a_target_once():
    decision = decide(DOCUMENT, Facts(country="US", company_stage="customer", account_owner=5))
    assert [(t.kind, t.why) for t in decision.targets] == [
        ("account_owner", "account"), ("pool", "fallback"), ("queue", "overflow"),
    ]  # fmt: skip


def test_who_rejected_it_makes_no_difference_here():
    facts = Facts(country="US")
    again = Facts(country="US", rejected_by=(5, 7), lapsed_by=(5,))
    assert decide(DOCUMENT, facts) == decide(DOCUMENT, again)


def test_a_rule_that_cannot_be_read_matches_nothing():
    document = DOCUMENT | {
        "rules": [rule(1, {"all": [{"field": "country", "op": "like"}]}), rule(2, {"all": []})]
    }
    decision = decide(document, Facts(country="US"))
    assert decision.trace == {"failed": [-1], "matched": "2"}
    told = explain(document, Facts(country="US"), decision.trace)
    assert told[0] == "Rule “Rule 1” did not match: its conditions cannot be read."


def test_a_prepared_ruleset_decides_the_same_and_is_not_touched_by_its_traces():
    ruleset = Ruleset(DOCUMENT)
    facts = Facts(country="GB")
    first = decide(ruleset, facts)
    entries = expand(ruleset, facts, first.trace)
    kept = json.dumps(first.trace), json.dumps(entries)
    for entry in entries:
        entry["failed"].get("value", {}).clear() if entry["rule"] != "2" else entry["failed"].clear()
    first.trace["failed"].clear()
    for rules in (ruleset, DOCUMENT):
        again = decide(rules, facts)
        assert (json.dumps(again.trace), json.dumps(expand(rules, facts, again.trace))) == kept


def test_a_renamed_or_reordered_key_changes_no_trace():
    """A database may give the keys of an object back in another order."""
    mixed = json.loads(json.dumps(DOCUMENT, sort_keys=True))
    for facts in (Facts(country="AT"), Facts(country="GB"), Facts(country="FR", employees=3)):
        one, other = decide(mixed, facts), decide(DOCUMENT, facts)
        assert one == other
        assert json.dumps(one.trace) == json.dumps(other.trace)
        entries = expand(mixed, facts, json.loads(json.dumps(one.trace, sort_keys=True)))
        assert json.dumps(entries) == json.dumps(expand(DOCUMENT, facts, other.trace))


def test_the_trace_in_words():
    def words(facts):
        trace = json.loads(json.dumps(decide(DOCUMENT, facts).trace))
        return explain(DOCUMENT, facts, trace, lambda kind, who: f"the {kind} no. {who}")

    assert words(Facts(country="US", company_stage="customer", account_owner=7)) == [
        "Rule “Rule 1” matched: country is US.",
        "The company is a customer, so its account owner comes first: the account_owner no. 7.",
        "Otherwise it goes to the rep no. 5, else to the pool no. 2, else to the queue no. 9.",
    ]
    assert words(Facts(country="US", company_stage="prospect", account_owner=7))[1] == (
        "The company has an owner of its own, who comes first: the account_owner no. 7."
    )
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

    def words(facts):
        return explain(document, facts, decide(document, facts).trace)

    assert words(Facts(country="US")) == [
        "Rule “Rule 1” did not match: country is US, which it leaves out.",
        "Rule “Rule 2” did not match: none of its alternatives holds; "
        "the first asks that country is FR, but country is US.",
        "No rule matched.",
    ]
    assert words(Facts(country="DE"))[0] == (
        "Rule “Rule 1” did not match: territory is DACH, which it leaves out."
    )


def test_an_alternative_of_several_conditions_in_words():
    when = {"any": [{"all": [country("US"), {"field": "region", "op": "present"}]}, country("FR")]}
    document = {"rules": [rule(1, when)]}
    facts = Facts(country="US")
    assert explain(document, facts, decide(document, facts).trace)[0] == (
        "Rule “Rule 1” did not match: none of its alternatives holds; "
        "the first asks that region is known, but region is not known."
    )


def test_a_trace_that_fits_no_version_is_read_all_the_same():
    facts = Facts(country="US")
    entries = expand(DOCUMENT, facts, {"failed": [7, 0, 0, 0, 0, 0], "matched": "gone"})
    assert entries[0]["failed"]["op"] == "unreadable"
    assert [entry["rule"] for entry in entries] == ["1", "2", "3", "4", "gone"]
    assert explain(DOCUMENT, facts, {})[-1] == "No rule matched."


# A reference written apart from the engine: naive, slow, over plain dictionaries, for generated rulesets.

CODES = ["DE", "AT", "US", "GB"]
INDUSTRIES = ["Retail", "Health Care", "Energy"]
# More than an index of values takes.
MANY = [f"{number}.com" for number in range(101)]


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
        if isinstance(seen, str):
            return False
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


def naive_failed(group, facts, document, number=0):
    """The number of the leaf on which a group fails, its first leaf being `number`; None when it holds."""
    [(kind, parts)] = group.items()
    if naive_group(group, facts, document):
        return None
    for part in parts:
        is_leaf = "op" in part
        holds = naive_leaf(part, facts, document) if is_leaf else naive_group(part, facts, document)
        if holds == (kind == "none"):
            if is_leaf:
                return number
            if not holds:
                return naive_failed(part, facts, document, number)
            if "any" in part:
                return number + [naive_leaf(leaf, facts, document) for leaf in part["any"]].index(True)
            return number
        number += 1 if is_leaf else len(next(iter(part.values())))
    raise AssertionError("a group that fails has a part on which it fails")


def flat(group):
    for part in next(iter(group.values())):
        if "op" in part:
            yield part
        else:
            yield from flat(part)


def naive_territory(chosen, facts, document):
    """The first that the rule asks for and the lead is in, else the one it hands to, else the first."""
    held = [
        slug
        for slug in sorted(document["territories"])
        if naive_group(document["territories"][slug]["when"], facts, document)
    ]
    if chosen is not None:
        asked = [leaf["value"] for leaf in flat(chosen["when"]) if leaf["op"] == "in_territory"]
        to = chosen["target"]
        hands_to = [to["id"]] if to["kind"] == "territory_owner" and to["id"] else []
        held = [slug for slug in asked if slug in held] + hands_to + held
    return held[0] if held else None


def naive_targets(chosen, facts, document):
    if chosen is None:
        return []
    owner, when = facts["account_owner"], document.get("account_first", "owned")
    is_first = owner and (when == "owned" or (when == "customers" and facts["company_stage"] == "customer"))
    targets = [("person", str(owner), "account")] if is_first else []
    for place, why in (
        (chosen["target"], "rule"), (chosen["fallback"], "fallback"), (document["overflow"], "overflow"),
    ):  # fmt: skip
        if place is None:
            continue
        kind, who = place["kind"], place["id"]
        if kind == "account_owner":
            who = owner
        if kind == "territory_owner":
            slug = who or naive_territory(chosen, facts, document)
            who = document["territories"][slug]["owner"] if slug else None
        kind = kind if kind in ("pool", "queue") else "person"
        if who is not None and (kind, str(who)) not in [target[:2] for target in targets]:
            targets.append((kind, str(who), why))
    return targets


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
            lambda: {"field": "company_domain", "op": "in", "value": [*MANY, "x.com"]},
            lambda: {"field": "custom.plan", "op": "starts_with", "value": rng.choice(["g", "t"])},
            lambda: {"field": "custom.plan", "op": "range", "value": rng.choice([{"min": 3}, {"max": 2}])},
            lambda: {"field": "named_account", "op": "equals", "value": rng.choice(["yes", "no"])},
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
    places = [
        ("pool", "1"), ("pool", "2"), ("queue", "1"), ("rep", "4"), ("account_owner", None),
        ("territory_owner", "t1"), ("territory_owner", None),
    ]  # fmt: skip
    first = rng.choice([{}, *({"account_first": when} for when in ("owned", "customers", "never"))])
    return first | {
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
        named_account=rng.choice([None, "yes", "no"]),
        technologies=tuple(rng.sample(["a", "b", "c"], rng.randint(0, 2))),
        custom={"plan": rng.choice([None, "Gold", 3])},
    )


def as_plain(facts):
    names = (
        "country", "region", "industry", "score_total", "employees", "company_domain", "company_stage",
        "account_owner", "named_account",
    )  # fmt: skip
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
            failed = [naive_failed(r["when"], plain, document) for r in document["rules"]]
            place = failed.index(None) if None in failed else len(failed)
            chosen = document["rules"][place] if None in failed else None
            first = chosen and chosen["id"]
            assert decision.rule_id == first, (document, facts)
            assert decision.trace["failed"] == failed[:place], (document, facts)
            assert decision.trace.get("matched") == first
            targets = [("person" if t.kind in PERSONAL else t.kind, t.id, t.why) for t in decision.targets]
            assert targets == naive_targets(chosen, plain, document), (document, facts)
            assert decision.territory == naive_territory(chosen, plain, document), (document, facts)
            entries = expand(ruleset, facts, decision.trace)
            named = [entry["rule"] for entry in entries if entry.get("matched")]
            assert named == ([first] if first is not None else [])
            for entry, one in zip(entries, document["rules"][:place], strict=False):
                leaf = list(flat(one["when"]))[failed[int(one["id"])]]
                assert (entry["rule"], entry["failed"]["op"]) == (one["id"], leaf["op"])
                assert entry["failed"]["field"] == leaf.get("field", "territory")
            outcomes.add(first)
    assert len(outcomes) > 4


def with_a_fact(facts, name, rng):
    """The same facts with one missing fact filled in, each way a rule of `some_document` could like."""
    values = {
        "country": CODES, "region": ["North"], "industry": INDUSTRIES, "score_total": [10, 50, 65, 90],
        "employees": [10, 55, 1_000], "company_domain": ["a.com"], "technologies": [("a", "b", "c")],
        "named_account": ["yes", "no"],
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
        ruleset = Ruleset(document)
        facts = some_facts(rng)
        decision = decide(ruleset, facts)
        if decision.rule_id is not None:
            continue
        for name in (
            "country",
            "region",
            "industry",
            "score_total",
            "employees",
            "company_domain",
            "named_account",
            "custom.plan",
        ):
            seen = facts.custom["plan"] if name == "custom.plan" else getattr(facts, name)
            if seen in (None, "") and any(decide(ruleset, f).rule_id for f in with_a_fact(facts, name, rng)):
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
    assert first.absent == again.absent
    kept = json.loads(json.dumps(first.trace, sort_keys=True))
    assert kept == first.trace
    assert json.dumps(expand(document, facts, first.trace)) == json.dumps(expand(stored, facts, kept))
    assert explain(document, facts, first.trace) == explain(stored, facts, kept)
    assert document == before, "nothing is written into the document"


def test_what_is_stored_of_two_hundred_rules_is_small():
    document, leads = world(Random(3))
    assert (len(document["rules"]), len(document["territories"])) == (200, 50)
    document["rules"].pop()
    ruleset = Ruleset(document)
    traces = [decide(ruleset, facts).trace for facts in leads[:500]]
    unmatched = [trace for trace in traces if "matched" not in trace]
    assert unmatched and all(len(trace["failed"]) == 199 for trace in unmatched)
    assert max(len(json.dumps(trace)) for trace in traces) < 800
