"""Who asks: what a session and its person are read by, and that nothing of them is kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from handoff_site.sessions import Backend
from routing import people
from routing.models import User
from routing.people import ADMIN, MANAGER, MARKETING, REP, ROLES
from routing.signed_in import Session
from tests.conftest import NOW, PASSWORD, Cast

SignIn = Callable[[User], Client]
PAGE = "/help/"


def is_in(client: Client) -> bool:
    return client.get(PAGE).status_code == 200


@pytest.mark.parametrize("name", ["femke", "mia", "otto", "vera", "ada"])
def test_the_frame_of_a_page_is_two_queries(as_: SignIn, cast: Cast, name: str) -> None:
    """The session with its person and their roles, and all that is counted."""
    client = as_(getattr(cast, name))
    client.get(PAGE)
    with CaptureQueriesContext(connection) as seen:
        assert client.get(PAGE).status_code == 200
    assert len(seen) == 2


def test_signing_in_by_password_and_out_again(client: Client, cast: Cast) -> None:
    sent = {"username": cast.femke.email, "password": PASSWORD}
    assert client.post("/login/", sent | {"password": "wrong"}).status_code == 200
    assert not is_in(client)
    assert client.post("/login/", sent).status_code == 302
    assert is_in(client)
    client.post("/logout/")
    assert not is_in(client)


def test_a_session_ends_at_its_moment(as_: SignIn, cast: Cast) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        client = as_(cast.femke)
        end = Session.objects.get().expire_date
        assert end == NOW + timedelta(seconds=settings.SESSION_COOKIE_AGE)
        clock.move_to(end - timedelta(seconds=1))
        assert is_in(client)
        clock.move_to(end)
        assert not is_in(client)


@pytest.mark.parametrize("key", ["", "short", "a" * 32, "a" * 400, "' OR 1=1 --", "%s" * 8, "nought\0nought"])
def test_a_key_that_somebody_made_up_is_nobodys(client: Client, cast: Cast, key: str) -> None:
    client.cookies[settings.SESSION_COOKIE_NAME] = key
    assert not is_in(client)
    client.post("/login/", {"username": cast.femke.email, "password": PASSWORD})
    assert is_in(client)
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != key


def test_what_is_changed_holds_from_the_next_page_on(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.femke)
    assert client.get("/triage/").status_code == 404
    cast.femke.groups.set([Group.objects.get(name=MARKETING)])
    assert client.get("/triage/").status_code == 200
    cast.femke.groups.clear()
    assert client.get("/triage/").status_code == 404


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "another"}])
def test_who_is_let_go_or_has_another_password_is_out(
    as_: SignIn, cast: Cast, change: dict[str, object]
) -> None:
    client = as_(cast.femke)
    assert is_in(client)
    User.objects.filter(pk=cast.femke.pk).update(**change)
    assert not is_in(client)


def test_a_session_of_another_backend_is_nobodys(cast: Cast) -> None:
    client = Client()
    client.force_login(cast.femke, backend="django.contrib.auth.backends.ModelBackend")
    assert not is_in(client)


def test_the_person_comes_whole_and_with_every_role(cast: Cast) -> None:
    cast.mia.groups.add(Group.objects.get(name=REP))
    several, none = cast.mia, User.objects.create_user("none@handoff.example.com")
    for user, roles in ((several, {MANAGER, REP}), (none, set()), (cast.ada, {ADMIN})):
        with CaptureQueriesContext(connection) as seen:
            found = Backend().get_user(user.pk)
            assert found is not None
            assert found.roles == roles
            assert found == user
            assert (found.email, found.theme, found.team_id) == (user.email, user.theme, user.team_id)
        assert len(seen) == 1
    assert people.with_roles(none.pk + 1000) is None
    assert set(ROLES) >= {MANAGER, REP, ADMIN}


def test_the_session_brings_its_person_with_every_role(as_: SignIn, cast: Cast) -> None:
    cast.mia.groups.add(Group.objects.get(name=REP))
    none = User.objects.create_user("none@handoff.example.com")
    for user, roles in ((cast.mia, {MANAGER, REP}), (none, set()), (cast.ada, {ADMIN})):
        client = as_(user)
        client.get(PAGE)
        with CaptureQueriesContext(connection) as seen:
            asked = client.get(PAGE).wsgi_request.user
            assert type(asked) is User
            assert (asked, asked.roles, asked.email) == (user, roles, user.email)
        assert len(seen) == 2


def test_who_is_in_is_said_by_the_session_itself_not_by_whose_it_is_listed_as(
    as_: SignIn, cast: Cast
) -> None:
    client = as_(cast.femke)
    for listed in (cast.ada, None):
        Session.objects.update(user=listed)
        assert client.get(PAGE).wsgi_request.user == cast.femke
    assert Backend().get_user(cast.femke.pk) == cast.femke
