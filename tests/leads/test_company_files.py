"""A file of companies that says who owns which account: what is read, what is refused, row by row."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.urls import reverse

from leads import company_files
from leads.models import Company
from tests.conftest import NOW, Cast
from tests.factories import make_company
from tests.leads.views.asking import SignIn


def read(text: str, **flags: Any) -> company_files.Imported:
    return company_files.import_companies(io.StringIO(text), NOW, **flags)


def test_owner_stage_and_named_account_are_read(cast: Cast) -> None:
    known = make_company(domain="known.com", owner=cast.femke, stage="customer", is_named_account=True)
    result = read(
        "domain,owner,stage,named_account\n"
        f"a.com,{cast.rosa.email.upper()},Open opportunity,YES\n"
        "b.com,,partner,no\n"
        "known.com,none,,\n"
    )
    assert (result.made, result.changed, result.same, result.errors) == (2, 1, 0, [])
    rows = Company.objects.order_by("domain").values_list("domain", "owner", "stage", "is_named_account")
    assert list(rows) == [
        ("a.com", cast.rosa.pk, "open_opportunity", True),
        ("b.com", None, "partner", False),
        ("known.com", None, "customer", True),
    ]
    assert read("domain,stage\nb.com,partner\n").same == 1
    known.refresh_from_db()
    assert known.updated_at == NOW


def test_what_is_wrong_is_said_by_row_and_the_others_are_read(cast: Cast) -> None:
    cast.rosa.is_active = False
    cast.rosa.save()
    result = read(
        "domain,owner,stage,named_account\n"
        "a.com,who@x.com,,\n"
        f"b.com,{cast.rosa.email},,\n"
        f"c.com,{cast.otto.email},,\n"
        "d.com,,friend,\n"
        "e.com,,,perhaps\n"
        "f.com,,customer,\n"
    )
    assert result.errors == [
        (2, "owner 'who@x.com' is nobody's address here"),
        (3, f"owner {cast.rosa.email!r} is the address of Rosa Lindqvist, who is not active any more"),
        (4, f"owner {cast.otto.email!r} is the address of Otto Maier, who is not in sales"),
        (5, "stage 'friend' is not one of prospect, open_opportunity, customer, partner, competitor"),
        (6, "named_account 'perhaps' is neither yes nor no"),
    ]
    assert list(Company.objects.values_list("domain", flat=True)) == ["f.com"]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_cells_are_parted_by_what_the_header_uses(cast: Cast, mark: str) -> None:
    lines = ("domain,name,stage", "a.com,Acme,customer")
    assert read("\n".join(lines).replace(",", mark)).made == 1
    assert Company.objects.get().name == "Acme"


def test_what_holds_for_every_row_gives_way_to_the_row(cast: Cast) -> None:
    read("domain,named_account\na.com,\nb.com,no\n", defaults={"is_named_account": True})
    rows = Company.objects.order_by("domain").values_list("domain", "is_named_account")
    assert list(rows) == [("a.com", True), ("b.com", False)]


def test_a_dry_run_tells_and_writes_nothing(cast: Cast) -> None:
    make_company(name="Acme", domain="a.com", stage="customer")
    result = read("domain,stage\na.com,partner\na.com,partner\nb.com,\n", dry_run=True, tell=True)
    assert [(line.number, line.kind, line.words) for line in result.lines] == [
        (2, "changed", "stage: customer to partner"),
        (3, "same", "nothing changes"),
        (4, "made", "a company with nothing but its domain"),
    ]
    assert list(Company.objects.values_list("domain", "stage")) == [("a.com", "customer")]


def test_the_admin_sets_them_too(as_: SignIn, cast: Cast) -> None:
    company = make_company(name="Acme")
    url = reverse("admin:leads_company_change", args=[company.pk])
    typed = {"stage": "customer", "owner": str(cast.rosa.pk), "is_named_account": "on"}
    assert as_(cast.ada).post(url, typed).status_code == 302
    company.refresh_from_db()
    assert (company.stage, company.owner, company.is_named_account) == ("customer", cast.rosa, True)
    assert company.account_start == "acme"
