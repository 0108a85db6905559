"""Salesforce's double for the connector's own tests, empty and at NOW, and connections to it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from django.conf import LazySettings

from leads.connectors.base import forget_tokens
from leads.connectors.client import Http
from leads.connectors.salesforce import Salesforce
from leads.models import Connection
from leads.outbox import Wanted
from leads.outbox.wanted import Status
from tests import doubles
from tests.conftest import NOW
from tests.doubles import keys
from tests.doubles.salesforce.org import CONSUMER_KEY, CONSUMER_SECRET, USERNAME
from tests.leads.connectors.conftest import make_connection

APP = {"client_id": CONSUMER_KEY, "client_secret": CONSUMER_SECRET}
JWT = {"client_id": CONSUMER_KEY, "username": USERNAME, "private_key": keys.PRIVATE}


@pytest.fixture(scope="session")
def _doubles() -> Iterator[doubles.Doubles]:
    with doubles.start() as outer:
        yield outer


@pytest.fixture
def outer(_doubles: doubles.Doubles, settings: LazySettings) -> doubles.Doubles:
    settings.CONNECTOR_PRIVATE_HOSTS = ["127.0.0.1"]
    _doubles.reset()
    _doubles.clock.offset = NOW.timestamp() - time.time()
    forget_tokens()
    return _doubles


class Side:
    """One connection to the double, its connector open."""

    def __init__(self, outer: doubles.Doubles, connection: Connection, http: Http) -> None:
        self.outer, self.there, self.connection = outer, outer.salesforce, connection
        self.it = Salesforce(connection, http)

    def lead(self, **values: Any) -> str:
        facts = {"LastName": "Lee", "Company": "Acme", **values}
        [key] = self.there.seed({"leads": [facts]})["leads"]
        return str(key)

    def values(self, key: str) -> dict[str, Any]:
        return self.there.leads[key].values

    def paths(self) -> list[str]:
        """The calls that were made, as "PATCH composite/sobjects"."""
        entries = self.outer.log.of("salesforce", "/services/data")
        return [f"{one.method} {one.path.split('/v68.0/')[1].split('?')[0]}" for one in entries]

    def push(self, *wants: Wanted) -> list[str]:
        """The outcomes of one push."""
        return [str(one.outcome.result) for one in self.it.push(wants, NOW)]

    def error(self, one: Wanted) -> str:
        """Why a push of one was refused for good."""
        [pushed] = self.it.push([one], NOW)
        assert str(pushed.outcome.result) == "permanent"
        return pushed.outcome.error

    def leads(self) -> list[dict[str, Any]]:
        return [lead.values for lead in self.there.leads]


@pytest.fixture
def connect(db: None, outer: doubles.Doubles) -> Iterator[Any]:
    """connect(role=..., secrets=..., mapping=..., **options) is a `Side`."""
    opened: list[Http] = []

    def make(role: str = "crm", secrets: dict[str, str] = APP, mapping: Any = None, **options: Any) -> Side:
        connection = make_connection(
            "salesforce",
            role=role,
            secrets=secrets,
            id_system="salesforce",
            base_url=f"{outer.url}/salesforce",
            options=options,
            mapping=mapping or {},
        )
        opened.append(Http(connection.base_url))
        return Side(outer, connection, opened[-1])

    yield make
    for http in opened:
        http.close()


@pytest.fixture
def side(connect: Any) -> Side:
    made: Side = connect()
    return made


def want(
    status: str = "accepted",
    key: str = "",
    *,
    lead_id: int = 7,
    handoff_id: int = 70,
    revision: int = 3,
    email: str = "ann@acme.example",
    **more: Any,
) -> Wanted:
    """A lead's state; `key` is the Lead's id that is known of it."""
    return Wanted(
        lead_id=lead_id,
        handoff_id=handoff_id,
        revision=revision,
        status=Status(status),
        email=email,
        ids={("salesforce", "Lead"): key} if key else {},
        **more,
    )


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)
