"""The probes: open to anybody, true, and silent about everything that is nobody's business."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from handoff_site import health
from handoff_site.models import Heartbeat
from handoff_site.tasks import heartbeat
from leads.models import Handoff, Lead, Notification
from routing.models import User
from tests.conftest import NOW
from tests.leads.connectors.conftest import make_connection
from tests.leads.outbox.rows import owed


@pytest.fixture(autouse=True)
def _one_moment() -> Iterator[None]:
    """Ages are in whole seconds: the page must not be asked a second after what it is to find was written."""
    with time_machine.travel(NOW, tick=False):
        yield


def beat(age: timedelta) -> None:
    Heartbeat.objects.update_or_create(name="worker", defaults={"beat_at": timezone.now() - age})


def message(waiting: timedelta, mail: str = "pending") -> Notification:
    """A message whose e-mail could have gone out so long ago."""
    now = timezone.now()
    user, _ = User.objects.get_or_create(email="femke@example.com")
    lead, _ = Lead.objects.get_or_create(
        email="a@example.org", defaults={"created_at": now, "updated_at": now}
    )
    handoff, _ = Handoff.objects.get_or_create(
        lead=lead,
        defaults={
            "state": "assigned", "lead_type": "demo", "trigger": "demo_request",
            "assignee": user, "mql_at": now, "received_at": now, "created_at": now, "updated_at": now,
        },
    )  # fmt: skip
    return Notification.objects.create(
        user=user, handoff=handoff, kind="assigned", created_at=now, mail=mail, mail_after=now - waiting
    )


def test_healthz_answers_anybody_without_touching_the_database(
    client: Client, db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "alive"}
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_are_only_read(client: Client, db: None, path: str) -> None:
    assert client.post(path).status_code == 405
    assert client.head(path).status_code == 200


def test_ready_when_the_worker_beats_and_nothing_waits(client: Client, db: None) -> None:
    beat(timedelta(seconds=70))
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "checks": {
            "database": {"ok": True},
            "migrations": {"ok": True, "unapplied": 0},
            "worker": {"ok": True, "heartbeat_age": 70},
            "delivery": {"ok": True, "oldest_undelivered_age": None},
        },
    }


def test_the_web_serves_without_a_worker_and_says_so(client: Client, db: None) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["checks"]["worker"] == {"ok": False, "heartbeat_age": None}


def test_a_worker_silent_for_over_three_minutes_is_late(client: Client, db: None) -> None:
    beat(timedelta(minutes=3, seconds=5))
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["checks"]["worker"] == {"ok": False, "heartbeat_age": 185}


def test_the_oldest_message_that_could_go_out_is_counted(client: Client, db: None) -> None:
    beat(timedelta(0))
    message(timedelta(minutes=40), mail="sent")
    message(timedelta(minutes=-30))
    assert client.get("/readyz").json()["checks"]["delivery"] == {"ok": True, "oldest_undelivered_age": None}
    message(timedelta(minutes=5))
    assert client.get("/readyz").json()["checks"]["delivery"] == {"ok": True, "oldest_undelivered_age": 300}
    message(timedelta(minutes=16))
    answer = client.get("/readyz").json()
    assert answer["checks"]["delivery"] == {"ok": False, "oldest_undelivered_age": 960}
    assert answer["status"] == "degraded"


def test_the_oldest_delivery_that_could_go_out_is_counted_too(
    client: Client, db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    beat(timedelta(0))
    there, off = make_connection(), make_connection(is_active=False)
    now = timezone.now()
    owed(there, at=now + timedelta(minutes=1))
    owed(there, at=now - timedelta(hours=2), status="done", done_at=now)
    owed(off, at=now - timedelta(hours=3))
    assert client.get("/readyz").json()["checks"]["delivery"] == {"ok": True, "oldest_undelivered_age": None}
    owed(there, at=now - timedelta(minutes=14, seconds=30))
    message(timedelta(minutes=5))
    assert client.get("/readyz").json()["checks"]["delivery"] == {"ok": True, "oldest_undelivered_age": 870}
    owed(make_connection(), at=now - timedelta(minutes=16))
    with django_assert_num_queries(2):
        assert health.oldest_undelivered(now) == timedelta(minutes=16)
    answer = client.get("/readyz").json()
    assert (answer["status"], answer["checks"]["delivery"]["ok"]) == ("degraded", False)


def test_not_ready_while_a_migration_is_missing(client: Client, db: None) -> None:
    MigrationRecorder(connection).record_unapplied("leads", "0001_initial")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "unavailable",
        "checks": {"database": {"ok": True}, "migrations": {"ok": False, "unapplied": 1}},
    }


def test_not_ready_without_a_database_and_no_word_why(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> None:
        raise health.Error("connection to postgres://user:password@host failed")

    monkeypatch.setattr(health, "unapplied_migrations", gone)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "unavailable", "checks": {"database": {"ok": False}}}


def test_every_known_migration_is_applied_here(db: None) -> None:
    assert health.unapplied_migrations() == []
    assert ("handoff_site", "0001_initial") in health._known_migrations()


def test_the_heartbeat_overwrites_one_row(db: None) -> None:
    beat(timedelta(hours=1))
    heartbeat()
    row = Heartbeat.objects.get()
    assert timezone.now() - row.beat_at < timedelta(seconds=5)
    assert health.worker_age(row.beat_at + timedelta(seconds=9)) == timedelta(seconds=9)
