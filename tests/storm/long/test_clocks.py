"""The long storm among the clocks, as `make storm` runs it; see tests/storm/clockwork.py.

STORM_RUNS and STORM_STEPS change its length; STORM_SEED begins with that batch of ten runs, as printed.
"""

from __future__ import annotations

import os
import random
import time

import pytest
from django.db import connection

from tests.conftest import Cast
from tests.storm.clockwork import DONE, storm

RUNS, STEPS = int(os.environ.get("STORM_RUNS", "1000")), int(os.environ.get("STORM_STEPS", "100"))
SEED = int(os.environ.get("STORM_SEED", "0")) or random.randrange(1, 10**9)


@pytest.mark.storm
def test_no_orphan_no_step_twice_none_missed_for_long(cast: Cast) -> None:
    began = time.monotonic()
    try:
        storm(cast, RUNS, STEPS, SEED)
    finally:
        took = time.monotonic() - began
        print(f"\n  {connection.vendor}: {dict(DONE)} in {took:.0f} s", end="", flush=True)
    assert DONE["runs"] >= RUNS
