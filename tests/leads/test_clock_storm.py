"""Random days among the clocks, the same each time: fifty runs of fifty steps.

The long storm in tests/storm/long draws others each time.
"""

from __future__ import annotations

import pytest

from tests.conftest import Cast
from tests.storm.clockwork import DONE, storm


@pytest.mark.storm
def test_no_orphan_no_step_twice_none_missed(cast: Cast) -> None:
    storm(cast, runs=50, steps=50)
    assert DONE["runs"] >= 50 and DONE["steps"] >= 2500
    # Days on which little happens would show little.
    assert DONE["acts"] > 100 and DONE["fired"] > 500, DONE
    few = ("killed acts", "killed sweeps", "undone", "shared", "moved", "repairs", "gone", "absences")
    assert min(DONE[what] for what in few) >= 10, DONE
