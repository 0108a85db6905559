"""The first page of integrations: how each connection is, in words and figures; who sees it; its cost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from leads import keys
from tests.leads.views.asking import html, queries, refuses, sent_to_sign_in
from tests.leads.views.integrations.made import NOW, PAGE, call, delivery, made

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now(time_machine):
    time_machine.move_to(NOW, tick=False)


def test_nothing_is_connected(cast, as_):
    body = html(as_(cast.otto).get(PAGE))
    assert "Nothing is connected." in body and 'href="/integrations/new/webhook/"' in body
    assert "API keys" not in body


def test_each_says_how_it_is_and_what_it_is_owed(cast, as_):
    warehouse = made("Warehouse", last_out_at=NOW - timedelta(minutes=4))
    made("Portal", is_active=False, paused_why="The address answers 410: it wants no more.")
    made("Billing", failures=6, trips=1, probe_at=NOW + timedelta(minutes=5))
    made("Bus", paused_why="They move", paused_until=None)
    made(
        "Slow", paused_why="The other side asked to wait (rate limit).", paused_until=NOW + timedelta(hours=2)
    )
    made("Fresh")
    made("Sleeping", is_active=False)
    for status in ("done", "done", "done", "dead", "pending", "superseded"):
        delivery(warehouse, status)
    call(warehouse, "failed", error="The body is not JSON.")
    body = html(as_(cast.otto).get(PAGE))
    lines = {name: part for part in body.split('<li class="thing conn">')[1:] for name in [_name(part)]}
    assert "Running" in lines["Warehouse"] and "1 dead letter<" in lines["Warehouse"]
    assert ">1</a>, the oldest for 1 h<" in lines["Warehouse"]
    assert "75 % of 4 delivered; 95 % within 5 s" in lines["Warehouse"]
    assert "today 09:56" in lines["Warehouse"] and "1 failed" in lines["Warehouse"]
    assert "Stopped" in lines["Portal"] and "410" in lines["Portal"]
    assert (
        "Spared" in lines["Billing"] and "6 failures in a row; one attempt at 10:05:00." in lines["Billing"]
    )
    assert "Paused" in lines["Bus"] and "They move" in lines["Bus"]
    assert "Waits until 12:00" in lines["Slow"]
    assert "Nothing has been sent or taken yet." in lines["Fresh"]
    assert "Not switched on" in lines["Sleeping"]
    # Who wants somebody comes first.
    assert list(lines) == ["Billing", "Bus", "Portal", "Warehouse", "Fresh", "Sleeping", "Slow"]


def _name(part: str) -> str:
    return part.split("/integrations/")[1].split("</a>")[0].split(">")[1]


def test_the_navigation_counts_what_wants_somebody(cast, as_):
    warehouse = made("Warehouse")
    delivery(warehouse, "dead")
    delivery(warehouse, "dead")
    made("Bus", paused_why="They move")
    made("Slow", paused_why="Rate limit", paused_until=NOW + timedelta(hours=2))
    body = html(as_(cast.otto).get(PAGE))
    assert '<span class="badge">3</span><span class="sr">given up or paused</span>' in body
    assert "Integrations" not in html(as_(cast.femke).get("/inbox/"))


def test_keys_are_for_admins(cast, as_):
    keys.make_key("Loader", ["intake"], NOW)
    body = html(as_(cast.ada).get(PAGE))
    assert "1 key in force, none used yet." in body and "/integrations/keys/" in body
    assert "/integrations/keys/" not in html(as_(cast.otto).get(PAGE))


def test_others_find_nothing(cast, as_, client):
    sent_to_sign_in(client, PAGE)
    for person in (cast.femke, cast.mia, cast.vera):
        refuses(as_(person), 404, get=(PAGE,))
    refuses(as_(cast.otto), 405, post=(PAGE,))


def test_the_cost_does_not_grow(cast, as_):
    client = as_(cast.ada)
    delivery(made("One"), "dead")
    one = queries(client, PAGE)
    for name in ("Two", "Three"):
        row = made(name)
        delivery(row, "pending")
        delivery(row, "dead")
        call(row, "failed")
    assert queries(client, PAGE) == one
