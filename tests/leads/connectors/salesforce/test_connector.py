"""The connector as a whole: its options, what it offers, its check, and the whole way in and out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from leads import connectors, outbox
from leads.connectors import polling
from leads.connectors.base import NotOffered
from leads.connectors.client import Unreachable
from leads.connectors.kinds import CONNECTORS
from leads.connectors.mapping import problems
from leads.connectors.salesforce import Salesforce
from leads.connectors.salesforce.usual import NOT_GIVEN
from leads.models import Company, Delivery, ExternalId, Handoff, Lead, RemoteRecord
from tests.conftest import NOW, Cast
from tests.factories import make_company, make_handoff, make_lead, open_handoff
from tests.leads.connectors.salesforce.conftest import Side

LATER = NOW + timedelta(minutes=10)


def poll(side: Side, minutes: int = 5) -> dict[str, int]:
    side.connection.refresh_from_db()
    now = NOW + timedelta(minutes=minutes)
    return polling.poll(side.connection, lambda: now, seconds=20)


def known(side: Side, lead: Lead, **values: Any) -> str:
    """The Lead of a lead, which is known here."""
    key = side.lead(Email=lead.email, LastName=lead.last_name, **values)
    ExternalId.objects.create(lead=lead, system="salesforce", object="Lead", value=key)
    return key


def test_what_can_be_set_has_a_name_once() -> None:
    names = [option.name for option in Salesforce.OPTIONS]
    assert len(names) == len(set(names))
    assert [option.name for option in Salesforce.SECRETS] == [
        "client_id", "client_secret", "username", "private_key"
    ]  # fmt: skip
    assert CONNECTORS["salesforce"] is Salesforce  # type: ignore[index]
    assert "salesforce" in polling.pollable()


def test_what_there_is_to_choose_from(side: Side) -> None:
    users = [{"Email": f"Rep{number}@acme.example"} for number in range(3)]
    gone = {"Email": "gone@acme.example", "IsActive": False}
    side.there.seed({"users": [*users, gone, {"Name": "Robot", "UserType": "AutomatedProcess"}]})
    offered = side.it.offered()
    assert offered.fields["Handoff_Revision__c"] == "Handoff_Revision__c"
    assert offered.statuses == {
        "Status": {
            name: name for name in ("Open - Not Contacted", "Working - Contacted", "Closed - Not Converted")
        }
    }
    rep = offered.owners["rep2@acme.example"]
    assert side.there.users[rep].values["Email"] == "Rep2@acme.example"
    assert sorted(offered.owners) == [
        "integration@salesforce.example", *(f"rep{number}@acme.example" for number in range(3))
    ]  # fmt: skip
    assert problems(side.it.mapping, offered) == []


def test_a_converted_status_is_a_problem_of_the_mapping(connect: Any) -> None:
    side: Side = connect(mapping={"statuses": {"opportunity": {"Status": "Closed - Converted"}}})
    [problem] = problems(side.it.mapping, side.it.offered())
    assert (problem.where, problem.words) == (
        "statuses.opportunity.Status",
        "Closed - Converted is not offered there.",
    )


def test_a_check_says_what_is_missing_there(connect: Any) -> None:
    side: Side = connect()
    used = "It answers; 1 of 100000 calls of the last 24 hours are used."
    assert side.it.check() == f"{used} Leads have all 9 fields that are written."
    side = connect(mapping={"fields": {"mql_at": "Handoff_Qualified_At__c"}})
    assert side.it.check().endswith("Leads lack these fields: Handoff_Qualified_At__c.")
    side.there.external_ids = []
    side.connection.mapping = {}
    again = Salesforce(side.connection, side.it.http)
    assert again.check().endswith("Handoff_Id__c must be an external id.")
    side.outer.fault(system="salesforce", match="/services/data", kind="unavailable")
    with pytest.raises(Unreachable):
        again.check()


def test_it_sends_us_nothing(side: Side) -> None:
    with pytest.raises(NotOffered):
        side.it.translate(b"", "", NOW)


# in


def test_a_field_that_somebody_changed_there_reaches_the_lead(cast: Cast, side: Side) -> None:
    lead = make_lead(phone="")
    key = known(side, lead)
    poll(side)
    side.outer.clock.advance(360)
    side.there.act({"do": "edit", "id": key, "values": {"Phone": "+4930123", "Title": "CEO"}})
    counts = poll(side, 12)
    assert counts["processed"] == 1
    lead.refresh_from_db()
    assert (lead.phone, lead.job_title) == ("+4930123", "CEO")
    assert poll(side, 17).get("processed", 0) == 0


def test_what_we_write_ourselves_is_no_news_when_it_comes_back(cast: Cast, side: Side) -> None:
    lead = make_lead(company=make_company(domain="acme.com"))
    handoff = make_handoff("accepted", cast.femke, lead=lead)
    side.outer.clock.advance(600)
    assert connectors.deliver(side.connection, lambda: LATER, seconds=20) == 1
    [record] = side.there.leads
    before = Lead.objects.values().get(pk=handoff.lead_id)
    revision = Handoff.objects.get(pk=handoff.pk).revision
    counts = poll(side, 11)
    after = Lead.objects.values().get(pk=handoff.lead_id)
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"field_times", "updated_at"}
    assert Handoff.objects.get(pk=handoff.pk).revision == revision
    assert counts.get("invalid", 0) == 0
    row = RemoteRecord.objects.get(remote_id=record.id)
    assert {name: row.seen[name] for name in row.written} == row.written


def test_a_name_that_was_made_up_never_comes_back_as_one(cast: Cast, side: Side) -> None:
    lead = make_lead(last_name="", company=None)
    open_handoff(lead)
    assert connectors.deliver(side.connection, lambda: LATER, seconds=20) == 1
    assert side.leads()[0]["LastName"] == NOT_GIVEN
    poll(side, 11)
    lead.refresh_from_db()
    assert lead.last_name == ""
    assert not Company.objects.filter(name=NOT_GIVEN).exists()


def test_leads_of_strangers_are_no_leads_here(cast: Cast, connect: Any) -> None:
    side: Side = connect()
    side.lead(Email="stranger@acme.example")
    poll(side)
    assert Lead.objects.count() == 0
    side = connect(role="both")
    side.outer.reset()
    side.lead(Email="stranger@acme.example", Phone="+49301")
    poll(side)
    lead = Lead.objects.get()
    assert (lead.email, lead.last_name, lead.phone) == ("stranger@acme.example", "Lee", "+49301")


def test_a_merge_there_is_told(cast: Cast, side: Side) -> None:
    kept_key, gone_key = known(side, make_lead()), known(side, make_lead())
    side.there.act({"do": "merge", "id": kept_key, "other": gone_key})
    for _ in range(2):
        events = side.it.changes({}, LATER).events
        [merge] = [event for event in events if event["type"] == "lead.merged"]
        assert merge["id"] == f"merged/{gone_key}/{kept_key}"
        assert merge["data"]["lead"]["external_ids"][0]["id"] == kept_key
        assert [one["id"] for one in merge["data"]["merged_from"]] == [gone_key]


def test_a_deletion_there_is_put_down_and_erases_nobody(cast: Cast, side: Side) -> None:
    lead = make_lead()
    key = known(side, lead)
    side.there.act({"do": "delete", "id": key})
    poll(side)
    lead.refresh_from_db()
    assert lead.email
    assert list(lead.activities.values_list("title", flat=True)) == [
        f"Lead deleted in {side.connection.name}"
    ]
    assert poll(side, 10).get("processed", 0) == 0


def test_what_stands_there_is_remembered(cast: Cast, side: Side) -> None:
    handoff = make_handoff("accepted", cast.femke)
    key = known(side, handoff.lead, Status="Working - Contacted", Handoff_Status__c="Accepted")
    poll(side)
    row = RemoteRecord.objects.get(remote_id=key)
    assert (row.seen["Status"], row.seen["Handoff_Status__c"]) == ("Working - Contacted", "Accepted")


@pytest.mark.parametrize(
    ("kind", "why"), [("request_limit", ""), ("bad_session", "The credentials are refused")]
)
def test_a_poll_that_is_refused_loses_nothing(cast: Cast, side: Side, kind: str, why: str) -> None:
    lead = make_lead(phone="")
    known(side, lead, Phone="+49301")
    side.outer.fault(system="salesforce", match="/queryAll", kind=kind, times=2)
    assert poll(side) == {}
    side.connection.refresh_from_db()
    assert (side.connection.cursor, side.connection.polled_at) == ({}, None)
    assert side.connection.paused_why.startswith(why)
    assert bool(side.connection.paused_why) == bool(why)
    side.outer.faults.clear()
    poll(side)
    lead.refresh_from_db()
    assert lead.phone == "+49301"


# out


def test_a_handoff_that_is_converted_there_comes_to_rest_on_both_sides(cast: Cast, side: Side) -> None:
    """Accepted here, converted there, told here, and nothing is owed or dead afterwards."""
    handoff = make_handoff("accepted", cast.femke)
    assert connectors.deliver(side.connection, lambda: LATER, seconds=20) == 1
    [record] = side.there.leads
    side.there.convert(record.id, {"Id": "0065e0000000001AAA"})
    poll(side, 11)
    handoff.refresh_from_db()
    assert (handoff.state, handoff.opportunity_id) == ("converted", "0065e0000000001AAA")
    connectors.deliver(side.connection, lambda: NOW + timedelta(hours=1), seconds=20)
    assert set(Delivery.objects.values_list("status", flat=True)) <= {"done", "superseded"}
    wanted = outbox.wanted([handoff.lead_id])[handoff.lead_id]
    [seen] = side.it.fetch([wanted], NOW)[handoff.lead_id]
    assert dict(side.it.expected(wanted)).items() <= dict(seen.values).items()
