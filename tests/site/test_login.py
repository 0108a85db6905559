"""The demo cards: only in a debug run, only with demo data, only from this machine. Where one goes on to."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.test import Client

from handoff_site.demo.people import LOGINS, PASSWORD
from handoff_site.signing_in.configured import Oidc
from handoff_site.signing_in.onward import onward
from routing.models import User
from routing.people import REP

EMAIL = LOGINS[0].email
HERE = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1:8000"}

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def femke(settings: Any) -> User:
    settings.DEBUG = True
    settings.ALLOWED_HOSTS = ["*"]
    user = User.objects.create(email=EMAIL, name="Femke de Boer", password=make_password(PASSWORD))
    user.groups.add(Group.objects.get_or_create(name=REP)[0])
    return user


def sign_in(client: Client, email: str = EMAIL, **meta: str) -> Any:
    return client.post("/login/demo/", {"email": email}, **(HERE | meta))


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_a_card_for_each_person_who_is_there(client: Client) -> None:
    page = client.get("/login/", **HERE).content.decode()
    assert page.count("door-card") == 1
    assert "Sign in as a rep" in page


def test_a_card_signs_in(client: Client) -> None:
    answer = sign_in(client)
    assert answer.status_code == 302
    assert answer["Location"] == "/"
    assert is_in(client)


@pytest.mark.parametrize(
    "meta",
    [
        {"REMOTE_ADDR": "192.168.1.20"},
        {"REMOTE_ADDR": ""},
        {"HTTP_HOST": "handoff.example.com"},
        {"HTTP_X_FORWARDED_FOR": "203.0.113.9"},
        {"HTTP_FORWARDED": "for=203.0.113.9"},
    ],
)
def test_not_from_elsewhere(client: Client, meta: dict[str, str]) -> None:
    assert sign_in(client, **meta).status_code == 404
    assert not is_in(client)
    assert "door-card" not in client.get("/login/", **(HERE | meta)).content.decode()


def test_not_outside_a_debug_run(client: Client, settings: Any) -> None:
    settings.DEBUG = False
    assert sign_in(client).status_code == 404
    assert not is_in(client)
    assert "door-card" not in client.get("/login/", **HERE).content.decode()


@pytest.mark.parametrize("host", ["localhost:8000", "[::1]:8000"])
def test_every_name_of_this_machine(client: Client, host: str) -> None:
    assert sign_in(client, HTTP_HOST=host, REMOTE_ADDR="::1").status_code == 302
    assert is_in(client)


def test_only_demo_people(client: Client) -> None:
    User.objects.create(email="boss@handoff.example.com", password=make_password(PASSWORD))
    assert sign_in(client, "boss@handoff.example.com").status_code == 404
    assert not is_in(client)


def test_an_account_with_another_password_stays_shut(client: Client, femke: User) -> None:
    femke.set_password("something of her own")
    femke.save()
    assert sign_in(client)["Location"] == "/login/"
    assert not is_in(client)


def test_a_card_is_pressed_not_visited(client: Client) -> None:
    assert client.get("/login/demo/", **HERE).status_code == 405


def test_a_card_needs_the_forms_token() -> None:
    strict = Client(enforce_csrf_checks=True)
    assert sign_in(strict).status_code == 403
    assert not is_in(strict)


@pytest.mark.parametrize("is_only_sso", [False, True])
def test_the_administration_has_no_door_of_its_own(client: Client, settings: Any, is_only_sso: bool) -> None:
    if is_only_sso:
        settings.OIDC = Oidc("https://id.example.com", "id", "secret", only=True)
    root = User.objects.create_superuser("root@handoff.example.com", PASSWORD)
    answer = client.post("/admin/login/?next=/admin/", {"username": root.email, "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/login/?next=/admin/")
    assert not is_in(client)
    client.force_login(root, backend="handoff_site.sessions.Backend")
    assert client.get("/admin/password_change/")["Location"] == "/profile/sign-in/"
    assert client.post("/admin/logout/")["Location"] == "/login/"
    assert not is_in(client)


# Where one goes on to

TO_A_DOOR = (
    "/login/", "/login", "/logout/", "/login/?next=/login/", "/login/?next=/inbox/", "/login/second/",
    "/login/passkey/", "/admin/login/?next=/admin/", "/admin/logout/", "?next=/login/", ".", "./",
    "../login/", "/inbox/../login/", "/%6cogin/", "/log%69n", "/inbox/%2e%2e/login/",
    "/inbox/.%2E/logout", ".\\", "http://testserver/login/",
    "//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "",
)  # fmt: skip


@pytest.mark.parametrize("wanted", TO_A_DOOR)
def test_nobody_is_sent_round_in_a_circle_or_away(client: Client, femke: User, wanted: str) -> None:
    where = {"next": wanted}
    fresh = client.post("/login/", {"username": femke.email, "password": PASSWORD, **where})
    assert (fresh.status_code, fresh["Location"]) == (302, "/")
    again = client.get("/login/", where)
    assert (again.status_code, again["Location"]) == (302, "/")
    assert onward(again.wsgi_request, wanted) == "/"


@pytest.mark.parametrize("wanted", ["/inbox/?q=/login/", "/leads/", "/logins/", "/profile/sign-in/"])
def test_a_page_that_was_wanted_comes_next(client: Client, femke: User, wanted: str) -> None:
    client.force_login(femke, backend="handoff_site.sessions.Backend")
    answer = client.get("/login/", {"next": wanted})
    assert (answer.status_code, answer["Location"]) == (302, wanted)
    assert onward(answer.wsgi_request, wanted) == wanted


def test_the_administration_and_the_door_do_not_send_somebody_to_and_fro(client: Client, femke: User) -> None:
    client.force_login(femke, backend="handoff_site.sessions.Backend")
    went = [to for to, _ in client.get("/admin/", follow=True).redirect_chain]
    assert went == ["/admin/login/?next=/admin/", "/login/?next=%2Fadmin%2F", "/", "/inbox/"]
