"""Rules read aloud in pieces, and two of them compared."""

from __future__ import annotations

from typing import Any

from leads.presenters.reading import Called, Piece, aloud, compared
from leads.presenters.rules import said, words
from routing.conditions import sentence

NAMES = Called({"dach": "DACH"}, {"named": "Named accounts, 212 domains"}, {"7": "Ada Admin"})


def leaf(field: str, op: str, value: Any = None) -> dict[str, Any]:
    return {"field": field, "op": op} | ({} if value is None else {"value": value})


def name(kind: str, pk: str) -> str:
    return {"pool": "the pool North", "queue": "the queue Overflow"}.get(kind, "Rosa")


def kinds(pieces: list[Piece], kind: str) -> list[str]:
    return [piece.text for piece in pieces if piece.kind == kind]


def test_values_are_marked_and_the_grammar_is_not() -> None:
    document = {"all": [leaf("country", "in", ["DE", "AT"]), {"op": "in_territory", "value": "dach"}]}
    found = aloud(document, NAMES)
    assert words(found) == sentence(document, {"dach": "DACH"}) == "country is DE or AT and territory is DACH"
    assert kinds(found, "value") == ["DE", "AT", "DACH"]


def test_lists_and_people_stand_with_their_names() -> None:
    document = {"any": [leaf("company_domain", "in_list", "named"), leaf("account_owner", "equals", "7")]}
    assert words(aloud(document, NAMES)) == (
        "company domain is in the list “Named accounts, 212 domains” or account owner is Ada Admin"
    )


def test_no_value_can_forge_a_mark() -> None:
    hostile = "\ue001\ue000\ue002new\ue001"
    found = aloud({"all": [leaf("region", "equals", hostile)]}, NAMES)
    assert kinds(found, "added") == []
    assert "new" in "".join(kinds(found, "value"))


def test_what_cannot_be_read_is_said() -> None:
    assert words(aloud({"all": [3]}, NAMES)) == "conditions that cannot be read"


def test_the_same_is_only_read() -> None:
    document = {"all": [leaf("country", "equals", "DE")]}
    assert compared(document, document, NAMES) == aloud(document, NAMES)


def test_values_that_came_and_went() -> None:
    old = {"all": [leaf("industry", "in", ["Freight", "Warehousing"])]}
    new = {"all": [leaf("industry", "in", ["Freight", "Ports"])]}
    found = compared(old, new, NAMES)
    assert (kinds(found, "added"), kinds(found, "removed"), kinds(found, "value")) == (
        ["Ports"],
        ["Warehousing"],
        ["Freight"],
    )


def test_a_change_far_down_a_long_list_is_seen() -> None:
    old = {"all": [leaf("country", "in", [f"C{number}" for number in range(40)])]}
    new = {"all": [leaf("country", "in", [*(f"C{number}" for number in range(40)), "XX"])]}
    assert kinds(compared(old, new, NAMES), "added") == ["XX"]


def test_ranges_show_both() -> None:
    old = {"all": [leaf("score_total", "range", {"min": 65})]}
    new = {"all": [leaf("score_total", "range", {"min": 80, "max": 90})]}
    found = compared(old, new, NAMES)
    assert words(found) == "score is 65 or more, now 80 to 90"
    assert (kinds(found, "removed"), kinds(found, "added")) == (["65 or more"], ["80 to 90"])


def test_conditions_that_came_and_went() -> None:
    old = {"all": [leaf("country", "equals", "DE"), leaf("region", "present")]}
    new = {"all": [leaf("country", "equals", "DE"), leaf("language", "equals", "de")]}
    found = compared(old, new, NAMES)
    assert kinds(found, "added") == ["language is de"]
    assert kinds(found, "removed") == ["region is known"]


def test_another_shape_stands_beside_the_old_whole() -> None:
    old = {"all": [leaf("country", "equals", "DE")]}
    new = {"any": [leaf("country", "equals", "DE"), {"all": [leaf("region", "present")]}]}
    found = compared(old, new, NAMES)
    assert [piece.kind for piece in found] == ["removed", "", "added"]
    assert compared({"all": []}, old, NAMES)[-1].text == "country is DE"
    assert compared(None, old, NAMES)[-1].kind == "added"


def test_a_whole_rule() -> None:
    rule = {
        "when": {"all": [leaf("country", "equals", "DE")]},
        "target": {"kind": "pool", "id": "1"},
        "fallback": {"kind": "queue", "id": "2"},
    }
    assert words(said(rule, name, NAMES)) == (
        "When country is DE, give it to the pool North, else to the queue Overflow."
    )
    last = {"when": {"all": []}, "target": {"kind": "queue", "id": "2"}, "fallback": None}
    assert words(said(last, name, NAMES)) == "Give it to the queue Overflow."


def test_a_target_that_changed() -> None:
    old = {
        "when": {"all": []},
        "target": {"kind": "rep", "id": "3"},
        "fallback": {"kind": "queue", "id": "2"},
    }
    new = {"when": {"all": []}, "target": {"kind": "account_owner", "id": ""}, "fallback": None}
    found = said(new, name, NAMES, old)
    assert kinds(found, "removed") == ["Rosa", "Overflow"]
    assert kinds(found, "added") == ["owner of the account"]
