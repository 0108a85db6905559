"""Tasks, once; and Leads deleted or emptied."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from leads import connectors, lifecycle
from leads.lifecycle import Act
from leads.models import Delivery, ExternalId, Handoff
from leads.outbox import Result
from tests.conftest import NOW, Cast
from tests.factories import make_handoff
from tests.leads.connectors.salesforce.conftest import Side

LATER = NOW + timedelta(hours=2)
AT = NOW + timedelta(minutes=5)


def ready(cast: Cast, side: Side) -> tuple[Handoff, str]:
    """An accepted handoff whose Lead is known, and nothing owed."""
    handoff = make_handoff("accepted", cast.femke)
    key = side.lead(Email=handoff.lead.email, Handoff_Id__c=str(handoff.lead_id))
    ExternalId.objects.create(lead=handoff.lead, system="salesforce", object="Lead", value=key)
    Delivery.objects.all().delete()
    return handoff, key


def tasks(side: Side) -> list[dict[str, Any]]:
    return [task.values for task in side.there.tasks]


def send(side: Side) -> int:
    return connectors.deliver(side.connection, lambda: LATER, seconds=20)


@pytest.fixture
def side(cast: Cast, connect: Any) -> Side:
    made: Side = connect(activities=True)
    return made


def test_a_contact_and_a_note_are_tasks_on_the_lead(cast: Cast, side: Side) -> None:
    handoff, key = ready(cast, side)
    lifecycle.contact(
        handoff.pk, Act(AT, cast.femke), channel="phone", outcome="reached", note="Call again\nin May"
    )
    lifecycle.note(handoff.pk, Act(AT, cast.femke), text="x" * 300)
    assert send(side) == 3
    call, note = tasks(side)
    marker = call["Subject"].split(" [")[1]
    assert call == {
        "WhoId": key,
        "Subject": f"Phone: Reached. Call again in May (Femke de Boer) [{marker}",
        "Description": f"Phone: Reached. Call again\nin May (Femke de Boer) [{marker}",
        "Status": "Completed",
        "ActivityDate": "2026-03-10",
        "TaskSubtype": "Call",
    }
    assert (len(note["Subject"]), note["Subject"].count("\u2026")) == (255, 1)
    assert note["Subject"].endswith(f" [handoff {handoff.pk}/{handoff.events.count()}]")
    assert "x" * 300 in note["Description"]
    assert "TaskSubtype" not in note


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_task_whose_answer_was_lost_is_written_once(cast: Cast, side: Side, drop: str) -> None:
    handoff, _ = ready(cast, side)
    lifecycle.note(handoff.pk, Act(AT, cast.femke), text="Likes 50% ships_and 'boats'")
    side.outer.fault(system="salesforce", match="POST .*/Task$", drop=drop)
    assert send(side) == 0
    Delivery.objects.update(next_attempt_at=NOW)
    assert send(side) == 1
    assert len(tasks(side)) == 1


def test_of_a_converted_lead_it_goes_onto_the_contact(cast: Cast, side: Side) -> None:
    handoff, key = ready(cast, side)
    contact = side.there.convert(key, {})["values"]["ConvertedContactId"]
    lifecycle.note(handoff.pk, Act(AT, cast.femke), text="Likes ships")
    assert send(side) == 1
    assert [task["WhoId"] for task in tasks(side)] == [contact]


def test_of_a_merged_lead_it_goes_onto_the_one_that_was_kept(cast: Cast, side: Side) -> None:
    handoff, key = ready(cast, side)
    kept = side.lead(Email="kept@acme.example")
    side.there.act({"do": "merge", "id": kept, "other": key})
    lifecycle.note(handoff.pk, Act(AT, cast.femke), text="Likes ships")
    assert send(side) == 1
    assert [task["WhoId"] for task in tasks(side)] == [kept]


def test_a_note_that_was_taken_back_is_not_sent(cast: Cast, side: Side) -> None:
    handoff, _ = ready(cast, side)
    lifecycle.note(handoff.pk, Act(AT, cast.femke), text="Likes ships")
    handoff.notes.update(undone_at=AT)
    assert send(side) == 1
    assert (tasks(side), side.paths()) == ([], [])


@pytest.mark.parametrize("value", ["", "../Task/5", "00Q' OR Id != '"])
def test_without_a_lead_there_is_nothing_to_note_it_on(cast: Cast, side: Side, value: str) -> None:
    handoff, _ = ready(cast, side)
    ExternalId.objects.all().delete()
    if value:
        ExternalId.objects.create(lead=handoff.lead, system="salesforce", object="Lead", value=value)
    lifecycle.note(handoff.pk, Act(AT, cast.femke), text="Likes ships")
    assert send(side) == 0
    row = Delivery.objects.get()
    assert (row.status, row.last_error) == ("dead", "There is no record of this lead to note it on.")
    assert side.paths() == []


def test_a_deleted_lead_takes_no_task(cast: Cast, side: Side) -> None:
    handoff, key = ready(cast, side)
    side.there.act({"do": "delete", "id": key})
    lifecycle.note(handoff.pk, Act(AT, cast.femke), text="Likes ships")
    assert send(side) == 0
    assert Delivery.objects.get().last_error == "There is no record any more: it was deleted there."


def test_past_the_limit_it_waits(cast: Cast, side: Side) -> None:
    handoff, _ = ready(cast, side)
    lifecycle.note(handoff.pk, Act(AT, cast.femke), text="Likes ships")
    side.outer.fault(system="salesforce", match="/query", kind="request_limit")
    assert send(side) == 0
    side.connection.refresh_from_db()
    assert side.connection.paused_until == LATER + timedelta(minutes=15)
    assert tasks(side) == []


# erasure


def forget(side: Side, *ids: tuple[str, str]) -> tuple[str, str]:
    [outcome] = side.it.forget([Delivery(kind="erase", body=json.dumps(ids))], NOW)
    return str(outcome.result), outcome.error


def test_a_lead_is_deleted(side: Side) -> None:
    key, other = side.lead(), side.lead()
    assert forget(side, ("Lead", key), ("contact", other)) == ("done", "")
    assert [lead.id for lead in side.there.leads] == [other]
    assert forget(side, ("Lead", key)) == ("done", "")


def test_a_lead_is_emptied(connect: Any) -> None:
    side: Side = connect(forget="anonymise")
    key = side.lead(
        Email="ann@acme.example", FirstName="Ann", Phone="1", Country="Germany", Handoff_Id__c="7",
        Handoff_Status__c="Rejected", Industry="Ships",
    )  # fmt: skip
    assert forget(side, ("Lead", key)) == ("done", "")
    left = {name: value for name, value in side.values(key).items() if value is not None}
    assert left == {
        "LastName": "[erased]",
        "Company": "[erased]",
        "Handoff_Status__c": "Rejected",
        "Industry": "Ships",
        "Status": "Open - Not Contacted",
        "OwnerId": side.there.owner_id,
    }


def test_of_a_converted_lead_somebody_must_erase_the_contact(connect: Any) -> None:
    side: Side = connect(forget="anonymise")
    key = side.lead()
    side.there.convert(key, {})
    result, words = forget(side, ("Lead", key))
    assert (result, words) == (
        "permanent",
        "The Lead was converted: ask for the Contact there to be erased by hand.",
    )


@pytest.mark.parametrize("key", ["", "../../query", "00Q?x", "00Q' OR"])
def test_what_is_no_id_goes_into_no_address(side: Side, key: str) -> None:
    assert forget(side, ("Lead", key)) == ("done", "")
    assert side.paths() == []


@pytest.mark.parametrize(
    ("kind", "result"),
    [("forbidden", Result.PERMANENT), ("unavailable", Result.TRANSIENT), ("request_limit", Result.THROTTLED)],
)
def test_an_erasure_that_fails_is_not_done(side: Side, kind: str, result: Result) -> None:
    keys = [side.lead(), side.lead()]
    side.outer.fault(system="salesforce", match="^DELETE", kind=kind)
    assert forget(side, *[("Lead", key) for key in keys])[0] == result
    assert len(list(side.there.leads)) == 2
    assert forget(side, *[("Lead", key) for key in keys])[0] == "done"
    assert list(side.there.leads) == []
