"""The pages of accounts in a real browser: a list pasted, two of one name told apart, read on a phone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from leads.models import Company
from tests.browser.conftest import axe_violations, looks, too_wide
from tests.factories import make_company

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_pasted_list_is_looked_at_and_written(cast, open_page, shot):
    make_company(name="Acme GmbH", domain="acme.de", country_code="DE", owner=cast.rosa)
    page: Page = open_page(cast.otto)
    page.goto("/routing/accounts/")
    page.get_by_role("link", name="Paste or upload").click()
    page.fill("#f-text", f"domain,name,owner,stage\nacme.com,Acme Inc,{cast.femke.email},customer\n")
    page.get_by_role("button", name="Show what it would do").click()
    expect(page.locator(".account-preview")).to_contain_text("This would be: 1 added")
    shot(page, "accounts-preview-1440")
    assert axe_violations(page) == []
    assert not Company.objects.filter(domain="acme.com").exists()
    page.get_by_role("button", name="Write these rows").click()
    expect(page.locator("#toasts")).to_contain_text("1 added.")
    row = page.locator(".account", has=page.locator(".row-name", has_text="Acme Inc"))
    expect(row.locator(".likes")).to_contain_text(re.compile("same name.*Acme GmbH.*owned by Rosa Lindqvist"))
    shot(page, "accounts-1440")


def test_each_page_is_accessible_and_fits(cast, open_page, shot):
    account = make_company(name="Acme GmbH", domain="acme.de", owner=cast.rosa, is_named_account=True)
    make_company(name="Acme Inc", domain="acme.com", stage="customer")
    page: Page = open_page(cast.otto)
    for place in ("", f"{account.pk}/", "new/", "file/"):
        page.goto(f"/routing/accounts/{place}")
        for size, look in looks(page):
            shot(page, f"accounts-{place.strip('/') or 'list'}-{look}")
            assert axe_violations(page) == [], (place, look)
            assert too_wide(page) <= 0, (place, look)
