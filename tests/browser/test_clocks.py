"""Clocks in a real browser: they tick by the server's clock, whatever the computer's says; and the pages
of time, looked at."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from leads import lifecycle
from leads.intake import receive
from leads.lifecycle import Act
from leads.models import Handoff
from tests.browser.conftest import axe_violations, looks, too_wide
from tests.factories import event, make_handoff, route_to

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# A computer whose clock is three days ahead of everybody else's.
WRONG = """(() => { const Real = Date, ahead = 3 * 864e5;
  window.Date = class extends Real {
    constructor(...given) { if (given.length) super(...given); else super(Real.now() + ahead); }
    static now() { return Real.now() + ahead; } }; })()"""
SET = """([seconds, closed]) => { const clock = document.querySelector(".clock-lg");
  const due = Date.parse(document.body.dataset.now) + performance.now() + seconds * 1000;
  clock.dataset.due = new Date(due).toISOString();
  if (closed) { const to = due / 1000 - closed[1]; clock.dataset.closed = `${to - closed[0]}/${to}`; } }"""


@pytest.fixture
def demo(cast) -> int:
    """A demo lead of Femke's that came this minute: five minutes to answer."""
    route_to(cast.femke)
    now = timezone.now()
    [answer] = receive([event(1, at=now - timedelta(seconds=20))], None, now)
    return int(answer["handoff"]["id"])


def test_a_countdown_is_right_on_a_computer_whose_clock_is_wrong(cast, demo, open_page):
    page: Page = open_page(cast.femke)
    page.add_init_script(WRONG)
    page.goto(f"/handoffs/{demo}/")
    assert page.evaluate("Date.now()") > (timezone.now() + timedelta(days=2)).timestamp() * 1000
    words = page.locator(".clock-lg [data-words]")
    first = words.inner_text()
    expect(words).not_to_have_text(first)
    minutes, seconds = map(int, words.inner_text().split(":"))
    due = Handoff.objects.get(pk=demo).next_due_at
    assert abs((due - timezone.now()).total_seconds() - minutes * 60 - seconds) < 4
    expect(page.locator(".clock-lg")).not_to_have_attribute("data-state", "over")


def test_words_bar_and_state_change_without_a_request(cast, demo, open_page):
    page: Page = open_page(cast.femke)
    page.goto(f"/handoffs/{demo}/")
    clock = page.locator(".clock-lg")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for left, state in ((149, "soon"), (59, "late"), (0, "over")):
        page.evaluate(SET, [left, None])
        expect(clock).to_have_attribute("data-state", state)
    expect(clock.locator("[data-rest]")).to_have_text(re.compile("late to"))
    expect(clock.locator(".bar rect")).to_have_attribute("width", "0.0%")
    assert [url for url in asked if "viewed" not in url] == []


def test_in_closed_hours_the_bar_stands_still(cast, demo, open_page):
    """Due in 3 h, of which the next 178 minutes are closed: two working minutes of five are left."""
    page: Page = open_page(cast.femke)
    page.goto(f"/handoffs/{demo}/")
    page.evaluate(SET, [3 * 3600, [3 * 3600 + 600, 120]])
    bar = page.locator(".clock-lg .bar rect")
    expect(bar).to_have_attribute("width", "40.0%")
    page.wait_for_timeout(2500)
    assert bar.get_attribute("width") == "40.0%"


def test_no_clock_stands_in_a_region_that_is_read_out(cast, demo, open_page):
    page: Page = open_page(cast.femke)
    page.goto(f"/handoffs/{demo}/")
    live = "[aria-live] [data-words], [role=status] [data-words], [role=timer], [role=alert] [data-words]"
    assert page.locator(live).count() == 0
    page.keyboard.press("a")
    expect(page.locator("#toasts [data-countdown]")).to_have_attribute("aria-hidden", "true")


def test_the_pages_of_time(cast, open_page, shot):
    now = timezone.now()
    handoff = make_handoff("assigned", cast.femke, at=now - timedelta(hours=6))
    manager = Act(now - timedelta(hours=3), cast.mia)
    lifecycle.reassign(handoff.pk, manager, to="queue:overflow", reason="Femke is ill")
    lifecycle.reassign(
        handoff.pk, Act(now - timedelta(hours=2), cast.mia), to=cast.femke.email, reason="Back"
    )
    unseen = make_handoff("assigned", cast.femke, at=now - timedelta(hours=30))
    lifecycle.fire(unseen.pk, now)
    page: Page = open_page(cast.mia)
    urls = {
        "time": f"/handoffs/{handoff.pk}/",
        "whatif": "/whatif/?policy=standard&clock=accept&minutes=30&time=elapsed",
        "team": "/team/",
    }
    for called, url in urls.items():
        page.goto(url)
        for size, look in looks(page):
            if called == "time":
                page.locator("#q-time").scroll_into_view_if_needed()
            shot(page, f"{called}-{look}")
            assert axe_violations(page) == [], (called, look)
            assert too_wide(page) <= 0, (called, look)
