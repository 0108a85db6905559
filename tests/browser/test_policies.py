"""The pages of the policies in a real browser: a ladder is written without a script, and read by anybody."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from routing import policies, sla
from routing.models import SlaPolicy
from tests.browser.conftest import axe_violations, looks
from tests.factories import make_handoff

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ALL, NEW, STANDARD = "/routing/policies/", "/routing/policies/new/", "/routing/policies/standard/"


@pytest.fixture
def versions(cast):
    """Two versions of the standard policy with work on both, one for a segment, and one that is retired."""
    now = timezone.now()
    make_handoff("assigned", cast.femke, at=now - timedelta(hours=1))
    row = SlaPolicy.objects.get(slug="standard")
    targets, steps = policies.targets_of(row.policy()), list(row.policy().steps)
    taken = sla.Step("acceptance_at_100", "acceptance", 100, None, ("manager",), "reassign")
    up = sla.Step(
        "contact_after_30", "contact", None, sla.Target(30, True), (f"person:{cast.nils.pk}",), "raise"
    )
    policies.revise(
        "standard",
        targets | {"accept": sla.Target(90, business=True)},
        [*steps[:3], taken, *steps[3:], up],
        cast.otto,
        now - timedelta(minutes=30),
        "Sales asked for an hour and a half, and for somebody else when nobody answers",
    )
    make_handoff("assigned", cast.jonas, at=now - timedelta(minutes=20))
    policies.create("Named accounts <b>2026</b>", "demo", targets, steps, cast.otto, now, "For the largest")
    policies.create("Old", "standard", targets, steps, cast.otto, now, "Once")
    policies.retire("old", cast.otto, now, "No longer sold")


def clean(page, path):
    page.goto(path)
    look_at(page, path)


def look_at(page, path):
    expect(page.locator("h1")).to_be_visible()
    assert axe_violations(page) == [], path
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
        f"{path} scrolls sideways"
    )


def test_every_page_is_clean(open_page, shot, cast, versions):
    page = open_page(cast.otto)
    for path, called in ((ALL, "list"), (STANDARD, "policy"), (NEW, "new")):
        page.goto(path)
        for _, name in looks(page):
            look_at(page, f"{path} {name}")
            shot(page, f"policies-{called}-{name}")
    page.goto(STANDARD)
    for _, name in looks(page):
        page.locator("#versions-h").scroll_into_view_if_needed()
        shot(page, f"policies-versions-{name}")
        page.locator("#ladder").scroll_into_view_if_needed()
        shot(page, f"policies-ladder-{name}")


def test_a_manager_reads_it(open_page, shot, cast, versions):
    page = open_page(cast.mia)
    clean(page, STANDARD)
    expect(page.get_by_text("Marketing ops edit the policies.")).to_be_visible()
    shot(page, "policies-read-1440")


def test_a_step_is_added_without_a_script_and_what_is_wrong_is_shown(
    browser, live_server, cast, versions, shot
):
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    try:
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.goto("/login/")
        page.fill("input[name=username]", cast.otto.email)
        page.fill("input[name=password]", "correct horse battery")
        page.click(".door-form button")
        page.goto(STANDARD)
        page.fill("input[name=name]", "Standard, stricter")
        page.get_by_role("button", name="Add a step").click()
        last = page.locator(".rung").last
        expect(page.locator("input[name=name]")).to_have_value("Standard, stricter")
        last.locator("input[inputmode=numeric]").fill("80")
        last.get_by_label("Of which clock").select_option("idle")
        last.get_by_label("What is done").select_option("reassign")
        page.fill("input[name=note]", "Trying")
        page.get_by_role("button", name=re.compile("Make version 3")).click()
        expect(page.get_by_text("a lead is taken away only when")).to_be_visible()
        shot(page, "policies-wrong-1440")
        page.locator(".rung").last.get_by_role("button", name="Remove").click()
        page.get_by_role("button", name=re.compile("Make version 3")).click()
        expect(page.locator("h1")).to_have_text("Policies")
        expect(page.get_by_text("Standard, stricter").first).to_be_visible()
    finally:
        context.close()
    assert SlaPolicy.objects.get(slug="standard", is_live=True).version == 3
