"""Which contact is a lead's, and how it is shown to audits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from leads.connectors.hubspot.calling import Refusal
from leads.connectors.hubspot.finding import find, known_id
from tests.conftest import NOW
from tests.leads.connectors.hubspot.conftest import Side, want


def found(side: Side, *wants: Any, **more: Any) -> list[str]:
    places = find(side.it.api, wants, "hubspot", ["phone"], **more)
    return [place.record.id if place.record else "gone" if place.is_gone else "none" for place in places]


def test_by_id_before_address(side: Side) -> None:
    ann, other = side.contact(email="new@acme.example"), side.contact(email="ann@acme.example")
    assert found(side, want(contact=ann)) == [ann]
    assert found(side, want()) == [other]


def test_many_are_two_calls(side: Side) -> None:
    wants, keys = [], []
    for number in range(60):
        email = f"p{number}@acme.example"
        keys.append(side.contact(email=email))
        wants.append(want(contact=keys[-1] if number % 2 else "", lead_id=number + 1, email=email))
    assert found(side, *wants) == keys
    assert side.paths() == ["POST contacts/batch/read"] * 2


def test_what_was_deleted_there_is_found_by_address_or_gone(side: Side) -> None:
    old = side.contact(email="ann@acme.example")
    side.there.act({"do": "delete", "id": old})
    assert found(side, want(contact=old)) == ["gone"]
    new = side.contact(email="ann@acme.example")
    assert found(side, want(contact=old)) == [new]


def test_a_record_that_search_does_not_show_yet_is_found(side: Side) -> None:
    side.there.configure(search_lag=30.0)
    key = side.contact(email="ann@acme.example")
    assert found(side, want()) == [key]


def test_by_a_further_address(side: Side) -> None:
    keys = [
        side.contact(
            email=f"main{number}@acme.example", hs_additional_emails=f"x@x.example;p{number}@acme.example"
        )
        for number in range(7)
    ]
    wants = [want(lead_id=number + 1, email=f"p{number}@acme.example") for number in range(7)]
    assert found(side, *wants) == keys
    assert side.paths().count("POST contacts/search") == 2
    assert found(side, *wants, searches=False) == ["none"] * 7


def test_a_token_that_only_looks_alike_is_nobody(side: Side) -> None:
    side.contact(email="main@acme.example", hs_additional_emails="joann@acme.example")
    assert found(side, want()) == ["none"]


def test_at_most_three_searches_are_made(side: Side) -> None:
    wants = [want(lead_id=number + 1, email=f"p{number}@acme.example") for number in range(40)]
    assert found(side, *wants) == ["none"] * 40
    assert side.paths().count("POST contacts/search") == 3


@pytest.mark.parametrize("value", ["abc", "12a", "1" * 21, "١٢", "-4", " 5"])
def test_an_id_that_can_be_none_is_not_asked_for(side: Side, value: str) -> None:
    assert known_id(want(contact=value), "hubspot") == ""
    assert found(side, want(contact=value, email="")) == ["none"]
    assert side.paths() == []


def test_what_cannot_be_read_is_no_absence(side: Side) -> None:
    side.outer.fault(system="hubspot", kind="unavailable")
    with pytest.raises(Refusal):
        found(side, want())


# fetch


def test_a_record_as_audits_see_it(side: Side) -> None:
    key = side.contact(email="ann@acme.example")
    assert side.push(want(contact=key)) == ["done"]
    side.outer.clock.advance(60)
    side.there.act({"do": "edit", "id": key, "values": {"hs_lead_status": "CONNECTED"}})
    state = want(contact=key)
    [seen] = side.it.fetch([state], NOW)[state.lead_id]
    expected = dict(side.it.expected(state))
    assert {name: seen.values[name] for name in expected} == expected | {"hs_lead_status": "CONNECTED"}
    assert (seen.object, seen.remote_id, seen.email) == ("contact", key, "ann@acme.example")
    assert (seen.changed_by, seen.is_deleted, seen.merged_into) == ("CRM_UI userId:1", False, "")
    assert seen.changed_at is not None
    assert abs(seen.changed_at - NOW - timedelta(seconds=60)) < timedelta(seconds=30)


def test_fetch_tells_deleted_merged_several_and_none(side: Side) -> None:
    gone = side.contact(email="gone@acme.example")
    side.there.act({"do": "delete", "id": gone})
    first, second = side.contact(email="m@acme.example"), side.contact(email="m2@acme.example")
    kept = side.there.act({"do": "merge", "id": first, "other": second})["id"]
    own, twin = side.contact(email="other@acme.example"), side.contact(email="twin@acme.example")
    moved = side.contact(email="moved@acme.example")
    wants = [
        want(contact=gone, lead_id=1, email="gone@acme.example"),
        want(contact=second, lead_id=2, email="m@acme.example"),
        want(contact=own, lead_id=3, email="twin@acme.example"),
        want(lead_id=4, email="nobody@acme.example"),
        want(contact="999999", lead_id=5, email="moved@acme.example"),
    ]
    shown = {
        lead_id: [(one.remote_id, one.is_deleted, one.merged_into) for one in seen]
        for lead_id, seen in side.it.fetch(wants, NOW).items()
    }
    assert shown == {
        1: [(gone, True, "")],
        2: [(second, False, kept)],
        3: [(own, False, ""), (twin, False, "")],
        4: [],
        5: [("999999", True, ""), (moved, False, "")],
    }


def test_fetch_costs_the_same_for_one_and_for_thirty(side: Side) -> None:
    wants = []
    for number in range(30):
        email = f"p{number}@acme.example"
        wants.append(want(contact=side.contact(email=email), lead_id=number + 1, email=email))
    side.it.fetch(wants[:1], NOW)
    one = len(side.paths())
    side.it.fetch(wants, NOW)
    assert len(side.paths()) - one == one == 2
