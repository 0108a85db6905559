"""Where `/` leads, and the first steps of a new installation."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from leads import keys
from routing.models import Calendar, Territory
from routing.people import MANAGER, MARKETING, REP
from tests.conftest import NOW, Cast
from tests.factories import make_lead
from tests.leads.views.asking import SignIn, html, refuses, sent_to_sign_in


@pytest.mark.parametrize(
    ("who", "path"),
    [
        ("femke", "/inbox/"),
        ("mia", "/team/"),
        ("otto", "/completion/"),
        ("vera", "/dashboard/"),
        ("ada", "/first-steps/"),
    ],
)
def test_each_role_has_its_first_page(as_: SignIn, cast: Cast, who: str, path: str) -> None:
    client = as_(getattr(cast, who))
    response = client.get("/")
    assert (response.status_code, response["Location"]) == (302, path)
    assert client.get(path).status_code == 200


def test_with_leads_an_admin_starts_on_the_team(as_: SignIn, cast: Cast) -> None:
    make_lead()
    assert as_(cast.ada).get("/")["Location"] == "/team/"


def test_of_several_roles_the_one_that_sells_decides(as_: SignIn, cast: Cast) -> None:
    cast.otto.groups.add(Group.objects.get(name=MANAGER))
    assert as_(cast.otto).get("/")["Location"] == "/team/"
    cast.otto.groups.add(Group.objects.get(name=REP))
    assert as_(cast.otto).get("/")["Location"] == "/inbox/"
    cast.ada.groups.add(Group.objects.get(name=MARKETING))
    assert as_(cast.ada).get("/")["Location"] == "/completion/"


def test_without_a_role_one_lands_on_the_profile(as_: SignIn, cast: Cast) -> None:
    cast.femke.groups.clear()
    assert as_(cast.femke).get("/")["Location"] == "/profile/"


def test_the_anonymous_are_sent_to_sign_in(client: Client, cast: Cast) -> None:
    sent_to_sign_in(client, "/", "/first-steps/")


def test_it_is_only_read(as_: SignIn, cast: Cast) -> None:
    refuses(as_(cast.ada), 405, post=("/", "/first-steps/"))


def test_the_first_steps_are_an_admins(as_: SignIn, cast: Cast) -> None:
    for user in (cast.femke, cast.mia, cast.otto, cast.vera):
        refuses(as_(user), 404, get=("/first-steps/",))


def test_each_step_is_ticked_when_it_is_done(as_: SignIn, cast: Cast) -> None:
    def done() -> list[str]:
        items = as_(cast.ada).get("/first-steps/").context["items"]
        return [item.title for item in items if item.is_done]

    assert done() == ["People"]
    Territory.objects.create(slug="dach", name="DACH")
    Calendar.objects.filter(is_default=True).update(country="DE")
    keys.make_key("Marketing", ["intake"], NOW)
    make_lead()
    assert done() == ["People", "Territories", "Calendar", "First key", "First lead"]


def test_who_edits_routing_is_led_to_its_own_pages(as_: SignIn, cast: Cast) -> None:
    def hrefs() -> list[str]:
        return [item.href for item in as_(cast.ada).get("/first-steps/").context["items"]][1:4]

    assert all(href.startswith("/admin/") for href in hrefs())
    cast.ada.groups.add(Group.objects.get(name=MARKETING))
    assert hrefs() == ["/routing/territories/", "/routing/", "/routing/calendars/"]
    for href in hrefs():
        assert as_(cast.ada).get(href).status_code == 200


def test_each_step_leads_somewhere(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.ada)
    response = client.get("/first-steps/")
    assert "1 of 6 done" in html(response)
    for item in response.context["items"]:
        assert item.href, item.title
        assert client.get(item.href).status_code == 200, item.title
