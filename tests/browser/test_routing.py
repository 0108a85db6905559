"""The routing pages in a real browser: somebody new writes what a rule needs, and a lead follows it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Route, expect

from leads.keys import make_key
from leads.models import Handoff
from routing import publish
from routing.models import NamedList, Pool, PoolMember, Queue, Rule, Territory
from tests.browser.conftest import axe_violations, looks, too_wide
from tests.conftest import PASSWORD
from tests.factories import event, make_handoff
from tests.processes import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def rules(cast):
    """A published ruleset and a draft that differs from it in every way."""
    now = timezone.now()
    handoff = make_handoff("queued", at=now - timedelta(minutes=50))
    dach = Territory.objects.create(
        slug="dach",
        name="DACH",
        conditions={"any": [{"field": "country", "op": "in", "value": ["DE", "AT", "CH"]}]},
        owner=cast.femke,
    )
    dach.members.set([cast.femke, cast.jonas])
    Territory.objects.create(
        slug="alps",
        name="Alpine <b>valleys</b>",
        conditions={"all": [{"field": "country", "op": "in", "value": ["AT", "CH", "IT"]}]},
    )
    pool = Pool.objects.create(slug="dach", name="DACH Enterprise", cap_open=12, cap_day=4)
    PoolMember.objects.create(pool=pool, user=cast.femke, weight=2, taken=12, accrued="11.6")
    PoolMember.objects.create(pool=pool, user=cast.jonas, cap_open=4, taken=5, accrued="5.4")
    PoolMember.objects.create(pool=pool, user=cast.rosa, is_active=False)
    empty = Pool.objects.create(slug="later", name="Later", method="least_open", in_hours_only=True)
    NamedList.objects.create(
        slug="named", name="Named accounts 2026", kind="domains", values=[f"a{n}.com" for n in range(212)]
    )
    overflow = Queue.objects.get(kind=Queue.Kind.OVERFLOW)
    rows = (
        (
            "Named accounts",
            {"all": [{"field": "company_domain", "op": "in_list", "value": "named"}]},
            ("account_owner", ""),
            ("pool", str(pool.pk)),
        ),
        (
            "DACH enterprise demos",
            {
                "all": [
                    {"field": "trigger", "op": "in", "value": ["demo_request", "pricing_inquiry"]},
                    {"op": "in_territory", "value": "dach"},
                    {
                        "any": [
                            {"field": "employees", "op": "range", "value": {"min": 501}},
                            {"field": "custom.plan", "op": "equals", "value": "enterprise"},
                        ]
                    },
                ]
            },
            ("pool", str(pool.pk)),
            ("queue", str(overflow.pk)),
        ),
        (
            "Freight and ports",
            {"all": [{"field": "industry", "op": "in", "value": ["Freight", "Shipping", "Warehousing"]}]},
            ("pool", str(empty.pk)),
            ("", ""),
        ),
        (
            "Netherlands, old",
            {"all": [{"field": "country", "op": "equals", "value": "NL"}]},
            ("rep", str(cast.jonas.pk)),
            ("", ""),
        ),
        ("Everything else", {"all": []}, ("queue", str(overflow.pk)), ("", "")),
    )
    Rule.objects.all().delete()
    for number, (name, when, to, otherwise) in enumerate(rows, start=1):
        Rule.objects.create(
            position=number * 10,
            name=name,
            conditions=when,
            target_kind=to[0],
            target_id=to[1],
            fallback_kind=otherwise[0],
            fallback_id=otherwise[1],
            owner=cast.otto if number < 4 else None,
            last_reviewed=(now - timedelta(days=40)).date() if number % 2 else None,
        )
    publish.publish(now - timedelta(days=3), cast.otto, "First rules")
    freight = Rule.objects.get(name="Freight and ports")
    freight.conditions = {
        "all": [{"field": "industry", "op": "in", "value": ["Freight", "Shipping", "Port operations"]}]
    }
    freight.save()
    Rule.objects.filter(name="Netherlands, old").update(is_active=False)
    Rule.objects.create(
        position=5,
        name="Partners first",
        conditions={"none": [{"field": "company_stage", "op": "absent"}]},
        target_kind="rep",
        target_id=str(cast.rosa.pk),
    )
    Handoff.objects.filter(pk=handoff.pk).update(rule_id=str(freight.pk))
    return {
        "rule": Rule.objects.get(name="DACH enterprise demos"),
        "pool": pool,
        "territory": dach,
        "queue": overflow,
    }


def paths(rules) -> tuple[str, ...]:
    return (
        "/routing/",
        "/routing/?tab=draft",
        "/routing/rules/new/",
        f"/routing/rules/{rules['rule'].pk}/",
        "/routing/territories/",
        "/routing/territories/new/",
        f"/routing/territories/{rules['territory'].pk}/",
        "/routing/pools/",
        "/routing/pools/new/",
        f"/routing/pools/{rules['pool'].pk}/",
        "/routing/queues/",
        f"/routing/queues/{rules['queue'].pk}/",
        "/routing/lists/",
        "/routing/lists/new/",
        f"/routing/lists/{NamedList.objects.get().pk}/",
        "/routing/publish/",
        "/routing/discard/",
        "/routing/versions/",
        "/routing/versions/1/",
        "/routing/versions/2/",
    )


def test_axe_finds_nothing(cast, rules, open_page, shot):
    found = {}
    readable = [path for path in paths(rules) if not re.search(r"/(new|publish|discard)/", path)]
    for user, visits in ((cast.otto, paths(rules)), (cast.mia, readable)):
        page: Page = open_page(user)
        for path in visits:
            page.goto(path)
            name = f"{user.get_short_name()}{re.sub('[^a-z0-9]+', '-', path)}"
            for _, look in looks(page):
                shot(page, f"{name}{look}", height=1300)
                if wrong := axe_violations(page):
                    found[f"{name}{look}"] = wrong
                wide = too_wide(page)
                if wide > 0:
                    found[f"{name}{look} width"] = [f"{wide} px too wide"]
    assert found == {}


def test_a_field_chosen_before_the_scripts_are_there(cast, open_page):
    """The operators come all the same, once the scripts do."""
    page: Page = open_page(cast.otto)
    held: list[Route] = []
    is_slow = False
    page.route("**/*.js", lambda route: held.append(route) if is_slow else route.continue_())
    page.goto("/routing/?tab=draft")
    is_slow = True
    page.goto("/routing/territories/new/", wait_until="commit")
    # By hand: Playwright's own acts wait for the page to be loaded here.
    field = "document.querySelector('#c-0-field')"
    wait_for(lambda: page.evaluate(f"{field} !== null"), what="the form")
    page.evaluate(f"{field}.value = 'country'")
    assert page.evaluate("document.querySelector('#c-0-op')") is None
    for route in held:
        route.continue_()
    expect(page.locator("#c-0-op")).to_be_visible()


def test_somebody_new_routes_a_lead(cast, open_page, shot):
    """A territory, a pool and a rule with two conditions, published; a lead by the API has the right rep."""
    page: Page = open_page(cast.otto)
    page.goto("/routing/?tab=draft")
    # The territory.
    page.get_by_role("link", name="Territories").click()
    page.get_by_role("link", name="Add a territory").click()
    page.fill("#f-name", "Nordics")
    page.select_option("#c-0-field", "country")
    page.select_option("#c-0-op", "in")
    page.get_by_label("Values, one a line").fill("SE\nNO")
    page.locator("#f-name").focus()
    expect(page.locator("#aloud")).to_contain_text("A lead is in it when country is SE or NO.")
    page.select_option("#f-owner", label="Rosa Lindqvist")
    page.get_by_role("button", name="Save in the draft").click()
    expect(page.locator("#toasts")).to_contain_text("The territory “Nordics” is added")
    # The pool.
    page.get_by_role("link", name="Pools", exact=True).click()
    page.get_by_role("link", name="Add a pool").click()
    page.fill("#f-name", "Nordic demos")
    for name in ("Jonas Keller", "Rosa Lindqvist"):
        page.select_option("#f-add", label=name)
        page.get_by_role("button", name="Add a member").click()
    page.get_by_role("button", name="Remove Jonas Keller").click()
    page.get_by_label("Weight of Rosa Lindqvist").fill("3")
    page.get_by_role("button", name="Save, as of now").click()
    expect(page.locator("#toasts")).to_contain_text("The pool “Nordic demos” is there now")
    # The rule.
    page.get_by_role("link", name=re.compile("^Draft")).click()
    page.get_by_role("link", name="Add a rule").click()
    page.fill("#f-name", "Nordic demos to Rosa’s pool")
    page.select_option("#c-0-field", "territory")
    page.get_by_text("Nordics", exact=True).click()
    page.get_by_role("button", name="Add a condition", exact=True).click()
    expect(page.locator("#c-1-field")).to_be_focused()
    page.select_option("#c-1-field", "trigger")
    expect(page.locator("#c-1-field")).to_be_focused()
    page.get_by_label("Value", exact=True).select_option("demo_request")
    page.select_option("#f-target", label="Nordic demos")
    page.select_option("#f-fallback", label="Overflow")
    page.locator("#f-name").focus()
    shot(page, "routing-rule-1440")
    page.get_by_role("button", name="Save in the draft").click()
    expect(page.locator("#toasts")).to_contain_text("is added to the draft")
    row = page.locator("li.rule", has_text="Nordic demos to Rosa’s pool")
    expect(row).to_contain_text(
        "When territory is Nordics and trigger is demo request, give it to the pool Nordic demos,"
        " else to the queue Overflow."
    )
    # Before the catch-all already; once more up and down by keyboard.
    expect(row.locator(".no")).to_have_text("1")
    page.get_by_role("button", name="Move Nordic demos to Rosa’s pool down").press("Enter")
    expect(page.locator("li.rule").first).to_contain_text("Everything else")
    expect(page.get_by_role("button", name="Move Nordic demos to Rosa’s pool up")).to_be_enabled()
    page.get_by_role("button", name="Move Nordic demos to Rosa’s pool up").press("Enter")
    expect(page.locator("li.rule").first).to_contain_text("Nordic demos to Rosa’s pool")
    # Published.
    page.get_by_role("link", name="Publish draft").click()
    shot(page, "routing-publish-1440")
    page.fill("#f-note", "Demos from the north go to Rosa’s pool")
    page.get_by_role("button", name=re.compile("^Publish version")).click()
    expect(page.locator("#toasts")).to_contain_text("is in force")
    expect(page.locator("li.rule").first).to_contain_text("Nordic demos to Rosa’s pool")
    # The lead.
    now = timezone.now()
    _, key = make_key("browser", ["intake"], now)
    answer = page.request.post(
        "/api/v1/intake",
        data=event(at=now, lead={"country_code": "SE"}),
        headers={"Authorization": f"Bearer {key}"},
    ).json()
    assert answer["handoff"]["assignee"] == cast.rosa.email, answer
    assert answer["handoff"]["rule"] == "Nordic demos to Rosa’s pool"


def test_everything_works_without_scripts(cast, rules, browser, live_server):
    """The condition editor by its buttons alone, an error that loses nothing, and two editors."""
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/login/")
    page.fill("input[name=username]", cast.otto.email)
    page.fill("input[name=password]", PASSWORD)
    page.click(".door-form button")
    page.goto("/routing/rules/new/")
    page.fill("#f-name", "Large freight")
    page.select_option("#c-0-field", "industry")
    page.get_by_role("button", name="Show its inputs").click()
    page.select_option("#c-0-op", "in")
    page.get_by_role("button", name="Show its inputs").click()
    page.get_by_label("Values, one a line").fill("Freight\nPorts")
    page.get_by_role("button", name="Add a group").click()
    page.select_option("#c-1-0-field", "employees")
    page.get_by_role("button", name=re.compile("Show its inputs.*1.2|Show its inputs.*2.1")).click()
    page.select_option("#c-1-0-op", "range")
    page.get_by_role("button", name=re.compile("Show its inputs.*2.1")).click()
    page.get_by_label("from").fill("many")
    page.get_by_role("button", name="Add a condition to group 2").click()
    page.get_by_role("button", name="Save in the draft").click()
    expect(page.locator("#c-1-0")).to_contain_text("Number of employees is a number; “many” is none.")
    expect(page.locator("#c-1-1")).to_contain_text("Choose a field, or remove this condition.")
    expect(page.get_by_text("Choose who gets it.")).to_be_visible()
    expect(page.get_by_label("from")).to_have_value("many")
    page.get_by_role("button", name="Remove condition 2.2").click()
    page.get_by_label("from").fill("500")
    page.select_option("#f-target", label="DACH Enterprise")
    page.get_by_role("button", name="Save in the draft").click()
    row = page.locator("li.rule", has_text="Large freight")
    expect(row).to_contain_text("When industry is Freight or Ports and number of employees is 500 or more")
    # Somebody else is quicker.
    row.get_by_role("link", name="Large freight").click()
    rule = Rule.objects.get(name="Large freight")
    rule.name, rule.revision = "Freight, large", rule.revision + 1
    rule.save()
    page.fill("#f-name", "Heavy freight")
    page.get_by_role("button", name="Save in the draft").click()
    expect(page.locator(".clash-table")).to_contain_text("Freight, large")
    expect(page.locator("#f-name")).to_have_value("Heavy freight")
    page.get_by_role("button", name="Save mine over theirs").click()
    expect(page.locator("li.rule", has_text="Heavy freight")).to_be_visible()
    context.close()


def test_what_is_typed_while_the_answer_is_on_its_way_is_kept(cast, rules, open_page):
    page: Page = open_page(cast.otto)
    held, holds = [], []
    # Before the page is loaded: a page that stands already goes on for a moment without the detour.
    page.route("**/routing/rules/new/", lambda route: held.append(route) if holds else route.continue_())
    page.goto("/routing/rules/new/")
    page.select_option("#c-0-field", "industry")
    expect(page.locator("#c-0-lines")).to_be_visible()
    holds.append(True)
    page.get_by_role("button", name="Add a condition", exact=True).click()
    page.locator("#c-0-lines").fill("Freight")
    page.wait_for_function("document.querySelector('.htmx-request') !== null")
    held[0].continue_()
    expect(page.locator("#c-1-field")).to_be_visible()
    expect(page.locator("#c-0-lines")).to_have_value("Freight")
