"""The whole sweep with hostile values, as `make storm` runs it: each value under each name, pages and forms;
see tests/site/sweeping.py. On SQLite, or on the server of DATABASE_URL, which refuses more."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
import time_machine

from tests.conftest import NOW, Cast
from tests.site import world
from tests.site.sweeping import Sweep


@pytest.mark.parametrize("what", ["pages", "forms"])
def test_nothing_breaks_by_what_it_is_asked_or_sent(
    cast: Cast, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    with time_machine.travel(NOW + timedelta(minutes=10), tick=False):
        sweep = Sweep(world.build(cast), is_thorough=True)
        getattr(sweep, what)()
    print(f"\n  {what}: {sweep.asked} asked", end="", flush=True)
    assert not sweep.broke, "\n".join(sweep.broke)
