"""Trying a lead, a back-test from start to publishing, and rule health, in a real browser."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from leads import lifecycle, tasks
from leads.lifecycle import Act
from leads.models import Backtest
from routing import publish, reviews
from routing.models import Absence, Pool, PoolMember, Rule, Ruleset
from tests.browser.conftest import axe_violations, looks
from tests.factories import make_lead, open_handoff

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def rules(cast) -> Ruleset:
    """Three countries in three pools, a fortnight of leads, and a draft that gives the French away."""
    now = timezone.now()
    Rule.objects.all().delete()
    sets = (
        ("Germany", "DE", (cast.femke, cast.jonas), 20),
        ("France", "FR", (cast.rosa,), 3),
        ("Nordics", "SE", (cast.nils,), None),
    )
    for place, (name, country, people, cap) in enumerate(sets):
        pool = Pool.objects.create(slug=name.lower(), name=name, cap_open=cap)
        for user in people:
            PoolMember.objects.create(pool=pool, user=user)
        Rule.objects.create(
            position=10 * (place + 1),
            name=f"{name}, every lead of some size",
            owner=cast.mia,
            target_kind="pool",
            target_id=str(pool.pk),
            conditions={
                "all": [
                    {"field": "country", "op": "in", "value": [country]},
                    {
                        "any": [
                            {"field": "employees", "op": "range", "value": {"min": 1}},
                            {"field": "lead_type", "op": "in", "value": ["demo", "standard"]},
                        ]
                    },
                ]
            },
        )
    ruleset = publish.publish(now - timedelta(days=20), cast.otto, "First rules")
    Absence.objects.create(
        user=cast.jonas, starts_at=now - timedelta(days=2), ends_at=now + timedelta(days=5)
    )
    for number in range(40):
        at = now - timedelta(days=14) + timedelta(hours=8 * number)
        kind = "demo_request" if number % 3 == 0 else "score_threshold"
        made = open_handoff(
            make_lead(
                country_code=("DE", "FR", "SE")[number % 3], lead_source=("Webinar", "Fair")[number % 2]
            ),
            kind=kind,
            at=at,
        )
        if made.assignee and number % 5 == 0:
            lifecycle.reject(made.pk, Act(at + timedelta(minutes=30), made.assignee), reason="wrong_title")
    Rule.objects.filter(position=20).update(
        name="France, now with Germany", target_id=str(Pool.objects.get(slug="germany").pk)
    )
    reviews.ensure_reviews(now)
    return ruleset


def look(page: Page, shot, name: str) -> None:
    assert axe_violations(page) == [], name
    width = page.viewport_size["width"] if page.viewport_size else 0
    wide = """() => [...document.querySelectorAll("#main *")]
        .filter(el => el.getBoundingClientRect().right > innerWidth + 1)
        .filter(el => !el.closest(".scroll, .tabs, .sr"))
        .map(el => el.outerHTML.slice(0, 90)).slice(0, 3)"""
    assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, page.evaluate(wide))
    page.locator("#main").evaluate("main => main.scrollTo(0, 0)")
    shot(page, name)


def test_a_lead_is_found_and_tried(cast, rules, open_page, shot):
    page: Page = open_page(cast.otto)
    lead = open_handoff(
        make_lead(first_name="Adaeze", last_name="Okonkwo-Lindqvist", country_code="DE"), at=timezone.now()
    ).lead
    page.goto("/routing/try/")
    page.get_by_label("Name, company, address or id of a lead").fill("okonkwo")
    page.keyboard.press("Enter")
    page.get_by_role("link", name=str(lead.full_name)).click()
    expect(page.locator(".try-says")).to_contain_text("Femke de Boer gets it through rule 1")
    expect(page.locator(".try-says")).to_contain_text("The live version gives the same.")
    expect(page.locator("#main")).to_contain_text("Jonas Keller of the pool Germany")
    look(page, shot, "try-1440")
    page.get_by_label("Rules to try").select_option("live")
    page.get_by_role("button", name="Try with these").click()
    expect(page).to_have_url(re.compile(rf"handoff={lead.handoffs.get().pk}&ruleset=live$"))
    expect(page.locator(".try-says")).to_contain_text("Femke de Boer")


def test_facts_are_typed_and_kept_by_the_address(cast, rules, open_page, shot):
    page: Page = open_page(cast.otto)
    page.goto("/routing/try/")
    look(page, shot, "try-empty-1440")
    page.get_by_label("Country", exact=True).fill("FR")
    page.get_by_label("Score", exact=True).fill("80")
    page.get_by_label("Custom fields").fill("plan premium")
    page.get_by_role("button", name="Try these facts").click()
    expect(page.get_by_role("alert")).to_contain_text("Custom fields: “plan premium” is no name = value.")
    expect(page.get_by_label("Country", exact=True)).to_have_value("FR")
    page.get_by_label("Custom fields").fill("plan = premium")
    page.get_by_role("button", name="Try these facts").click()
    expect(page.locator(".try-says")).to_contain_text("gets it through rule 2, “France, now with Germany”")
    expect(page.locator(".try-says")).to_contain_text("In the live version")
    page.reload()
    expect(page.get_by_label("Country", exact=True)).to_have_value("FR")


def test_a_back_test_runs_and_leads_to_publishing(cast, rules, open_page, shot):
    page: Page = open_page(cast.otto)
    page.goto("/routing/backtests/")
    look(page, shot, "backtests-empty-1440")
    page.get_by_label("Last days").fill("30")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    look(page, shot, "backtest-waiting-1440")
    tasks.backtests()
    # The part that polls brings the result by itself.
    expect(page.get_by_role("heading", name="What would have been different")).to_be_visible()
    expect(page.locator("#main")).to_contain_text("Change hands")
    page.locator(".bt-moves summary").first.click()
    expect(page.locator(".bt-why").first).to_contain_text("With these rules")
    look(page, shot, "backtest-1440")
    page.get_by_role("link", name="Publish this draft").click()
    expect(page).to_have_url(re.compile("/routing/publish/$"))
    page.goto("/routing/backtests/")
    look(page, shot, "backtests-1440")


def test_a_review_is_ended_from_the_health_page(cast, rules, open_page, shot):
    page: Page = open_page(cast.otto)
    page.goto("/routing/health/")
    look(page, shot, "health-1440")
    page.get_by_role("button", name=re.compile("Reviewed, stays.*Nordics")).click()
    expect(page.locator("#toasts")).to_contain_text("is reviewed. The next review comes in a quarter.")


def test_the_pages_are_clean_on_phones_and_in_the_dark(cast, rules, open_page, shot):
    page: Page = open_page(cast.otto)
    page.goto("/routing/backtests/")
    page.get_by_role("button", name="Start").click()
    tasks.backtests()
    run = Backtest.objects.get()
    pages = {
        "try": "/routing/try/?typed=1&country=DE&score_total=80&industry=Ports&technologies=SAP",
        "backtest": f"/routing/backtests/{run.pk}/",
        "backtests": "/routing/backtests/",
        "health": "/routing/health/",
    }
    for name, path in pages.items():
        page.goto(path)
        for _, suffix in looks(page):
            look(page, shot, f"{name}-{suffix}")


def test_everything_works_without_scripts(cast, rules, browser, live_server):
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/login/")
    page.fill("input[name=username]", cast.otto.email)
    page.fill("input[name=password]", "correct horse battery")
    page.click(".door-form button")
    page.goto("/routing/backtests/")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    tasks.backtests()
    page.get_by_role("link", name="look again").click()
    expect(page.get_by_role("heading", name="What would have been different")).to_be_visible()
    context.close()
