"""Signing in as a company does it, in a real browser and with a real provider."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from handoff_site.signing_in import glass
from tests.browser.conftest import axe_violations, looks, too_wide
from tests.conftest import PASSWORD, Cast
from tests.oidc.running import Provider

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def provider(tmp_path: Any, live_server: LiveServer, settings: Any, browser: object) -> Iterator[Provider]:
    running = Provider(tmp_path, live_server.url)
    policy = copy.deepcopy(settings.CONTENT_SECURITY_POLICY)
    policy["DIRECTIVES"]["form-action"] = ["'self'", running.origin]
    settings.CONTENT_SECURITY_POLICY = policy
    settings.PUBLIC_URL = live_server.url
    settings.OIDC = running.oidc()
    yield running
    running.stop()


def test_to_the_provider_and_back_under_the_strict_policy(
    cast: Cast,
    provider: Provider,
    open_page: Callable[..., Page],
    shot: Callable[[Page, str], None],
) -> None:
    provider.claim(femke={"email": cast.femke.email})
    page = open_page()
    page.goto("/profile/")
    for _, name in looks(page):
        shot(page, f"sign-in-{name}")
        assert axe_violations(page) == []
        assert too_wide(page) == 0
    page.get_by_role("button", name="Sign in with Example ID").click()
    page.get_by_label("User").fill("femke")
    page.get_by_role("button", name="Sign in there").click()
    expect(page.get_by_role("heading", name="Profile")).to_be_visible()
    page.locator(".menu summary").first.click()
    page.get_by_role("button", name="Sign out").first.click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    # The provider asks again: its own session has ended as well.
    page.get_by_role("button", name="Sign in with Example ID").click()
    expect(page.get_by_label("User")).to_be_visible()


def test_where_it_is_the_only_way(
    cast: Cast,
    provider: Provider,
    open_page: Callable[..., Page],
    shot: Callable[[Page, str], None],
    settings: Any,
) -> None:
    settings.OIDC = provider.oidc(only=True)
    page = open_page()
    page.goto("/login/")
    expect(page.get_by_label("Password")).to_have_count(0)
    for _, name in looks(page):
        shot(page, f"sign-in-only-{name}")
        assert axe_violations(page) == []
    # The way in when the provider is away, and what an admin sees of somebody.
    page.goto(glass.link(cast.ada))
    is_well(page, shot, "once")
    page.get_by_role("button", name="Sign in as").click()
    page.goto(f"/people/{cast.ada.pk}/sign-in/")
    is_well(page, shot, "person")


def test_a_passkey_is_made_and_signs_in(
    cast: Cast,
    live_server: LiveServer,
    open_page: Callable[..., Page],
    shot: Callable[[Page, str], None],
    settings: Any,
) -> None:
    """With a device that the browser plays, as its own tools for developers offer it."""
    settings.PUBLIC_URL = live_server.url
    page = open_page(cast.otto)
    page.set_default_timeout(15_000)
    device = page.context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    device.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
                "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True,
            }
        },
    )  # fmt: skip
    page.goto("/profile/sign-in/")
    page.locator('a[href="/profile/sign-in/passkey/"]').click()
    page.get_by_label("Name").fill("My laptop")
    is_well(page, shot, "passkey")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("heading", name="Codes on paper")).to_be_visible()
    is_well(page, shot, "paper")
    page.get_by_role("link", name="I have them").click()
    expect(page.get_by_text("Passkey: My laptop")).to_be_visible()
    is_well(page, shot, "access")
    page.locator('a[href="/profile/sign-in/app/"]').click()
    is_well(page, shot, "app")
    # As a second step after the password.
    page.context.clear_cookies()
    page.goto("/login/?next=/profile/sign-in/")
    page.get_by_label("E-mail").fill(cast.otto.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    is_well(page, shot, "second")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Signing in")).to_be_visible()
    # And instead of it.
    page.context.clear_cookies()
    page.goto("/login/?next=/profile/sign-in/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", name="Signing in")).to_be_visible()
    page.goto("/login/again/?next=/profile/sign-in/")
    is_well(page, shot, "again")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Signing in")).to_be_visible()


def is_well(page: Page, shot: Callable[[Page, str], None], name: str) -> None:
    """On a desk and a phone, in the light and in the dark."""
    size = page.viewport_size
    for _, look in looks(page):
        shot(page, f"{name}-{look}")
        assert axe_violations(page) == []
        assert too_wide(page) == 0
    assert size is not None
    page.set_viewport_size(size)
