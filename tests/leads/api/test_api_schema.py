"""What the OpenAPI document promises, held against the API by schemathesis: the same cases each time.

Left out, because a schema cannot say it: an array takes bad events and answers each; query parameters that
nobody knows are ignored; an event has limits on all that is in it, known or not.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS

from handoff_site.wsgi import application
from leads import keys
from leads.api import limits
from tests.conftest import NOW
from tests.factories import make_handoff, route_to

FIRST, LAST = date(1991, 1, 1), date(2199, 1, 1)
MOMENTS = st.datetimes(
    datetime.combine(FIRST, datetime.min.time()),
    datetime.combine(LAST, datetime.min.time()),
    timezones=st.just(UTC),
)
schemathesis.openapi.format("date-time", MOMENTS.map(datetime.isoformat))
schemathesis.openapi.format("date", st.dates(FIRST, LAST).map(str))
schemathesis.openapi.format("email", st.from_regex(r"[a-z]{1,8}@[a-z]{1,8}\.example\.com", fullmatch=True))

REFUSALS = [400, 401, 403, 404, 405, 409, 413, 415, 422, 429]
schema = schemathesis.openapi.from_wsgi(
    "/api/v1/openapi.json",
    application,
    config=schemathesis.Config.from_dict(
        {
            "checks": {"negative_data_rejection": {"expected-statuses": REFUSALS}},
            "phases": {"coverage": {"enabled": False}},
        }
    ),
)
NOT_SAID = {
    "/api/v1/intake": CHECKS.get_by_names(["negative_data_rejection", "positive_data_acceptance"]),
    "/api/v1/handoffs": CHECKS.get_by_names(["negative_data_rejection"]),
    "/api/v1/metrics": CHECKS.get_by_names(["negative_data_rejection"]),
}


@pytest.fixture
def key(cast) -> Iterator[str]:
    """A key that may everything, and a handoff to read; the test's connection outlives the requests."""
    for receiver in (request_started, request_finished):
        receiver.disconnect(close_old_connections)
    route_to(cast.femke)
    make_handoff("working", cast.femke)
    yield keys.make_key("Test", keys.SCOPES, NOW)[1]
    for receiver in (request_started, request_finished):
        receiver.connect(close_old_connections)


def held_to_it(case: schemathesis.Case, key: str) -> None:
    limits.forget()
    # This caller asks for compressed answers and does not unpack them.
    headers = {"Authorization": f"Bearer {key}", "Accept-Encoding": "identity"}
    case.call_and_validate(headers=headers, excluded_checks=NOT_SAID.get(case.path, []))


few = settings(
    max_examples=4, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@schema.include(path="/api/v1/intake").parametrize()
@few
def test_the_document_is_true_of_events(case, key):
    held_to_it(case, key)


@schema.exclude(path="/api/v1/intake").parametrize()
@settings(few, max_examples=12)
def test_the_document_is_true(case, key):
    held_to_it(case, key)
