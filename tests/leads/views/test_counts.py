"""The counts of the frame: one query, and what counting each by itself gives."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from leads import agreeing, permissions, triaging
from leads.choices import OPEN, Side
from leads.models import Connection, Delivery, Handoff, Notification, Preference
from leads.querysets import overdue, team_member_ids
from leads.views import counts
from leads.views.counts import Wanted
from routing.models import Queue, User
from routing.people import ADMIN, MANAGER, MARKETING
from tests.conftest import NOW, Cast, with_the_cast
from tests.factories import make_handoff
from tests.leads.views.integrations.made import delivery, made

SignIn = Callable[[User], Client]
STATES = ("assigned", "accepted", "working", "incomplete", "queued", "rejected")


@pytest.fixture
def busy(cast: Cast) -> Cast:
    """Handoffs of many states, late and not, of two reps of two teams; messages read and unread."""
    return with_the_cast(cast, _busy)


def _busy(cast: Cast) -> Cast:
    for user, days in ((cast.femke, 0), (cast.femke, 3), (cast.rosa, 5)):
        for state in STATES:
            make_handoff(state, user, at=NOW - timedelta(days=days))
    for number in range(3):
        read_at = NOW if number else None
        Notification.objects.create(user=cast.femke, kind="assigned", created_at=NOW, read_at=read_at)
    Preference.objects.create(user=cast.femke, browser=True)
    warehouse = made("Warehouse", paused_why="They move")
    for _ in range(2):
        delivery(warehouse, "dead")
    return cast


def _one_by_one(user: User, wanted: Wanted) -> dict[str, tuple[int, int]]:
    """As querysets say it."""
    found = {}
    for state in OPEN:
        mine = Handoff.objects.held_by(user).filter(state=state)
        if mine:
            found[str(state)] = (mine.count(), mine.filter(overdue(NOW)).count())
    found[counts.UNREAD] = (Notification.objects.filter(user=user, read_at=None).count(), 0)
    found[counts.CALLS] = (Preference.objects.filter(user=user, browser=True).count(), 0)
    queues = Queue.objects.exclude(kind=Queue.Kind.COMPLETION)
    found[counts.QUEUES] = (len({*queues.filter(owner=user), *queues.filter(members=user)}), 0)
    breached, incomplete = Handoff.objects.breached(NOW), Handoff.objects.incomplete()
    if wanted.of_all:
        found[counts.LATE] = (breached.count(), 0)
        found[counts.INCOMPLETE] = (incomplete.count(), incomplete.filter(overdue(NOW)).count())
        found[counts.TO_DECIDE] = (len(triaging.waiting()), 0)
        found[counts.GIVEN_UP] = (Delivery.objects.filter(status="dead").count(), 0)
        still = Connection.objects.exclude(paused_why="").filter(paused_until=None)
        found[counts.STANDING] = (still.count(), 0)
    elif wanted.of_teams:
        found[counts.LATE] = (breached.filter(assignee__in=team_member_ids(user)).count(), 0)
    if wanted.marketing or wanted.sales:
        found[counts.TO_SIGN] = (agreeing.waiting_for(user), 0)
    return found


@pytest.mark.parametrize("name", ["femke", "jonas", "rosa", "mia", "nils", "otto", "vera", "ada"])
def test_one_query_says_what_many_say(busy: Cast, name: str) -> None:
    user = getattr(busy, name)
    sides = permissions.sides(user)
    wanted = Wanted(
        of_all=bool(user.roles & {MARKETING, ADMIN}),
        of_teams=MANAGER in user.roles,
        marketing=Side.MARKETING in sides,
        sales=Side.SALES in sides,
    )
    counts.of(user, NOW, wanted)
    with CaptureQueriesContext(connection) as seen:
        found = counts.of(user, NOW, wanted)
    assert len(seen) == 1
    assert found == _one_by_one(user, wanted)


def test_something_is_counted_of_each_kind(busy: Cast) -> None:
    """So that the test above compares more than noughts."""
    everything = counts.of(busy.otto, NOW, Wanted(True, False, True, False))
    late, of_femke = counts.of(busy.nils, NOW, Wanted(of_teams=True)), counts.of(busy.femke, NOW, Wanted())
    assert everything[counts.LATE][0] > late[counts.LATE][0] > 0
    assert everything[counts.INCOMPLETE][0] > everything[counts.INCOMPLETE][1] > 0
    assert (of_femke[counts.UNREAD], of_femke[counts.CALLS]) == ((9, 0), (1, 0))
    assert of_femke["assigned"] == (2, 1)
    assert (everything[counts.GIVEN_UP], everything[counts.STANDING]) == ((2, 0), (1, 0))
    assert counts.TO_SIGN in everything and counts.TO_SIGN not in late


def test_many_are_counted_to_one_more_than_is_said(cast: Cast) -> None:
    Notification.objects.bulk_create(
        Notification(user=cast.femke, kind="assigned", created_at=NOW) for _ in range(counts.MOST_COUNTED + 5)
    )
    assert counts.of(cast.femke, NOW, Wanted())[counts.UNREAD] == (counts.MOST_COUNTED + 1, 0)


def test_what_changes_is_counted_with_the_next_page(as_: SignIn, cast: Cast) -> None:
    with time_machine.travel(NOW, tick=False):
        client = as_(cast.femke)
        assert client.get("/help/").context["shell"].mine["all"] == 0
        make_handoff("assigned", cast.femke, at=NOW)
        page = client.get("/help/")
        assert page.context["shell"].mine["all"] == 1
        assert "You hold 1 lead." in page.content.decode()
        assert "You hold" not in as_(cast.jonas).get("/help/").content.decode()
