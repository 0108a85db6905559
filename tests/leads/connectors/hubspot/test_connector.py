"""The connector as a whole: its options, what it offers, its check, and the whole way in and out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from leads import connectors
from leads.connectors import polling
from leads.connectors.client import Unreachable
from leads.connectors.hubspot import HubSpot
from leads.connectors.hubspot.usual import STAGE
from leads.models import ExternalId, Handoff, InboundCall, Lead
from tests.conftest import NOW, Cast
from tests.factories import make_handoff, make_lead, route_to
from tests.leads.connectors.hubspot.conftest import Side

LATER = NOW + timedelta(minutes=10)


def test_what_can_be_set_has_a_name_once_and_defaults_that_are_used() -> None:
    names = [option.name for option in HubSpot.OPTIONS]
    assert len(names) == len(set(names))
    assert [option.name for option in HubSpot.SECRETS] == [
        "service_key", "client_id", "client_secret", "refresh_token"
    ]  # fmt: skip


def test_what_there_is_to_choose_from(connect: Any) -> None:
    side = connect(lead_object=True)
    side.there.seed(
        {"owners": [{"id": str(one), "email": f"Rep{one}@acme.example"} for one in range(1, 131)]}
    )
    offered = side.it.offered()
    assert offered.fields["handoff_revision"] == "handoff_revision"
    assert list(offered.statuses["hs_lead_status"])[:2] == ["NEW", "OPEN"]
    assert offered.statuses[STAGE]["lead"] == "Lead"
    assert offered.statuses["leads.hs_pipeline_stage"] == offered.stages
    assert offered.stages["new-stage-id"] == "New"
    assert len(offered.owners) == 130
    assert offered.owners["rep130@acme.example"] == "130"


def test_a_check_says_what_is_missing_there(side: Side) -> None:
    assert side.it.check() == "It answers. Contacts have all 11 properties that are written."
    del side.there.properties["contacts"]["handoff_revision"]
    del side.there.properties["contacts"]["handoff_external_id"]
    words = "It answers. Contacts lack these properties: handoff_external_id, handoff_revision."
    assert side.it.check() == words
    side.outer.fault(system="hubspot", kind="unavailable")
    with pytest.raises(Unreachable):
        side.it.check()


# in: a call's whole way


def taken(outer: Any, client: Client, now: datetime = LATER) -> list[dict[str, Any]]:
    """Deliver what the double has sent to the site, and take it in; what became of the calls."""
    assert outer.settle()
    for sent in outer.emitter.sent:
        headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in sent.headers.items()}
        answer = client.post("/hooks/our-secret/", sent.body, content_type="application/json", **headers)
        assert answer.status_code == 200, answer.content
    connectors.take_waiting(lambda: now, seconds=20)
    return [call.outcome for call in InboundCall.objects.order_by("pk")]


@pytest.fixture
def hooked(cast: Cast, connect: Any, settings: LazySettings, time_machine_at_now: None) -> Side:
    """A connection that HubSpot's double calls; what it sends is caught and posted by `taken`."""
    settings.PUBLIC_URL = "https://handoff.example.com"
    mapping = {"facts": {"score.fit": "fit_score", "score.behavior": "engagement_score"}}
    side: Side = connect(mapping=mapping, forms=["Book a demo = demo_request"])
    side.connection.hook_digest = connectors.digest("our-secret")
    side.connection.save()
    side.there.seed({"webhooks": "http://127.0.0.1:9/hooks/our-secret/"})
    side.there.configure(signed_uri="https://handoff.example.com/hooks/our-secret/", retries=[])
    route_to(cast.femke)
    return side


@pytest.fixture
def time_machine_at_now() -> Any:
    import time_machine

    with time_machine.travel(NOW, tick=True):
        yield


def test_a_form_there_is_a_demo_lead_here(hooked: Side, client: Client, outer: Any) -> None:
    outer.clock.offset = 0.0
    stamp = str(int(NOW.timestamp() * 1000))
    hooked.there.act(
        {
            "do": "create",
            "values": {
                "email": "ann@acme.example",
                "firstname": "Ann",
                "lastname": "Lee",
                "company": "Acme",
                "numemployees": "420",
                "fit_score": "40",
                "engagement_score": "30",
                "recent_conversion_event_name": "Demo page: Book a demo",
                "recent_conversion_date": stamp,
            },
        }
    )
    assert [outcome.get("processed") for outcome in taken(outer, client)] == [3]
    lead = Lead.objects.get()
    assert (lead.full_name, lead.company and lead.company.employee_count) == ("Ann Lee", 420)
    handoff = Handoff.objects.get()
    assert (handoff.trigger, handoff.lead_type) == ("demo_request", "demo")
    [known] = lead.external_ids.all()
    assert (known.system, known.object) == ("hubspot", "contact")


def test_repeated_reordered_and_polled_it_is_taken_once(hooked: Side, client: Client, outer: Any) -> None:
    outer.clock.offset = 0.0
    made = hooked.there.act({"do": "create", "values": {"email": "ann@acme.example", "jobtitle": "CTO"}})
    hooked.there.act({"do": "edit", "id": made["id"], "values": {"jobtitle": "CEO"}})
    taken(outer, client)
    taken(outer, client)
    assert sorted(InboundCall.objects.values_list("repeats", flat=True)) == [1, 1]
    polling.poll(hooked.connection, lambda: LATER, seconds=20)
    lead = Lead.objects.get()
    assert lead.job_title == "CEO"
    assert Handoff.objects.count() == 0


def test_our_own_writing_comes_back_as_nothing_new(
    cast: Cast, hooked: Side, client: Client, outer: Any
) -> None:
    """Nor does it make news of what stood there before: a phone number that is older than ours."""
    outer.clock.offset = -86400.0
    lead = make_lead(phone="+4930111", field_times={"phone": (NOW - timedelta(hours=1)).isoformat()})
    key = hooked.contact(email=lead.email, phone="+49301")
    ExternalId.objects.create(lead=lead, system="hubspot", object="contact", value=key)
    outer.clock.offset = 0.0
    handoff = make_handoff("accepted", cast.femke, lead=lead)
    assert connectors.deliver(hooked.connection, lambda: LATER, seconds=20) == 1
    revision = handoff.revision

    assert taken(outer, client) != []
    polling.poll(hooked.connection, lambda: LATER, seconds=20)

    handoff.refresh_from_db()
    lead.refresh_from_db()
    assert Handoff.objects.count() == 1
    assert (handoff.revision, handoff.state, lead.phone) == (revision, "accepted", "+4930111")
    assert hooked.connection.deliveries.filter(done_at__isnull=True).count() == 0


# polling


def test_a_poll_reads_contacts_then_deals(cast: Cast, connect: Any) -> None:
    side = connect()
    key = side.contact(email="ann@acme.example", firstname="Ann")
    kinds = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]
    first = side.it.changes({}, LATER)
    assert [event["type"] for event in first.events] == ["lead.updated"]
    assert [(seen.object, seen.remote_id) for seen in first.records] == [("contact", key)]
    assert (first.is_more, first.cursor["kind"]) == (True, "deals")

    ExternalId.objects.create(lead=make_lead(), system="hubspot", object="contact", value=key)
    values = {"dealstage": "offer"}
    side.there.act(
        {
            "do": "create",
            "object": "deals",
            "values": values,
            "associations": [{"to": {"id": key}, "types": kinds}],
        }
    )
    second = side.it.changes(first.cursor, LATER)
    assert [event["type"] for event in second.events] == ["opportunity.created"]
    assert (second.is_more, second.cursor["kind"], second.records) == (False, "contacts", [])


def test_without_deals_a_poll_ends_with_the_contacts(connect: Any) -> None:
    page = connect(deals=False).it.changes({}, LATER)
    assert (page.is_more, page.events, page.cursor["kind"]) == (False, [], "contacts")


def test_a_cursor_that_names_nothing_begins_with_the_contacts(side: Side) -> None:
    assert side.it.changes({"kind": "tickets"}, LATER).cursor["kind"] == "deals"


def test_of_a_crm_alone_only_those_who_are_known_are_read(connect: Any) -> None:
    side = connect("crm", deals=False)
    known = side.contact(email="ann@acme.example")
    side.contact(email="bob@acme.example")
    ExternalId.objects.create(lead=make_lead(), system="hubspot", object="contact", value=known)
    page = side.it.changes({}, LATER)
    assert [seen.remote_id for seen in page.records] == [known]
    assert {event["data"]["lead"]["email"] for event in page.events} == {"ann@acme.example"}


def test_a_poll_costs_the_same_for_one_and_for_thirty(connect: Any) -> None:
    costs = []
    for number in (1, 30):
        side = connect(deals=False)
        for _ in range(number):
            side.contact(email=f"p{len(side.there.contacts)}@acme.example")
        before = len(side.paths())
        side.it.changes({}, LATER)
        costs.append(len(side.paths()) - before)
    assert costs == [2, 2]
