"""Calendars in a real browser: a week written, a file of holidays looked at, deadlines moved on purpose, the
roster of a pool; each page accessible and whole on a phone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from leads.models import Handoff
from routing import calendars as editing
from routing.models import Absence, Calendar, Pool, PoolMember
from tests.browser.conftest import axe_violations, looks, too_wide
from tests.factories import make_company, make_handoff, make_lead

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FILE = """BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
DTSTART;VALUE=DATE:20201224
RRULE:FREQ=YEARLY
SUMMARY:Christmas Eve
END:VEVENT
BEGIN:VEVENT
DTSTART:20301105T090000Z
DTEND:20301105T100000Z
SUMMARY:Quarterly review
END:VEVENT
BEGIN:VEVENT
DTSTART;VALUE=DATE:20301105
RRULE:FREQ=WEEKLY
SUMMARY:Team lunch
END:VEVENT
END:VCALENDAR
"""


@pytest.fixture
def office(cast) -> Calendar:
    """The default calendar around the clock, so that what is opened now has deadlines in a few hours."""
    row = Calendar.objects.get(is_default=True)
    row = editing.save(row, row.revision, cast.ada, (((0, 1440),),) * 7, timezone.now())
    names = (("Adaeze", "Okonkwo-Lindqvist"), ("Tomasz", "Wiśniewski"), ("Hanneke", "van den Berg"))
    for number, (first, last) in enumerate(names):
        company = make_company(name=("Halvorsen & Brandt Maritime Logistics", "Freight Co", "Kade")[number])
        lead = make_lead(first_name=first, last_name=last, company=company)
        make_handoff("assigned", (cast.femke, cast.jonas, cast.rosa)[number], lead=lead, at=timezone.now())
    return row


@pytest.fixture
def munich(cast) -> Calendar:
    row = Calendar(
        name="Munich, with a lunch break", time_zone="Europe/Berlin", country="DE", subdivision="BY"
    )
    day = ((540, 720), (780, 1080))
    row = editing.save(row, 0, cast.otto, (day,) * 4 + (((540, 900),), (), ()), timezone.now())
    today = timezone.now().date()
    days = {today + timedelta(days=n): "Between the years" for n in range(20, 23)}
    editing.close(row.pk, days | {today + timedelta(days=3): "Company day"}, cast.otto, timezone.now())
    cast.femke.calendar = row
    cast.femke.save()
    return row


@pytest.fixture
def desk(cast, munich) -> Pool:
    always = Calendar(name="Around the clock", time_zone="Europe/Berlin")
    always = editing.save(always, 0, cast.otto, (((0, 1440),),) * 7, timezone.now())
    pool = Pool.objects.create(slug="desk", name="Demo desk", calendar=always)
    PoolMember.objects.bulk_create(PoolMember(pool=pool, user=user) for user in (cast.femke, cast.jonas))
    now = timezone.now()
    Absence.objects.create(user=cast.jonas, starts_at=now, ends_at=now + timedelta(days=4))
    return pool


def test_a_week_is_written_row_by_row(cast, open_page, shot):
    page: Page = open_page(cast.otto)
    page.goto("/routing/calendars/")
    page.get_by_role("link", name="Add a calendar").click()
    page.fill("#f-name", "Lagos")
    page.select_option("#f-time_zone", "Africa/Lagos")
    monday = page.get_by_role("group", name="Monday")
    monday.get_by_label("Monday, to").fill("12:00")
    monday.get_by_role("button", name="Add hours").click()
    expect(page.get_by_label("Monday, from").nth(1)).to_be_focused()
    page.get_by_label("Monday, from").nth(1).fill("13:00")
    page.get_by_label("Monday, to").nth(1).fill("17:00")
    page.get_by_role("button", name="Tuesday to Friday as Monday").click()
    page.get_by_role("button", name="Save, as of now").click()
    row = page.locator(".thing", has_text="Lagos")
    expect(row).to_contain_text("Mon to Fri 09:00 to 12:00 and 13:00 to 17:00")
    expect(row).to_contain_text("Nobody works by it")


def test_a_file_of_holidays_is_looked_at_and_saved(cast, munich, open_page, shot):
    page: Page = open_page(cast.otto)
    page.goto(f"/routing/calendars/{munich.pk}/days/")
    page.get_by_role("link", name="Import an iCalendar file").click()
    page.set_input_files(
        "#f-file", {"name": "days.ics", "mimeType": "text/calendar", "buffer": FILE.encode()}
    )
    page.get_by_role("button", name="Show what is in it").click()
    expect(page.get_by_role("heading", name="This would close 3 days")).to_be_visible()
    expect(page.locator(".left-out")).to_contain_text("Quarterly review")
    expect(page.locator(".left-out")).to_contain_text("it repeats weekly; only yearly repeats are read")
    shot(page, "calendar-import-preview-1440")
    assert axe_violations(page) == []
    before = munich.closed_days.count()
    page.get_by_role("button", name="Close these 3 days").click()
    expect(page.locator("#toasts")).to_contain_text("3 closed days from the file, 2 of the file left out.")
    assert munich.closed_days.count() == before + 3


def test_deadlines_move_when_somebody_says_so(cast, office, open_page, shot):
    before = dict(Handoff.objects.values_list("pk", "accept_due_at"))
    page: Page = open_page(cast.otto)
    page.goto(f"/routing/calendars/{office.pk}/days/")
    tomorrow = timezone.now().date() + timedelta(days=1)
    page.fill("#d-first", f"{timezone.now().date()}")
    page.fill("#d-last", f"{tomorrow}")
    page.fill("#d-name", "Power cut")
    page.get_by_role("button", name="Close", exact=True).click()
    expect(page.locator(".cal-move")).to_contain_text("of 3 leads")
    assert dict(Handoff.objects.values_list("pk", "accept_due_at")) == before
    shot(page, "calendar-deadlines-1440")
    assert axe_violations(page) == []
    page.get_by_role("button", name="Move these deadlines").click()
    expect(page.locator("#toasts")).to_contain_text("Moved the deadlines of 3 leads.")
    assert all(at > before[pk] for pk, at in Handoff.objects.values_list("pk", "accept_due_at"))


def test_each_page_is_accessible_and_fits(cast, office, munich, desk, open_page, shot):
    now = timezone.now()
    editing.close(office.pk, {now.date() + timedelta(days=n): "Power cut" for n in (0, 1)}, cast.ada, now)
    page: Page = open_page(cast.otto)
    places = {
        "list": "calendars/",
        "new": "calendars/new/",
        "hours": f"calendars/{munich.pk}/",
        "days": f"calendars/{munich.pk}/days/",
        "import": f"calendars/{munich.pk}/import/",
        "deadlines": f"calendars/{office.pk}/deadlines/",
        "roster": f"pools/{desk.pk}/",
    }
    for name, place in places.items():
        page.goto(f"/routing/{place}")
        for size, look in looks(page):
            page.set_viewport_size({"width": size[0], "height": 3000})
            height = page.evaluate("document.querySelector('.page').scrollHeight") + 140
            page.set_viewport_size({"width": size[0], "height": max(size[1], min(height, 3000))})
            shot(page, f"calendar-{name}-{look}")
            page.set_viewport_size({"width": size[0], "height": size[1]})
            assert axe_violations(page) == [], (name, look)
            assert too_wide(page) <= 0, (name, look)
