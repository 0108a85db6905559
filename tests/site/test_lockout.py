"""Guessing is slowed down, and by it nobody shuts anybody else out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.hashers import MD5PasswordHasher
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from handoff_site import lockout
from handoff_site.middleware import ClientAddress
from routing.models import User
from tests.conftest import NOW, PASSWORD, Cast

HOME, AWAY = "203.0.113.7", "198.51.100.9"


def attempt(client: Client, email: str, password: str = "wrong", address: str = HOME, **meta: str) -> int:
    """0 when signed in, else the status."""
    sent = {"username": email, "password": password}
    answer = client.post("/login/", sent, REMOTE_ADDR=address, **meta)
    return 0 if answer.status_code == 302 else answer.status_code


def guess(email: str, times: int = 9, address: str = HOME, **meta: str) -> list[int]:
    return [attempt(Client(), email, address=address, **meta) for _ in range(times)]


def test_who_guesses_is_shut_out_and_the_owner_elsewhere_is_not(cast: Cast) -> None:
    email = cast.femke.email
    with time_machine.travel(NOW, tick=False) as clock:
        assert guess(email, 7) == [200] * 7
        # However the address is written it is one account; neither browser nor header makes another of it.
        assert guess(email.upper(), 2, HTTP_USER_AGENT="another", HTTP_X_FORWARDED_FOR=AWAY) == [429, 429]
        assert attempt(Client(), email, PASSWORD) == 429
        assert attempt(Client(), email, PASSWORD, AWAY) == 0
        assert attempt(Client(), cast.jonas.email, PASSWORD) == 0
        clock.shift(timedelta(minutes=16))
        assert attempt(Client(), email, PASSWORD) == 0


def test_a_browser_that_was_here_before_is_not_shut_by_others_at_the_same_address(cast: Cast) -> None:
    own, email = Client(), cast.femke.email
    with time_machine.travel(NOW, tick=False):
        assert attempt(own, email, PASSWORD) == 0
        own.post("/logout/")
        assert guess(email)[-1] == 429
        assert attempt(own, email, PASSWORD) == 0
        # It is no way to guess without end, nor one to other accounts.
        own.post("/logout/")
        assert [attempt(own, email) for _ in range(9)][-1] == 429
        assert guess(cast.jonas.email)[-1] == 429
        assert attempt(own, cast.jonas.email, PASSWORD) == 429
        forged = Client()
        forged.cookies[lockout.COOKIE] = own.cookies[lockout.COOKIE].value[:-2] + "xx"
        assert attempt(forged, email, PASSWORD) == 429


def test_many_accounts_from_one_address_shut_it(cast: Cast, settings: Any) -> None:
    settings.LOGIN_ADDRESS_LIMIT = 12
    own = Client()
    with time_machine.travel(NOW, tick=False):
        assert attempt(own, cast.mia.email, PASSWORD) == 0
        own.post("/logout/")
        said = [attempt(Client(), f"person{number}@handoff.example.com") for number in range(13)]
        assert said == [200] * 12 + [429]
        assert attempt(Client(), cast.rosa.email, PASSWORD) == 429
        assert attempt(Client(), cast.rosa.email, PASSWORD, AWAY) == 0
        assert attempt(own, cast.mia.email, PASSWORD) == 0


def test_behind_proxies_each_client_counts_for_itself(cast: Cast, settings: Any) -> None:
    settings.PROXY_COUNT = 1
    email, proxy = cast.femke.email, "10.0.0.1"
    with time_machine.travel(NOW, tick=False):
        # Whatever the guesser writes into the header stands before what the proxy adds.
        said = [
            attempt(Client(), email, address=proxy, HTTP_X_FORWARDED_FOR=f"1.2.3.{number}, {HOME}")
            for number in range(9)
        ]
        assert said == [200] * 7 + [429] * 2
        assert attempt(Client(), email, PASSWORD, proxy, HTTP_X_FORWARDED_FOR=f"{HOME}, {AWAY}") == 0


@pytest.mark.parametrize(
    ("count", "header", "expected"),
    [
        (0, f"{HOME}", "10.0.0.1"),
        (1, "", "10.0.0.1"),
        (1, HOME, HOME),
        (1, f"{HOME}:4711", HOME),
        (2, f"6.6.6.6, {HOME}, 10.0.0.2", HOME),
        (2, HOME, "10.0.0.1"),
        (1, "nonsense", "0.0.0.0"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        (1, "::ffff:203.0.113.7", HOME),
    ],
)
def test_whose_address_it_is(settings: Any, count: int, header: str, expected: str) -> None:
    settings.PROXY_COUNT = count
    meta = {"HTTP_X_FORWARDED_FOR": header} if header else {}
    assert counted(RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", **meta)) == expected


def counted(request: HttpRequest) -> str:
    """By what address its failures are counted, as it comes through the middleware."""
    ClientAddress(lambda request: HttpResponse())(request)
    return lockout.client_address(request)


def test_an_address_that_was_settled_is_not_looked_for_again(settings: Any) -> None:
    settings.PROXY_COUNT = 1
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=HOME)
    assert counted(request) == HOME
    request.META["HTTP_X_FORWARDED_FOR"] = AWAY
    assert lockout.client_address(request) == HOME


def test_who_comes_without_an_address_has_one_that_can_be_read() -> None:
    assert counted(RequestFactory().get("/", REMOTE_ADDR="")) == "0.0.0.0"


@given(st.text(max_size=60))
def test_any_header_is_some_address(header: str) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1")
    request.META["HTTP_X_FORWARDED_FOR"] = header
    assert counted(request) == "10.0.0.1"


def test_unknown_accounts_are_answered_alike_after_the_same_work(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.filter(pk=cast.jonas.pk).update(is_active=False)
    User.objects.create_user("sso@handoff.example.com")
    worked: list[str] = []
    encode = MD5PasswordHasher.encode
    monkeypatch.setattr(
        MD5PasswordHasher, "encode", lambda self, *given: worked.append("") or encode(self, *given)
    )
    said = set()
    for email in (cast.femke.email, cast.jonas.email, "sso@handoff.example.com", "no@handoff.example.com"):
        worked.clear()
        answer = Client().post("/login/", {"username": email, "password": "wrong"})
        words = answer.content.decode().split('role="alert"')[1].split("</p>")[0]
        said.add((answer.status_code, len(worked), words))
    assert len(said) == 1
