"""Polling: nothing passed over, whatever moves, ties or lags."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from leads.connectors.hubspot import following
from leads.connectors.hubspot.calling import Refusal
from leads.connectors.hubspot.following import OVERLAP
from tests.conftest import NOW
from tests.leads.connectors.hubspot.conftest import Side

SOON = NOW + timedelta(minutes=10)


def polled(
    side: Side, cursor: Any = None, now: Any = SOON, most: int = 60
) -> tuple[list[str], dict[str, Any]]:
    """The contacts of one whole poll, in order, and the cursor after it."""
    found: list[str] = []
    cursor = cursor or {}
    for _ in range(most):
        page = following.page(side.it.api, "contacts", cursor, now, 1)
        found += [record.id for record in page.records]
        cursor = dict(page.cursor)
        if page.is_last:
            return found, cursor
    raise AssertionError("it never ends")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "PAGE", 5)


def people(side: Side, number: int, *, seconds: float = 1) -> list[str]:
    """Contacts made one after another."""
    keys = []
    for _ in range(number):
        keys.append(side.contact(email=f"p{len(side.there.contacts)}@acme.example"))
        side.outer.clock.advance(seconds)
    return keys


def test_everything_comes_oldest_first(side: Side) -> None:
    keys = people(side, 23)
    found, cursor = polled(side)
    assert list(dict.fromkeys(found)) == keys
    assert set(cursor) == {"at"}


def test_the_next_poll_begins_before_this_one_began(side: Side) -> None:
    people(side, 7)
    _, cursor = polled(side)
    assert cursor == {"at": int((SOON - OVERLAP).timestamp() * 1000)}
    assert polled(side, cursor) == ([], cursor)
    side.outer.clock.advance(600)
    [late] = people(side, 1)
    assert polled(side, cursor, SOON + timedelta(minutes=5))[0] == [late]


def test_a_clock_that_was_set_back_begins_nothing_anew(side: Side) -> None:
    people(side, 7)
    _, cursor = polled(side)
    assert polled(side, cursor, NOW - timedelta(days=3)) == ([], cursor)


def test_the_first_poll_looks_back_as_far_as_was_chosen(side: Side) -> None:
    side.outer.clock.advance(-86400 * 2)
    old = people(side, 3)
    side.outer.clock.advance(86400 * 2)
    new = people(side, 3)
    assert polled(side)[0] == new
    page = following.page(side.it.api, "contacts", {}, SOON, 3)
    assert [record.id for record in page.records] == [*old, *new][:5]


def tie(side: Side, keys: list[str]) -> None:
    """All of these were changed in the same millisecond."""
    moment = side.outer.clock.now()
    for key in keys:
        record = side.there.contacts[key]
        record.created = record.modified = moment


@pytest.mark.parametrize("number", [4, 5, 6, 17, 25])
def test_more_than_a_page_of_one_moment_is_read_by_id(side: Side, number: int) -> None:
    before = people(side, 3)
    same = people(side, number, seconds=0)
    tie(side, same)
    side.outer.clock.advance(1)
    after = people(side, 8)
    found, _ = polled(side)
    assert list(dict.fromkeys(found)) == [*before, *same, *after]


def test_what_moves_while_it_is_read_is_not_passed_over(side: Side) -> None:
    """Read by offset, every change would shift the rest by one, past the page's edge."""
    keys = people(side, 20)
    cursor: dict[str, Any] = {}
    found: list[str] = []
    for number in range(60):
        page = following.page(side.it.api, "contacts", cursor, SOON, 1)
        found += [record.id for record in page.records]
        if page.is_last:
            break
        cursor = dict(page.cursor)
        if number < 10:
            # The oldest goes to the end.
            side.there.act({"do": "edit", "id": keys[number], "values": {"phone": str(number)}})
            side.outer.clock.advance(1)
    assert set(found) == set(keys)


def test_more_than_a_search_gives_is_no_end(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.doubles.hubspot import searching

    monkeypatch.setattr(searching, "DEEPEST", 10)
    keys = people(side, 31)
    assert set(polled(side)[0]) == set(keys)


def test_what_search_shows_late_comes_with_the_next_poll(side: Side) -> None:
    side.there.configure(search_lag=120.0)
    early = people(side, 2, seconds=100)
    late = people(side, 2)
    found, cursor = polled(side, now=NOW + timedelta(seconds=202))
    assert found == early[:1]
    side.outer.clock.advance(200)
    assert set(polled(side, cursor, NOW + timedelta(seconds=402))[0]) >= {*early[1:], *late}


def test_a_page_that_fails_moves_nothing(side: Side) -> None:
    side.outer.fault(system="hubspot", match="search", kind="secondly")
    with pytest.raises(Refusal):
        polled(side)


def test_deals_are_followed_by_their_own_time(side: Side) -> None:
    made = side.there.seed({"deals": [{"dealname": str(number)} for number in range(3)]})["deals"]
    page = following.page(side.it.api, "deals", {}, SOON, 1)
    assert ([record.id for record in page.records], page.is_last) == (made, True)
