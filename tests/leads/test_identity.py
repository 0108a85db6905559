import unicodedata
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from leads import identity
from leads.identity import Identity, Match
from leads.models import DuplicatePair, ExternalId, Lead, LeadAlias
from tests.conftest import NOW
from tests.factories import make_company, make_lead


@pytest.mark.parametrize(
    ("given_", "key"),
    [
        ("  Jane.Doe@ACME.com ", "jane.doe@acme.com"),
        ("jane+news@acme.com", "jane+news@acme.com"),
        ("j.a.n.e+x@gmail.com", "jane@gmail.com"),
        ("Jane@GoogleMail.com", "jane@gmail.com"),
        ("+tag@gmail.com", "+tag@gmail.com"),
        ("jane.doe+x@hotmail.com", "jane.doe@hotmail.com"),
        ("jane@acme.com.", "jane@acme.com"),
        ("ｊａｎｅ@acme.com", "jane@acme.com"),
        ("josé@acme.com", "josé@acme.com"),
        ("jane@münchen.de", "jane@münchen.de"),
    ],
)
def test_an_address_has_one_key(given_, key):
    assert identity.normalise_email(given_) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "jane",
        "jane@",
        "@acme.com",
        "jane@acme",
        "jane@acme..com",
        "jane doe@acme.com",
        "jane@@acme.com",
        "a@b@acme.com",
        "jane\x00@acme.com",
        "jane\u202e@acme.com",
        "jane@ac\u00adme.com",
        "jane\ud800@acme.com",
        "<jane@acme.com>",
        "ﷺ@acme.com",
        "a" * 320 + "@acme.com",
    ],
)
def test_what_is_no_address_names_nobody(text):
    assert identity.normalise_email(text) == ""


@given(st.emails())
def test_a_key_is_its_own_key(address):
    key = identity.normalise_email(address)
    assert identity.normalise_email(key) == key
    assert identity.normalise_email(f" {address.upper()} ") == identity.normalise_email(address.upper())


@given(st.text(max_size=400))
def test_no_text_breaks_a_key(text):
    assert len(identity.normalise_email(text)) <= 320
    assert len(identity.name_key(text, text)) <= 410
    assert identity.phone_key(text[:60], "DE") == "" or identity.phone_key(text[:60], "DE")[0] == "+"
    domain = identity.registrable_domain(text)
    assert domain is None or 0 < len(domain) <= 253


@pytest.mark.parametrize(
    ("value", "domain"),
    [
        ("https://www.acme.co.uk/about?x=1#y", "acme.co.uk"),
        ("jane@mail.acme.de", "acme.de"),
        ("acme.com:8080", "acme.com"),
        ("http://acme.com@evil.com/", "evil.com"),
        ("http://acme.com/?mail=a@evil.com", "acme.com"),
        ("localhost", None),
        ("10.0.0.1", None),
        ("javascript:alert(1)", None),
        ("http://[::1", None),
        ("com", None),
        ("x" * 3000, None),
    ],
)
def test_a_registrable_domain(value, domain):
    assert identity.registrable_domain(value) == domain


@pytest.mark.parametrize(
    "domain",
    [
        "gmail.com",
        "yahoo.co.in",
        "hotmail.fr",
        "outlook.de",
        "live.com",
        "mailinator.com",
        "x.mailinator.com",
        "GMX.at",
        "web.de",
        "rediffmail.com",
        "qq.com",
        "proton.me",
    ],
)
def test_free_mail(domain):
    assert identity.is_free_mail(domain) is True


@pytest.mark.parametrize("domain", ["acme.com", "gmail.acme.com", "siemens.de", "ox.ac.uk", ""])
def test_not_free_mail(domain):
    assert identity.is_free_mail(domain) is False


@pytest.mark.parametrize(
    ("mail", "stated", "website", "domain"),
    [
        ("jane@acme.com", "", "", "acme.com"),
        ("jane@acme.com", "group.com", "", "group.com"),
        ("jane@gmail.com", "https://acme.com/x", "", "acme.com"),
        ("jane@gmail.com", "", "", None),
        ("jane@gmail.com", "gmail.com", "", None),
        ("jane@acme.com", "gmail.com", "", "acme.com"),
        ("jane@acme.com", "", "https://holding.com", "acme.com"),
        ("jane@gmail.com", "", "https://acme.com", "acme.com"),
        ("jane@gmail.com", "", "https://linkedin.com/company/acme", None),
        ("", "", "", None),
    ],
)
def test_the_domain_of_a_company(mail, stated, website, domain):
    assert identity.company_domain(mail, stated, website) == domain


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("Wei", "Tan"), ("Tan", "Wei"), True),
        (("José", "Al-Farsi"), ("jose", "al farsi"), True),
        (("Christina", "Schmidt"), ("Christina", "Schmitt"), True),
        # 22 of 24 letters are less than 92 %.
        (("Anna", "Schmidt"), ("Anna", "Schmitt"), False),
        (("Anna", "Schmidt"), ("Hanna", "Schulz"), False),
        (("Иван", "Петров"), ("иван", "петров"), True),
        (("山田", "太郎"), ("山田", "太郎"), True),
        (("", ""), ("", ""), False),
        (("🙂", ""), ("🙂", ""), False),
    ],
)
def test_similar_names(one, other, same):
    assert identity.similar(identity.name_key(*one), identity.name_key(*other)) is same


def test_the_ratio_is_ninety_two():
    # 25 letters of which one differs in each: 2 * 23 / 50 = 92 %.
    assert identity.similar("a" * 23 + "bc", "a" * 23 + "de") is True
    assert identity.similar("a" * 22 + "bcf", "a" * 22 + "deg") is False


@pytest.mark.parametrize(
    ("phone", "country", "key"),
    [
        ("+49 30 1234567", "", "+49301234567"),
        ("030 1234567", "DE", "+49301234567"),
        ("030 1234567", "", ""),
        ("0049 30 1234567", "DE", "+49301234567"),
        ("call me", "DE", ""),
        ("1", "DE", ""),
        ("\ud800", "DE", ""),
        ("030 1234567", "XX", ""),
        ("٠٣٠١٢٣٤٥٦٧", "DE", "+49301234567"),
    ],
)
def test_a_phone_number_in_e164(phone, country, key):
    assert identity.phone_key(phone, country) == key


def test_find_by_address_alias_and_id(db):
    jane, john = make_lead(email="jane@acme.com"), make_lead(email="john@acme.com")
    LeadAlias.objects.create(lead=jane, email_key="jane@old.com", added_at=NOW)
    number = ("map", "contact", "7")
    ExternalId.objects.create(lead=john, system="map", object="contact", value="7")
    asked = [
        Identity("jane@acme.com", ()),
        Identity("jane@old.com", ()),
        Identity("", (number, ("crm", "contact", "7"))),
        Identity("nobody@acme.com", (("map", "lead", "7"),)),
    ]
    found = identity.find(asked)
    assert [match.lead for match in found] == [jane, jane, john, None]
    assert [match.known_ids for match in found] == [frozenset(), frozenset(), {number}, frozenset()]
    # One lead is one object.
    assert found[0].lead is found[1].lead


def test_the_id_wins_and_the_other_is_a_possible_duplicate(db):
    jane, john = make_lead(email="jane@acme.com"), make_lead(email="john@acme.com")
    ExternalId.objects.create(lead=john, system="map", object="contact", value="7")
    [match] = identity.find([Identity("jane@acme.com", (("map", "contact", "7"),))])
    assert match == Match(john, frozenset({("map", "contact", "7")}), (jane,), True)


def test_two_ids_of_two_leads_are_a_possible_duplicate(db):
    jane, john = make_lead(), make_lead()
    for lead, value in ((jane, "1"), (john, "2")):
        ExternalId.objects.create(lead=lead, system="map", object="contact", value=value)
    [match] = identity.find([Identity("", (("map", "contact", "1"), ("map", "contact", "2")))])
    assert (match.lead, match.others, match.is_taken) == (jane, (john,), False)


def test_nobody_is_locked_whom_parts_of_two_ids_name(db):
    ExternalId.objects.create(lead=make_lead(), system="map", object="contact", value="2")
    asked = [Identity("", (("map", "contact", "1"),)), Identity("", (("crm", "deal", "2"),))]
    with CaptureQueriesContext(connection) as queries:
        assert identity.find(asked) == [Match(None), Match(None)]
    assert [query["sql"].partition(" FROM ")[2].split()[0] for query in queries] == ['"leads_externalid"']


def test_a_merged_lead_stands_for_the_one_it_went_into(db):
    first, second, third = make_lead(), make_lead(), make_lead(email="third@acme.com")
    Lead.objects.filter(pk=third.pk).update(merged_into=second)
    Lead.objects.filter(pk=second.pk).update(merged_into=first)
    [match] = identity.find([Identity("third@acme.com", ())])
    assert match.lead == first


def test_finding_costs_the_same_for_three_and_thirty(db):
    leads = [make_lead() for _ in range(30)]
    for number, lead in enumerate(leads):
        ExternalId.objects.create(lead=lead, system="map", object="", value=str(number))
    counts = []
    for count in (3, 30):
        asked = [Identity(lead.email_key, (("map", "", str(n)),)) for n, lead in enumerate(leads[:count])]
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert [match.lead for match in identity.find(asked)] == leads[:count]
        counts.append(len(queries))
    assert counts == [3, 3]


def pairs(status="open"):
    rows = DuplicatePair.objects.filter(status=status).order_by("first_id", "second_id")
    return [(row.first_id, row.second_id, row.evidence["same"]) for row in rows]


def test_the_same_company_and_a_similar_name(db):
    company = make_company()
    one = make_lead(first_name="Christina", last_name="Schmidt", company=company)
    other = make_lead(first_name="Christina", last_name="Schmitt", company=company)
    make_lead(first_name="Bernd", last_name="Schmidt", company=company)
    make_lead(first_name="Christina", last_name="Schmidt")
    assert [pair.second for pair in identity.find_duplicates([other], NOW)] == [other]
    assert pairs() == [(one.pk, other.pk, "company")]
    assert identity.with_open_duplicate([one.pk, other.pk]) == {one.pk, other.pk}


def test_the_same_phone_and_a_similar_name(db):
    one = make_lead(first_name="Wei", last_name="Tan", phone="+49 30 1234567")
    other = make_lead(first_name="Tan", last_name="Wei", phone="030 1234567", country_code="DE")
    make_lead(first_name="Otto", last_name="Maier", phone="+49 30 1234567")
    identity.find_duplicates([other], NOW)
    assert pairs() == [(one.pk, other.pk, "phone")]


def test_nameless_leads_are_nobodys_duplicates(db):
    company = make_company()
    made = [make_lead(first_name="", last_name="", company=company, phone="+49301234567") for _ in "ab"]
    assert identity.find_duplicates(made, NOW) == []


def test_different_people_are_remembered(db):
    company = make_company()
    one, other = (make_lead(first_name="Anna", last_name="Schmidt", company=company) for _ in "ab")
    identity.find_duplicates([one, other], NOW)
    DuplicatePair.objects.update(status="different")
    assert identity.find_duplicates([one, other], NOW) == []
    assert (pairs(), pairs("different")) == ([], [(one.pk, other.pk, "company")])


def test_what_was_known_of_the_merged_lead_holds_for_the_kept_one(cast):
    keep, gone, twin, stranger = (make_lead() for _ in range(4))
    when = NOW + timedelta(hours=1)
    identity.raise_pairs(
        {(keep.pk, gone.pk): {"same": "phone"}, (gone.pk, twin.pk): {"same": "company"}}, NOW
    )
    DuplicatePair.objects.create(
        first=gone, second=stranger, evidence={"same": "name"}, status="different", found_at=NOW
    )
    identity.move_pairs(keep.pk, gone.pk, cast.otto, when)
    assert pairs() == [(keep.pk, twin.pk, "company")]
    assert pairs("different") == [(keep.pk, stranger.pk, "name"), (gone.pk, stranger.pk, "name")]
    assert pairs("merged") == [(keep.pk, gone.pk, "phone"), (gone.pk, twin.pk, "company")]
    decided = DuplicatePair.objects.get(first=keep, second=gone)
    assert (decided.decided_by, decided.decided_at) == (cast.otto, when)


@given(
    st.text(
        st.sampled_from("aZ9 _-.'éİßﬁ²½Ⅷ٣王Łø\u0301\u200d\u00a0\n") | st.characters(exclude_categories=["Cs"])
    )
)
def test_a_text_key_is_letters_and_digits_with_single_spaces(text):
    plain = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(char if char.isalnum() else " " for char in plain if not unicodedata.combining(char))
    assert identity.text_key(text) == " ".join(kept.split())
