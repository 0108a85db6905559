"""A lead put right by hand: what is written, what is refused, and what follows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leads import editing, lifecycle
from leads.lifecycle import Act, Invalid
from leads.models import Company, Complaint, DuplicatePair, Handoff, Lead, LeadAlias
from tests.conftest import NOW, Cast
from tests.factories import make_company, make_handoff, make_lead, open_handoff, route_to

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def act(cast: Cast) -> Act:
    return Act(LATER, cast.otto)


def errors(lead: Lead, changes: dict[str, str], act: Act) -> dict[str, str]:
    before = Lead.objects.filter(pk=lead.pk).values().get()
    with pytest.raises(Invalid) as caught:
        editing.edit(lead, changes, act)
    assert Lead.objects.filter(pk=lead.pk).values().get() == before
    return caught.value.errors


def test_writes_the_fields_with_their_time_and_keys(act: Act) -> None:
    lead = make_lead(first_name="J.", phone="")
    changed = editing.edit(lead, {"first_name": " Jeanne ", "phone": "030 1234567"}, act)
    assert changed == {"first_name", "phone"}
    lead.refresh_from_db()
    assert (lead.first_name, lead.phone_key) == ("Jeanne", "+49301234567")
    assert "jeanne" in lead.name_key
    assert lead.field_times["first_name"] == LATER.isoformat()
    assert lead.updated_at == LATER


def test_the_same_again_changes_nothing(act: Act) -> None:
    lead = make_lead()
    assert editing.edit(lead, editing.held(lead), act) == set()
    lead.refresh_from_db()
    assert lead.updated_at == NOW


def test_a_newer_fact_is_not_written_over(act: Act) -> None:
    lead = make_lead(field_times={"job_title": (LATER + timedelta(minutes=1)).isoformat()})
    assert errors(lead, {"job_title": "Intern"}, act) == {
        "job_title": "A newer value has come in: Head of Operations"
    }


def test_times_compare_whatever_zone_the_act_is_in(act: Act) -> None:
    lead = make_lead(field_times={"job_title": NOW.isoformat()})
    behind = LATER.astimezone(datetime.now().astimezone().tzinfo)
    assert editing.edit(lead, {"job_title": "CFO"}, Act(behind, act.user)) == {"job_title"}
    lead.refresh_from_db()
    assert lead.field_times["job_title"] == LATER.astimezone(UTC).isoformat()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("email", "not an address", "is not an e-mail address"),
        ("email", "a" * 330 + "@example.com", "has more than 320 characters"),
        ("email", "", "nothing says who this is"),
        ("first_name", "x" * 301, "has more than 300 characters"),
        ("first_name", "n/a", "only stands in for a name"),
        ("country_code", "Germany", "is not a country code"),
        ("size_band", "many", "is not one of"),
        ("employee_count", "12.5", "is not a number of people"),
        ("employee_count", "9" * 39, "is not a number of people"),
        ("website", "javascript:alert(1)", "is not a web address"),
        ("linkedin_url", "data:text/html,x", "is not a web address"),
        ("suppressed_at", "now", "cannot be edited here"),
    ],
)
def test_what_is_wrong_is_said_by_its_field(act: Act, name: str, value: str, said: str) -> None:
    found = errors(make_lead(), {name: value}, act)
    assert list(found) == [name]
    assert said in found[name]


def test_one_wrong_field_keeps_all_from_being_written(act: Act) -> None:
    found = errors(make_lead(), {"first_name": "Anna", "country_code": "Germany", "email": "no"}, act)
    assert set(found) == {"country_code", "email"}


def test_control_characters_do_not_get_in(act: Act) -> None:
    lead = make_lead()
    editing.edit(lead, {"last_name": "O\x00Brien\u2028Ng"}, act)
    lead.refresh_from_db()
    assert lead.last_name == "O Brien Ng"


def test_the_former_address_stays_an_alias(act: Act) -> None:
    lead = make_lead(email="old@acme-one.example.com")
    assert editing.edit(lead, {"email": "New@acme-one.example.com"}, act) == {"email"}
    lead.refresh_from_db()
    assert (lead.email, lead.email_key) == ("New@acme-one.example.com", "new@acme-one.example.com")
    assert list(lead.aliases.values_list("email_key", flat=True)) == ["old@acme-one.example.com"]
    editing.edit(lead, {"email": "old@acme-one.example.com"}, act)
    assert list(lead.aliases.values_list("email_key", flat=True)) == ["new@acme-one.example.com"]


@pytest.mark.parametrize("as_alias", [False, True])
def test_another_leads_address_is_refused_and_the_two_are_raised(act: Act, as_alias: bool) -> None:
    lead, other = make_lead(), make_lead(email="kept@acme-two.example.com", first_name="Otti")
    if as_alias:
        LeadAlias.objects.create(lead=other, email_key="former@acme-two.example.com", added_at=NOW)
    wanted = "former@acme-two.example.com" if as_alias else "KEPT@acme-two.example.com"
    assert "address of Otti" in errors(lead, {"email": wanted}, act)["email"]
    pair = DuplicatePair.objects.get()
    assert {pair.first_id, pair.second_id} == {lead.pk, other.pk}
    assert pair.status == DuplicatePair.Status.OPEN
    errors(lead, {"email": wanted}, act)
    assert DuplicatePair.objects.count() == 1


def test_a_merged_lead_is_not_edited(act: Act) -> None:
    keep, gone = make_lead(), make_lead()
    lifecycle.merge(keep, gone, act)
    assert "merged" in errors(gone, {"first_name": "Anna"}, act)[""]


def test_a_name_like_a_colleagues_raises_a_possible_duplicate(act: Act) -> None:
    company = make_company()
    make_lead(first_name="Anna", last_name="Schmidt", company=company)
    lead = make_lead(first_name="A.", last_name="Schmitz", company=company)
    editing.edit(lead, {"first_name": "Anna", "last_name": "Schmidt"}, act)
    assert DuplicatePair.objects.filter(status="open").count() == 1


# The company


def test_the_companys_own_row_is_renamed_where_its_domain_is_known(act: Act) -> None:
    lead = make_lead()
    changed = editing.edit(lead, {"company_name": "Puertos SpA", "employee_count": "420"}, act)
    assert changed == {"company_name", "employee_count"}
    company = Company.objects.get()
    assert (company.name, company.name_key, company.size_band) == ("Puertos SpA", "puertos spa", "201-500")


def test_without_a_company_the_addresss_domain_names_one(act: Act) -> None:
    lead = make_lead(email="kenji@fujimoto-precision.com", company=None)
    editing.edit(lead, {"company_name": "Fujimoto"}, act)
    lead.refresh_from_db()
    assert lead.company is not None
    assert (lead.company.domain, lead.company.name) == ("fujimoto-precision.com", "Fujimoto")


def test_a_known_company_keeps_the_name_it_has(act: Act) -> None:
    known = make_company(domain="fujimoto-precision.com", name="Fujimoto K.K.", industry="")
    lead = make_lead(email="kenji@fujimoto-precision.com", company=None)
    editing.edit(lead, {"company_name": "fuji", "industry": "Machines"}, act)
    lead.refresh_from_db()
    known.refresh_from_db()
    assert lead.company == known
    assert (known.name, known.industry) == ("Fujimoto K.K.", "Machines")


def test_a_business_address_gives_the_company_its_domain(act: Act) -> None:
    company = make_company(domain=None, name="Fujimoto K.K.")
    lead = make_lead(email="kenji.w88@gmail.com", company=company)
    editing.edit(lead, {"email": "kenji@fujimoto-precision.com"}, act)
    lead.refresh_from_db()
    assert lead.company is not None
    assert (lead.company.pk, lead.company.domain) == (company.pk, "fujimoto-precision.com")


def test_strangers_under_one_placeholder_are_not_renamed_together(act: Act) -> None:
    shared = make_company(domain=None, name="n/a")
    stranger = make_lead(email="a@gmail.com", company=shared)
    lead = make_lead(email="b@gmail.com", company=shared)
    editing.edit(lead, {"company_name": "Acme"}, act)
    lead.refresh_from_db()
    stranger.refresh_from_db()
    assert lead.company is not None and lead.company.name == "Acme"
    assert stranger.company is not None and stranger.company.name == "n/a"
    editing.edit(stranger, {"company_name": "ACME"}, act)
    stranger.refresh_from_db()
    assert stranger.company_id == lead.company_id


def test_a_size_alone_says_that_the_name_is_missing(act: Act) -> None:
    lead = make_lead(email="b@gmail.com", company=None)
    assert "company's name" in errors(lead, {"size_band": "11-50"}, act)["size_band"]


# What follows


def test_the_waiting_handoff_is_checked_again_and_goes_on(cast: Cast, act: Act) -> None:
    route_to(cast.femke)
    handoff = open_handoff(make_lead(first_name="J."))
    assert handoff.state == "incomplete"
    editing.edit(handoff.lead, {"first_name": "Jeanne"}, act)
    handoff.refresh_from_db()
    assert (handoff.state, handoff.assignee) == ("assigned", cast.femke)


def test_colleagues_of_a_completed_company_go_on_too(cast: Cast, act: Act) -> None:
    route_to(cast.femke)
    company = make_company(name="")
    first = open_handoff(make_lead(company=company))
    second = open_handoff(make_lead(company=company))
    assert {first.state, second.state} == {"incomplete"}
    editing.edit(first.lead, {"company_name": "Acme"}, act)
    assert set(Handoff.objects.values_list("state", flat=True)) == {"assigned"}


def test_a_report_of_wrong_data_is_settled_by_a_change_of_its_field(cast: Cast, act: Act) -> None:
    handoff = make_handoff("assigned", cast.femke)
    said: dict[str, Any] = {"handoff": handoff, "lead": handoff.lead, "text": "Wrong", "by": cast.femke}
    phone = Complaint.objects.create(field="phone", at=NOW, **said)
    vague = Complaint.objects.create(field="", at=NOW, **said)
    editing.edit(handoff.lead, {"phone": "+49 30 1234567"}, act)
    phone.refresh_from_db()
    vague.refresh_from_db()
    assert (phone.cleared_at, phone.cleared_by) == (LATER, cast.otto)
    assert vague.cleared_at is None


def test_only_what_the_person_changed_counts_as_typed() -> None:
    given = {"first_name": "Anna", "was-first_name": "A.", "last_name": "Ng ", "was-last_name": "Ng"}
    assert editing.typed(given | {"phone": "", "csrf": "x"}) == {"first_name": "Anna", "phone": ""}
