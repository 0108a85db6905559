"""One lead's states go in order; another lead's that can't go holds up nobody."""

from datetime import timedelta

from leads import outbox
from leads.models import Delivery
from tests.conftest import NOW, Cast
from tests.factories import make_handoff
from tests.leads.connectors.contract.conftest import acted, deliver, settled
from tests.leads.connectors.contract.systems import System


def test_a_lead_that_is_held_holds_up_no_other_and_is_never_written_an_older_state(
    cast: Cast, system: System
) -> None:
    connection = system.connection()
    stuck, free = (make_handoff("assigned", cast.femke) for _ in range(2))
    held_id, free_id = system.make_record(stuck.lead), system.make_record(free.lead)
    for handoff in (stuck, free):
        settled(connection, handoff.lead_id)
    before = system.effects(held_id)
    system.fault("held", only=held_id, times=-1)

    for number, verb in enumerate(("accept", "contact", "disqualify")):
        for handoff in (stuck, free):
            acted(verb, handoff, cast.femke, minutes=number * 30)
        deliver(connection, NOW + timedelta(minutes=number * 30 + 20))

    revisions = {
        handoff.lead_id: outbox.wanted([handoff.lead_id])[handoff.lead_id].revision
        for handoff in (stuck, free)
    }
    assert system.effects(held_id) == before
    assert system.effects(free_id)[-1] == revisions[free.lead_id]
    # Each stood for the lead's state: of the held one's only the newest still waits.
    waiting = Delivery.objects.filter(done_at__isnull=True)
    assert [row.lead_id for row in waiting] == [stuck.lead_id]

    system.outer.faults.clear()
    assert deliver(connection, NOW + timedelta(hours=4)) == 1
    assert system.effects(held_id) == [*before, revisions[stuck.lead_id]]


def test_a_state_is_read_when_it_is_sent(cast: Cast, system: System) -> None:
    """Two acts before anything leaves are one write, of the later state."""
    connection = system.connection()
    handoff = make_handoff("assigned", cast.femke)
    remote_id = system.make_record(handoff.lead)
    settled(connection, handoff.lead_id)
    before = system.effects(remote_id)

    acted("accept", handoff, cast.femke)
    acted("contact", handoff, cast.femke, seconds=2)

    assert deliver(connection, NOW + timedelta(minutes=1)) == 1
    revision = outbox.wanted([handoff.lead_id])[handoff.lead_id].revision
    assert system.effects(remote_id) == [*before, revision]
