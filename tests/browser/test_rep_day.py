"""A rep's day in a real browser: accept by key, reject with a reason, log a contact, see the figures move."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from leads.intake import receive
from leads.models import Handoff
from tests.browser.conftest import axe_violations, looks
from tests.factories import event, route_to

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def three(cast):
    """Three fresh handoffs of Femke's, soonest due first."""
    route_to(cast.femke)
    now = timezone.now()
    events = [event(n, at=now - timedelta(seconds=30 - n)) for n in (1, 2, 3)]
    answers = receive(events, None, now)
    return [int(answer["handoff"]["id"]) for answer in answers]


def state(pk: int) -> str:
    return Handoff.objects.values_list("state", flat=True).get(pk=pk)


def test_accept_by_keyboard(cast, three, open_page, shot):
    page: Page = open_page(cast.femke)
    page.goto("/")
    expect(page).to_have_url(re.compile("/inbox/"))
    page.keyboard.press("Enter")
    expect(page.locator("#lead-name")).to_be_visible()
    shot(page, "inbox-1440")
    page.keyboard.press("a")
    expect(page.locator("#toasts")).to_contain_text("ccepted")
    assert sorted(map(state, three)) == ["accepted", "assigned", "assigned"]
    shot(page, "inbox-accepted-1440")
    page.keyboard.press("u")
    expect(page.locator("#toasts")).to_contain_text("ndone")
    assert sorted(map(state, three)) == ["assigned", "assigned", "assigned"]


def test_keys_are_dead_inside_fields(cast, three, open_page):
    page: Page = open_page(cast.femke)
    page.goto(f"/handoffs/{three[0]}/")
    page.keyboard.press("n")
    page.keyboard.type("a rare note")
    assert state(three[0]) == "assigned"
    expect(page.locator("#panel-note textarea")).to_have_value("a rare note")


def test_reject_with_a_reason(cast, three, open_page, shot):
    page: Page = open_page(cast.femke)
    page.goto(f"/handoffs/{three[0]}/")
    page.keyboard.press("r")
    shot(page, "reject-1440")
    page.get_by_role("button", name=re.compile("Wrong title")).click()
    expect(page.locator("#toasts")).to_contain_text(re.compile("rejected", re.IGNORECASE))
    handoff = Handoff.objects.get(pk=three[0])
    assert (handoff.state, handoff.rejection_reason.code) == ("rejected", "wrong_title")


def test_contact_moves_the_figures(cast, three, open_page, shot):
    watching: Page = open_page(cast.otto)
    watching.goto("/dashboard/?weeks=1")
    before = watching.locator("main").inner_text()
    page: Page = open_page(cast.femke)
    page.goto(f"/handoffs/{three[0]}/")
    page.keyboard.press("c")
    shot(page, "contact-1440")
    form = page.locator("#panel-contact")
    form.get_by_text("Phone", exact=True).click()
    form.get_by_text("Reached", exact=True).click()
    form.locator("button[type=submit], button:not([type])").last.click()
    expect(page.locator("#toasts")).to_contain_text(re.compile("logged|reached|contact", re.IGNORECASE))
    handoff = Handoff.objects.get(pk=three[0])
    assert handoff.state == "working"
    assert handoff.accepted_at is not None and handoff.first_contact_channel == "phone"
    watching.reload()
    assert watching.locator("main").inner_text() != before
    shot(watching, "dashboard-1440")


def test_everything_works_without_javascript(cast, three, browser, live_server):
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/login/")
    page.fill("input[name=username]", cast.femke.email)
    page.fill("input[name=password]", "correct horse battery")
    page.click(".door-form button")
    page.goto(f"/handoffs/{three[0]}/")
    page.get_by_role("button", name=re.compile("^Accept")).click()
    assert state(three[0]) == "accepted"
    context.close()


def test_axe_finds_nothing_in_the_reps_pages(cast, three, open_page, shot):
    page: Page = open_page(cast.femke)
    for path in ("/inbox/", f"/handoffs/{three[0]}/"):
        page.goto(path)
        for _, look in looks(page):
            assert axe_violations(page) == [], (path, look)
            shot(page, f"{path.strip('/').replace('/', '-')}-{look}")
            overflow = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert overflow <= 0, f"{path} scrolls sideways at {look}"
