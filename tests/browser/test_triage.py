"""Triage, duplicates and a rep's page in a real browser: the main path of each by keyboard, and axe."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from leads import lifecycle
from leads.models import DuplicatePair, Handoff, Lead, Merge, TriageItem
from routing.models import Absence
from tests.browser.conftest import axe_violations, looks, too_wide
from tests.factories import make_handoff, make_lead

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def rejected(cast):
    """Two that Femke rejected, the newest last."""
    now = timezone.now()
    made = []
    for minutes in (20, 10):
        handoff = make_handoff("assigned", cast.femke, at=now - timedelta(minutes=minutes + 5))
        act = lifecycle.Act(now - timedelta(minutes=minutes), cast.femke)
        made.append(lifecycle.reject(handoff.pk, act, reason="other", note="Sells us boats"))
    return made


@pytest.fixture
def pair(cast):
    now = timezone.now()
    company = make_lead().company
    names = {"first_name": "Christina", "company": company}
    first, second = (
        make_lead(last_name=name, job_title=title, **names)
        for name, title in (("Schmidt", "CFO"), ("Schmitt", "Chief Financial Officer"))
    )
    return DuplicatePair.objects.create(first=first, second=second, evidence={"same": "phone"}, found_at=now)


def test_rejections_are_decided_by_keyboard_alone(cast, rejected, open_page, shot):
    page: Page = open_page(cast.otto)
    page.goto("/triage/")
    page.keyboard.press("j")
    newest, oldest = rejected[1], rejected[0]
    expect(page.locator(f"#row-{newest.pk}")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#decide")).to_be_visible()
    page.keyboard.press("r")
    expect(page.locator("#t-until")).to_be_focused()
    shot(page, "triage-recycle-1440")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("back to marketing until")
    # The next one is open already; letting it stand is one key.
    expect(page).to_have_url(re.compile(f"h={oldest.pk}"))
    page.keyboard.press("a")
    expect(page.locator("#toasts")).to_contain_text(": the rejection stands.")
    expect(page.locator("#main")).to_contain_text("No rejection waits")
    steps = [Handoff.objects.get(pk=row.pk).next_step for row in (newest, oldest)]
    assert steps == ["recycled", "triage"]


def test_a_rejection_is_handed_on_and_a_suppression_lifted_by_keyboard(cast, rejected, open_page):
    lead = rejected[0].lead
    page: Page = open_page(cast.otto)
    page.goto(f"/triage/?h={rejected[0].pk}")
    page.keyboard.press("h")
    expect(page.locator("#t-to")).to_be_focused()
    page.keyboard.type("Rosa")
    page.keyboard.press("Tab")
    page.keyboard.type("She knows their market")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#toasts")).to_contain_text("handed on; its new holder has been told")
    handed = Handoff.objects.get(pk=rejected[0].pk)
    assert (handed.state, handed.assignee) == ("assigned", cast.rosa)
    other = rejected[1]
    lifecycle.suppress(other.pk, lifecycle.Act(timezone.now(), cast.otto))
    data = {"trigger": "demo_request", "at": timezone.now().isoformat()}
    TriageItem.objects.create(lead=other.lead, kind="suppressed", data=data, at=timezone.now())
    page.goto("/triage/")
    page.get_by_role("link", name="Lift").click()
    expect(page.locator("#t-lift")).to_be_focused()
    page.keyboard.type("They asked twice")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#toasts")).to_contain_text("is suppressed no longer")
    opened = Handoff.objects.open().get(lead=other.lead)
    assert (opened.lead_type, opened.notes.get().text, opened.lead_id != lead.pk) == (
        "demo",
        "They asked twice",
        True,
    )


def test_two_leads_become_one_and_two_again(cast, pair, open_page, shot):
    page: Page = open_page(cast.otto)
    page.goto("/duplicates/")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/duplicates/{pair.pk}/"))
    expect(page.locator("[name=take-job_title][value=second]")).to_be_checked()
    page.check("[name=take-name][value=first]")
    page.check(f"[name=keep][value='{pair.first_id}']")
    shot(page, "duplicate-1440")
    page.keyboard.press("Tab")
    page.keyboard.press("m")
    expect(page.locator("#toasts")).to_contain_text("Merged into Christina Schmidt")
    kept = Lead.objects.get(pk=pair.first_id)
    assert (kept.last_name, kept.job_title) == ("Schmidt", "Chief Financial Officer")
    page.get_by_role("link", name="See the merge or undo it").click()
    expect(page).to_have_url(re.compile(f"/leads/{pair.first_id}/#merges"))
    page.get_by_role("button", name="Undo the merge").click()
    expect(page.locator("#toasts")).to_contain_text("is undone")
    assert Merge.objects.get().undone_by == cast.otto
    assert Lead.objects.get(pk=pair.first_id).job_title == "CFO"


def test_different_people_are_found_again_and_decided_again(cast, pair, open_page, shot):
    page: Page = open_page(cast.otto)
    page.goto("/duplicates/")
    page.get_by_role("button", name="Different people").click()
    decided = page.get_by_role("region", name="Decided lately")
    expect(decided).to_contain_text("Different people by")
    shot(page, "duplicates-decided-1440")
    decided.get_by_role("link", name="Look again").click()
    page.get_by_role("button", name="Decide again").click()
    expect(page.get_by_role("button", name="Merge as chosen")).to_be_visible()
    pair.refresh_from_db()
    assert pair.status == "open"


def test_on_a_phone_the_opened_rejection_stands_below_the_bar(cast, rejected, open_page):
    page: Page = open_page(cast.otto)
    page.set_viewport_size({"width": 360, "height": 500})
    page.goto(f"/triage/?h={rejected[0].pk}#row-{rejected[0].pk}")
    row = page.locator(f"#row-{rejected[0].pk}")
    expect(row).to_be_in_viewport()
    box, bar = row.bounding_box(), page.locator(".top").bounding_box()
    assert box and bar and box["y"] >= bar["y"] + bar["height"]


def test_axe_finds_nothing(cast, rejected, pair, open_page, shot):
    now = timezone.now()
    merged = make_lead()
    asked = {"trigger": "demo_request", "reason": "competitor"}
    shut = TriageItem.objects.create(lead=make_lead(), kind="suppressed", data=asked, at=now)
    lifecycle.merge(merged, make_lead(), lifecycle.Act(now, cast.otto))
    make_handoff("accepted", cast.femke, at=now - timedelta(minutes=30))
    Absence.objects.create(
        user=cast.femke, starts_at=now + timedelta(days=3), ends_at=now + timedelta(days=9), cover=cast.jonas
    )
    opened = f"/triage/?h={rejected[0].pk}&form="
    visits = {
        cast.otto: (
            *(f"{opened}{form}" for form in ("recycle", "send_back", "hand_on", "merge", "suppress")),
            f"/triage/?lift={shut.pk}",
            "/triage/?show=all",
            f"/duplicates/{pair.pk}/",
            f"/leads/{merged.pk}/",
        ),
        cast.mia: (f"/team/?rep={cast.femke.pk}",),
    }
    found = {}
    for user, paths in visits.items():
        page: Page = open_page(user)
        for path in paths:
            page.goto(path)
            name = f"{user.get_short_name()}{re.sub('[^a-z0-9]+', '-', path)}"
            for _, look in looks(page):
                shot(page, f"{name}{look}")
                if wrong := axe_violations(page):
                    found[f"{name}{look}"] = wrong
                wide = too_wide(page)
                cut = page.evaluate(
                    "[...document.querySelectorAll('main button, main input')]"
                    ".filter(e => e.offsetParent && e.getBoundingClientRect().right > innerWidth)"
                    ".filter(e => !e.closest('.scroll, .filters')).length"
                )
                if wide > 0 or cut:
                    found[f"{name}{look} width"] = [f"{wide} px too wide, {cut} out of sight"]
    assert found == {}
