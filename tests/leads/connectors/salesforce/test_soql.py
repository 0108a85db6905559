"""Literals: nothing that is put into one can end it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.connectors.salesforce import soql
from tests.conftest import NOW
from tests.doubles.salesforce.soql import Parser
from tests.leads.connectors.salesforce.conftest import Side, want

# One literal and nothing else, by Salesforce's grammar: a quote inside only behind a backslash.
LITERAL = re.compile(r"'(?:\\[btnfr\"'\\%_]|[^'\\\x00-\x1f])*'")


@given(st.text())
def test_a_text_is_one_literal_whatever_is_in_it(value: str) -> None:
    assert LITERAL.fullmatch(soql.text(value))
    assert LITERAL.fullmatch(soql.containing(value))


@given(
    st.text(alphabet=st.characters(min_codepoint=32, exclude_categories=("Cs",), exclude_characters="\x7f"))
)
def test_the_other_side_reads_what_was_meant(value: str) -> None:
    query = Parser(f"SELECT Id FROM Lead WHERE Email = {soql.text(value)}").parse()
    assert query.test(lambda name: value)
    assert not query.test(lambda name: f"{value}x")


def test_what_has_a_meaning_in_a_pattern_is_escaped() -> None:
    assert soql.containing("50%_a'b") == r"'%50\%\_a\'b%'"


@given(st.lists(st.text(min_size=1, max_size=80), max_size=400))
def test_long_lists_are_cut_and_nothing_is_lost(values: list[str]) -> None:
    conditions = list(soql.within("Email", values))
    literals = [literal for condition in conditions for literal in LITERAL.findall(condition)]
    assert literals == [soql.text(value) for value in dict.fromkeys(values)]
    assert all(condition.startswith("Email IN (") and condition.endswith(")") for condition in conditions)


def test_two_hundred_addresses_fit_into_queries_of_a_few_kilobytes() -> None:
    conditions = list(soql.within("Email", [f"person.{number}@company.example" for number in range(200)]))
    assert [condition.count("person.") for condition in conditions] == [149, 51]
    assert all(len(quote(condition)) < soql.MOST_CHARACTERS + 40 for condition in conditions)
    assert list(soql.within("Email", [])) == []


@pytest.mark.parametrize("offset", [0, 5.5, -11])
def test_a_time_is_bare_and_in_utc(offset: float) -> None:
    there = datetime(2026, 3, 10, 12, 0, 0, 123456, timezone(timedelta(hours=offset)))
    read = datetime.fromisoformat(soql.moment(there))
    assert "+" not in soql.moment(there)
    assert read == there.replace(microsecond=123000)


@pytest.mark.parametrize(
    "email",
    ["x') OR (Email LIKE '%", "x'", "x\\", "x\\' OR Id != null OR Email = \\'", "x\n'); --", "%@%"],
)
def test_an_address_that_would_be_a_query_finds_nobody(connect: Any, email: str) -> None:
    side: Side = connect(creates=False)
    other = side.lead(Email="victim@acme.example")
    [pushed] = side.it.push([want(email=email)], NOW)
    assert "no record of this person" in pushed.outcome.error
    assert side.there.leads[other].written("Handoff_Revision__c") == []
    asked = [one.status for one in side.outer.log.of("salesforce", "/query")]
    assert asked == [200, 200]


def test_an_id_that_is_none_is_never_asked_for(connect: Any) -> None:
    side: Side = connect(creates=False)
    side.lead(Email="victim@acme.example")
    [pushed] = side.it.push([want(key="x') OR (Id != '", email="")], NOW)
    assert "no record of this person" in pushed.outcome.error
    assert side.paths() == ["GET query"]
