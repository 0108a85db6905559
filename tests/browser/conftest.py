"""A real browser: the system's Chromium driven by Playwright, with axe for accessibility.

Without Chromium these tests are skipped and say so; with BROWSER_TESTS=required they fail instead.
CHROMIUM names the program. Screenshots go to the folder that SCREENSHOTS names, if it names one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.conf import settings
from django.core.servers.basehttp import ThreadedWSGIServer
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from routing.models import User
from tests.chromium import DESK, FLAGS, PHONE, SHELL, find_chromium

# Playwright's synchronous API keeps an event loop in this thread; Django's guard against sharing a
# connection with one has nothing to protect here.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = find_chromium(SHELL)
    if program is None:
        if os.environ.get("BROWSER_TESTS") == "required":
            pytest.fail("BROWSER_TESTS=required, but no Chromium was found; CHROMIUM can name it")
        pytest.skip("no Chromium found; install it or name it in CHROMIUM to run the browser tests")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=FLAGS, headless=True)
        yield opened
        opened.close()


class Talks:
    """How many connections the live server has taken in and not yet ended. Other servers of this process, as
    the doubles, keep theirs open from test to test and are none of it."""

    def __init__(self, server: ThreadedWSGIServer) -> None:
        self._open = 0
        self._changed = threading.Condition()
        take, hold = server.process_request, server.process_request_thread

        def process_request(request: Any, client_address: Any) -> None:
            self._count(1)
            take(request, client_address)

        def process_request_thread(request: Any, client_address: Any) -> None:
            try:
                hold(request, client_address)
            finally:
                self._count(-1)

        server.process_request = process_request  # type: ignore[method-assign]
        server.process_request_thread = process_request_thread  # type: ignore[method-assign]

    def _count(self, by: int) -> None:
        with self._changed:
            self._open += by
            self._changed.notify_all()

    def ended(self, seconds: float) -> bool:
        """Whether all were ended within that time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._open == 0, timeout=seconds)


@pytest.fixture(scope="session")
def talks(live_server: LiveServer) -> Talks:
    return Talks(live_server.thread.httpd)


@pytest.fixture(autouse=True)
def _answered(live_server: LiveServer, talks: Talks) -> Iterator[None]:
    """The test's tables stay until the server has answered what its pages asked for: a page that is closed
    leaves its last request behind, and that would read from tables that are being emptied."""
    yield
    # Taken in after every request that came before it; no view and no table have a part in it.
    with urlopen(f"{live_server.url}/static/css/tokens.css") as answer:
        assert answer.status == 200
    assert talks.ended(30), "a page is still open, or its request is still answered"


def sign_in(context: BrowserContext, user: User, url: str) -> None:
    """What the form on the sign-in page gives; the form itself is tried where sessions end."""
    client = Client()
    client.force_login(user, backend="handoff_site.sessions.Backend")
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": url}])


def wait_for_scripts(page: Page) -> None:
    """A person is slower than a page's scripts, a test is not: nothing is filled, pressed or expected before
    the page has loaded."""
    page.add_init_script("addEventListener('load', () => { document.documentElement.dataset.loaded = '' })")
    page.add_locator_handler(
        page.locator("html:not([data-loaded])"), lambda: page.wait_for_load_state("load")
    )


@pytest.fixture
def open_page(browser: Browser, live_server: LiveServer) -> Iterator[Callable[..., Page]]:
    """open_page(user, size=DESK) is an empty page of somebody who is signed in, for the test to go somewhere;
    errors fail the test."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def open_(user: User | None = None, size: tuple[int, int] = DESK) -> Page:
        context = browser.new_context(
            base_url=live_server.url,
            viewport={"width": size[0], "height": size[1]},
            color_scheme="light",
            timezone_id="UTC",
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        wait_for_scripts(page)
        page.set_default_navigation_timeout(30_000)  # the first page of a process compiles its templates
        page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
        page.on(
            "console",
            lambda message: wrong.append(f"console: {message.text}") if message.type == "error" else None,
        )
        if user is not None:
            sign_in(context, user, live_server.url)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert wrong == [], "\n".join(wrong)


@pytest.fixture
def shot() -> Callable[..., None]:
    """shot(page, name) saves a picture when SCREENSHOTS names a folder; `height` is that of the window for
    it, where a page scrolls in itself."""

    def take(page: Page, name: str, height: int = 0) -> None:
        folder, size = os.environ.get("SCREENSHOTS"), page.viewport_size
        if folder and size:
            Path(folder).mkdir(parents=True, exist_ok=True)
            if height:
                page.set_viewport_size({**size, "height": height})
            # Hiding the caret would need an inline style, which the policy refuses.
            page.screenshot(path=str(Path(folder) / f"{name}.png"), caret="initial")
            page.set_viewport_size(size)

    return take


def looks(page: Page) -> Iterator[tuple[tuple[int, int], str]]:
    """The page as it stands, on a desk in the light and on a phone in the dark, for both widths and both sets
    of colours; where pictures are asked for, in the other two looks as well. The size and a name."""
    both = ((DESK, False), (PHONE, True))
    others = ((DESK, True), (PHONE, False)) if os.environ.get("SCREENSHOTS") else ()
    for size, dark in (*both, *others):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        # Without motion: no colour is caught on its way from the light to the dark.
        page.emulate_media(color_scheme="dark" if dark else "light", reduced_motion="reduce")
        yield size, f"{size[0]}{'-dark' if dark else ''}"


_WIDE = """
[document.documentElement, ...document.querySelectorAll("#main, #list, #lead")].reduce(
  (most, part) => Math.max(most, part.scrollWidth - part.clientWidth), 0)
"""


def too_wide(page: Page) -> int:
    """By how many px the page, or a part that scrolls by itself, must be scrolled sideways."""
    return int(page.evaluate(_WIDE))


_AXE = """
() => axe.run({ resultTypes: ["violations"] }).then(({ violations }) => violations.map(
  (item) => `${item.id}: ${item.help} (${item.nodes[0].html.slice(0, 160)})`))
"""


def axe_violations(page: Page) -> list[str]:
    """What axe has against the page as it stands, one line a rule with the first place."""
    if page.evaluate("window.axe === undefined"):
        page.evaluate(AXE_SCRIPT)
        # Whoever asks once asks of the next pages too: the browser keeps the half a megabyte for them.
        page.add_init_script(AXE_SCRIPT)
    return list(page.evaluate(_AXE))
