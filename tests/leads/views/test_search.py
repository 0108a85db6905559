"""Search: by what a person, a company or a handoff is found, and by whom."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from leads.models import ExternalId, Lead, LeadAlias
from tests.conftest import NOW, Cast
from tests.factories import make_company, make_handoff, make_lead
from tests.leads.views.asking import HTMX, SignIn, html, queries, refuses, sent_to_sign_in


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(NOW + timedelta(minutes=10), tick=False):
        yield


def ids(client: Client, words: str) -> list[int]:
    response = client.get("/search/", {"q": words})
    assert response.status_code == 200
    return [row.id for row in response.context["rows"]]


@pytest.fixture
def lead(cast: Cast) -> Lead:
    found = make_lead(
        first_name="Þóra Björk",
        last_name="O’Callaghan-Núñez",
        email="Thora@western-isles.co.uk",
        phone="+44 20 7946 0958",
        company=make_company(name="Western Isles Renewables", domain="western-isles.co.uk"),
    )
    ExternalId.objects.create(lead=found, system="mautic", object="contact", value="15-ab")
    LeadAlias.objects.create(lead=found, email_key="old@western-isles.co.uk", added_at=NOW)
    make_lead()
    return found


@pytest.mark.parametrize(
    "words",
    [
        "bjork",
        "BJÖRK nunez",
        "calla",
        "nun bjo",
        "o'callaghan",
        "thora@western-isles.co.uk",
        "THORA@west",
        "old@western-isles.co.uk",
        "+44 20 7946 0958",
        "+442079460958",
        "western isles",
        "west",
        "western-isles.co.uk",
        "https://www.western-isles.co.uk/about",
        "15-ab",
    ],
)
def test_what_finds_a_person(as_: SignIn, cast: Cast, lead: Lead, words: str) -> None:
    assert ids(as_(cast.otto), words) == [lead.pk]


@pytest.mark.parametrize(
    "words",
    ["jork", "@", "%", "_", "' OR 1=1 --", "\x00", "thora@elsewhere.com", "90451288", "x" * 5000, "🦊", " "],
)
def test_what_finds_nobody(as_: SignIn, cast: Cast, lead: Lead, words: str) -> None:
    assert ids(as_(cast.otto), words) == []


def test_a_number_is_a_lead_or_a_handoff(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    client = as_(cast.otto)
    for words in (str(handoff.pk), f"#{handoff.pk}", f"handoff {handoff.pk}"):
        assert client.get("/search/", {"q": words}).context["handoff"] == handoff
    for words in (str(handoff.lead_id), f"lead #{handoff.lead_id}"):
        assert handoff.lead_id in ids(client, words)
    assert ids(client, "9" * 18) == []


def test_a_company_leads_to_its_people(as_: SignIn, cast: Cast, lead: Lead) -> None:
    client = as_(cast.otto)
    found = client.get("/search/?q=western").context["companies"]
    assert [company["name"] for company in found] == ["Western Isles Renewables"]
    listed = client.get(f"/leads/?company={found[0]['id']}").context["rows"]
    assert [row.id for row in listed] == [lead.pk]


def test_what_is_not_theirs_is_not_found(as_: SignIn, cast: Cast, lead: Lead) -> None:
    handoff = make_handoff("assigned", cast.rosa, lead=lead)
    client = as_(cast.femke)
    for words in ("bjork", "western", "thora@west", "15-ab", str(lead.pk), f"handoff {handoff.pk}"):
        page = html(client.get("/search/", {"q": words}))
        assert "Nothing that you may see fits" in page
        assert "ask your manager" in page
    assert "ask your manager" not in html(as_(cast.otto).get("/search/", {"q": "zzz"}))
    assert ids(as_(cast.rosa), "bjork") == [lead.pk]


def test_a_viewer_does_not_find_by_address_or_number(as_: SignIn, cast: Cast, lead: Lead) -> None:
    client = as_(cast.vera)
    assert ids(client, "bjork") == [lead.pk]
    for words in ("thora@west", "old@western-isles.co.uk", "+442079460958"):
        assert ids(client, words) == []


def test_too_many_are_cut_and_said(as_: SignIn, cast: Cast) -> None:
    company = make_company()
    for number in range(27):
        make_lead(first_name="Sam", last_name=f"Number{number}", company=company)
    page = html(as_(cast.otto).get("/search/?q=sam"))
    assert "Only the first 25 are shown" in page
    assert 'href="/leads/?q=sam"' in page


def test_without_words_it_says_what_can_be_typed(as_: SignIn, cast: Cast) -> None:
    assert "Type a name, an address, a phone number, a company," in html(as_(cast.femke).get("/search/"))


def test_a_viewer_is_offered_what_they_can_find_by(as_: SignIn, cast: Cast, lead: Lead) -> None:
    assert "Type a name, a company, a domain or an id." in html(as_(cast.vera).get("/search/"))
    for path, words in (("/leads/", "or id"), ("/handoffs/", "or number")):
        assert f'aria-label="Name, company {words}"' in html(as_(cast.vera).get(path))
        assert f'aria-label="Name, address, company {words}"' in html(as_(cast.femke).get(path))


@pytest.mark.parametrize(("target", "whole"), [("quick", False), ("found", True)])
def test_what_is_shown_as_one_types_is_a_part(
    as_: SignIn, cast: Cast, lead: Lead, target: str, whole: bool
) -> None:
    handoff = make_handoff("assigned", cast.rosa, lead=lead)
    response = as_(cast.otto).get("/search/?q=bjo+isles", headers=HTMX | {"HX-Target": target})
    part = html(response)
    assert "<html" not in part
    assert f'href="/leads/{lead.pk}/"' in part
    assert "Western Isles Renewables" in part
    assert "Assigned" in part
    assert str(handoff.assignee) in part
    assert ("<h1>Search</h1>" in part) is whole
    assert response["Cache-Control"] == "no-store"


def test_nothing_typed_and_nothing_found_as_one_types(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    assert client.get("/search/?q=", headers=HTMX | {"HX-Target": "quick"}).content.strip() == b""
    for words, told in (("zzz", "Nothing that you may see fits"), ("a", "Type at least two letters")):
        assert told in html(client.get("/search/", {"q": words}, headers=HTMX | {"HX-Target": "quick"}))
        assert told in html(client.get("/search/", {"q": words}))


def test_words_come_back_as_text(as_: SignIn, cast: Cast) -> None:
    page = html(as_(cast.otto).get("/search/", {"q": "<script>alert(1)</script>"}))
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;" in page


def test_the_anonymous_are_sent_to_sign_in(client: Client, cast: Cast) -> None:
    sent_to_sign_in(client, "/search/?q=x")


def test_it_is_only_read(as_: SignIn, cast: Cast) -> None:
    refuses(as_(cast.otto), 405, post=("/search/",))


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast) -> None:
    company = make_company(name="Sam Acme")
    make_lead(first_name="Sam", company=company)
    client = as_(cast.otto)
    one = queries(client, "/search/?q=sam")
    make_lead(first_name="Sam", last_name="Two", company=company)
    make_lead(first_name="Sam", last_name="Three", company=make_company(name="Sam and Sons"))
    assert queries(client, "/search/?q=sam") == one
