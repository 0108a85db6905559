"""Pools: members, weights, caps and shares; a change counts at once and loses no turn."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from routing import draft
from routing.models import Pool, PoolMember, Rule, Turn
from tests import factories
from tests.conftest import NOW, Cast
from tests.leads.views.asking import SignIn, html, queries, refuses, sent_to_sign_in

ALL, NEW = "/routing/pools/", "/routing/pools/new/"


@pytest.fixture
def pool(cast: Cast) -> Pool:
    made = Pool.objects.create(slug="dach", name="DACH", cap_open=12)
    PoolMember.objects.create(pool=made, user=cast.femke, weight=2, taken=12, accrued="11.6")
    PoolMember.objects.create(pool=made, user=cast.jonas, cap_open=1, taken=5, accrued="5.4")
    return made


def form(*people: Any, **fields: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "name": "Desk",
        "method": "quota",
        "cap_open": "",
        "cap_day": "",
        "cap_week": "",
        "revision": "1",
    }
    for number, person in enumerate(people):
        base |= {
            f"s__{number}__user": str(person.pk),
            f"s__{number}__weight": "1",
            f"s__{number}__is_active": "1",
        }
    return {name.replace("__", "."): value for name, value in (base | fields).items() if value is not None}


def page_of(pool: Pool) -> str:
    return f"{ALL}{pool.pk}/"


def seats(pool: Pool) -> dict[str, tuple[int, int | None, bool]]:
    return {str(seat.user): (seat.weight, seat.cap_open, seat.is_active) for seat in pool.seats.all()}


def test_a_new_pool_with_members(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    assert "A new pool" in html(client.get(NEW))
    page = html(client.post(NEW, form(name="Half", edit="add", add=str(cast.femke.pk))))
    assert 'value="Half"' in page and "Weight of Femke de Boer" in page
    fields = {"cap_day": "4", "in_hours_only": "on", "s__0__weight": "3", "s__1__cap_open": "2"}
    assert client.post(NEW, form(cast.femke, cast.jonas, **fields))["Location"] == ALL
    made = Pool.objects.get()
    assert (made.slug, made.cap_open, made.cap_day, made.in_hours_only) == ("desk", None, 4, True)
    assert seats(made) == {"Femke de Boer": (3, None, True), "Jonas Keller": (1, 2, True)}
    assert made.history.get().history_user == cast.otto


def test_members_come_and_go_and_their_turns_stay(as_: SignIn, cast: Cast, pool: Pool) -> None:
    fields = {"s__1__is_active": None, "s__0__weight": "5"}
    as_(cast.otto).post(page_of(pool), form(cast.femke, cast.jonas, cast.rosa, **fields))
    assert seats(pool) == {
        "Femke de Boer": (5, None, True),
        "Jonas Keller": (1, None, False),
        "Rosa Lindqvist": (1, None, True),
    }
    femke = pool.seats.get(user=cast.femke)
    assert (femke.taken, float(femke.accrued)) == (12, 11.6)


def test_what_waits_goes_to_who_has_room_now(
    as_: SignIn, cast: Cast, django_capture_on_commit_callbacks: Any
) -> None:
    factories.route_to(cast.femke, cap=0)
    waiting = factories.open_handoff()
    assert waiting.state == "queued"
    with django_capture_on_commit_callbacks(execute=True):
        as_(cast.otto).post(page_of(Pool.objects.get()), form(cast.femke))
    waiting.refresh_from_db()
    assert (waiting.state, waiting.assignee) == ("assigned", cast.femke)


def test_who_is_not_sent_stays(as_: SignIn, cast: Cast, pool: Pool) -> None:
    as_(cast.otto).post(page_of(pool), form(cast.femke))
    assert seats(pool)["Jonas Keller"] == (1, 1, True)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": ""}, "Give it a name."),
        ({"method": "chance"}, "Choose one of the methods."),
        ({"cap_open": "-1"}, "This cannot be below zero."),
        ({"cap_week": "lots"}, "Write a whole number, or nothing for no cap."),
        ({"cap_day": "9" * 30}, "At most 100,000."),
        ({"s__0__weight": "0"}, "The weight is at least 1; switch a member off instead."),
        ({"s__0__weight": ""}, "Write a weight from 1."),
        ({"s__0__weight": "1001"}, "The weight is at most 1,000."),
        ({"s__0__cap_open": "x"}, "Write a whole number, or nothing for no cap."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_lost(
    as_: SignIn, cast: Cast, pool: Pool, fields: dict[str, str], said: str
) -> None:
    page = html(as_(cast.otto).post(page_of(pool), form(cast.femke, s__0__cap_day="7", **fields)), 422)
    assert said in page and 'name="s.0.cap_day" value="7"' in page
    pool.refresh_from_db()
    assert (pool.name, pool.revision) == ("DACH", 1)


def test_only_people_in_sales_can_be_added(as_: SignIn, cast: Cast, pool: Pool) -> None:
    page = html(as_(cast.otto).post(page_of(pool), form(cast.vera)), 422)
    assert "Only active people in sales can be members." in page
    for nobody in ("", "999", "x"):
        html(as_(cast.otto).post(page_of(pool), form(cast.femke, edit="add", add=nobody)))
    assert set(seats(pool)) == {"Femke de Boer", "Jonas Keller"}


def test_a_new_row_can_be_removed_and_a_stored_one_not(as_: SignIn, cast: Cast, pool: Pool) -> None:
    client = as_(cast.otto)
    page = html(client.post(page_of(pool), form(cast.femke, cast.rosa, edit="remove.1")))
    assert "Weight of Rosa" not in page and "Weight of Femke" in page
    assert "Weight of Femke" in html(client.post(page_of(pool), form(cast.femke, edit="remove.0")))


def test_two_editors_see_each_other(as_: SignIn, cast: Cast, pool: Pool) -> None:
    pool.name = "By Ada"
    draft.save(pool, 1, cast.ada, seats=[PoolMember(user=cast.femke, weight=9)])
    page = html(as_(cast.otto).post(page_of(pool), form(cast.femke)), 409)
    assert "Ada Admin saved this" in page and "By Ada" in page and "Femke de Boer 9" in page
    assert 'value="Desk"' in page and "Save mine over theirs" in page
    assert as_(cast.otto).post(page_of(pool), form(cast.femke, revision="2")).status_code == 302
    pool.refresh_from_db()
    assert pool.name == "Desk"


def test_the_list_shows_shares_load_and_use(as_: SignIn, cast: Cast, pool: Pool) -> None:
    Turn.objects.create(user=cast.jonas, pool=pool, ref="1", taken_at=NOW)
    Rule.objects.update(name="Everybody", target_kind="pool", target_id=str(pool.pk))
    response = as_(cast.mia).get(ALL)
    (line,) = response.context["lines"]
    femke, jonas = line.seats
    assert (femke.share, femke.taken, femke.quota, femke.load) == (67, 12, "11.6", "0 of 12 open")
    assert (jonas.share, jonas.full) == (33, "holds 1 of 1")
    page = html(response)
    assert "quota rotation, at most 12 open each" in page and "gets leads from Everybody" in page


def test_before_there_is_any_it_says_so(as_: SignIn, cast: Cast) -> None:
    assert "No pool shares leads yet." in html(as_(cast.otto).get(ALL))
    Pool.objects.create(slug="empty", name="Empty")
    assert "Nobody is in it" in html(as_(cast.mia).get(ALL))


def test_who_may(client: Client, as_: SignIn, cast: Cast, pool: Pool) -> None:
    sent_to_sign_in(client, ALL, NEW, page_of(pool))
    for user in (cast.femke, cast.vera):
        refuses(as_(user), 404, get=(ALL, NEW, page_of(pool)), post=(NEW, page_of(pool)))
    for user in (cast.mia, cast.ada):
        refuses(as_(user), 403, post=(NEW, page_of(pool)))
        refuses(as_(user), 404, get=(NEW,))
        page = html(as_(user).get(page_of(pool)))
        assert "Femke de Boer" in page and "Save, as of now" not in page
    refuses(as_(cast.otto), 405, post=(ALL,))
    refuses(as_(cast.otto), 404, get=(f"{ALL}999/",), post=(f"{ALL}999/",))


def test_hostile_names_are_shown_as_text(as_: SignIn, cast: Cast, pool: Pool) -> None:
    Pool.objects.update(name="<script>x</script>")
    type(cast.femke).objects.update(name="<script>y</script>")
    for url in (ALL, page_of(pool), NEW):
        page = html(as_(cast.otto).get(url))
        assert "<script>x" not in page and "<script>y" not in page


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast, pool: Pool) -> None:
    clients = (as_(cast.mia), as_(cast.otto))
    before = [queries(client, url) for client in clients for url in (ALL, page_of(pool))]
    for number in range(3):
        other = Pool.objects.create(slug=f"p{number}", name=f"P{number}")
        PoolMember.objects.create(pool=other, user=cast.rosa)
    PoolMember.objects.create(pool=pool, user=cast.rosa)
    PoolMember.objects.create(pool=pool, user=cast.mia)
    assert [queries(client, url) for client in clients for url in (ALL, page_of(pool))] == before
