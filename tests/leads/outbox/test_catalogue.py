"""The types, and that every body fits its type's schema."""

from __future__ import annotations

import copy
import json

import jsonschema_rs
import pytest

from leads import lifecycle
from leads.choices import EventKind
from leads.models import Delivery, ExternalId
from leads.outbox import catalogue
from leads.outbox.catalogue import ALL_TYPES, SILENT, TYPES, body, sample, schema
from tests.acting import at, by
from tests.conftest import NOW
from tests.factories import make_handoff, make_lead
from tests.leads.connectors.conftest import make_connection

CONTRACT = (
    "opened", "incomplete", "assigned", "accepted", "rejected", "deferred", "contacted", "converted",
    "disqualified", "discarded", "superseded", "reassigned", "escalated",
)  # fmt: skip


def validator(name: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator(schema(name), validate_formats=True)


def test_the_types_are_those_of_the_contract():
    assert set(ALL_TYPES) == {f"handoff.{name}" for name in CONTRACT}
    assert len(ALL_TYPES) == len(set(ALL_TYPES))


@pytest.mark.parametrize("name", ALL_TYPES)
def test_every_type_has_a_schema_that_is_one(name):
    assert jsonschema_rs.Draft202012Validator(schema(name)) is not None
    jsonschema_rs.meta.validate(schema(name))
    assert schema(name)["title"] == schema(name)["properties"]["type"]["const"] == name


def test_every_kind_either_tells_where_a_handoff_stands_or_not():
    assert set(catalogue.SPEAKING) | set(SILENT) == set(EventKind)
    # What others are told of by type and what makes a state overlap, but for what only warns.
    assert {kind for kind in TYPES if kind in SILENT} == {EventKind.FLAGGED, EventKind.BLACK_HOLE}


def _everything(cast) -> None:
    for state in ("accepted", "working", "deferred", "converted", "disqualified", "rejected"):
        make_handoff(state, cast.femke)
    make_handoff("queued")
    lead = make_lead()
    ExternalId.objects.create(lead=lead, system="map", object="contact", value="7")
    handoff = make_handoff("assigned", cast.femke, lead=lead)
    lifecycle.reassign(handoff.pk, by(cast.mia, minutes=1), to=cast.jonas.email, reason="holiday")
    late = make_handoff("assigned", cast.femke, kind="demo_request")
    for hours in (1, 30, 80):
        lifecycle.fire(late.pk, at(hours=hours))
    held = make_handoff("incomplete", lead=make_lead(company=None))
    lifecycle.discard(held.pk, by(cast.otto, minutes=1), reason="no company")
    stale = make_handoff("working", cast.femke)
    lifecycle.fire(stale.pk, at(days=70))


def test_every_body_fits_its_schema_and_every_type_occurs(cast):
    make_connection()
    _everything(cast)
    seen = set()
    for name, text in Delivery.objects.values_list("type", "body"):
        problems = [str(error) for error in validator(name).iter_errors(json.loads(text))]
        assert problems == [], name
        seen.add(name)
        assert len(text.encode()) < 20_000
    assert seen == set(ALL_TYPES)


def test_a_schema_refuses_what_lacks_something_or_is_of_another_type(cast):
    make_connection()
    make_handoff("accepted", cast.femke)
    row = Delivery.objects.filter(type="handoff.accepted").get()
    content = json.loads(row.body)
    assert validator("handoff.accepted").is_valid(content)
    assert not validator("handoff.rejected").is_valid(content)
    for dotted in ("data", "timestamp", "data.revision", "data.handoff", "data.lead.id", "data.event.by"):
        path = dotted.split(".")
        broken = copy.deepcopy(content)
        place = broken
        for part in path[:-1]:
            place = place[part]
        del place[path[-1]]
        assert not validator("handoff.accepted").is_valid(broken), path
    late = content | {"timestamp": "yesterday"}
    assert not validator("handoff.accepted").is_valid(late)


def test_a_body_names_the_ids_by_which_the_lead_is_known_elsewhere(cast):
    handoff = make_handoff("accepted", cast.femke)
    event = handoff.events.select_related("user").get(kind="accepted")
    made = json.loads(body(event, handoff, [("map", "contact", "7")]))
    assert made["data"]["lead"] == {
        "id": str(handoff.lead_id),
        "external_ids": [{"system": "map", "object": "contact", "id": "7"}],
    }
    assert made["data"]["event"]["kind"] == "accepted"
    assert set(made["data"]["event"]["details"]) & {"set", "was"} == set()


def test_a_test_event_is_of_a_type_that_no_lead_has():
    assert json.loads(sample(NOW)) == {
        "type": "handoff.test", "timestamp": "2026-03-10T10:00:00Z", "data": {},
    }  # fmt: skip
    assert "handoff.test" not in ALL_TYPES
