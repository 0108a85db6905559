"""Queues: an owner always, members who may claim, and how much waits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from routing import draft
from routing.models import Queue
from tests.conftest import NOW, Cast
from tests.factories import make_handoff
from tests.leads.views.asking import SignIn, html, queries, refuses, sent_to_sign_in

ALL, NEW = "/routing/queues/", "/routing/queues/new/"


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(NOW + timedelta(minutes=90), tick=False):
        yield


@pytest.fixture
def queue(cast: Cast) -> Queue:
    return draft.save(Queue(slug="desk", name="Desk", owner=cast.mia), 0, cast.otto, members=[cast.femke])


def form(cast: Cast, **fields: Any) -> dict[str, Any]:
    base = {
        "name": "Second look",
        "owner": str(cast.mia.pk),
        "members": [str(cast.femke.pk), str(cast.jonas.pk)],
        "calendar": "",
        "revision": "1",
    }
    return base | fields


def page_of(queue: Queue) -> str:
    return f"{ALL}{queue.pk}/"


def test_a_new_queue(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    assert "A new queue" in html(client.get(NEW))
    assert client.post(NEW, form(cast))["Location"] == ALL
    made = Queue.objects.get(slug="second-look")
    assert (made.kind, made.owner, made.members.count()) == (Queue.Kind.SALES, cast.mia, 2)


def test_a_queue_is_changed_and_its_kind_is_not(as_: SignIn, cast: Cast) -> None:
    overflow = Queue.objects.get(kind=Queue.Kind.OVERFLOW)
    as_(cast.otto).post(page_of(overflow), form(cast, name="Global overflow", kind="sales"))
    overflow.refresh_from_db()
    assert (overflow.name, overflow.kind, overflow.owner) == (
        "Global overflow",
        Queue.Kind.OVERFLOW,
        cast.mia,
    )
    assert overflow.history.first().history_user == cast.otto


def test_an_owner_is_needed_and_must_be_active(as_: SignIn, cast: Cast, queue: Queue) -> None:
    client = as_(cast.otto)
    assert "A queue needs an owner" in html(client.post(page_of(queue), form(cast, owner="")), 422)
    # Who only reads could not answer for it, and would lose it within the minute.
    for nobody in ("999", str(cast.vera.pk)):
        page = html(client.post(NEW, form(cast, owner=nobody)), 422)
        assert "Choose somebody who is active and may act." in page
    cast.mia.is_active = False
    cast.mia.save()
    page = html(client.post(page_of(queue), form(cast, name="Typed")), 422)
    assert "choose somebody who is active" in page and 'value="Typed"' in page
    queue.refresh_from_db()
    assert (queue.name, queue.revision) == ("Desk", 1)
    assert "Its owner is no longer active" in html(client.get(ALL))


def test_it_says_how_much_waits(as_: SignIn, cast: Cast) -> None:
    make_handoff("queued")
    make_handoff("incomplete")
    found = {line.name: line for line in as_(cast.mia).get(ALL).context["lines"]}
    overflow = Queue.objects.get(kind=Queue.Kind.OVERFLOW)
    assert (found[overflow.name].waits, found[overflow.name].oldest) == (1, "1 h 30")
    completion = Queue.objects.get(kind=Queue.Kind.COMPLETION)
    assert (found[completion.name].waits, found[completion.name].oldest) == (1, "1 h 30")
    assert "1 waits, the first for 1 h 30." in html(as_(cast.otto).get(page_of(overflow)))


def test_two_editors_see_each_other(as_: SignIn, cast: Cast, queue: Queue) -> None:
    queue.name = "By Ada"
    draft.save(queue, 1, cast.ada, members=[])
    page = html(as_(cast.otto).post(page_of(queue), form(cast)), 409)
    assert "Ada Admin saved this" in page and "By Ada" in page and 'value="Second look"' in page
    queue.refresh_from_db()
    assert (queue.name, queue.members.count()) == ("By Ada", 0)
    assert as_(cast.otto).post(page_of(queue), form(cast, revision="2")).status_code == 302
    queue.refresh_from_db()
    assert (queue.name, queue.members.count()) == ("Second look", 2)


def test_the_same_twice_is_no_conflict(as_: SignIn, cast: Cast, queue: Queue) -> None:
    for _ in range(2):
        assert as_(cast.otto).post(page_of(queue), form(cast)).status_code == 302
    queue.refresh_from_db()
    assert queue.revision == 2


def test_who_may(client: Client, as_: SignIn, cast: Cast, queue: Queue) -> None:
    sent_to_sign_in(client, ALL, NEW, page_of(queue))
    for user in (cast.femke, cast.vera):
        refuses(as_(user), 404, get=(ALL, NEW, page_of(queue)), post=(NEW, page_of(queue)))
    for user in (cast.mia, cast.ada):
        refuses(as_(user), 403, post=(NEW, page_of(queue)))
        refuses(as_(user), 404, get=(NEW,))
        page = html(as_(user).get(page_of(queue)))
        assert "Femke de Boer" in page and "Save, as of now" not in page
    refuses(as_(cast.otto), 405, post=(ALL,))
    refuses(as_(cast.otto), 404, get=(f"{ALL}999/",), post=(f"{ALL}999/",))


def test_hostile_names_are_shown_as_text(as_: SignIn, cast: Cast, queue: Queue) -> None:
    Queue.objects.update(name="<script>x</script>")
    type(cast.femke).objects.update(name="<script>y</script>")
    for url in (ALL, page_of(queue), NEW):
        page = html(as_(cast.otto).get(url))
        assert "<script>x" not in page and "<script>y" not in page


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast, queue: Queue) -> None:
    client = as_(cast.mia)
    before = [queries(client, url) for url in (ALL, page_of(queue))]
    for number in range(3):
        row = Queue(slug=f"q{number}", name=f"Q{number}", owner=cast.ada)
        draft.save(row, 0, cast.otto, members=[cast.femke, cast.jonas])
    assert [queries(client, url) for url in (ALL, page_of(queue))] == before
