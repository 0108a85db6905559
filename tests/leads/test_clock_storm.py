"""Random days among the clocks, the same each time: twenty runs of fifty steps.

The long storm in tests/storm/long draws others each time.
"""

from __future__ import annotations

import pytest

from tests.conftest import Cast
from tests.storm.clockwork import DONE, storm


@pytest.mark.storm
def test_no_orphan_no_step_twice_none_missed(cast: Cast) -> None:
    storm(cast, runs=20, steps=50)
    assert DONE["runs"] >= 20 and DONE["steps"] >= 1000
    # Days on which little happens would show little.
    assert DONE["acts"] > 40 and DONE["fired"] > 200, DONE
    few = ("killed acts", "killed sweeps", "undone", "shared", "moved", "repairs", "gone", "absences")
    assert min(DONE[what] for what in few) >= 4, DONE
