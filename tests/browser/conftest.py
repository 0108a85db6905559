"""A real browser: the system's Chromium driven by Playwright, with axe for accessibility.

Without Chromium these tests are skipped and say so; with BROWSER_TESTS=required they fail instead.
CHROMIUM names the program. Screenshots go to the folder that SCREENSHOTS names, if it names one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from routing.models import User
from tests.conftest import PASSWORD

# Playwright's synchronous API keeps an event loop in this thread; Django's guard against sharing a
# connection with one has nothing to protect here.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE, DESK = (360, 800), (1440, 900)
OPENERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    named = os.environ.get("CHROMIUM")
    return named if named else next((path for name in OPENERS if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        if os.environ.get("BROWSER_TESTS") == "required":
            pytest.fail("BROWSER_TESTS=required, but no Chromium was found; CHROMIUM can name it")
        pytest.skip("no Chromium found; install it or name it in CHROMIUM to run the browser tests")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=FLAGS, headless=True)
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Browser, live_server: LiveServer) -> Iterator[Callable[..., Page]]:
    """open_page(user, size=DESK, dark=False) is a page signed in as that person; errors fail the test."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def open_(user: User | None = None, size: tuple[int, int] = DESK, dark: bool = False) -> Page:
        context = browser.new_context(
            base_url=live_server.url,
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            timezone_id="UTC",
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
        page.on(
            "console",
            lambda message: wrong.append(f"console: {message.text}") if message.type == "error" else None,
        )
        if user is not None:
            page.goto("/login/")
            page.fill("input[name=username]", user.email)
            page.fill("input[name=password]", PASSWORD)
            page.click(".door-form button")
            page.wait_for_url(lambda url: "/login/" not in url)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert wrong == [], "\n".join(wrong)


@pytest.fixture
def shot() -> Callable[[Page, str], None]:
    """shot(page, name) saves a picture when SCREENSHOTS names a folder."""

    def take(page: Page, name: str) -> None:
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            # Hiding the caret would need an inline style, which the policy refuses.
            page.screenshot(path=str(Path(folder) / f"{name}.png"), caret="initial")

    return take


def axe_violations(page: Page) -> list[str]:
    """What axe has against the page as it stands, one line a rule with the first place."""
    result = Axe().run(page)
    return [
        f"{item['id']}: {item['help']} ({item['nodes'][0]['html'][:160]})"
        for item in result.response["violations"]
    ]
