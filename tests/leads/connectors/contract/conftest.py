"""The systems of the contract suite, and the ways of a handoff that its cases take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings

from leads import connectors, lifecycle, outbox
from leads.connectors.base import forget_tokens
from leads.lifecycle import Act
from leads.models import Connection, Delivery, Handoff
from routing.models import User
from tests import doubles
from tests.conftest import NOW
from tests.leads.connectors.contract.hubspot import PlayedHubSpot
from tests.leads.connectors.contract.mautic import PlayedMautic
from tests.leads.connectors.contract.salesforce import PlayedSalesforce
from tests.leads.connectors.contract.systems import System

SYSTEMS: tuple[type[System], ...] = (PlayedMautic, PlayedHubSpot, PlayedSalesforce)

# Acts may be taken back for ten seconds; those of a made handoff are done a minute after NOW.
LATER = timedelta(minutes=2)


@pytest.fixture(scope="session")
def _outer() -> Iterator[doubles.Doubles]:
    with doubles.start() as outer:
        yield outer


@pytest.fixture
def outer(_outer: doubles.Doubles, settings: LazySettings) -> doubles.Doubles:
    """The doubles, empty, at NOW; they may be called although they are on this machine."""
    settings.CONNECTOR_PRIVATE_HOSTS = ["127.0.0.1"]
    _outer.reset()
    _outer.clock.offset = NOW.timestamp() - time.time()
    forget_tokens()
    return _outer


@pytest.fixture(params=SYSTEMS, ids=lambda kind: kind.name)
def system(request: pytest.FixtureRequest, outer: doubles.Doubles) -> System:
    kind: type[System] = request.param
    return kind(outer)


def deliver(connection: Connection, at: datetime = NOW + LATER, seconds: float = 20) -> int:
    """Send what is owed by then; how many were delivered."""
    connection.refresh_from_db()
    return connectors.deliver(connection, lambda: at, seconds=seconds)


def settled(connection: Connection, lead_id: int) -> None:
    """The other side has the lead's present state, and its fresh look is forgotten."""
    outbox.owe_states(connection, [lead_id], NOW)
    assert deliver(connection) >= 1
    assert not Delivery.objects.filter(done_at__isnull=True).exists()


Verb = Callable[[int, Act], Handoff]
VERBS: dict[str, Verb] = {
    "accept": lifecycle.accept,
    "reject": lambda pk, act: lifecycle.reject(pk, act, reason="not_icp"),
    "defer": lambda pk, act: lifecycle.defer(
        pk, act, until=act.now + timedelta(days=7), explanation="After the fair"
    ),
    "contact": lambda pk, act: lifecycle.contact(pk, act, channel="phone", outcome="reached"),
    "opportunity": lambda pk, act: _opportunity(pk, act),
    "disqualify": lambda pk, act: _disqualify(pk, act),
}


def _opportunity(pk: int, act: Act) -> Handoff:
    lifecycle.accept(pk, act)
    return lifecycle.opportunity(pk, act, external_id="opp-1")


def _disqualify(pk: int, act: Act) -> Handoff:
    lifecycle.contact(pk, act, channel="phone", outcome="reached")
    return lifecycle.disqualify(pk, act, reason="not_icp")


def acted(verb: str, handoff: Handoff, user: User, **span: Any) -> Handoff:
    """The verb done by this person, `span` after NOW."""
    return VERBS[verb](handoff.pk, Act(NOW + timedelta(**span), user))
