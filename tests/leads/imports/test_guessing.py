"""What columns probably mean: headings of products and languages, else what a column holds."""

from __future__ import annotations

import pytest

from leads.imports import fields, guessing

HUBSPOT = ("Record ID", "First Name", "Last Name", "Email", "Phone Number", "Job Title", "Associated Company",
           "Country/Region", "Original Source", "Lead Status", "HubSpot Score",
           "Number of Employees")  # fmt: skip
SALESFORCE = ("Id", "Name", "Title", "Company", "Email", "Phone", "NumberOfEmployees", "AnnualRevenue",
              "LeadSource", "HasOptedOutOfEmail", "State")  # fmt: skip
MAUTIC = ("id", "firstname", "lastname", "email", "position", "company", "points", "zipcode", "state",
          "companynumber_of_employees", "date_identified")  # fmt: skip


@pytest.mark.parametrize(
    ("header", "product", "targets"),
    [
        (HUBSPOT, "hubspot", ["record_id", "first_name", "last_name", "email", "phone", "job_title",
                              "company", "country", "lead_source", "", "score", "employees"]),
        (SALESFORCE, "salesforce", ["record_id", "full_name", "job_title", "company", "email", "phone",
                                    "employees", "revenue", "lead_source", "email_opt_out", "region"]),
        (MAUTIC, "mautic", ["record_id", "first_name", "last_name", "email", "job_title", "company", "score",
                            "postal_code", "region", "employees", ""]),
        (("E-Mail-Adresse", "Vorname", "Nachname", "Firma", "PLZ", "Land", "Anzahl Mitarbeiter"), "",
         ["email", "first_name", "last_name", "company", "postal_code", "country", "employees"]),
        (("Adresse e-mail", "Prénom", "Nom", "Société", "Pays", "Chiffre d'affaires"), "",
         ["email", "first_name", "last_name", "company", "country", "revenue"]),
        (("Correo electrónico", "Nombre", "Apellidos", "Empresa", "País"), "",
         ["email", "first_name", "last_name", "company", "country"]),
        (("lead_source", "score_fit", "utm_campaign"), "", ["lead_source", "score_fit", "utm_campaign"]),
    ],
)  # fmt: skip
def test_headings(header, product, targets) -> None:
    assert guessing.product_of(header) == product
    assert guessing.guess(header, [], product) == targets


def test_of_two_columns_for_one_field_the_plainer_heading_wins() -> None:
    assert guessing.guess(("Work email", "Email", "Name", "First name", "Last name"), []) == [
        "", "email", "", "first_name", "last_name",
    ]  # fmt: skip


def test_addresses_are_found_by_what_the_column_holds() -> None:
    rows = [["x", "ada@lovelace.com"], ["y", "bob@brandt.com"], ["z", ""]]
    assert guessing.guess(("Spalte", "Kontakt"), rows) == ["", "email"]
    assert guessing.guess(("Spalte", "Kontakt"), [["x", "no"]]) == ["", ""]


@pytest.mark.parametrize(
    ("form", "date", "targets"),
    [
        ("Demo request", "2026-03-09", ["email", "trigger", "triggered_at"]),
        ("Newsletter", "09.03.2026 14:10", ["email", "activity_title", "activity_at"]),
        ("", "3/9/2026", ["email", "", "triggered_at"]),
        ("Newsletter", "last Tuesday", ["email", "activity_title", ""]),
        ("", "", ["email", "", ""]),
    ],
)
def test_a_form_and_a_date_by_what_they_hold(form: str, date: str, targets: list[str]) -> None:
    rows = [["ada@lovelace.com", form, date], ["bob@brandt.com", "", ""]]
    assert guessing.guess(("Email", "Form", "Date"), rows) == targets


def test_of_several_forms_the_demo_requests_are_found() -> None:
    rows = [
        ["ada@lovelace.com", "Demo request", "2026-03-09"],
        ["bob@brandt.com", "Newsletter", "2026-03-09"],
    ]
    assert guessing.guess(("Email", "Form", "Date"), rows) == ["email", "activity", "activity_at"]


def test_a_form_and_a_date_take_nothing_from_plainer_headings() -> None:
    header = ("Email", "Form", "Trigger", "Date", "MQL date")
    rows = [["ada@lovelace.com", "Demo request", "demo_request", "2026-03-09", "2026-03-08"]]
    assert guessing.guess(header, rows) == ["email", "", "trigger", "", "triggered_at"]


def test_the_column_of_errors_is_never_a_lead_s() -> None:
    assert guessing.guess(("Email", guessing.ERROR_HEADING), [["a@b.de", "c@d.de"]]) == ["email", ""]


def test_every_guess_is_a_field() -> None:
    assert set(guessing._WORDS) <= set(fields.FIELDS)
    assert set(guessing._KNOWN.values()) | {"custom"} >= set(fields.FIELDS)
    for product in guessing.PRODUCTS.values():
        assert set(product.words) <= set(fields.FIELDS)
