"""One's own profile and absences."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from leads.models import Preference
from routing.models import Absence, User
from tests.conftest import NOW, Cast
from tests.factories import make_handoff, route_to
from tests.leads.views.asking import SignIn, html, queries, refuses, sent_to_sign_in

SAVE, AWAY, TOLD = "/profile/save/", "/profile/absences/", "/profile/told/"
GIVEN = {"name": "Femke", "time_zone": "Europe/Amsterdam", "theme": "dark"}


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(NOW + timedelta(minutes=10), tick=False):
        yield


def away(user: User, days: int = 3, **fields: object) -> Absence:
    return Absence.objects.create(
        user=user, starts_at=NOW - timedelta(days=1), ends_at=NOW + timedelta(days=days), **fields
    )


def test_everything_is_kept(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.femke)
    assert "Saved." in html(client.post(SAVE, GIVEN, follow=True))
    cast.femke.refresh_from_db()
    assert (cast.femke.name, cast.femke.time_zone, cast.femke.theme) == ("Femke", "Europe/Amsterdam", "dark")
    assert cast.femke.single_keys is False
    assert "Nothing was changed." in html(client.post(SAVE, GIVEN, follow=True))
    page = html(client.get("/profile/"))
    assert 'value="Europe/Amsterdam"' in page
    assert "<body data-keys" not in page and "<body" in page
    assert 'data-theme="dark"' in page


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("time_zone", "Mars/Olympus", "This is not a time zone"),
        ("time_zone", "../../etc/passwd", "This is not a time zone"),
        ("name", "x" * 151, "at most 150 characters"),
        ("name", "a\x00b", "Null characters are not allowed"),
        ("theme", "pink", "not one of the available choices"),
    ],
)
def test_what_is_wrong_stands_at_its_field(as_: SignIn, cast: Cast, name: str, value: str, said: str) -> None:
    page = html(as_(cast.femke).post(SAVE, GIVEN | {name: value}), 422)
    assert said in page
    cast.femke.refresh_from_db()
    assert cast.femke.name == "Femke de Boer"


def test_nobody_gives_themselves_a_role(as_: SignIn, cast: Cast) -> None:
    as_(cast.femke).post(SAVE, GIVEN | {"is_superuser": "1", "email": "x@y.z", "groups": "5", "team": "1"})
    cast.femke.refresh_from_db()
    assert (cast.femke.is_superuser, cast.femke.email) == (False, "femke@handoff.example.com")


# How one is told

WISH = {
    "mail": "urgent",
    "quiet_from": "20:00",
    "quiet_until": "07:30",
    "quiet_weekends": "1",
    "digest_minute": "16:05",
    "browser": "1",
}


def wish(user: User) -> tuple[object, ...] | None:
    names = ("mail", "quiet_from", "quiet_until", "quiet_weekends", "digest_minute", "browser")
    return Preference.objects.filter(user=user).values_list(*names).first()


def test_without_a_word_everything_comes_at_once(as_: SignIn, cast: Cast) -> None:
    page = html(as_(cast.femke).get("/profile/"))
    assert '<input type="radio" name="mail" value="all" checked>' in page
    assert page.count("checked") == 3  # the theme, single keys, all mail
    assert wish(cast.femke) is None


def test_what_is_wished_is_kept_and_shown(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.femke)
    assert "Saved." in html(client.post(TOLD, WISH, follow=True))
    assert wish(cast.femke) == ("urgent", 1200, 450, True, 965, True)
    page = html(client.get("/profile/"))
    for shown in (
        'name="mail" value="urgent" checked',
        'name="quiet_from" value="20:00"',
        'name="quiet_until" value="07:30"',
        'name="quiet_weekends" value="1" checked',
        'name="digest_minute" value="16:05"',
        'name="browser" value="1" data-notify checked',
    ):
        assert shown in page, shown
    assert "Nothing was changed." in html(client.post(TOLD, WISH, follow=True))
    assert "Saved." in html(client.post(TOLD, {"mail": "none"}, follow=True))
    assert wish(cast.femke) == ("none", None, None, False, None, False)


def test_midnight_is_a_time(as_: SignIn, cast: Cast) -> None:
    times = {"quiet_from": "22:00", "quiet_until": "00:00", "digest_minute": "00:00"}
    client = as_(cast.femke)
    client.post(TOLD, WISH | times)
    assert wish(cast.femke) == ("urgent", 1320, 0, True, 0, True)
    assert 'name="quiet_until" value="00:00"' in html(client.get("/profile/"))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("mail", "", "Choose what comes by e-mail."),
        ("mail", "loud", "Choose what comes by e-mail."),
        ("quiet_from", "", "Write when they begin too"),
        ("quiet_until", "", "Write when they end too"),
        ("quiet_until", "20:00", "Write another time than the one they begin at."),
        ("quiet_from", "25:00", "Write the time as 18:30."),
        ("quiet_until", "soon", "Write the time as 18:30."),
        ("digest_minute", "-1", "Write the time as 18:30."),
    ],
)
def test_a_wish_that_cannot_be_stands_at_its_field(
    as_: SignIn, cast: Cast, name: str, value: str, said: str
) -> None:
    page = html(as_(cast.femke).post(TOLD, WISH | {name: value}), 422)
    assert said in page
    # Nothing that was typed is lost.
    for other, given in WISH.items():
        if other not in (name, "mail", "quiet_weekends", "browser"):
            assert f'name="{other}" value="{given}"' in page
    assert wish(cast.femke) is None


def test_everybody_wishes_for_themselves(as_: SignIn, cast: Cast) -> None:
    as_(cast.vera).post(TOLD, WISH | {"user": str(cast.femke.pk)})
    assert (wish(cast.femke), wish(cast.vera)) == (None, ("urgent", 1200, 450, True, 965, True))


# Absences


def test_an_absence_is_of_whole_days_in_ones_own_zone(as_: SignIn, cast: Cast) -> None:
    User.objects.filter(pk=cast.femke.pk).update(time_zone="Europe/Berlin")
    sent = {"first": "2026-04-01", "last": "2026-04-02", "cover": str(cast.jonas.pk), "note": " Easter "}
    page = html(as_(cast.femke).post(AWAY, sent, follow=True))
    absence = Absence.objects.get()
    assert absence.starts_at == datetime(2026, 3, 31, 22, 0, tzinfo=UTC)
    assert absence.ends_at == datetime(2026, 4, 2, 22, 0, tzinfo=UTC)
    assert (absence.user, absence.cover, absence.note) == (cast.femke, cast.jonas, "Easter")
    assert "Wed 1 Apr to Thu 2 Apr" in page
    assert "Jonas Keller covers. Easter" in page


def test_one_that_begins_today_moves_what_is_owed(as_: SignIn, cast: Cast) -> None:
    owed, worked = make_handoff("accepted", cast.femke), make_handoff("working", cast.femke)
    route_to(cast.jonas)
    sent = {"first": "2026-03-10", "last": "2026-03-12", "cover": str(cast.jonas.pk)}
    page = html(as_(cast.femke).post(AWAY, sent, follow=True))
    assert "Absence saved. 1 lead went to somebody who can answer." in page
    owed.refresh_from_db()
    worked.refresh_from_db()
    assert (owed.assignee, worked.assignee) == (cast.jonas, cast.femke)


def test_a_later_one_moves_nothing_yet(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("accepted", cast.femke)
    page = html(as_(cast.femke).post(AWAY, {"first": "2026-03-11", "last": "2026-03-12"}, follow=True))
    assert "Nobody covers: open leads are routed again" in page
    handoff.refresh_from_db()
    assert handoff.assignee == cast.femke


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("", "2026-03-12", "Write the first day away."),
        ("2026-03-12", "soon", "Write the date as 2026-03-31."),
        ("2026-03-12", "2026-03-11", "The last day is before the first."),
        ("2026-03-01", "2026-03-09", "This is over already."),
        ("2026-03-12", "9999-12-31", "At most 400 days"),
        ("9999-12-31", "9999-12-31", "At most 400 days"),
        ("2026-03-11", "2026-03-12", "You are away then already"),
    ],
)
def test_days_that_cannot_be(as_: SignIn, cast: Cast, first: str, last: str, said: str) -> None:
    away(cast.femke)
    page = html(as_(cast.femke).post(AWAY, {"first": first, "last": last, "note": "Sea"}), 422)
    assert said in page
    assert 'value="Sea"' in page
    assert Absence.objects.count() == 1


def test_the_cover_is_somebody_in_sales_who_is_there(as_: SignIn, cast: Cast) -> None:
    away(cast.jonas)
    sent = {"first": "2026-03-11", "last": "2026-03-12"}
    client = as_(cast.femke)
    for cover, said in (
        (cast.jonas.pk, "Jonas Keller is away in that time too."),
        (cast.vera.pk, "Choose somebody in sales"),
        (cast.femke.pk, "Choose somebody in sales"),
        ("x", "Choose somebody in sales"),
    ):
        assert said in html(client.post(AWAY, sent | {"cover": str(cover)}), 422)
    assert Absence.objects.count() == 1


def test_an_absence_is_ended_or_deleted_by_its_owner(as_: SignIn, cast: Cast) -> None:
    now_away = away(cast.femke)
    later = Absence.objects.create(
        user=cast.femke, starts_at=NOW + timedelta(days=9), ends_at=NOW + timedelta(days=10)
    )
    for user in (cast.jonas, cast.mia, cast.ada):
        refuses(as_(user), 404, post=(f"{AWAY}{now_away.pk}/delete/",))
    client = as_(cast.femke)
    assert "Welcome back." in html(client.post(f"{AWAY}{now_away.pk}/delete/", follow=True))
    assert client.post(f"{AWAY}{now_away.pk}/delete/").status_code == 302
    now_away.refresh_from_db()
    assert now_away.ends_at == NOW + timedelta(minutes=10)
    client.post(f"{AWAY}{later.pk}/delete/")
    assert not Absence.objects.filter(pk=later.pk).exists()
    refuses(client, 404, post=(f"{AWAY}{later.pk}/delete/",))


def test_who_does_not_sell_has_no_absences_to_plan(as_: SignIn, cast: Cast) -> None:
    assert "New absence" not in html(as_(cast.vera).get("/profile/"))


def test_without_a_role_it_says_whom_to_ask(as_: SignIn, cast: Cast) -> None:
    cast.femke.groups.clear()
    assert "You have no role yet" in html(as_(cast.femke).get("/profile/"))


def test_what_is_read_is_not_posted(as_: SignIn, cast: Cast) -> None:
    refuses(as_(cast.femke), 405, get=(SAVE, AWAY, TOLD, f"{AWAY}1/delete/"), post=("/profile/",))


def test_the_anonymous_are_sent_to_sign_in(client: Client, cast: Cast) -> None:
    sent_to_sign_in(client, "/profile/")
    for url in (AWAY, TOLD):
        # What was sent is kept and shown again once one has signed in.
        assert client.post(url, WISH).status_code == 401
    assert not Preference.objects.exists()


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast) -> None:
    away(cast.femke, cover=cast.jonas)
    client = as_(cast.femke)
    one = queries(client, "/profile/")
    for days in (20, 30):
        Absence.objects.create(
            user=cast.femke,
            starts_at=NOW + timedelta(days=days),
            ends_at=NOW + timedelta(days=days + 1),
            cover=cast.mia,
        )
    assert queries(client, "/profile/") == one


def test_an_answer_stands_where_it_was_asked(as_: SignIn, cast: Cast) -> None:
    """The page is long: what was refused or saved is shown at its part, not at the top."""
    page = html(as_(cast.femke).get("/profile/"))
    assert 'action="/profile/told/#told"' in page and 'id="told"' in page
    assert 'action="/profile/absences/#away"' in page and 'id="away"' in page
