"""Polling: nothing is passed over, whatever moves meanwhile, and however many bear one moment."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from leads.connectors.salesforce.following import OVERLAP, Page, page
from leads.connectors.salesforce.usual import moment
from tests.conftest import NOW
from tests.leads.connectors.salesforce.conftest import Side

FIELDS = ("Id", "Email", "IsDeleted", "SystemModstamp")


def polled(side: Side, cursor: dict[str, Any], now: datetime = NOW, size: int = 3) -> tuple[list[str], Any]:
    """All pages of one poll: the ids in order, and the cursor after it."""
    found: list[str] = []
    for _ in range(100):
        given: Page = page(side.it.api, "Lead", FIELDS, cursor, now, 1, size)
        found += [row["Id"] for row in given.rows]
        cursor = dict(given.cursor)
        if given.is_last:
            return found, cursor
    raise AssertionError("it never came to an end")


def touched(side: Side, key: str, at: datetime) -> None:
    record = side.there.leads[key]
    record.created = record.modified = at.timestamp()


@pytest.mark.parametrize("many", [0, 1, 2, 3, 4, 7])
def test_many_of_one_moment_are_all_read_once(side: Side, many: int) -> None:
    ids = [side.lead() for _ in range(many)]
    for key in ids:
        touched(side, key, NOW - timedelta(hours=1))
    found, cursor = polled(side, {})
    assert found == sorted(ids)
    assert cursor == {"at": "2026-03-10T09:48:00.000Z"}


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ages=st.lists(st.integers(0, 4), max_size=12), size=st.integers(1, 4))
def test_whatever_the_times_each_is_read_once_and_in_order(side: Side, ages: list[int], size: int) -> None:
    side.there.leads.clear()
    ids = [side.lead() for _ in ages]
    for key, age in zip(ids, ages, strict=True):
        touched(side, key, NOW - timedelta(hours=1, seconds=age))
    found, _ = polled(side, {}, size=size)
    assert found == [key for _, key in sorted(zip([-age for age in ages], ids, strict=True))]


def test_the_next_poll_begins_before_this_one_did(side: Side) -> None:
    """A row bears the time of its writing, and was not to be seen yet when its call was still under way."""
    _, cursor = polled(side, {})
    late = side.lead()
    touched(side, late, NOW - OVERLAP + timedelta(seconds=1))
    found, after = polled(side, cursor, NOW + timedelta(minutes=5))
    assert found == [late]
    assert moment(after["at"]) == NOW + timedelta(minutes=5) - OVERLAP


def test_the_first_poll_looks_back_as_far_as_it_is_told(side: Side) -> None:
    old, new = side.lead(), side.lead()
    touched(side, old, NOW - timedelta(days=1, seconds=1))
    touched(side, new, NOW - timedelta(days=1) + timedelta(seconds=1))
    assert polled(side, {})[0] == [new]


def test_a_clock_that_was_set_back_begins_nothing_anew(side: Side) -> None:
    _, cursor = polled(side, {})
    _, after = polled(side, cursor, NOW - timedelta(days=3))
    assert after == cursor


def test_what_moves_during_a_poll_is_read_where_it_is_then(side: Side) -> None:
    ids = [side.lead() for _ in range(5)]
    for number, key in enumerate(ids):
        touched(side, key, NOW - timedelta(hours=1) + timedelta(seconds=number))
    first = page(side.it.api, "Lead", FIELDS, {}, NOW, 1, 2)
    touched(side, ids[0], NOW)
    touched(side, ids[3], NOW)
    rest, _ = polled(side, dict(first.cursor), size=2)
    assert [row["Id"] for row in first.rows] == ids[:2]
    assert rest == [ids[2], ids[4], ids[0], ids[3]]


def test_deleted_ones_are_read_too(side: Side) -> None:
    key = side.lead()
    side.there.act({"do": "delete", "id": key})
    given = page(side.it.api, "Lead", FIELDS, {}, NOW, 1)
    assert [(row["Id"], row["IsDeleted"]) for row in given.rows] == [(key, True)]


def test_pages_of_the_org_are_smaller_than_ours(side: Side) -> None:
    for _ in range(5):
        side.lead()
    side.there.configure(page_size=2)
    given = page(side.it.api, "Lead", FIELDS, {}, NOW, 1)
    assert (len(given.rows), given.is_last, len(side.paths())) == (5, True, 3)


@pytest.mark.parametrize("cursor", [{"at": "x"}, {"at": None, "id": "x' OR '"}, {"id": 5}])
def test_a_cursor_that_makes_no_sense_begins_anew(side: Side, cursor: dict[str, Any]) -> None:
    key = side.lead()
    assert polled(side, cursor)[0] == [key]
