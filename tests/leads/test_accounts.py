"""Which account a lead belongs to: domain before name, ties and close names shown, evidence kept small."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from leads import accounts, cases
from leads.accounts import AccountMatch
from leads.intake import receive
from leads.models import Company, Handoff, Lead, RoutingDecision
from leads.preflight import Case
from leads.presenters import company as presenter
from tests.conftest import NOW, Cast
from tests.factories import event, make_company, make_handoff, make_lead, open_handoff, route_to


def case(company: Company | None, **lead: Any) -> Case:
    return Case(Lead(**lead), company, "demo_request", "", "demo", None)


def matched(company: Company | None, **lead: Any) -> AccountMatch:
    found = case(company, **lead)
    accounts.match([found])
    assert found.account is not None
    return found.account


def prospect(name: str, **fields: Any) -> Company:
    return make_company(name=name, **fields)


def test_the_domain_comes_before_the_name(cast: Cast) -> None:
    other = make_company(name="Acme GmbH", stage="customer", owner=cast.rosa)
    own = make_company(name="Acme", domain="acme.com", owner=cast.femke)
    match = matched(own)
    assert (match.by, match.company_id, match.owner_id, match.stage) == (
        "domain",
        own.pk,
        cast.femke.pk,
        "prospect",
    )
    assert match.to_json() == {
        "by": "domain", "company": own.pk, "owner": cast.femke.pk, "stage": "prospect", "named": False,
    }  # fmt: skip
    assert other.pk not in match.ties


@pytest.mark.parametrize("what", [{"stage": "partner"}, {"is_named_account": True}, {"owner": "femke"}])
def test_what_makes_a_company_an_account(cast: Cast, what: dict[str, Any]) -> None:
    if "owner" in what:
        what = {"owner": cast.femke}
    account = make_company(name="Halvorsen Logistics AS", **what)
    plain = make_company(name="Brandt Maritime")
    assert matched(prospect("Halvorsen Logistics")).company_id == account.pk
    assert matched(prospect("Brandt Maritime GmbH")) == AccountMatch(key="brandt maritime")
    assert [accounts.is_account(row) for row in (account, plain)] == [True, False]
    assert list(Company.objects.filter(account_start__isnull=False)) == [account]


def test_the_database_keeps_who_is_an_account(cast: Cast) -> None:
    company = make_company(name="Halvorsen AS")
    start = Company.objects.filter(pk=company.pk).values_list("account_start", flat=True)
    assert start.get() is None
    Company.objects.filter(pk=company.pk).update(owner=cast.femke)
    assert start.get() == "halv"
    Company.objects.filter(pk=company.pk).update(owner=None, stage="customer", account_key="bp")
    assert start.get() == "bp"


def test_a_name_without_its_legal_form_is_the_accounts(cast: Cast) -> None:
    account = make_company(
        name="Müller & Söhne GmbH & Co. KG", domain="mueller.de", stage="customer", owner=cast.rosa
    )
    match = matched(prospect("MULLER UND SOHNE"))
    assert (match.by, match.company_id, match.owner_id) == ("name", account.pk, cast.rosa.pk)
    assert match.to_json()["key"] == "muller and sohne"


def test_a_free_mail_lead_who_names_a_customer(cast: Cast) -> None:
    account = make_company(
        name="Halvorsen Logistics AS", domain="halvorsen.no", stage="customer", owner=cast.rosa
    )
    known_by_name_alone = prospect("Halvorsen Logistics", domain=None)
    found = case(known_by_name_alone, email="jane@gmail.com", email_key="jane@gmail.com", country_code="SE")
    accounts.match([found])
    facts = found.facts()
    assert (facts.company_stage, facts.account_owner, facts.named_account) == ("customer", cast.rosa.pk, "no")
    assert found.account is not None
    assert found.account.company_id == account.pk


def test_several_of_one_name_are_a_tie_and_decide_nothing(cast: Cast) -> None:
    first = make_company(name="Acme GmbH", stage="customer", owner=cast.rosa)
    second = make_company(name="Acme Inc", is_named_account=True)
    found = case(prospect("Acme"))
    accounts.match([found])
    assert found.account is not None
    assert (found.account.by, found.account.ties) == ("", (first.pk, second.pk))
    facts = found.facts()
    assert (facts.company_stage, facts.account_owner, facts.named_account) == ("prospect", None, None)
    assert found.account.to_json() == {"ties": [first.pk, second.pk], "key": "acme"}


def test_the_country_tells_them_apart(cast: Cast) -> None:
    german = make_company(name="Acme GmbH", country_code="DE", owner=cast.femke)
    american = make_company(name="Acme Inc", country_code="US", owner=cast.rosa)
    assert matched(prospect("Acme"), country_code="US").company_id == american.pk
    # The company's own country counts before the person's.
    assert matched(prospect("Acme", country_code="DE"), country_code="US").company_id == german.pk
    assert matched(prospect("Acme")).ties == (german.pk, american.pk)


def test_an_account_in_another_country_is_shown_and_not_chosen(cast: Cast) -> None:
    american = make_company(name="Acme Inc", country_code="US", owner=cast.rosa)
    match = matched(prospect("Acme"), country_code="DE")
    assert (match.by, match.company_id, match.close) == ("", None, ((american.pk, 100.0),))


def test_close_names_are_ranked_and_decide_nothing(cast: Cast) -> None:
    names = ["Halvorsen Logistik", "Halvorsen Logistics Norway", "Logistics Halvorsen", "Halverson Logistics"]
    rows = [make_company(name=name, owner=cast.femke) for name in names]
    for number in range(7):
        make_company(name=f"Halvorsen Logistics {number}", owner=cast.femke)
    match = matched(prospect("Halvorsen Logistics AS"))
    assert (match.by, match.owner_id, len(match.close)) == ("", None, 5)
    ranked = [ratio for _, ratio in match.close]
    assert ranked == sorted(ranked, reverse=True)
    assert match.close[0] == (rows[2].pk, 100.0)
    assert min(ranked) >= 90
    assert rows[1].pk not in [pk for pk, _ in match.close]


def test_the_ratio_is_ninety(cast: Cast) -> None:
    # Twenty letters against twenty of which two differ: 2 * 18 / 40 = 90 of 100.
    near = make_company(name="a" * 18 + "bc", owner=cast.femke)
    make_company(name="a" * 17 + "bcf", owner=cast.femke)
    assert matched(prospect("a" * 18 + "de")).close == ((near.pk, 90.0),)


def test_without_a_company_there_is_no_account_and_no_question(cast: Cast) -> None:
    own = make_company(owner=cast.femke)
    with CaptureQueriesContext(connection) as queries:
        assert matched(None) == AccountMatch()
        assert matched(own).by == "domain"
        assert matched(Company(name="", domain="x.com")) == AccountMatch()
    assert len(queries) == 0
    assert case(None).facts().named_account is None


def test_before_the_accounts_are_asked_the_own_row_speaks(cast: Cast) -> None:
    facts = case(make_company(stage="customer", owner=cast.femke, is_named_account=True)).facts()
    assert (facts.company_stage, facts.account_owner, facts.named_account) == (
        "customer",
        cast.femke.pk,
        "yes",
    )


def test_the_evidence_stays_small(cast: Cast) -> None:
    name = "東京海上日動火災保険" * 29
    for number in range(8):
        make_company(name=name if number < 6 else f"{name}{number}", owner=cast.femke)
    match = matched(prospect(name))
    assert len(match.ties) == 5
    assert len(json.dumps(match.to_json())) <= 1024
    close = AccountMatch(key=name[:300], close=tuple((2**62 + n, 99.9) for n in range(5)))
    assert len(json.dumps(close.to_json())) <= 1024


def test_three_cost_as_many_queries_as_thirty(cast: Cast) -> None:
    make_company(name="Halvorsen 1 AS", owner=cast.femke)
    rows = [case(prospect(f"Halvorsen {number}")) for number in range(30)]
    costs = []
    for count in (3, 30):
        with CaptureQueriesContext(connection) as queries:
            accounts.match(rows[:count])
        costs.append(len(queries))
    assert costs == [1, 1]
    assert [row.account.by for row in rows[:3] if row.account] == ["", "name", ""]


# Through intake and routing


def answer(sent: dict[str, Any]) -> dict[str, Any]:
    [found] = receive([sent], None, NOW)
    assert found["status"] == "processed", found
    return found


def test_a_customers_lead_goes_to_the_account_owner(cast: Cast) -> None:
    route_to(cast.femke)
    account = make_company(
        name="Halvorsen Logistics AS", domain="halvorsen.no", stage="customer", owner=cast.rosa
    )
    sent = event(1, company={"name": "HALVORSEN LOGISTICS", "domain": None})
    sent["data"]["lead"]["email"] = "jane@halvorsen-group.com"
    found = answer(sent)
    assert found["handoff"]["assignee"] == cast.rosa.email
    decision = RoutingDecision.objects.get(handoff=found["handoff"]["id"])
    assert decision.account == {
        "by": "name", "company": account.pk, "owner": cast.rosa.pk, "stage": "customer", "named": False,
        "key": "halvorsen logistics",
    }  # fmt: skip
    assert decision.facts["company_stage"] == "customer"
    assert decision.trace["account"] == str(cast.rosa.pk)


def test_by_domain_in_intake_too(cast: Cast) -> None:
    route_to(cast.femke)
    make_company(name="Halvorsen", domain="halvorsen-7.com", owner=cast.rosa, is_named_account=True)
    found = answer(event(7))
    assert found["handoff"]["assignee"] == cast.rosa.email
    decision = RoutingDecision.objects.get(handoff=found["handoff"]["id"])
    assert (decision.account["by"], decision.facts["named_account"]) == ("domain", "yes")


def test_an_owner_who_is_not_active_is_skipped_and_the_trace_says_so(cast: Cast) -> None:
    route_to(cast.femke)
    cast.rosa.is_active = False
    cast.rosa.save()
    make_company(name="Halvorsen", domain="halvorsen-7.com", owner=cast.rosa)
    found = answer(event(7))
    assert found["handoff"]["assignee"] == cast.femke.email
    decision = RoutingDecision.objects.get(handoff=found["handoff"]["id"])
    assert decision.facts["account_owner"] == cast.rosa.pk
    assert {"user": cast.rosa.pk, "skipped": "inactive"} in decision.candidates


def test_a_tie_is_routed_by_the_rules_and_kept(cast: Cast) -> None:
    route_to(cast.femke)
    ties = [make_company(name=f"Halvorsen Logistics {form}", owner=cast.rosa).pk for form in ("AS", "GmbH")]
    found = answer(event(7))
    assert found["handoff"]["assignee"] == cast.femke.email
    decision = RoutingDecision.objects.get(handoff=found["handoff"]["id"])
    assert decision.account == {"ties": ties, "key": "halvorsen logistics"}


def test_routed_again_it_is_asked_again(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke, lead=make_lead(company=prospect("Halvorsen Logistics")))
    [before] = cases.load([handoff])
    assert before.account == AccountMatch(key="halvorsen logistics")
    account = make_company(name="Halvorsen Logistics AS", owner=cast.rosa)
    [after] = cases.load([Handoff.objects.select_related("lead__company").get(pk=handoff.pk)])
    assert after.account is not None
    assert (after.account.by, after.account.company_id) == ("name", account.pk)


def test_a_company_keeps_its_key_when_its_name_changes(cast: Cast) -> None:
    route_to(cast.femke)
    answer(event(7, company={"name": "Halvorsen Logistics AS"}))
    company = Company.objects.get(domain="halvorsen-7.com")
    assert company.account_key == "halvorsen logistics"
    sent = event(7, id="later", company={"name": "Brandt Maritime GmbH"})
    answer(sent)
    company.refresh_from_db()
    assert company.account_key == "brandt maritime"


def test_a_placeholder_is_no_accounts_name(cast: Cast) -> None:
    route_to(cast.femke)
    make_company(name="Company GmbH", owner=cast.rosa)
    answer(event(7, company={"name": "company"}))
    assert Company.objects.get(domain="halvorsen-7.com").account_key == ""


# In words


def test_the_lead_page_says_how_it_was_matched(cast: Cast) -> None:
    account = make_company(
        name="Halvorsen AS", domain="halvorsen.no", country_code="NO", stage="customer", owner=cast.rosa
    )
    other = make_company(name="Halvorsen Ltd", domain="halvorsen.co.uk", owner=cast.femke)
    known = {account.pk: account, other.pk: other}

    def words(match: dict[str, Any]) -> str:
        fact = presenter.matched(match, {pk: known[pk] for pk in presenter.accounts_of(match)})
        return fact.text if fact else ""

    assert words({}) == ""
    assert words({"by": "domain", "company": account.pk}) == ""
    assert words({"by": "name", "company": account.pk}) == (
        "Customer, Rosa Lindqvist owns it. Matched to the account Halvorsen AS (halvorsen.no, NO) by its name"
    )
    assert words({"ties": [account.pk, other.pk]}) == (
        "none chosen: 2 accounts have this name "
        "(Halvorsen AS (halvorsen.no, NO), Halvorsen Ltd (halvorsen.co.uk))"
    )
    assert words({"close": [[other.pk, 93.3]]}) == (
        "none. Close to the account Halvorsen Ltd (halvorsen.co.uk), a name 93 of 100 alike"
    )


def test_the_lead_page_shows_it(as_: Any, cast: Cast) -> None:
    route_to(cast.femke)
    make_company(name="Halvorsen Logistics AS", domain="halvorsen.no", stage="customer", owner=cast.rosa)
    handoff = open_handoff(make_lead(company=prospect("Halvorsen Logistics")))
    page = as_(cast.rosa).get(f"/handoffs/{handoff.pk}/").content.decode()
    assert "Matched to the account Halvorsen Logistics AS (halvorsen.no) by its name" in page
