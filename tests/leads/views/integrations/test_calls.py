"""The log of calls that came in: narrowed, as a file, one read, and taken in again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.leads.views.asking import file_of, html, queries, refuses, sent_to_sign_in
from tests.leads.views.integrations.made import NOW, PAGE, call, made

pytestmark = pytest.mark.django_db
URL = f"{PAGE}calls/"


@pytest.fixture(autouse=True)
def _now(time_machine):
    time_machine.move_to(NOW, tick=False)


def test_it_is_narrowed_by_its_address(cast, as_):
    one, two = made("Warehouse"), made("Billing")
    taken = call(one, outcome={"events": 2, "processed": 1, "duplicate": 1}, repeats=2)
    failed = call(one, "failed", error="The body is not JSON.", tries=8)
    old = call(two, "ignored", received_at=NOW - timedelta(days=9), repeats=1, differing_repeats=1)
    client = as_(cast.otto)
    for query, found in {
        "": [old, failed, taken],
        "connection=warehouse": [failed, taken],
        "status=failed": [failed],
        "again=yes": [old, taken],
        "again=other": [old],
        f"q={taken.identity}": [taken],
        "since=2026-03-10": [failed, taken],
        "until=2026-03-01": [old],
    }.items():
        response = client.get(f"{URL}?{query}")
        assert [line.id for line in response.context["lines"]] == [row.pk for row in found], query
    body = html(client.get(URL))
    assert "2 events: 1 processed, 1 duplicate" in body and "The body is not JSON." in body
    assert "came 2 more times" in body and "came 1 more time, 1 with another body" in body
    assert "There is no such connection" in html(client.get(f"{URL}?connection=x"))
    assert "No call fits." in html(client.get(f"{URL}?q=none"))
    lines = file_of(client.get(f"{URL}calls.csv?status=failed"))
    assert len(lines) == 2 and failed.identity in lines[1] and "lead.qualified" not in lines[1]


def test_nobody_has_called(cast, as_):
    assert "Nobody has called so far." in html(as_(cast.otto).get(URL))


def test_one_is_read_as_text_whatever_it_says(cast, as_):
    row = call(made("Warehouse"), body=b'{"type":"<script>alert(1)</script>","x":"\xff\x00"}')
    body = html(as_(cast.otto).get(f"{URL}{row.pk}/"))
    assert "&lt;script&gt;alert(1)" in body and "<script>alert" not in body
    long = call(row.connection, body=b"x" * 30_000)
    assert "30000 bytes, the first 20,000 shown" in html(as_(cast.otto).get(f"{URL}{long.pk}/"))


def test_a_settled_call_is_taken_in_again(cast, as_):
    row = call(made("Warehouse"), "failed", error="The body is not JSON.", tries=8)
    client = as_(cast.otto)
    assert client.post(f"{URL}{row.pk}/retry/")["Location"] == f"{URL}{row.pk}/"
    row.refresh_from_db()
    assert (row.status, row.tries, row.error, row.done_at, row.try_after) == ("waiting", 0, "", None, NOW)
    client.post(f"{URL}{row.pk}/retry/")
    assert "It waits for the worker already." in html(client.get(f"{URL}{row.pk}/"))
    emptied = call(row.connection, body=b"")
    client.post(f"{URL}{emptied.pk}/retry/")
    body = html(client.get(f"{URL}{emptied.pk}/"))
    assert body.count("What it said is not kept any more.") == 2 and "Take it in again" not in body
    emptied.refresh_from_db()
    assert emptied.status == "taken"


def test_others_find_nothing(cast, as_, client):
    row = call(made("Warehouse"), "failed")
    pages, acts = (URL, f"{URL}calls.csv", f"{URL}{row.pk}/"), (f"{URL}{row.pk}/retry/",)
    sent_to_sign_in(client, *pages)
    for person in (cast.femke, cast.mia, cast.vera):
        refuses(as_(person), 404, get=pages, post=acts)
    refuses(as_(cast.otto), 405, get=acts, post=pages)
    refuses(as_(cast.otto), 404, get=(f"{URL}999/",), post=(f"{URL}999/retry/",))
    row.refresh_from_db()
    assert row.status == "failed"


def test_the_cost_does_not_grow(cast, as_):
    client = as_(cast.otto)
    call(made("One"))
    one = queries(client, URL)
    call(made("Two"))
    call(made("Three"))
    assert queries(client, URL) == one
