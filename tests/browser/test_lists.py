"""The list of handoffs in a real browser: ticked by keyboard, given away at once, kept as a view."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from leads import bulk
from leads.models import Handoff, SavedView
from tests.browser.conftest import axe_violations, looks, too_wide
from tests.factories import make_handoff

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_some_are_ticked_with_the_keyboard_and_given_away_at_once(cast, open_page, shot, monkeypatch):
    monkeypatch.setattr(bulk, "WAITED_SECONDS", 600)
    now = timezone.now()
    made = [make_handoff("assigned", cast.femke, at=now - timedelta(minutes=n)) for n in range(3)]
    worked = make_handoff("working", cast.jonas, at=now - timedelta(hours=3))
    page: Page = open_page(cast.otto)
    page.goto("/handoffs/")
    expect(page.locator("[data-picked]")).to_have_text("Tick those that you mean.")
    boxes = page.locator("[name=pick]")
    boxes.nth(0).focus()
    page.keyboard.press("Space")
    expect(page.locator("[data-picked]")).to_have_text("1 selected.")
    assert page.locator("[data-pick-all]").evaluate("box => box.indeterminate")
    page.locator("[data-pick-all]").check()
    expect(page.locator("[data-picked]")).to_have_text("4 selected.")
    for size, look in looks(page):
        shot(page, f"handoffs-{look}")
        assert axe_violations(page) == [], look
        assert too_wide(page) <= 0, look
        # On a phone the table too: its deadlines are in sight.
        assert page.locator(".scroll").evaluate("box => box.scrollWidth <= box.clientWidth + 1"), look
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="Reassign")).to_be_visible()
    page.get_by_label("To", exact=True).select_option(cast.rosa.email)
    page.get_by_label("Why").fill("Femke has too many")
    page.get_by_role("button", name="Look again").click()
    expect(page.get_by_text("Goes to Rosa Lindqvist")).to_have_count(3)
    for size, look in looks(page):
        shot(page, f"bulk-{look}")
        assert axe_violations(page) == [], look
        assert too_wide(page) <= 0, look
    page.get_by_role("button", name="Reassign the 3").click()
    expect(page.get_by_role("status").filter(has_text="done")).to_contain_text("1 refused, 3 done.")
    for size, look in looks(page):
        shot(page, f"bulk-result-{look}")
        assert axe_violations(page) == [], look
        assert too_wide(page) <= 0, look
    page.goto("/handoffs/bulk/")
    expect(page.get_by_role("heading", name="Past bulk acts")).to_be_visible()
    for size, look in looks(page):
        shot(page, f"bulks-{look}")
        assert axe_violations(page) == [], look
        assert too_wide(page) <= 0, look
    assert set(Handoff.objects.filter(assignee=cast.rosa)) == set(made)
    worked.refresh_from_db()
    assert worked.assignee == cast.jonas


def test_what_is_shown_is_kept_as_a_view_and_opens_the_list(cast, open_page, shot):
    make_handoff("assigned", cast.femke, at=timezone.now())
    page: Page = open_page(cast.otto)
    page.goto("/handoffs/")
    page.get_by_label("State").select_option("open")
    page.get_by_text("More filters and columns").click()
    page.get_by_label("Campaign", exact=True).last.check()
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("columnheader", name="Campaign")).to_be_visible()
    page.get_by_role("columnheader", name="Due").get_by_role("link").click()
    expect(page.get_by_role("columnheader", name="Due")).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("link", name="Save as a view").click()
    page.get_by_label("Name").fill("Open, by deadline")
    page.get_by_label("Who sees it").select_option("everyone")
    page.get_by_label("Open handoffs with it from now on").check()
    for size, look in looks(page):
        shot(page, f"view-{look}")
        assert axe_violations(page) == [], look
        assert too_wide(page) <= 0, look
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("link", name="Open, by deadline")).to_have_attribute("aria-current", "page")
    for size, look in looks(page):
        shot(page, f"handoffs-view-{look}")
        assert axe_violations(page) == [], look
        assert too_wide(page) <= 0, look
    page.goto("/handoffs/")
    expect(page).to_have_url(re.compile(rf"state=open&.*view={SavedView.objects.get().pk}$"))


def test_the_frame_stays_however_long_the_page_is(cast, open_page):
    """Only what is in the frame scrolls: the search and the menu never leave the window."""
    for _ in range(4):
        make_handoff("assigned", cast.femke)
    page: Page = open_page(cast.mia, (1440, 320))
    for path in ("/handoffs/", "/team/", f"/team/?rep={cast.femke.pk}#away"):
        page.goto(path)
        assert page.locator("main").evaluate("main => main.scrollHeight > main.clientHeight"), path
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight"), path
