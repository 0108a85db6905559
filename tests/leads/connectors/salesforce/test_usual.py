"""The usual mapping, what a Lead that is made anew says, and the one form in which values are compared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.connectors.mapping import FACTS, WRITABLE, merged
from leads.connectors.salesforce.usual import (
    LONGEST,
    NOT_GIVEN,
    STATUS,
    USUAL,
    as_compared,
    as_sent,
    moment,
    person,
)
from leads.outbox.wanted import Status
from tests.conftest import NOW
from tests.doubles.salesforce.leads import STATUSES, stamp
from tests.doubles.salesforce.leads import WRITABLE as THERE
from tests.leads.connectors.salesforce.conftest import Side, want


def test_every_status_has_values_of_its_own() -> None:
    assert set(USUAL.statuses) == {str(status) for status in Status}
    for status in Status:
        values = {name: USUAL.statuses[status].get(name, "") for name in USUAL.status_fields}
        assert USUAL.status_of(values) == status


def test_no_status_of_ours_is_a_converted_one() -> None:
    open_ones = {name for name, is_converted, _ in STATUSES if not is_converted}
    assert {values[STATUS] for values in USUAL.statuses.values() if STATUS in values} <= open_ones


def test_what_is_mapped_is_there() -> None:
    names = {*USUAL.fields.values(), *USUAL.facts.values(), *USUAL.status_fields}
    assert names - THERE == set()
    assert (set(USUAL.fields) - set(WRITABLE), set(USUAL.facts) - set(FACTS)) == (set(), set())


@pytest.mark.parametrize(
    ("facts", "made"),
    [
        ({}, {"LastName": NOT_GIVEN, "Company": NOT_GIVEN}),
        ({"lead.last_name": "Lee", "company.name": "Acme"}, {"LastName": "Lee", "Company": "Acme"}),
        (
            {"lead.first_name": "Ann", "company.domain": "acme.example"},
            {
                "FirstName": "Ann",
                "LastName": NOT_GIVEN,
                "Company": "acme.example",
                "Website": "acme.example",
            },
        ),
        ({"lead.country_code": "DE"}, {"LastName": NOT_GIVEN, "Company": NOT_GIVEN}),
        ({"lead.email": f"{'a' * 80}@x.example"}, {"LastName": NOT_GIVEN, "Company": NOT_GIVEN}),
    ],
)
def test_a_name_and_a_company_are_always_said(facts: dict[str, str], made: dict[str, str]) -> None:
    assert person(want(facts=facts), USUAL) == made


@given(st.dictionaries(st.sampled_from(sorted(FACTS)), st.text(max_size=400)))
def test_nothing_is_longer_than_its_field(facts: dict[str, str]) -> None:
    made = person(want(facts=facts), USUAL)
    assert {name for name, value in made.items() if len(value) > LONGEST[name]} == set()
    assert made["LastName"] and made["Company"]


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)))
def test_their_times_are_read_to_the_millisecond(at: datetime) -> None:
    there = at.replace(tzinfo=UTC)
    read = moment(stamp(there.timestamp()))
    assert read is not None
    assert abs(read - there) <= timedelta(milliseconds=1)


@pytest.mark.parametrize("text", ["", None, "2026-03-10", "yesterday", "2026-13-40T00:00:00Z", 7])
def test_what_is_no_moment(text: object) -> None:
    assert moment(text) is None


def test_values_have_one_form() -> None:
    revision, until = "Handoff_Revision__c", "Handoff_Deferred_Until__c"
    assert [as_compared(revision, value, USUAL) for value in (3, 3.0, "3", "3.0", None)] == ["3"] * 4 + [""]
    same = ["2026-03-10T10:00:00.000+0000", "2026-03-10T11:00:00+01:00", "2026-03-10T10:00:00Z"]
    assert {as_compared(until, value, USUAL) for value in same} == {"2026-03-10T10:00:00Z"}
    assert as_compared("Handoff_Reason__c", "2026-03-10T10:00:00.000+0000", USUAL).endswith("+0000")
    assert as_compared(revision, "many", USUAL) == "many"
    assert as_compared("HasOptedOutOfEmail", True, USUAL) == "true"


def test_values_are_sent_as_what_they_are() -> None:
    assert as_sent("Handoff_Revision__c", "3", USUAL) == 3
    assert as_sent("Handoff_Reason__c", "", USUAL) is None
    assert as_sent("Handoff_Reason__c", "not_icp", USUAL) == "not_icp"
    mapped = merged(USUAL, {"fields": {"opportunity_amount": "Amount__c"}})
    assert as_sent("Amount__c", "10.5", mapped) == 10.5


def test_what_is_expected_is_in_that_form(connect: object) -> None:
    side: Side = connect(mapping={"fields": {"opportunity_amount": "Amount__c"}})  # type: ignore[operator]
    expected = side.it.expected(want("opportunity", opportunity_amount=Decimal("10.00"), deferred_until=NOW))
    assert expected == {
        "Amount__c": "10",
        "Handoff_Deferred_Until__c": "2026-03-10T10:00:00Z",
        "Handoff_First_Contact_At__c": "",
        "Handoff_Number__c": "70",
        "Handoff_Reason__c": "",
        "Handoff_Revision__c": "3",
        "Handoff_Status__c": "Opportunity",
    }


def test_an_owner_is_written_where_it_is_mapped(connect: object) -> None:
    side: Side = connect(mapping={"owners": {"femke@us.example": "0055e0000000007AAA"}})  # type: ignore[operator]
    assert side.it.expected(want(owner="femke@us.example"))["OwnerId"] == "0055e0000000007AAA"
    assert "OwnerId" not in side.it.expected(want(owner="jonas@us.example"))
