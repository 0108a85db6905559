"""The pages of accounts: for whom, filtered how, told apart, added and changed by whom, and from a list."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from leads.models import Company, Handoff
from tests.conftest import NOW, Cast
from tests.factories import make_company, make_lead, open_handoff, route_to
from tests.leads.views.asking import SignIn, file_of, html, queries, refuses, sent_to_sign_in

URL, NEW, FILE, CSV = (
    "/routing/accounts/",
    "/routing/accounts/new/",
    "/routing/accounts/file/",
    "/routing/accounts/accounts.csv",
)


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(NOW + timedelta(minutes=10), tick=False):
        yield


def names(client: Client, query: str = "") -> list[str]:
    response = client.get(f"{URL}{query}")
    assert response.status_code == 200
    return [row.name for row in response.context["rows"]]


def one(company: Company) -> str:
    return f"{URL}{company.pk}/"


def form(company: Company, **typed: str) -> dict[str, str]:
    """What the page sends: what it showed, and what was typed over it."""
    owner = company.owner.email if company.owner else "none"
    shown = {"owner": owner, "stage": company.stage}
    named = {"named_account": "yes"} if company.is_named_account else {}
    was = {"was-named_account": named.get("named_account", "no")}
    return {**shown, **named, **was, **{f"was-{name}": value for name, value in shown.items()}, **typed}


def pasted(client: Client, text: str, do: str = "preview", **more: Any) -> HttpResponse:
    return client.post(FILE, {"text": text, "do": do, **more})


# The list


def test_it_lists_accounts_by_name_and_nothing_else(as_: SignIn, cast: Cast) -> None:
    make_company(name="Plain")
    make_company(name="Brandt", owner=cast.rosa)
    make_company(name="Acme", stage="customer")
    make_company(name="Cargo", is_named_account=True)
    client = as_(cast.otto)
    assert names(client) == ["Acme", "Brandt", "Cargo"]
    page = html(client.get(URL))
    assert "3 accounts" in page
    assert "Add one" in page


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("?q=halv", True),
        ("?q=LOGISTICS", True),
        ("?q=halvorsen.no", True),
        ("?q=brandt", False),
        ("?owner=none", False),
        ("?stage=customer", True),
        ("?stage=partner", False),
        ("?named=yes", True),
        ("?named=no", False),
    ],
)
def test_each_filter_narrows(as_: SignIn, cast: Cast, query: str, fits: bool) -> None:
    make_company(
        name="Halvorsen Logistics",
        domain="halvorsen.no",
        stage="customer",
        owner=cast.rosa,
        is_named_account=True,
    )
    assert names(as_(cast.otto), query) == (["Halvorsen Logistics"] if fits else [])


def test_by_owner(as_: SignIn, cast: Cast) -> None:
    make_company(name="Acme", owner=cast.rosa)
    make_company(name="Brandt", owner=cast.femke)
    make_company(name="Cargo", stage="customer")
    client = as_(cast.mia)
    assert names(client, f"?owner={cast.rosa.pk}") == ["Acme"]
    assert names(client, "?owner=none") == ["Cargo"]


def test_nonsense_in_the_address_is_said_and_breaks_nothing(as_: SignIn, cast: Cast) -> None:
    make_company(name="Acme", owner=cast.rosa)
    client = as_(cast.otto)
    for query in ("?owner=x", "?owner=-1", "?stage=none", "?named=maybe", f"?q={'x' * 300}"):
        assert 'class="error" role="alert"' in html(client.get(f"{URL}{query}"))
    assert names(client, "?after=zz") == ["Acme"]
    assert names(client, "?q=%21%21") == []


def test_it_goes_on_page_by_page_without_a_gap(
    as_: SignIn, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leads.views.accounts.SIZE", 2)
    made = [make_company(name=f"Acme {number}", owner=cast.rosa).name for number in range(5)]
    client, seen, url = as_(cast.otto), [], URL
    while url:
        response = client.get(url)
        seen += [row.name for row in response.context["rows"]]
        url = f"{URL}{response.context['more']}" if response.context["more"] else ""
    assert seen == made


@pytest.mark.parametrize(
    ("sort", "wanted"),
    [
        ("", ["Acme", "Brandt", "Cargo", "Dorn"]),
        ("-name", ["Dorn", "Cargo", "Brandt", "Acme"]),
        ("stage", ["Brandt", "Cargo", "Dorn", "Acme"]),
        ("-stage", ["Acme", "Dorn", "Cargo", "Brandt"]),
        ("owner", ["Brandt", "Cargo", "Dorn", "Acme"]),
        ("-owner", ["Acme", "Dorn", "Cargo", "Brandt"]),
        ("nonsense", ["Acme", "Brandt", "Cargo", "Dorn"]),
    ],
)
def test_each_head_orders_the_list_its_pages_and_its_file(
    as_: SignIn, cast: Cast, monkeypatch: pytest.MonkeyPatch, sort: str, wanted: list[str]
) -> None:
    monkeypatch.setattr("leads.views.accounts.SIZE", 3)
    make_company(name="Acme", owner=cast.rosa)
    make_company(name="Brandt", stage="customer")
    make_company(name="Cargo", stage="customer", owner=cast.femke)
    make_company(name="Dorn", stage="open_opportunity", owner=cast.femke)
    client, seen, query = as_(cast.otto), [], f"?sort={sort}"
    while query:
        response = client.get(f"{URL}{query}")
        seen += [row.name for row in response.context["rows"]]
        query = response.context["more"]
    assert seen == wanted
    assert [line.split(",")[1] for line in file_of(client.get(f"{CSV}?sort={sort}"))[1:]] == wanted


def test_a_head_says_the_order_and_keeps_the_filters(as_: SignIn, cast: Cast) -> None:
    make_company(name="Acme", owner=cast.rosa)
    name, stage, owner = as_(cast.otto).get(f"{URL}?q=acme").context["heads"]
    assert (name["aria"], stage["aria"], owner["aria"]) == ("ascending", "", "")
    assert (name["href"], owner["href"]) == ("?q=acme&sort=-name", "?q=acme&sort=owner")
    page = html(as_(cast.otto).get(f"{URL}?sort=owner"))
    assert '<th scope="col" aria-sort="ascending"><a href="?sort=-owner">Owner</a></th>' in page
    assert '<input type="hidden" name="sort" value="owner">' in page


def test_what_could_be_taken_for_one_another_is_shown(as_: SignIn, cast: Cast) -> None:
    make_company(name="Acme GmbH", domain="acme.de", country_code="DE", owner=cast.rosa)
    make_company(name="Acme Inc", domain="acme.com", country_code="US", stage="customer")
    make_company(name="Halvorsen Logistics", owner=cast.rosa)
    make_company(name="Halvorsen Logistik", owner=cast.femke)
    rows = as_(cast.otto).get(URL).context["rows"]
    told = {row.name: [(like.how, like.name, like.sub) for like in row.likes] for row in rows}
    assert told["Acme GmbH"] == [("same name", "Acme Inc", "acme.com, US, customer, no owner")]
    assert told["Acme Inc"][0][2] == "acme.de, DE, prospect, owned by Rosa Lindqvist"
    # 17 letters in common of 19 and 18: 2 * 17 / 37.
    assert [like[0] for like in told["Halvorsen Logistics"]] == ["close, 92 of 100"]


def test_its_file_has_the_same_rows_can_be_read_again_and_holds_no_formula(as_: SignIn, cast: Cast) -> None:
    make_company(name="=1+1", domain="acme.com", owner=cast.rosa)
    make_company(name="Brandt", stage="customer")
    client = as_(cast.otto)
    lines = file_of(client.get(f"{CSV}?owner={cast.rosa.pk}"))
    assert lines == [
        "domain,name,owner,stage,named_account,country_code",
        f"acme.com,'=1+1,{cast.rosa.email},prospect,no,",
    ]
    all_of_them = "\n".join(file_of(client.get(CSV)))
    assert html(pasted(client, all_of_them)).count("nothing changes") == 1


def test_hostile_values_are_shown_as_text(as_: SignIn, cast: Cast) -> None:
    company = make_company(name="<script>alert(1)</script>", domain="a.com", owner=cast.rosa)
    make_company(name="<script>alert(1)</script>", domain="b.com", owner=cast.rosa)
    client = as_(cast.otto)
    for page in (html(client.get(URL)), html(client.get(one(company)))):
        assert "<script>alert" not in page
    assert "<img" not in html(pasted(client, "domain,name\n<img src=x>,<b>"), 200)


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    company = make_company(name="Acme GmbH", owner=cast.rosa)
    make_company(name="Acme Inc", owner=cast.femke)
    counts = (queries(client, URL), queries(client, one(company)))
    for number in range(3):
        make_company(name=f"Halvorsen {number}", owner=cast.jonas)
        make_lead(company=company)
    assert (queries(client, URL), queries(client, one(company))) == counts


# Whose page it is


def test_the_anonymous_are_sent_to_sign_in(client: Client, cast: Cast) -> None:
    sent_to_sign_in(client, URL, NEW, FILE, CSV, f"{URL}1/")


def test_it_is_not_there_for_reps_and_viewers(as_: SignIn, cast: Cast) -> None:
    company = make_company(owner=cast.rosa)
    for user in (cast.femke, cast.vera):
        refuses(as_(user), 404, get=(URL, CSV, NEW, FILE, one(company)), post=(NEW, FILE, one(company)))


def test_managers_and_admins_read(as_: SignIn, cast: Cast) -> None:
    company = make_company(name="Acme", owner=cast.rosa, is_named_account=True)
    for user in (cast.mia, cast.ada):
        client = as_(user)
        refuses(client, 403, post=(NEW, FILE, one(company)))
        refuses(client, 404, get=(NEW, FILE))
        page = html(client.get(one(company)))
        assert "Rosa Lindqvist" in page
        assert "<select" not in page
        assert "Add one" not in html(client.get(URL))
        assert len(file_of(client.get(CSV))) == 2


def test_wrong_methods(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    refuses(client, 405, post=(URL, CSV))
    for url in (NEW, FILE, one(make_company(owner=cast.rosa))):
        assert client.delete(url).status_code == 405
    refuses(client, 404, get=(f"{URL}987654/",), post=(f"{URL}987654/",))


# One account


def test_owner_stage_and_named_are_changed(as_: SignIn, cast: Cast) -> None:
    company = make_company(name="Acme", owner=cast.rosa)
    typed = form(company, owner=cast.femke.email, stage="customer", named_account="yes")
    page = html(as_(cast.otto).post(one(company), typed, follow=True))
    assert "Acme: owner, stage, named account changed." in page
    company.refresh_from_db()
    assert (company.owner, company.stage, company.is_named_account) == (cast.femke, "customer", True)


def test_changing_it_twice_changes_it_once(as_: SignIn, cast: Cast) -> None:
    company = make_company(name="Acme", owner=cast.rosa)
    client, typed = as_(cast.otto), form(company, stage="customer")
    client.post(one(company), typed)
    assert "nothing was changed" in html(client.post(one(company), typed, follow=True))


def test_what_somebody_else_wrote_meanwhile_stands(as_: SignIn, cast: Cast) -> None:
    company = make_company(name="Acme", owner=cast.rosa)
    client = as_(cast.otto)
    typed = form(company, stage="customer")
    Company.objects.filter(pk=company.pk).update(owner=cast.jonas)
    client.post(one(company), typed)
    company.refresh_from_db()
    assert (company.owner, company.stage) == (cast.jonas, "customer")
    stale = {**typed, "owner": cast.femke.email, "was-stage": "customer"}
    page = html(client.post(one(company), stale), 422)
    assert f"Meanwhile somebody set this to “{cast.jonas.email}”." in page
    assert f'<option value="{cast.femke.email}" selected' in page
    company.refresh_from_db()
    assert company.owner == cast.jonas


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"owner": "nobody@x.com"}, "is nobody’s address here".replace("’", "&#x27;")),
        ({"owner": "otto@handoff.example.com"}, "who is not in sales"),
        ({"stage": "friend"}, "is not one of prospect"),
        ({"stage": ""}, "is not one of prospect"),
    ],
)
def test_what_is_wrong_stands_at_its_field(as_: SignIn, cast: Cast, typed: dict[str, str], said: str) -> None:
    company = make_company(name="Acme", owner=cast.rosa)
    page = html(as_(cast.otto).post(one(company), form(company, **typed)), 422)
    assert said in page
    assert 'aria-invalid="true"' in page
    company.refresh_from_db()
    assert (company.owner, company.stage) == (cast.rosa, "prospect")


def test_an_owner_who_left_is_kept_in_the_form_and_told(as_: SignIn, cast: Cast) -> None:
    company = make_company(name="Acme", owner=cast.rosa)
    cast.rosa.is_active = False
    cast.rosa.save()
    client = as_(cast.otto)
    page = html(client.get(one(company)))
    assert f'<option value="{cast.rosa.email}" selected>Rosa Lindqvist (not active)' in page
    assert "Choose somebody else" in page
    assert "not active" in html(client.get(URL))
    client.post(one(company), form(company, stage="customer"))
    company.refresh_from_db()
    assert (company.owner, company.stage) == (cast.rosa, "customer")


def test_a_lead_that_waits_for_a_rule_is_looked_at_again(as_: SignIn, cast: Cast) -> None:
    ruleset = route_to(cast.femke)
    rule = ruleset.document["rules"][0]
    rule["when"] = {"all": [{"field": "company_stage", "op": "in", "value": ["customer"]}]}
    ruleset.save()
    company = make_company(name="Acme")
    handoff = open_handoff(make_lead(company=company))
    assert handoff.missing == ["routing_rule"]
    as_(cast.otto).post(one(company), form(company, stage="customer", owner=cast.rosa.email))
    assert Handoff.objects.get(pk=handoff.pk).assignee == cast.rosa


# A new one


def test_one_is_added_by_its_domain(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    typed = {
        "company": "https://www.halvorsen.no/about", "name": "Halvorsen Logistics AS",
        "owner": cast.rosa.email, "stage": "customer", "named_account": "yes",
    }  # fmt: skip
    page = html(client.post(NEW, typed, follow=True))
    assert "Halvorsen Logistics AS: added." in page
    company = Company.objects.get(domain="halvorsen.no")
    assert (company.owner, company.stage, company.is_named_account) == (cast.rosa, "customer", True)
    assert (company.account_key, company.account_start) == ("halvorsen logistics", "halv")
    assert "nothing was changed" in html(client.post(NEW, typed, follow=True))
    assert Company.objects.count() == 1


def test_one_that_is_known_is_added_by_its_exact_name_and_keeps_the_rest(as_: SignIn, cast: Cast) -> None:
    company = make_company(name="Halvorsen Logistics", stage="customer", owner=cast.rosa)
    client = as_(cast.otto)
    client.post(NEW, {"company": "halvorsen  LOGISTICS", "owner": "", "stage": "", "named_account": "yes"})
    company.refresh_from_db()
    assert (company.owner, company.stage, company.is_named_account) == (cast.rosa, "customer", True)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"company": ""}, "Write the company"),
        ({"company": "gmail.com"}, "free-mail"),
        ({"company": "Nobody Ltd"}, "No company here is called “Nobody Ltd”"),
        ({"company": "Acme"}, "Several companies are called that (acme.com, acme.de DE)"),
        ({"company": "x.com", "named_account": ""}, "without one of these it is no account"),
        ({"company": "x.com", "named_account": "", "owner": "none", "stage": "prospect"}, "it is no account"),
        ({"company": "x.com", "owner": "who@x.com"}, "address here"),
    ],
)
def test_what_cannot_be_added_is_said_and_nothing_typed_is_lost(
    as_: SignIn, cast: Cast, typed: dict[str, str], said: str
) -> None:
    make_company(name="Acme", domain="acme.com")
    make_company(name="Acme", domain="acme.de", country_code="DE")
    page = html(as_(cast.otto).post(NEW, {"named_account": "yes", "name": "Typed & kept", **typed}), 422)
    assert said in page
    assert 'value="Typed &amp; kept"' in page
    assert Company.objects.count() == 2


# A list


def test_a_list_is_looked_at_first_and_then_written(as_: SignIn, cast: Cast) -> None:
    make_company(name="Brandt", domain="brandt.de", owner=cast.femke)
    client = as_(cast.otto)
    text = (
        "domain;name;owner;stage\n"
        f"halvorsen.no;Halvorsen AS;{cast.rosa.email};customer\n"
        "brandt.de;;none;\n"
        "gmail.com;Free;;\n"
        "acme.com;Acme;who@x.com;\n"
    )
    page = html(pasted(client, text, names="yes"))
    assert "This would be: 1 added, 1 changed, 2 left out" in page
    assert "name: Halvorsen AS; owner: Rosa Lindqvist; stage: customer; named account: yes" in page
    assert "owner: Femke de Boer to nobody; named account: no to yes" in page
    assert "is nobody&#x27;s address here" in page
    assert "free-mail" in page
    assert Company.objects.count() == 1

    page = html(pasted(client, text, "apply", names="yes"), 422)
    assert "Done: 1 added, 1 changed, 2 left out" in page
    made = Company.objects.get(domain="halvorsen.no")
    assert (made.owner, made.stage, made.is_named_account) == (cast.rosa, "customer", True)
    brandt = Company.objects.get(domain="brandt.de")
    assert (brandt.owner, brandt.is_named_account) == (None, True)

    good = "\n".join(text.splitlines()[:3])
    again = client.post(FILE, {"text": good, "do": "apply", "names": "yes"}, follow=True)
    assert "2 unchanged." in html(again)


def test_an_uploaded_file_stands_in_the_form_afterwards(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    upload = SimpleUploadedFile("a.csv", "\ufeffdomain,named_account\r\nacme.com,no\r\n".encode())
    page = html(client.post(FILE, {"file": upload, "text": "", "do": "preview", "names": "yes"}))
    assert "domain,named_account\nacme.com,no</textarea>" in page
    assert "Write these rows" in page
    latin = SimpleUploadedFile("a.csv", "domain,name\nacme.com,Müller".encode("latin-1"))
    assert "not UTF-8" in html(client.post(FILE, {"file": latin, "text": "typed", "do": "preview"}), 422)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Paste rows"),
        ("name\nAcme", "column named domain"),
        ("domain,colour\na.com,red", "Unknown column colour"),
        ("domain\n" + "a.com\n" * 5001, "More than 5,000 rows"),
    ],
)
def test_a_list_that_cannot_be_read_is_kept_and_said(as_: SignIn, cast: Cast, text: str, said: str) -> None:
    page = html(pasted(as_(cast.otto), text), 422)
    assert said in page
    assert text[:20] in page
