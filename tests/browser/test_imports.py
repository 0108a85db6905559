"""Imports in a real browser: a file mapped, taken in, what failed read; each page looked at."""

from __future__ import annotations

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from leads import imports, tasks
from leads.models import Lead, LeadImport
from tests.browser.conftest import axe_violations, looks, too_wide
from tests.factories import route_to
from tests.leads.imports.files import csv_of, row

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch):
    monkeypatch.setattr("leads.queueing.put", lambda name: None)


def test_a_file_is_mapped_taken_in_and_read(cast, open_page, tmp_path, shot):
    route_to(cast.femke)
    file = tmp_path / "fair.csv"
    file.write_bytes(csv_of(row(1), row(2, company=""), row(3, country="Narnia"), row(4, trigger="")))
    page: Page = open_page(cast.otto)
    page.goto("/")
    page.get_by_role("link", name="Imports", exact=True).click()
    page.set_input_files("#f-file", str(file))
    page.get_by_role("button", name="Look at the file").press("Enter")
    preview = page.locator("#preview")
    expect(preview).to_contain_text("goes to Femke de Boer")
    expect(preview).to_contain_text("1 of the first 4 rows would be left out")
    # Each change is answered with what would happen; the focus stays.
    page.get_by_label("Country", exact=True).select_option("")
    expect(preview).to_contain_text("Every row can be read.")
    page.get_by_label("Country", exact=True).select_option("country")
    expect(preview).to_contain_text("Narnia")
    page.get_by_label("Only keep what they say").check()
    expect(preview).to_contain_text("Is kept")
    page.get_by_label("As each row says").check()
    expect(preview).to_contain_text("Is handed over")
    for size, look in looks(page):
        shot(page, f"imports-mapping-{look}")
        assert axe_violations(page) == [], look
        assert too_wide(page) <= 0, look
    page.get_by_role("button", name="Take 3 of 4 rows in").click()
    expect(page.locator("#progress")).to_contain_text("waiting for the worker")
    for size, look in looks(page):
        shot(page, f"imports-progress-{look}")
        assert axe_violations(page) == [], look
        assert too_wide(page) <= 0, look
    assert tasks.take_imports() == 4
    expect(page.locator("#failed")).to_contain_text("“Narnia” is not a country.")
    assert Lead.objects.count() == 3
    for size, look in looks(page):
        shot(page, f"imports-result-{look}")
        assert axe_violations(page) == [], look
        assert too_wide(page) <= 0, look


def test_the_list_is_accessible_and_fits(cast, open_page, shot):
    names = ("HubSpot export with a rather long name of its own 2026-03-10.xlsx", "fair.csv")
    for number, name in enumerate(names):
        run = imports.make(csv_of(row(number)), name, cast.otto, timezone.now())
        imports.start(run, cast.otto, timezone.now())
    LeadImport.objects.filter(name="fair.csv").update(status="failed", error="It stopped 4 times.")
    page: Page = open_page(cast.otto)
    page.goto("/imports/")
    for size, look in looks(page):
        shot(page, f"imports-list-{look}")
        assert axe_violations(page) == [], look
        assert too_wide(page) <= 0, look
