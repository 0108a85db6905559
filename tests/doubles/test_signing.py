"""The published vectors come out of the doubles' own signing functions."""

import base64

import pytest

from tests.doubles import keys, rs256, signing

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
GOOD = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
HUBSPOT = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
HUBSPOT_BODY, URI = b"{'example_field':'example_value'}", "https://www.example.com/webhook_uri"


def given(signature: str = GOOD, at: int = AT, message: str = MESSAGE) -> dict[str, str]:
    return {"webhook-id": message, "webhook-timestamp": str(at), "webhook-signature": signature}


def test_standard_webhooks_signs_as_published() -> None:
    assert signing.standard(SECRET, MESSAGE, AT, BODY) == GOOD
    assert signing.standard(SECRET.removeprefix("whsec_"), MESSAGE, AT, BODY) == GOOD


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        (given(), ""),
        (given("v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,Ceo5qEr0= " + GOOD + " v1,xxx"), ""),
        (given(GOOD.replace("J1OE=", "J1OA=")), "no signature matches"),
        (given("nonsense"), "no signature matches"),
        (given("é"), "no signature matches"),
        (given(at=AT + 1), "no signature matches"),
        (given(message="a.b"), "webhook-id contains a dot"),
        ({**given(), "webhook-timestamp": "hello"}, "webhook-timestamp is no number of seconds"),
        ({**given(), "webhook-timestamp": ""}, "webhook-timestamp is missing"),
        ({"webhook-id": MESSAGE, "webhook-timestamp": str(AT)}, "webhook-signature is missing"),
    ],
)
def test_standard_webhooks_are_judged(headers: dict[str, str], says: str) -> None:
    assert signing.problem(SECRET, headers, BODY, AT) == says


@pytest.mark.parametrize(("away", "fits"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_the_tolerance_is_five_minutes_to_both_sides(away: int, fits: bool) -> None:
    assert (signing.problem(SECRET, given(), BODY, AT + away) == "") is fits


def test_secrets_may_lack_padding_but_not_content() -> None:
    assert signing.key_of("whsec_" + base64.b64encode(b"x" * 25).decode().rstrip("=")) == b"x" * 25
    for empty in ("", "whsec_"):
        with pytest.raises(ValueError, match="empty"):
            signing.key_of(empty)


def test_hubspot_signs_as_its_client_expects() -> None:
    v2 = signing.hubspot_v2
    assert signing.hubspot_v1(HUBSPOT, HUBSPOT_BODY) == (
        "69fc6631a867edd4f9e9e627fc5c1148e3fbdd8b21837b6d2b8901c1fa57f750"
    )
    assert v2(HUBSPOT, "POST", URI, HUBSPOT_BODY) == (
        "4fe4e3a7d3cf09db53be39d0a58130e2aaba074ec123a9e355b876a689a1c383"
    )
    assert v2(HUBSPOT, "GET", URI, b"") == "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e"
    assert signing.hubspot_v3(HUBSPOT, "POST", URI, HUBSPOT_BODY, 1693657560000) == (
        "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="
    )


def test_hubspot_decodes_only_some_of_the_uri() -> None:
    def signed(uri: str) -> str:
        return signing.hubspot_v3(HUBSPOT, "POST", uri, b"", 1)

    assert signed("https://a.example/x?y=%3a%2F%3F%40%21%24%27%28%29%2A%2C%3B") == signed(
        "https://a.example/x?y=:/?@!$'()*,;"
    )
    assert signed("https://a.example/x%20y%26%23") != signed("https://a.example/x y&#")


def test_mautic_signs_as_computed() -> None:
    body = (
        b'{"mautic.lead_points_change":[{"contact":{"id":15,"points":5},"points":{"old_points":0,"new_points":5},'
        b'"timestamp":"2017-06-13T11:27:07+00:00"}]}'
    )
    assert signing.mautic("mySecret", body) == "uxZmdH/RSLal1er0jFH4zJCAvZRr/94iE+XFovIJgvE="


def test_rs256_agrees_with_openssl() -> None:
    theirs = base64.b64decode(keys.SIGNATURE)
    key = rs256.public_key(keys.PUBLIC)
    assert rs256.sign(keys.PRIVATE, keys.SIGNED) == theirs
    assert rs256.public_key(keys.PUBLIC_PKCS1) == key
    assert rs256.verify(key, keys.SIGNED, theirs)
    assert not rs256.verify(key, b"other", theirs)
    assert not rs256.verify(key, keys.SIGNED, theirs[:-1] + bytes([theirs[-1] ^ 1]))
    assert not rs256.verify(key, keys.SIGNED, b"")


def test_an_assertion_is_read_only_with_the_right_signature() -> None:
    assertion = rs256.jwt(keys.PRIVATE, {"iss": "x"})
    key = rs256.public_key(keys.PUBLIC)
    assert rs256.read(assertion, key) == {"iss": "x"}
    header, _, signature = assertion.split(".")
    other = ".".join((header, rs256.encode(b"{}"), signature))
    with pytest.raises(ValueError, match="signature"):
        rs256.read(other, key)
    assert rs256.read(other, None) == {}
    unsigned = ".".join((rs256.encode(b'{"alg": "none"}'), rs256.encode(b"{}"), ""))
    with pytest.raises(ValueError, match="RS256"):
        rs256.read(unsigned, None)
