"""Where the time went: the sample, the sums, the slowest with their story; for whom, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from leads import lifecycle, time_spent, timing
from leads.lifecycle import Act
from leads.models import Handoff
from metrics import past_parts, query, spent
from metrics.periods import EVERYTHING
from tests.conftest import NOW, Cast, with_the_cast
from tests.factories import make_handoff, make_lead, open_handoff
from tests.leads.views.asking import SignIn, html, queries, refuses, sent_to_sign_in

URL = "/dashboard/time/"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LATER = NOW + 8 * HOUR


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(LATER, tick=False):
        yield


@pytest.fixture
def some(cast: Cast) -> list[Handoff]:
    """Contacted after 30 minutes, moved on and still waiting, held for data, rejected, deferred."""
    return with_the_cast(cast, _some)


def _some(cast: Cast) -> list[Handoff]:
    contacted = make_handoff("assigned", cast.femke, kind="demo_request")
    lifecycle.contact(contacted.pk, Act(NOW + 30 * MINUTE, cast.femke), channel="phone", outcome="reached")
    moved = make_handoff("assigned", cast.femke)
    lifecycle.reassign(moved.pk, Act(NOW + HOUR, cast.mia), to=cast.jonas.email, reason="Ill")
    held = open_handoff(make_lead(first_name="-"))
    made = [contacted, moved, held, make_handoff("rejected", cast.rosa), make_handoff("deferred", cast.femke)]
    return [Handoff.objects.get(pk=each.pk) for each in made]


def read() -> past_parts.Read:
    return past_parts.read(query.Asked.of(query.Question(LATER, EVERYTHING)))


def test_the_sums_are_those_of_each_handoff_alone(some: list[Handoff]) -> None:
    sums = spent.add_up(read().sample)
    alone = [timing.total(time_spent.of_handoff(handoff, LATER).parts) for handoff in some]
    assert sums[""].total("elapsed") == sum((each for each, _ in alone), timedelta(0))
    assert sums[""].total("business") == sum((each for _, each in alone), timedelta(0))
    assert (sums[""].handoffs, sums["demo"].handoffs, sums["standard"].handoffs) == (5, 1, 4)
    assert sums["demo"].total("elapsed") == 30 * MINUTE
    assert sums[""].by_party("elapsed")["marketing"] > 0


def test_the_slowest_come_first_with_who_held_them_when(as_: SignIn, cast: Cast, some: list[Handoff]) -> None:
    response = as_(cast.otto).get(URL)
    stories = response.context["slowest"]
    assert [story["elapsed"] for story in stories] == ["8 h", "8 h", "8 h", "30 min", "1 min"]
    moved = next(story for story in stories if len(story["steps"]) == 2 and story["ended"] == "so far")
    assert [(step["label"], step["holder"], step["length"]) for step in moved["steps"]] == [
        ("Waiting for an answer", "Femke de Boer", "1 h"),
        ("Waiting for an answer", "Jonas Keller", "7 h"),
    ]
    assert [(step["x"], step["width"]) for step in moved["bar"]] == [(0.0, 12.5), (12.5, 87.5)]
    assert [story["ended"] for story in stories[3:]] == ["to the first contact", "until it was closed"]
    assert "Waiting for an answer, Femke de Boer" in html(response)


def test_a_look_back_knows_no_later_acts(some: list[Handoff]) -> None:
    found = past_parts.read(query.Asked.of(query.Question(NOW + 10 * MINUTE, EVERYTHING)))
    assert (
        max(sum((part.elapsed for part in told.parts), timedelta(0)) for told in found.slowest) == 10 * MINUTE
    )
    assert all(part.ends_at <= NOW + 10 * MINUTE for _, parts in found.sample for part in parts)


def test_of_many_each_nth_is_read_and_the_slowest_of_all(
    as_: SignIn, cast: Cast, some: list[Handoff], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_parts, "SAMPLE", 2)
    found = read()
    assert (found.count, found.step) == (5, 3)
    assert len(found.sample) == sum(handoff.pk % 3 == 0 for handoff in some)
    assert len(found.slowest) == 5
    page = html(as_(cast.otto).get(URL))
    assert f"{len(found.sample)} of 5 handoffs, one in 3 by its number" in page


def test_imported_history_is_left_out(as_: SignIn, cast: Cast, some: list[Handoff]) -> None:
    Handoff.objects.update(is_history=True)
    assert "No handoff became an MQL in these weeks." in html(as_(cast.otto).get(URL))


def test_it_covers_what_the_person_may_see(as_: SignIn, cast: Cast, some: list[Handoff]) -> None:
    counts = {user.name: as_(user).get(URL).context["count"] for user in (cast.otto, cast.mia, cast.nils)}
    assert counts == {"Otto Maier": "5 handoffs", "Mia Brandt": "3 handoffs", "Nils Holm": "1 handoff"}
    assert as_(cast.otto).get(f"{URL}?type=demo").context["count"] == "1 handoff"
    assert as_(cast.otto).get(f"{URL}?rep={cast.rosa.email}").context["count"] == "1 handoff"


def test_who_it_is_for(client: Client, as_: SignIn, cast: Cast) -> None:
    sent_to_sign_in(client, URL)
    refuses(as_(cast.femke), 404, get=(URL,))
    for user in (cast.mia, cast.otto, cast.vera, cast.ada):
        assert as_(user).get(URL).status_code == 200
    refuses(as_(cast.otto), 405, post=(URL,))


def test_a_viewer_reads_no_address(as_: SignIn, cast: Cast, some: list[Handoff]) -> None:
    page = html(as_(cast.vera).get(URL))
    assert all(handoff.lead.email not in page for handoff in some)


def test_asking_twice_says_the_same(as_: SignIn, cast: Cast, some: list[Handoff]) -> None:
    first, second = (as_(cast.otto).get(URL).context["rows"] for _ in range(2))
    assert first == second


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    make_handoff("accepted", cast.femke)
    one = queries(client, URL)
    make_handoff("accepted", cast.jonas), make_handoff("rejected", cast.rosa)
    assert queries(client, URL) == one
