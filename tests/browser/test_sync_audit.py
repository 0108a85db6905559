"""The sync audit in a real browser: looked at in both looks, and a finding settled by the keyboard."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from leads import audit, connectors
from leads.models import Delivery, Finding, SyncRun
from tests.browser.conftest import axe_violations, looks, too_wide
from tests.factories import make_handoff, make_lead
from tests.leads.audit.test_running import Played, records  # noqa: F401 (a fixture)
from tests.leads.connectors.conftest import make_connection

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch):
    monkeypatch.setattr("leads.queueing.put", lambda *args: None)


@pytest.fixture
def drifted(cast, records):  # noqa: F811
    """Two systems and three handoffs, of which one drifted in one system and one in the other."""
    now = timezone.now()
    make_connection("mautic", role="map", name="Mautic", slug="mautic", secrets={}, id_system="mautic")
    long = "The CRM of the Nordic resellers and all their subsidiaries"
    make_connection("mautic", role="crm", name=long, slug="crm", secrets={}, id_system="crm")
    for name in ("Zora", "Adaeze Chimamanda Wilhelmina", "Ida"):
        make_handoff("accepted", cast.femke, lead=make_lead(first_name=name), at=now - timedelta(hours=2))
    for connection in connectors.due(now):
        connectors.deliver(connection, lambda: now - timedelta(hours=1), seconds=5)
    Delivery.objects.filter(done_at__isnull=True).update(status="done", done_at=now)
    first, second, _ = records
    records[first] |= {"stage": "MQL", "handoff_status": "pending"}
    records[second] |= {"stage": "Recycled", "handoff_reason": "a reason of their own that nobody here knows"}
    for minutes in (50, 5):
        job = audit.start(now - timedelta(minutes=minutes))
        while audit.work(job, now - timedelta(minutes=minutes)):
            job.refresh_from_db()
    assert Finding.objects.count() == 4
    return records


def test_every_page_is_accessible_and_fits(cast, open_page, drifted, shot):
    pushed, rejected = (
        Finding.objects.filter(check_code=code).first()
        for code in ("CRM_ACCEPTED_MAP_MQL", "EXTERNAL_CHANGE")
    )
    assert pushed is not None and rejected is not None
    SyncRun.objects.create(created_at=timezone.now(), status="waiting", total=3)
    page: Page = open_page(cast.otto)
    for name, path in {
        "list": "/integrations/audit/",
        "kind": f"/integrations/audit/?check={pushed.check_code}&connection={pushed.connection.slug}",
        "one": f"/integrations/audit/{rejected.pk}/",
        "handoff": f"/handoffs/{pushed.handoff_id}/",
    }.items():
        page.goto(path)
        for _, look in looks(page):
            shot(page, f"audit-{name}-{look}")
            assert axe_violations(page) == [], f"{name} {look}"
            assert too_wide(page) <= 0, f"{name} {look}"


def test_a_finding_is_looked_at_again_and_pushed(cast, open_page, drifted):
    row = Finding.objects.filter(check_code="CRM_ACCEPTED_MAP_MQL").first()
    assert row is not None
    page: Page = open_page(cast.otto)
    page.goto("/")
    page.get_by_role("link", name="Integrations", exact=True).click()
    page.get_by_role("link", name="Sync audit", exact=True).press("Enter")
    page.locator(".audit-log").get_by_role("link", name="Sales accepted it").first.press("Enter")
    page.get_by_role("link", name="Look once more now").press("Enter")
    expect(page.locator("#sides")).to_contain_text("Read just now.")
    page.get_by_role("button", name="Push ours").press("Enter")
    expect(
        page.get_by_role("status").filter(has_text="Ours is written again, to every system.")
    ).to_be_visible()
    expect(page.locator("#main")).to_contain_text("Ours was written again, Otto Maier")
