"""The pages beside the dashboard in a real browser: readable in both looks, on paper, and by keyboard."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from leads.models import Handoff, Rejection, RejectionReason
from tests.browser.conftest import axe_violations, looks, too_wide
from tests.factories import make_activity, make_handoff, make_lead, make_score

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGES = {
    "diagnosis": "Diagnosis",
    "time": "Where the time went",
    "loop": "Closed loop",
    "gaming": "Weak signals",
}
LONG_SOURCE = "Content syndication with a name that is longer than any column on a phone is wide"


def _copies(handoff: Handoff, count: int, **changed: object) -> None:
    fields = [field for field in Handoff._meta.concrete_fields if field.name not in ("id", "history_key")]
    columns = {field.attname: getattr(handoff, field.attname) for field in fields}
    columns |= {"state": "superseded", **changed}
    made = Handoff.objects.bulk_create(Handoff(**columns) for _ in range(count))
    if handoff.rejected_at:
        reason = RejectionReason.objects.get(code="wrong_title")
        Rejection.objects.bulk_create(
            Rejection(handoff=each, reason=reason, next_step="recycled", at=handoff.rejected_at)
            for each in made
        )


def _weeks(cast) -> None:
    """Sixteen weeks of conversions, the last four of them by page views, and a source that is rejected."""
    now = timezone.now()
    for weeks in range(2, 18):
        at = now - timedelta(weeks=weeks)
        for kind, count in (("page_view", 9 if weeks < 6 else 1), ("chat", 9)):
            lead = make_lead()
            make_score(lead, 70, at=at, fit=30, intent=20, behavior=20)
            make_activity(lead, kind, at=at - timedelta(hours=1), points=20)
            _copies(make_handoff("working", cast.femke, lead=lead, at=at), count)
    rejected = make_handoff("rejected", cast.jonas, at=now - timedelta(weeks=3))
    _copies(rejected, 40, lead_source=LONG_SOURCE, score_total=85)


def test_each_page_reads_well_in_every_look(cast, open_page, shot):
    _weeks(cast)
    make_handoff("assigned", cast.femke, at=timezone.now() - timedelta(hours=30))
    page: Page = open_page(cast.otto)
    page.goto("/dashboard/")
    for name, title in PAGES.items():
        page.get_by_role("navigation", name="Figures").get_by_role("link", name=title).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        for _, look in looks(page):
            shot(page, f"{name}-{look}")
            assert axe_violations(page) == [], (name, look)
            assert too_wide(page) <= 0, (name, look)
        page.emulate_media(media="print")
        shot(page, f"{name}-print")
        expect(page.get_by_role("navigation", name="Figures")).to_be_hidden()
        page.emulate_media(media="screen")


def test_a_finding_leads_to_its_leads_by_keyboard(cast, open_page):
    _weeks(cast)
    page: Page = open_page(cast.otto)
    page.goto("/dashboard/diagnosis/")
    expect(page.locator(".lede")).to_contain_text("Sales rejects 100 % (41 of 41)")
    page.get_by_role("link", name="Open the list", exact=True).first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Closed loop: 41 rejected")
    page.goto("/dashboard/gaming/")
    expect(page.locator("#inflated")).to_contain_text("needed weak signals to cross the threshold")
    page.locator("#inflated").get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Weak signals:")
