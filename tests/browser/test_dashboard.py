"""The dashboard in a real browser: its parts come by themselves, and all of it can be used by everybody."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from leads.models import Handoff
from tests.browser.conftest import PHONE, axe_violations, looks, too_wide
from tests.factories import make_handoff

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PARTS = ("reasons", "beside", "waits", "outcomes", "hours", "by")


@pytest.fixture
def some(cast) -> list[Handoff]:
    now = timezone.now()
    made = []
    for number, state in enumerate(("working", "working", "accepted", "rejected", "assigned", "working")):
        at = now - timedelta(days=20 + number % 3, hours=number * 3)
        kind = "demo_request" if number % 2 else "score_threshold"
        made.append(make_handoff(state, (cast.femke, cast.jonas, cast.rosa)[number % 3], at=at, kind=kind))
    return made


def whole(page: Page, address: str = "/dashboard/") -> None:
    """The page with all its parts."""
    page.goto(address)
    for name in PARTS:
        expect(page.locator(f"#part-{name}.coming")).to_have_count(0)
        expect(page.locator(f"#part-{name}")).to_have_count(1)


def test_axe_finds_nothing_in_any_part(cast, some, open_page, shot):
    page: Page = open_page(cast.otto)
    whole(page, "/dashboard/?campaign=%28none%29&stack=source")
    page.locator("details summary").evaluate_all("all => all.forEach(each => each.click())")
    found = {}
    for _, look in looks(page):
        shot(page, f"dashboard-whole-{look}")
        if wrong := axe_violations(page):
            found[look] = wrong
        if (wide := too_wide(page)) > 0:
            found[f"{look} width"] = [f"{wide} px too wide"]
    assert found == {}


def test_a_dimension_is_chosen_with_the_keyboard_and_stays_in_the_address(cast, some, open_page):
    page: Page = open_page(cast.otto)
    whole(page)
    tabs = page.locator("#part-by nav")
    tabs.get_by_role("link", name="Rep", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#part-by h2")).to_have_text("By rep")
    expect(page).to_have_url(re.compile(r"[?&]by=rep"))
    expect(page.locator("#part-by tbody th").first).to_contain_text("@handoff.example.com")
    page.reload()
    expect(page.locator("#part-by h2")).to_have_text("By rep")
    page.locator("#part-by tbody th a").first.click()
    expect(page.locator("select[name=rep]")).not_to_have_value("")


def test_a_chip_takes_its_filter_away(cast, some, open_page):
    page: Page = open_page(cast.otto, size=PHONE)
    whole(page, "/dashboard/?by=trigger")
    page.locator("#part-by tbody th a").first.click()
    chip = page.locator(".chips .chip")
    expect(chip).to_contain_text("Trigger: ")
    chip.click()
    expect(page.locator(".chips .chip")).to_have_count(0)
    assert "trigger=" not in page.url


def test_without_scripts_each_part_is_a_page(cast, some, open_page, browser, live_server):
    cookies = open_page(cast.vera).context.cookies()
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    try:
        context.add_cookies(cookies)
        page = context.new_page()
        page.goto("/dashboard/")
        links = page.get_by_role("link", name="Show this part")
        expect(links).to_have_count(len(PARTS))
        for place in range(len(PARTS)):
            page.goto("/dashboard/")
            links.nth(place).click()
            expect(page.get_by_role("link", name="Dashboard", exact=True).last).to_be_visible()
            expect(page.locator("h1")).not_to_have_text("")
    finally:
        context.close()
