"""A storm for every run; the long one is in tests/storm/long."""

import pytest

from tests.conftest import Cast
from tests.leads.connectors.contract.storms import stormed
from tests.leads.connectors.contract.systems import System


@pytest.mark.storm
def test_after_a_storm_both_sides_say_the_same(cast: Cast, system: System) -> None:
    storm = stormed(cast, system, changes=250, leads=25)

    assert storm.counts["killed"] > 0
    assert storm.counts["effects"] > 100
