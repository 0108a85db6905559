"""One provider for all tests of a process; each test says what it claims, and how the site is set up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from tests.oidc.running import Browser, Provider


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    provider = Provider(tmp_path_factory.mktemp("provider"))
    yield provider
    provider.stop()


@pytest.fixture
def provider(running: Provider, settings: object) -> Provider:
    running.claim()
    settings.OIDC = running.oidc()
    return running


@pytest.fixture
def browser_of() -> object:
    """browser_of("nora") is a fresh browser of this user of the provider."""
    return lambda name: Browser(Client(), name)
