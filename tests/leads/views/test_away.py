"""Somebody's absence, entered and taken back by their manager."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from leads.models import Notification
from routing.models import Absence, User
from tests.conftest import NOW, Cast
from tests.factories import make_handoff, route_to
from tests.leads.views.asking import SignIn, html, queries, refuses

LATER = {"first": "2026-03-11", "last": "2026-03-12"}


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(NOW + timedelta(minutes=10), tick=False):
        yield


def add(user: User) -> str:
    return f"/team/{user.pk}/absences/"


def delete(absence: Absence, user: User | None = None) -> str:
    return f"/team/{(user or absence.user).pk}/absences/{absence.pk}/delete/"


def away(user: User, **fields: object) -> Absence:
    span = {"starts_at": NOW - timedelta(days=1), "ends_at": NOW + timedelta(days=3)}
    return Absence.objects.create(user=user, **(span | fields))


def test_a_manager_says_when_a_rep_is_away(as_: SignIn, cast: Cast) -> None:
    User.objects.filter(pk=cast.femke.pk).update(time_zone="Europe/Berlin")
    sent = LATER | {"cover": str(cast.jonas.pk), "note": " Ill "}
    page = html(as_(cast.mia).post(add(cast.femke), sent, follow=True))
    absence = Absence.objects.get()
    assert (absence.user, absence.cover, absence.note) == (cast.femke, cast.jonas, "Ill")
    # Whole days where the rep is, and the last one is the last one.
    assert absence.starts_at == datetime(2026, 3, 10, 23, 0, tzinfo=UTC)
    assert absence.ends_at == datetime(2026, 3, 12, 23, 0, tzinfo=UTC)
    assert "Absence saved." in page
    assert "<b>Wed 11 Mar to Thu 12 Mar</b>" in page
    assert "Jonas Keller covers. Ill" in page
    assert absence.history.get().history_user == cast.mia


def test_one_that_begins_today_moves_what_is_owed_and_the_log_says_who(as_: SignIn, cast: Cast) -> None:
    owed, worked = make_handoff("accepted", cast.femke), make_handoff("working", cast.femke)
    route_to(cast.jonas)
    sent = {"first": "2026-03-10", "last": "2026-03-12", "cover": str(cast.jonas.pk)}
    page = html(as_(cast.mia).post(add(cast.femke), sent, follow=True))
    assert "Absence saved. 1 lead went to somebody who can answer." in page
    owed.refresh_from_db()
    worked.refresh_from_db()
    assert (owed.assignee, worked.assignee) == (cast.jonas, cast.femke)
    assert owed.events.order_by("-number")[0].user == cast.mia


def test_for_the_own_team_only(as_: SignIn, cast: Cast) -> None:
    """Nils leads another team; Rosa is of it. Who reads only, and who sells only, finds no such page."""
    theirs, rosas = away(cast.femke), away(cast.rosa)
    for user in (cast.nils, cast.jonas, cast.femke, cast.vera):
        refuses(as_(user), 404, post=(add(cast.femke), delete(theirs)))
    refuses(as_(cast.mia), 404, post=(add(cast.rosa), delete(rosas), delete(rosas, cast.femke)))
    refuses(as_(cast.mia), 404, post=(add(cast.vera), "/team/999999/absences/"))
    assert Absence.objects.filter(ends_at=NOW + timedelta(days=3)).count() == 2


@pytest.mark.parametrize("who", ["otto", "ada"])
def test_marketing_ops_and_admins_do_it_for_everybody(as_: SignIn, cast: Cast, who: str) -> None:
    client = as_(getattr(cast, who))
    for user in (cast.femke, cast.rosa):
        assert client.post(add(user), LATER).status_code == 302
    assert Absence.objects.count() == 2


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (LATER | {"first": ""}, "Write the first day away."),
        (LATER | {"last": "2026-03-01"}, "The last day is before the first."),
        (LATER, "Femke de Boer is away then already; delete the other first."),
        ({"first": "2026-04-01", "last": "2026-04-02", "cover": "0"}, "Choose somebody in sales"),
    ],
)
def test_days_that_cannot_be_lose_nothing_typed(
    as_: SignIn, cast: Cast, sent: dict[str, str], said: str
) -> None:
    away(cast.femke)
    page = html(as_(cast.mia).post(add(cast.femke), sent | {"note": "<b>Sea"}), 422)
    assert said in page
    assert 'value="&lt;b&gt;Sea"' in page
    assert '<details class="data" open>' in page
    assert Absence.objects.count() == 1


def test_the_same_again_is_said(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.mia)
    assert client.post(add(cast.femke), LATER).status_code == 302
    assert "is away then already" in html(client.post(add(cast.femke), LATER), 422)
    assert Absence.objects.count() == 1


def test_it_is_taken_back(as_: SignIn, cast: Cast) -> None:
    lasts = away(cast.femke)
    later = away(cast.femke, starts_at=NOW + timedelta(days=9), ends_at=NOW + timedelta(days=10))
    client = as_(cast.mia)
    assert "New leads come to Femke de Boer again." in html(client.post(delete(lasts), follow=True))
    assert client.post(delete(lasts)).status_code == 302
    lasts.refresh_from_db()
    assert lasts.ends_at == NOW + timedelta(minutes=10)
    assert "The absence is deleted." in html(client.post(delete(later), follow=True))
    refuses(client, 404, post=(delete(later),))


def test_the_rep_is_told_who_entered_what(as_: SignIn, cast: Cast) -> None:
    client, own = as_(cast.mia), as_(cast.femke)
    client.post(add(cast.femke), LATER | {"cover": str(cast.jonas.pk)})
    entered = Notification.objects.get()
    assert (entered.user, entered.kind, entered.mail) == (cast.femke, "absence_entered", "pending")
    page = html(own.get("/notifications/"))
    assert "Mia Brandt entered that you are away: Wed 11 Mar to Thu 12 Mar." in page
    assert "Jonas Keller covers for you." in page
    assert own.post(f"/notifications/{entered.pk}/read/")["Location"] == "/profile/#away"
    client.post(delete(Absence.objects.get()))
    assert "Mia Brandt took back your absence of Wed 11 Mar to Thu 12 Mar." in html(
        own.get("/notifications/")
    )


def test_what_cannot_be_or_is_ones_own_is_not_told(as_: SignIn, cast: Cast) -> None:
    over = away(cast.femke, ends_at=NOW - timedelta(hours=1))
    client, own = as_(cast.mia), as_(cast.femke)
    client.post(delete(over))
    client.post(add(cast.femke), LATER | {"first": ""})
    own.post("/profile/absences/", LATER)
    own.post(f"/profile/absences/{Absence.objects.latest('pk').pk}/delete/")
    assert Absence.objects.get() == over
    assert not Notification.objects.exists()


def test_what_is_written_is_not_read(as_: SignIn, cast: Cast) -> None:
    refuses(as_(cast.mia), 405, get=(add(cast.femke), delete(away(cast.femke))))


def test_the_anonymous_change_nothing(client: Client, cast: Cast) -> None:
    absence = away(cast.femke)
    for url in (add(cast.femke), delete(absence)):
        assert client.post(url, LATER).status_code == 401
    assert Absence.objects.get().ends_at == absence.ends_at


def test_a_row_of_a_reps_page_says_the_state_and_not_the_name_again(as_: SignIn, cast: Cast) -> None:
    make_handoff("assigned", cast.femke, kind="demo_request")  # five minutes late
    client = as_(cast.mia)
    row = '<b class="sub">Femke de Boer</b>'
    assert row not in html(client.get(f"/team/?rep={cast.femke.pk}"))
    assert row in html(client.get("/team/"))


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast) -> None:
    client, url = as_(cast.mia), f"/team/?rep={cast.femke.pk}"
    away(cast.femke)
    one = queries(client, url)
    for days in (10, 20):
        away(cast.femke, starts_at=NOW + timedelta(days=days), ends_at=NOW + timedelta(days=days + 1))
    assert queries(client, url) == one
