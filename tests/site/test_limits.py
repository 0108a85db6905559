"""Nobody waits for the database for ever: what took too long is told as 503, and nothing half is kept."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction
from django.test import Client
from psycopg.errors import LockNotAvailable

from handoff_site import limits
from handoff_site.migrating import patience
from leads import identity, keys
from leads.intake import receiving
from leads.models import Handoff, Lead, Receipt
from tests.conftest import NOW, Cast
from tests.factories import event
from tests.leads.views.asking import html
from tests.site.conftest import SOUND, Load

POSTGRES = {**SOUND, "DATABASE_URL": "postgres://localhost/handoff"}
on_postgres = pytest.mark.skipif(
    not os.environ.get("DATABASE_URL", "").startswith("postgres"), reason="needs DATABASE_URL of PostgreSQL"
)


def test_each_kind_of_process_has_limits_of_its_own() -> None:
    seconds = {"web": 30, "worker": 60, "lock": 10, "idle": 0}
    assert limits.wanted("web", seconds) == {
        "jit": "off",
        "random_page_cost": "1.1",
        "statement_timeout": "30000",
        "lock_timeout": "10000",
        "idle_in_transaction_session_timeout": "0",
    }
    assert limits.wanted("worker", seconds)["statement_timeout"] == "60000"
    assert limits.wanted("command", seconds) == limits.PLANNING
    assert limits.options({"jit": "off", "a": "1"}, "-c jit=on") == "-c jit=off -c a=1 -c jit=on"


def test_a_connection_begins_with_them_and_a_pooler_is_asked_for_nothing(load: Load) -> None:
    said = load("settings._options['options']", HANDOFF_WEB="1", LOCK_TIMEOUT="3", **POSTGRES)
    assert said.stdout.strip() == (
        "-c jit=off -c random_page_cost=1.1 -c statement_timeout=30000 -c lock_timeout=3000 "
        "-c idle_in_transaction_session_timeout=60000 -c plan_cache_mode=force_generic_plan"
    )
    what = (
        "sorted(settings._options.items()), settings._database['DISABLE_SERVER_SIDE_CURSORS'], "
        "settings.DATABASE_LIMITS['statement_timeout']"
    )
    pooled = load(what, HANDOFF_WORKER="1", POOLER="transaction", **POSTGRES)
    assert pooled.stdout.strip() == "[('prepare_threshold', None)] True 60000", pooled.stderr


@contextmanager
def held(take: Callable[[], object]) -> Iterator[None]:
    """Another connection holds what `take` takes, in a transaction that lasts as long as the block."""
    taken, over = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                take()
                taken.set()
                over.wait(30)
        finally:
            connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert taken.wait(30)
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def limited(**milliseconds: int) -> Iterator[None]:
    """This test's connection, as a web process has it but with less patience."""
    with connection.cursor() as cursor:
        for name, value in milliseconds.items():
            cursor.execute(f"SET {name} = {value}")
        yield
        for name in milliseconds:
            cursor.execute(f"RESET {name}")


@on_postgres
@pytest.mark.urls("tests.site.failing")
@pytest.mark.django_db(transaction=True)
def test_a_statement_that_takes_too_long_is_cut_and_told(cast: Cast, settings) -> None:
    settings.PROXY_COUNT = 1
    client = Client(raise_request_exception=False)
    client.force_login(cast.femke, backend="handoff_site.sessions.Backend")
    with limited(statement_timeout=100):
        response = client.get("/sleeps/", headers={"X-Request-ID": "abc-123-def"})
    page = html(response, 503)
    assert "This took too long, or the database is away" in page
    assert "abc-123-def" in page
    assert response["Retry-After"] == "5"


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_intake_behind_a_lock_answers_503_keeps_nothing_and_takes_the_same_again(cast: Cast) -> None:
    _, key = keys.make_key("limits", ["intake"], NOW)
    client = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {key}"})
    events = [event(number, at=NOW) for number in (1, 2)]

    def send() -> object:
        return client.post("/api/v1/intake", events, content_type="application/cloudevents-batch+json")

    with held(lambda: connection.cursor().execute("LOCK TABLE leads_receipt")), limited(lock_timeout=100):
        refused = send()
    assert (refused.status_code, refused["Retry-After"]) == (503, "5")
    assert refused.json()["detail"].startswith("This took too long, or the database is away.")
    assert (Receipt.objects.count(), Lead.objects.count(), Handoff.objects.count()) == (0, 0, 0)
    assert [one["status"] for one in send().json()["results"]] == ["processed", "processed"]
    assert (Receipt.objects.count(), Handoff.objects.count()) == (2, 2)


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_a_batch_that_waits_too_long_for_one_event_loses_none_when_it_is_sent_again(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three chunks the second meets a person whom somebody else is busy with."""
    monkeypatch.setattr(receiving, "CHUNK", 2)
    _, key = keys.make_key("limits", ["intake"], NOW)
    client = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {key}"})
    events = [event(number, at=NOW) for number in range(1, 6)]

    def send() -> Any:
        return client.post("/api/v1/intake", events, content_type="application/cloudevents-batch+json")

    def busy() -> None:
        identity.lock([f"mail:{events[3]['data']['lead']['email']}"])

    with held(busy), limited(lock_timeout=100):
        refused = [send(), send()]
    assert [(told.status_code, told["Retry-After"]) for told in refused] == [(503, "5")] * 2
    assert refused[0].json()["detail"].endswith("and no event is taken twice.")
    # The chunk before is kept, the event beside it and the chunk behind it are not.
    kept = {receipt.event_id: receipt.answer for receipt in Receipt.objects.all()}
    assert (kept.keys(), Handoff.objects.count()) == ({"ev-1", "ev-2"}, 2)
    told = send().json()["results"]
    assert [one["status"] for one in told] == ["duplicate"] * 2 + ["processed"] * 3
    assert [one | {"status": "processed"} for one in told[:2]] == [kept["ev-1"], kept["ev-2"]]
    assert [one | {"status": "duplicate"} for one in told] == send().json()["results"]
    assert (Receipt.objects.count(), Lead.objects.count(), Handoff.objects.count()) == (5, 5, 5)


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_a_migration_gives_way_soon_and_comes_again() -> None:
    said: list[str] = []
    tries: list[str] = []

    def alter() -> None:
        with patience.short_waits(connection, 100), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            tries.append(cursor.fetchone()[0])
            cursor.execute("ALTER TABLE leads_receipt ALTER COLUMN reason DROP DEFAULT")

    lock = held(lambda: Receipt.objects.exists())
    lock.__enter__()
    # The reader ends while the migration pauses.
    patience.persist(alter, said.append, lambda seconds: lock.__exit__(None, None, None))
    assert tries == ["100ms", "100ms"]
    assert said == ["A table was in use; again in 0.5 s (1 of 40 tries)."]
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone()[0] == "0"


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_what_is_in_nobodys_way_waits_for_as_long_as_it_takes() -> None:
    drop = "DROP INDEX CONCURRENTLY IF EXISTS limits_of_test"
    with connection.cursor() as cursor:
        with patience.short_waits(connection, 100):
            over = threading.Timer(0.6, lambda: None)
            lock = held(lambda: connection.cursor().execute("LOCK TABLE leads_receipt IN EXCLUSIVE MODE"))
            lock.__enter__()
            over.function = lambda: lock.__exit__(None, None, None)
            over.start()
            cursor.execute("CREATE INDEX CONCURRENTLY limits_of_test ON leads_receipt (id)")
            over.join()
            cursor.execute("SHOW lock_timeout")
            assert cursor.fetchone()[0] == "100ms"
        cursor.execute(drop)


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_what_stands_in_no_transaction_comes_again_by_itself() -> None:
    said: list[str] = []
    lock = held(lambda: Receipt.objects.exists())
    lock.__enter__()
    give_way = {"say": said.append, "sleep": lambda seconds: lock.__exit__(None, None, None)}
    with patience.short_waits(connection, 100, **give_way), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE leads_receipt ALTER COLUMN reason DROP DEFAULT")
    assert said == ["A table was in use; again in 0.5 s (1 of 40 tries)."]


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_a_transaction_has_one_time_for_all_its_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(patience.time, "monotonic", lambda: clock[0])
    seen: list[str] = []

    def ask(statement: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            # Past Django, which would set it anew.
            seen.append(cursor.connection.execute("SHOW lock_timeout").fetchone()[0])

    with patience.short_waits(connection, 400):
        for _ in range(2):
            with transaction.atomic():
                ask("CREATE TABLE limits_of_test (id int)")
                clock[0] += 5
                for statement in ("ALTER TABLE leads_receipt ALTER COLUMN reason DROP DEFAULT", "SELECT 1"):
                    ask(statement)
                    clock[0] += 0.25
                ask("DROP TABLE limits_of_test")
        # What a transaction used up is not taken from what comes after it.
        ask("SELECT 1")
    assert seen == [*["400ms", "400ms", "150ms", "30ms"] * 2, "400ms"]


@on_postgres
@pytest.mark.django_db
def test_limits_that_a_pooler_does_not_set_are_told(settings) -> None:
    settings.DATABASE_LIMITS = {"jit": "off", "statement_timeout": "30000"}
    assert limits.in_force(databases=None) == []
    [one] = limits.in_force(databases=["default"])
    assert (one.id, one.msg) == ("handoff.W010", "PostgreSQL has statement_timeout = 0, not 30000.")


def test_a_migration_is_patient_only_with_locks() -> None:
    def fails() -> None:
        raise OperationalError("the disk is full")

    with pytest.raises(OperationalError, match="disk"):
        patience.persist(fails, [].append, lambda seconds: None)
    locked = OperationalError("canceling statement due to lock timeout")
    locked.__cause__ = LockNotAvailable()

    def waits() -> None:
        raise locked

    pauses: list[float] = []
    places = iter([0, *[1] * 3, *[2] * patience.TRIES])
    with pytest.raises(OperationalError, match="40 tries") as caught:
        patience.persist(waits, [].append, pauses.append, lambda: next(places))
    assert not patience.is_lock_timeout(caught.value)
    # Whoever has come further is as patient as in the beginning.
    assert [round(seconds, 1) for seconds in pauses[:5]] == [0.5, 0.7, 1.0, 0.5, 0.7]
    assert len(pauses) == 3 + patience.TRIES - 1
    assert [round(patience.pause(tries), 1) for tries in (1, 2, 5, 20)] == [0.5, 0.7, 1.9, 10.0]


def test_migrate_wants_no_pooler_between(settings) -> None:
    settings.POOLER = "transaction"
    with pytest.raises(CommandError, match="migrate needs PostgreSQL itself"):
        call_command("migrate")
