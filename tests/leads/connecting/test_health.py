"""The figures of connections: what counts, the share that arrived, within which span most of it did."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Count
from hypothesis import given
from hypothesis import strategies as st

from leads.connecting import health
from leads.connecting.health import BOUNDS, Figures, lag
from leads.models import Delivery
from leads.views import counts
from tests.conftest import NOW
from tests.leads.views.asking import html
from tests.leads.views.integrations.made import call, delivery, made

PLACES = st.dictionaries(st.integers(0, len(BOUNDS)), st.integers(1, 10_000), max_size=len(BOUNDS) + 1)


@given(PLACES)
def test_the_lag_is_the_least_bound_that_enough_kept(counts):
    found, whole = lag(counts), sum(counts.values())

    def within(bound):
        return sum(count for place, count in counts.items() if place <= BOUNDS.index(bound))

    if found is None:
        assert not counts or within(BOUNDS[-1]) < 0.95 * whole
        return
    assert within(found) >= 0.95 * whole
    for bound in BOUNDS[: BOUNDS.index(found)]:
        assert within(bound) < 0.95 * whole or not within(bound)


def test_the_rate_is_of_what_was_settled():
    assert Figures().rate is None
    assert Figures(done=3, gave_up=1).rate == 0.75
    assert Figures(gave_up=2).rate == 0


@pytest.mark.django_db
def test_what_counts():
    one, two = made("Warehouse"), made("Billing")
    early = NOW - timedelta(hours=2)
    delivery(one, "pending", at=early)
    delivery(one, "sending", at=NOW, locked_until=NOW)
    delivery(one, "dead", at=NOW - timedelta(days=3))
    delivery(one, "dead")
    for seconds in (1, 2, 100):
        delivery(one, "done", at=early, done_at=early + timedelta(seconds=seconds))
    delivery(one, "done", at=NOW - timedelta(days=2), done_at=NOW - timedelta(hours=25))
    delivery(one, "superseded")
    delivery(one, "withdrawn")
    delivery(one, "discarded")
    delivery(two, "done", done_at=NOW, at=NOW - timedelta(days=3))
    call(two, "failed")
    call(two, "failed", received_at=NOW - timedelta(hours=25))
    call(two, "taken")
    found = health.figures(NOW)
    assert found == {
        one.pk: Figures(owed=2, oldest=early, dead=2, done=3, gave_up=1, lag=timedelta(seconds=120)),
        two.pk: Figures(failed_calls=1, done=1, lag=None),
    }
    assert health.figures(NOW, two) == {two.pk: found[two.pk]}


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL reads few rows as they lie")
@pytest.mark.django_db
def test_dead_letters_are_found_by_their_index():
    row = made("Warehouse")
    of_all = Delivery.objects.filter(health.dead()).order_by().values("pk")
    counted = of_all.values_list("connection").annotate(count=Count("pk"))
    of_one = Delivery.objects.filter(health.dead(), connection=row).order_by("id")
    for rows in (of_all[:100], counted, of_one):
        assert "delivery_dead" in rows.explain(), rows.query


@pytest.mark.django_db
def test_what_wants_somebody(cast, as_):
    def wanted():
        found = counts.of(cast.otto, NOW, counts.Wanted(of_all=True))
        return found[counts.GIVEN_UP][0], found[counts.STANDING][0]

    row = made("Warehouse")
    assert wanted() == (0, 0)
    delivery(row, "dead")
    made("Paused", paused_why="They move")
    made("Gone", is_active=False, paused_why="The address answers 410: it wants no more.")
    made("Waits", paused_why="Rate limit", paused_until=NOW)
    made("Off", is_active=False)
    assert wanted() == (1, 2)
    for _ in range(120):
        delivery(row, "dead")
    assert wanted() == (100, 2)
    assert '<span class="badge">99+</span>' in html(as_(cast.otto).get("/integrations/"))
