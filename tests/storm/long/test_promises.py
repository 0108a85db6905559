"""The API held to its OpenAPI document by schemathesis, as `make storm` runs it: other cases each time.

STORM_CASES is about how many; half of them one by one, as many for each operation, the rest along the
document's links. What fails is shrunk and printed with the curl command that repeats it.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Iterator

import pytest
import schemathesis
from django.db import connection
from hypothesis import HealthCheck, settings

from leads import invariants
from tests.conftest import Cast
from tests.promises import Site, opened, schema, walks

document = schema(at_the_edges=True)
CASES = int(os.environ.get("STORM_CASES", "10000"))
OPERATIONS = sum(1 for _ in document.get_all_operations())
STEPS = 10
each = math.ceil(CASES / 2 / OPERATIONS)
many = settings(
    max_examples=each, deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=True
)
total: Counter[int] = Counter()

pytestmark = [pytest.mark.storm, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def site(cast: Cast) -> Iterator[Site]:
    began = time.monotonic()
    with opened(cast) as made:
        yield made
    for (_, status), count in made.answered.items():
        total[status] += count
    took = time.monotonic() - began
    print(
        f"\n  {connection.vendor}: {made.told()} in {took:.0f} s; {sum(total.values())} so far",
        end="",
        flush=True,
    )
    assert [str(found) for found in invariants.violations()] == []
    assert not [status for status in total if status >= 500]


@document.parametrize()
@many
def test_every_operation_keeps_its_promises(case: schemathesis.Case, site: Site) -> None:
    site.hold(case)


def test_promises_are_kept_on_the_way(site: Site) -> None:
    walks(document, site).run(
        settings=settings(many, max_examples=CASES // 2 // STEPS, stateful_step_count=STEPS)
    )
