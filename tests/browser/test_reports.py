"""The reports in a real browser: made, written on by keyboard, in both looks, and on one sheet of paper."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from metrics.models import CallEntry
from metrics.reports import calls, making
from metrics.reports.schedule import last_over
from tests.browser.conftest import axe_violations, looks, too_wide
from tests.factories import make_handoff

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def week(cast):
    """The week that was over last, with a few handoffs in it and in the two before."""
    now = timezone.now()
    there = last_over(now, "UTC")
    monday = there.span("UTC").start
    assert monday is not None
    for back in (0, 7, 14):
        for state, person in (("accepted", cast.femke), ("rejected", cast.jonas), ("converted", cast.rosa)):
            make_handoff(state, person, at=monday - timedelta(days=back - 1))
    return there


def test_a_report_is_made_and_written_on_by_keyboard(cast, week, open_page, shot):
    page: Page = open_page(cast.mia)
    page.goto("/team/")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_contain_text("r reports")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("r")
    expect(page).to_have_url(re.compile("/reports/$"))
    expect(page.locator("#main")).to_contain_text("No report is made yet")
    page.locator("#m-week").press("Tab")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/reports/{week.name}/$"))
    expect(page.locator("h1")).to_have_text(f"Report, week {week.number}")
    expect(page.locator("#toasts")).to_contain_text("is made")
    page.locator("[name=kind][value=note]").press("ArrowRight")
    page.fill("#c-text", "Ask for the job title")
    page.keyboard.press("Tab")
    page.keyboard.type("Femke")
    page.locator("#c-until").fill((timezone.now() + timedelta(days=3)).date().isoformat())
    page.locator("#c-until").press("Enter")
    expect(page.locator("#call")).to_contain_text("Femke de Boer, until")
    page.get_by_role("link", name=re.compile("Correct.*Ask for the job title")).press("Enter")
    page.fill("#c-text", "Ask for the job title at once")
    page.get_by_role("button", name="Correct it").press("Enter")
    expect(page.locator("#call")).to_contain_text("Ask for the job title at once")
    expect(page.locator("#call")).to_contain_text("What it said before")
    page.locator("#call").get_by_role("button", name=re.compile("^Done")).press("Enter")
    expect(page.locator("#call")).to_contain_text("by Mia Brandt")
    assert CallEntry.objects.count() == 3
    shot(page, "report-call-1440")


def test_the_pages_hold_in_every_look(cast, week, open_page, shot):
    now = timezone.now()
    until = (now + timedelta(days=5)).date()
    for there, text in ((week.plus(-1), "Carry this over " * 20), (week, "Aword" * 60)):
        calls.write(there, cast.mia, now, kind="decision", text=text, owner=cast.femke, until=until)
    made = making.make(week, now, None)
    making.make(week, now, cast.otto, 2)
    page: Page = open_page(cast.otto)
    paths = {
        "reports": "/reports/",
        "report": f"/reports/{made.week}/?edition=1",
        "report-handoffs": f"/reports/{made.week}/handoffs/?figure=acceptance_rate",
        "report-compare": f"/reports/{made.week}/compare/?edition=1&with=2",
    }
    for name, path in paths.items():
        page.goto(path)
        for _, look in looks(page):
            assert too_wide(page) == 0, (name, look)
            assert axe_violations(page) == [], (name, look)
            shot(page, f"{name}-{look}")


def test_it_prints_on_one_sheet_in_the_light(cast, week, open_page):
    now = timezone.now()
    making.make(week, now, None)
    page: Page = open_page(cast.vera)
    page.emulate_media(color_scheme="dark")
    page.goto(f"/reports/{week.name}/")
    sheets = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", sheets)) == 1
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(23, 27, 25)"
    assert not page.locator(".nav").is_visible() and not page.locator(".report .since").is_visible()
