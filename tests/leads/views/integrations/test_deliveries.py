"""The log of deliveries: narrowed, paged, as a file; one with its attempts; dead letters and their ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from leads.models import Delivery
from tests.factories import make_handoff, make_lead
from tests.leads.views.asking import file_of, html, queries, refuses, sent_to_sign_in
from tests.leads.views.integrations.made import NOW, PAGE, attempt, delivery, made, of

pytestmark = pytest.mark.django_db
URL = f"{PAGE}deliveries/"


@pytest.fixture(autouse=True)
def _now(time_machine):
    time_machine.move_to(NOW, tick=False)


def ids(client, query: str = "") -> list[int]:
    response = client.get(f"{URL}{query}")
    assert response.status_code == 200
    return [line.id for line in response.context["lines"]]


def test_it_is_narrowed_by_its_address(cast, as_):
    one, two = made("Warehouse"), made("Billing")
    handoff = make_handoff("assigned", cast.femke, lead=make_lead(first_name="Zora", last_name="Neale"))
    Delivery.objects.all().delete()
    dead = delivery(one, "dead", last_status=503, last_error="The other side answered 503.", **of(handoff))
    waits = delivery(one, "pending", type="handoff.rejected")
    state = delivery(two, "done", kind="state", type="", revision=4)
    old = delivery(two, "superseded", at=NOW - timedelta(days=9))
    client = as_(cast.otto)
    assert ids(client) == [old.pk, state.pk, waits.pk, dead.pk]
    for query, found in {
        "connection=warehouse": [waits, dead],
        "status=dead": [dead],
        "status=waiting": [waits],
        "status=superseded": [old],
        "kind=state": [state],
        "type=handoff.rejected": [waits],
        f"handoff={handoff.pk}": [dead],
        f"lead={handoff.lead_id}": [dead],
        "q=zora": [dead],
        f"q={state.message_id}": [state],
        "since=2026-03-10": [state, waits, dead],
        "until=2026-03-01": [old],
        "connection=billing&status=done": [state],
    }.items():
        assert ids(client, f"?{query}") == [row.pk for row in found], query
    body = html(client.get(URL))
    assert "State, revision 4" in body and "The other side answered 503." in body and "Zora Neale" in body
    for query, words in {
        "connection=gone": "There is no such connection, or no longer.",
        "since=soon": "Write the date as 2026-03-31.",
        "status=happy": "Status:",
        "handoff=-1": "Handoff:",
    }.items():
        body = html(client.get(f"{URL}?{query}"))
        assert words in body, query
    assert "No delivery fits." in html(client.get(f"{URL}?type=handoff.opened"))


def test_nothing_was_owed_yet(cast, as_):
    assert "Nothing was owed to anybody so far." in html(as_(cast.otto).get(URL))


def test_it_is_paged_by_where_one_is(cast, as_, monkeypatch):
    monkeypatch.setattr("leads.views.integrations.deliveries.SIZE", 2)
    row = made("Warehouse")
    rows = [delivery(row) for _ in range(5)]
    client = as_(cast.otto)
    found, query = [], "?connection=warehouse"
    while query:
        response = client.get(f"{URL}{query}")
        found += [line.id for line in response.context["lines"]]
        query = response.context["more"]
        delivery(made(f"New{len(found)}"))
    assert found == [one.pk for one in reversed(rows)]


def test_as_a_file_it_names_nobody_and_runs_nowhere(cast, as_):
    row = made("=Warehouse()", slug="warehouse")
    handoff = make_handoff(
        "assigned", cast.femke, lead=make_lead(first_name="Zora", email="zora@example.org")
    )
    Delivery.objects.all().delete()
    delivery(row, "dead", last_error="@SUM(1)", **of(handoff))
    delivery(row, "pending", at=NOW - timedelta(minutes=1))
    lines = file_of(as_(cast.otto).get(f"{URL}deliveries.csv?status=dead"))
    assert len(lines) == 2 and lines[0].startswith("delivery,connection,kind,type,lead,handoff")
    assert "'=Warehouse()" in lines[1] and "'@SUM(1)" in lines[1] and "2026-03-10T09:00:00Z" in lines[1]
    assert "Zora" not in lines[1] and "zora" not in lines[1]


def test_one_with_its_attempts(cast, as_):
    row = delivery(made("Warehouse"), "dead", body='{"type":"<b>x</b>"}', attempts=2)
    attempt(row, 1, request="POST handoff.accepted", answer='{"why":"<script>"}', error="Answered 503.")
    attempt(row, 2, status=None, error="No answer within 20 seconds.", milliseconds=20_000)
    body = html(as_(cast.otto).get(f"{URL}{row.pk}/"))
    assert body.index("No answer within 20 seconds.") < body.index("Answered 503."), "the newest first"
    assert "answered 503, 120 ms" in body and "20,000 ms" in body
    assert "&quot;why&quot;: &quot;&lt;script&gt;&quot;" in body and '<script>"' not in body
    assert "&lt;b&gt;x&lt;/b&gt;" in body and row.message_id in body


def test_a_dead_letter_is_sent_once_more(cast, as_):
    row = delivery(made("Warehouse"), "dead", attempts=10)
    client = as_(cast.otto)
    response = client.post(f"{URL}{row.pk}/replay/")
    assert response["Location"] == f"{URL}{row.pk}/"
    row.refresh_from_db()
    assert (row.status, row.done_at, row.next_attempt_at) == ("pending", None, NOW)
    client.post(f"{URL}{row.pk}/replay/")
    assert "It is no dead letter any more." in html(client.get(URL))
    assert Delivery.objects.count() == 1


def test_a_dead_letter_is_let_go_with_a_reason(cast, as_):
    row = delivery(made("Warehouse"), "dead")
    client = as_(cast.otto)
    assert "Say why it is let go." in html(client.post(f"{URL}{row.pk}/discard/", {"note": " "}), 422)
    row.refresh_from_db()
    assert row.status == "dead"
    client.post(f"{URL}{row.pk}/discard/", {"note": "They deleted\x00 it"})
    row.refresh_from_db()
    assert (row.status, row.note) == ("discarded", "They deleted it")
    assert "They deleted it" in html(client.get(f"{URL}{row.pk}/"))
    client.post(f"{URL}{row.pk}/discard/", {"note": "Again"})
    row.refresh_from_db()
    assert row.note == "They deleted it"


def test_all_dead_letters_of_a_connection_at_once(cast, as_, monkeypatch):
    one, two = made("Warehouse"), made("Billing")
    rows = [delivery(one, "dead") for _ in range(3)]
    other = delivery(two, "dead")
    client = as_(cast.otto)
    assert "Send all 3 once more" in html(client.get(f"{URL}?connection=warehouse&status=dead"))
    assert "once more</button>" not in html(client.get(f"{URL}?status=dead"))
    monkeypatch.setattr("leads.views.integrations.deliveries.MOST_REPLAYED", 2)
    response = client.post(f"{PAGE}warehouse/replay/")
    assert "2 dead letters are sent once more. 1 are left." in html(client.get(response["Location"]))
    client.post(f"{PAGE}warehouse/replay/")
    assert {Delivery.objects.get(pk=row.pk).status for row in rows} == {"pending"}
    assert Delivery.objects.get(pk=other.pk).status == "dead"
    response = client.post(f"{PAGE}warehouse/replay/")
    assert "has no dead letters" in html(client.get(response["Location"]))


def test_others_find_nothing(cast, as_, client):
    row = delivery(made("Warehouse"), "dead")
    pages = (URL, f"{URL}deliveries.csv", f"{URL}{row.pk}/")
    acts = (f"{URL}{row.pk}/replay/", f"{URL}{row.pk}/discard/", f"{PAGE}warehouse/replay/")
    sent_to_sign_in(client, *pages)
    for person in (cast.femke, cast.mia, cast.vera):
        refuses(as_(person), 404, get=pages, post=acts)
    refuses(as_(cast.otto), 405, get=acts, post=pages)
    refuses(as_(cast.otto), 404, get=(f"{URL}999/",), post=(f"{URL}999/replay/", f"{URL}999/discard/"))
    row.refresh_from_db()
    assert row.status == "dead"


def test_the_cost_does_not_grow(cast, as_):
    client, row = as_(cast.otto), made("Warehouse")
    first = delivery(row, "dead", **of(make_handoff("assigned", cast.femke)))
    attempt(first)
    one = (queries(client, URL), queries(client, f"{URL}{first.pk}/"))
    for number in (2, 3):
        delivery(made(f"Other{number}"), "dead", **of(make_handoff("assigned", cast.femke)))
        attempt(first, number)
    assert (queries(client, URL), queries(client, f"{URL}{first.pk}/")) == one
