"""Every state of the rep's pages, by axe, on a desk and a phone, light and dark."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from leads.models import Handoff
from tests.browser.conftest import axe_violations, looks, too_wide
from tests.chromium import PHONE
from tests.conftest import Cast
from tests.factories import make_activity, make_handoff, make_lead

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenPage = Callable[..., Page]
Shot = Callable[[Page, str], None]


def test_axe_finds_nothing_in_any_state(cast: Cast, open_page: OpenPage, shot: Shot) -> None:
    at = timezone.now() - timedelta(hours=3)
    states: dict[str, Handoff] = {
        state: make_handoff(
            state, cast.femke, at=at, lead=make_lead(phone="+49 30 5550100", email_opt_out=True)
        )
        for state in ("assigned", "accepted", "working", "deferred", "rejected")
    }
    make_activity(states["assigned"].lead, "chat", at, title="Do you support SSO?")
    visits = {
        f"{state}-{form}": f"/handoffs/{states[state].pk}/?form={form}"
        for state, form in (
            ("assigned", "contact"),
            ("assigned", "reject"),
            ("accepted", "defer"),
            ("working", "opportunity"),
            ("working", "disqualify"),
            ("deferred", "note"),
            ("assigned", "report"),
            ("rejected", ""),
        )
    }
    visits |= {"help": "/help/", "nothing-fits": "/inbox/?q=nobody"}
    page = open_page(cast.femke)
    found = {}
    for name, path in visits.items():
        page.goto(path)
        for size, look in looks(page):
            if wrong := axe_violations(page):
                found[f"{name} {look}"] = wrong
            if size == PHONE or not look.endswith("dark"):
                shot(page, f"state-{name}-{look}")
            if too_wide(page) > 0:
                found[f"{name} {look} width"] = [f"{too_wide(page)} px too wide"]
    assert found == {}


def test_axe_finds_nothing_in_what_opens_above_a_page(cast: Cast, open_page: OpenPage, shot: Shot) -> None:
    handoff = make_handoff("assigned", cast.femke, at=timezone.now())
    page = open_page(cast.femke)
    page.goto(f"/handoffs/{handoff.pk}/")
    for _, look in looks(page):
        page.locator(".rail .term").first.click()
        expect(page.locator("#term")).to_contain_text("What made the lead qualify")
        assert axe_violations(page) == [], look
        shot(page, f"term-{look}")
        page.keyboard.press("Escape")
        expect(page.locator("#term")).to_be_hidden()
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
        assert axe_violations(page) == [], look
        shot(page, f"keys-{look}")
        page.keyboard.press("Escape")


def test_nothing_is_lost_at_twice_the_size(cast: Cast, open_page: OpenPage, shot: Shot) -> None:
    """A window of 1280 px at 200 % has 640 px of room."""
    handoff = make_handoff("assigned", cast.femke, at=timezone.now())
    page = open_page(cast.femke, size=(640, 400))
    page.goto(f"/inbox/?h={handoff.pk}&form=contact")
    assert too_wide(page) <= 0
    for name in ("Accept", "Reject", "Defer", "Contact", "Note"):
        expect(page.locator(".actions").get_by_text(re.compile(f"^{name}"))).to_be_in_viewport()
    page.get_by_role("button", name="Accept and log").scroll_into_view_if_needed()
    shot(page, "zoom-200")
    page.get_by_role("button", name="Accept and log").click()
    expect(page.locator("#toasts")).to_contain_text("contact logged")


def test_an_empty_inbox_says_what_would_be_here(cast: Cast, open_page: OpenPage, shot: Shot) -> None:
    page = open_page(cast.femke)
    page.goto("/inbox/")
    for _, look in looks(page):
        expect(page.locator("#list")).to_contain_text("New leads appear here by themselves")
        assert axe_violations(page) == [], look
        shot(page, f"empty-{look}")


def test_paper_keeps_what_is_said_and_leaves_out_what_is_pressed(
    cast: Cast, open_page: OpenPage, shot: Shot
) -> None:
    handoff = make_handoff("assigned", cast.femke)
    make_activity(handoff.lead, "chat", timezone.now() - timedelta(hours=1), title="Do you support SSO?")
    page = open_page(cast.femke)
    page.goto(f"/handoffs/{handoff.pk}/")
    page.emulate_media(media="print")
    expect(page.locator(".openers .evidence").first).to_be_visible()
    for pressed in (".nav", ".top", ".actions", ".openers [data-use]"):
        expect(page.locator(pressed).first).to_be_hidden()
    shot(page, "lead-print")
