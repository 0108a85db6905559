"""The long storm of every connector that keeps state: 10,000 changes over 200 leads, one call in five fails.

What is done and what must hold is in tests/leads/connectors/contract/storms.py; the suite runs a short one.
`STORM_CHANGES` changes the number. SQLite by default, PostgreSQL by DATABASE_URL.
"""

import os
import time

from tests.conftest import Cast
from tests.leads.connectors.contract.conftest import _outer, outer, system  # noqa: F401
from tests.leads.connectors.contract.storms import stormed
from tests.leads.connectors.contract.systems import System

CHANGES = int(os.environ.get("STORM_CHANGES", "10000"))


def test_ten_thousand_changes_end_with_both_sides_equal(cast: Cast, system: System) -> None:  # noqa: F811
    began = time.monotonic()

    storm = stormed(cast, system, changes=CHANGES, leads=200)

    calls = len(storm.system.outer.log.of(system.name))
    print(
        f"\n{system.name}: {storm.counts['changes']} changes, {storm.counts['delivered']} deliveries,"
        f" {calls} calls of which {storm.counts['struck']} were struck,"
        f" {storm.counts['killed']} workers killed, {storm.counts['resumed']} times stopped,"
        f" {storm.counts['effects']} states written, none of them superseded;"
        f" {time.monotonic() - began:.0f} s"
    )
