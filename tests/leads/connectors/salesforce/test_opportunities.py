"""Conversion is observed: the opportunity is told once, with what it is worth, and how it ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from leads.connectors import polling
from leads.connectors.salesforce.opportunities import converted_at
from leads.connectors.salesforce.records import Row
from leads.models import Event, ExternalId, Handoff, Lead
from tests.conftest import NOW, Cast
from tests.factories import make_handoff
from tests.leads.connectors.salesforce.conftest import Side, at

OPP = "0065e0000000001AAA"


@pytest.fixture
def handoff(cast: Cast, side: Side) -> Handoff:
    """An accepted handoff whose Lead is known."""
    made = make_handoff("accepted", cast.femke)
    key = side.lead(Email=made.lead.email, Handoff_Id__c=str(made.lead_id))
    ExternalId.objects.create(lead=made.lead, system="salesforce", object="Lead", value=key)
    return made


def key_of(handoff: Handoff) -> str:
    return ExternalId.objects.get(lead=handoff.lead, system="salesforce").value


def poll(side: Side, minutes: int = 5) -> dict[str, int]:
    side.connection.refresh_from_db()
    now = NOW + timedelta(minutes=minutes)
    return polling.poll(side.connection, lambda: now, seconds=20)


def told(handoff: Handoff) -> list[tuple[Any, ...]]:
    """What is known of the opportunity, and how often anything of it was put down."""
    handoff.refresh_from_db()
    said = Event.objects.filter(handoff=handoff, kind="converted").count()
    return [
        handoff.state, handoff.opportunity_id, str(handoff.opportunity_amount), handoff.opportunity_currency,
        handoff.opportunity_stage, said,
    ]  # type: ignore[list-item]  # fmt: skip


def test_a_conversion_makes_an_opportunity_once(side: Side, handoff: Handoff) -> None:
    side.there.convert(key_of(handoff), {"Id": OPP, "Amount": 12000.5, "CurrencyIsoCode": "EUR"})
    for minutes in (5, 10, 15):
        poll(side, minutes)
        assert told(handoff) == ["converted", OPP, "12000.50", "EUR", "Prospecting", 1]
    assert handoff.opportunity_at is not None
    assert abs((handoff.opportunity_at - NOW).total_seconds()) < 60


def test_how_it_ended_is_told_later(side: Side, handoff: Handoff) -> None:
    side.there.convert(key_of(handoff), {"Id": OPP, "Amount": 10, "CurrencyIsoCode": "EUR"})
    poll(side)
    side.outer.clock.advance(3600)
    values = {"StageName": "Closed Won", "IsClosed": True, "IsWon": True, "Amount": 9}
    side.there.act({"do": "opportunity", "id": OPP, "values": values})
    counts = poll(side, 65)
    assert counts["processed"] == 1
    assert told(handoff) == ["converted", OPP, "9.00", "EUR", "Closed Won", 2]
    assert poll(side, 70).get("processed", 0) == 0


@pytest.mark.parametrize(("is_won", "how"), [(True, "won"), (False, "lost")])
def test_what_is_closed_at_once_is_told_as_both(side: Side, handoff: Handoff, is_won: bool, how: str) -> None:
    side.there.convert(key_of(handoff), {"Id": OPP, "IsClosed": True, "IsWon": is_won})
    events = side.it.changes({}, NOW + timedelta(minutes=5)).events
    kinds = [event["type"] for event in events if event["type"].startswith("opportunity")]
    assert kinds == ["opportunity.created", f"opportunity.{how}"]


def test_a_conversion_without_an_opportunity_is_put_down(side: Side, handoff: Handoff) -> None:
    side.there.convert(key_of(handoff))
    poll(side)
    handoff.refresh_from_db()
    assert handoff.state == "accepted"
    titles = list(handoff.lead.activities.values_list("title", flat=True))
    assert titles.count(f"Lead converted in {side.connection.name} without an opportunity") == 1


def test_opportunities_of_strangers_are_passed_over(side: Side, handoff: Handoff) -> None:
    stranger = side.lead(Email="stranger@acme.example")
    side.there.convert(stranger, {"Amount": 5})
    page = side.it.changes({"table": "Opportunity"}, NOW + timedelta(minutes=5))
    assert (list(page.events), page.is_more) == ([], False)
    poll(side)
    assert told(handoff)[0] == "accepted"
    assert Lead.objects.count() == 1


def test_they_are_not_taken_where_that_is_not_wanted(connect: Any, cast: Cast) -> None:
    side: Side = connect(opportunities=False)
    made = make_handoff("accepted", cast.femke)
    key = side.lead(Email=made.lead.email)
    ExternalId.objects.create(lead=made.lead, system="salesforce", object="Lead", value=key)
    side.there.convert(key, {"Id": OPP})
    poll(side)
    assert told(made)[0] == "accepted"
    assert not [path for path in side.outer.log.of("salesforce", "Opportunity%20WHERE") if path]


@pytest.mark.parametrize(
    ("currency", "stated", "amount"),
    [("EUR", "", "7.00 EUR"), (None, "", "None "), (None, "usd", "7.00 USD"), ("EUR", "CHF", "7.00 CHF")],
)
def test_an_amount_has_a_currency_or_says_nothing(
    connect: Any, cast: Cast, currency: str | None, stated: str, amount: str
) -> None:
    side: Side = connect(currency=stated)
    made = make_handoff("accepted", cast.femke)
    key = side.lead(Email=made.lead.email)
    ExternalId.objects.create(lead=made.lead, system="salesforce", object="Lead", value=key)
    side.there.convert(key, {"Id": OPP, "Amount": 7, "CurrencyIsoCode": currency})
    poll(side)
    made.refresh_from_db()
    assert f"{made.opportunity_amount} {made.opportunity_currency}" == amount


def test_an_org_of_one_currency_has_no_field_for_it(side: Side, handoff: Handoff) -> None:
    side.there.convert(key_of(handoff), {"Id": OPP, "Amount": 7, "CurrencyIsoCode": "EUR"})
    error = [{"errorCode": "INVALID_FIELD", "message": "No such column 'CurrencyIsoCode'"}]
    side.outer.fault(system="salesforce", match="CurrencyIsoCode", status=400, body=error, times=-1)
    poll(side)
    assert told(handoff)[:4] == ["converted", OPP, "None", ""]


@pytest.mark.parametrize(
    ("stamp", "day", "moment"),
    [
        ("2026-03-10T10:00:00.000+0000", "2026-03-10", "2026-03-10T10:00:00Z"),
        # West of Greenwich it was still the day before.
        ("2026-03-10T10:00:00.000+0000", "2026-03-09", "2026-03-10T10:00:00Z"),
        ("2026-05-01T10:00:00.000+0000", "2026-03-10", "2026-03-11T12:00:00Z"),
        ("2026-03-10T10:00:00.000+0000", None, "2026-03-10T10:00:00Z"),
    ],
)
def test_when_it_was_converted(stamp: str, day: str | None, moment: str) -> None:
    row = Row({"IsConverted": True, "SystemModstamp": stamp, "ConvertedDate": day})
    assert converted_at(row) == at(moment)


def test_what_was_not_converted_has_no_such_moment() -> None:
    assert converted_at(Row({"SystemModstamp": "2026-03-10T10:00:00.000+0000"})) is None
    assert converted_at(Row({"IsConverted": True})) is None
