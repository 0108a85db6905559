"""The page of the API in a real browser: readable on a phone, every example open, by keyboard too."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import axe_violations, looks, too_wide

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_it_is_read_on_a_desk_and_on_a_phone(open_page, shot):
    page = open_page()
    page.goto("/api/v1/docs")
    page.get_by_role("link", name="/api/v1/handoffs/{handoff_id}/contact").click()
    contact = page.locator("#contact")
    expect(contact).to_be_in_viewport()
    sent = contact.get_by_text("Send: an act")
    sent.focus()
    page.keyboard.press("Enter")
    expect(contact.locator("pre").first).to_contain_text('"channel": "phone"')
    for example in page.locator("#intake summary").all():
        example.click()
    for _, look in looks(page):
        shot(page, f"api-{look}")
        assert axe_violations(page) == [], look
        assert too_wide(page) <= 0, look
