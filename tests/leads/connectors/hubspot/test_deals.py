"""Deals as opportunities of leads that are known."""

from __future__ import annotations

from typing import Any

import pytest

from leads.connectors.hubspot import deals
from leads.connectors.hubspot.calling import Refusal
from leads.models import ExternalId
from tests.factories import make_lead
from tests.leads.connectors.hubspot.conftest import Side


def known(side: Side, **values: Any) -> str:
    """A contact whose lead is known."""
    key = side.contact(**values)
    ExternalId.objects.create(lead=make_lead(), system="hubspot", object="contact", value=key)
    return key


def deal(side: Side, *contacts: str, **values: Any) -> str:
    kinds = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]
    links = [{"to": {"id": key}, "types": kinds} for key in contacts]
    made = side.there.act({"do": "create", "object": "deals", "values": values, "associations": links})
    return str(made["id"])


def told(side: Side, *keys: str) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (event["type"], event["data"]["lead"]["external_ids"][0]["id"], event["data"]["opportunity"])
        for event in deals.events(side.it.api, side.it.reader, keys)
    ]


def test_a_deal_of_somebody_known(side: Side) -> None:
    contact = known(side)
    key = deal(side, contact, dealstage="offer", amount="12500.50", deal_currency_code="EUR")
    assert told(side, key) == [
        (
            "opportunity.created",
            contact,
            {"external_id": key, "stage": "offer", "amount": "12500.50", "currency": "EUR"},
        )
    ]


def test_a_deal_of_strangers_and_of_nobody_says_nothing(side: Side) -> None:
    assert told(side, deal(side, side.contact(email="x@acme.example")), deal(side), "999999") == []


def test_of_a_committee_those_who_are_known(side: Side) -> None:
    first, stranger, second = known(side), side.contact(), known(side)
    key = deal(side, second, stranger, first, dealstage="offer")
    assert [contact for _, contact, _ in told(side, key)] == [first, second]


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ({"hs_is_closed": "true", "hs_is_closed_won": "true"}, ["won"]),
        ({"hs_is_closed": "true", "hs_is_closed_won": "false"}, ["lost"]),
        ({"hs_is_closed": "false"}, []),
    ],
)
def test_how_it_ended_as_of_when_its_stage_changed(
    side: Side, values: dict[str, str], ends: list[str]
) -> None:
    key = deal(side, known(side), dealstage="offer")
    side.outer.clock.advance(3600)
    side.there.act({"do": "edit", "object": "deals", "id": key, "values": {"dealstage": "end", **values}})
    first = deals.events(side.it.api, side.it.reader, [key])
    assert [event["type"].partition(".")[2] for event in first] == ["created", *ends]
    hours = {event["type"]: event["time"][:13] for event in first}
    assert hours.pop("opportunity.created") == "2026-03-10T10"
    assert set(hours.values()) == ({"2026-03-10T11"} if ends else set())
    # Another change moves no time, and so makes no other event.
    side.outer.clock.advance(3600)
    side.there.act({"do": "edit", "object": "deals", "id": key, "values": {"dealname": "Ships"}})
    assert deals.events(side.it.api, side.it.reader, [key]) == first


@pytest.mark.parametrize(
    "values",
    [
        {"amount": "10"},
        {"amount": "", "deal_currency_code": "EUR"},
        {"amount": "-4", "deal_currency_code": "EUR"},
    ],
)
def test_an_amount_needs_its_currency(side: Side, values: dict[str, str]) -> None:
    [(_, _, what)] = told(side, deal(side, known(side), dealstage="offer", **values))
    assert set(what) == {"external_id", "stage"}


def test_what_cannot_be_read_is_no_absence(side: Side) -> None:
    key = deal(side, known(side))
    side.outer.fault(system="hubspot", match="deals", kind="unavailable")
    with pytest.raises(Refusal):
        told(side, key)
