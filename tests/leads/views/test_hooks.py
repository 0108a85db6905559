"""The addresses at which other systems call us: verified, stored, answered."""

from __future__ import annotations

import pytest
import time_machine
from django.test import Client

from leads import sealing
from leads.connectors import signatures
from leads.connectors.receiving import digest
from leads.models import Connection, InboundCall
from leads.views.hooks import MOST_BYTES
from tests.conftest import NOW
from tests.leads.connectors.conftest import SECRET, make_connection
from tests.leads.outbox.rows import after

pytestmark = pytest.mark.django_db
BODY = b'{"type": "lead.updated"}'


@pytest.fixture(autouse=True)
def _now():
    with time_machine.travel(NOW, tick=False):
        yield


def signed(body: bytes = BODY, secret: str = SECRET, at=NOW, identity: str = "msg_1") -> dict[str, str]:
    return signatures.headers([secret], identity, at, body)


def post(secret: str = "abc", body: bytes = BODY, headers: dict[str, str] | None = None, **options):
    # As from outside: no session, and form tokens asked for where a view does not excuse itself.
    return Client(enforce_csrf_checks=True).post(
        f"/hooks/{secret}/", body, "application/json",
        headers=signed(body) if headers is None else headers, **options,
    )  # fmt: skip


def test_a_signed_call_is_stored_and_nothing_is_made_of_it_yet():
    there = make_connection(hook="abc")
    answer = post()
    assert (answer.status_code, answer.json()) == (200, {"status": "stored"})
    call = InboundCall.objects.get()
    assert (call.connection, call.identity, bytes(call.body), call.status, call.received_at) == (
        there, "msg_1", BODY, "waiting", NOW,
    )  # fmt: skip


def test_twice_is_once():
    make_connection(hook="abc")
    assert [post().json()["status"] for _ in range(2)] == ["stored", "duplicate"]
    assert InboundCall.objects.get().repeats == 1


@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete", "options"])
def test_only_posts_are_taken(method):
    make_connection(hook="abc")
    answer = getattr(Client(), method)("/hooks/abc/")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert InboundCall.objects.count() == 0


@pytest.mark.parametrize(
    "headers",
    [
        {}, signed(secret=signatures.new_secret()), signed(body=BODY + b" "), signed(at=after(minutes=-6)),
        signed(at=after(minutes=6)), signed() | {"webhook-id": "msg_2"},
        signed() | {"webhook-signature": "v1,"},
    ],
    ids=["unsigned", "foreign", "changed", "old", "early", "other id", "empty"],
)  # fmt: skip
def test_an_outsider_is_refused_with_nothing_kept(headers):
    make_connection(hook="abc")
    answer = post(headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (401, "refused")
    assert SECRET not in answer.content.decode()
    assert InboundCall.objects.count() == 0


def test_an_address_that_is_nobodys_or_switched_off_is_not_found():
    make_connection(hook="abc", is_active=False)
    make_connection()
    for secret in ("abc", "abd", digest("abc"), "%00", "x" * 500):
        answer = post(secret)
        assert (answer.status_code, answer.json()) == (404, {"status": "unknown"})


def test_whoever_is_signed_in_is_no_sender(as_, cast):
    """The read-only person's question: a session gives nothing here, and a sender needs none."""
    make_connection(hook="abc")
    for person in (cast.vera, cast.ada):
        assert as_(person).post("/hooks/abc/", BODY, "application/json").status_code == 401
    assert post().status_code == 200


@pytest.mark.parametrize("size", [MOST_BYTES + 1, 10 * MOST_BYTES])
def test_a_body_that_is_too_long_is_not_read(size):
    make_connection(hook="abc")
    answer = post(body=b"x" * size)
    assert (answer.status_code, answer.json()) == (413, {"status": "too_large"})
    assert InboundCall.objects.count() == 0
    assert post(body=b"x" * MOST_BYTES).status_code == 200


@pytest.mark.parametrize("length", ["-1", "1e3", "nonsense", "²", "9" * 20])
def test_a_length_that_is_none_is_refused(length):
    make_connection(hook="abc")
    assert post(CONTENT_LENGTH=length).status_code == 413


def test_bytes_are_kept_as_they_came_whatever_they_are():
    make_connection(hook="abc")
    body = b'\xff\x00 {"a":1 }\r\n'
    assert post(body=body).status_code == 200
    assert bytes(InboundCall.objects.get().body) == body


def test_the_address_that_is_verified_is_ours_and_not_what_the_host_header_says(settings, monkeypatch):
    """HubSpot signs the address: whoever could choose it could have another's signature taken."""
    settings.PUBLIC_URL = "https://handoff.example.com"
    seen: list[str] = []
    monkeypatch.setattr(
        "leads.connectors.standard_webhooks.StandardWebhooks.identify",
        lambda self, arrived, now: seen.append(arrived.url) or "msg_1",
    )
    make_connection(hook="abc")
    answer = Client().post("/hooks/abc/?a=%20b", BODY, "application/json", headers={"Host": "localhost"})
    assert answer.status_code == 200
    assert seen == ["https://handoff.example.com/hooks/abc/?a=%20b"]


def test_a_forged_host_is_refused_before_anything(settings):
    settings.ALLOWED_HOSTS = ["handoff.example.com"]
    make_connection(hook="abc")
    assert post(headers=signed() | {"Host": "evil.example.com"}).status_code == 400
    assert InboundCall.objects.count() == 0


@pytest.mark.parametrize("sealed", ["nonsense", sealing.seal({"secret": "whsec_not base64!"})])
def test_what_we_cannot_verify_now_is_to_be_sent_again(sealed, caplog):
    make_connection(hook="abc", sealed=sealed)
    answer = post()
    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable"})
    assert InboundCall.objects.count() == 0


def test_a_kind_that_sends_nothing_takes_nothing(monkeypatch):
    monkeypatch.delattr("leads.connectors.standard_webhooks.StandardWebhooks.identify")
    make_connection(hook="abc")
    assert post().status_code == 503


def test_the_secret_part_of_the_address_is_kept_as_a_digest_only():
    there = make_connection(hook="abc")
    assert there.hook_digest == digest("abc") != "abc"
    kept = " ".join(str(value) for value in Connection.objects.values().get(pk=there.pk).values())
    assert "abc" not in kept.split()


@pytest.mark.parametrize("number", [1, 3])
def test_queries_are_the_same_whatever_was_stored_before(number, django_assert_num_queries):
    make_connection(hook="abc")
    for before in range(number):
        post(headers=signed(identity=f"before_{before}"))
    client, headers = Client(), signed()
    # Whose address it is; the call, with its savepoint; when the last one came.
    with django_assert_num_queries(5):
        assert client.post("/hooks/abc/", BODY, "application/json", headers=headers).status_code == 200
