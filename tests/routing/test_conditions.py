"""Conditions: what each operator makes of a value and of its absence, the check, and the sentence."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.conditions import OPERATORS, evaluate, operators_for, sentence, validate
from routing.facts import FIELDS, Facts


def leaf(field, op, value=None):
    made = {"field": field, "op": op}
    if value is not None:
        made["value"] = value
    return made


def holds(condition, facts, **kwargs):
    return evaluate({"all": [condition]}, facts, **kwargs).matched


LEAD = Facts(
    trigger="demo_request",
    score_total=82,
    country="DE",
    postal_code="SW1A 1AA",
    industry="Financial Services",
    company_domain="example.com",
    company_name="  Köln Straße AG ",
    employees=420,
    revenue="52000000.50",
    company_stage="customer",
    account_owner=12,
    technologies=("Salesforce", "Hub Spot"),
    custom={"plan": "Gold", "seats": "250", "beta": True, "since": 2019, "empty": "  "},
)


@pytest.mark.parametrize(
    "condition",
    [
        leaf("country", "equals", "de"),
        leaf("country", "equals", " DE "),
        leaf("country", "in", ["AT", "DE"]),
        leaf("company_name", "equals", "KÖLN STRASSE ag"),
        leaf("company_name", "equals", "Ko\u0308ln straße AG"),
        leaf("score_total", "equals", 82),
        leaf("score_total", "in", ["82", 3]),
        leaf("score_total", "range", {"min": 82}),
        leaf("score_total", "range", {"max": 82}),
        leaf("score_total", "range", {"min": 80, "max": None}),
        leaf("revenue", "range", {"min": "52000000.5", "max": 52000000.5}),
        leaf("postal_code", "starts_with", "sw1a1"),
        leaf("postal_code", "starts_with", ["EC", "SW1"]),
        leaf("industry", "contains_word", "SERVICES"),
        leaf("industry", "contains_word", ["retail", "financial services"]),
        leaf("account_owner", "equals", 12),
        leaf("account_owner", "in", ["12"]),
        leaf("technologies", "equals", "salesforce"),
        leaf("technologies", "in", ["x", "hub spot"]),
        leaf("technologies", "contains_word", "hub"),
        leaf("custom.plan", "equals", "gold"),
        leaf("custom.plan", "starts_with", "go"),
        leaf("custom.seats", "range", {"min": 200, "max": 300}),
        leaf("custom.seats", "equals", 250),
        leaf("custom.since", "equals", "2019"),
        leaf("custom.beta", "equals", True),
        leaf("custom.beta", "equals", "true"),
        leaf("country", "present"),
        leaf("region", "absent"),
        leaf("custom.empty", "absent"),
        leaf("custom.nothing", "absent"),
    ],
)
def test_met(condition):
    assert validate({"all": [condition]}) == []
    assert holds(condition, LEAD)
    assert not evaluate({"none": [condition]}, LEAD).matched


@pytest.mark.parametrize(
    "condition",
    [
        leaf("country", "equals", "D"),
        leaf("country", "in", ["AT", "CH"]),
        leaf("score_total", "range", {"min": 83}),
        leaf("score_total", "range", {"max": 81}),
        leaf("postal_code", "starts_with", "1AA"),
        leaf("industry", "contains_word", "service"),
        leaf("industry", "contains_word", "services financial"),
        leaf("technologies", "equals", "hub"),
        leaf("custom.plan", "range", {"min": 0}),
        leaf("custom.beta", "equals", 1),
        leaf("country", "absent"),
        leaf("custom.empty", "present"),
    ],
)
def test_not_met(condition):
    assert validate({"all": [condition]}) == []
    assert not holds(condition, LEAD)


def every_leaf():
    """One sound leaf for each field and operator."""
    values = {"one": "1", "some": ["1"], "range": {"min": 0}, "list": "L"}
    for name in (*FIELDS, "custom.x"):
        for op in operators_for(name):
            value = values.get(OPERATORS[op].takes)
            choices = FIELDS[name].choices if name in FIELDS else ()
            if choices and value in ("1", ["1"]):
                value = choices[0] if value == "1" else [choices[0]]
            yield leaf(name, op, value)


@pytest.mark.parametrize("condition", list(every_leaf()), ids=lambda made: f"{made['field']} {made['op']}")
def test_a_missing_fact_meets_no_operator_but_absent(condition):
    assert validate({"all": [condition]}) == []
    blank = Facts(country="", region=" ", revenue="", technologies=("", " "), custom={"x": None})
    for facts in (Facts(), blank):
        verdict = evaluate({"all": [condition]}, facts, lists={"L": ["", None, " ", "0"]})
        assert verdict.matched == (condition["op"] == "absent")
        if not verdict.matched:
            assert verdict.failed["seen"] is None or condition["field"] == "technologies"
            assert verdict.absent == (condition["field"],)


def test_in_a_none_group_a_missing_fact_does_not_count_as_met():
    assert evaluate({"none": [leaf("country", "equals", "US")]}, Facts()).matched
    assert not evaluate({"none": [leaf("country", "absent")]}, Facts()).matched


def test_a_number_that_is_none_is_a_missing_fact():
    verdict = evaluate({"all": [leaf("revenue", "range", {"min": 1})]}, Facts(revenue="about a lot"))
    assert not verdict.matched
    assert verdict.absent == ("revenue",)


def test_the_catch_all_takes_every_lead_and_empty_groups_take_none_by_accident():
    assert evaluate({"all": []}, Facts()).matched
    assert validate({"all": []}) == []
    for doc in ({"any": []}, {"none": []}, {"all": [{"all": []}]}, {"all": [{"none": []}]}):
        assert validate(doc)
        assert not evaluate(doc, LEAD).matched


def test_groups():
    de, retail, big = (
        leaf("country", "equals", "DE"),
        leaf("industry", "equals", "Retail"),
        leaf("employees", "range", {"min": 100}),
    )
    assert evaluate({"any": [retail, de]}, LEAD).matched
    assert not evaluate({"any": [retail]}, LEAD).matched
    assert not evaluate({"none": [retail, de]}, LEAD).matched
    assert evaluate({"all": [de, {"any": [retail, big]}, {"none": [retail]}]}, LEAD).matched
    assert not evaluate({"all": [de, {"none": [retail, big]}]}, LEAD).matched
    assert evaluate({"any": [retail, {"all": [de, big]}]}, LEAD).matched
    assert not evaluate({"none": [{"all": [de, big]}]}, LEAD).matched
    assert evaluate({"none": [{"all": [de, retail]}]}, LEAD).matched


def test_the_verdict_names_the_first_failed_condition_with_the_value_seen():
    doc = {"all": [leaf("country", "equals", "DE"), leaf("score_total", "range", {"max": 50, "min": 10})]}
    assert evaluate(doc, LEAD).failed == {
        "field": "score_total", "op": "range", "value": {"min": 10, "max": 50}, "seen": 82,
    }  # fmt: skip
    failed = evaluate({"any": [leaf("country", "equals", "US"), leaf("region", "present")]}, LEAD).failed
    assert failed == {"field": "country", "op": "equals", "value": "US", "seen": "DE", "group": "any"}
    failed = evaluate({"none": [leaf("region", "present"), leaf("country", "equals", "DE")]}, LEAD).failed
    assert failed == {"field": "country", "op": "equals", "value": "DE", "seen": "DE", "group": "none"}


def test_absent_names_only_facts_that_could_still_make_it_match():
    doc = {"all": [leaf("employees", "range", {"min": 10}), leaf("country", "equals", "DE")]}
    assert evaluate(doc, Facts(country="DE")).absent == ("employees",)
    assert evaluate(doc, Facts()).absent == ("country", "employees")
    assert evaluate(doc, Facts(country="US")).absent == ()
    either = {"any": [leaf("region", "equals", "X"), leaf("custom.plan", "present")]}
    assert evaluate(either, Facts()).absent == ("region", "custom.plan")
    assert evaluate(either, Facts(region="Y")).absent == ("custom.plan",)
    assert evaluate({"none": [leaf("region", "absent")]}, Facts()).absent == ("region",)
    assert evaluate({"all": [leaf("region", "absent")]}, Facts(region="Y")).absent == ()


def test_what_is_kept_of_a_failed_condition_is_small():
    many = [f"{'x' * 1_900}{n}" for n in range(5_000)]
    facts = Facts(company_name="y" * 100_000, technologies=tuple(many))
    for condition in (leaf("company_name", "in", many), leaf("technologies", "equals", "z")):
        verdict = evaluate({"all": [condition]}, facts)
        assert not verdict.matched
        assert len(json.dumps(verdict.failed)) < 1_500
    assert evaluate({"all": [leaf("country", "in", many)]}, LEAD).failed["more"] == len(many) - 6


TERRITORIES = {
    "dach": {"name": "DACH", "when": {"all": [leaf("country", "in", ["DE", "AT", "CH"])]}, "owner": 3},
    "uk": {"name": "UK", "when": {"all": [leaf("country", "equals", "GB")]}, "owner": None},
    "loop": {"name": "Loop", "when": {"all": [{"op": "in_territory", "value": "dach"}]}, "owner": None},
}


def test_territories():
    def within(value, facts=LEAD):
        return evaluate({"all": [{"op": "in_territory", "value": value}]}, facts, TERRITORIES)

    assert within("dach").matched
    assert within(["uk", "dach"]).matched
    assert not within("loop").matched, "a territory never leads to another"
    assert not within("nowhere").matched
    assert within("uk").failed == {
        "field": "territory", "op": "in_territory", "value": "uk", "seen": None,
        "because": {"field": "country", "op": "equals", "value": "GB", "seen": "DE"},
    }  # fmt: skip
    assert within("uk", Facts()).absent == ("country",)
    outside = evaluate({"none": [{"op": "in_territory", "value": ["uk", "dach"]}]}, LEAD, TERRITORIES)
    assert outside.failed["seen"] == "dach"


def test_named_lists():
    lists = {"named": ["Example.com", "other.com"], "south": ["80", "SW1"], "odd": [None, 5, "", " "]}
    assert holds(leaf("company_domain", "in_list", "named"), LEAD, lists=lists)
    assert not holds(leaf("company_name", "in_list", "named"), LEAD, lists=lists)
    assert holds(leaf("postal_code", "in_list", "south"), LEAD, lists=lists), "postal codes by prefix"
    assert not holds(leaf("company_domain", "in_list", "south"), LEAD, lists=lists)
    assert not holds(leaf("company_domain", "in_list", "missing"), LEAD, lists=lists)
    assert not holds(leaf("company_domain", "in_list", "odd"), LEAD, lists=lists)
    assert holds(leaf("custom.since", "in_list", "years"), LEAD, lists={"years": [2019]})


@pytest.mark.parametrize(
    ("doc", "pointer", "message"),
    [
        (None, "", "Conditions are a group: all, any or none of a list."),
        ({}, "", "A group is exactly one of: all, any, none."),
        ({"all": [], "any": []}, "", "A group is exactly one of: all, any, none."),
        ({"all": {}}, "/all", "A group holds a list of conditions."),
        ({"any": []}, "/any", "Add at least one condition to this group, or remove it."),
        ({"all": [5]}, "/all/0", "A condition names a field, an operator and a value."),
        ({"all": [{"any": [{"all": []}]}]}, "/all/0/any/0", "Groups can be nested once, not deeper."),
        ({"all": [leaf("", "equals", "x")]}, "/all/0/field", "Choose a field."),
        ({"all": [leaf("shoe", "equals", "x")]}, "/all/0/field", "There is no field “shoe”."),
        ({"all": [leaf("rejected_by", "present")]}, "/all/0/field", "There is no field “rejected_by”."),
        ({"all": [leaf("custom.", "present")]}, "/all/0/field",
         "A custom field needs a name of at most 100 characters after “custom.”."),
        ({"all": [{"field": "country", "op": "equals", "value": "DE", "regex": 1}]}, "/all/0",
         "A condition has a field, an operator and a value, nothing else."),
        ({"all": [leaf("score_total", "equals", "many")]}, "/all/0/value",
         "Score is a number; “many” is none."),
        ({"all": [leaf("score_total", "equals", True)]}, "/all/0/value", "Score is a number; true is none."),
        ({"all": [leaf("employees", "range", {"min": 5, "max": 4})]}, "/all/0/value",
         "Number of employees: the smallest value 5 is above the largest, 4."),
        ({"all": [leaf("employees", "range", {})]}, "/all/0/value",
         "Number of employees needs a smallest value, a largest value, or both."),
        ({"all": [leaf("employees", "range", {"min": "1e999999999"})]}, "/all/0/value/min",
         "Number of employees is a number; “1e999999999” is none."),
        ({"all": [leaf("country", "in", "DE")]}, "/all/0/value", "Country needs a list of values."),
        ({"all": [leaf("country", "in", [])]}, "/all/0/value", "Country needs at least one value."),
        ({"all": [leaf("country", "in", ["DE", " "])]}, "/all/0/value/1",
         "Country needs a value; for leads without one use “is not known”."),
        ({"all": [leaf("country", "equals")]}, "/all/0/value", "Country needs a value."),
        ({"all": [leaf("country", "equals", ["DE"])]}, "/all/0/value", "Country needs a value."),
        ({"all": [leaf("industry", "contains_word", "--")]}, "/all/0/value",
         "Industry needs a word; for leads without one use “is not known”."),
        ({"all": [leaf("industry", "equals", "x" * 2_001)]}, "/all/0/value",
         "Industry: a value can have at most 2,000 characters."),
        ({"all": [leaf("country", "in", ["DE"] * 10_001)]}, "/all/0/value",
         "Country can be compared with at most 10,000 values."),
        ({"all": [leaf("company_stage", "equals", "custmer")]}, "/all/0/value",
         "Company stage has no value “custmer”; it is one of: prospect, open_opportunity, customer, "
         "partner, competitor."),
        ({"all": [leaf("country", "present", "x")]}, "/all/0/value", "Country “is known” takes no value."),
        ({"all": [leaf("company_domain", "in_list")]}, "/all/0/value",
         "Company domain: choose a named list."),
        ({"all": [leaf("company_domain", "in_list", "gone")]}, "/all/0/value", "There is no list “gone”."),
        ({"all": [leaf(None, "in_territory", "gone")]}, "/all/0/value", "There is no territory “gone”."),
        ({"all": [leaf("country", "in_territory", "dach")]}, "/all/0/field",
         "“Is in the territory” is asked of the lead, not of a field."),
    ],
)  # fmt: skip
def test_problems_are_said_in_the_fields_own_words(doc, pointer, message):
    problems = validate(doc, territories={"dach"}, lists={"named"})
    assert [(p.pointer, p.message) for p in problems] == [(pointer, message)]
    assert not evaluate(doc, LEAD, TERRITORIES).matched


def test_an_operator_that_does_not_fit_names_those_that_do():
    [problem] = validate({"all": [leaf("score_total", "starts_with", "8")]})
    assert problem.message == (
        "Score cannot be compared with “starts with”; it takes: "
        "is, is one of, is between, is known, is not known."
    )
    [problem] = validate({"all": [leaf("country", "matches", ".*")]})
    assert problem.pointer == "/all/0/op"


def test_a_territory_cannot_ask_for_a_territory():
    doc = {"all": [{"op": "in_territory", "value": "dach"}]}
    assert validate(doc) == []
    assert [p.message for p in validate(doc, of_territory=True)] == [
        "A territory cannot be defined by a territory."
    ]


def test_at_most_fifty_conditions():
    fine = {"all": [leaf("country", "equals", "DE")] * 25 + [{"any": [leaf("country", "present")] * 25}]}
    assert validate(fine) == []
    for doc in (
        {"all": [leaf("country", "equals", "DE")] * 51},
        {"all": [*fine["all"], leaf("country", "present")]},
        {"any": [{"all": [leaf("country", "present")] * 26}] * 2},
    ):
        assert "at most 50 conditions" in validate(doc)[-1].message
        assert not evaluate(doc, LEAD).matched


def test_hostile_documents_cost_little():
    deep: object = []
    for _ in range(500):
        deep = {"all": [deep]}
    hostile = [
        deep,
        {"all": [leaf("country", "equals", "DE")] * 300_000},
        {"any": [{"all": [5] * 1_000}] * 1_000},
        {"all": [leaf("country", "in", [None] * 10_000)] * 50},
        {"all": [leaf("country", "equals", "x" * 3_000_000)]},
        {"all": [leaf("employees", "equals", 10**5_000)]},
        {"all": [leaf("custom.n", "equals", 10**5_000)]},
        {"all": [leaf("employees", "equals", float("nan"))]},
    ]
    started = time.perf_counter()
    for doc in hostile:
        problems = validate(doc)
        assert 0 < len(problems) <= 50
        assert all(len(problem.message) < 300 for problem in problems)
        assert not evaluate(doc, LEAD).matched
    assert time.perf_counter() - started < 5


def test_hostile_facts_cost_little():
    facts = Facts(
        industry="a " * 500_000,
        revenue="9" * 400_000,
        employees=10**4_000,
        custom={"n": 10**4_000, "f": float("inf")},
    )
    doc = {
        "any": [
            leaf("industry", "contains_word", "b"),
            leaf("revenue", "range", {"min": 1}),
            leaf("employees", "range", {"min": 1}),
            leaf("custom.n", "range", {"min": 1}),
            leaf("custom.f", "range", {"min": 1}),
        ]
    }
    started = time.perf_counter()
    verdict = evaluate(doc, facts)
    assert not verdict.matched
    for condition in doc["any"]:
        json.dumps(evaluate({"all": [condition]}, facts).failed, allow_nan=False)
    assert time.perf_counter() - started < 3


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        ({"all": []}, "every lead"),
        (
            {
                "all": [
                    leaf("country", "in", ["DE", "AT"]),
                    leaf("score_total", "range", {"min": 80, "max": 100}),
                ]
            },
            "country is DE or AT and score is 80 to 100",
        ),
        ({"all": [leaf("trigger", "equals", "demo_request")]}, "trigger is demo request"),
        ({"all": [leaf("employees", "range", {"min": 1000})]}, "number of employees is 1,000 or more"),
        ({"all": [leaf("employees", "range", {"max": "99.50"})]}, "number of employees is 99.50 or less"),
        ({"all": [leaf("score_total", "range", {"min": 5, "max": 5})]}, "score is 5"),
        ({"all": [leaf("postal_code", "starts_with", ["80", "81", "82"])]},
         "postal code starts with 80, 81 or 82"),
        ({"all": [leaf("industry", "contains_word", "health")]}, "industry contains the word health"),
        ({"all": [leaf("technologies", "in", ["Salesforce", "HubSpot"])]},
         "technologies include Salesforce or HubSpot"),
        ({"all": [leaf("technologies", "absent"), leaf("region", "present")]},
         "technologies are not known and region is known"),
        ({"all": [leaf("company_domain", "in_list", "Named accounts")]},
         "company domain is in the list “Named accounts”"),
        ({"all": [leaf("technologies", "in_list", "Stack")]}, "technologies include one of the list “Stack”"),
        ({"all": [{"op": "in_territory", "value": ["dach", "uk"]}]}, "territory is DACH or uk"),
        ({"all": [leaf("custom.plan", "equals", "gold")]}, "custom field plan is gold"),
        ({"all": [leaf("industry", "in", ["Oil and Gas", "Retail"])]}, "industry is “Oil and Gas” or Retail"),
        ({"any": [leaf("country", "equals", "DE"), leaf("language", "equals", "de")]},
         "country is DE or language is de"),
        ({"none": [leaf("country", "equals", "US"), leaf("company_stage", "in", ["partner", "competitor"])]},
         "country is not US and company stage is neither partner nor competitor"),
        ({"none": [leaf("country", "in", ["US", "CA", "MX"]), leaf("region", "absent")]},
         "country is none of US, CA and MX and region is known"),
        ({"all": [leaf("country", "equals", "DE"),
                  {"any": [leaf("industry", "equals", "Retail"),
                           leaf("score_total", "range", {"min": 80})]}]},
         "country is DE and (industry is Retail or score is 80 or more)"),
        ({"none": [{"all": [leaf("country", "equals", "US"), leaf("region", "equals", "Ohio")]},
                   leaf("language", "equals", "en")]},
         "none of these holds: (country is US and region is Ohio); language is en"),
        ({"all": [leaf("country", "in", [f"C{n}" for n in range(2_000)])]},
         "country is C0, C1, C2, C3, C4 or 1,995 others"),
        ({"any": []}, "conditions that cannot be read"),
    ],
)  # fmt: skip
def test_a_rule_reads_itself_aloud(doc, expected):
    assert sentence(doc, {"dach": "DACH"}) == expected


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)
LEAVES = st.fixed_dictionaries(
    {},
    optional={
        "field": st.sampled_from([*FIELDS, "custom.plan", "territory"]) | JSON,
        "op": st.sampled_from([*OPERATORS]) | JSON,
        "value": JSON | st.fixed_dictionaries({"min": SCALARS, "max": SCALARS}),
    },
)
GROUPS = st.dictionaries(
    st.sampled_from(["all", "any", "none"]), st.lists(LEAVES | JSON, max_size=4), min_size=1, max_size=1
)


@settings(max_examples=200, deadline=None)
@given(JSON | GROUPS | GROUPS.flatmap(lambda inner: st.just({"all": [inner]})))
def test_whatever_is_typed_is_answered_and_never_raises(doc):
    problems = validate(doc)
    verdict = evaluate(doc, LEAD, TERRITORIES, {"L": ["a"]})
    assert isinstance(sentence(doc), str)
    if not problems:
        assert sentence(doc) != "conditions that cannot be read"
    if not verdict.matched:
        json.dumps(verdict.failed)
    again = evaluate(doc, LEAD, TERRITORIES, {"L": ["a"]})
    assert json.dumps(again.failed) == json.dumps(verdict.failed)
