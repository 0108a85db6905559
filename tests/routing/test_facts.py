"""Facts: the frozen record a rule may look at, and its stored form."""

import json
from dataclasses import FrozenInstanceError, fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.facts import FIELDS, Facts, InvalidFacts, score_band

FULL = Facts(
    trigger="demo_request",
    lead_type="demo",
    score_total=82,
    score_fit=40,
    score_intent=30,
    score_behavior=12,
    score_band="80+",
    country="DE",
    region="Bavaria",
    postal_code="80331",
    language="de",
    source="webinar",
    channel="events",
    campaign="Spring",
    email_domain="example.com",
    company_domain="example.com",
    company_name="Example GmbH",
    industry="Software",
    size_band="201-500",
    employees=420,
    revenue="52000000.50",
    company_stage="customer",
    account_owner=7,
    named_account="yes",
    technologies=("Salesforce", "HubSpot"),
    custom={"plan": "gold", "seats": 12, "beta": True, "ratio": 0.5, "gone": None},
    rejected_by=(3, 9),
    lapsed_by=(4,),
)


def test_the_stored_form_gives_the_same_facts_back():
    stored = json.loads(json.dumps(FULL.to_json()))
    assert Facts.from_json(stored) == FULL


def test_what_is_not_known_is_not_stored():
    assert Facts().to_json() == {}
    assert Facts(score_total=0, country="").to_json() == {"score_total": 0, "country": ""}
    assert Facts.from_json({}) == Facts()
    assert Facts.from_json({"country": None, "technologies": None}) == Facts()


def test_the_stored_form_has_one_order():
    one, two = Facts(custom={"a": 1, "b": 2}), Facts(custom={"b": 2, "a": 1})
    assert json.dumps(one.to_json()) == json.dumps(two.to_json())


def test_names_from_another_release_are_passed_over():
    assert Facts.from_json({"country": "DE", "shoe_size": 43}) == Facts(country="DE")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"country": 5}, "country must be text"),
        ({"score_total": "82"}, "score_total must be a whole number"),
        ({"employees": True}, "employees must be a whole number"),
        ({"technologies": "Salesforce"}, "technologies must be a list"),
        ({"technologies": ["a", 1]}, "each of technologies must be text"),
        ({"rejected_by": ["x"]}, "each of rejected_by must be a whole number"),
        ({"lapsed_by": [True]}, "each of lapsed_by must be a whole number"),
        ({"named_account": True}, "named_account must be text"),
        ({"custom": ["plan"]}, "custom must be an object"),
        ({"custom": {"plan": {"deep": 1}}}, "custom must map names"),
        ("facts", "facts must be an object"),
    ],
)
def test_a_wrong_type_is_refused_by_name(data, message):
    with pytest.raises(InvalidFacts, match=message):
        Facts.from_json(data)


def test_facts_are_frozen():
    with pytest.raises(FrozenInstanceError):
        FULL.country = "AT"  # type: ignore[misc]
    assert hash(FULL) == hash(Facts.from_json(FULL.to_json()))


def test_every_fact_but_the_exclusions_and_custom_fields_can_be_asked_for():
    assert {f.name for f in fields(Facts)} - set(FIELDS) == {"custom", "rejected_by", "lapsed_by"}
    assert {field.kind for field in FIELDS.values()} == {"text", "number", "choice", "list"}
    assert FIELDS["company_stage"].title == "Company stage"


@pytest.mark.parametrize(
    ("total", "band"),
    [(None, None), (-3, "0-49"), (49, "0-49"), (50, "50-64"), (64, "50-64"), (65, "65-79"), (79, "65-79"),
     (80, "80+"), (400, "80+")],
)  # fmt: skip
def test_score_bands(total, band):
    assert score_band(total) == band


@settings(max_examples=100, deadline=None)
@given(
    st.builds(
        Facts,
        country=st.none() | st.text(),
        employees=st.none() | st.integers(),
        technologies=st.lists(st.text(), max_size=4).map(tuple),
        custom=st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text(), max_size=4),
        rejected_by=st.lists(st.integers(), max_size=3).map(tuple),
        lapsed_by=st.lists(st.integers(), max_size=3).map(tuple),
    )
)
def test_any_facts_survive_being_stored(facts):
    assert Facts.from_json(json.loads(json.dumps(facts.to_json()))) == facts
