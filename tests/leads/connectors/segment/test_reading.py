"""Times by our own clock, and that no body whatsoever is a shape that nobody thought of."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leads import connectors
from leads.connectors.segment import TYPES, moments
from leads.intake.schema import parse
from leads.models import Connection, InboundCall
from tests.conftest import NOW
from tests.leads.connectors.segment.sent import make_segment
from tests.leads.views.test_collector import basic

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


def at(**after: float) -> str:
    return (NOW + timedelta(**after)).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("event", "shared", "happened"),
    [
        ({}, {}, NOW),
        ({"timestamp": at(minutes=-5)}, {}, NOW - timedelta(minutes=5)),
        # The device is an hour ahead, and sent ten seconds after it happened.
        ({"timestamp": at(hours=1), "sentAt": at(hours=1, seconds=10)}, {}, NOW - timedelta(seconds=10)),
        ({"timestamp": at(hours=1)}, {"sentAt": at(hours=1, seconds=10)}, NOW - timedelta(seconds=10)),
        # The device is a day behind.
        ({"originalTimestamp": at(days=-1), "sentAt": at(days=-1, seconds=3)}, {}, NOW - 3 * SECOND),
        # Segment has corrected it.
        (
            {"timestamp": at(minutes=-2), "originalTimestamp": at(hours=1), "sentAt": at(hours=1),
             "receivedAt": at(minutes=-1)}, {}, NOW - timedelta(minutes=2),
        ),
        # It says that it was sent before it happened; that it happened tomorrow; nothing that is a time.
        ({"timestamp": at(hours=2), "sentAt": at(hours=1)}, {}, NOW),
        ({"timestamp": at(days=1)}, {}, NOW),
        ({"timestamp": "yesterday", "sentAt": 5}, {}, NOW),
        ({"timestamp": "0001-01-01T00:00:00+14:00"}, {}, NOW),
        # Without an offset it is UTC.
        ({"timestamp": at(minutes=-5)[:-1]}, {}, NOW - timedelta(minutes=5)),
    ],
)  # fmt: skip
def test_when_it_happened_by_our_clock(event, shared, happened):
    assert moments.happened(event, shared, NOW) == happened


MOMENTS = st.datetimes(datetime(1995, 1, 1), datetime(2190, 1, 1), timezones=st.just(UTC))


@given(MOMENTS, st.timedeltas(timedelta(0), timedelta(days=30)), st.timedeltas(-400 * HOUR, 400 * HOUR))
@settings(max_examples=50)
def test_a_wrong_clock_changes_nothing(received, before, skew):
    """What happened `before` it was sent happened so long before it came, whatever the device's clock."""
    event = {"timestamp": (received - before + skew).isoformat(), "sentAt": (received + skew).isoformat()}
    assert moments.happened(event, {}, received) == received - before


TEXTS = st.text(max_size=20) | st.sampled_from(
    ["42", "a@b.example.org", "\x00", "\ud800", "DE", "2026-01-01"]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["type", "userId", "anonymousId", "previousId", "messageId", "event", "name", "traits", "properties",
     "context", "timestamp", "originalTimestamp", "sentAt", "receivedAt", "email", "company", "address",
     "country", "campaign", "page", "url", "employees", "phone", "batch"]
)  # fmt: skip
NESTED = st.recursive(ANYTHING, lambda inner: st.dictionaries(NAMES, inner, max_size=8), max_leaves=30)
EVENTS = st.builds(
    lambda kind, user, rest: {**rest, "type": kind, **({"userId": user} if user else {})},
    st.sampled_from([*TYPES, "batch", None]),
    st.sampled_from(["", "42", 7, "a@b.example.org"]),
    st.dictionaries(NAMES, NESTED, max_size=8),
)
BODIES = (
    NESTED | EVENTS | st.lists(EVENTS | NESTED, max_size=4)
    | st.builds(lambda events: {"batch": events}, st.lists(EVENTS, max_size=4))
)  # fmt: skip


@pytest.mark.django_db
@given(BODIES, st.sampled_from([*TYPES, "batch"]))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_is_a_shape_that_nobody_thought_of(content, kind):
    """Stored or refused in words, read without an error, and every event that is made fits the intake."""
    there = Connection.objects.first() or make_segment(hook="key")
    InboundCall.objects.all().delete()
    answer = Client().post(
        f"/collect/v1/{kind}", json.dumps(content), "application/json", headers=basic("key")
    )
    assert answer.status_code in (200, 400), answer.content
    for call in InboundCall.objects.all():
        with connectors.opened(there) as connector:
            events = connector.translate(bytes(call.body), call.identity, call.received_at)
            read = len(events) + connector.left_out.total()
        assert read == count(content)
        for event in events:
            assert parse(event)[1] == [], event
    connectors.take_waiting(timezone.now, seconds=20)
    assert not InboundCall.objects.filter(status="waiting").exists()


def count(content) -> int:
    inner = content.get("batch") if isinstance(content, dict) else content
    return len(inner) if isinstance(inner, list) else 1
