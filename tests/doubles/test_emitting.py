"""Webhooks arrive as the vendors send them, signed over the bytes sent, and go wrong as told."""

import json
from typing import Any

import httpx
import pytest

from tests.doubles import Doubles, signing
from tests.doubles.hooks import Received
from tests.doubles.hubspot.portal import CLIENT_SECRET
from tests.doubles.mautic.instance import WEBHOOK_SECRET

CONTACTS = "/crm/objects/2026-09/contacts"


@pytest.fixture
def jane(outer: Doubles) -> str:
    """A contact with the same id in both systems, whose webhooks come to this set's own receiver."""
    outer.hubspot.seed(
        {"contacts": [{"id": 7, "email": "jane@acme.example"}], "webhooks": outer.url + "/hooks/hubspot"}
    )
    outer.mautic.seed({"contacts": [{"id": 7, "email": "jane@acme.example", "company": "A/Ö"}],
                       "webhooks": outer.url + "/hooks/mautic"})  # fmt: skip
    return "7"


def came(outer: Doubles, name: str) -> list[Received]:
    assert outer.settle()
    return outer.hooks.of(name)


def edit(outer: Doubles, status: str) -> None:
    """A user's edit in HubSpot."""
    outer.hubspot.act({"id": "7", "values": {"hs_lead_status": status}})


def values(received: list[Received]) -> list[Any]:
    return [event["propertyValue"] for message in received for event in message.json()]


def test_hubspot_tells_of_a_user_s_edit_thinly(outer: Doubles, jane: str) -> None:
    edit(outer, "CONNECTED")
    [message] = came(outer, "hubspot")
    [event] = message.json()
    assert (event["subscriptionType"], event["objectId"], event["propertyName"], event["propertyValue"]) == (
        "contact.propertyChange", 7, "hs_lead_status", "CONNECTED"
    )  # fmt: skip
    assert (event["changeSource"], event["attemptNumber"], event["portalId"]) == ("CRM_UI", 0, 33)
    assert abs(event["occurredAt"] / 1000 - outer.clock.now()) < 60
    assert "email" not in event


def test_hubspot_tells_of_our_own_writes_too(outer: Doubles, hubspot: httpx.Client, jane: str) -> None:
    body = {"properties": {"hs_lead_status": "OPEN", "handoff_revision": 1}}
    hubspot.patch(CONTACTS + "/7", json=body)
    hubspot.patch(CONTACTS + "/7", json=body)
    [message] = came(outer, "hubspot")
    assert [(each["propertyName"], each["changeSource"]) for each in message.json()] == [
        ("hs_lead_status", "INTEGRATION"), ("handoff_revision", "INTEGRATION")
    ]  # fmt: skip


def test_hubspot_signs_what_it_sends(outer: Doubles, jane: str) -> None:
    edit(outer, "OPEN")
    outer.hubspot.configure(signed_uri="https://public.example/in?x=a%3Ab")
    edit(outer, "CONNECTED")
    outer.hubspot.configure(signature="v1")
    edit(outer, "NEW")
    first, public, v1 = came(outer, "hubspot")
    for message, uri in ((first, outer.url + "/hooks/hubspot"), (public, "https://public.example/in?x=a:b")):
        stamp = int(message.headers["x-hubspot-request-timestamp"])
        expected = signing.hubspot_v3(CLIENT_SECRET, "POST", uri, message.body, stamp)
        assert message.headers["x-hubspot-signature-v3"] == expected
        assert abs(stamp / 1000 - outer.clock.now()) < 60
    assert v1.headers["x-hubspot-signature"] == signing.hubspot_v1(CLIENT_SECRET, v1.body)
    assert v1.headers["x-hubspot-signature-version"] == "v1"
    assert "x-hubspot-signature-v3" not in v1.headers


def test_hubspot_tells_of_creation_merge_and_privacy(outer: Doubles, jane: str) -> None:
    other = outer.hubspot.act({"do": "create", "values": {"email": "j@acme.example"}})["id"]
    kept = outer.hubspot.act({"do": "merge", "id": jane, "other": other})["id"]
    outer.hubspot.act({"do": "privacy_delete", "id": kept})
    created, merged, erased = (message.json() for message in came(outer, "hubspot"))
    assert (created[0]["subscriptionType"], created[0]["changeFlag"]) == ("contact.creation", "NEW")
    assert (merged[0]["primaryObjectId"], merged[0]["mergedObjectIds"], merged[0]["newObjectId"]) == (
        7, [int(other)], int(kept)
    )  # fmt: skip
    assert [event["subscriptionType"] for event in erased] == ["contact.privacyDeletion", "contact.deletion"]
    assert set(outer.hubspot.contacts[kept].values.values()) == {""}


def test_hubspot_sends_at_most_a_hundred_and_repeats_ids(outer: Doubles, jane: str) -> None:
    outer.hubspot.configure(hold_webhooks=True)
    for number in range(130):
        outer.hubspot.act({"id": "7", "values": {"phone": str(number)}})
    assert came(outer, "hubspot") == []
    assert outer.hubspot.emit({}) == 130
    received = came(outer, "hubspot")
    assert [len(message.json()) for message in received] == [100, 30]
    ids = [event["eventId"] for message in received for event in message.json()]
    assert len(set(ids)) < 130


def test_hubspot_tries_again_and_counts(outer: Doubles, jane: str) -> None:
    outer.fault(system="hooks", kind="server_error", times=2)
    edit(outer, "OPEN")
    [message] = came(outer, "hubspot")
    assert message.json()[0]["attemptNumber"] == 2
    assert [(delivery.attempt, delivery.status) for delivery in outer.emitter.sent] == [
        (0, 500),
        (1, 500),
        (2, 200),
    ]


def test_hubspot_may_send_generic_events_of_some_properties(outer: Doubles, jane: str) -> None:
    outer.hubspot.configure(generic_events=True, subscribed_properties=["hs_lead_status"])
    outer.hubspot.act({"id": "7", "values": {"hs_lead_status": "OPEN", "phone": "1"}})
    [message] = came(outer, "hubspot")
    assert [(event["subscriptionType"], event["objectTypeId"]) for event in message.json()] == [
        ("object.propertyChange", "0-1")
    ]


def test_mautic_sends_each_at_once_and_signs_its_bytes(
    outer: Doubles, mautic: httpx.Client, jane: str
) -> None:
    mautic.patch("/api/contacts/7/edit", json={"handoff_status": "accepted", "points": 12, "tags": ["sal"]})
    update, points = came(outer, "mautic")
    for message in (update, points):
        assert message.headers["webhook-signature"] == signing.mautic(WEBHOOK_SECRET, message.body)
        assert message.headers["x-origin-base-url"] == "https://mautic.example"
        assert b"A\\/\\u00d6" in message.body
    [item] = update.json()["mautic.lead_post_save_update"]
    contact = item["contact"]
    assert contact["fields"]["professional"]["handoff_status"]["value"] == "accepted"
    assert (contact["tags"], contact["stage"]) == ([], None)
    [item] = points.json()["mautic.lead_points_change"]
    assert item["points"] == {"old_points": 0, "new_points": 12}


def test_mautic_s_events_have_their_types(outer: Doubles, mautic: httpx.Client, jane: str) -> None:
    outer.mautic.act({"do": "create", "values": {"email": "new@acme.example"}})
    outer.mautic.act({"do": "dnc", "id": "7", "reason": 1})
    mautic.post("/api/stages/3/contact/7/add")
    outer.mautic.emit({"type": "mautic.form_on_submit", "payload": {"submission": {"id": 3}}})
    mautic.delete("/api/contacts/7/delete")
    assert [next(iter(message.json())) for message in came(outer, "mautic")] == [
        "mautic.lead_post_save_new",
        "mautic.lead_channel_subscription_changed",
        "mautic.form_on_submit",
        "mautic.lead_post_delete",
    ]


@pytest.mark.parametrize(("order", "first"), [("ASC", "0"), ("DESC", "11")])
def test_mautic_s_queue_goes_in_tens(outer: Doubles, jane: str, order: str, first: str) -> None:
    outer.mautic.configure(mode="queue", order=order)
    for number in range(12):
        outer.mautic.act({"id": "7", "values": {"phone": str(number)}})
    assert came(outer, "mautic") == []
    assert outer.mautic.emit({"process": True}) == 12
    bodies = [message.json()["mautic.lead_post_save_update"] for message in came(outer, "mautic")]
    assert [len(items) for items in bodies] == [10, 2]
    assert bodies[0][0]["contact"]["fields"]["core"]["phone"]["value"] == first


def test_mautic_loses_what_was_answered_wrongly(outer: Doubles, jane: str) -> None:
    outer.mautic.configure(mode="queue")
    outer.mautic.act({"id": "7", "values": {"phone": "1"}})
    outer.fault(system="hooks", kind="server_error")
    outer.mautic.emit({"process": True})
    assert outer.settle()
    assert outer.mautic.emit({"process": True}) == 0
    assert outer.mautic.as_json()["webhook"] == {"published": True, "queued": 0, "lost": 1}


def test_mautic_keeps_what_was_not_answered(outer: Doubles, jane: str) -> None:
    outer.mautic.configure(mode="queue")
    outer.mautic.act({"id": "7", "values": {"phone": "1"}})
    outer.fault(system="hooks", drop="before", times=2)
    outer.mautic.emit({"process": True})
    assert outer.settle()
    assert outer.mautic.as_json()["webhook"] == {"published": True, "queued": 1, "lost": 0}
    assert outer.mautic.emit({"process": True}) == 1
    assert len(came(outer, "mautic")) == 1


def test_mautic_stops_after_410(outer: Doubles, jane: str) -> None:
    outer.fault(system="hooks", kind="gone")
    for phone in ("1", "2"):
        outer.mautic.act({"id": "7", "values": {"phone": phone}})
        assert outer.settle()
    assert len(outer.emitter.sent) == 1
    assert outer.mautic.as_json()["webhook"] == {"published": False, "queued": 0, "lost": 1}


def test_a_webhook_comes_more_than_once(outer: Doubles, jane: str) -> None:
    outer.fault(system="hubspot", webhook=True, duplicate=2)
    edit(outer, "OPEN")
    edit(outer, "NEW")
    assert values(came(outer, "hubspot")) == ["OPEN", "OPEN", "OPEN", "NEW"]


def test_webhooks_come_in_another_order(outer: Doubles, jane: str) -> None:
    outer.fault(system="hubspot", webhook=True, reorder=3)
    for status in ("OPEN", "NEW", "CONNECTED", "BAD_TIMING"):
        edit(outer, status)
    assert values(came(outer, "hubspot")) == ["CONNECTED", "NEW", "OPEN", "BAD_TIMING"]


def test_what_is_held_can_be_let_go(outer: Doubles, jane: str) -> None:
    outer.fault(system="hubspot", webhook=True, reorder=5)
    edit(outer, "OPEN")
    edit(outer, "NEW")
    assert came(outer, "hubspot") == []
    outer.emitter.release()
    edit(outer, "CONNECTED")
    assert values(came(outer, "hubspot")) == ["NEW", "OPEN", "CONNECTED"]


def test_a_webhook_is_lost(outer: Doubles, jane: str) -> None:
    outer.fault(system="hubspot", webhook=True, lose=True)
    edit(outer, "OPEN")
    edit(outer, "NEW")
    assert values(came(outer, "hubspot")) == ["NEW"]
    assert [delivery.status for delivery in outer.emitter.sent] == [-1, 200]


def test_a_signature_is_bad_and_a_timestamp_old(outer: Doubles, jane: str) -> None:
    outer.fault(system="hubspot", webhook=True, bad_signature=True)
    outer.fault(system="hubspot", webhook=True, stale_timestamp=600)
    outer.fault(system="mautic", webhook=True, bad_signature=True)
    edit(outer, "OPEN")
    edit(outer, "NEW")
    outer.mautic.act({"id": "7", "values": {"phone": "1"}})
    bad, stale = came(outer, "hubspot")

    def right(message: Received) -> bool:
        stamp = int(message.headers["x-hubspot-request-timestamp"])
        uri = outer.url + "/hooks/hubspot"
        expected = signing.hubspot_v3(CLIENT_SECRET, "POST", uri, message.body, stamp)
        return message.headers["x-hubspot-signature-v3"] == expected

    assert (right(bad), right(stale)) == (False, True)
    age = outer.clock.now() - int(stale.headers["x-hubspot-request-timestamp"]) / 1000
    assert 600 <= age < 660
    [forged] = came(outer, "mautic")
    assert forged.headers["webhook-signature"] != signing.mautic(WEBHOOK_SECRET, forged.body)


def test_a_fault_picks_its_webhooks(outer: Doubles, jane: str) -> None:
    outer.fault(system="hubspot", webhook=True, match="deletion", lose=True)
    edit(outer, "OPEN")
    outer.hubspot.act({"do": "delete", "id": "7"})
    assert values(came(outer, "hubspot")) == ["OPEN"]


def test_raw_events_go_as_they_are(outer: Doubles, jane: str) -> None:
    outer.hubspot.emit({"events": [{"eventType": "contact.propertyChange", "objectId": "x"}]})
    [message] = came(outer, "hubspot")
    assert json.loads(message.body) == [
        {"eventType": "contact.propertyChange", "objectId": "x", "attemptNumber": 0}
    ]


def test_seeding_sends_nothing(outer: Doubles, jane: str) -> None:
    outer.hubspot.seed({"contacts": [{"email": "quiet@acme.example"}]})
    outer.mautic.seed({"contacts": [{"email": "quiet@acme.example"}]})
    assert came(outer, "hubspot") + came(outer, "mautic") == []


def test_nobody_listens(outer: Doubles) -> None:
    outer.hubspot.seed({"contacts": [{"id": 7}], "webhooks": "http://127.0.0.1:9/nothing"})
    edit(outer, "OPEN")
    assert outer.settle()
    assert [delivery.status for delivery in outer.emitter.sent] == [0, 0, 0]
