"""Polls: when, by whom, and that nothing is lost or taken twice when one ends half-way."""

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection as database

from leads import connectors, tasks
from leads.connectors import arriving, polling
from leads.connectors.base import Changes, Connector, Denied
from leads.connectors.client import Unreachable
from leads.connectors.kinds import CONNECTORS
from leads.models import Connection, Lead, Receipt
from tests.acting import at
from tests.conftest import NOW, Cast
from tests.leads.connectors.conftest import make_connection


class Book(Connector):
    """A system of `people` that are read one a page; `trouble` is raised once where it is set."""

    people: list[int] = []
    asked: list[Mapping[str, Any]] = []
    trouble: Exception | None = None

    def changes(self, cursor: Mapping[str, Any], now: datetime) -> Changes:
        Book.asked.append(dict(cursor))
        if Book.trouble is not None:
            trouble, Book.trouble = Book.trouble, None
            raise trouble
        place = int(cursor.get("place", 0))
        events = [_event(number) for number in Book.people[place : place + 1]]
        place += len(events)
        return Changes(events, [], {"place": place}, place < len(Book.people))


def _event(number: int) -> dict[str, Any]:
    lead = {
        "external_ids": [{"system": "map", "object": "contact", "id": str(number)}],
        "email": f"p{number}@engines.example",
    }
    return {
        "specversion": "1.0", "id": f"contact/{number}", "source": "/connections/map", "type": "lead.updated",
        "time": NOW.isoformat(), "data": {"lead": lead},
    }  # fmt: skip


@pytest.fixture
def book(monkeypatch: pytest.MonkeyPatch) -> type[Book]:
    monkeypatch.setitem(CONNECTORS, Connection.Kind.MAUTIC, Book)  # type: ignore[arg-type]
    Book.people, Book.asked, Book.trouble = [1, 2, 3], [], None
    return Book


@pytest.fixture
def mautic(cast: Cast, book: type[Book]) -> Connection:
    return make_connection("mautic", id_system="map", slug="map")


def poll(connection: Connection, when: datetime = NOW, seconds: float = 20) -> dict[str, int]:
    return connectors.poll(Connection.objects.get(pk=connection.pk), lambda: when, seconds=seconds)


def test_all_pages_are_taken_in_and_the_moment_of_the_beginning_is_known(mautic: Connection) -> None:
    ticks = iter(at(seconds=number) for number in range(100))
    counts = connectors.poll(mautic, lambda: next(ticks), seconds=20)
    mautic.refresh_from_db()
    assert counts == {"events": 3, "processed": 3}
    assert (mautic.cursor, mautic.polled_at, mautic.polling_until) == ({"place": 3}, NOW, None)
    assert Lead.objects.count() == 3


def test_the_cursor_goes_on_only_behind_what_was_taken_in(
    mautic: Connection, book: type[Book], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the intake took a page and before its cursor is saved: the page comes again, once."""

    def dies(*_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        patched.setattr(polling, "_go_on", dies)
        poll(mautic)
    mautic.refresh_from_db()
    assert (mautic.cursor, mautic.polled_at, Lead.objects.count()) == ({}, None, 1)

    assert poll(mautic) == {"events": 3, "unchanged": 1, "processed": 2}
    assert book.asked == [{}, {}, {"place": 1}, {"place": 2}]
    assert (Lead.objects.count(), Receipt.objects.count()) == (3, 3)


def test_a_page_that_could_not_be_taken_in_is_read_again(
    mautic: Connection, book: type[Book], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> dict[str, int]:
        raise ValueError("odd")

    with monkeypatch.context() as patched:
        patched.setattr(arriving, "take", fails)
        poll(mautic)
    mautic.refresh_from_db()
    assert (mautic.cursor, mautic.polling_until) == ({}, None)
    assert poll(mautic)["events"] == 3


@pytest.mark.parametrize("trouble", [Unreachable("No answer."), KeyError("contacts")])
def test_what_can_not_be_read_now_leaves_the_moment_of_knowledge_as_it_was(
    mautic: Connection, book: type[Book], trouble: Exception
) -> None:
    book.trouble = trouble
    assert poll(mautic) == {}
    mautic.refresh_from_db()
    assert (mautic.polled_at, mautic.polling_until, mautic.paused_why) == (None, None, "")
    assert [one.pk for one in polling.due(NOW)] == [mautic.pk]


def test_refused_credentials_stop_the_connection(mautic: Connection, book: type[Book]) -> None:
    book.trouble = Denied("it answers 401.")
    poll(mautic)
    mautic.refresh_from_db()
    assert mautic.paused_why == "The credentials are refused: it answers 401."
    assert polling.due(at(days=1)) == []


def test_a_poll_is_bounded_and_goes_on_where_it_stopped(mautic: Connection, book: type[Book]) -> None:
    assert poll(mautic, seconds=0) == {}
    mautic.refresh_from_db()
    assert (book.asked, mautic.polled_at) == ([], None)
    Connection.objects.update(cursor={"place": 2})
    assert poll(mautic) == {"events": 1, "processed": 1}


def test_a_connection_is_due_by_its_own_minutes(mautic: Connection) -> None:
    assert polling.due(NOW) == [mautic]
    poll(mautic)
    assert polling.due(at(minutes=4, seconds=59)) == []
    assert polling.due(at(minutes=5)) == [mautic]
    Connection.objects.update(options={"poll_minutes": 60})
    assert polling.due(at(minutes=59)) == []
    assert polling.due(at(minutes=60)) == [mautic]


@pytest.mark.parametrize(
    "fields",
    [
        {"is_active": False},
        {"paused_why": "Somebody stopped it."},
        {"options": {"poll_minutes": 0}},
        {"kind": "webhook"},
        {"polling_until": at(minutes=1)},
    ],
)
def test_what_is_not_to_be_polled_is_not(mautic: Connection, fields: dict[str, Any]) -> None:
    Connection.objects.update(**fields)
    assert polling.due(NOW) == []


def test_a_lease_ends_with_its_worker(mautic: Connection, book: type[Book]) -> None:
    Connection.objects.update(polling_until=at(minutes=1))
    assert poll(mautic, NOW) == {}
    assert book.asked == []
    assert poll(mautic, at(minutes=2))["events"] == 3


def test_who_lost_the_lease_saves_no_cursor(
    mautic: Connection, book: type[Book], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = arriving.take

    def slow(*given: Any) -> dict[str, int]:
        Connection.objects.update(polling_until=at(minutes=30), cursor={"place": 3})
        return taken(*given)

    monkeypatch.setattr(arriving, "take", slow)
    poll(mautic)
    mautic.refresh_from_db()
    assert (mautic.cursor, mautic.polled_at, mautic.polling_until) == ({"place": 3}, None, at(minutes=30))
    assert len(book.asked) == 1


@pytest.mark.storm
@pytest.mark.django_db(transaction=True)
def test_two_workers_never_poll_one_connection_at_once(book: type[Book]) -> None:
    mautic = make_connection("mautic", id_system="map", slug="map")
    start, counts = threading.Barrier(4), []

    def work() -> None:
        try:
            start.wait()
            counts.append(poll(mautic))
        finally:
            database.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    # Whoever came while another polled did nothing; whoever came after it found nothing new.
    assert sum(one.get("processed", 0) for one in counts) == 3
    assert Lead.objects.count() == 3


def test_the_task_polls_what_is_due(mautic: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    other = make_connection("mautic", id_system="other", slug="other", options={"poll_minutes": 0})
    assert tasks.poll() == 3
    assert tasks.poll() == 0
    other.refresh_from_db()
    mautic.refresh_from_db()
    assert (other.polled_at, mautic.polled_at is not None) == (None, True)
    assert timedelta(0) <= datetime.now(mautic.polled_at.tzinfo) - mautic.polled_at < timedelta(minutes=5)  # type: ignore[union-attr,operator]
