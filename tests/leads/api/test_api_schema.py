"""What the OpenAPI document promises, held against the API by schemathesis: the same cases each time.

The long run, with other cases each time, is in tests/storm/long.
"""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from tests.conftest import Cast
from tests.promises import Site, opened, schema, walks

document = schema(at_the_edges=False)
few = settings(
    max_examples=4, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture
def site(cast: Cast) -> Iterator[Site]:
    with opened(cast) as made:
        yield made


@document.include(path="/api/v1/intake").parametrize()
@few
def test_the_document_is_true_of_events(case: schemathesis.Case, site: Site) -> None:
    site.hold(case)


@document.exclude(path="/api/v1/intake").parametrize()
@settings(few, max_examples=12)
def test_the_document_is_true(case: schemathesis.Case, site: Site) -> None:
    site.hold(case)


def test_the_document_is_true_on_the_way(site: Site) -> None:
    walks(document, site).run(settings=settings(few, max_examples=8, stateful_step_count=6))
