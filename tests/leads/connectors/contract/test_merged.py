"""Two records that become one there: told or found, our two leads are one, and the record has its state."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from leads import connectors, outbox
from leads.connectors.base import Arrived
from leads.models import Connection, Delivery, ExternalId, Handoff, Lead, Merge
from tests.acting import assert_sound
from tests.conftest import NOW, Cast
from tests.doubles import Doubles
from tests.factories import make_handoff
from tests.leads.connectors.contract.conftest import LATER, deliver
from tests.leads.connectors.contract.hubspot import PlayedHubSpot
from tests.leads.connectors.contract.mautic import PlayedMautic
from tests.leads.connectors.contract.salesforce import PlayedSalesforce
from tests.leads.connectors.contract.systems import System

pytestmark = pytest.mark.django_db
HOOK = "http://127.0.0.1:9/hooks/in"


class Twins:
    """Two leads with a handoff each, and a record each that the other side has had and told of."""

    def __init__(self, cast: Cast, system: System) -> None:
        self.system = system
        self.connection = system.connection(role="map" if system.name == "mautic" else "crm")
        self.keep = make_handoff("accepted", cast.femke).lead
        self.gone = make_handoff("assigned", cast.jonas).lead
        self.ids = [system.make_record(lead) for lead in (self.keep, self.gone)]
        outbox.owe_states(self.connection, [self.keep.pk, self.gone.pk], NOW)
        assert deliver(self.connection) == 2
        self.poll(NOW + LATER)

    def poll(self, at: datetime) -> None:
        Connection.objects.filter(pk=self.connection.pk).update(polling_until=None)
        self.connection.refresh_from_db()
        connectors.poll(self.connection, lambda: at, seconds=20)

    def merge(self) -> None:
        outer = self.system.outer
        outer.clock.advance(600)
        if self.system.name != "salesforce":
            outer.systems[self.system.name].seed({"webhooks": HOOK})
        outer.systems[self.system.name].act({"do": "merge", "id": self.ids[0], "other": self.ids[1]})

    def hear(self, way: str, at: datetime) -> None:
        if way == "found":
            self.poll(at)
            return
        outer = self.system.outer
        assert outer.settle()
        for sent in outer.emitter.sent:
            headers = {name.lower(): value for name, value in sent.headers.items()}
            arrived = Arrived("POST", HOOK, headers, sent.body)
            with connectors.opened(self.connection) as connector:
                connectors.store(self.connection, arrived, connector.identify(arrived, at), at)
        connectors.take_waiting(lambda: at, seconds=20)


# Salesforce tells nobody; of a contact of Mautic nothing shows what went into it, so that a lost call is
# found by the audit alone.
WAYS = [
    (PlayedMautic, "told"), (PlayedHubSpot, "told"), (PlayedHubSpot, "found"),
    (PlayedSalesforce, "found"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "way"), WAYS)
def test_a_merge_there_is_one_here(cast: Cast, outer: Doubles, kind: type[System], way: str) -> None:
    system = kind(outer)
    twins = Twins(cast, system)
    twins.merge()
    at = NOW + timedelta(seconds=660)

    twins.hear(way, at)

    gone = Lead.objects.get(pk=twins.gone.pk)
    assert gone.merged_into_id == twins.keep.pk
    # The one that sales has got further with goes on; the other ended as merged.
    assert sorted(Handoff.objects.filter(lead=twins.keep).values_list("state", flat=True)) == [
        "accepted", "merged"
    ]  # fmt: skip
    mine = ExternalId.objects.filter(lead=twins.keep, system=twins.connection.id_system)
    assert set(twins.ids) <= set(mine.values_list("value", flat=True))
    assert not ExternalId.objects.filter(lead=gone).exists()
    assert_sound()

    # Told and found again it is the same merge, and the record that stayed says what we say.
    twins.hear(way, at + timedelta(seconds=30))
    twins.poll(at + timedelta(seconds=60))
    assert Merge.objects.count() == 1
    assert Lead.objects.filter(merged_into__isnull=True).count() == 1
    outbox.owe_states(twins.connection, [twins.keep.pk], at)
    deliver(twins.connection, at + timedelta(minutes=5))
    assert list(Delivery.objects.filter(status="dead").values_list("last_error")) == []
    [living] = [key for key, record in system.book().items() if not record.deleted]
    with connectors.opened(Connection.objects.get(pk=twins.connection.pk)) as connector:
        want = outbox.wanted([twins.keep.pk])[twins.keep.pk]
        assert system.read_record(living) == dict(connector.expected(want))
