"""Last write wins, field by field. In memory: nothing is saved here."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.intake.fields import MOST_FIELDS, apply_company, apply_lead, company_key, set_entry, set_field
from leads.intake.schema import CompanyIn, parse
from leads.models import Company, Lead
from leads.preflight import DEFAULT_PLACEHOLDERS
from tests.acting import at
from tests.conftest import NOW
from tests.factories import event

WORDS = frozenset(DEFAULT_PLACEHOLDERS)


def told(lead, when=NOW, **fields):
    """Apply an event that says just this about the person."""
    raw = event(1)
    raw["data"] = {"lead": {"external_ids": [{"system": "map", "id": "1"}]} | fields}
    found, wrong = parse(raw)
    assert wrong == []
    return apply_lead(lead, found, when, WORDS)


def sourced(lead, when=NOW, **fields):
    raw = event(1)
    raw["data"] = {"lead": {"email": "jane@acme.com"}, "source": fields}
    return apply_lead(lead, parse(raw)[0], when, WORDS)


def company_told(company, when=NOW, **fields):
    return apply_company(company, CompanyIn.model_validate(fields), when, WORDS)


def test_the_newer_fact_wins_whatever_comes_first():
    lead = Lead()
    assert told(lead, at(hours=1), job_title="CTO") == {"job_title"}
    assert told(lead, NOW, job_title="Intern") == set()
    assert lead.job_title == "CTO"
    assert told(lead, at(hours=2), job_title="CEO") == {"job_title"}
    assert lead.job_title == "CEO"


def test_of_two_at_one_moment_the_later_received_wins():
    lead = Lead()
    told(lead, NOW, job_title="CTO")
    assert told(lead, NOW, job_title="CEO") == {"job_title"}
    assert lead.job_title == "CEO"


def test_a_fact_said_again_is_newer_though_nothing_changes():
    lead = Lead()
    told(lead, NOW, job_title="CTO")
    assert told(lead, at(hours=2), job_title="CTO") == set()
    assert told(lead, at(hours=1), job_title="Intern") == set()
    assert lead.job_title == "CTO"


def test_microseconds_count():
    lead = Lead()
    told(lead, at(microseconds=1), job_title="CTO")
    assert told(lead, NOW, job_title="Intern") == set()


def test_omitted_is_unchanged_and_null_clears():
    lead = Lead()
    told(lead, NOW, first_name="Jane", last_name="Doe", phone="+49 30 1234567", job_title="CTO")
    assert told(lead, at(hours=1), job_title=None) == {"job_title"}
    assert (lead.first_name, lead.job_title) == ("Jane", "")
    assert told(lead, at(hours=1), first_name=None, phone=None) == {"first_name", "phone"}
    assert (lead.first_name, lead.phone, lead.phone_key, lead.name_key) == ("", "", "", "doe")
    # Cleared at a moment, it is not filled again by what is older.
    assert told(lead, at(minutes=30), first_name="Joan") == set()


@pytest.mark.parametrize("fake", ["test", "N/A", "-", "x", "J", "123", "???"])
def test_a_placeholder_never_overwrites_a_real_value(fake):
    lead, company = Lead(), Company()
    told(lead, NOW, first_name="Jane", last_name="Doe", job_title="CTO")
    company_told(company, NOW, name="Acme", industry="Steel")
    assert told(lead, at(hours=1), first_name=fake, last_name=fake, job_title=fake) == set()
    assert company_told(company, at(hours=1), name=fake, industry=fake) == set()
    assert (lead.first_name, lead.job_title, company.name, company.name_key) == (
        "Jane",
        "CTO",
        "Acme",
        "acme",
    )
    # It left no mark either: an older real value than the placeholder still counts.
    assert told(lead, at(minutes=30), first_name="Joan") == {"first_name"}


def test_a_placeholder_stands_where_nothing_better_is_known():
    lead = Lead()
    assert told(lead, NOW, first_name="test") == {"first_name"}
    assert told(lead, at(hours=1), first_name="asdf") == {"first_name"}
    assert told(lead, at(hours=2), first_name="Jane") == {"first_name"}


def test_words_that_are_real_elsewhere():
    lead = Lead()
    told(lead, NOW, country_code="DE", region="Bavaria", language="de")
    told(lead, at(hours=1), country_code="ME", region="ME", language="na")
    assert (lead.country_code, lead.region, lead.language) == ("ME", "ME", "na")


def test_consent_is_taken_back_by_an_explicit_word_only():
    lead = Lead()
    assert told(lead, NOW, consent={"email_opt_out": True}) == {"email_opt_out"}
    assert told(lead, at(hours=1), consent={"email_opt_out": None}) == set()
    assert told(lead, at(hours=1), consent=None) == set()
    assert lead.email_opt_out is True
    assert told(lead, at(hours=2), consent={"email_opt_out": False}) == {"email_opt_out"}


def test_custom_fields_each_by_themselves():
    lead = Lead()
    assert told(lead, at(hours=1), custom={"a": 1, "b": "x"}) == {"custom"}
    assert told(lead, NOW, custom={"a": 2, "c": True}) == {"custom"}
    assert lead.custom == {"a": 1, "b": "x", "c": True}
    assert told(lead, at(hours=2), custom={"a": 1}) == set()
    assert told(lead, at(hours=1, minutes=30), custom={"a": 5}) == set()
    assert told(lead, at(hours=2), custom={"b": None}) == {"custom"}
    assert lead.custom == {"a": 1, "c": True}
    assert told(lead, at(hours=1), custom={"b": "late"}) == set()
    assert told(lead, at(hours=3), custom=None) == {"custom"}
    assert (lead.custom, told(lead, at(hours=3), custom=None)) == ({}, set())


def test_one_and_true_are_two_things():
    lead = Lead()
    told(lead, NOW, custom={"a": 1})
    assert told(lead, at(hours=1), custom={"a": True}) == {"custom"}
    assert lead.custom["a"] is True


def test_a_row_does_not_grow_for_ever():
    lead = Lead()
    for number in range(MOST_FIELDS + 50):
        set_entry(lead, "custom", f"key{number}", number, NOW)
        set_entry(lead, "custom", f"key{number}", None, NOW)
    assert len(lead.field_times) == MOST_FIELDS
    # What is known already can still change.
    assert set_entry(lead, "custom", "key1", "new", at(hours=1)) is True


def test_source_and_attribution():
    lead = Lead()
    changed = sourced(lead, NOW, lead_source="Webinar", channel="Event", utm_campaign="spring", utm_term="a")
    assert changed == {"lead_source", "channel", "campaign", "attribution"}
    assert (lead.campaign, lead.attribution) == ("spring", {"utm_campaign": "spring", "utm_term": "a"})
    sourced(lead, at(hours=2), utm_source="x")
    assert sourced(lead, at(hours=1), utm_term="b", utm_source="old") == {"attribution"}
    assert lead.attribution == {"utm_campaign": "spring", "utm_term": "b", "utm_source": "x"}
    assert sourced(lead, at(hours=3), utm_term=None, lead_source=None) == {"attribution", "lead_source"}
    assert (lead.lead_source, "utm_term" in lead.attribution) == ("", False)


def test_the_keys_follow():
    lead = Lead()
    told(lead, NOW, first_name="Wei", last_name="Tan", phone="030 1234567", country_code="DE")
    assert (lead.name_key, lead.phone_key) == ("tan wei", "+49301234567")
    told(lead, at(hours=1), country_code="AT")
    assert lead.phone_key == "+43301234567"


def test_the_band_follows_the_head_count():
    company = Company()
    assert company_told(company, NOW, employee_count=420) == {"employee_count", "size_band"}
    assert company.size_band == "201-500"
    assert company_told(company, at(hours=1), size_band="51-200") == {"size_band"}
    # Null takes back what was said; the head count still stands.
    assert company_told(company, at(hours=2), size_band=None) == {"size_band"}
    assert company.size_band == "201-500"
    assert company_told(company, at(hours=3), employee_count=None, size_band=None) == {
        "employee_count",
        "size_band",
    }
    assert (company.employee_count, company.size_band) == (None, "")


@pytest.mark.parametrize(
    ("count", "band"),
    [
        (0, ""),
        (1, "1-10"),
        (10, "1-10"),
        (11, "11-50"),
        (50, "11-50"),
        (51, "51-200"),
        (200, "51-200"),
        (201, "201-500"),
        (500, "201-500"),
        (501, "501-1000"),
        (1000, "501-1000"),
        (1001, "1001-5000"),
        (5000, "1001-5000"),
        (5001, "5001-10000"),
        (10000, "5001-10000"),
        (10001, "10001+"),
    ],
)
def test_bands(count, band):
    company = Company()
    company_told(company, NOW, employee_count=count)
    assert company.size_band == band


def test_revenue_is_one_fact_in_two_columns():
    company = Company()
    company_told(company, NOW, annual_revenue={"amount": "100", "currency": "EUR"})
    assert company_told(company, at(hours=1), annual_revenue={"amount": "100", "currency": "USD"}) == {
        "revenue_currency"
    }
    assert company_told(company, NOW, annual_revenue={"amount": "7", "currency": "CHF"}) == set()
    assert (company.revenue_amount, company.revenue_currency) == (Decimal(100), "USD")
    company_told(company, at(hours=2), annual_revenue=None)
    assert (company.revenue_amount, company.revenue_currency) == (None, "")


def test_lists_are_replaced_as_a_whole():
    company = Company()
    company_told(company, NOW, technologies=["a", "b"], news=[{"title": "x"}])
    company_told(company, at(hours=1), technologies=["c"])
    assert (company.technologies, company.news) == (["c"], [{"title": "x", "url": "", "date": ""}])
    company_told(company, at(hours=2), technologies=None, news=None)
    assert (company.technologies, company.news) == ([], [])


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Acme, Inc.", "acme inc"),
        ("ÄCME  GmbH", "acme gmbh"),
        ("株式会社", "株式会社"),
        ("n/a", ""),
        ("-", ""),
        ("", ""),
        (None, ""),
        ("!!!", ""),
    ],
)
def test_the_key_of_a_company_without_a_domain(name, key):
    assert company_key(name, WORDS) == key


facts = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["CTO", "CEO", "Intern", None])), max_size=12)


@given(facts)
def test_in_any_order_the_newest_fact_stands(said):
    lead = Lead()
    for minute, title in said:
        told(lead, at(minutes=minute), job_title=title)
    newest: tuple[int, str] = (-1, "")
    for minute, title in said:
        if minute >= newest[0]:
            newest = (minute, title or "")
    assert lead.job_title == newest[1]


@given(facts)
def test_custom_fields_obey_the_same_law(said):
    lead, row = Lead(), Lead()
    for minute, title in said:
        set_entry(lead, "custom", "title", title, at(minutes=minute))
        set_field(row, "job_title", title or "", at(minutes=minute), frozenset())
    assert lead.custom.get("title", "") == row.job_title
