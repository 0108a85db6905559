"""The desk pages in a real browser: data put right by keyboard, a lead given on, with and without scripts."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from leads import lifecycle
from leads.models import DuplicatePair, Handoff, TriageItem
from tests.browser.conftest import axe_violations, looks, too_wide
from tests.conftest import PASSWORD
from tests.factories import make_handoff, make_lead, open_handoff, route_to

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def state(handoff: Handoff) -> str:
    return Handoff.objects.values_list("state", flat=True).get(pk=handoff.pk)


@pytest.fixture
def two(cast):
    """Two leads of Femke's that wait for their first name, the first due first."""
    route_to(cast.femke)
    now = timezone.now()
    at = (now - timedelta(minutes=40), now - timedelta(minutes=20))
    return [
        open_handoff(make_lead(first_name="J.", last_name=name), kind="demo_request", at=moment)
        for name, moment in zip(("Bonnefoy", "Laurent"), at, strict=True)
    ]


def test_data_is_put_right_by_keyboard_alone(cast, two, open_page, shot):
    page: Page = open_page(cast.otto)
    page.goto("/")
    expect(page).to_have_url(re.compile("/completion/"))
    page.keyboard.press("j")
    expect(page.locator(f"#row-{two[0].pk}")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#f-first_name")).to_be_visible()
    shot(page, "completion-open-1440")
    page.locator("#f-first_name").focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("Jeanne")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Jeanne Bonnefoy: saved. It went to Femke de Boer")
    assert state(two[0]) == "assigned"
    # The next one is open already, its first field in focus.
    expect(page.locator("#f-first_name")).to_be_focused()
    expect(page).to_have_url(re.compile(f"h={two[1].pk}"))
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("Luc")
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    expect(page.locator("#board")).to_contain_text("Every lead that came in has all that sales needs")
    assert state(two[1]) == "assigned"
    shot(page, "completion-empty-1440")


def test_a_check_is_waived_with_a_reason_and_nothing_typed_is_lost(cast, two, open_page):
    page: Page = open_page(cast.otto)
    page.goto(f"/completion/?h={two[0].pk}")
    page.get_by_text("Everything else about the lead").click()
    page.fill("#f-job_title", "Head of Boats")
    page.locator("summary", has_text="Waive").click()
    page.fill("[name=reason_full_name]", "Known by that letter")
    page.get_by_role("button", name="Waive it").click()
    expect(page.locator("#toasts")).to_contain_text("full name waived. It went to Femke de Boer")
    two[0].lead.refresh_from_db()
    assert two[0].lead.job_title == "Head of Boats"


def test_a_lead_is_given_to_somebody_else(cast, two, open_page, shot):
    handoff = make_handoff(
        "assigned", cast.femke, kind="demo_request", at=timezone.now() - timedelta(hours=1)
    )
    page: Page = open_page(cast.mia)
    page.goto("/")
    expect(page).to_have_url(re.compile("/team/"))
    page.get_by_role("link", name=re.compile("Reassign(?! several)")).first.click()
    expect(page.locator("#re-to")).to_be_focused()
    page.select_option("#re-to", "jonas@handoff.example.com")
    page.fill("#re-reason", "Femke is in a meeting")
    shot(page, "team-reassign-1440")
    page.get_by_role("button", name="Reassign", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("given to Jonas Keller.")
    assert Handoff.objects.get(pk=handoff.pk).assignee == cast.jonas


def test_everything_works_without_scripts(cast, two, browser, live_server):
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    page = context.new_page()

    def sign_in(email: str) -> None:
        context.clear_cookies()
        page.goto("/login/")
        page.fill("input[name=username]", email)
        page.fill("input[name=password]", PASSWORD)
        page.click(".door-form button")

    sign_in(cast.otto.email)
    page.click(f"#row-{two[0].pk}")
    page.fill("#f-first_name", "Jeanne")
    page.get_by_role("button", name="Save and check again").click()
    expect(page.locator("#toasts")).to_contain_text("Jeanne Bonnefoy: saved")
    page.locator("summary", has_text="Waive").click()
    page.fill("[name=reason_full_name]", "Known by that letter")
    page.get_by_role("button", name="Waive it").click()
    expect(page.locator("#toasts")).to_contain_text("full name waived")
    assert [state(handoff) for handoff in two] == ["assigned", "assigned"]
    sign_in(cast.mia.email)
    page.goto(f"/team/?h={two[0].pk}")
    page.select_option("#re-to", "queue:overflow")
    page.fill("#re-reason", "Nobody is free")
    page.get_by_role("button", name="Reassign", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("given to the queue Overflow")
    assert state(two[0]) == "queued"
    context.close()


@pytest.fixture
def plenty(cast, two):
    """Something on every page."""
    now = timezone.now()
    for kind in ("assigned", "accepted", "deferred", "working"):
        make_handoff(kind, cast.femke, at=now - timedelta(minutes=30))
    make_handoff("queued", at=now)
    act = lifecycle.Act(now, cast.femke)
    rejected = make_handoff("assigned", cast.femke, at=now - timedelta(minutes=5))
    lifecycle.reject(rejected.pk, act, reason="existing_customer", note="Since spring")
    back = make_handoff("assigned", cast.femke, at=now - timedelta(minutes=5))
    lifecycle.reject(back.pk, act, reason="bad_data", note="The number is a bakery's")
    first, second = make_lead(), make_lead(job_title="CFO")
    pair = DuplicatePair.objects.create(first=first, second=second, evidence={"same": "phone"}, found_at=now)
    TriageItem.objects.create(lead=first, kind="suppressed", data={"trigger": "demo_request"}, at=now)
    return {"waiting": two[0].pk, "back": back.pk, "pair": pair.pk, "lead": rejected.lead_id}


def test_axe_finds_nothing(cast, plenty, open_page, shot):
    visits = {
        cast.otto: (
            "/completion/",
            f"/completion/?h={plenty['waiting']}",
            f"/completion/?h={plenty['back']}",
            "/leads/?q=zz",
            f"/leads/{plenty['lead']}/?edit=1",
            "/search/?q=a",
            "/duplicates/",
            f"/duplicates/{plenty['pair']}/",
            "/triage/",
            "/routing/",
        ),
        cast.mia: ("/team/", f"/team/?rep={cast.femke.pk}", f"/team/?h={plenty['lead']}", "/routing/"),
        cast.femke: ("/leads/", f"/leads/{plenty['lead']}/", "/notifications/?show=all", "/profile/"),
        cast.vera: ("/leads/", "/notifications/", "/profile/"),
        cast.ada: ("/first-steps/", f"/completion/?h={plenty['waiting']}", "/triage/"),
    }
    found = {}
    for user, paths in visits.items():
        page: Page = open_page(user)
        for path in paths:
            if path.startswith("/team/?h="):
                path = f"/team/?h={Handoff.objects.open().filter(state='accepted').get().pk}"
            page.goto(path)
            name = f"{user.get_short_name()}{re.sub('[^a-z0-9]+', '-', path)}"
            for _, look in looks(page):
                shot(page, f"{name}{look}")
                if wrong := axe_violations(page):
                    found[f"{name}{look}"] = wrong
                wide = too_wide(page)
                if wide > 0:
                    found[f"{name}{look} width"] = [f"{wide} px too wide"]
    assert found == {}
