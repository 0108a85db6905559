"""What is done here reaches the other side, once, as the state that it led to."""

from datetime import timedelta

import pytest

from leads import lifecycle, outbox
from leads.connectors import opened
from leads.models import ExternalId, Handoff, Lead, RemoteRecord
from tests.conftest import NOW, Cast
from tests.factories import make_handoff, make_lead
from tests.leads.connectors.contract.conftest import LATER, VERBS, acted, deliver, settled
from tests.leads.connectors.contract.systems import System


def expected(system: System, lead_id: int) -> dict[str, str]:
    connection = RemoteRecord.objects.get(lead=lead_id).connection
    with opened(connection) as connector:
        return dict(connector.expected(outbox.wanted([lead_id])[lead_id]))


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_reaches_the_other_side_once(cast: Cast, system: System, verb: str) -> None:
    connection = system.connection()
    handoff = make_handoff("assigned", cast.femke)
    remote_id = system.make_record(handoff.lead)
    settled(connection, handoff.lead_id)
    before = system.effects(remote_id)

    acted(verb, handoff, cast.femke)

    assert deliver(connection, NOW) == 0
    assert deliver(connection) == 1
    assert deliver(connection, NOW + timedelta(days=1)) == 0
    wanted = outbox.wanted([handoff.lead_id])[handoff.lead_id]
    assert system.read_record(remote_id) == expected(system, handoff.lead_id)
    assert system.effects(remote_id) == [*before, wanted.revision]
    record = RemoteRecord.objects.get()
    assert (record.remote_id, record.object, record.revision) == (remote_id, system.object, wanted.revision)
    assert record.written == system.read_record(remote_id)


def test_a_new_handoff_is_told_at_once(cast: Cast, system: System) -> None:
    """Nobody did it, so nobody can take it back."""
    connection = system.connection()
    lead = make_lead()
    remote_id = system.make_record(lead)

    make_handoff("assigned", cast.femke, lead=lead)

    assert deliver(connection, NOW) == 1
    assert system.read_record(remote_id) == expected(system, lead.pk)


def test_a_record_is_found_by_its_address(cast: Cast, system: System) -> None:
    connection = system.connection()
    lead = make_lead()
    remote_id = system.make_record(lead, known=False)
    other = system.make_record(make_lead())

    make_handoff("accepted", cast.femke, lead=lead)

    assert deliver(connection) == 1
    assert system.read_record(remote_id) == expected(system, lead.pk)
    assert system.effects(other) == []
    known = ExternalId.objects.get(lead=lead)
    assert (known.system, known.object, known.value) == (connection.id_system, system.object, remote_id)


def test_a_record_is_made_only_where_that_is_wanted(cast: Cast, system: System) -> None:
    connection = system.connection()
    handoff = make_handoff("accepted", cast.femke)
    assert deliver(connection) == 0
    assert len(system.book()) == 0
    row = connection.deliveries.get(done_at__isnull=False, status="dead")
    assert "no record" in row.last_error.lower()

    connection.options = {**connection.options, "creates": True}
    connection.save()
    outbox.owe_states(connection, [handoff.lead_id], NOW)
    assert deliver(connection) == 1
    [remote_id] = system.book()
    assert system.read_record(remote_id) == expected(system, handoff.lead_id)
    assert system.effects(remote_id) == [outbox.wanted([handoff.lead_id])[handoff.lead_id].revision]


def test_many_go_together(cast: Cast, system: System) -> None:
    connection = system.connection()
    leads = [make_lead() for _ in range(25)]
    ids = {lead.pk: system.make_record(lead) for lead in leads}
    for lead in leads:
        make_handoff("accepted", cast.femke, lead=lead)

    assert deliver(connection) == 25
    for lead in leads:
        assert system.read_record(ids[lead.pk]) == expected(system, lead.pk)


def test_a_taken_back_act_is_never_seen_there(cast: Cast, system: System) -> None:
    """What was owed before the act is what is written: the state as it is when it is sent."""
    connection = system.connection()
    handoff = make_handoff("assigned", cast.femke)
    remote_id = system.make_record(handoff.lead)
    settled(connection, handoff.lead_id)
    acted("accept", handoff, cast.femke)
    lifecycle.undo(handoff.pk, lifecycle.Act(NOW + timedelta(seconds=8), cast.femke))

    deliver(connection, NOW + timedelta(seconds=8) + LATER)

    assert Handoff.objects.get(pk=handoff.pk).state == "assigned"
    assert system.read_record(remote_id) == expected(system, handoff.lead_id)
    assert Lead.objects.count() == 1
