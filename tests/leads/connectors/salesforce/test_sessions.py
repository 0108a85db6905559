"""Signing in: both grants, the assertion, the key, and where the session is for."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import structlog
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from leads.connectors.base import Denied
from leads.connectors.client import Unreachable
from leads.connectors.salesforce import sessions
from tests.conftest import NOW
from tests.doubles import keys, rs256
from tests.doubles.salesforce.org import CONSUMER_KEY, USERNAME
from tests.leads.connectors.salesforce.conftest import APP, JWT, Side


def test_the_assertion_says_who_to_whom_and_how_long() -> None:
    token = sessions.assertion(JWT, sessions.SANDBOX, NOW)
    claims = rs256.read(token, rs256.public_key(keys.PUBLIC))
    assert claims == {
        "iss": CONSUMER_KEY,
        "sub": USERNAME,
        "aud": "https://test.salesforce.com",
        "exp": int(NOW.timestamp()) + 180,
    }
    head = token.split(".")[0]
    assert json.loads(base64.urlsafe_b64decode(head + "==")) == {"alg": "RS256", "typ": "JWT"}
    assert "=" not in token


def test_its_signature_is_anothers_too() -> None:
    """Held against OpenSSL's own over the same text with the same key."""
    made = sessions.private_key(keys.PRIVATE).sign(keys.SIGNED, padding.PKCS1v15(), hashes.SHA256())
    assert base64.b64encode(made).decode() == keys.SIGNATURE


@pytest.mark.parametrize(
    "changed",
    [
        lambda pem: pem.replace("\n", " "),
        lambda pem: pem.replace("\n", ""),
        lambda pem: pem.replace("\n", "\\n"),
        lambda pem: pem.replace("\n", "\r\n"),
        lambda pem: f"  {pem}  ",
    ],
)
def test_a_key_survives_a_form_of_one_line(changed: Any) -> None:
    assert sessions.private_key(changed(keys.PRIVATE)).key_size == 2048


def test_a_key_of_the_newer_form_is_taken() -> None:
    pem = sessions.private_key(keys.PRIVATE).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert sessions.private_key(pem.decode()).key_size == 2048


def other_keys() -> list[tuple[str, str]]:
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    curve = ec.generate_private_key(ec.SECP256R1()).private_bytes(*plain, serialization.NoEncryption())
    closed = rsa.generate_private_key(65537, 2048).private_bytes(
        *plain, serialization.BestAvailableEncryption(b"secret")
    )
    return [
        ("-----BEGIN NOTHING-----\nthis is no key of anybody\n", "no PEM"),
        ("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----", "can't be read"),
        (keys.PUBLIC, "can't be read"),
        (curve.decode(), "not an RSA key"),
        (closed.decode(), "can't be read"),
    ]


@pytest.mark.parametrize(("pem", "words"), other_keys())
def test_what_is_no_key_is_said_and_not_shown(pem: str, words: str) -> None:
    with pytest.raises(Denied) as found:
        sessions.private_key(pem)
    assert words in str(found.value)
    assert pem[30:60] not in str(found.value)


def test_an_assertion_opens_a_session(connect: Any) -> None:
    side: Side = connect(secrets=JWT)
    side.outer.clock.offset = 0
    side.there.configure(public_key=keys.PUBLIC)
    assert side.it.api.get("/limits")["DailyApiRequests"]["Max"] == 100_000
    [entry] = side.outer.log.of("salesforce", "/oauth2/token")
    assert b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer" in entry.request


def test_client_credentials_go_as_basic_and_not_in_the_body(side: Side) -> None:
    side.it.api.get("/limits")
    [entry] = side.outer.log.of("salesforce", "/oauth2/token")
    assert entry.request == b"grant_type=client_credentials"
    pair = base64.b64decode(entry.headers["authorization"].removeprefix("Basic ")).decode()
    assert pair == "salesforce-key:salesforce-secret"


def test_without_a_base_address_it_signs_in_at_the_vendors(connect: Any) -> None:
    side: Side = connect(audience=sessions.SANDBOX)
    assert side.it.api._login == ""
    side.connection.base_url = ""
    again = type(side.it)(side.connection, side.it.http)
    assert again.api._login == "https://test.salesforce.com"


@pytest.mark.parametrize(
    ("secrets", "words"),
    [
        (APP | {"client_secret": "another"}, "answers invalid_client"),
        (JWT | {"username": "nobody@salesforce.example"}, "answers invalid_grant"),
        (JWT | {"private_key": "-----"}, "no PEM"),
        ({}, "answers invalid_client"),
    ],
)
def test_credentials_that_are_refused_are_never_repeated(
    connect: Any, secrets: dict[str, str], words: str
) -> None:
    side: Side = connect(secrets=secrets)
    side.outer.clock.offset = 0
    with structlog.testing.capture_logs() as logs, pytest.raises(Denied) as found:
        side.it.api.get("/limits")
    assert words in str(found.value)
    told = str(found.value) + str(logs)
    assert not [value for value in secrets.values() if len(value) > 5 and value in told]
    assert side.paths() == []


def test_no_answer_is_no_refusal(side: Side) -> None:
    side.outer.fault(system="salesforce", match="oauth2/token", status=503)
    with pytest.raises(Unreachable) as found:
        side.it.api.get("/limits")
    assert not isinstance(found.value, Denied)


@pytest.mark.parametrize(
    "instance",
    ["http://169.254.169.254", "http://10.0.0.1/x", "https://localhost:22", "file:///etc/passwd", "", "//x"],
)
def test_an_instance_inside_our_network_is_never_called(side: Side, instance: str) -> None:
    body = {"access_token": "x", "instance_url": instance}
    side.outer.fault(system="salesforce", match="oauth2/token", status=200, body=body)
    with pytest.raises(Denied) as found:
        side.it.api.get("/limits")
    assert "may not be called" in str(found.value)
    assert side.paths() == []
