"""Notes, once; and contacts deleted for good."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from leads import connectors, lifecycle, outbox
from leads.lifecycle import Act
from leads.models import Delivery, ExternalId, Handoff, Lead
from leads.outbox import Result
from tests.conftest import NOW, Cast
from tests.factories import make_handoff
from tests.leads.connectors.hubspot.conftest import Side

LATER = NOW + timedelta(hours=2)
AT = NOW + timedelta(minutes=5)


def ready(cast: Cast, side: Side) -> tuple[Handoff, str]:
    """An accepted handoff whose contact is known, and nothing owed."""
    handoff = make_handoff("accepted", cast.femke)
    key = side.contact(email=handoff.lead.email)
    ExternalId.objects.create(lead=handoff.lead, system="hubspot", object="contact", value=key)
    Delivery.objects.all().delete()
    return handoff, key


def notes(side: Side, key: str) -> list[str]:
    linked = side.there.contacts[key].extra.get("associations", {}).get("notes", [])
    return [side.there.books["notes"][one].values["hs_note_body"] for one in linked]


def send(side: Side) -> int:
    return connectors.deliver(side.connection, lambda: LATER, seconds=20)


@pytest.fixture
def side(cast: Cast, connect: Any) -> Side:
    made: Side = connect(activities=True)
    return made


def test_a_contact_and_a_note_are_written_on_the_contact(cast: Cast, side: Side) -> None:
    handoff, key = ready(cast, side)
    lifecycle.contact(
        handoff.pk, Act(AT, cast.femke), channel="phone", outcome="reached", note="Call <b>again</b>\nMay"
    )
    lifecycle.note(handoff.pk, Act(AT, cast.femke), text="Likes ships")
    assert send(side) == 3
    number = handoff.pk
    first, second = notes(side, key)
    assert first.startswith("Phone: Reached. Call &lt;b&gt;again&lt;/b&gt;<br>May (Femke de Boer) [handoff ")
    assert second.startswith(f"Likes ships (Femke de Boer) [handoff {number}/")
    [stamp] = {note.values["hs_timestamp"] for note in side.there.books["notes"]}
    assert stamp == "2026-03-10T10:05:00Z"


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_note_whose_answer_was_lost_is_written_once(cast: Cast, side: Side, drop: str) -> None:
    handoff, key = ready(cast, side)
    lifecycle.note(handoff.pk, Act(AT, cast.femke), text="Likes ships")
    side.outer.fault(system="hubspot", match="POST .*/notes$", drop=drop)
    # A search shows it too late to be asked.
    side.there.configure(search_lag=300.0)
    assert send(side) == 0
    Delivery.objects.update(next_attempt_at=NOW)
    assert send(side) == 1
    assert len(notes(side, key)) == 1


def test_a_note_that_was_taken_back_is_not_sent(cast: Cast, side: Side) -> None:
    handoff, key = ready(cast, side)
    lifecycle.note(handoff.pk, Act(AT, cast.femke), text="Likes ships")
    handoff.notes.update(undone_at=AT)
    assert send(side) == 1
    assert notes(side, key) == []
    assert side.paths() == []


@pytest.mark.parametrize("value", ["", "../leads/5", "12?x"])
def test_without_a_contact_there_is_nothing_to_note_it_on(cast: Cast, side: Side, value: str) -> None:
    handoff, _ = ready(cast, side)
    ExternalId.objects.all().delete()
    if value:
        ExternalId.objects.create(lead=handoff.lead, system="hubspot", object="contact", value=value)
    lifecycle.note(handoff.pk, Act(AT, cast.femke), text="Likes ships")
    assert send(side) == 0
    row = Delivery.objects.get()
    assert (row.status, row.last_error) == ("dead", "There is no record of this lead to note it on.")
    assert side.paths() == []


def test_what_is_asked_to_wait_waits(cast: Cast, side: Side) -> None:
    handoff, key = ready(cast, side)
    lifecycle.note(handoff.pk, Act(AT, cast.femke), text="Likes ships")
    side.outer.fault(system="hubspot", match="GET ", kind="ten_secondly")
    assert send(side) == 0
    side.connection.refresh_from_db()
    assert side.connection.paused_until == LATER + timedelta(seconds=10)
    assert notes(side, key) == []


# erasure


def erasure(lead: Lead | None, *ids: tuple[str, str]) -> Delivery:
    return Delivery(lead=lead, kind="erase", body=json.dumps(ids))


def test_a_contact_is_deleted_for_good(cast: Cast, connect: Any) -> None:
    side = connect(lead_object=True)
    handoff, key = ready(cast, side)
    outbox.owe_states(side.connection, [handoff.lead_id], NOW)
    assert send(side) == 1
    [lead_object] = side.there.books["leads"]
    assert lead_object.values["hs_lead_name"] == handoff.lead.full_name

    assert outbox.owe_erasure([handoff.lead_id], NOW) == 1
    assert send(side) == 1

    assert side.there.contacts[key].deleted
    assert set(side.values(key).values()) == {""}
    assert list(side.there.books["leads"]) == []
    [entry] = side.outer.log.of("hubspot", "gdpr-delete")
    assert json.loads(entry.request) == {"objectId": key}


def test_what_is_gone_already_is_done(cast: Cast, connect: Any) -> None:
    side = connect()
    row = erasure(None, ("contact", "999999"), ("contact", "../x"), ("lead", "5"))
    [outcome] = side.it.forget([row], NOW)
    assert outcome.result == Result.DONE
    assert side.paths() == ["POST contacts/gdpr-delete"]


def test_an_erasure_that_fails_is_tried_again(cast: Cast, connect: Any) -> None:
    side = connect()
    key = side.contact(email="ann@acme.example")
    side.outer.fault(system="hubspot", match="gdpr-delete", kind="unavailable")
    [outcome] = side.it.forget([erasure(None, ("contact", key))], NOW)
    assert outcome.result == Result.TRANSIENT
    [outcome] = side.it.forget([erasure(None, ("contact", key))], NOW)
    assert outcome.result == Result.DONE
    assert side.there.contacts[key].deleted
