"""The duty roster of a pool: who is there now, when nobody is, and targets within staffed hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from leads import rosters
from routing import hours
from routing.models import Absence, Calendar, Pool, PoolMember, User
from tests.conftest import NOW, Cast
from tests.leads.views.asking import SignIn, html

# NOW is Tuesday, 10 March 2026, 10:00 UTC.
DAY = timedelta(days=1)


def calendar(name: str, *stretches: tuple[int, int], days: range = range(7)) -> Calendar:
    row = Calendar.objects.create(name=name, time_zone="UTC")
    for day in days:
        for start, end in stretches:
            row.intervals.create(weekday=day, start_minute=start, end_minute=end)
    return row


@pytest.fixture
def desk(cast: Cast) -> Pool:
    """Demos around the clock: Femke from midnight to noon, Jonas from noon to midnight."""
    for user, name, stretch in ((cast.femke, "Early", (0, 720)), (cast.jonas, "Late", (720, 1440))):
        user.calendar = calendar(name, stretch)
        user.save()
    always = calendar("Around the clock", (0, 1440))
    pool = Pool.objects.create(slug="desk", name="Demo desk", calendar=always)
    PoolMember.objects.bulk_create(PoolMember(pool=pool, user=user) for user in (cast.femke, cast.jonas))
    return pool


def test_somebody_is_always_there(cast: Cast, desk: Pool) -> None:
    found = rosters.of_pool(desk, NOW)
    assert found is not None
    assert (found.on_duty, found.gaps, found.is_on) == (["Femke de Boer"], [], True)


def test_an_absence_leaves_gaps_and_they_are_said(cast: Cast, desk: Pool) -> None:
    Absence.objects.create(user=cast.femke, starts_at=NOW - DAY, ends_at=NOW + DAY)
    found = rosters.of_pool(desk, NOW)
    assert found is not None
    assert found.on_duty == []
    assert found.gaps == ["Tuesday 10 Mar 10:00 to 12:00", "Wednesday 11 Mar 00:00 to 10:00"]


def test_who_is_out_of_rotation_or_gone_covers_nothing(cast: Cast, desk: Pool) -> None:
    desk.seats.filter(user=cast.jonas).update(is_active=False)
    found = rosters.of_pool(desk, NOW)
    assert found is not None
    # Every afternoon of the 14 days; the span is cut where it ends, at ten in the morning.
    assert (len(found.gaps), found.more, found.members) == (12, 2, 1)
    assert found.gaps[0] == "Tuesday 10 Mar 12:00 to 24:00"
    User.objects.filter(pk=cast.femke.pk).update(is_active=False)
    found = rosters.of_pool(desk, NOW)
    assert found is not None
    assert found.gaps == ["Tuesday 10 Mar 10:00 to Tuesday 24 Mar 10:00"]


def test_only_the_rosters_own_hours_count(cast: Cast, desk: Pool) -> None:
    desk.calendar = calendar("Weekdays", (480, 1200), days=range(5))
    desk.save()
    cast.jonas.calendar = calendar("Till six", (720, 1080))
    cast.jonas.save()
    found = rosters.of_pool(desk, NOW)
    assert found is not None
    assert found.gaps[:2] == ["Tuesday 10 Mar 18:00 to 20:00", "Wednesday 11 Mar 18:00 to 20:00"]
    assert (len(found.gaps), found.more) == (10, 0)


def test_words_are_in_the_readers_zone(cast: Cast, desk: Pool) -> None:
    from zoneinfo import ZoneInfo

    Absence.objects.create(user=cast.femke, starts_at=NOW, ends_at=NOW + timedelta(hours=2))
    found = rosters.of_pool(desk, NOW.astimezone(ZoneInfo("Asia/Tokyo")))
    assert found is not None and found.gaps == ["Tuesday 10 Mar 19:00 to 21:00"]


def test_targets_both_elapsed_and_within_staffed_hours(cast: Cast, desk: Pool) -> None:
    for user in (cast.femke, cast.jonas):
        user.calendar.intervals.filter(weekday__gte=5).delete()
        user.calendar.revision += 1
        user.calendar.save()
    asked, answered = datetime(2026, 3, 14, 22, tzinfo=UTC), datetime(2026, 3, 16, 0, 4, tzinfo=UTC)
    assert hours.between(asked, answered, None) == timedelta(hours=26, minutes=4)
    assert hours.between(asked, answered, rosters.staffed_hours(desk, NOW)) == timedelta(minutes=4)


def test_a_pool_without_a_calendar_is_no_roster(cast: Cast, desk: Pool) -> None:
    assert rosters.of_pool(Pool.objects.create(slug="p", name="P"), NOW) is None
    assert rosters.of_pool(Pool(), NOW) is None


def test_a_constant_number_of_queries(cast: Cast, desk: Pool) -> None:
    def count() -> int:
        rosters.of_pool(Pool.objects.select_related("calendar").get(pk=desk.pk), NOW)
        with CaptureQueriesContext(connection) as found:
            rosters.of_pool(Pool.objects.select_related("calendar").get(pk=desk.pk), NOW)
        return len(found)

    before = count()
    for number, user in enumerate((cast.rosa, cast.mia, cast.nils)):
        user.calendar = calendar(f"Own {number}", (0, 60))
        user.save()
        PoolMember.objects.create(pool=desk, user=user)
        Absence.objects.create(user=user, starts_at=NOW, ends_at=NOW + DAY)
    assert count() == before


def test_the_pools_page_shows_it_and_sets_it(as_: SignIn, cast: Cast, desk: Pool) -> None:
    page = html(as_(cast.mia).get(f"/routing/pools/{desk.pk}/"))
    assert "Duty roster" in page and "Around the clock" in page
    client = as_(cast.otto)
    data = {"name": "Demo desk", "method": "quota", "calendar": "", "revision": "1", "save": "1"}
    assert client.post(f"/routing/pools/{desk.pk}/", data).status_code == 302
    desk.refresh_from_db()
    assert desk.calendar is None
    assert "Duty roster <span" not in html(client.get(f"/routing/pools/{desk.pk}/"))
    data |= {"calendar": str(Calendar.objects.get(name="Late").pk), "revision": "2"}
    client.post(f"/routing/pools/{desk.pk}/", data)
    desk.refresh_from_db()
    assert desk.calendar is not None and desk.calendar.name == "Late"
    data |= {"calendar": "999", "revision": "3"}
    assert "Choose one of the calendars." in html(client.post(f"/routing/pools/{desk.pk}/", data), 422)
