"""The agreement in a real browser: otto proposes, mia signs; everybody reads it, on a desk and a phone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from leads.models import Agreement, MqlDefinition, Proposal
from tests.browser.conftest import axe_violations, looks, too_wide
from tests.factories import agree, make_handoff, make_lead, make_proposal, make_score

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

URL = "/agreement/"


@pytest.fixture
def agreed(cast):
    """A signed version, leads on both sides of the threshold, and what they came to."""
    now = timezone.now()
    for number, state in enumerate(("accepted", "rejected", "converted", "assigned")):
        lead = make_lead()
        make_score(lead, 66 + 3 * number, at=now - timedelta(days=2 + number))
        make_handoff(state, cast.femke, lead=lead, at=now - timedelta(days=2 + number))
    agree(
        cast.otto, cast.mia, now - timedelta(days=1),
        done="Acknowledged, called, and the outcome written down.\nNothing else is done.",
    )  # fmt: skip


def look_at(page, what):
    expect(page.locator("h1")).to_be_visible()
    assert axe_violations(page) == [], what
    assert too_wide(page) == 0, what


def test_one_proposes_and_the_other_signs(open_page, shot, cast, agreed):
    otto = open_page(cast.otto)
    otto.goto(URL)
    otto.get_by_role("link", name="Propose a change").click()
    otto.get_by_label("Score threshold").fill("70")
    otto.get_by_role("button", name="Try on the last 90 days").click()
    expect(otto.get_by_text("2 handoffs of 4 would not have been made")).to_be_visible()
    for _, name in looks(otto):
        look_at(otto, f"try {name}")
        shot(otto, f"agreement-try-{name}")
    expect(otto.get_by_label("Score threshold")).to_have_value("70")
    otto.get_by_label("Why").fill("Reps reject what is just above the line.")
    otto.get_by_role("button", name="Propose and sign").click()
    expect(otto.get_by_text("Proposed, and signed for your side.")).to_be_visible()
    expect(otto.get_by_role("button", name="Sign", exact=True)).to_have_count(0)

    mia = open_page(cast.mia)
    mia.goto("/")
    expect(mia.get_by_role("link", name="Agreement 1 to sign")).to_be_visible()
    mia.get_by_role("link", name="Agreement 1 to sign").click()
    look_at(mia, "waiting")
    shot(mia, "agreement-waiting-1440")
    mia.locator(".agree-notice a").click()
    mia.locator("summary", has_text="No longer handed over").click()
    for _, name in looks(mia):
        look_at(mia, f"proposal {name}")
        shot(mia, f"agreement-proposal-{name}")
    mia.get_by_label("Comment").fill("Good. Let us look again in a month.")
    mia.get_by_role("button", name="Comment").click()
    mia.get_by_label("I have read what it changes").check()
    mia.get_by_role("button", name="Sign", exact=True).click()
    expect(mia.get_by_text("Signed. Version 3 is in force")).to_be_visible()
    assert Agreement.objects.count() == 3 and MqlDefinition.objects.get(version=2).threshold == 70
    mia.goto("/agreement/versions/3/")
    look_at(mia, "version")
    shot(mia, "agreement-version-1440")


def test_it_is_read_on_a_desk_and_a_phone_and_printed(open_page, shot, cast, agreed):
    make_proposal(cast.otto, timezone.now(), threshold=75)
    page = open_page(cast.vera)
    for path, called in ((URL, "page"), ("/agreement/versions/2/", "version-2")):
        page.goto(path)
        for _, name in looks(page):
            look_at(page, f"{path} {name}")
            shot(page, f"agreement-{called}-{name}")
    page.emulate_media(media="print", color_scheme="light")
    expect(page.locator(".nav")).to_be_hidden()
    expect(page.locator(".agree .back-to")).to_be_hidden()
    shot(page, "agreement-print")


def test_it_works_without_scripts(browser, live_server, cast, agreed):
    made = make_proposal(cast.otto, timezone.now(), threshold=75)
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    try:
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.goto("/login/")
        page.fill("input[name=username]", cast.nils.email)
        page.fill("input[name=password]", "correct horse battery")
        page.click(".door-form button")
        page.goto(f"/agreement/proposals/{made.pk}/")
        page.get_by_label("Why not").fill("Too high for the Nordics.")
        page.get_by_role("button", name="Decline").click()
        expect(page.get_by_text("Too high for the Nordics.")).to_be_visible()
    finally:
        context.close()
    assert Proposal.objects.get(pk=made.pk).state == "declined"
