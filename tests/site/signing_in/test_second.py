"""A second step: set up, asked for after the password, lost, taken away, required."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from axes.models import AccessAttempt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from django.core.management import call_command
from django.db import OperationalError
from django.test import Client
from fido2.cose import ES256
from fido2.utils import sha256
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData

from handoff_site import lockout
from handoff_site.signing_in import configured, second
from leads import access_log
from leads.models import AccessEntry
from routing.models import Session, User
from routing.people import MARKETING
from tests.conftest import NOW, PASSWORD, Cast
from tests.factories import make_handoff

SignIn = Callable[[User], Client]
KEPT = r'name="kept" value="([^"]+)"'
STEP, APP = "/login/second/", "/profile/sign-in/app/"


def code(secret: str) -> str:
    """What an app shows now."""
    counter = list(totp.yield_hotp_counters_from_time())[1]
    return totp.format_hotp_value(totp.hotp_value(secret, counter))


def is_in(client: Client) -> bool:
    return client.get("/help/").status_code == 200


def by_password(user: User, **sent: str) -> tuple[Client, Any]:
    client = Client()
    return client, client.post("/login/", {"username": user.email, "password": PASSWORD, **sent})


def set_up(client: Client) -> tuple[str, list[str]]:
    """An app for whoever is signed in: its secret, and the codes on paper."""
    page = client.get(APP).content.decode()
    secret = re.search(r'<code class="words">([A-Z2-7 ]+)</code>', page)[1].replace(" ", "")
    answer = client.post(APP, {"code": code(secret)})
    assert answer.status_code == 200
    return secret, re.findall(r"<code>(\d{4}-\d{4})</code>", answer.content.decode())


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOW, tick=False) as travelled:
        yield travelled


def test_an_app_is_set_up_and_asked_for(cast: Cast, as_: SignIn, clock: Any) -> None:
    otto = as_(cast.otto)
    assert otto.get(APP).status_code == 200
    wrong = otto.post(APP, {"code": "000000"})
    assert (wrong.status_code, "not the code" in wrong.content.decode()) == (422, True)
    assert not second.has(cast.otto)
    secret, paper = set_up(otto)
    assert len(set(paper)) == 10
    kept = Authenticator.objects.get(user=cast.otto, type="totp").data
    assert secret not in str(kept)
    assert otto.get(APP)["Location"] == "/profile/sign-in/"
    assert paper[0] not in otto.get("/profile/sign-in/").content.decode()
    # The code that set it up is not looked at anew by another browser at once; the next one is taken, once.
    clock.shift(timedelta(seconds=90))
    client, answer = by_password(cast.otto, next="/triage/")
    assert (answer["Location"], is_in(client)) == (STEP, False)
    assert client.get(STEP).status_code == 200
    shown = code(secret)
    assert client.post(STEP, {"code": f"{shown[:3]} {shown[3:]}"})["Location"] == "/triage/"
    assert is_in(client)
    told = AccessEntry.objects.filter(kind="signed_in").latest("pk").detail
    assert told["proof"] == "password and second step"
    replayed, _ = by_password(cast.otto)
    assert replayed.post(STEP, {"code": shown}).status_code == 422
    assert not is_in(replayed)
    # On paper: each once.
    for expected in (302, 422):
        third, _ = by_password(cast.otto)
        assert third.post(STEP, {"code": paper[3]}).status_code == expected
    assert "9 left" in otto.get("/profile/sign-in/").content.decode()


def test_passkeys_are_not_asked_for_without_end(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    """Each browser that keeps no session begins another one; one that keeps it has one."""
    monkeypatch.setattr(lockout, "MOST_BY_ADDRESS", 3)
    own = Client()
    asked = [client.get("/login/passkey/").status_code for client in (own, own, own, own)]
    assert (asked, Session.objects.count()) == ([200] * 4, 1)
    forged = Client()
    asked = []
    for number in range(5):
        forged.cookies["sessionid"] = f"{number}" * 32
        asked.append(forged.get("/login/passkey/").status_code)
    assert (asked, Session.objects.count()) == ([200, 200, 429, 429, 429], 3)
    clock.shift(timedelta(seconds=48))
    refused = Client().get("/login/passkey/")
    assert (refused.status_code, refused["Retry-After"]) == (429, "12")
    assert refused.json() == {"detail": lockout.wait(12)}
    assert Client().get("/login/passkey/", REMOTE_ADDR="198.51.100.9").status_code == 200
    assert own.get("/login/passkey/").status_code == 200
    clock.shift(timedelta(seconds=12))
    assert Client().get("/login/passkey/").status_code == 200


def test_a_known_browser_is_kept_out_by_nobody_at_its_address(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    monkeypatch.setattr(lockout, "MOST_BY_ADDRESS", 1)
    monkeypatch.setattr(lockout, "MOST_BY_BROWSER", 2)
    own, _ = by_password(cast.mia)
    own.post("/logout/")
    assert [Client().get("/login/passkey/").status_code for _ in range(3)] == [200, 429, 429]
    asked = []
    for _ in range(4):
        asked.append(own.get("/login/passkey/").status_code)
        own.cookies.pop("sessionid", None)
    # By itself it does not begin without end either, nor does a name that it made up.
    assert asked == [200, 200, 429, 429]
    own.cookies[lockout.COOKIE] = own.cookies[lockout.COOKIE].value[:-2] + "xx"
    assert own.get("/login/passkey/").status_code == 429


def test_a_session_that_waits_ends_within_the_hour_and_one_that_is_in_does_not(
    cast: Cast, clock: Any
) -> None:
    own = Client()
    own.get("/login/passkey/")
    assert Session.objects.get().expire_date == NOW + timedelta(hours=1)
    own.post("/login/", {"username": cast.mia.email, "password": PASSWORD})
    assert is_in(own)
    assert Session.objects.get(user=cast.mia).expire_date == NOW + timedelta(weeks=2)


def test_nothing_is_open_half_way(cast: Cast, as_: SignIn, clock: Any) -> None:
    secret, _ = set_up(as_(cast.otto))
    clock.shift(timedelta(seconds=90))
    assert Client().get(STEP)["Location"] == "/login/"
    assert Client().post(STEP, {"code": code(secret)})["Location"] == "/login/"
    client, _ = by_password(cast.otto)
    assert not is_in(client)
    assert client.get("/profile/sign-in/").status_code == 302
    # Five wrong codes ask for the password again; guessing codes is guessing passwords.
    assert [client.post(STEP, {"code": f"00000{n}"}).status_code for n in range(5)] == [422] * 4 + [302]
    assert client.post(STEP, {"code": code(secret)})["Location"] == "/login/"
    again, _ = by_password(cast.otto)
    assert [again.post(STEP, {"code": f"00000{n}"}).status_code for n in range(4)] == [422] * 2 + [429] * 2
    clock.shift(timedelta(minutes=20))
    late, _ = by_password(cast.otto)
    clock.shift(timedelta(minutes=11))
    assert late.post(STEP, {"code": code(secret)})["Location"] == "/login/"
    # Who was switched off meanwhile is out.
    off, _ = by_password(cast.otto)
    User.objects.filter(pk=cast.otto.pk).update(is_active=False)
    assert off.post(STEP, {"code": code(secret)})["Location"] == "/login/"
    assert Client().post("/login/passkey/", {"credential": "{}"}).status_code == 403
    assert Client(enforce_csrf_checks=True).post("/login/passkey/").status_code == 403


@pytest.mark.parametrize("told", ["[" * 20_000, "no_extension", "cut"])
def test_an_answer_that_nobody_can_read_is_nobodys(cast: Cast, as_: SignIn, told: str) -> None:
    """Whoever asks may send anything: more brackets than can be read, bytes that end before they should."""
    own = Client()
    own.get("/login/passkey/")
    data = b"\0" * 32 + b"\x81" + b"\0" * 4 if told == "no_extension" else b"\0" * 32 + b"\x41"
    response = {
        "clientDataJSON": _coded(b'{"type": "webauthn.get", "challenge": "eA", "origin": "https://x.example"}'),
        "authenticatorData": _coded(data), "signature": _coded(b"x"), "userHandle": _coded(b"1"),
    }  # fmt: skip
    answer = {
        "id": "eA",
        "rawId": "eA",
        "type": "public-key",
        "response": response,
        "clientExtensionResults": {},
    }
    said = told if told.startswith("[") else json.dumps(answer)
    assert own.post("/login/passkey/", {"credential": said}).status_code == 403
    mia = as_(cast.mia)
    assert mia.post("/login/again/second/", {"credential": said}).status_code == 422
    mia.get("/profile/sign-in/passkey/")
    assert mia.post("/profile/sign-in/passkey/", {"credential": said}).status_code == 422


@pytest.mark.parametrize("odd", ["\x00", "\ud800", float("nan")])
def test_of_a_new_passkey_is_kept_what_is_read_again(
    cast: Cast, as_: SignIn, settings: Any, odd: Any
) -> None:
    """Beside it a browser may send what no database keeps as JSON."""
    settings.PUBLIC_URL = "https://handoff.example.com"
    mia = as_(cast.mia)
    mia.get("/profile/sign-in/passkey/")
    key = ES256.from_cryptography_key(generate_private_key(SECP256R1()).public_key())
    attested = AttestedCredentialData.create(b"\0" * 16, b"mine", key)
    data = AuthenticatorData.create(sha256(b"handoff.example.com"), 0x45, 0, attested)
    about = {
        "type": "webauthn.create",
        "challenge": mia.session["mfa.webauthn.state"]["challenge"],
        "origin": settings.PUBLIC_URL,
    }
    answer = {
        "id": _coded(b"mine"),
        "rawId": _coded(b"mine"),
        "type": "public-key",
        "response": {
            "clientDataJSON": _coded(json.dumps(about).encode()),
            "attestationObject": _coded(AttestationObject.create("none", data, {})),
        },
        "clientExtensionResults": {"credProps": {"rk": True}, "more": odd},
        "more": odd,
    }
    sent = {"name": "Phone\x00", "credential": json.dumps(answer)}
    assert mia.post("/profile/sign-in/passkey/", sent).status_code == 200
    [row] = second.rows(cast.mia).filter(type=Authenticator.Type.WEBAUTHN)
    assert row.wrap().authenticator_data.credential_data == attested


def _coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def test_who_knows_the_password_guesses_twenty_codes_an_hour(
    cast: Cast, as_: SignIn, clock: Any, settings: Any
) -> None:
    settings.AXES_FAILURE_LIMIT = 1000
    secret, _ = set_up(as_(cast.otto))
    clock.shift(timedelta(seconds=90))
    for _ in range(4):
        client, _ = by_password(cast.otto)
        for number in range(5):
            client.post(STEP, {"code": f"00000{number}"})
    client, _ = by_password(cast.otto)
    assert client.post(STEP, {"code": code(secret)}).status_code == 422
    clock.shift(timedelta(minutes=61))
    client, _ = by_password(cast.otto)
    assert client.post(STEP, {"code": code(secret)}).status_code == 302


def test_it_is_taken_away_by_oneself_and_by_an_admin(cast: Cast, as_: SignIn, clock: Any) -> None:
    otto, ada = as_(cast.otto), as_(cast.ada)
    set_up(otto)
    row = Authenticator.objects.get(user=cast.otto, type="totp")
    path = f"/profile/sign-in/{row.pk}/take-away/"
    assert otto.get(path).status_code == 405
    assert as_(cast.femke).post(path).status_code == 404
    assert otto.post("/profile/sign-in/paper/").content.decode().count("<li><code>") == 10
    assert otto.post(path).status_code == 302
    assert not Authenticator.objects.exists()
    assert otto.post(path).status_code == 404
    assert otto.post("/profile/sign-in/paper/").status_code == 404
    set_up(otto)
    reset = f"/people/{cast.otto.pk}/sign-in/second/reset/"
    for outsider in (cast.mia, cast.otto, cast.femke):
        assert as_(outsider).post(reset).status_code == 404
    assert ada.post(reset).status_code == 302
    assert not Authenticator.objects.exists()
    assert not Session.objects.filter(user=cast.otto).exists()
    assert is_in(by_password(cast.otto)[0])
    assert ada.post(reset).status_code == 302
    # All of it wants a fresh proof.
    fresh = as_(cast.otto)
    clock.shift(timedelta(minutes=16))
    for page in (APP, "/profile/sign-in/passkey/"):
        assert fresh.get(page)["Location"].startswith("/login/again/")


def test_roles_that_must_have_one(cast: Cast, settings: Any, clock: Any) -> None:
    settings.REQUIRE_MFA = frozenset({MARKETING})
    client, answer = by_password(cast.otto)
    assert answer["Location"] == "/profile/sign-in/"
    assert "wants a second step" in client.get("/profile/sign-in/").content.decode()
    for closed in ("/help/", "/leads/", "/admin/"):
        assert client.get(closed)["Location"] == "/profile/sign-in/"
    set_up(client)
    assert is_in(client)
    assert is_in(by_password(cast.mia)[0])


def test_the_roles_come_out_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUIRE_MFA", "Admin, marketing")
    assert configured.required() == {"admin", MARKETING}
    monkeypatch.setenv("REQUIRE_MFA", "boss")
    with pytest.raises(Exception, match="REQUIRE_MFA names 'boss'"):
        configured.required()


def test_secrets_are_sealed_anew(cast: Cast, as_: SignIn, settings: Any, clock: Any) -> None:
    secret, _ = set_up(as_(cast.otto))
    before = {row.pk: row.data for row in Authenticator.objects.all()}
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-one-of-the-tests-that-is-long-enough"
    call_command("reseal", stdout=StringIO())
    settings.SECRET_KEY_FALLBACKS = []
    assert all(row.data != before[row.pk] for row in Authenticator.objects.all())
    clock.shift(timedelta(seconds=90))
    client, _ = by_password(cast.otto)
    assert client.post(STEP, {"code": code(secret)}).status_code == 302


def test_a_form_that_lost_its_session_comes_along(cast: Cast, as_: SignIn, clock: Any) -> None:
    secret, _ = set_up(as_(cast.femke))
    mine = make_handoff("assigned", cast.femke)
    clock.shift(timedelta(seconds=90))
    client = Client()
    asked = client.post(f"/handoffs/{mine.pk}/note/", {"note": "Called her"}).content.decode()
    sent = {"username": cast.femke.email, "password": PASSWORD, "kept": re.search(KEPT, asked)[1]}
    assert client.post("/login/", sent)["Location"] == STEP
    page = client.post(STEP, {"code": code(secret)})
    assert page.status_code == 200
    assert f'action="/handoffs/{mine.pk}/note/"' in page.content.decode()


def test_what_is_guessed_is_in_the_access_log_by_whose_it_was(cast: Cast, as_: SignIn, clock: Any) -> None:
    set_up(as_(cast.otto))
    clock.shift(timedelta(seconds=90))
    client, _ = by_password(cast.otto)
    before = AccessEntry.objects.count()
    for number in range(4):
        client.post(STEP, {"code": f"00000{number}", "username": cast.mia.email})
    client, _ = by_password(cast.otto)
    said = [
        client.post(STEP, {"code": f"00000{n}", "username": cast.mia.email}).status_code for n in range(4)
    ]
    assert said == [422] * 3 + [429]
    entries = AccessEntry.objects.order_by("pk")[before:].values_list("kind", "about_id", "detail")
    otto, wrong = str(cast.otto.pk), {"proof": "second step"}
    assert list(entries) == [("sign_in_failed", otto, wrong)] * 8 + [("locked_out", otto, {})]
    kept = str(list(AccessAttempt.objects.values()))
    assert "00000" not in kept


def test_who_must_have_one_and_takes_it_away_sets_up_another(
    cast: Cast, as_: SignIn, settings: Any, clock: Any
) -> None:
    settings.REQUIRE_MFA = frozenset({MARKETING})
    client, _ = by_password(cast.otto)
    set_up(client)
    row = Authenticator.objects.get(user=cast.otto, type="totp")
    assert client.post(f"/profile/sign-in/{row.pk}/take-away/").status_code == 302
    assert client.get("/help/")["Location"] == "/profile/sign-in/"
    set_up(client)
    assert is_in(client)


def test_who_has_no_password_makes_no_way_in_past_the_provider(cast: Cast) -> None:
    cast.otto.set_unusable_password()
    cast.otto.save()
    otto = Client()
    otto.force_login(cast.otto, backend="handoff_site.sessions.Backend")
    for page in (APP, "/profile/sign-in/passkey/"):
        assert otto.get(page).status_code == 404


def test_what_is_done_and_what_is_written_of_it_are_one(
    cast: Cast, as_: SignIn, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    otto, ada = as_(cast.otto), as_(cast.ada)
    set_up(otto)
    row = Authenticator.objects.get(user=cast.otto, type="totp")

    def away(*what: Any, **more: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(access_log, "record", away)
    otto.raise_request_exception = ada.raise_request_exception = False
    for who, path in (
        (otto, f"/profile/sign-in/{row.pk}/take-away/"),
        (ada, f"/people/{cast.otto.pk}/sign-in/second/reset/"),
        (ada, f"/people/{cast.otto.pk}/sign-in/end/"),
    ):
        assert who.post(path).status_code == 503
    assert second.has(cast.otto)
    assert is_in(otto)
