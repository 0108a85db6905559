"""Help: one's own role first, links only where one may go, words explained where they stand."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from leads.presenters.terms import TERMS
from leads.presenters.tours import TOURS
from routing.people import MANAGER, MARKETING, REP, ROLES, VIEWER
from tests.conftest import Cast
from tests.factories import make_handoff
from tests.leads.views.asking import SignIn, html, queries, sent_to_sign_in

WHO = ("femke", "mia", "otto", "vera", "ada")


@pytest.mark.parametrize("who", WHO)
def test_each_role_has_a_tour_of_pages_it_may_open(as_: SignIn, cast: Cast, who: str) -> None:
    client = as_(getattr(cast, who))
    page = html(client.get("/help/"))
    assert page.count('<ol class="tour">') == len(ROLES)
    assert page.count("Your first five minutes") == 1
    stops = re.findall(r'<a class="btn btn-sm" href="([^"]+)">[^<]+<span class="sr">: ', page)
    assert len(stops) >= 3
    for href in stops:
        assert client.get(href).status_code == 200, href


def test_every_role_is_there() -> None:
    assert set(TOURS) == set(ROLES)


def test_whoever_may_read_them_is_shown_the_reports_and_the_agreement() -> None:
    shown = {
        view: {role for role, stops in TOURS.items() if view in {stop.view for stop in stops}}
        for view in ("metrics:reports", "metrics:agreement")
    }
    assert shown["metrics:reports"] == {MANAGER, MARKETING, VIEWER}
    assert shown["metrics:agreement"] == {REP, MANAGER, MARKETING, VIEWER}


def test_the_anonymous_sign_in_first(client: Client, cast: Cast) -> None:
    sent_to_sign_in(client, "/help/")


def test_it_is_only_read(as_: SignIn, cast: Cast) -> None:
    assert as_(cast.femke).post("/help/").status_code == 405


def test_it_asks_for_no_more_than_the_frame(as_: SignIn, cast: Cast) -> None:
    make_handoff("assigned", cast.femke)
    one = queries(as_(cast.femke), "/help/")
    make_handoff("assigned", cast.femke)
    assert queries(as_(cast.femke), "/help/") == one


def test_each_word_has_its_place(as_: SignIn, cast: Cast) -> None:
    page = html(as_(cast.femke).get("/help/"))
    for term in TERMS:
        assert page.count(f'id="{term.slug}"') == 1


def test_a_word_is_explained_where_it_stands(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    page = html(as_(cast.femke).get(f"/handoffs/{handoff.pk}/"))
    assert 'href="/help/#acceptance" title="How long the holder has' in page
    assert 'data-term="Acceptance window">Acceptance</a>' in page
