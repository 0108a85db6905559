"""Being told, in a real browser: one tap from a mail, what one wishes, and the call for a demo lead."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from leads.models import Handoff, Notification, Preference
from leads.notifications import links
from tests.browser.conftest import PHONE, axe_violations, looks, too_wide
from tests.conftest import PASSWORD
from tests.factories import make_handoff, make_lead, open_handoff, route_to

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# Stands in for the browser's own, which shows nothing when nobody looks.
STAND_IN = """
  window.called = [];
  window.Notification = class {
    static permission = "%s";
    static async requestPermission() {
      this.permission = "granted";
      window.asked = (window.asked || 0) + 1;
    }
    constructor(title, options) { window.called.push([title, options.body]); }
  };
"""
POLL = """() => {
  const body = document.querySelector("#list-body");
  return htmx.ajax("GET", body.getAttribute("hx-get"), { source: body, target: body, swap: "outerHTML" });
}"""


def address(user, handoff: Handoff, verb: str) -> str:
    return f"/go/{links.token(user, handoff, verb, timezone.now())}/"


@pytest.fixture
def handoff(cast) -> Handoff:
    at = timezone.now() - timedelta(minutes=5)
    return make_handoff(
        "assigned", cast.femke, lead=make_lead(first_name="Adaeze", last_name="Okonkwo"), at=at
    )


def state(handoff: Handoff) -> str:
    return Handoff.objects.values_list("state", flat=True).get(pk=handoff.pk)


def test_from_the_mail_through_signing_in_to_the_answer(cast, handoff, open_page, shot):
    """The page sends no referrer and so no origin: its form is taken all the same."""
    page: Page = open_page(size=PHONE)
    page.goto(address(cast.femke, handoff, "accept"))
    expect(page).to_have_url(re.compile("/login/"))
    page.fill("input[name=username]", cast.femke.email)
    page.fill("input[name=password]", PASSWORD)
    page.click(".door-form button")
    expect(page.locator("h1")).to_have_text("Accept this lead?")
    assert state(handoff) == "assigned"
    page.get_by_role("button", name="Accept").click()
    expect(page).to_have_url(re.compile(f"/handoffs/{handoff.pk}/"))
    expect(page.locator("#toasts")).to_contain_text("Adaeze Okonkwo: accepted")
    assert state(handoff) == "accepted"


def test_a_reason_is_one_tap_and_the_undo_is_there(cast, handoff, open_page):
    page: Page = open_page(cast.femke, size=PHONE)
    page.goto(address(cast.femke, handoff, "reject"))
    page.get_by_label("Note").fill("They have just signed with somebody else")
    page.get_by_role("button", name="Other, with a note").click()
    expect(page).to_have_url(re.compile("/inbox/"))
    expect(page.locator("#toasts")).to_contain_text("rejected")
    assert state(handoff) == "rejected"
    page.locator("#toasts").get_by_role("button", name=re.compile("Undo")).click()
    expect(page.locator("#toasts")).to_contain_text("undone")
    assert state(handoff) == "assigned"


def test_a_new_demo_lead_calls_by_its_company(cast, handoff, open_page):
    Preference.objects.create(user=cast.femke, browser=True)
    page: Page = open_page(cast.femke)
    page.add_init_script(STAND_IN % "granted")
    page.goto("/inbox/")
    now = timezone.now()
    demo = open_handoff(make_lead(last_name="Secretsen"), kind="demo_request", at=now)
    open_handoff(at=now)
    page.evaluate(POLL)
    expect(page.locator(f"#row-{demo.pk}")).to_be_visible()
    assert page.evaluate("window.called") == [["New demo lead", demo.lead.company.name]]
    page.evaluate(POLL)
    page.wait_for_timeout(300)
    assert page.evaluate("window.called.length") == 1


def test_nobody_is_called_who_did_not_wish_it(cast, handoff, open_page):
    page: Page = open_page(cast.femke)
    page.add_init_script(STAND_IN % "granted")
    page.goto("/inbox/")
    demo = open_handoff(kind="demo_request", at=timezone.now())
    page.evaluate(POLL)
    expect(page.locator(f"#row-{demo.pk}")).to_be_visible()
    assert page.evaluate("window.called") == []


def test_the_browser_is_asked_by_a_click_only(cast, open_page):
    page: Page = open_page(cast.femke)
    page.add_init_script(STAND_IN % "default")
    page.goto("/profile/")
    assert page.evaluate("window.asked") is None
    expect(page.get_by_text("This browser has not been asked yet.")).to_be_hidden()
    page.get_by_label("Browser notification for demo leads").check()
    expect(page.get_by_text("This browser may call you.")).to_be_visible()
    assert page.evaluate("window.asked") == 1
    page.locator("#told").get_by_role("button", name="Save").click()
    expect(page.locator("#toasts")).to_contain_text("Saved.")
    # Another browser of the same person: it says so, and has a button to be asked by.
    assert page.evaluate("window.asked") is None
    page.get_by_role("button", name="Ask this browser").click()
    expect(page.get_by_text("This browser may call you.")).to_be_visible()
    expect(page.get_by_role("button", name="Ask this browser")).to_be_hidden()


def test_wishes_are_kept_without_scripts(cast, browser, live_server):
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/login/?next=/profile/")
    page.fill("input[name=username]", cast.femke.email)
    page.fill("input[name=password]", PASSWORD)
    page.click(".door-form button")
    page.get_by_label("Only what needs me soon").check()
    page.get_by_label("From").fill("20:00")
    page.get_by_label("Until").fill("07:00")
    page.locator("#told").get_by_role("button", name="Save").click()
    expect(page.locator("#toasts")).to_contain_text("Saved.")
    context.close()
    kept = Preference.objects.get(user=cast.femke)
    assert (kept.mail, kept.quiet_from, kept.quiet_until) == ("urgent", 1200, 420)


def test_axe_finds_nothing(cast, handoff, open_page, shot):
    route_to(cast.femke)
    demo = open_handoff(kind="demo_request", at=timezone.now() - timedelta(minutes=20))
    for kind in ("accept_breach", "triggered_again", "contact_breach"):
        Notification.objects.create(user=cast.femke, handoff=demo, kind=kind, created_at=timezone.now())
    Preference.objects.create(user=cast.femke, quiet_from=1200, quiet_until=420, browser=True)
    visits = {
        "accept": address(cast.femke, handoff, "accept"),
        "reject": address(cast.femke, demo, "reject"),
        "profile": "/profile/#told",
        "notifications": "/notifications/",
    }
    page: Page = open_page(cast.femke)
    found = {}
    for name, path in visits.items():
        page.goto(path)
        for _, look in looks(page):
            shot(page, f"told-{name}-{look}")
            if wrong := axe_violations(page):
                found[f"{name} {look}"] = wrong
            wide = too_wide(page)
            if wide > 0:
                found[f"{name} {look} width"] = [f"{wide} px too wide"]
    assert found == {}
