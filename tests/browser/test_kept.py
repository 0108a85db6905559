"""Nothing typed is lost: a session that ends, a line that breaks, news that come in, a lead that is taken."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Browser, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from leads import lifecycle
from leads.intake import receive
from leads.models import Handoff
from tests.browser.conftest import axe_violations, sign_in
from tests.conftest import PASSWORD, Cast
from tests.factories import event, make_handoff, route_to
from tests.processes import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WORDS = "They want to hear from us after the fair"
POLL = "htmx.trigger('#list-body', 'again')"


@pytest.fixture
def mine(cast: Cast) -> Handoff:
    return make_handoff("assigned", cast.femke, at=timezone.now() - timedelta(minutes=3))


@pytest.fixture
def page(cast: Cast, mine: Handoff, browser: Browser, live_server: LiveServer) -> Iterator[Page]:
    """Femke's inbox with the lead open. Answers that fail are meant to."""
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1440, "height": 900})
    sign_in(context, cast.femke, live_server.url)
    opened = context.new_page()
    opened.set_default_timeout(10_000)
    opened.set_default_navigation_timeout(30_000)
    opened.goto(f"/inbox/?h={mine.pk}")
    yield opened
    context.close()


@pytest.fixture
def connection(page: Page) -> Callable[[str], None]:
    """connection(words): the line above the page says so."""
    return lambda words: expect(page.locator("#connection")).to_contain_text(words, timeout=20_000)


def write(page: Page) -> None:
    page.keyboard.press("d")
    page.locator("#defer-explanation").fill(WORDS)
    page.locator("#defer-day").fill((timezone.now() + timedelta(days=10)).date().isoformat())


def send(page: Page) -> None:
    page.get_by_role("button", name="Defer to that day").click()


def state(handoff: Handoff) -> str:
    return Handoff.objects.values_list("state", flat=True).get(pk=handoff.pk)


@pytest.mark.parametrize("notices", ["send", "poll"])
def test_a_session_that_ends_in_the_middle_of_a_form(
    cast: Cast, mine: Handoff, page: Page, connection: Callable[[str], None], notices: str
) -> None:
    write(page)
    page.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    if notices == "send":
        send(page)
    else:
        page.evaluate(POLL)
    connection("You were signed out")
    expect(page.locator("#defer-explanation")).to_have_value(WORDS)
    assert axe_violations(page) == []
    page.get_by_role("link", name="Sign in again").click()
    page.fill("input[name=username]", cast.femke.email)
    page.fill("input[name=password]", PASSWORD)
    page.click(".door-form button")
    connection("What you typed is back; nothing was sent yet.")
    assert state(mine) == "assigned"
    expect(page.locator("#defer-explanation")).to_have_value(WORDS)
    send(page)
    expect(page.locator("#toasts")).to_contain_text("deferred")
    assert state(mine) == "deferred"


def test_signing_in_in_another_tab_is_enough(
    cast: Cast, mine: Handoff, page: Page, connection: Callable[[str], None]
) -> None:
    write(page)
    page.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    send(page)
    connection("You were signed out")
    other = page.context.new_page()
    other.goto("/login/")
    other.fill("input[name=username]", cast.femke.email)
    other.fill("input[name=password]", PASSWORD)
    other.click(".door-form button")
    expect(other).to_have_url(re.compile("/inbox/"))
    send(page)
    expect(page.locator("#toasts")).to_contain_text("deferred")
    expect(page.locator("#connection")).to_be_hidden()
    assert state(mine) == "deferred"


def test_what_was_typed_is_not_shown_to_somebody_else(cast: Cast, mine: Handoff, page: Page) -> None:
    write(page)
    page.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    send(page)
    page.get_by_role("link", name="Sign in again").click()
    page.fill("input[name=username]", cast.mia.email)
    page.fill("input[name=password]", PASSWORD)
    page.click(".door-form button")
    expect(page.locator("h1").first).to_be_visible()
    assert WORDS not in page.content()


def test_without_a_line_nothing_is_sent_and_nothing_lost(
    mine: Handoff, page: Page, connection: Callable[[str], None]
) -> None:
    write(page)
    page.context.set_offline(True)
    connection("You are offline. Nothing can be sent")
    send(page)
    connection("Not sent: there is no connection.")
    expect(page.locator("#defer-explanation")).to_have_value(WORDS)
    assert axe_violations(page) == []
    page.context.set_offline(False)
    connection("Connected again.")
    send(page)
    expect(page.locator("#toasts")).to_contain_text("deferred")
    assert state(mine) == "deferred"


def test_a_server_that_is_not_there(mine: Handoff, page: Page, connection: Callable[[str], None]) -> None:
    is_down: list[bool] = []
    # Before the page is loaded: a page that stands already goes on for a moment without the detour.
    page.route("**/*", lambda route: route.abort() if is_down else route.continue_())
    page.reload()
    is_down.append(True)
    page.keyboard.press("a")
    connection("The server cannot be reached.")
    assert state(mine) == "assigned"
    is_down.clear()
    connection("Connected again.")
    page.keyboard.press("a")
    expect(page.locator("#toasts")).to_contain_text("accepted")


def test_an_answer_that_takes_long_is_announced_by_a_line(mine: Handoff, page: Page) -> None:
    held: list[Route] = []
    holds: list[bool] = []
    page.route("**/accept/**", lambda route: held.append(route) if holds else route.continue_())
    page.reload()
    holds.append(True)

    def line() -> tuple[str, str]:
        of = "getComputedStyle(document.body, '::before')"
        return page.evaluate(f"{of}.content"), page.evaluate(f"{of}.opacity")

    assert line()[0] == "none"
    page.keyboard.press("a")
    wait_for(lambda: line() == ('""', "1"), 10)
    held[0].continue_()
    expect(page.locator("#toasts")).to_contain_text("accepted")
    wait_for(lambda: line()[0] == "none", 10)


def test_new_leads_come_in_without_moving_what_one_writes(cast: Cast, mine: Handoff, page: Page) -> None:
    write(page)
    field = page.locator("#defer-explanation")
    field.focus()
    at = field.bounding_box()
    route_to(cast.femke)
    now = timezone.now()
    new = receive([event(1, at=now)], None, now)[0]["handoff"]["id"]
    page.evaluate(POLL)
    expect(page.locator(f"#row-{new}")).to_be_visible()
    expect(page).to_have_title(re.compile(r"\(2\) Inbox"))
    expect(field).to_be_focused()
    expect(field).to_have_value(WORDS)
    assert field.bounding_box() == at
    assert "data:image/svg+xml" in (page.locator("link[rel=icon]").get_attribute("href") or "")


def test_taken_meanwhile_says_by_whom_and_keeps_the_words(cast: Cast, mine: Handoff, page: Page) -> None:
    write(page)
    act = lifecycle.Act(timezone.now(), cast.mia)
    lifecycle.reassign(mine.pk, act, to=cast.jonas.email, reason="Jonas knows them")
    page.evaluate(POLL)
    expect(page.locator("#lead-news")).to_contain_text("Mia Brandt: reassigned")
    expect(page.locator("#list-body")).to_contain_text("Changed meanwhile")
    send(page)
    expect(page.locator("#lead-news")).to_contain_text("the lead is no longer yours")
    expect(page.locator("#defer-explanation")).to_have_value(WORDS)
    assert axe_violations(page) == []
    assert state(mine) == "assigned"
