"""The addresses that SDKs send to: known by a write key, stored, answered in words that SDKs understand."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
from typing import Any

import pytest
import time_machine
from django.test import Client

from leads.connectors.segment import TYPES
from leads.models import InboundCall
from tests.conftest import NOW
from tests.leads.connectors.conftest import make_connection

pytestmark = pytest.mark.django_db
KEY = "write-key-1"
EVENT = {"type": "track", "messageId": "m-1", "userId": "42", "event": "Signed Up"}
SUCCESS = {"success": True}


@pytest.fixture(autouse=True)
def _now():
    with time_machine.travel(NOW, tick=False):
        yield


def basic(key: str = KEY, password: str = "") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:{password}".encode()).decode()}


def collector(**fields: Any):
    values = {"secrets": {}, "hook": KEY, "id_system": "segment"} | fields
    return make_connection("segment", **values)


def post(content: Any = EVENT, kind: str = "track", headers: dict[str, str] | None = None, **options):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Client(enforce_csrf_checks=True).post(
        f"/collect/v1/{kind}", body, "application/json",
        headers=basic() if headers is None else headers, **options,
    )  # fmt: skip


@pytest.mark.parametrize("kind", [*TYPES, "batch"])
def test_a_call_is_stored_and_nothing_is_made_of_it_yet(kind):
    there = collector()
    content = {"batch": [EVENT]} if kind == "batch" else {**EVENT, "type": kind}
    answer = post(content, kind)
    assert (answer.status_code, answer.json()) == (200, SUCCESS)
    call = InboundCall.objects.get()
    assert (call.connection, call.status, json.loads(call.body)) == (there, "waiting", content)
    assert call.identity.startswith("batch/sha256:" if kind == "batch" else f"{kind}/m-1")


def test_the_type_is_the_addresss_where_the_body_names_none():
    collector()
    post({"messageId": "m-1", "userId": "42", "event": "Signed Up"}, "track")
    assert InboundCall.objects.get().identity == "track/m-1"


def test_twice_is_once():
    collector()
    assert [post().json() for _ in range(2)] == [SUCCESS, SUCCESS]
    assert InboundCall.objects.get().repeats == 1


@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete", "options"])
def test_only_posts_are_taken_and_no_browser_of_another_site_is_let_in(method):
    collector()
    answer = getattr(Client(), method)("/collect/v1/track", headers={"Origin": "https://evil.example"})
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    "headers",
    [
        {}, basic("write-key-2"), basic(""), {"Authorization": "Basic"}, {"Authorization": "Basic %%%"},
        {"Authorization": f"Bearer {KEY}"}, {"Authorization": "Basic " + "A" * 4000},
        {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe:").decode()},
    ],
    ids=["none", "foreign", "empty", "bare", "no base64", "bearer", "long", "no text"],
)  # fmt: skip
def test_an_outsider_is_refused_with_nothing_kept(headers):
    collector()
    make_connection("webhook", hook="write-key-2")
    answer = post(headers=headers)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Basic realm="collect"')
    assert answer.json()["success"] is False and not InboundCall.objects.exists()


def test_a_collector_that_is_switched_off_is_nobodys():
    collector(is_active=False)
    assert post().status_code == 401


def test_whoever_is_signed_in_is_no_sender(as_, cast):
    """The read-only person's question: a session gives nothing here, and a sender needs none."""
    collector()
    for person in (cast.vera, cast.ada):
        assert as_(person).post("/collect/v1/track", EVENT, "application/json").status_code == 401
    assert post().status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"5", b'"text"', b"null", b"[" * 20_000])
def test_what_is_not_json_of_events_is_refused(body):
    collector()
    answer = post(body)
    assert answer.status_code == 400 and answer.json()["success"] is False
    assert not InboundCall.objects.exists()


@pytest.mark.parametrize(("kind", "most"), [("track", 32 * 1024), ("batch", 500 * 1024)])
def test_what_is_too_long_is_not_read(kind, most):
    collector()
    padded = json.dumps({"batch": []}).encode().ljust(most)
    assert post(padded, kind).status_code == 200
    assert post(padded + b" ", kind).status_code == 413
    assert post(CONTENT_LENGTH="nonsense").status_code == 413


def test_other_types_are_nowhere():
    collector()
    for kind in ("delete", "v1", "batch2"):
        assert post(kind=kind).status_code == 404


def test_what_is_packed_is_unpacked_and_no_more_of_it_than_is_taken():
    collector()

    def packed(body: bytes, encoding: str = "gzip"):
        return post(body, headers={**basic(), "Content-Encoding": encoding})

    plain = json.dumps(EVENT).encode()
    assert packed(gzip.compress(plain)).status_code == 200
    assert bytes(InboundCall.objects.get().body) == plain
    assert post(plain).json() == SUCCESS and InboundCall.objects.get().repeats == 1
    bomb = gzip.compress(b" " * 20_000_000)
    assert len(bomb) < 32 * 1024 and packed(bomb).status_code == 413
    for broken in (plain, b"", gzip.compress(plain)[:-4], gzip.compress(b"{")):
        assert packed(broken).status_code == 400
    answer = packed(plain, "br")
    assert (answer.status_code, answer.json()["message"]) == (415, "Send it as it is, or as gzip.")
    assert InboundCall.objects.count() == 1


def test_a_collector_with_a_secret_takes_signed_calls_alone():
    collector(secrets={"secret": "shared"})
    body = json.dumps(EVENT).encode()
    made = hmac.new(b"shared", body, hashlib.sha1).hexdigest()
    assert post(body).status_code == 401
    assert post(body + b" ", headers={**basic(), "X-Signature": made}).status_code == 401
    assert not InboundCall.objects.exists()
    assert post(body, headers={**basic(), "X-Signature": made}).status_code == 200


def test_what_we_cannot_verify_now_is_to_be_sent_again():
    collector(sealed="nonsense")
    assert post().status_code == 503


def test_the_address_of_a_webhook_takes_the_same_bodies():
    collector()
    answer = Client(enforce_csrf_checks=True).post(f"/hooks/{KEY}/", EVENT, "application/json")
    assert (answer.status_code, answer.json()) == (200, {"status": "stored"})
    assert post().json() == SUCCESS
    assert InboundCall.objects.get().repeats == 1, "one message, whichever way it came"


@pytest.mark.parametrize("number", [1, 3])
def test_queries_are_the_same_whatever_was_stored_before(number, django_assert_num_queries):
    collector()
    for before in range(number):
        post({**EVENT, "messageId": f"before-{before}"})
    # Whose key it is; the call, with its savepoint; when the last one came.
    with django_assert_num_queries(5):
        assert post().status_code == 200


def test_the_write_key_that_sdks_repeat_in_the_body_is_not_kept():
    long = "Zk3-write-key-of-32-characters-x"
    collector(hook=long)
    body = {"batch": [EVENT], "writeKey": long, "sentAt": "2026-03-10T10:00:00Z"}
    assert post(body, "batch", basic(long)).json() == SUCCESS
    assert post(body, "batch", basic(long)).json() == SUCCESS
    call = InboundCall.objects.get()
    assert (call.repeats, call.differing_repeats) == (1, 0)
    assert json.loads(call.body) == {**body, "writeKey": "*" * len(long)}
