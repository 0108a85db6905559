"""What a Lead says, as events that the intake takes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.connectors.mapping import merged
from leads.connectors.salesforce.people import Reader, amount, clean
from leads.connectors.salesforce.records import Row
from leads.connectors.salesforce.usual import NOT_GIVEN, USUAL
from leads.connectors.sifting import KNOWN_ONLY
from leads.intake.schema import EventIn
from tests.conftest import NOW

STAMP = "2026-03-10T09:30:00.250+0000"
READER = Reader(USUAL, "/connections/salesforce-1", "salesforce", "Acme's org", "EUR", takes_new=True)


def row(**values: Any) -> Row:
    return Row({"Id": "00Q5e0000000001AAA", "Email": "Ann@Acme.example", "SystemModstamp": STAMP, **values})


def said(reader: Reader = READER, **values: Any) -> dict[str, Any]:
    """What of person, company and source a Lead says."""
    [event] = reader.events(row(**values))
    return {part: facts for part, facts in event["data"].items() if part != "lead"} | {
        name: value for name, value in event["data"]["lead"].items() if name not in ("external_ids", "email")
    }


def test_the_event_is_of_the_lead_at_its_last_change() -> None:
    [event] = READER.events(row(LastName="Lee"))
    assert event == {
        "specversion": "1.0",
        "id": "lead/00Q5e0000000001AAA/2026-03-10T09:30:00.250Z",
        "source": "/connections/salesforce-1",
        "type": "lead.updated",
        "time": "2026-03-10T09:30:00.250Z",
        "data": {
            "lead": {
                "external_ids": [{"system": "salesforce", "object": "Lead", "id": "00Q5e0000000001AAA"}],
                "email": "Ann@Acme.example",
                "last_name": "Lee",
            }
        },
    }


@pytest.mark.parametrize(
    ("values", "facts"),
    [
        ({"FirstName": " Ann\x00 ", "Title": None}, {"first_name": "Ann", "job_title": None}),
        ({"Country": "Germany"}, {"country_code": "DE"}),
        ({"Country": "Atlantis"}, {}),
        ({"LastName": NOT_GIVEN, "Company": NOT_GIVEN}, {}),
        ({"Company": "", "Industry": None, "LeadSource": ""}, {}),
        ({"Company": "Acme", "Industry": "Ships"}, {"company": {"name": "Acme", "industry": "Ships"}}),
        ({"Website": "https://acme.example/x"}, {"company": {"website": "https://acme.example/x"}}),
        ({"Website": "acme.example"}, {"company": {"domain": "acme.example"}}),
        ({"NumberOfEmployees": 120.0}, {"company": {"employee_count": 120}}),
        ({"NumberOfEmployees": -1}, {}),
        ({"NumberOfEmployees": True}, {}),
        (
            {"AnnualRevenue": 5e7},
            {"company": {"annual_revenue": {"amount": "50000000.00", "currency": "EUR"}}},
        ),
        ({"AnnualRevenue": "much"}, {}),
        ({"HasOptedOutOfEmail": True}, {"consent": {"email_opt_out": True}}),
        ({"LeadSource": "Web"}, {"source": {"lead_source": "Web"}}),
        ({"Phone": "9" * 100}, {"phone": "9" * 60}),
    ],
)
def test_which_field_is_which_fact(values: dict[str, Any], facts: dict[str, Any]) -> None:
    assert said(**values) == facts


def test_sources_go_by_our_names() -> None:
    mapping = merged(USUAL, {"sources": {"Web": "Website"}})
    assert said(Reader(mapping, "/x", "salesforce"), LeadSource="Web") == {
        "source": {"lead_source": "Website"}
    }


def test_a_score_is_one_where_it_is_mapped() -> None:
    mapping = merged(USUAL, {"facts": {"score.total": "pi__score__c", "score.fit": "Fit__c"}})
    reader = Reader(mapping, "/x", "salesforce", takes_new=True)
    facts, score = reader.events(row(pi__score__c=87.0, Fit__c="40"))
    assert (facts["type"], score["type"]) == ("lead.updated", "lead.scored")
    assert score["data"]["score"] == {
        "total": 87,
        "fit": {"score": 40},
        "scored_at": "2026-03-10T09:30:00.250Z",
    }
    assert len(reader.events(row(Fit__c=40))) == 1


@pytest.mark.parametrize(
    ("takes_new", "email", "shy"),
    [(True, "a@b.example", False), (True, None, True), (False, "a@b.example", True)],
)
def test_strangers_are_taken_in_only_where_that_is_wanted(
    takes_new: bool, email: str | None, shy: bool
) -> None:
    reader = Reader(USUAL, "/x", "salesforce", takes_new=takes_new)
    [event] = reader.events(row(Email=email))
    assert event.get(KNOWN_ONLY, False) == shy


@pytest.mark.parametrize("values", [{"IsDeleted": True}, {"SystemModstamp": None}, {"SystemModstamp": "x"}])
def test_what_is_not_there_says_nothing(values: dict[str, Any]) -> None:
    assert READER.events(row(**values)) == []


def test_a_merge_and_a_deletion_are_told_alike_each_time() -> None:
    [merge] = READER.gone(row(IsDeleted=True), "00Q5e0000000002AAA")
    assert (merge["id"], merge["type"]) == ("merged/00Q5e0000000001AAA/00Q5e0000000002AAA", "lead.merged")
    assert merge["data"] == {
        "lead": {"external_ids": [{"system": "salesforce", "object": "Lead", "id": "00Q5e0000000002AAA"}]},
        "merged_from": [{"system": "salesforce", "object": "Lead", "id": "00Q5e0000000001AAA"}],
    }
    [deletion] = READER.gone(row(IsDeleted=True), "")
    assert (deletion["id"], deletion["type"]) == ("deleted/00Q5e0000000001AAA", "lead.activity")
    assert deletion["data"]["activities"][0]["title"] == "Lead deleted in Acme's org"


JSON = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=300)


@given(st.dictionaries(st.sampled_from(sorted(set(USUAL.facts.values()))), JSON), JSON)
def test_the_intake_takes_whatever_a_lead_says(values: dict[str, Any], opted_out: Any) -> None:
    for event in READER.events(
        row(**{"Email": "ann@acme.example", **values, "HasOptedOutOfEmail": opted_out})
    ):
        given = {name: value for name, value in event.items() if name != KNOWN_ONLY}
        assert EventIn.model_validate(given).time == datetime(2026, 3, 10, 9, 30, 0, 250_000, UTC)


@pytest.mark.parametrize(
    ("value", "text"), [(10, "10.00"), ("10.555", "10.56"), (0, "0.00"), (1e5, "100000.00")]
)
def test_money(value: Any, text: str) -> None:
    assert amount(value) == text


@pytest.mark.parametrize("value", [-1, "x", float("inf"), float("nan"), None, 10**12])
def test_what_is_no_money(value: Any) -> None:
    with pytest.raises(ValueError, match="is no amount"):
        amount(value)


def test_text_is_cleaned() -> None:
    assert clean(" a\x00b\ud800\tc\n ", 10) == "ab\tc"
    assert (clean(None), clean(5)) == ("", "5")
    assert NOW.tzinfo is not None
