"""The status page in a real browser: in both looks, with what is wrong and without."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone
from django_q.models import Task
from playwright.sync_api import Page

from handoff_site.models import Heartbeat
from leads import access_log, keys
from leads.access_log import Kind
from tests.browser.conftest import axe_violations, looks, too_wide
from tests.factories import make_handoff, make_lead
from tests.leads.connectors.conftest import make_connection
from tests.leads.outbox.rows import owed

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_it_is_accessible_and_fits(cast, open_page, shot):
    now = timezone.now()
    Heartbeat.objects.create(name="worker", beat_at=now)
    page: Page = open_page(cast.ada)
    page.goto("/")
    page.get_by_role("link", name="Status", exact=True).click()
    for _, look in looks(page):
        shot(page, f"status-well-{look}")
        assert axe_violations(page) == [] and too_wide(page) <= 0, look
    Heartbeat.objects.update(beat_at=now - timedelta(minutes=9))
    for hours in (0, 3, 30):
        make_handoff("assigned", cast.femke, lead=make_lead(), at=now - timedelta(hours=hours))
    make_connection("mautic", name="Mautic", slug="mautic", secrets={})
    long = "The CRM of the Nordic resellers and all their subsidiaries"
    crm = make_connection(name=long, slug="crm", paused_why="It refused our credentials (401).")
    owed(crm, at=now - timedelta(hours=5))
    owed(crm, at=now - timedelta(hours=9), status="dead", done_at=now)
    Task.objects.create(id="t", name="t", func="f", started=now, stopped=now, success=False)
    cache.clear()
    page.reload()
    for _, look in looks(page):
        shot(page, f"status-wrong-{look}")
        assert axe_violations(page) == [] and too_wide(page) <= 0, look


def test_the_access_log_is_accessible_and_fits(cast, open_page, shot):
    keys.make_key("Data loader of the Nordic resellers", ["read", "act"], timezone.now())
    about = ("person", cast.rosa.pk)
    access_log.record(
        Kind.ROLES_CHANGED, timezone.now(), cast.ada, about=about, given=["viewer"], taken=["rep"]
    )
    came = access_log.Origin("2001:db8:85a3:8d3:1319:8a2e:370:7348", "r" * 32)
    access_log.record(Kind.LOCKED_OUT, timezone.now(), about=about, came=came)
    access_log.record(Kind.EXPORTED, timezone.now(), cast.otto, about=("file", "leads.csv"), rows=12_345)
    page: Page = open_page(cast.ada)
    page.goto("/")
    page.get_by_role("link", name="Status", exact=True).click()
    page.get_by_role("link", name="Access log").click()
    page.get_by_role("heading", name="Access log").wait_for()
    for _, look in looks(page):
        shot(page, f"access-log-{look}")
        assert axe_violations(page) == [] and too_wide(page) <= 0, look
