"""Overlapping territories: proved from conditions, and counted over past leads."""

from typing import Any

from routing.facts import Facts
from routing.overlap import overlaps

NAMES = {"dach": "DACH", "de": "Germany", "large": "Large", "fr": "France", "copy": "Copy"}


def country(*codes: str) -> dict[str, Any]:
    return {"when": {"all": [{"field": "country", "op": "in", "value": list(codes)}]}}


TERRITORIES = {
    "dach": country("DE", "AT"), "de": country("DE"), "fr": country("FR"), "copy": country("AT", "de"),
    "large": {"when": {"all": [{"field": "employees", "op": "range", "value": {"min": 500}}]}},
}  # fmt: skip


def test_nested_and_equal_territories_are_named_without_any_lead() -> None:
    found = {(row.first, row.second): row for row in overlaps({"territories": TERRITORIES})}
    assert {pair: row.relation for pair, row in found.items()} == {
        ("copy", "dach"): "same", ("copy", "de"): "second_within_first",
        ("dach", "de"): "second_within_first",
    }  # fmt: skip
    assert found["copy", "dach"].words(NAMES) == "Copy and DACH hold the same leads."
    assert found["dach", "de"].words(NAMES) == "Germany lies within DACH."


def test_past_leads_are_counted_with_the_first_as_an_example() -> None:
    cases = [
        ("h1", Facts(country="FR", employees=10)),
        ("h2", Facts(country="FR", employees=900)),
        ("h3", Facts(country="FR", employees=800)),
        ("h4", Facts(country="DE")),
    ]
    rows = overlaps({"territories": TERRITORIES}, iter(cases))
    found = {(row.first, row.second): (row.relation, row.count, row.example) for row in rows}
    assert found["fr", "large"] == ("unknown", 2, "h2")
    assert found["dach", "de"] == ("second_within_first", 1, "h4")
    assert ("dach", "fr") not in found and ("dach", "large") not in found
    assert rows[0].words(NAMES) == "France and Large overlap; 2 leads of both so far."


def test_a_territory_that_cannot_be_read_holds_nobody() -> None:
    assert (
        overlaps({"territories": {"x": {"when": {"nonsense": 1}}, "y": country("DE")}}, [(1, Facts())]) == []
    )
    assert overlaps({}) == [] and overlaps({"territories": {"de": country("DE")}}, [(1, Facts())]) == []
