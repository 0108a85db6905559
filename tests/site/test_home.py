"""`/`, sign in and sign out: everybody lands on the page of their role."""

import pytest
from django.urls import reverse

from routing.people import MANAGER
from tests.conftest import PASSWORD


def test_the_anonymous_are_sent_to_sign_in(client, db):
    response = client.get("/")
    assert response.status_code == 302 and response.url == "/login/?next=/"


@pytest.mark.parametrize(("who", "page"), [("femke", "/inbox/"), ("vera", "/dashboard/")])
def test_a_role_has_its_home(cast, as_, who, page):
    response = as_(getattr(cast, who)).get("/")
    assert response.status_code == 302 and response.url == page


@pytest.mark.parametrize("who", ["mia", "otto", "ada"])
def test_every_home_is_a_page_that_opens(cast, as_, who):
    client = as_(getattr(cast, who))
    assert client.get(client.get("/").url).status_code == 200


def test_who_sells_and_leads_starts_with_the_own_work(cast, as_):
    cast.mia.groups.add(cast.femke.groups.get())
    assert {group.name for group in cast.mia.groups.all()} >= {MANAGER}
    assert as_(cast.mia).get("/").url == "/inbox/"


def test_sign_in_and_out(cast, client):
    form = {"username": cast.femke.email.upper(), "password": PASSWORD}
    wrong = client.post("/login/", form | {"password": "wrong"})
    assert wrong.status_code == 200 and b"login-error" in wrong.content
    response = client.post("/login/?next=/inbox/", form | {"next": "/inbox/"})
    assert response.status_code == 302 and response.url == "/inbox/"
    assert client.get("/login/").url == "/"
    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/").url == reverse("login")
    assert client.get("/inbox/").status_code == 302


def test_sign_in_leads_nowhere_else(cast, client):
    form = {"username": cast.femke.email, "password": PASSWORD, "next": "https://evil.example/"}
    assert client.post("/login/", form).url == "/"


def test_only_reading(cast, as_):
    assert as_(cast.femke).post("/").status_code == 405


def test_many_wrong_passwords_lock_the_door(cast, client, settings):
    form = {"username": cast.femke.email, "password": "wrong"}
    statuses = [client.post("/login/", form).status_code for _ in range(settings.AXES_FAILURE_LIMIT)]
    assert statuses[-1] == 429
    right = client.post("/login/", form | {"password": PASSWORD})
    assert right.status_code == 429 and b"Locked for a while" in right.content
