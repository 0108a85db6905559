"""The pages that nobody wants to see, opened for real: what broke, what is not there, what is not allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.live_server_helper import LiveServer

from leads import lifecycle
from leads.models import TriageItem
from routing.models import User
from tests.browser.conftest import axe_violations, looks, sign_in, too_wide
from tests.conftest import NOW, Cast
from tests.factories import make_handoff, make_lead

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SEND = """([path, token]) => {
  const form = document.createElement("form"), field = document.createElement("input");
  form.method = "post"; form.action = path; field.name = "csrfmiddlewaretoken"; field.value = token;
  form.append(field); document.body.append(form); form.submit();
}"""


@pytest.fixture
def opened(browser: Browser, live_server: LiveServer) -> Iterator[Callable[[User | None], Page]]:
    """opened(user) is a page whose failing answers are meant to fail."""
    contexts: list[BrowserContext] = []

    def open_(user: User | None) -> Page:
        context = browser.new_context(base_url=live_server.url, timezone_id="UTC")
        contexts.append(context)
        if user is not None:
            sign_in(context, user, live_server.url)
        page = context.new_page()
        page.set_default_timeout(20_000)
        return page

    yield open_
    for context in contexts:
        context.close()


def send(page: Page, path: str, *, token: str | None = None) -> None:
    """Post a form with this page's token, or with another."""
    own = page.locator("[name=csrfmiddlewaretoken]").first.get_attribute("value")
    with page.expect_navigation():
        page.evaluate(SEND, [path, own if token is None else token])


def is_well(page: Page, heading: str, shot, name: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    for size, look in looks(page):
        shot(page, f"door-{name}-{look}")
        assert axe_violations(page) == [], (name, look)
        assert too_wide(page) <= 0, (name, look)
    expect(page.locator("main a.btn")).to_be_visible()


@pytest.mark.urls("tests.site.failing")
def test_what_broke_says_its_number(cast: Cast, opened, shot) -> None:
    page = opened(cast.femke)
    page.goto("/fails/")
    is_well(page, "Something broke on our side", shot, "500")
    assert len(page.locator("code").inner_text()) == 32


def test_what_is_not_ones_own_is_not_there(cast: Cast, opened, shot) -> None:
    page = opened(cast.femke)
    page.goto("/triage/")
    is_well(page, "Nothing for you here", shot, "404")
    page.locator("main a.btn").click()
    expect(page.get_by_role("heading", level=1).first).to_be_visible()


def test_what_ones_role_may_not_do_is_refused(cast: Cast, opened, shot) -> None:
    item = TriageItem.objects.create(lead=make_lead(), kind="suppressed", data={}, at=NOW)
    page = opened(cast.ada)
    page.goto("/triage/")
    send(page, f"/triage/items/{item.pk}/settle/")
    is_well(page, "Your role does not allow this", shot, "403")
    item.refresh_from_db()
    assert item.settled_at is None


def test_a_form_with_an_old_token_is_sent_again(cast: Cast, opened, shot) -> None:
    page = opened(cast.otto)
    page.goto("/profile/")
    send(page, "/profile/", token="x" * 64)
    is_well(page, "Open the page again", shot, "csrf")


def test_who_guesses_waits(cast: Cast, opened, shot, settings) -> None:
    settings.AXES_FAILURE_LIMIT = 2
    page = opened(None)
    page.goto("/login/")
    for _ in range(2):
        page.fill("[name=username]", cast.femke.email)
        page.fill("[name=password]", "wrong")
        with page.expect_navigation():
            page.keyboard.press("Enter")
    is_well(page, "Locked for a while", shot, "locked")


def test_a_broken_line_is_said_in_every_look(cast: Cast, opened, shot) -> None:
    page = opened(cast.femke)
    page.goto("/inbox/")
    page.context.set_offline(True)
    expect(page.locator("#connection")).to_contain_text("You are offline")
    for size, look in looks(page):
        shot(page, f"door-offline-{look}")
        assert axe_violations(page) == [], look
        assert too_wide(page) <= 0, look
    page.context.set_offline(False)
    expect(page.locator("#connection")).to_contain_text("Connected again")


def test_a_stale_page_says_who_was_faster(cast: Cast, opened, shot) -> None:
    handoff = make_handoff("assigned", cast.femke, at=timezone.now() - timedelta(minutes=3))
    page = opened(cast.femke)
    page.goto(f"/inbox/?h={handoff.pk}&form=reject")
    lifecycle.reassign(
        handoff.pk, lifecycle.Act(timezone.now(), cast.mia), to=cast.jonas.email, reason="You know them"
    )
    page.keyboard.press("a")
    expect(page.locator("#refused, .notice").first).to_contain_text("Mia")
    for size, look in looks(page):
        shot(page, f"door-stale-{look}")
        assert axe_violations(page) == [], look
        assert too_wide(page) <= 0, look
