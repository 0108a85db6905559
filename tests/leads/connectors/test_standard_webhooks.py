"""Signed webhooks, out and in."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import pytest

from leads import connectors, sealing
from leads.connectors import base, client, signatures
from leads.connectors.base import Arrived, Unreadable
from leads.connectors.signatures import Refused
from leads.models import Connection, Delivery
from tests.conftest import NOW
from tests.factories import event, make_lead
from tests.leads.connectors.conftest import SECRET, Played, make_connection
from tests.leads.outbox.rows import after, owed

pytestmark = pytest.mark.django_db


def deliver(there: Connection, now=NOW) -> int:
    return connectors.deliver(there, lambda: now, seconds=5)


@pytest.mark.parametrize(
    ("status", "row", "paused"),
    [
        (200, "done", ""), (201, "done", ""), (204, "done", ""), (299, "done", ""),
        (301, "pending", ""), (302, "pending", ""), (307, "pending", ""), (304, "pending", ""),
        (400, "dead", ""), (405, "dead", ""), (413, "dead", ""), (422, "dead", ""),
        # An address that is being moved or mended; the schedule gives it three days.
        (401, "pending", ""), (403, "pending", ""), (404, "pending", ""),
        (408, "pending", ""), (409, "pending", ""), (425, "pending", ""),
        (500, "pending", ""), (502, "pending", ""), (503, "pending", ""), (504, "pending", ""),
        (599, "pending", ""),
        (429, "pending", "The other side asked to wait (rate limit)."),
        (410, "dead", "The address answers 410: it wants no more."),
    ],
)  # fmt: skip
def test_what_each_answer_makes_of_it(played: Played, status, row, paused):
    there = make_connection(base_url=f"{played.url}/hook")
    owed(there, make_lead())
    played.answer = lambda *_: (status, {"Location": "/elsewhere"} if status < 400 else {}, b"said")
    deliver(there)
    there.refresh_from_db()
    found = Delivery.objects.get()
    assert (found.status, found.last_status, there.paused_why) == (row, status, paused)
    assert there.is_active == (status != 410)
    assert len(played.calls) == 1
    assert found.tries.get().answer == ("" if status in (204, 304) else "said")


def test_ids_are_the_same_on_every_attempt_and_times_and_signatures_are_not(played: Played):
    there = make_connection(base_url=played.url)
    row = owed(there, make_lead(), body='{"é": 1}')
    answers = iter([500, 200])
    played.answer = lambda *_: (next(answers), {}, b"")
    deliver(there)
    deliver(there, after(hours=1))
    first, second = [headers for _, _, headers, _ in played.calls]
    assert first["webhook-id"] == second["webhook-id"] == row.message_id
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 3600
    assert first["webhook-signature"] != second["webhook-signature"]
    for (_, _, headers, body), now in zip(played.calls, (NOW, after(hours=1)), strict=True):
        assert body == '{"é": 1}'.encode()
        assert signatures.verify([SECRET], headers, body, now) == row.message_id
        assert headers["content-type"] == "application/json"


def test_retry_after_is_kept_to(played: Played):
    there = make_connection(base_url=played.url)
    owed(there, make_lead())
    played.answer = lambda *_: (503, {"Retry-After": "7200"}, b"")
    deliver(there)
    assert Delivery.objects.get().next_attempt_at == after(hours=2)


def test_while_a_secret_is_changed_both_sign_and_both_are_taken(played: Played):
    former = signatures.new_secret()
    there = make_connection(
        base_url=played.url,
        secrets={"secret": SECRET, "former_secret": former},
        options={"former_until": (NOW + timedelta(hours=1)).isoformat()},
    )
    owed(there, make_lead())
    deliver(there)
    [(_, _, headers, body)] = played.calls
    assert len(headers["webhook-signature"].split(" ")) == 2
    for key in (SECRET, former):
        assert signatures.verify([key], headers, body, NOW)
        sent = signatures.headers([key], "msg_1", NOW, b"{}")
        with connectors.opened(there) as connector:
            assert connector.identify(Arrived("POST", "", sent, b"{}"), NOW) == "msg_1"
    sent = signatures.headers([signatures.new_secret()], "msg_1", NOW, b"{}")
    with connectors.opened(there) as connector, pytest.raises(Refused):
        connector.identify(Arrived("POST", "", sent, b"{}"), NOW)


def test_without_a_secret_nothing_is_sent_and_somebody_has_to_look(played: Played):
    there = make_connection(base_url=played.url, secrets={})
    owed(there, make_lead())
    assert (deliver(there), played.calls) == (0, [])
    there.refresh_from_db()
    assert there.paused_why == "The credentials are refused: there is no signing secret"
    assert Delivery.objects.get().status == "pending"


def test_no_secret_stands_in_what_is_kept(played: Played):
    there = make_connection(base_url=played.url)
    owed(there, make_lead())
    deliver(there)
    attempt = Delivery.objects.get().tries.get()
    kept = " ".join((attempt.request, attempt.answer, attempt.error, there.sealed))
    assert SECRET not in kept and SECRET.removeprefix("whsec_") not in kept
    assert played.calls[0][2]["webhook-signature"] not in kept


def test_an_address_that_may_not_be_called_is_given_up(db):
    there = make_connection(base_url="https://127.0.0.1/hook")
    owed(there, make_lead())
    assert deliver(there) == 0
    row = Delivery.objects.get()
    assert (row.status, row.last_error) == ("dead", "The address leads into a private network.")


def test_who_answers_slowly_holds_up_no_more_than_its_share(played: Played, monkeypatch):
    """The rest of a batch goes back untried: the lease of none ends while another is waited for."""
    monkeypatch.setattr(client, "CALL_SECONDS", 0.2)
    monkeypatch.setattr(base, "BEGIN_SECONDS", 0.1)
    there = make_connection(base_url=played.url)
    for _ in range(5):
        owed(there, make_lead())
    played.answer = lambda *_: (time.sleep(0.5), (200, {}, b""))[1]
    assert connectors.deliver(there, lambda: NOW, seconds=0.05) == 0
    rows = Delivery.objects.order_by("pk")
    assert list(rows.values_list("status", "attempts")) == [("pending", 1), *[("pending", 0)] * 4]
    assert rows[1].next_attempt_at == NOW and rows[0].next_attempt_at > NOW
    there.refresh_from_db()
    assert there.failures == 1


def translate(body: bytes) -> list[dict]:
    there = Connection.objects.first() or make_connection(slug="map-main")
    with connectors.opened(there) as connector:
        return connector.translate(body, "msg_7", NOW)


def test_a_canonical_event_comes_in_as_it_is():
    one = event(1)
    assert translate(json.dumps(one).encode()) == [one]
    assert translate(json.dumps([one, one]).encode()) == [one, one]


def test_of_the_plain_form_the_rest_is_filled_in():
    plain = {"type": "lead.qualified", "timestamp": "2026-03-10T10:00:00Z", "data": {"lead": {}}}
    made = {
        "specversion": "1.0", "id": "msg_7", "source": "/connections/map-main", "type": "lead.qualified",
        "time": "2026-03-10T10:00:00Z", "data": {"lead": {}},
    }  # fmt: skip
    assert translate(json.dumps(plain).encode()) == [made]
    several = translate(json.dumps([plain] * 3).encode())
    assert [one["id"] for one in several] == ["msg_7", "msg_7/1", "msg_7/2"]


TOO_MANY = b"[" + b"{}," * 500 + b"{}]"


@pytest.mark.parametrize(
    "body", [b"", b"<xml/>", b"\xff", b"1", b'"text"', b"null", b"[1]", b"[" * 100_000, TOO_MANY]
)
def test_what_makes_no_sense_is_said_to_make_none(body):
    with pytest.raises(Unreadable):
        translate(body)


def test_the_whole_of_the_secrets_is_sealed():
    there = make_connection()
    assert sealing.open_sealed(there.sealed) == {"secret": SECRET}
