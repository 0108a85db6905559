"""The whole sweep with hostile values, as `make storm` runs it: each value under each name, pages and forms;
see tests/site/sweeping.py. On SQLite, or on the server of DATABASE_URL, which refuses more."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine

from tests.conftest import NOW, Cast
from tests.site import world
from tests.site.sweeping import Sweep


@pytest.fixture
def quiet() -> Iterator[None]:
    """Without a line for each of thousands of answers."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("what", ["pages", "forms"])
def test_nothing_breaks_by_what_it_is_asked_or_sent(cast: Cast, what: str, quiet: None) -> None:
    with time_machine.travel(NOW + timedelta(minutes=10), tick=False):
        sweep = Sweep(world.build(cast), is_thorough=True)
        getattr(sweep, what)()
    print(f"\n  {what}: {sweep.asked} asked", end="", flush=True)
    assert not sweep.broke, "\n".join(sweep.broke)
