"""Integrations in a real browser: a webhook connected, tried and read about; each page looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone
from playwright.sync_api import Page, Route, expect

from leads import keys, sealing
from leads.models import Connection, Delivery, FieldConflict
from tests import doubles
from tests.browser.conftest import axe_violations, looks, too_wide
from tests.doubles.mautic.instance import CLIENT_ID, CLIENT_SECRET
from tests.factories import make_handoff
from tests.leads.connectors.conftest import Played, played  # noqa: F401 (a fixture)
from tests.leads.views.integrations.made import attempt, call, delivery, made, of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch):
    monkeypatch.setattr("leads.queueing.put", lambda *args: None)


def look_at(page: Page, shot, name: str) -> None:
    for _, look in looks(page):
        shot(page, f"integrations-{name}-{look}")
        assert axe_violations(page) == [], f"{name} {look}"
        assert too_wide(page) <= 0, f"{name} {look}"


@contextmanager
def refused(page: Page) -> Iterator[None]:
    """A form that is refused on purpose: the browser would log its status as an error of the page."""

    def as_page(route: Route) -> None:
        answer = route.fetch(max_redirects=0)
        assert answer.status == 422
        route.fulfill(response=answer, status=200)

    page.route("**/integrations/**", as_page)
    yield
    page.unroute("**/integrations/**")


def test_a_webhook_is_connected_and_tried(cast, open_page, played: Played, shot):  # noqa: F811
    played.answer = lambda *_: (200, {}, b'{"ok": true}')
    page: Page = open_page(cast.otto)
    page.goto("/")
    page.get_by_role("link", name="Integrations", exact=True).click()
    expect(page.get_by_text("Nothing is connected.")).to_be_visible()
    look_at(page, shot, "none")
    page.get_by_role("link", name="Signed webhook").click()
    page.get_by_label("Name", exact=True).fill("Data warehouse")
    page.get_by_label("Address that is called").fill("http://10.0.0.1/hook")
    page.get_by_label("handoff.accepted").check()
    with refused(page):
        page.get_by_role("button", name="Make it, switched off").click()
        expect(page.get_by_text("The address must begin with https.")).to_be_visible()
    assert page.get_by_label("handoff.accepted").is_checked()
    look_at(page, shot, "form")
    page.get_by_label("Address that is called").fill(f"{played.url}/hook")
    page.get_by_role("button", name="Make it, switched off").click()
    expect(page.locator("#plain-secret")).to_contain_text("whsec_")
    look_at(page, shot, "once")
    page.get_by_role("link", name="I have copied it").press("Enter")
    expect(page.locator("#main")).to_contain_text("Not switched on")
    page.get_by_role("button", name="Switch on").press("Enter")
    expect(page.locator("#main")).to_contain_text("Nothing has been sent or taken yet.")
    page.get_by_role("button", name="Send a test event").press("Enter")
    expect(page.locator("#main h1")).to_have_text("handoff.test")
    expect(
        page.get_by_role("status").filter(has_text="The test event arrived: answered 200.")
    ).to_be_visible()
    look_at(page, shot, "delivery")
    assert Connection.objects.get().last_out_at is not None


def test_every_page_is_accessible_and_fits(cast, open_page, shot):
    now = timezone.now()
    row = made("Warehouse", last_out_at=now, last_in_at=now)
    long = "Partner portal of the Nordic resellers and all their subsidiaries"
    made(long, slug="portal", is_active=False, paused_why="The address answers 410: it wants no more.")
    made("Billing", failures=6, probe_at=now + timedelta(minutes=3))
    Delivery.objects.all().delete()
    dead = delivery(
        row,
        "dead",
        attempts=2,
        last_status=503,
        last_error="The other side answered 503.",
        **of(make_handoff("assigned", cast.femke)),
    )
    attempt(
        dead,
        1,
        request="POST handoff.accepted",
        answer='{"why": "no healthy backend"}',
        error="Answered 503.",
    )
    attempt(dead, 2, status=200, outcome="done")
    delivery(row, "pending", at=now)
    came = call(row, "failed", error="The body is not JSON.", tries=8, received_at=now)
    FieldConflict.objects.create(
        lead=dead.lead,
        field="company.name",
        owner=row,
        other=Connection.objects.get(slug="portal"),
        value="Engines and Further Machinery of All Kinds",
        said_at=now - timedelta(hours=3),
        found_at=now,
    )
    keys.make_key("Loader", ["intake", "read"], now, created_by=cast.ada)
    page: Page = open_page(cast.ada)
    for name, path in {
        "list": "/integrations/",
        "connection": "/integrations/warehouse/",
        "delete": "/integrations/warehouse/delete/",
        "sent": "/integrations/deliveries/",
        "dead": f"/integrations/deliveries/{dead.pk}/",
        "received": "/integrations/calls/",
        "call": f"/integrations/calls/{came.pk}/",
        "conflicts": "/integrations/conflicts/",
        "handoff": f"/handoffs/{dead.handoff_id}/",
        "lead": f"/leads/{dead.lead_id}/",
        "events": "/integrations/events/",
        "keys": "/integrations/keys/",
    }.items():
        page.goto(path)
        if name == "events":
            page.locator("#handoff\\.accepted summary").first.click()
        look_at(page, shot, name)


def test_a_mapping_is_tried_before_it_is_saved(cast, open_page, settings, shot):
    settings.CONNECTOR_PRIVATE_HOSTS = ["127.0.0.1"]
    cache.clear()
    handoff = make_handoff("accepted", cast.femke)
    with doubles.start() as outer:
        made(
            "Mautic",
            kind="mautic",
            role="map",
            id_system="mautic",
            base_url=f"{outer.url}/mautic",
            sealed=sealing.seal({"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}),
        )
        outer.mautic.seed(
            {"contacts": [{"email": handoff.lead.email}], "users": [{"email": cast.femke.email}]}
        )
        page: Page = open_page(cast.otto)
        page.goto("/integrations/mautic/mapping/")
        page.get_by_label("Reason", exact=True).fill("no_such_field")
        with refused(page):
            page.get_by_role("button", name="Save", exact=True).click()
            expect(page.get_by_text("no_such_field is no field there.")).to_be_visible()
        page.get_by_label("Reason", exact=True).fill("position")
        page.get_by_role("button", name="Propose those with the same address").press("Enter")
        expect(page.get_by_text("1 owner with the same address is filled in.")).to_be_visible()
        page.get_by_label("Number of a handoff").fill(str(handoff.pk))
        # Enter in the field looks; it saves nothing.
        page.get_by_label("Number of a handoff").press("Enter")
        expect(page.get_by_text("One record is there.")).to_be_visible()
        look_at(page, shot, "mapping")
        assert Connection.objects.get().mapping == {}
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("heading", name="Mautic", exact=True)).to_be_visible()
        assert set(Connection.objects.get().mapping) == {"fields", "owners"}


def test_channels_and_collectors_are_accessible_and_fit(cast, open_page, shot):
    gone = "Slack answers 410: the channel is archived. Make a new webhook there and set its address."
    made("Sales floor", slug="sales", kind="slack", rate=1, burst=1, is_active=False, paused_why=gone)
    row = made("Escalations", kind="teams", rate=1, burst=1, options={"names": "name"})
    sent = delivery(
        row, kind="message", type="escalation", body="", **of(make_handoff("assigned", cast.femke))
    )
    attempt(sent, status=202, outcome="done", request="POST escalation “Not answered in time”, 1,204 bytes")
    site = made(
        "Site", kind="segment", base_url="", id_system="segment", hook="door", last_in_at=timezone.now()
    )
    bad = "Event 2: it has no name. Event 4: it is longer than 32 kB."
    counts = {"events": 5, "processed": 2, "strangers": 1, "malformed": 1, "too_long": 1}
    came = call(site, identity="batch/sha256:0f", outcome=counts, error=bad, received_at=timezone.now())
    page: Page = open_page(cast.otto)
    page.goto("/integrations/new/segment/")
    page.get_by_label("Name", exact=True).fill("Shop")
    page.get_by_label("What events mean").fill("Demo Requested: demo")
    with refused(page):
        page.get_by_role("button", name="Make it").click()
        expect(page.get_by_text("“Demo Requested: demo” is not “name = kind”.")).to_be_visible()
    look_at(page, shot, "segment-new")
    page.get_by_label("What events mean").fill("Demo Requested = demo_request")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("heading", name="Write key of an SDK")).to_be_visible()
    look_at(page, shot, "segment-once")
    for name, path in {
        "segment": "/integrations/site/",
        "segment-call": f"/integrations/calls/{came.pk}/",
        "slack-new": "/integrations/new/slack/",
        "teams-new": "/integrations/new/teams/",
        "slack": "/integrations/sales/",
        "teams": "/integrations/escalations/",
        "message": f"/integrations/deliveries/{sent.pk}/",
    }.items():
        page.goto(path)
        look_at(page, shot, name)
