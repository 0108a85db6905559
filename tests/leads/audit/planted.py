"""Drifts as they are planted in the doubles of Mautic (the marketing platform) and Salesforce (the CRM).

Owns the two systems with one handoff in both, and how each check's drift comes about there. What the audit
makes of it is the tests'.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from leads import outbox
from leads.connectors import opened
from leads.models import Connection, Delivery, Handoff, Lead, RemoteRecord
from tests import doubles
from tests.conftest import NOW, Cast
from tests.factories import make_handoff
from tests.leads.audit.test_running import LATER
from tests.leads.connectors.contract.conftest import deliver
from tests.leads.connectors.contract.mautic import PlayedMautic
from tests.leads.connectors.contract.salesforce import PlayedSalesforce
from tests.storm.opened import clone_open

ANOTHER = "another@elsewhere.example.com"


@dataclass
class World:
    """One handoff in both systems, as it should be."""

    cast: Cast
    outer: doubles.Doubles
    handoff: Handoff
    mautic: PlayedMautic
    salesforce: PlayedSalesforce
    map: Connection
    crm: Connection
    map_id: str
    crm_id: str
    owners: dict[str, str]

    def edit_crm(self, **values: Any) -> None:
        self.outer.salesforce.act({"id": self.crm_id, "values": values})

    def edit_map(self, **values: Any) -> None:
        self.outer.mautic.act({"id": self.map_id, "values": values})

    def show_mql(self) -> None:
        """The contact is an MQL again, as if nobody had answered."""
        stage = next(number for number, one in self.outer.mautic.stages.items() if one["name"] == "MQL")
        tags = [*(f"-{tag}" for tag in ("sal", "sql", "nurture", "rejected", "disqualified")), "mql"]
        self.edit_map(handoff_status="pending", tags=tags)
        self.outer.mautic.act({"do": "stage", "id": self.map_id, "stage": stage})

    def send(self, at: Any = LATER) -> None:
        for connection in (self.map, self.crm):
            deliver(connection, at)

    def agrees(self) -> bool:
        """Whether both records say what they should."""
        want = outbox.wanted([self.handoff.lead_id])[self.handoff.lead_id]
        found = []
        for connection, system in ((self.map, self.mautic), (self.crm, self.salesforce)):
            connection.refresh_from_db()
            with opened(connection) as connector:
                seen = connector.fetch([want], LATER)[want.lead_id]
                expected = dict(connector.expected(want))
            [living] = [one for one in seen if not one.is_deleted and not one.merged_into]
            found.append({name: living.values.get(name) for name in expected} == expected)
            assert system.book()
        return all(found)


def world(cast: Cast, outer: doubles.Doubles, state: str = "accepted", *, alone: str = "") -> World:
    """`alone` names the system ("map" or "crm") that does not have the person."""
    mautic, salesforce = PlayedMautic(outer), PlayedSalesforce(outer)
    people = [cast.femke.email, cast.jonas.email]
    users = outer.salesforce.seed({"users": [{"Email": email} for email in people]})["users"]
    owners = dict(zip(people, users, strict=True))
    polled = {"polled_at": LATER}
    crm = salesforce.connection(mapping={"owners": owners}, options={"creates": True}, **polled)
    map_ = mautic.connection(options={"creates": True}, **polled)
    handoff = make_handoff(state, cast.femke)
    ids = {
        name: "" if name == alone else system.make_record(handoff.lead)
        for name, system in (("map", mautic), ("crm", salesforce))
    }
    for name, connection in (("map", map_), ("crm", crm)):
        if name == alone:
            Delivery.objects.filter(connection=connection).update(status="discarded", done_at=NOW)
        else:
            outbox.owe_states(connection, [handoff.lead_id], NOW)
            assert deliver(connection) >= 1
    assert not Delivery.objects.filter(done_at__isnull=True).exists()
    return World(cast, outer, handoff, mautic, salesforce, map_, crm, ids["map"], ids["crm"], owners)


def clean(cast: Cast, outer: doubles.Doubles, number: int) -> None:
    """So many handoffs in both systems, written there and as they should be."""
    systems = (PlayedMautic(outer), PlayedSalesforce(outer))
    connections = [system.connection(polled_at=LATER) for system in systems]
    make_handoff("assigned", cast.femke)
    # The others are like it: their rows are made together, which takes minutes less.
    clone_open(number - 1, NOW)
    leads = list(Lead.objects.order_by("pk"))
    for system in systems:
        for lead in leads:
            system.make_record(lead)
    for connection in connections:
        outbox.owe_states(connection, [lead.pk for lead in leads], NOW)
        while deliver(connection):
            pass


def _merged(world: World) -> None:
    [other] = world.outer.salesforce.seed({"leads": [{"LastName": "Doe", "Company": "Acme"}]})["leads"]
    world.outer.salesforce.act({"do": "merge", "id": other, "other": world.crm_id})


def _deleted(world: World) -> None:
    world.outer.mautic.act({"do": "delete", "id": world.map_id})


def _duplicate(world: World) -> None:
    facts = {"Email": world.handoff.lead.email, "LastName": "Doe", "Company": "Acme"}
    world.outer.salesforce.seed({"leads": [facts]})


def _addresses(world: World) -> None:
    world.edit_crm(Email=ANOTHER)
    world.edit_map(email=ANOTHER)


def _opted_out(world: World) -> None:
    world.edit_crm(HasOptedOutOfEmail=True)
    world.outer.mautic.act({"do": "dnc", "id": world.map_id})


def _restored(world: World) -> None:
    """An older copy: it says so itself, and the status was another one when we last looked."""
    RemoteRecord.objects.filter(connection=world.crm).update(
        seen={"Handoff_Status__c": "Accepted", "Status": "Open - Not Contacted"}, seen_at=LATER
    )
    record = world.outer.salesforce.leads[world.crm_id]
    record.values |= {
        "Handoff_Status__c": "Rejected",
        "Status": "Closed - Not Converted",
        "Handoff_Reason__c": "timing",
    }


def _rejected_there(world: World) -> None:
    world.edit_crm(Handoff_Status__c="Rejected", Status="Closed - Not Converted", Handoff_Reason__c="timing")


def _stale(world: World) -> None:
    Connection.objects.filter(pk=world.crm.pk).update(polled_at=LATER - timedelta(hours=1))


def _stuck(world: World) -> None:
    outbox.owe_states(world.crm, [world.handoff.lead_id], LATER - timedelta(hours=2))


def _dead(world: World) -> None:
    world.salesforce.fault("refused", only=world.crm_id, times=1)
    outbox.owe_states(world.crm, [world.handoff.lead_id], NOW)
    deliver(world.crm)
    assert Delivery.objects.filter(status="dead").exists()


@dataclass(frozen=True)
class Case:
    """How a drift comes about: in which state the handoff is, what is done, where it shows, by what it can be
    settled, and what else the next run may name once it was settled so."""

    plant: Callable[[World], None]
    on: str
    choices: tuple[str, ...]
    state: str = "accepted"
    alone: str = ""
    also: tuple[str, ...] = ()
    left: dict[str, str] = field(default_factory=dict)


PUSH, ALL, FACT, ONLY = ("push", "ignore"), ("push", "adopt", "ignore"), ("adopt", "ignore"), ("ignore",)
CASES = {
    "CRM_ACCEPTED_MAP_MQL": Case(World.show_mql, "map", PUSH),
    "CRM_REJECTED_MAP_MQL": Case(World.show_mql, "map", PUSH, state="rejected"),
    "MAP_MQL_NOT_IN_CRM": Case(lambda world: None, "crm", PUSH, alone="crm"),
    "CRM_OPP_NOT_IN_MAP": Case(World.show_mql, "map", PUSH, state="converted"),
    "CRM_OWNER_NE_APP_OWNER": Case(
        lambda world: world.edit_crm(OwnerId=world.owners[world.cast.jonas.email]), "crm", ALL
    ),
    "REASON_MISSING": Case(
        lambda world: world.edit_crm(Handoff_Reason__c=None), "crm", PUSH, state="rejected"
    ),
    "REVISION_BEHIND": Case(lambda world: world.edit_crm(Handoff_Revision__c=1), "crm", PUSH),
    "REVISION_AHEAD": Case(lambda world: world.edit_crm(Handoff_Revision__c=99), "crm", PUSH),
    "EXTERNAL_CHANGE": Case(_rejected_there, "crm", ALL),
    "RECORD_MISSING": Case(lambda world: None, "map", PUSH, alone="map"),
    "RECORD_MERGED": Case(_merged, "crm", ALL),
    # What is forgotten is not there any more: that is the next finding, and pushing makes it anew.
    "RECORD_DELETED": Case(_deleted, "map", ALL, left={"adopt": "RECORD_MISSING"}),
    "DUPLICATE_LINK": Case(_duplicate, "crm", ONLY),
    "EMAIL_MISMATCH": Case(_addresses, "crm", FACT, also=("EMAIL_MISMATCH",)),
    "OPTED_OUT_BUT_ACTIVE": Case(_opted_out, "map", FACT, also=("OPTED_OUT_BUT_ACTIVE",)),
    "STATUS_UNMAPPED": Case(lambda world: world.edit_crm(Handoff_Status__c="Parked by Bob"), "crm", PUSH),
    "TIME_REGRESSION": Case(_restored, "crm", ALL),
    "STALE_CURSOR": Case(_stale, "crm", ONLY),
    "OUTBOX_STUCK": Case(_stuck, "crm", ONLY),
    "DEAD_LETTER": Case(_dead, "crm", ONLY),
}
