"""The Lead object: one a handoff, made when somebody has it, moved with it."""

from __future__ import annotations

from typing import Any

import pytest

from leads.connectors.hubspot.usual import LEAD_STAGE
from leads.outbox import Result
from tests.conftest import NOW
from tests.leads.connectors.hubspot.conftest import Side, want

FACTS = {"lead.first_name": "Ann", "lead.last_name": "Lee"}
STAGE = "hs_pipeline_stage"


@pytest.fixture
def side(connect: Any) -> Side:
    made: Side = connect(lead_object=True, mapping={"owners": {"femke@handoff.example.com": "9"}})
    return made


def leads(side: Side) -> list[dict[str, Any]]:
    return [record.values for record in side.there.books["leads"]]


def test_made_with_its_contact_and_moved(side: Side) -> None:
    key = side.contact(email="ann@acme.example")
    state = want("pending", key, owner="femke@handoff.example.com", facts=FACTS)
    [pushed] = side.it.push([state], NOW)
    assert leads(side) == [
        {
            "hs_lead_name": "Ann Lee",
            "handoff_external_id": "70",
            STAGE: "new-stage-id",
            "hubspot_owner_id": "9",
        }
    ]
    [record] = side.there.books["leads"]
    assert record.extra["associations"] == {"contacts": [key]}
    assert pushed.written[LEAD_STAGE] == "new-stage-id"
    assert dict(pushed.written) == dict(side.it.expected(state))

    stages = {
        "contacted": "attempting-stage-id",
        "opportunity": "qualified-stage-id",
        "rejected": "unqualified-stage-id",
    }
    for status, stage in stages.items():
        assert side.push(want(status, key)) == ["done"]
        assert [values[STAGE] for values in leads(side)] == [stage]


def test_what_nobody_has_is_not_begun(side: Side) -> None:
    key = side.contact(email="ann@acme.example")
    for status in ("pending", "rejected", "closed", "disqualified"):
        assert side.push(want(status, key)) == ["done"]
    assert leads(side) == []
    assert LEAD_STAGE not in side.it.expected(want("pending", key))
    assert LEAD_STAGE not in side.it.expected(want("closed", key))


def test_each_handoff_has_its_own(side: Side) -> None:
    key = side.contact(email="ann@acme.example")
    side.push(want("accepted", key, handoff_id=70))
    side.push(want("accepted", key, handoff_id=71))
    assert [values["handoff_external_id"] for values in leads(side)] == ["70", "71"]


def test_an_answer_that_was_lost_makes_no_second_one(side: Side) -> None:
    key = side.contact(email="ann@acme.example")
    side.outer.fault(system="hubspot", match="leads/batch/create", drop="after")
    [pushed] = side.it.push([want("accepted", key)], NOW)
    assert (pushed.outcome.result, pushed.object) == (Result.TRANSIENT, "")
    assert side.push(want("contacted", key)) == ["done"]
    assert [values[STAGE] for values in leads(side)] == ["attempting-stage-id"]


def test_where_the_contact_failed_none_is_made(side: Side) -> None:
    good, bad = side.contact(email="a@acme.example"), side.contact(email="b@acme.example")
    side.outer.fault(
        system="hubspot", match="contacts/batch/update", kind="validation", item_match=f'"id":"{bad}"'
    )
    wants = [
        want("accepted", good, lead_id=1, handoff_id=11),
        want("accepted", bad, lead_id=2, handoff_id=12),
    ]
    assert side.push(*wants) == ["done", "permanent"]
    assert [values["handoff_external_id"] for values in leads(side)] == ["11"]


def test_one_that_is_refused_is_said_of_its_lead_alone(side: Side) -> None:
    keys = [side.contact(email="a@acme.example"), side.contact(email="b@acme.example")]
    side.outer.fault(system="hubspot", match="leads/batch/create", kind="validation", items=[1])
    wants = [want("accepted", key, lead_id=pk, handoff_id=pk) for pk, key in enumerate(keys, 1)]
    assert side.push(*wants) == ["done", "permanent"]


def test_unread_lead_objects_are_no_reason_to_make_new_ones(side: Side) -> None:
    key = side.contact(email="ann@acme.example")
    side.outer.fault(system="hubspot", match="leads/batch/read", kind="unavailable")
    assert side.push(want("accepted", key)) == ["transient"]
    assert leads(side) == []


def test_without_the_option_nobody_asks_for_them(connect: Any) -> None:
    side = connect()
    key = side.contact(email="ann@acme.example")
    side.push(want("accepted", key))
    assert [path for path in side.paths() if "leads" in path] == []


def test_its_pipeline_and_its_name(connect: Any) -> None:
    side = connect(lead_object=True, lead_pipeline="lead-pipeline-id")
    key = side.contact(email="ann@acme.example")
    side.push(want("accepted", key))
    [values] = leads(side)
    assert (values["hs_pipeline"], values["hs_lead_name"]) == ("lead-pipeline-id", "ann@acme.example")


def test_an_audit_sees_its_stage_beside_the_contacts(side: Side) -> None:
    key = side.contact(email="ann@acme.example")
    state = want("accepted", key)
    side.push(state)
    [seen] = side.it.fetch([state], NOW)[state.lead_id]
    expected = dict(side.it.expected(state))
    assert {name: seen.values.get(name) for name in expected} == expected
