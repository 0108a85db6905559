"""What the doubles' own tests use: one running set, emptied for each test, and a client for each system."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import httpx
import pytest

from tests import doubles
from tests.doubles.hubspot.portal import SERVICE_KEY
from tests.doubles.mautic.instance import PASSWORD, USERNAME
from tests.doubles.salesforce.org import CONSUMER_KEY, CONSUMER_SECRET


@pytest.fixture(scope="package")
def running() -> Iterator[doubles.Doubles]:
    with doubles.start() as started:
        yield started


@pytest.fixture
def outer(running: doubles.Doubles) -> doubles.Doubles:
    running.settle()
    running.reset()
    return running


def client(base: str, authorization: str = "") -> Iterator[httpx.Client]:
    headers = {"Authorization": authorization} if authorization else {}
    with httpx.Client(base_url=base, headers=headers, trust_env=False) as made:
        yield made


@pytest.fixture
def control(outer: doubles.Doubles) -> Iterator[httpx.Client]:
    yield from client(outer.url)


@pytest.fixture
def hubspot(outer: doubles.Doubles) -> Iterator[httpx.Client]:
    yield from client(outer.url + "/hubspot", f"Bearer {SERVICE_KEY}")


@pytest.fixture
def mautic(outer: doubles.Doubles) -> Iterator[httpx.Client]:
    basic = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
    yield from client(outer.url + "/mautic", f"Basic {basic}")


@pytest.fixture
def salesforce(outer: doubles.Doubles) -> Iterator[httpx.Client]:
    form = {"grant_type": "client_credentials", "client_id": CONSUMER_KEY, "client_secret": CONSUMER_SECRET}
    token = httpx.post(outer.url + "/salesforce/services/oauth2/token", data=form).json()["access_token"]
    yield from client(outer.url + "/salesforce/services/data/v68.0", f"Bearer {token}")
