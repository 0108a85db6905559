"""The list of leads and the page of one: for whom, filtered how, and edited by whom."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
import time_machine
from django.test import Client

from leads import lifecycle
from leads.models import ExternalId, Handoff, Lead
from tests.conftest import NOW, Cast
from tests.factories import make_activity, make_company, make_handoff, make_lead, make_score
from tests.leads.views.asking import SignIn, file_of, html, queries, refuses, sent_to_sign_in

LATER = NOW + timedelta(minutes=10)


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(LATER, tick=False):
        yield


def ids(client: Client, query: str = "") -> list[int]:
    response = client.get(f"/leads/{query}")
    assert response.status_code == 200
    return [row.id for row in response.context["rows"]]


# The list


def test_the_last_changed_comes_first(as_: SignIn, cast: Cast) -> None:
    old = make_lead(updated_at=NOW - timedelta(days=1))
    new = make_lead()
    assert ids(as_(cast.otto)) == [new.pk, old.pk]
    Lead.objects.filter(pk=old.pk).update(updated_at=LATER)
    assert ids(as_(cast.otto)) == [old.pk, new.pk]
    assert ids(as_(cast.otto), "?sort=newest") == [new.pk, old.pk]


def test_a_row_says_where_the_lead_stands(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke, kind="demo_request")
    row = as_(cast.femke).get("/leads/").context["rows"][0]
    assert (row.state, row.holder, row.score, row.handoff) == ("Assigned", "Femke de Boer", "80", handoff.pk)
    assert [flag.label for flag in row.flags] == ["Demo"]


def test_everybody_sees_what_is_theirs(as_: SignIn, cast: Cast) -> None:
    own = make_handoff("assigned", cast.femke).lead_id
    foreign = make_handoff("assigned", cast.rosa).lead_id
    none = make_lead().pk
    assert ids(as_(cast.femke)) == [own]
    assert ids(as_(cast.mia)) == [own]
    assert ids(as_(cast.nils)) == [foreign]
    for user in (cast.otto, cast.vera, cast.ada):
        assert sorted(ids(as_(user))) == sorted([own, foreign, none])


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("?q=muller", True),
        ("?q=Jür+MÜL", True),
        ("?q=jurgen.m@acme-werke.com", True),
        ("?q=ACME+Werke", True),
        ("?q=crm-77", True),
        ("?q=nobody", False),
        ("?state=open", True),
        ("?state=assigned&type=standard", True),
        ("?state=assigned&type=demo", False),
        ("?state=rejected", False),
        ("?state=none", False),
        ("?source=Webinar", True),
        ("?source=webinar", False),
        ("?country=at", True),
        ("?country=DE", False),
    ],
)
def test_each_filter_narrows(as_: SignIn, cast: Cast, query: str, fits: bool) -> None:
    lead = make_lead(
        first_name="Jürgen",
        last_name="Müller",
        email="jurgen.m@acme-werke.com",
        country_code="AT",
        company=make_company(name="ACME Werke AG"),
    )
    ExternalId.objects.create(lead=lead, system="crm", value="crm-77")
    make_handoff("assigned", cast.femke, lead=lead)
    assert ids(as_(cast.otto), query) == ([lead.pk] if fits else [])


def test_state_and_holder_are_of_one_handoff(as_: SignIn, cast: Cast) -> None:
    lead = make_handoff("rejected", cast.femke).lead
    make_handoff("assigned", cast.rosa, lead=lead, kind="demo_request")
    client = as_(cast.otto)
    assert ids(client, f"?state=assigned&holder={cast.rosa.pk}") == [lead.pk]
    assert ids(client, f"?state=assigned&holder={cast.femke.pk}") == []


@pytest.mark.parametrize(
    "query", ["company=abc", "company=99999999999999999999", "holder=-1", "holder=1e400"]
)
@pytest.mark.parametrize("more", ["state=nonsense", "q=%00", f"q={'x' * 300}", "country=GER"])
@pytest.mark.parametrize("after", ["zz", "WyJ4IiwieSJd", "WyIyMDI2LTAzLTEwVDEwOjAwOjAwIiwiMSJd"])
def test_nonsense_in_the_address_breaks_nothing(
    as_: SignIn, cast: Cast, query: str, more: str, after: str
) -> None:
    make_lead()
    assert as_(cast.otto).get(f"/leads/?{query}&{more}&after={after}&sort=;drop").status_code == 200


def test_it_goes_on_page_by_page_without_a_gap(
    as_: SignIn, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leads.views.leads.SIZE", 2)
    times = [NOW, NOW, LATER, NOW - timedelta(days=1), NOW]
    made = [make_handoff("assigned", cast.femke).lead for _ in times]
    for lead, at in zip(made, times, strict=True):
        Lead.objects.filter(pk=lead.pk).update(updated_at=at)
        # Somebody else's, between them.
        make_handoff("assigned", cast.rosa)
    theirs = {lead.pk for lead in made}
    order = sorted(range(5), key=lambda place: (times[place], made[place].pk), reverse=True)
    for newest, sort, who in product(
        (0, 2, 4, 100), ("", "unchanged", "newest", "name"), ["otto", "femke", "mia"]
    ):
        monkeypatch.setattr("leads.views.leads.NEWEST", newest)
        client, seen, url = as_(getattr(cast, who)), [], f"/leads/?sort={sort}"
        while url:
            response = client.get(url)
            seen += [row.id for row in response.context["rows"]]
            url = f"/leads/{response.context['more']}" if response.context["more"] else ""
        assert len(seen) == len(set(seen)) == (10 if who == "otto" else 5), (newest, sort, who)
        assert theirs <= set(seen), (newest, sort, who)
        if sort == "":
            assert [pk for pk in seen if pk in theirs] == [made[place].pk for place in order], (newest, who)


@pytest.mark.parametrize(
    ("who", "query", "count"),
    [
        ("femke", "", "2+"),
        ("mia", "", "2+"),
        ("femke", "?sort=name", "2+"),
        ("femke", "?country=DE", "2"),
        ("femke", "?country=FR", "1"),
        ("rosa", "", "1"),
        ("otto", "", "4"),
    ],
)
def test_of_ones_own_it_is_not_counted_to_the_end(
    as_: SignIn, cast: Cast, monkeypatch: pytest.MonkeyPatch, who: str, query: str, count: str
) -> None:
    monkeypatch.setattr("leads.views.leads.MOST_OWN", 2)
    for country in ("DE", "DE", "FR"):
        make_handoff("assigned", cast.femke, lead=make_lead(country_code=country))
    make_handoff("assigned", cast.rosa)
    assert as_(getattr(cast, who)).get(f"/leads/{query}").context["count"] == count


def test_of_many_handoffs_of_few_leads_each_lead_counts_once(
    as_: SignIn, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leads.views.leads.MOST_OWN", 1)
    first, second = make_lead(lead_source="Fair"), make_lead(lead_source="Webinar")
    for day, lead in enumerate([*[first] * 4, second]):
        make_handoff("working", cast.femke, lead=lead, at=NOW + timedelta(days=day))
        Handoff.objects.update(state="converted")
    context = as_(cast.femke).get("/leads/").context
    assert (Handoff.objects.count(), context["count"], len(context["rows"])) == (5, "1+", 2)


def test_a_viewer_gets_neither_address_nor_number(as_: SignIn, cast: Cast) -> None:
    lead = make_lead(first_name="", last_name="", email="secret@acme-werke.com", phone="+49301234567")
    client = as_(cast.vera)
    for url in ("/leads/", f"/leads/{lead.pk}/"):
        page = html(client.get(url))
        assert f"Lead {lead.pk}" in page
        assert "secret" not in page
        assert "1234567" not in page
    for words in ("secret@acme-werke.com", "+49301234567"):
        assert client.get("/search/", {"q": words}).context["rows"] == []
    assert ids(client, "?q=secret@acme") == []
    assert "secret" not in "".join(file_of(client.get("/leads/leads.csv")))


def test_its_file_has_the_same_rows_and_no_formula(as_: SignIn, cast: Cast) -> None:
    make_lead(first_name="=1+1", last_name="@SUM(A1)", phone="+49 30 1", lead_source="Webinar")
    make_lead(lead_source="Fair")
    lines = file_of(as_(cast.otto).get("/leads/leads.csv?source=Webinar"))
    assert len(lines) == 2
    assert ",'=1+1,'@SUM(A1)," in lines[1]
    assert ",'+49 30 1," in lines[1]


@pytest.mark.parametrize("who", ["femke", "mia"])
def test_a_constant_number_of_queries(as_: SignIn, cast: Cast, who: str) -> None:
    lead = make_handoff("assigned", cast.femke).lead
    client = as_(getattr(cast, who))
    urls = "/leads/", "/leads/?q=a&state=open", f"/leads/{lead.pk}/"
    one = [queries(client, url) for url in urls]
    for _ in range(2):
        make_handoff("assigned", cast.femke)
        make_activity(lead, kind="chat")
        make_score(lead)
        ExternalId.objects.create(lead=lead, system="crm", value=str(make_lead(company=lead.company).pk))
    assert [queries(client, url) for url in urls] == one


# Whose page it is


def test_the_anonymous_are_sent_to_sign_in(client: Client, cast: Cast) -> None:
    sent_to_sign_in(client, "/leads/", "/leads/leads.csv", "/leads/1/")


def test_what_is_read_is_not_posted_and_the_other_way_round(as_: SignIn, cast: Cast) -> None:
    lead = make_lead()
    refuses(
        as_(cast.otto),
        405,
        post=("/leads/", "/leads/leads.csv", f"/leads/{lead.pk}/"),
        get=(f"/leads/{lead.pk}/edit/",),
    )


def test_a_foreign_lead_is_not_there(as_: SignIn, cast: Cast) -> None:
    lead = make_handoff("assigned", cast.rosa).lead
    for user in (cast.femke, cast.mia):
        refuses(as_(user), 404, get=(f"/leads/{lead.pk}/",), post=(f"/leads/{lead.pk}/edit/",))
    refuses(as_(cast.otto), 404, get=("/leads/987654/",), post=("/leads/987654/edit/",))


# The page of one person


def test_it_has_every_handoff_and_what_they_did(as_: SignIn, cast: Cast) -> None:
    lead = make_handoff("rejected", cast.femke).lead
    make_handoff("assigned", cast.jonas, lead=lead, kind="demo_request")
    make_activity(lead, kind="chat", title="SSO")
    ExternalId.objects.create(lead=lead, system="mautic", object="contact", value="15")
    make_lead(company=lead.company, first_name="Colleen")
    response = as_(cast.mia).get(f"/leads/{lead.pk}/")
    page = html(response)
    lines = response.context["person"].handoffs
    assert [line.state for line in lines] == ["Assigned", "Rejected: not our customer profile"]
    assert "Chat: “SSO”" in page
    assert "mautic contact 15" in page


def test_a_rep_sees_their_own_handoffs_of_a_shared_lead(as_: SignIn, cast: Cast) -> None:
    own = make_handoff("rejected", cast.femke)
    make_handoff("assigned", cast.rosa, lead=own.lead, kind="demo_request")
    lines = as_(cast.femke).get(f"/leads/{own.lead_id}/").context["person"].handoffs
    assert [line.id for line in lines] == [own.pk]


def test_a_merged_lead_leads_to_the_one_it_went_into(as_: SignIn, cast: Cast) -> None:
    keep, gone = make_lead(), make_lead()
    lifecycle.merge(keep, gone, lifecycle.Act(NOW, cast.otto))
    response = as_(cast.otto).get(f"/leads/{gone.pk}/")
    assert (response.status_code, response["Location"]) == (302, f"/leads/{keep.pk}/")
    assert as_(cast.femke).get(f"/leads/{gone.pk}/").status_code == 404
    assert ids(as_(cast.otto)) == [keep.pk]


def test_hostile_values_are_shown_as_text(as_: SignIn, cast: Cast) -> None:
    lead = make_lead(
        first_name="<script>alert(1)</script>",
        linkedin_url="javascript:alert(1)",
        email='"><svg onload=x>@a.com',
        custom={"<i>": "<b>"},
    )
    make_activity(lead, title="<img src=x onerror=y>", url="javascript:alert(2)")
    page = html(as_(cast.otto).get(f"/leads/{lead.pk}/?edit=1"))
    for hostile in ("<script>alert", "<img src=x", 'href="javascript', "<svg onload"):
        assert hostile not in page


# Editing


def sent(lead: Lead, **typed: str) -> dict[str, Any]:
    return {f"was-{name}": str(getattr(lead, name, "")) for name in typed} | typed


def test_marketing_edits_and_nobody_else(as_: SignIn, cast: Cast) -> None:
    lead = make_handoff("assigned", cast.femke).lead
    url = f"/leads/{lead.pk}/edit/"
    for user in (cast.femke, cast.mia, cast.vera, cast.ada):
        assert as_(user).post(url, sent(lead, job_title="CFO")).status_code == 403
        assert 'id="edit"' not in html(as_(user).get(f"/leads/{lead.pk}/?edit=1"))
    response = as_(cast.otto).post(url, sent(lead, job_title="CFO"), follow=True)
    assert "Saved: job title." in html(response)
    lead.refresh_from_db()
    assert lead.job_title == "CFO"


def test_what_is_wrong_stands_at_its_field(as_: SignIn, cast: Cast) -> None:
    lead = make_lead()
    url = f"/leads/{lead.pk}/edit/"
    page = html(as_(cast.otto).post(url, sent(lead, email="no address", job_title="CFO")), 422)
    assert "This is not an e-mail address." in page
    assert 'value="no address"' in page
    assert 'value="CFO"' in page
    assert '<input id="f-email" name="email" value="no address"' in page


def test_editing_twice_changes_it_once(as_: SignIn, cast: Cast) -> None:
    lead = make_lead()
    client, typed = as_(cast.otto), sent(lead, job_title="CFO")
    client.post(f"/leads/{lead.pk}/edit/", typed)
    assert "Nothing was changed." in html(client.post(f"/leads/{lead.pk}/edit/", typed, follow=True))
