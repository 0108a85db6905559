"""Mautic played, with webhooks that reach our own address: the double's are caught and handed on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
import time_machine
from django.test import Client

from leads import connectors
from leads.models import Connection, InboundCall, Lead
from tests import doubles
from tests.leads.connectors.contract.conftest import _outer, outer  # noqa: F401
from tests.leads.connectors.contract.mautic import PlayedMautic

SECRET_PATH = "the-secret-part-of-the-address"


@dataclass
class Hooked:
    """A connection whose webhooks come: `arrive` hands on what was sent since, `take` takes it in."""

    outer: doubles.Doubles
    system: PlayedMautic
    connection: Connection
    handed: int = 0
    answers: list[int] = field(default_factory=list)

    def act(self, do: str, remote_id: str = "", **what: Any) -> dict[str, Any]:
        """As a user of Mautic."""
        return self.outer.mautic.act({"do": do, "id": remote_id, **what})

    def arrive(self) -> int:
        """Hand on the calls that were sent since last time; how many."""
        assert self.outer.settle()
        came = self.outer.hooks.of("mautic")[self.handed :]
        self.handed += len(came)
        for one in came:
            headers = {name: one.headers[name] for name in ("webhook-signature",) if name in one.headers}
            with time_machine.travel(self.now, tick=False):
                answer = Client().post(
                    f"/hooks/{SECRET_PATH}/", one.body, content_type="application/json", headers=headers
                )
            self.answers.append(answer.status_code)
        return len(came)

    @property
    def now(self) -> datetime:
        """The moment by Mautic's clock, which the test moves."""
        return self.outer.clock.moment()

    def take(self) -> dict[str, int]:
        """Hand on and take in; what came of the events, in counts."""
        self.arrive()
        before = set(InboundCall.objects.exclude(status="waiting").values_list("pk", flat=True))
        connectors.take_waiting(lambda: self.now, seconds=20)
        counts: dict[str, int] = {}
        for call in InboundCall.objects.exclude(pk__in=before):
            assert call.error == ""
            for name, count in call.outcome.items():
                counts[name] = counts.get(name, 0) + count
        return counts

    def poll(self) -> dict[str, int]:
        self.connection.refresh_from_db()
        return connectors.poll(self.connection, lambda: self.now, seconds=20)

    def contact(self, **values: Any) -> str:
        """A contact that a user makes there; its id."""
        return str(self.act("create", values=values)["id"])

    def lead(self, remote_id: str) -> Lead:
        return Lead.objects.get(external_ids__system="mautic", external_ids__value=remote_id)


@pytest.fixture
def hooked(cast: object, outer: doubles.Doubles) -> Hooked:  # noqa: F811
    system = PlayedMautic(outer)
    connection = system.connection(hook=SECRET_PATH, slug="map", name="Mautic")
    outer.mautic.seed({"webhooks": f"{outer.url}/hooks/mautic"})
    return Hooked(outer, system, connection)
