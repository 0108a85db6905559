"""What the doubles' own tests use: one running set, emptied for each test, and a client for each system."""

from __future__ import annotations

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


@pytest.fixture(scope="package")
def connections() -> Iterator[httpx.HTTPTransport]:
    """One pool for every client: making one reads certificates, which takes longer than a test."""
    with httpx.HTTPTransport(verify=False) as pool:
        yield pool


@pytest.fixture
def control(outer: doubles.Doubles, connections: httpx.HTTPTransport) -> httpx.Client:
    return httpx.Client(base_url=outer.url, transport=connections)


@pytest.fixture
def hubspot(outer: doubles.Doubles, connections: httpx.HTTPTransport) -> httpx.Client:
    headers = {"Authorization": f"Bearer {SERVICE_KEY}"}
    return httpx.Client(base_url=outer.url + "/hubspot", headers=headers, transport=connections)


@pytest.fixture
def mautic(outer: doubles.Doubles, connections: httpx.HTTPTransport) -> httpx.Client:
    auth = (USERNAME, PASSWORD)
    return httpx.Client(base_url=outer.url + "/mautic", auth=auth, transport=connections)


@pytest.fixture
def salesforce(control: httpx.Client, connections: httpx.HTTPTransport) -> httpx.Client:
    form = {"grant_type": "client_credentials", "client_id": CONSUMER_KEY, "client_secret": CONSUMER_SECRET}
    given = control.post("/salesforce/services/oauth2/token", data=form).json()
    headers = {"Authorization": f"Bearer {given['access_token']}"}
    base = given["instance_url"] + "/services/data/v68.0"
    return httpx.Client(base_url=base, headers=headers, transport=connections)
