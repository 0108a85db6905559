"""What HubSpot sends: thin events, signed, in both spellings, repeated, out of order, and what is told of
them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from leads.connectors.base import Arrived, Unreadable
from leads.connectors.hubspot import hooks
from leads.connectors.hubspot.calling import Refusal
from leads.connectors.signatures import Refused
from leads.models import ExternalId
from tests.conftest import NOW
from tests.doubles import signing
from tests.doubles.hubspot.portal import CLIENT_SECRET
from tests.factories import make_lead
from tests.leads.connectors.hubspot.conftest import Side

URL = "https://handoff.example.com/hooks/secret/"
MILLIS = int(NOW.timestamp() * 1000)


def thin(what: str = "contact.propertyChange", key: Any = 101, **more: Any) -> dict[str, Any]:
    return {
        "eventId": 100,
        "subscriptionId": 1,
        "portalId": 33,
        "appId": 9,
        "occurredAt": MILLIS,
        "subscriptionType": what,
        "attemptNumber": 0,
        "objectId": key,
        "changeSource": "CRM_UI",
        **more,
    }


def body(*events: Any) -> bytes:
    return json.dumps(events).encode()


def told(side: Side, *events: Any) -> list[dict[str, Any]]:
    raw = body(*events)
    return side.it.translate(raw, hooks.identity(raw), NOW)


def know(key: str) -> None:
    ExternalId.objects.create(lead=make_lead(), system="hubspot", object="contact", value=key)


# signatures


def arrived(raw: bytes, secret: str = CLIENT_SECRET, url: str = URL, stamp: int = MILLIS) -> Arrived:
    headers = {
        "x-hubspot-signature-v3": signing.hubspot_v3(secret, "POST", URL, raw, stamp),
        "x-hubspot-request-timestamp": str(stamp),
    }
    return Arrived("POST", url, headers, raw)


def test_a_call_that_is_signed_is_identified(side: Side) -> None:
    raw = body(thin())
    assert side.it.identify(arrived(raw), NOW) == hooks.identity(raw)


@pytest.mark.parametrize(
    "changed",
    [
        {"secret": "another"},
        {"url": "https://handoff.example.com/hooks/other/"},
        {"stamp": MILLIS - 301_000},
        {"stamp": MILLIS + 301_000},
    ],
)
def test_a_call_that_is_not_is_refused(side: Side, changed: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        side.it.identify(arrived(body(thin()), **changed), NOW)


def test_version_1_is_taken_only_where_it_is_wanted(connect: Any) -> None:
    raw = body(thin())
    headers = {
        "x-hubspot-signature": signing.hubspot_v1(CLIENT_SECRET, raw),
        "x-hubspot-signature-version": "v1",
    }
    call = Arrived("POST", URL, headers, raw)
    assert connect(takes_v1=True).it.identify(call, NOW) == hooks.identity(raw)
    with pytest.raises(Refused):
        connect().it.identify(call, NOW)


def test_without_a_secret_nothing_is_taken(connect: Any) -> None:
    side = connect(secrets={"service_key": "pat-x"})
    with pytest.raises(Refused, match="no client secret"):
        side.it.identify(arrived(body(thin()), secret=""), NOW)


# identity


def test_a_retry_is_the_same_call() -> None:
    one, two = thin(propertyName="phone", propertyValue="1"), thin(key=102)
    again = [{**event, "attemptNumber": 3, "eventId": 5} for event in (two, one)]
    assert hooks.identity(body(one, two)) == hooks.identity(body(*again))


@pytest.mark.parametrize(
    "changed",
    [
        {"objectId": 102},
        {"propertyName": "phone"},
        {"propertyValue": "2"},
        {"occurredAt": MILLIS + 1},
        {"subscriptionId": 2},
        {"portalId": 34},
        {"subscriptionType": "contact.deletion"},
        {"mergedObjectIds": [5]},
    ],
)
def test_what_differs_is_another_call(changed: dict[str, Any]) -> None:
    assert hooks.identity(body(thin())) != hooks.identity(body({**thin(), **changed}))


def test_both_spellings_are_one() -> None:
    old = thin()
    old["eventType"] = old.pop("subscriptionType")
    assert hooks.identity(body(old)) == hooks.identity(body(thin()))


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[1]", b'"text"', b"\xff\xfe", b"[" * 100_000, body(*[{}] * 1001)]
)
def test_what_is_no_list_of_events_has_an_identity_and_is_unreadable(side: Side, raw: bytes) -> None:
    assert hooks.identity(raw).startswith("bytes:")
    with pytest.raises(Unreadable):
        side.it.translate(raw, "", NOW)


# translating


def test_the_contact_is_read_whatever_the_event_says_of_it(side: Side) -> None:
    key = side.contact(email="ann@acme.example", phone="new")
    [event] = told(side, thin(key=int(key), propertyName="phone", propertyValue="old"))
    assert (event["type"], event["source"]) == ("lead.updated", f"/connections/{side.connection.slug}")
    assert event["data"]["lead"] == {
        "external_ids": [{"system": "hubspot", "object": "contact", "id": key}],
        "email": "ann@acme.example",
        "phone": "new",
    }


@pytest.mark.parametrize(
    "event",
    [
        thin("contact.creation"),
        thin("contact.restore"),
        thin("contact.associationChange", 0, fromObjectId=101),
        thin("object.propertyChange", objectTypeId="0-1"),
        {
            **{name: value for name, value in thin().items() if name != "subscriptionType"},
            "eventType": "contact.propertyChange",
        },
        thin(key="101"),
    ],
)
def test_what_names_a_contact(side: Side, event: dict[str, Any]) -> None:
    assert hooks.named(body(event), "").contacts == {"101"}


@pytest.mark.parametrize(
    "event",
    [
        thin("company.propertyChange"),
        thin("object.propertyChange", objectTypeId="0-136"),
        thin("object.propertyChange"),
        thin("ticket.creation"),
        thin(key="../../x"),
        thin(key=None),
        thin(key=-5),
        thin(occurredAt="soon"),
        {},
    ],
)
def test_what_names_none(side: Side, event: dict[str, Any]) -> None:
    assert told(side, event) == []
    assert side.paths() == []


def test_another_account_is_passed_over(connect: Any) -> None:
    side = connect(portal_id="34")
    key = side.contact(email="ann@acme.example")
    assert told(side, thin(key=int(key))) == []
    assert len(told(connect(portal_id="33"), thin(key=int(key)))) == 1


def test_many_events_of_one_contact_are_one_reading(side: Side) -> None:
    key = side.contact(email="ann@acme.example")
    once = told(side, thin(key=int(key)))
    assert told(side, *[thin(key=int(key), propertyName=name) for name in ("a", "b", "c")]) == once
    assert side.paths() == ["POST contacts/batch/read"] * 2


def test_a_contact_that_is_gone_by_now_says_nothing(side: Side) -> None:
    assert told(side, thin(key=999)) == []


def test_of_a_crm_alone_nobody_new_is_taken(connect: Any) -> None:
    side = connect("crm")
    known, stranger = side.contact(email="ann@acme.example"), side.contact(email="bob@acme.example")
    know(known)
    events = told(side, thin(key=int(stranger)), thin(key=int(known)))
    assert [event["data"]["lead"]["email"] for event in events] == ["ann@acme.example"]


def test_what_cannot_be_read_is_tried_again(side: Side) -> None:
    side.outer.fault(system="hubspot", kind="ten_secondly")
    with pytest.raises(Refusal):
        told(side, thin())


def test_a_merge_is_told_before_what_the_kept_one_says(side: Side) -> None:
    ann, old = side.contact(email="ann@acme.example"), side.contact(email="ann@old.example")
    kept = side.there.act({"do": "merge", "id": ann, "other": old})["id"]
    event = thin(
        "contact.merge",
        int(kept),
        primaryObjectId=int(ann),
        mergedObjectIds=[int(old)],
        newObjectId=int(kept),
    )
    merge, *facts = told(side, event)
    assert merge["type"] == "lead.merged"
    assert merge["data"]["lead"] == {
        "external_ids": [{"system": "hubspot", "object": "contact", "id": kept}],
        "email": "ann@acme.example",
    }
    assert merge["data"]["merged_from"] == [
        {"system": "hubspot", "object": "contact", "id": key} for key in (ann, old)
    ]
    assert {event["type"] for event in facts} == {"lead.updated"}


def test_a_merge_into_the_primary_keeps_it(side: Side) -> None:
    [(kept, gone, _)] = hooks.named(
        body(thin("contact.merge", 5, primaryObjectId=5, mergedObjectIds=[6, 6, "x"])), ""
    ).merges
    assert (kept, gone) == ("5", ["6"])
    assert hooks.named(body(thin("contact.merge", 5, primaryObjectId=5, mergedObjectIds=[])), "").merges == []


def test_of_a_crm_alone_a_merge_with_somebody_known(connect: Any) -> None:
    side = connect("crm")
    ann, old = side.contact(email="ann@acme.example"), side.contact(email="ann@old.example")
    kept = side.there.act({"do": "merge", "id": ann, "other": old})["id"]
    event = thin(
        "contact.merge",
        int(kept),
        primaryObjectId=int(ann),
        mergedObjectIds=[int(old)],
        newObjectId=int(kept),
    )
    assert told(side, event) == []
    know(old)
    assert told(side, event)[0]["type"] == "lead.merged"


def test_a_privacy_deletion_is_an_erasure_and_no_deletion(side: Side) -> None:
    know("101")
    [event] = told(side, thin("contact.privacyDeletion"), thin("contact.deletion"), thin())
    assert (event["type"], event["time"]) == ("lead.erased", "2026-03-10T10:00:00.000Z")
    assert event["data"] == {
        "lead": {"external_ids": [{"system": "hubspot", "object": "contact", "id": "101"}]}
    }
    assert side.paths() == []


def test_a_deletion_is_put_down_on_a_lead_that_is_known(side: Side) -> None:
    assert told(side, thin("contact.deletion")) == []
    know("101")
    [event] = told(side, thin("contact.deletion"))
    assert event["type"] == "lead.updated"
    assert event["data"]["lead"]["custom"] == {"hubspot_deleted_at": "2026-03-10T10:00:00.000Z"}


@pytest.mark.parametrize(
    "event",
    [
        thin("deal.creation", 55),
        thin("deal.propertyChange", 55),
        thin("deal.associationChange", 0, fromObjectId=55, toObjectId=101),
        thin("object.propertyChange", 55, objectTypeId="0-3"),
    ],
)
def test_what_names_a_deal(event: dict[str, Any]) -> None:
    assert hooks.named(body(event), "").deals == {"55"}


def test_a_deleted_deal_is_none() -> None:
    assert hooks.named(body(thin("deal.deletion", 55)), "").deals == set()


def test_without_the_option_deals_are_not_read(connect: Any) -> None:
    side = connect(deals=False)
    assert told(side, thin("deal.creation", 55)) == []
    assert side.paths() == []
