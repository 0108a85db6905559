"""HubSpot's double for the connector's own tests, empty and at NOW, and connections to it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from django.conf import LazySettings

from leads.connectors.base import forget_tokens
from leads.connectors.client import Http
from leads.connectors.hubspot import HubSpot
from leads.models import Connection
from leads.outbox import Wanted
from leads.outbox.wanted import Status
from tests import doubles
from tests.conftest import NOW
from tests.doubles.hubspot.portal import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, SERVICE_KEY
from tests.leads.connectors.conftest import make_connection

KEY = {"service_key": SERVICE_KEY, "client_secret": CLIENT_SECRET}
APP = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN}


@pytest.fixture(scope="session")
def _doubles() -> Iterator[doubles.Doubles]:
    with doubles.start() as outer:
        yield outer


@pytest.fixture
def outer(_doubles: doubles.Doubles, settings: LazySettings) -> doubles.Doubles:
    settings.CONNECTOR_PRIVATE_HOSTS = ["127.0.0.1"]
    _doubles.reset()
    _doubles.clock.offset = NOW.timestamp() - time.time()
    # A test makes more calls in its seconds than an account allows.
    _doubles.hubspot.configure(limit=1_000_000)
    forget_tokens()
    return _doubles


class Side:
    """One connection to the double, its connector open."""

    def __init__(self, outer: doubles.Doubles, connection: Connection, http: Http) -> None:
        self.outer, self.there, self.connection = outer, outer.hubspot, connection
        self.it = HubSpot(connection, http)

    def contact(self, **values: Any) -> str:
        [key] = self.there.seed({"contacts": [values]})["contacts"]
        return str(key)

    def values(self, key: str) -> dict[str, Any]:
        return self.there.contacts[key].values

    def paths(self, part: str = "/crm/") -> list[str]:
        """The calls that were made, as "POST contacts/batch/update"."""
        entries = self.outer.log.of("hubspot", part)
        return [f"{one.method} {one.path.split('/2026-09/')[1].split('?')[0]}" for one in entries]

    def push(self, *wants: Wanted) -> list[str]:
        """The outcomes of one push."""
        return [str(one.outcome.result) for one in self.it.push(wants, NOW)]


@pytest.fixture
def connect(db: None, outer: doubles.Doubles) -> Iterator[Any]:
    """connect(role=..., secrets=..., **options) is a `Side`."""
    opened: list[Http] = []

    def make(role: str = "both", secrets: dict[str, str] = KEY, mapping: Any = None, **options: Any) -> Side:
        connection = make_connection(
            "hubspot",
            role=role,
            secrets=secrets,
            id_system="hubspot",
            base_url=f"{outer.url}/hubspot",
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
    contact: str = "",
    *,
    lead_id: int = 7,
    handoff_id: int = 70,
    revision: int = 3,
    email: str = "ann@acme.example",
    **more: Any,
) -> Wanted:
    """A lead's state; `contact` is the id that is known of it."""
    return Wanted(
        lead_id=lead_id,
        handoff_id=handoff_id,
        revision=revision,
        status=Status(status),
        email=email,
        changed_at=more.pop("changed_at", NOW),
        ids={("hubspot", "contact"): contact} if contact else {},
        **more,
    )


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)
