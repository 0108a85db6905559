"""States into contacts: absolute, once, and the stage set back in two writes."""

from __future__ import annotations

from typing import Any

import pytest

from leads.connectors.hubspot.usual import STAGE, STAGES
from leads.outbox import Result
from leads.outbox.wanted import Status
from tests.conftest import NOW
from tests.leads.connectors.hubspot.conftest import Side, want


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("backward", ["ignore", "reject"])
def test_every_status_can_follow_every_other(side: Side, status: str, backward: str) -> None:
    side.there.configure(backward=backward)
    key = side.contact(email="ann@acme.example")
    for before in Status:
        for revision, one in enumerate((before, status), 3):
            [pushed] = side.it.push([want(one, key, revision=revision)], NOW)
            assert pushed.outcome.result == Result.DONE
            assert dict(pushed.written) == dict(side.it.expected(want(one, key, revision=revision)))
            assert {name: side.values(key)[name] for name in pushed.written} == dict(pushed.written)


def test_forward_is_one_write_and_back_are_two(side: Side) -> None:
    key = side.contact(email="ann@acme.example", lifecyclestage="lead")
    side.push(want("pending", key))
    assert side.there.contacts[key].written(STAGE) == ["marketingqualifiedlead"]
    side.push(want("rejected", key, revision=4))
    assert side.there.contacts[key].written(STAGE) == ["marketingqualifiedlead", "", "lead"]
    assert side.there.contacts[key].written("handoff_revision") == ["3", "4"]


def test_after_a_crash_between_clearing_and_setting_it_is_set(side: Side) -> None:
    key = side.contact(email="ann@acme.example", lifecyclestage="salesqualifiedlead")
    side.outer.fault(system="hubspot", match="batch/update", drop="before", skip=1)
    assert side.push(want("rejected", key)) == ["transient"]
    assert side.values(key)[STAGE] == ""
    assert side.push(want("rejected", key)) == ["done"]
    assert side.there.contacts[key].written(STAGE) == ["", "lead"]


def test_what_cannot_be_cleared_is_not_written_at_all(side: Side) -> None:
    key = side.contact(email="ann@acme.example", lifecyclestage="salesqualifiedlead")
    side.there.configure(validation_rules=[{"property": STAGE, "value": ""}])
    assert side.push(want("rejected", key)) == ["permanent"]
    assert side.there.contacts[key].written("handoff_revision") == []


def test_a_stage_that_moved_on_meanwhile_is_noticed(side: Side) -> None:
    """Between our look and our write somebody makes them a customer: HubSpot leaves our stage out."""
    key = side.contact(email="ann@acme.example", lifecyclestage="lead")
    read = side.it.api.post

    def raced(path: str, data: Any) -> Any:
        answer = read(path, data)
        if path.endswith("batch/read") and side.values(key)[STAGE] == "lead":
            side.there.act({"do": "edit", "id": key, "values": {STAGE: "opportunity"}})
        return answer

    side.it.api.post = raced  # type: ignore[method-assign]
    [pushed] = side.it.push([want("accepted", key)], NOW)
    assert (pushed.outcome.result, pushed.object) == (Result.TRANSIENT, "")
    assert side.push(want("accepted", key)) == ["done"]
    assert side.values(key)[STAGE] == "salesqualifiedlead"


@pytest.mark.parametrize("stage", STAGES)
def test_customers_stay_customers(side: Side, stage: str) -> None:
    key = side.contact(email="ann@acme.example", lifecyclestage=stage)
    [pushed] = side.it.push([want("pending", key)], NOW)
    kept = stage in ("customer", "evangelist")
    assert side.values(key)[STAGE] == (stage if kept else "marketingqualifiedlead")
    assert (STAGE in pushed.written) != kept
    assert side.values(key)["hs_lead_status"] == "NEW"


def test_which_stages_are_kept_can_be_chosen(connect: Any) -> None:
    side = connect(kept_stages=["998765"])
    own, customer = side.contact(lifecyclestage="998765"), side.contact(lifecyclestage="customer")
    side.push(want("pending", own, lead_id=1), want("pending", customer, lead_id=2))
    assert side.values(own)[STAGE] == "998765"
    assert side.values(customer)[STAGE] == "marketingqualifiedlead"


def test_the_same_again_changes_nothing(side: Side) -> None:
    key = side.contact(email="ann@acme.example")
    for _ in range(3):
        assert side.push(want("rejected", key, reason="not_icp")) == ["done"]
    assert [write.changed for write in side.there.contacts[key].history[2:]] == [{}, {}]


def test_a_hundred_are_two_calls(side: Side) -> None:
    wants = []
    for number in range(100):
        email = f"p{number}@acme.example"
        wants.append(want(contact=side.contact(email=email), lead_id=number + 1, email=email))
    assert set(side.push(*wants)) == {"done"}
    assert side.paths() == ["POST contacts/batch/read", "POST contacts/batch/update"]


def test_what_was_never_there_and_what_was_deleted_there(side: Side) -> None:
    gone = side.contact(email="gone@acme.example")
    side.there.act({"do": "delete", "id": gone})
    wants = [
        want(lead_id=1),
        want(contact=gone, lead_id=2, email="gone@acme.example"),
        want(lead_id=3, email=""),
    ]
    pushed = side.it.push(wants, NOW)
    assert [one.outcome.result for one in pushed] == [Result.PERMANENT] * 3
    assert "no record of this person" in pushed[0].outcome.error
    assert "deleted there" in pushed[1].outcome.error


def test_a_merged_contact_is_written_under_its_new_id(side: Side) -> None:
    ann, old = side.contact(email="ann@acme.example"), side.contact(email="ann@old.example")
    kept = side.there.act({"do": "merge", "id": ann, "other": old})["id"]
    [pushed] = side.it.push([want("accepted", old)], NOW)
    assert (pushed.outcome.result, pushed.remote_id) == (Result.DONE, kept)
    assert side.values(kept)["handoff_status"] == "accepted"


# made anew


FACTS = {
    "lead.first_name": "Ann", "lead.last_name": "Lee", "lead.email": "ann@acme.example",
    "company.name": "Acme", "company.domain": "acme.example", "company.industry": "Ships",
    "source.lead_source": "Webinar",
}  # fmt: skip


def test_a_contact_is_made_once_and_by_our_own_property(connect: Any) -> None:
    side = connect(creates=True)
    [pushed] = side.it.push([want("pending", facts=FACTS)], NOW)
    assert pushed.outcome.result == Result.DONE
    assert side.values(pushed.remote_id) == {
        "email": "ann@acme.example",
        "firstname": "Ann",
        "lastname": "Lee",
        "company": "Acme",
        "website": "acme.example",
        "handoff_external_id": "7",
        **side.it.expected(want("pending")),
    }
    [entry] = side.outer.log.of("hubspot", "batch/upsert")
    assert b'"idProperty":"handoff_external_id"' in entry.request
    assert side.push(want("accepted", facts=FACTS)) == ["done"]
    assert len(side.there.contacts) == 1


def test_an_answer_that_was_lost_makes_no_second_contact(connect: Any) -> None:
    side = connect(creates=True)
    side.outer.fault(system="hubspot", match="batch/upsert", drop="after")
    assert side.push(want("pending")) == ["transient"]
    assert side.push(want("rejected", revision=4)) == ["done"]
    [contact] = side.there.contacts
    assert (contact.values[STAGE], contact.values["handoff_revision"]) == ("lead", "4")


def test_one_that_was_made_and_given_another_address_is_not_made_again(connect: Any) -> None:
    side = connect(creates=True)
    side.push(want("accepted"))
    [contact] = side.there.contacts
    side.there.act(
        {"do": "edit", "id": contact.id, "values": {"email": "new@acme.example", STAGE: "opportunity"}}
    )
    [pushed] = side.it.push([want("rejected", revision=4)], NOW)
    assert (pushed.outcome.result, pushed.remote_id) == (Result.DONE, contact.id)
    assert (contact.values[STAGE], contact.values["handoff_revision"]) == ("lead", "4")


def test_an_address_that_is_taken_names_its_contact(connect: Any) -> None:
    """As of somebody whose further address it is: HubSpot refuses it and says whose it is."""
    side = connect(creates=True)
    key = side.contact(email="main@acme.example", lifecyclestage="opportunity")
    error = {
        "category": "CONFLICT",
        "message": f"Contact already exists. Existing ID: {key}",
        "context": {"objectWriteTraceId": ["7"]},
    }
    side.outer.fault(system="hubspot", match="upsert", status=207, body={"results": [], "errors": [error]})
    [pushed] = side.it.push([want("rejected")], NOW)
    assert (pushed.outcome.result, pushed.remote_id) == (Result.DONE, key)
    assert side.values(key)[STAGE] == "lead"
    assert len(side.there.contacts) == 1


def test_what_was_deleted_there_is_not_made_again(connect: Any) -> None:
    side = connect(creates=True)
    gone = side.contact(email="ann@acme.example")
    side.there.act({"do": "delete", "id": gone})
    assert side.push(want("accepted", gone)) == ["permanent"]
    assert len(side.there.contacts) == 1


def test_found_made_and_refused_in_one_push(connect: Any) -> None:
    side = connect(creates=True)
    known = side.contact(email="known@acme.example")
    bad = side.contact(email="bad@acme.example")
    side.outer.fault(system="hubspot", match="batch/update", kind="validation", item_match=f'"id":"{bad}"')
    wants = [
        want(contact=known, lead_id=1, email="known@acme.example"),
        want(lead_id=2, email="new@acme.example"),
        want(contact=bad, lead_id=3, email="bad@acme.example"),
        want(lead_id=4, email=""),
    ]
    assert side.push(*wants) == ["done", "done", "permanent", "permanent"]


@pytest.mark.parametrize("match", ["batch/read", "batch/update", "batch/upsert"])
def test_no_getting_through_is_said_of_each(connect: Any, match: str) -> None:
    side = connect(creates=True)
    key = side.contact(email="known@acme.example")
    side.outer.fault(system="hubspot", match=match, kind="ten_secondly", times=-1)
    wants = [want(contact=key, lead_id=1, email="known@acme.example"), want(lead_id=2)]
    throttled = {"batch/read": [1, 1], "batch/update": [1, 0], "batch/upsert": [0, 1]}[match]
    assert side.push(*wants) == ["throttled" if one else "done" for one in throttled]
