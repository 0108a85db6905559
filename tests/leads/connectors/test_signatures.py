"""Signatures: the published vectors pass, and nothing else does."""

from __future__ import annotations

import ast
import hashlib
import hmac
import inspect
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.connectors import signatures
from leads.connectors.signatures import Refused

# Standard Webhooks: libraries/python/tests/test_webhooks.py.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, STAMP, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}'
GOOD = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
AT = datetime.fromtimestamp(int(STAMP), tz=UTC)
# The same number in Arabic digits.
ARABIC = STAMP.translate({48 + digit: 0x660 + digit for digit in range(10)})
OTHER = "Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
# HubSpot: hubspot-api-python tests/spec/utils/test_signature.py and the FAQ on v1.
HUBSPOT, URL = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy", "https://www.example.com/webhook_uri"
HUBSPOT_BODY, HUBSPOT_STAMP = b"{'example_field':'example_value'}", "1693657560000"
HUBSPOT_V3 = "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="
HUBSPOT_AT = datetime.fromtimestamp(1693657560, tz=UTC)
# Mautic: computed by PHP's rule, base64_encode(hash_hmac("sha256", body, secret, true)).
MAUTIC_BODY = (
    b'{"mautic.lead_points_change":[{"contact":{"id":15,"points":5},"points":{"old_points":0,"new_points":5},'
    b'"timestamp":"2017-06-13T11:27:07+00:00"}]}'
)
MAUTIC = "uxZmdH/RSLal1er0jFH4zJCAvZRr/94iE+XFovIJgvE="


def verify(body=BODY, now=AT, keys=(SECRET,), **changes):
    headers = {"webhook-id": ID, "webhook-timestamp": STAMP, "webhook-signature": GOOD}
    headers |= {f"webhook-{name}": value for name, value in changes.items()}
    sent = {name: value for name, value in headers.items() if value is not None}
    return signatures.verify(keys, sent, body, now)


def mutations(text: bytes) -> list[bytes]:
    """Every single byte changed in its lowest and its highest bit, left out, and doubled."""
    found = []
    for place in range(len(text)):
        for bit in (1, 0x80):
            found.append(text[:place] + bytes([text[place] ^ bit]) + text[place + 1 :])
        found.append(text[:place] + text[place + 1 :])
        found.append(text[: place + 1] + text[place:])
    return [one for one in found if one != text]


def test_the_published_vector():
    assert signatures.sign(SECRET, ID, AT, BODY) == GOOD
    assert verify() == ID
    assert signatures.headers([SECRET], ID, AT, BODY) == {
        "webhook-id": ID, "webhook-timestamp": STAMP, "webhook-signature": GOOD,
    }  # fmt: skip


def test_the_published_negative_vector():
    with pytest.raises(Refused):
        verify(signature="v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA=")


def test_one_of_several_is_enough():
    assert verify(signature=f"v1,{OTHER} v2,{OTHER} {GOOD} v1,{OTHER}") == ID


@pytest.mark.parametrize(
    "signature",
    [
        "", "v1", "v1,", ",", GOOD[3:], f"v2,{GOOD[3:]}", f"v1a,{GOOD[3:]}", GOOD.rstrip("="), GOOD[:-2],
        f"V1,{GOOD[3:]}", f"v1 ,{GOOD[3:]}", f"v1,{GOOD[3:]},x", "v1,?",
    ],
)  # fmt: skip
def test_what_is_no_signature(signature):
    with pytest.raises(Refused):
        verify(signature=signature)


@pytest.mark.parametrize("name", ["id", "timestamp", "signature"])
def test_each_header_is_needed(name):
    with pytest.raises(Refused, match="are needed"):
        verify(**{name: None})


@pytest.mark.parametrize("stamp", ["hello", "-1614265330", "1614265330.0", "1e9", ARABIC, "9" * 40])
def test_a_timestamp_is_a_number_of_seconds(stamp):
    with pytest.raises(Refused, match="timestamp"):
        verify(timestamp=stamp)


def test_five_minutes_either_way():
    for seconds in (-300, 300):
        assert verify(now=AT + timedelta(seconds=seconds)) == ID
    for seconds in (-301, 301):
        with pytest.raises(Refused, match="too far"):
            verify(now=AT + timedelta(seconds=seconds))


def test_the_librarys_edge_cases_of_secrets():
    for empty in ("", "whsec_", "  "):
        with pytest.raises(ValueError):
            signatures.secret_bytes(empty)
    with pytest.raises(ValueError):
        signatures.secret_bytes("whsec_not base64!")
    bare = SECRET.removeprefix("whsec_")
    assert signatures.secret_bytes(SECRET) == signatures.secret_bytes(bare)
    assert signatures.secret_bytes("whsec_YWJj") == b"abc" == signatures.secret_bytes("YWJj")
    # Unpadded, as some write it.
    assert signatures.secret_bytes("whsec_YWJjZA") == b"abcd" == signatures.secret_bytes("whsec_YWJjZA==")


def test_a_new_secret_is_one_and_never_the_same():
    made = {signatures.new_secret() for _ in range(50)}
    assert len(made) == 50
    assert {len(signatures.secret_bytes(one)) for one in made} == {32}


def test_while_a_secret_is_changed_both_sign_and_both_are_taken():
    former, present = signatures.new_secret(), SECRET
    made = signatures.headers([present, former], ID, AT, BODY)
    for key in (former, present):
        assert signatures.verify([key], made, BODY, AT) == ID
    assert verify(keys=[former, present]) == ID
    with pytest.raises(Refused):
        verify(keys=[former])
    with pytest.raises(Refused):
        verify(keys=[])


def test_every_mutated_byte_of_the_body_fails():
    for body in mutations(BODY):
        with pytest.raises(Refused):
            verify(body=body)


@pytest.mark.parametrize(("name", "value"), [("id", ID), ("timestamp", STAMP), ("signature", GOOD)])
def test_every_mutated_byte_of_a_header_fails(name, value):
    """Within the tolerance too: the time is signed as it was sent."""
    for changed in mutations(value.encode()):
        for now in (AT, datetime.fromtimestamp(0, tz=UTC)):
            with pytest.raises(Refused):
                verify(now=now, **{name: changed.decode("latin-1")})


def test_a_time_near_by_or_otherwise_written_is_not_the_one_that_was_signed():
    for stamp in ("1614265331", "1614265329", "01614265330"):
        with pytest.raises(Refused, match="does not fit"):
            verify(timestamp=stamp)


@given(st.binary(max_size=200), st.binary(min_size=24, max_size=64), st.integers(0, 4 * 10**9))
def test_what_is_signed_is_verified_whatever_it_is(body, key, seconds):
    at = datetime.fromtimestamp(seconds, tz=UTC)
    secret = "whsec_" + signatures.base64.b64encode(key).decode()
    made = signatures.headers([secret], "msg_1", at, body)
    assert signatures.verify([secret], made, body, at) == "msg_1"
    with pytest.raises(Refused):
        signatures.verify([secret], made, body + b" ", at)


@given(st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text()))
def test_whatever_comes_is_refused_and_never_stumbled_over(headers):
    with pytest.raises(Refused):
        signatures.verify([SECRET], headers, BODY, AT)


def test_the_published_hubspot_vectors():
    v1 = signatures.hubspot_v1(HUBSPOT, HUBSPOT_BODY)
    assert v1 == "69fc6631a867edd4f9e9e627fc5c1148e3fbdd8b21837b6d2b8901c1fa57f750"
    v2 = signatures.hubspot_v2(HUBSPOT, "POST", URL, HUBSPOT_BODY)
    assert v2 == "4fe4e3a7d3cf09db53be39d0a58130e2aaba074ec123a9e355b876a689a1c383"
    empty = signatures.hubspot_v2(HUBSPOT, "GET", URL, b"")
    assert empty == "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e"
    assert signatures.hubspot_v3(HUBSPOT, "POST", URL, HUBSPOT_BODY, HUBSPOT_STAMP) == HUBSPOT_V3


# The array of the FAQ on v1 requests, with the secret that stands there.
HUBSPOT_EVENTS = (
    b'[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,'
    b'"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM",'
    b'"changeFlag":"NEW","appId":54321}]'
)


def test_the_published_hubspot_array():
    digest = "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de"
    assert signatures.hubspot_v1(HUBSPOT, HUBSPOT_EVENTS) == digest


def hubspot(body=HUBSPOT_BODY, method="POST", url=URL, now=HUBSPOT_AT, takes_v1=False, **headers):
    given = {"x-hubspot-signature-v3": HUBSPOT_V3, "x-hubspot-request-timestamp": HUBSPOT_STAMP}
    given |= {f"x-hubspot-{name.replace('_', '-')}": value for name, value in headers.items()}
    signatures.verify_hubspot(HUBSPOT, given, method, url, body, now, takes_v1=takes_v1)


def test_hubspot_v3_is_taken_within_five_minutes_either_way():
    for seconds in (-300, 0, 300):
        hubspot(now=HUBSPOT_AT + timedelta(seconds=seconds))
    for seconds in (-301, 301):
        with pytest.raises(Refused, match="too far"):
            hubspot(now=HUBSPOT_AT + timedelta(seconds=seconds))


def test_hubspot_v3_signs_method_address_body_and_time():
    for wrong in (
        {"method": "PUT"}, {"url": URL + "/"}, {"url": URL + "?a=1"}, {"body": HUBSPOT_BODY + b" "},
        {"request_timestamp": "1693657560001"}, {"request_timestamp": "x"}, {"request_timestamp": ""},
    ):  # fmt: skip
        with pytest.raises(Refused):
            hubspot(**wrong)


def test_every_mutated_byte_of_what_hubspot_signs_fails():
    for body in mutations(HUBSPOT_BODY):
        with pytest.raises(Refused):
            hubspot(body=body)
    for name, value in (("signature_v3", HUBSPOT_V3), ("request_timestamp", HUBSPOT_STAMP)):
        for changed in mutations(value.encode()):
            with pytest.raises(Refused):
                hubspot(**{name: changed.decode("latin-1")})


def test_hubspot_decodes_only_what_it_says_it_decodes():
    coded = "https://www.example.com/a%3Fb%2fc%20d"
    plain = "https://www.example.com/a?b/c%20d"
    made = [signatures.hubspot_v3(HUBSPOT, "POST", url, b"", "1") for url in (coded, plain)]
    assert made[0] == made[1]
    assert made[0] != signatures.hubspot_v3(HUBSPOT, "POST", plain.replace("%20", " "), b"", "1")


def test_hubspot_v1_only_where_it_is_taken_on_purpose():
    v1 = signatures.hubspot_v1(HUBSPOT, HUBSPOT_BODY)
    old = {"signature_v3": "", "signature": v1, "signature_version": "v1"}
    hubspot(takes_v1=True, **old)
    for wrong in (
        {"takes_v1": False}, {"takes_v1": True, "signature_version": "v2"},
        {"takes_v1": True, "signature": v1[:-1] + "1"}, {"takes_v1": True, "body": b"{}"},
    ):  # fmt: skip
        with pytest.raises(Refused):
            hubspot(**(old | wrong))
    # Who sends v3 is held to it.
    with pytest.raises(Refused):
        hubspot(takes_v1=True, **(old | {"signature_v3": "x"}))


def test_mautics_signature():
    assert signatures.mautic("mySecret", MAUTIC_BODY) == MAUTIC
    signatures.verify_mautic("mySecret", MAUTIC, MAUTIC_BODY)
    for body in mutations(MAUTIC_BODY):
        with pytest.raises(Refused):
            signatures.verify_mautic("mySecret", MAUTIC, body)
    for changed in [*mutations(MAUTIC.encode()), b""]:
        with pytest.raises(Refused):
            signatures.verify_mautic("mySecret", changed.decode("latin-1"), MAUTIC_BODY)
    with pytest.raises(Refused):
        signatures.verify_mautic("mySecrets", MAUTIC, MAUTIC_BODY)


EVENT = b'{"type":"track","event":"Demo \\u00e9","messageId":"m-1","batch":[1]}'


@pytest.mark.parametrize(
    "body",
    [EVENT, b" [ " + EVENT + b" ]", b"[" + EVENT + b", {}]", b'{"sentAt":"x", "batch" : [' + EVENT + b",3]}"],
    ids=["one", "list", "list of two", "batch"],
)
def test_segments_signature_of_one_event_and_of_a_batchs_first(body):
    """Recomputed with the standard library, as Segment's documentation does it."""
    made = hmac.new(b"shared", EVENT, hashlib.sha1).hexdigest()
    signatures.verify_segment("shared", {"x-signature": made.upper()}, body)
    for changed in mutations(made.encode()):
        with pytest.raises(Refused):
            signatures.verify_segment("shared", {"x-signature": changed.decode("latin-1")}, body)
    for wrong in ({}, {"x-signature": ""}):
        with pytest.raises(Refused):
            signatures.verify_segment("shared", wrong, body)
    start = body.index(EVENT)
    for place in range(start, start + len(EVENT)):
        spoilt = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        with pytest.raises(Refused):
            signatures.verify_segment("shared", {"x-signature": made}, spoilt)


@pytest.mark.parametrize("body", [b"", b"[", b"[[[", b"[" * 100_000, b'{"batch":[', b"{}", b"5", b"\xff["])
def test_what_is_no_batch_has_no_first_event(body):
    assert signatures.first_of(body) == b""
    with pytest.raises(Refused):
        signatures.verify_segment("shared", {"x-signature": "0" * 40}, body)


def test_whatever_is_compared_is_compared_in_constant_time():
    """Read off the source: in each verifier what comes from outside meets ours in `hmac.compare_digest` and
    in no == or in; lengths, names and times are no secrets."""
    module = ast.parse(inspect.getsource(signatures))
    verifiers = [
        node for node in module.body if isinstance(node, ast.FunctionDef) and node.name.startswith("verify")
    ]
    assert {node.name for node in verifiers} == {
        "verify", "verify_mautic", "verify_hubspot", "verify_segment",
    }  # fmt: skip
    for function in verifiers:
        calls = [ast.unparse(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)]
        assert "hmac.compare_digest" in calls, function.name
        secret = {"wanted", "one", "value", "newest", "signature", "secret", "keys"}
        for node in ast.walk(function):
            if isinstance(node, ast.Compare):
                names = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
                assert not names & secret, f"{function.name}: {ast.unparse(node)}"
