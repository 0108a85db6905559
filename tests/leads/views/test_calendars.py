"""Calendars: hours of a week, closed days, files of holidays, and deadlines that move only when asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from leads import lifecycle
from leads.calendar_forms import MOST_ROWS
from leads.choices import EventKind
from leads.models import Event
from routing import calendars as editing
from routing.models import Calendar, ClosedDay, Pool, Queue
from tests.conftest import NOW, Cast
from tests.factories import make_handoff, make_lead, open_handoff, route_to
from tests.leads.views.asking import SignIn, html, queries, refuses, sent_to_sign_in

# NOW is Tuesday, 10 March 2026, 10:00 UTC.
ALL, NEW = "/routing/calendars/", "/routing/calendars/new/"
AFTERNOON = datetime(2026, 3, 10, 17, tzinfo=UTC)
PARTS = ("", "days/", "import/", "deadlines/")


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(NOW + timedelta(minutes=30), tick=False):
        yield


@pytest.fixture
def berlin(cast: Cast) -> Calendar:
    row = Calendar(name="Berlin", time_zone="Europe/Berlin")
    return editing.save(row, 0, cast.otto, (((540, 1080),),) * 5 + ((), ()), NOW)


@pytest.fixture
def office(cast: Cast) -> Calendar:
    return Calendar.objects.get(is_default=True)


def page_of(row: Calendar, part: str = "") -> str:
    return f"{ALL}{row.pk}/{part}"


def week(*rows: tuple[int, str, str]) -> dict[str, str]:
    data = {}
    for number, (day, start, end) in enumerate(rows):
        data |= {f"h.{number}.day": str(day), f"h.{number}.from": start, f"h.{number}.to": end}
    return data


def form(*rows: tuple[int, str, str], **fields: str) -> dict[str, Any]:
    base = {"name": "Berlin", "time_zone": "Europe/Berlin", "country": "", "subdivision": "", "revision": "1"}
    return base | week(*(rows or tuple((day, "09:00", "18:00") for day in range(5)))) | fields


def ics(*events: str) -> str:
    body = "".join(f"BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\n" for event in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{body}END:VCALENDAR\r\n"


EVE = "DTSTART;VALUE=DATE:20261224\r\nSUMMARY:Christmas Eve"
MEETING = "DTSTART:20260501T090000Z\r\nSUMMARY:Stand-up"


# Hours and place


def test_a_new_calendar_with_two_stretches_a_day_and_holidays(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    assert "A new calendar" in html(client.get(NEW))
    rows = ((0, "9", "12:00"), (0, "13:00", "18:00"), (5, "10:00", "24:00"))
    data = form(*rows, country="DE", subdivision="by", name="  Shop   Munich ")
    assert client.post(NEW, data)["Location"] == ALL
    made = Calendar.objects.get(name="Shop Munich")
    assert made.compile().week == (((540, 720), (780, 1080)), (), (), (), (), ((600, 1440),), ())
    assert (made.subdivision, made.history.first().history_user) == ("BY", cast.otto)
    years = {day.year for day in made.closed_days.filter(is_public=True).values_list("day", flat=True)}
    assert years == {2026, 2027, 2028}
    # Epiphany is one in Bavaria, not in all of Germany.
    assert made.closed_days.filter(day="2026-01-06").exists()
    line = next(line for line in client.get(ALL).context["lines"] if line.id == made.pk)
    assert line.week == "Mon 09:00 to 12:00 and 13:00 to 18:00, Sat 10:00 to 24:00"


def test_an_admin_edits_too(as_: SignIn, cast: Cast, berlin: Calendar) -> None:
    response = as_(cast.ada).post(page_of(berlin), form((0, "10:00", "16:00"), name="Berlin, part time"))
    assert response.status_code == 302
    berlin.refresh_from_db()
    assert (berlin.name, berlin.revision, berlin.compile().week[0]) == ("Berlin, part time", 2, ((600, 960),))


def test_rows_are_added_and_removed_with_buttons(as_: SignIn, cast: Cast, berlin: Calendar) -> None:
    client = as_(cast.otto)
    page = html(client.post(page_of(berlin), form(name="Typed", edit="add.5")))
    assert 'value="Typed"' in page and 'name="h.5.day" value="5"' in page and "autofocus" in page
    page = html(client.post(page_of(berlin), form((0, "08:00", "09:00"), (1, "1", "2"), edit="remove.0")))
    assert 'value="08:00"' not in page and 'name="h.0.day" value="1"' in page
    given = form((0, "07:15", "08:45"), (2, "1", "2"), (6, "3", "4"), edit="as_monday")
    found = client.post(page_of(berlin), given).context["input"].rows
    assert [(row.day, row.start) for row in found] == [*((day, "07:15") for day in range(5)), (6, "3")]
    berlin.refresh_from_db()
    assert (berlin.name, berlin.revision) == ("Berlin", 1)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (((0, "", ""),), "needs some working time"),
        (((0, "09:00", "12:00"), (0, "11:00", "13:00")), "overlaps with 09:00 to 12:00"),
        (((0, "22:00", "06:00"),), "Write a night as two"),
        (((0, "09:00", "09:00"),), "end when they begin"),
        (((0, "09:00", ""),), "Write both times"),
        (((0, "nine", "12:00"),), "Write a time such as 09:00"),
        (((0, "9:75", "12:00"),), "Write a time such as 09:00"),
        (((0, "25:00", "26:00"),), "Write a time such as 09:00"),
    ],
)
def test_hours_that_cannot_be_are_refused_and_nothing_typed_is_lost(
    as_: SignIn, cast: Cast, berlin: Calendar, rows: tuple[tuple[int, str, str], ...], said: str
) -> None:
    page = html(as_(cast.otto).post(page_of(berlin), form(*rows, name="Typed")), 422)
    assert said in page and 'value="Typed"' in page
    assert all(f'value="{start}"' in page for _, start, _ in rows if start)
    berlin.refresh_from_db()
    assert (berlin.name, berlin.revision, len(berlin.compile().week[0])) == ("Berlin", 1, 1)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "  "}, "Give it a name."),
        ({"name": "Office hours"}, "Another calendar has this name."),
        ({"time_zone": "Mars/Olympus"}, "Choose one of the time zones."),
        ({"country": "ZZ"}, "Choose one of the countries."),
        ({"subdivision": "BY"}, "needs its country"),
        ({"country": "DE", "subdivision": "XX"}, "DE has no such part; known are: BB, BE"),
    ],
)
def test_a_name_or_place_that_cannot_be_is_refused(
    as_: SignIn, cast: Cast, berlin: Calendar, fields: dict[str, str], said: str
) -> None:
    for url in (page_of(berlin), NEW):
        assert said in html(as_(cast.otto).post(url, form(**fields)), 422)
    assert Calendar.objects.count() == 2


def test_more_rows_than_can_be_are_not_read(as_: SignIn, cast: Cast, berlin: Calendar) -> None:
    rows = tuple((day, f"{hour:02}:00", f"{hour:02}:10") for day in range(7) for hour in range(20))
    as_(cast.otto).post(page_of(berlin), form(*rows))
    assert berlin.intervals.count() == MOST_ROWS
    found = as_(cast.otto).post(page_of(berlin), form(*rows, edit="add.0")).context["input"]
    assert len(found.rows) == MOST_ROWS


def test_two_editors_see_each_other(as_: SignIn, cast: Cast, berlin: Calendar) -> None:
    berlin.name = "By Ada"
    editing.save(berlin, 1, cast.ada, (((600, 960),),) * 7, NOW)
    page = html(as_(cast.otto).post(page_of(berlin), form((0, "07:00", "11:00"))), 409)
    assert "Ada Admin saved this" in page and "By Ada" in page
    assert "Mon to Sun 10:00 to 16:00" in page and "Mon 07:00 to 11:00" in page and 'value="07:00"' in page
    berlin.refresh_from_db()
    assert (berlin.name, berlin.revision) == ("By Ada", 2)
    assert as_(cast.otto).post(page_of(berlin), form((0, "07:00", "11:00"), revision="2")).status_code == 302
    berlin.refresh_from_db()
    assert berlin.compile().week[0] == ((420, 660),)


def test_the_same_twice_is_no_conflict(as_: SignIn, cast: Cast, berlin: Calendar) -> None:
    for _ in range(2):
        assert as_(cast.otto).post(page_of(berlin), form((0, "07:00", "11:00"))).status_code == 302
    berlin.refresh_from_db()
    assert berlin.revision == 2


def test_another_place_brings_its_own_holidays(as_: SignIn, cast: Cast, berlin: Calendar) -> None:
    client = as_(cast.otto)
    client.post(page_of(berlin), form(country="DE"))
    ClosedDay.objects.create(calendar=berlin, day="2025-10-03", name="Unity", is_public=True)
    ClosedDay.objects.create(calendar=berlin, day="2026-11-02", name="Ours")
    berlin.refresh_from_db()
    client.post(page_of(berlin), form(country="US", revision=str(berlin.revision)))
    days = {str(day) for day in berlin.closed_days.values_list("day", flat=True)}
    assert {"2026-11-26", "2025-10-03", "2026-11-02"} <= days and "2026-10-03" not in days


def test_the_list_says_who_uses_it_and_when_it_is_closed(
    as_: SignIn, cast: Cast, berlin: Calendar, office: Calendar
) -> None:
    cast.femke.calendar = berlin
    cast.femke.save()
    cast.femke.team.calendar = berlin
    cast.femke.team.save()
    Queue.objects.filter(kind=Queue.Kind.OVERFLOW).update(calendar=berlin)
    Pool.objects.create(slug="d", name="Demo desk", calendar=berlin)
    editing.close(
        berlin.pk,
        {
            date(2026, 3, 9): "Over",
            date(2026, 3, 12): "Soon",
            date(2026, 3, 13): "Soon",
            date(2027, 1, 1): "",
        },
        None,
        NOW,
    )
    found = {line.name: line for line in as_(cast.mia).get(ALL).context["lines"]}
    overflow = Queue.objects.get(kind=Queue.Kind.OVERFLOW)
    assert found["Berlin"].users == ["Femke de Boer", "team DACH", f"queue {overflow}", "pool Demo desk"]
    assert found["Berlin"].closed == [("Thu 12 Mar to Fri 13 Mar", "Soon"), ("Fri 1 Jan 2027", "")]
    assert found["Berlin"].now == "11:30, open"
    # All but Femke, and Jonas and Mia of her team.
    assert found[office.name].users == ["5 people without another"]
    assert found[office.name].is_default


# Closed days


def test_a_day_and_several_days_are_closed_and_opened_again(
    as_: SignIn, cast: Cast, berlin: Calendar
) -> None:
    client, url = as_(cast.otto), page_of(berlin, "days/")
    assert client.post(url, {"first": "2026-12-24", "name": " Eve  of it "})["Location"] == url
    client.post(url, {"first": "2026-12-28", "last": "2026-12-31", "name": "Between the years"})
    assert berlin.closed_days.count() == 5
    assert berlin.closed_days.get(day="2026-12-24").name == "Eve of it"
    berlin.refresh_from_db()
    assert berlin.revision == 3 and berlin.history.first().history_user == cast.otto
    page = html(client.get(url))
    assert "Eve of it" in page and "Thu 31 Dec" in page
    assert "Closed already" in html(client.post(url, {"first": "2026-12-24"}, follow=True))
    row = berlin.closed_days.get(day="2026-12-24")
    assert client.post(f"{url}{row.pk}/open/")["Location"] == url
    assert "taken away already" in html(client.post(f"{url}{row.pk}/open/", follow=True))
    assert berlin.closed_days.count() == 4
    berlin.refresh_from_db()
    assert berlin.revision == 4


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "Write the day."),
        ({"first": "tomorrow"}, "Write the date as 2026-12-24."),
        ({"first": "2026-12-24", "last": "x"}, "Write the date as 2026-12-24."),
        ({"first": "2026-12-24", "last": "2026-12-01"}, "before the first"),
        ({"first": "2026-12-24", "last": "2027-12-01"}, "At most 92 days"),
        ({"first": "1026-12-24"}, "not before last year"),
        ({"first": "2626-12-24"}, "At most ten years ahead"),
        ({"first": "2026-12-24", "name": "x" * 121}, "at most 120"),
    ],
)
def test_days_that_cannot_be_closed(
    as_: SignIn, cast: Cast, berlin: Calendar, data: dict[str, str], said: str
) -> None:
    page = html(as_(cast.otto).post(page_of(berlin, "days/"), data), 422)
    assert said in page
    assert all(f'value="{value}"' in page for value in data.values())
    assert berlin.closed_days.count() == 0


def test_a_calendar_that_would_never_open_is_refused(as_: SignIn, cast: Cast) -> None:
    only_mondays = Calendar(name="Mondays", time_zone="UTC")
    only_mondays = editing.save(only_mondays, 0, None, (((540, 1080),),) + ((),) * 6, NOW)
    mondays = [date(2026, 3, 9) + timedelta(days=7 * n) for n in range(170)]
    editing.close(only_mondays.pk, dict.fromkeys(mondays[:100], ""), None, NOW)
    text = ics(*(f"DTSTART;VALUE=DATE:{day:%Y%m%d}" for day in mondays))
    page = html(as_(cast.otto).post(page_of(only_mondays, "import/"), {"text": text, "do": "apply"}), 422)
    assert "no working time" in page and "BEGIN:VEVENT" in page
    assert only_mondays.closed_days.count() == 100


def test_the_holidays_of_a_year_are_taken_over_once(
    as_: SignIn, cast: Cast, berlin: Calendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, url = as_(cast.otto), page_of(berlin, "holidays/")
    assert "Choose a country first" in html(client.post(url, {"year": "2029"}), 422)
    client.post(page_of(berlin), form(country="DE"))
    assert "Take over the holidays of 2029" in html(client.get(page_of(berlin, "days/")))
    before = berlin.closed_days.count()
    client.post(url, {"year": "2029"})
    taken = berlin.closed_days.filter(day__year=2029)
    assert taken.filter(is_public=True, day="2029-10-03").exists()
    assert berlin.closed_days.count() == before + taken.count()
    assert "Take over the holidays of 2030" in html(client.get(page_of(berlin, "days/")))
    # Neither a second press nor a library that says something else now moves anything.
    taken.filter(day="2029-10-03").delete()
    monkeypatch.setattr("routing.holidays.public_holidays", lambda *_: {date(2029, 7, 7): "New"})
    assert "were taken over before" in html(client.post(url, {"year": "2029"}, follow=True))
    assert not berlin.closed_days.filter(day__in=["2029-10-03", "2029-07-07"]).exists()
    for year in ("", "x", "1999", "20290", "9999"):
        assert "Choose a year from 2026 to 2031" in html(client.post(url, {"year": year}), 422)


# Files


def test_a_file_is_shown_before_it_is_saved(as_: SignIn, cast: Cast, berlin: Calendar) -> None:
    client, url = as_(cast.otto), page_of(berlin, "import/")
    editing.close(berlin.pk, {date(2026, 12, 31): "Ours"}, None, NOW)
    text = ics(EVE, MEETING, "DTSTART;VALUE=DATE:20201231\r\nRRULE:FREQ=YEARLY\r\nSUMMARY:New Year's Eve")
    page = html(client.post(url, {"text": text, "do": "preview"}))
    assert "This would close 3 days; 1 is closed already" in page
    assert (
        "Christmas Eve" in page and "Left out: 1" in page and "Stand-up" in page and "a time of day" in page
    )
    assert "BEGIN:VCALENDAR" in page and berlin.closed_days.count() == 1
    assert client.post(url, {"text": text, "do": "apply"})["Location"] == page_of(berlin, "days/")
    days = dict(berlin.closed_days.values_list("day", "name"))
    assert days[date(2026, 12, 31)] == "Ours" and days[date(2028, 12, 31)] == "New Year's Eve"
    assert len(days) == 4 and not berlin.closed_days.filter(is_public=True).exists()
    revision = Calendar.objects.get(pk=berlin.pk).revision
    client.post(url, {"text": text, "do": "apply"})
    assert (berlin.closed_days.count(), Calendar.objects.get(pk=berlin.pk).revision) == (4, revision)


def test_an_uploaded_file_stands_in_the_form_afterwards(as_: SignIn, cast: Cast, berlin: Calendar) -> None:
    upload = SimpleUploadedFile("days.ics", ics(EVE).encode())
    page = html(as_(cast.otto).post(page_of(berlin, "import/"), {"file": upload, "do": "preview"}))
    assert "This would close 1 day" in page and "DTSTART;VALUE=DATE:20261224" in page


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"text": ""}, "nothing in it"),
        ({"text": "hello"}, "no line BEGIN:VCALENDAR"),
        ({"text": ics(*["A:1"] * 2001)}, "2,001 events"),
        ({"file": SimpleUploadedFile("x.ics", b"\xff\xfe\x00")}, "not UTF-8"),
        ({"file": SimpleUploadedFile("x.ics", b"x" * (1024 * 1024 + 1))}, "larger than 1,024 KiB"),
    ],
)
def test_what_is_no_such_file_is_refused(
    as_: SignIn, cast: Cast, berlin: Calendar, data: dict[str, Any], said: str
) -> None:
    for do in ("preview", "apply"):
        if "file" in data:
            data["file"].seek(0)
        assert said in html(as_(cast.otto).post(page_of(berlin, "import/"), data | {"do": do}), 422)
    assert berlin.closed_days.count() == 0


# Deadlines


def test_an_edit_moves_no_deadline_until_somebody_says_so(as_: SignIn, cast: Cast, office: Calendar) -> None:
    handoff = make_handoff("assigned", cast.femke, at=AFTERNOON)
    due = handoff.accept_due_at
    client, url = as_(cast.otto), page_of(office, "deadlines/")
    assert "No open deadline would move" in html(client.get(url))
    answer = client.post(page_of(office, "days/"), {"first": "2026-03-11", "name": "Company day"})
    assert answer["Location"] == url
    page = html(client.get(url))
    assert "those of 1 open lead would move if you say so" in page
    assert "<b>1 open deadline of 1 lead</b>" in page and "Femke de Boer" in page
    assert "Wed 10:00" in page and "Thu 10:00" in page and "1 day later" in page
    handoff.refresh_from_db()
    assert handoff.accept_due_at == due
    office.refresh_from_db()
    assert client.post(url, {"revision": office.revision})["Location"] == ALL
    handoff.refresh_from_db()
    assert handoff.accept_due_at == due + timedelta(days=1)
    event = Event.objects.get(kind=EventKind.RECLOCKED)
    assert (event.user, event.data["why"]) == (cast.otto, f"calendar:{office.pk}")
    assert "Moved the deadlines of 1 lead." in html(client.get(ALL))
    # Pressed again, and an edit that moves nothing.
    assert "Nothing was left to move." in html(client.post(url, {"revision": office.revision}, follow=True))
    assert Event.objects.filter(kind=EventKind.RECLOCKED).count() == 1
    answer = client.post(page_of(office, "days/"), {"first": "2026-09-11"}, follow=True)
    assert "No deadline that is set would move." in html(answer)


def test_earlier_deadlines_and_those_late_at_once_are_said(as_: SignIn, cast: Cast, office: Calendar) -> None:
    make_handoff("assigned", cast.femke, at=NOW - timedelta(hours=2, minutes=30))
    rows = tuple((day, "06:00", "18:00") for day in range(5))
    answer = as_(cast.otto).post(
        page_of(office), form(*rows, name=office.name, time_zone="UTC", revision=str(office.revision))
    )
    assert answer["Location"] == page_of(office, "deadlines/")
    page = html(as_(cast.otto).get(answer["Location"]))
    # From 07:30 instead of 09:00: accept by 09:30, contact by 08:30; it is 10:30. 11:00 was still to come.
    assert "2 earlier" in page and "1 h 30 earlier" in page and "1 would be late at once" in page


def test_a_list_that_is_out_of_date_moves_nothing(as_: SignIn, cast: Cast, office: Calendar) -> None:
    handoff = make_handoff("assigned", cast.femke, at=AFTERNOON)
    editing.close(office.pk, {date(2026, 3, 11): ""}, cast.ada, NOW)
    page = html(as_(cast.otto).post(page_of(office, "deadlines/"), {"revision": office.revision}), 409)
    assert "nothing was moved" in page and "1 open deadline" in page
    before = handoff.accept_due_at
    handoff.refresh_from_db()
    assert handoff.accept_due_at == before


def test_one_that_fails_stops_none_of_the_others(
    as_: SignIn, cast: Cast, office: Calendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (make_handoff("assigned", cast.femke, at=AFTERNOON) for _ in range(2))
    editing.close(office.pk, {date(2026, 3, 11): ""}, cast.ada, NOW)
    real = lifecycle.move_deadlines

    def move(handoff_id: int, *args: Any, **named: Any) -> Any:
        if handoff_id == one.pk:
            raise RuntimeError("broken row")
        return real(handoff_id, *args, **named)

    monkeypatch.setattr(lifecycle, "move_deadlines", move)
    url, revision = page_of(office, "deadlines/"), Calendar.objects.get(pk=office.pk).revision
    page = html(as_(cast.otto).post(url, {"revision": revision}, follow=True))
    assert "Moved the deadlines of 1 lead. 1 could not be moved" in page and "of 1 lead<" in page
    two.refresh_from_db()
    assert two.accept_due_at == datetime(2026, 3, 12, 10, tzinfo=UTC)


def test_many_are_moved_some_at_once(
    as_: SignIn, cast: Cast, office: Calendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leads.views.routes.deadlines.MOST_MOVED", 2)
    monkeypatch.setattr("leads.views.routes.deadlines.MOST_SHOWN", 1)
    for _ in range(3):
        make_handoff("assigned", cast.femke, at=AFTERNOON)
    editing.close(office.pk, {date(2026, 3, 11): ""}, cast.ada, NOW)
    client, url = as_(cast.otto), page_of(office, "deadlines/")
    assert "and 2 more leads." in html(client.get(url))
    revision = Calendar.objects.get(pk=office.pk).revision
    assert "1 are left" in html(client.post(url, {"revision": revision}, follow=True))
    assert client.post(url, {"revision": revision})["Location"] == ALL


def test_a_bound_is_said(as_: SignIn, cast: Cast, office: Calendar, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        make_handoff("assigned", cast.femke, at=AFTERNOON)
    editing.close(office.pk, {date(2026, 3, 11): ""}, cast.ada, NOW)
    real = lifecycle.affected
    monkeypatch.setattr(lifecycle, "affected", lambda *args, **named: real(*args, **named, most=1))
    assert "Only the 1 that are due first were looked at" in html(
        as_(cast.otto).get(page_of(office, "deadlines/"))
    )


# Who may, and what it costs


def test_who_may(client: Client, as_: SignIn, cast: Cast, berlin: Calendar) -> None:
    editing.close(berlin.pk, {date(2026, 12, 24): "Eve"}, None, NOW)
    pages = [page_of(berlin, part) for part in PARTS]
    opened = page_of(berlin, f"days/{berlin.closed_days.get().pk}/open/")
    posts = (NEW, *pages, opened, page_of(berlin, "holidays/"))
    sent_to_sign_in(client, ALL, NEW, *pages)
    for user in (cast.femke, cast.vera):
        refuses(as_(user), 404, get=(ALL, NEW, *pages), post=posts)
    refuses(as_(cast.mia), 403, post=posts)
    refuses(as_(cast.mia), 404, get=(NEW, page_of(berlin, "import/"), page_of(berlin, "deadlines/")))
    for url in (page_of(berlin), page_of(berlin, "days/")):
        page = html(as_(cast.mia).get(url))
        assert "<form" not in page.split("</header>", 2)[-1].split("<main")[-1].split("</main>")[0]
    assert "Eve" in html(as_(cast.mia).get(page_of(berlin, "days/")))
    assert berlin.closed_days.count() == 1
    for user in (cast.otto, cast.ada):
        refuses(as_(user), 405, post=(ALL,), get=(opened, page_of(berlin, "holidays/")))
        gone = tuple(f"{ALL}999/{part}" for part in PARTS)
        refuses(as_(user), 404, get=gone, post=(*gone, f"{ALL}999/holidays/", f"{ALL}999/days/1/open/"))
    # A day of another calendar is not this one's to open.
    other = Calendar.objects.get(is_default=True)
    as_(cast.otto).post(page_of(other, f"days/{berlin.closed_days.get().pk}/open/"))
    assert berlin.closed_days.count() == 1


def test_hostile_names_are_shown_as_text(as_: SignIn, cast: Cast, office: Calendar) -> None:
    lead = make_lead(first_name="<script>n</script>")
    route_to(cast.femke)
    open_handoff(lead, at=AFTERNOON)
    editing.close(office.pk, {date(2026, 3, 11): "<script>d</script>"}, None, NOW)
    Calendar.objects.update(name="<script>c</script>")
    type(cast.femke).objects.update(name="<script>u</script>")
    client = as_(cast.otto)
    pages = [html(client.get(url)) for url in (ALL, NEW, *(page_of(office, part) for part in PARTS))]
    text = ics("DTSTART;VALUE=DATE:20261224\r\nSUMMARY:<script>s</script>", "SUMMARY:<script>t</script>")
    pages.append(html(client.post(page_of(office, "import/"), {"text": text})))
    assert "&lt;script&gt;s" in pages[-1] and "&lt;script&gt;t" in pages[-1]
    assert "&lt;script&gt;n" in pages[5] and "&lt;script&gt;d" in pages[3]
    for page in pages:
        assert not [mark for mark in "cdnstu" if f"<script>{mark}" in page]


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast, office: Calendar) -> None:
    client = as_(cast.otto)
    urls = [ALL, *(page_of(office, part) for part in ("", "days/", "deadlines/"))]
    make_handoff("assigned", cast.femke, at=AFTERNOON)
    editing.close(office.pk, {date(2026, 3, 11): ""}, None, NOW)
    before = [queries(client, url) for url in urls]
    for number in range(3):
        row = Calendar(name=f"C{number}", time_zone="Asia/Tokyo")
        editing.save(row, 0, None, (((0, 60),),) * 7, NOW)
        editing.close(row.pk, {date(2026, 3, 12 + number): ""}, None, NOW)
        editing.close(office.pk, {date(2026, 4, 1 + number): ""}, None, NOW)
        make_handoff("assigned", cast.femke, at=AFTERNOON)
    cast.rosa.calendar = row
    cast.rosa.save()
    assert [queries(client, url) for url in urls] == before
