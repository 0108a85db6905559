"""The rep's day counted: how many keys and taps each act takes, and where one stands after it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from leads.intake import receive
from leads.models import Handoff
from tests.browser.conftest import sign_in
from tests.chromium import PHONE
from tests.conftest import Cast
from tests.factories import event, route_to

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenPage = Callable[..., Page]


@pytest.fixture
def three(cast: Cast) -> list[int]:
    """Three fresh handoffs of Femke's with a telephone, soonest due first."""
    route_to(cast.femke)
    now = timezone.now()
    events = [
        event(n, at=now - timedelta(seconds=30 - n), lead={"phone": f"+49 30 555010{n}"}) for n in (1, 2, 3)
    ]
    return [int(answer["handoff"]["id"]) for answer in receive(events, None, now)]


def state(pk: int) -> str:
    return Handoff.objects.values_list("state", flat=True).get(pk=pk)


def at_the_first(page: Page) -> int:
    """Wait until the first lead is open; its id."""
    expect(page.locator("#lead[data-opened]")).to_be_visible()
    return int(page.locator("#lead").get_attribute("data-id") or 0)


def press(page: Page, *keys: str) -> int:
    for key in keys:
        page.keyboard.press(key)
    return len(keys)


def said(page: Page, words: str) -> None:
    expect(page.locator("#toasts")).to_contain_text(words)


def test_accepting_takes_one_key_and_the_next_lead_is_open(
    cast: Cast, three: list[int], open_page: OpenPage
) -> None:
    page = open_page(cast.femke)
    page.goto("/")
    first = at_the_first(page)
    expect(page).to_have_title(re.compile(r"\(3\) Inbox"))
    assert press(page, "a") == 1
    said(page, "accepted")
    assert state(first) == "accepted"
    expect(page).to_have_title(re.compile(r"\(2\) Inbox"))
    after = at_the_first(page)
    assert after != first
    expect(page.locator("#lead-name")).to_be_focused()
    expect(page.locator(f"#row-{after}")).to_have_attribute("aria-current", "true")


def test_rejecting_takes_two(cast: Cast, three: list[int], open_page: OpenPage) -> None:
    page = open_page(cast.femke)
    page.goto("/")
    first = at_the_first(page)
    assert press(page, "r", "1") == 2
    said(page, "rejected")
    assert state(first) == "rejected"


@pytest.mark.parametrize(
    ("keys", "logged"),
    [
        (("c", "Enter"), ("phone", "no_answer")),
        (("c", "1"), ("phone", "reached")),
        (("c", "2"), ("phone", "voicemail")),
    ],
)
def test_logging_a_contact_takes_two(
    cast: Cast, three: list[int], open_page: OpenPage, keys: tuple[str, ...], logged: tuple[str, str]
) -> None:
    page = open_page(cast.femke)
    page.goto("/")
    first = at_the_first(page)
    assert press(page, *keys) == 2
    said(page, "contact logged")
    handoff = Handoff.objects.get(pk=first)
    assert (handoff.state, handoff.accepted_by) == ("working", cast.femke)
    assert (handoff.first_contact_channel, handoff.first_contact_outcome) == logged
    assert handoff.next_touch_at is not None


def test_an_opening_line_leads_to_its_evidence_and_into_the_contact(
    cast: Cast, three: list[int], open_page: OpenPage
) -> None:
    page = open_page(cast.femke)
    page.goto("/")
    first = at_the_first(page)
    line = page.locator(".openers li").first
    line.locator(".evidence").click()
    expect(page.locator(".timeline li:target")).to_contain_text("Asked for a demo")
    line.get_by_role("link", name=re.compile("^Use")).click()
    press(page, "1")
    said(page, "contact logged")
    assert Handoff.objects.get(pk=first).first_contact_personal is True


def test_who_writes_a_mail_finds_the_form_open(cast: Cast, three: list[int], open_page: OpenPage) -> None:
    page = open_page(cast.femke)
    page.goto("/")
    first = at_the_first(page)
    page.locator(".contact a[href^='mailto:']").evaluate(
        "link => link.addEventListener('click', (event) => event.preventDefault())"
    )
    page.locator(".contact a[href^='mailto:']").click()
    press(page, "Enter")
    said(page, "contact logged")
    assert Handoff.objects.get(pk=first).first_contact_channel == "email"


def test_written_words_are_sent_from_the_keyboard(cast: Cast, three: list[int], open_page: OpenPage) -> None:
    page = open_page(cast.femke)
    page.goto("/")
    first = at_the_first(page)
    press(page, "n")
    page.keyboard.type("a rare d, r and c")
    press(page, "Control+Enter")
    said(page, "note kept")
    assert (state(first), Handoff.objects.get(pk=first).notes.get().text) == ("assigned", "a rare d, r and c")


def test_the_keys_of_the_page_are_shown(cast: Cast, three: list[int], open_page: OpenPage) -> None:
    page = open_page(cast.femke)
    page.goto("/")
    at_the_first(page)
    press(page, "?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog.locator("[data-keys-list]")).to_contain_text("accept")
    press(page, "Escape", "r", "?")
    expect(dialog.locator("[data-keys-list]")).to_contain_text("wrong title or role")
    press(page, "Escape")
    expect(dialog).to_be_hidden()


def test_keys_switched_off_do_nothing(cast: Cast, three: list[int], open_page: OpenPage) -> None:
    cast.femke.single_keys = False
    cast.femke.save()
    page = open_page(cast.femke)
    page.goto("/")
    first = at_the_first(page)
    press(page, "a", "r", "1", "j", "?")
    expect(page.locator("#panel-reject")).to_be_hidden()
    assert state(first) == "assigned"


def test_by_touch_on_a_phone(cast: Cast, three: list[int], browser: Browser, live_server: LiveServer) -> None:
    size = {"width": PHONE[0], "height": PHONE[1]}
    context = browser.new_context(
        base_url=live_server.url, viewport=size, has_touch=True, is_mobile=True, device_scale_factor=2
    )
    sign_in(context, cast.femke, live_server.url)
    page = context.new_page()
    page.goto("/inbox/")
    page.locator(f"#row-{three[0]}").tap()
    page.get_by_role("button", name=re.compile("^Accept")).tap()
    said(page, "accepted")
    page.goto(f"/inbox/?h={three[1]}")
    page.locator('[data-panel="contact"]').tap()
    page.get_by_text("Reached", exact=True).tap()
    page.get_by_role("button", name="Accept and log").tap()
    said(page, "contact logged")
    page.goto(f"/inbox/?h={three[2]}")
    page.locator('[data-panel="reject"]').tap()
    page.get_by_role("button", name=re.compile("Wrong person")).tap()
    said(page, "rejected")
    context.close()
    assert list(map(state, three)) == ["accepted", "working", "rejected"]


def test_everything_without_javascript(
    cast: Cast, three: list[int], browser: Browser, live_server: LiveServer
) -> None:
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    sign_in(context, cast.femke, live_server.url)
    page = context.new_page()
    page.goto("/inbox/")
    page.get_by_role("link", name="Open the first lead").click()
    expect(page.get_by_role("heading", name="Why did this lead qualify?")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Accept")).click()
    said(page, "accepted")
    page.goto(f"/handoffs/{three[1]}/")
    page.get_by_role("link", name=re.compile("^Contact")).click()
    page.get_by_text("Reached", exact=True).click()
    page.get_by_role("button", name="Accept and log").click()
    said(page, "contact logged")
    page.goto(f"/handoffs/{three[2]}/")
    page.get_by_role("link", name=re.compile("^Report wrong data")).click()
    page.get_by_role("button", name="Phone").click()
    said(page, "wrong data reported")
    page.get_by_role("link", name=re.compile("^Reject")).click()
    page.get_by_role("button", name=re.compile("Wrong person")).click()
    said(page, "rejected")
    context.close()
    assert list(map(state, three)) == ["accepted", "working", "rejected"]


def test_a_menu_that_the_focus_has_left_closes(cast: Cast, three: list[int], open_page: OpenPage) -> None:
    page = open_page(cast.femke)
    page.goto("/")
    at_the_first(page)
    page.locator(".menu summary").focus()
    press(page, "Enter")
    expect(page.locator(".menu-body")).to_be_visible()
    page.get_by_role("button", name="Sign out").focus()
    expect(page.locator(".menu-body")).to_be_visible()
    press(page, "Tab")
    expect(page.locator(".menu-body")).to_be_hidden()


def test_notifications_by_keyboard(cast: Cast, three: list[int], open_page: OpenPage) -> None:
    page = open_page(cast.femke)
    page.goto("/")
    at_the_first(page)
    press(page, "g", "n")
    page.wait_for_url("**/notifications/")
    press(page, "j")
    first = page.locator("[data-rows] [data-id]").first
    expect(first).to_be_focused()
    press(page, "j")
    expect(page.locator("[data-rows] [data-id]").nth(1)).to_be_focused()
    press(page, "k", "Enter")
    page.wait_for_url("**/handoffs/*/")
