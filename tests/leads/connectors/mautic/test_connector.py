"""The rest of what the Mautic connector does: fetching, notes, erasure, choices, trying."""

import json

import pytest

from leads import connectors, lifecycle, outbox, sealing
from leads.connectors import mapping, opened
from leads.connectors.base import Denied
from leads.connectors.client import Unreachable
from leads.connectors.mautic import USUAL
from leads.lifecycle import Act
from leads.models import Delivery, Lead
from tests.acting import at
from tests.conftest import NOW, Cast
from tests.factories import make_handoff
from tests.leads.connectors.mautic.conftest import Hooked


def test_records_are_fetched_by_id_and_else_by_address(cast: Cast, hooked: Hooked) -> None:
    known, found, none, gone, merged = (make_handoff("accepted", cast.femke) for _ in range(5))
    ids = {handoff.pk: hooked.system.make_record(handoff.lead) for handoff in (known, gone, merged)}
    twice = [hooked.system.make_record(found.lead, known=False) for _ in range(2)]
    hooked.act("delete", ids[gone.pk])
    hooked.outer.mautic.contacts.remove(hooked.outer.mautic.contacts[ids[merged.pk]], merged_into=twice[0])
    wants = outbox.wanted([handoff.lead_id for handoff in (known, found, none, gone, merged)])

    with opened(hooked.connection) as connector:
        records = connector.fetch(list(wants.values()), NOW)

    there = {lead: [(one.remote_id, one.is_deleted) for one in found_] for lead, found_ in records.items()}
    assert there == {
        known.lead_id: [(ids[known.pk], False)],
        found.lead_id: [(twice[0], False), (twice[1], False)],
        none.lead_id: [],
        gone.lead_id: [(ids[gone.pk], True)],
        merged.lead_id: [(ids[merged.pk], False)],
    }
    assert records[merged.lead_id][0].merged_into == twice[0]
    assert records[known.lead_id][0].email == known.lead.email


def test_what_can_be_mapped_is_offered_and_the_usual_mapping_fits(hooked: Hooked) -> None:
    hooked.outer.mautic.seed({"users": [{"email": "Femke@handoff.example.com", "id": 9}]})
    with opened(hooked.connection) as connector:
        offered = connector.offered()
    assert offered.fields["handoff_status"] == "Handoff status"
    assert offered.stages["2"] == "MQL"
    assert offered.statuses["stage"]["SAL"] == "SAL"
    assert offered.owners == {"admin@mautic.example": "1", "femke@handoff.example.com": "9"}
    assert mapping.problems(USUAL, offered) == []


def test_trying_says_what_is_wrong(hooked: Hooked) -> None:
    with opened(hooked.connection) as connector:
        assert connector.check() == "Mautic 5.2.1 answered: 0 contacts."
        hooked.outer.fault(system="mautic", match="GET .*contacts", kind="server_error")
        with pytest.raises(Unreachable, match="error #500"):
            connector.check()
        hooked.outer.mautic.configure(api_enabled=False)
        with pytest.raises(Denied, match="switched off"):
            connector.check()
    hooked.connection.sealed = sealing.seal({"client_id": "x", "client_secret": "y"})
    with opened(hooked.connection) as connector, pytest.raises(Denied, match="token answers 400"):
        connector.check()


def noted(cast: Cast, hooked: Hooked) -> tuple[Delivery, str]:
    hooked.connection.options = {"activities": True}
    hooked.connection.save()
    handoff = make_handoff("accepted", cast.femke)
    remote_id = hooked.system.make_record(handoff.lead)
    connectors.deliver(hooked.connection, lambda: at(minutes=5), seconds=20)
    lifecycle.contact(
        handoff.pk, Act(at(minutes=6), cast.femke), channel="phone", outcome="reached", note="Wants a demo"
    )
    return Delivery.objects.get(kind="event"), remote_id


@pytest.mark.parametrize("drop", ["", "after", "before"])
def test_a_contact_is_noted_there_once(cast: Cast, hooked: Hooked, drop: str) -> None:
    row, remote_id = noted(cast, hooked)
    if drop:
        hooked.outer.fault(system="mautic", match="notes/new", drop=drop)

    connectors.deliver(hooked.connection, lambda: at(minutes=10), seconds=20)
    connectors.deliver(hooked.connection, lambda: at(hours=3), seconds=20)

    row.refresh_from_db()
    assert row.status == "done"
    marker = f"[handoff {row.handoff_id}/{row.revision}]"
    assert hooked.system.notes(remote_id) == [f"Phone: Reached. Wants a demo (Femke de Boer) {marker}"]
    assert hooked.outer.mautic.notes[0]["type"] == "call"
    for attempt in row.tries.all():
        assert "demo" not in f"{attempt.request}{attempt.error}"


def test_what_was_said_and_then_erased_is_not_sent(cast: Cast, hooked: Hooked) -> None:
    row, remote_id = noted(cast, hooked)
    assert row.handoff is not None
    row.handoff.attempts.all().delete()

    connectors.deliver(hooked.connection, lambda: at(minutes=10), seconds=20)

    row.refresh_from_db()
    assert (row.status, hooked.system.notes(remote_id)) == ("done", [])


@pytest.mark.parametrize("way", ["delete", "anonymise"])
def test_a_person_is_forgotten_there(cast: Cast, hooked: Hooked, way: str) -> None:
    hooked.connection.options = {"forget": way}
    hooked.connection.save()
    handoff = make_handoff("accepted", cast.femke)
    remote_id = hooked.system.make_record(handoff.lead)
    Delivery.objects.all().delete()
    outbox.owe_erasure([handoff.lead_id], NOW)
    hooked.outer.fault(system="mautic", match="(delete|edit)", drop="after")

    connectors.deliver(hooked.connection, lambda: NOW, seconds=20)
    connectors.deliver(hooked.connection, lambda: at(hours=1), seconds=20)

    row = Delivery.objects.get()
    assert (row.kind, row.status) == ("erase", "done")
    record = hooked.outer.mautic.contacts[remote_id]
    assert record.deleted is (way == "delete")
    if way == "anonymise":
        said = json.dumps(record.values)
        for value in (handoff.lead.email, handoff.lead.first_name, handoff.lead.last_name):
            assert value not in said
    for attempt in row.tries.all():
        assert handoff.lead.email not in f"{attempt.request}{attempt.answer}{attempt.error}"


def test_a_lead_made_there_goes_by_its_address(cast: Cast, hooked: Hooked) -> None:
    """Made, then written; made a second time after a lost answer it is the same contact."""
    hooked.connection.options = {"creates": True}
    hooked.connection.save()
    handoff = make_handoff("accepted", cast.femke)
    hooked.outer.fault(system="mautic", match="contacts/new", drop="after")

    connectors.deliver(hooked.connection, lambda: at(minutes=5), seconds=20)
    connectors.deliver(hooked.connection, lambda: at(hours=1), seconds=20)

    [record] = hooked.outer.mautic.contacts
    assert record.values["email"] == handoff.lead.email
    assert record.values["handoff_status"] == "accepted"
    assert Lead.objects.get().external_ids.get().value == record.id
