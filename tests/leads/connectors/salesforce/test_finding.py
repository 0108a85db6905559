"""Which Lead is a lead's: by id, by our number, by address; merged, deleted, and another's."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from leads.connectors.salesforce.finding import MOST_MERGES, Place, find, read
from leads.outbox import Wanted
from tests.conftest import NOW
from tests.factories import make_lead
from tests.leads.connectors.salesforce.conftest import Side, want

ANN = "ann@acme.example"


def found(side: Side, *wants: Wanted, all_of_them: bool = False) -> list[Place]:
    return find(side.it.api, wants, "salesforce", side.it.mapping, all_of_them=all_of_them)


def one(side: Side, wanted: Wanted) -> Place:
    [place] = found(side, wanted)
    return place


def test_by_the_id_that_is_known(side: Side) -> None:
    key = side.lead(Email="other@acme.example", Handoff_Id__c="7")
    place = one(side, want(key=key))
    assert place.row is not None
    assert (place.row.id, place.is_linked, place.trouble) == (key, True, "")
    assert side.paths() == ["POST composite/sobjects/Lead"]


def test_by_an_id_of_fifteen_characters(side: Side) -> None:
    key = side.lead(Handoff_Id__c="7")
    place = one(side, want(key=key[:15]))
    assert place.row is not None and place.row.id == key


def test_by_our_number_though_another_id_was_known(side: Side) -> None:
    """Two Leads of leads that were merged here: the one that bears the number is the one."""
    other, own = side.lead(Email=ANN), side.lead(Email=ANN, Handoff_Id__c="7")
    place = one(side, want(key=other))
    assert place.row is not None
    assert (place.row.id, [row.id for row in place.others]) == (own, [other])


@pytest.mark.parametrize("email", [ANN, "Ann@ACME.example", " ann@acme.example "])
def test_by_address(side: Side, email: str) -> None:
    key = side.lead(Email="Ann@Acme.example")
    place = one(side, want(email=email.strip()))
    assert place.row is not None and place.row.id == key
    assert not place.is_linked


def test_of_several_with_the_address_the_first_that_is_not_converted(side: Side) -> None:
    converted, first, second = (side.lead(Email=ANN) for _ in range(3))
    side.there.convert(converted)
    place = one(side, want())
    assert place.row is not None
    assert (place.row.id, [row.id for row in place.others]) == (first, [converted, second])


def test_several_with_our_number_are_trouble(side: Side) -> None:
    side.lead(Handoff_Id__c="7")
    side.lead(Handoff_Id__c="7")
    assert "Several Leads there have the number" in one(side, want(email="")).trouble


@pytest.mark.parametrize("by", ["id", "address"])
def test_another_leads_is_never_taken(side: Side, by: str) -> None:
    other = make_lead()
    key = side.lead(Email=ANN, Handoff_Id__c=str(other.pk))
    place = one(side, want(key=key if by == "id" else "", lead_id=other.pk + 1))
    assert place.row is None
    assert "bears the number of another lead" in place.trouble


@pytest.mark.parametrize("by", ["id", "address"])
def test_that_of_a_lead_that_was_merged_into_it_is_taken_over(side: Side, by: str) -> None:
    kept, merged = make_lead(), make_lead()
    merged.merged_into = kept
    merged.save()
    key = side.lead(Email=ANN, Handoff_Id__c=str(merged.pk))
    place = one(side, want(key=key if by == "id" else "", lead_id=kept.pk))
    assert place.row is not None
    assert (place.row.id, place.is_linked, place.trouble) == (key, False, "")


@pytest.mark.parametrize("number", ["x", "9" * 30, "\u0667"])
def test_a_number_that_is_none_of_ours_is_anothers(side: Side, number: str) -> None:
    side.lead(Email=ANN, Handoff_Id__c=number)
    assert "another lead" in one(side, want()).trouble


def test_a_merged_one_is_followed(side: Side) -> None:
    kept, old, older = (side.lead(Email=f"{name}@acme.example") for name in ("kept", "old", "older"))
    side.there.act({"do": "merge", "id": old, "other": older})
    side.there.act({"do": "merge", "id": kept, "other": old})
    rows = read(side.it.api, [older, kept], side.it.mapping)
    assert {key: row.id for key, row in rows.items()} == {older[:15]: kept, kept[:15]: kept}


def test_merges_without_end_are_given_up(side: Side) -> None:
    ids = [side.lead() for _ in range(MOST_MERGES + 3)]
    for old, new in pairwise(ids):
        side.there.act({"do": "merge", "id": new, "other": old})
    assert read(side.it.api, [ids[0]], side.it.mapping) == {}


def test_a_deleted_one_is_gone_and_one_that_never_was_is_not(side: Side) -> None:
    key = side.lead(Email=ANN)
    side.there.act({"do": "delete", "id": key})
    gone, never = found(side, want(key=key), want(lead_id=8, email="bo@acme.example"))
    assert (gone.row, gone.is_gone) == (None, True)
    assert (never.row, never.is_gone) == (None, False)


def test_one_that_was_deleted_and_made_anew_is_found_by_address(side: Side) -> None:
    key = side.lead(Email=ANN)
    side.there.act({"do": "delete", "id": key})
    again = side.lead(Email=ANN)
    place = one(side, want(key=key))
    assert place.row is not None and place.row.id == again


def test_the_calls_do_not_grow_with_the_leads(connect: Any) -> None:
    counts = []
    for many in (1, 3, 200):
        side: Side = connect()
        side.outer.reset()
        wants = []
        for number in range(many):
            email = f"p{number}@x.example"
            known = side.lead(Email=email, Handoff_Id__c=str(number * 3 + 1))
            side.lead(Email=f"q{number}@x.example")
            wants += [
                want(key=known, lead_id=number * 3 + 1, email=email),
                want(lead_id=number * 3 + 2, email=f"q{number}@x.example"),
            ]
        places = found(side, *wants)
        assert all(place.row is not None for place in places)
        counts.append(len(side.paths()))
    assert counts == [3, 3, 3]


# for audits


def test_audits_are_shown_the_record(side: Side) -> None:
    key = side.lead(Email="Ann@Acme.example", Handoff_Id__c="7", HasOptedOutOfEmail=True)
    side.push(want("rejected", key, reason="not_icp"))
    [seen] = side.it.fetch([want(key=key)], NOW)[7]
    assert (seen.object, seen.remote_id, seen.email, seen.opted_out) == ("Lead", key, ANN, True)
    assert dict(seen.values) == {
        **side.it.expected(want("rejected", key, reason="not_icp")),
        "OwnerId": side.there.owner_id,
    }
    assert seen.changed_at is not None
    assert abs((seen.changed_at - NOW).total_seconds()) < 60
    assert (seen.is_deleted, seen.merged_into) == (False, "")


def test_audits_are_shown_what_became_of_it(side: Side) -> None:
    kept, merged, deleted = (side.lead(Email=f"{name}@x.example") for name in ("kept", "merged", "deleted"))
    side.there.act({"do": "merge", "id": kept, "other": merged})
    side.there.act({"do": "delete", "id": deleted})
    records = side.it.fetch(
        [
            want(key=merged, lead_id=1, email=""),
            want(key=deleted, lead_id=2, email=""),
            want(key="00Q000000000000AAA", lead_id=3, email=""),
            want(lead_id=4, email="nobody@x.example"),
        ],
        NOW,
    )
    told = {
        lead: [(one.remote_id, one.is_deleted, one.merged_into) for one in seen]
        for lead, seen in records.items()
    }
    assert told == {
        1: [(merged, False, kept), (kept, False, "")],
        2: [(deleted, True, "")],
        3: [("00Q000000000000AAA", True, "")],
        4: [],
    }


def test_audits_are_shown_duplicates(side: Side) -> None:
    key, other = side.lead(Email=ANN, Handoff_Id__c="7"), side.lead(Email=ANN)
    assert [one.remote_id for one in side.it.fetch([want(key=key)], NOW)[7]] == [key, other]


def test_a_converted_one_is_as_it_should_be_only_at_an_opportunity(side: Side) -> None:
    key = side.lead(Email=ANN, Handoff_Id__c="7")
    side.push(want("contacted", key))
    side.there.convert(key, {"Amount": 10})
    won = want("opportunity", key, revision=4)
    [seen] = side.it.fetch([won], NOW)[7]
    assert {**seen.values, **side.it.expected(won)} == dict(seen.values)
    [seen] = side.it.fetch([want("contacted", key)], NOW)[7]
    assert side.it.mapping.status_of({**seen.values, "Status": ""}) == "opportunity"


def test_reading_is_as_cheap_for_three_as_for_one(connect: Any) -> None:
    counts = []
    for many in (1, 3):
        side: Side = connect()
        side.outer.reset()
        wants = [
            want(key=side.lead(Email=f"p{n}@x.example"), lead_id=n + 1, email=f"p{n}@x.example")
            for n in range(many)
        ]
        side.it.fetch(wants, NOW)
        counts.append(len(side.paths()))
    assert counts == [3, 3]
