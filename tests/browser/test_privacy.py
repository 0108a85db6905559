"""Erasing, handing out and consent in a real browser: by keyboard, in both looks, clean for axe."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from leads.models import Lead
from tests.browser.conftest import axe_violations, looks, too_wide
from tests.conftest import Cast
from tests.factories import make_activity, make_handoff, make_lead

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenPage = Callable[..., Page]


def shy() -> Lead:
    lead = make_lead(
        first_name="Jane", last_name="Doe", phone="+49 30 5550100", do_not_call=True, email_opt_out=True
    )
    make_activity(lead, kind="chat", title="SSO")
    return lead


def clean(page: Page, shot: Callable[[Page, str], None], name: str) -> None:
    for _, look in looks(page):
        shot(page, f"{name}-{look}")
        assert too_wide(page) == 0, (name, look)
        assert axe_violations(page) == [], (name, look)


def test_a_person_is_erased_after_a_look(
    cast: Cast, open_page: OpenPage, shot: Callable[[Page, str], None]
) -> None:
    lead = make_handoff("assigned", cast.femke, lead=make_lead(first_name="Jane", last_name="Doe")).lead
    page = open_page(cast.otto)
    page.goto(f"/leads/{lead.pk}/")
    page.get_by_role("link", name="Erase…").click()
    expect(page.get_by_role("heading", name="Erase Jane Doe?")).to_be_visible()
    clean(page, shot, "erase")
    page.get_by_label("The person asked for it").check()
    page.locator("#f-number").fill(str(lead.pk))
    page.keyboard.press("Enter")
    expect(page.get_by_text("This person was erased")).to_be_visible()
    expect(page.get_by_text("Jane Doe")).to_have_count(0)
    clean(page, shot, "erased")
    assert Lead.objects.get(pk=lead.pk).erased_at is not None


def test_what_is_held_reads_and_prints(
    cast: Cast, open_page: OpenPage, shot: Callable[[Page, str], None]
) -> None:
    lead = make_handoff("rejected", cast.femke, lead=make_lead(first_name="Jane", last_name="Doe")).lead
    page = open_page(cast.otto)
    page.goto(f"/leads/{lead.pk}/")
    page.get_by_role("link", name="What is held", exact=True).click()
    expect(page.get_by_role("heading", name="What is held about Jane Doe")).to_be_visible()
    clean(page, shot, "held")
    page.emulate_media(media="print")
    expect(page.locator(".nav")).to_be_hidden()
    expect(page.get_by_text("Rejected", exact=True).first).to_be_visible()
    shot(page, "held-print")


def test_a_forbidden_channel_asks_for_the_tick(
    cast: Cast, open_page: OpenPage, shot: Callable[[Page, str], None]
) -> None:
    handoff = make_handoff("assigned", cast.femke, lead=shy())
    page = open_page(cast.femke)
    page.goto(f"/inbox/?h={handoff.pk}")
    expect(page.locator("#lead .flag", has_text="Do not call")).to_be_visible()
    page.keyboard.press("c")
    panel = page.locator("#panel-contact")
    # Another way is proposed, and nothing is asked for it.
    expect(panel.get_by_label("Direct message")).to_be_checked()
    expect(panel.get_by_text("They asked not to be called.")).to_be_hidden()
    panel.locator(".chip", has_text="Phone").click()
    expect(panel.get_by_text("They asked not to be called.")).to_be_visible()
    expect(panel.get_by_text("They opted out of e-mail.")).to_be_hidden()
    clean(page, shot, "consent")
    page.set_viewport_size({"width": 1280, "height": 900})
    panel.get_by_label("Note").fill("Rang back")
    page.locator("[data-warns=phone]").get_by_label("They asked for this contact").check()
    page.locator("#panel-contact").get_by_role("button", name="Accept and log").click()
    expect(page.locator(".toasts")).to_contain_text("Jane Doe")
    assert handoff.events.get(kind="contacted").data["asked_for"] is True
