"""A run from beginning to end, against a system that is played by a dictionary."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from leads import audit, connectors, lifecycle
from leads.audit import running
from leads.audit.running import GRACE
from leads.connectors import kinds
from leads.connectors.base import Pushed, Seen
from leads.connectors.client import Unreachable
from leads.connectors.keeping import Keeper
from leads.lifecycle import Act
from leads.models import Connection, Delivery, Finding, Handoff, SyncRun
from leads.outbox import Outcome, Result, Wanted
from tests.conftest import NOW, Cast
from tests.factories import make_handoff
from tests.leads.audit.test_checks import MAPPING
from tests.leads.connectors.conftest import make_connection

Records = dict[int, dict[str, str]]
LATER = NOW + timedelta(hours=1)


class Played(Keeper):
    """Keeps its records in memory, by lead."""

    batch = 50
    calls = 0
    USUAL = MAPPING
    records: Records = {}
    is_down = False

    def push(self, wanted: Sequence[Wanted], now: datetime) -> list[Pushed]:
        for want in wanted:
            self.records[want.lead_id] = dict(self.expected(want))
        done = Outcome(Result.DONE, status=200)
        return [Pushed(done, "contact", f"r{want.lead_id}", self.expected(want)) for want in wanted]

    def fetch(self, wanted: Sequence[Wanted], now: datetime) -> dict[int, list[Seen]]:
        if self.is_down:
            raise Unreachable("No answer: ConnectError.")
        return {
            want.lead_id: [Seen("contact", f"r{want.lead_id}", self.records[want.lead_id])]
            for want in wanted
            if want.lead_id in self.records
        }


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    monkeypatch.setitem(kinds.CONNECTORS, Connection.Kind.MAUTIC, Played)  # type: ignore[arg-type]
    monkeypatch.setattr(Played, "records", {})
    monkeypatch.setattr(Played, "is_down", False)
    yield Played.records


def synced(cast: Cast, number: int = 3, **fields: Any) -> Connection:
    """A connection to which so many accepted handoffs were written."""
    connection = make_connection("mautic", role="map", secrets={}, id_system="mautic", **fields)
    for _ in range(number):
        make_handoff("accepted", cast.femke)
    connectors.deliver(connection, lambda: NOW + timedelta(minutes=20), seconds=5)
    assert not Delivery.objects.filter(done_at__isnull=True).exists()
    return connection


def run(now: datetime = LATER) -> SyncRun:
    job = audit.start(now)
    while audit.work(job, now):
        job.refresh_from_db()
    job.refresh_from_db()
    assert (job.status, job.error) == ("done", "")
    return job


def counts(job: SyncRun) -> Mapping[str, int]:
    [numbers] = job.counts.values()
    return dict(numbers)


def test_what_was_written_agrees(cast: Cast, records: Records) -> None:
    synced(cast)
    job = run()
    assert (job.handoffs, counts(job)) == (3, {"in_flight": 0, "compared": 3, "agreed": 3})
    assert not Finding.objects.exists()
    assert job.lags["mautic-1"]["n"] == job.lags["all"]["n"] == 3


def test_what_was_closed_before_anybody_was_connected_is_no_drift(cast: Cast, records: Records) -> None:
    make_handoff("disqualified", cast.femke)
    before = make_handoff("accepted", cast.femke)
    connection = synced(cast, 1)
    # Closed later: it was owed, and is held to it.
    told = Handoff.objects.exclude(pk=before.pk).get(state="accepted")
    lifecycle.reject(told.pk, Act(NOW + timedelta(minutes=25), cast.femke), reason="not_icp")
    records.clear()
    Delivery.objects.filter(done_at__isnull=True).update(status="done", done_at=LATER)
    job = run(LATER + timedelta(hours=1))
    # The one that is open and the one that was closed afterwards.
    assert (job.handoffs, counts(job)) == (3, {"in_flight": 0, "compared": 2, "differed": 2})
    assert set(Finding.objects.values_list("handoff", "connection")) == {
        (before.pk, connection.pk),
        (told.pk, connection.pk),
    }


def test_a_planted_drift_is_found_once_and_resolved_when_it_is_gone(cast: Cast, records: Records) -> None:
    synced(cast)
    lead_id, was = next(iter(records.items()))
    records[lead_id] = was | {"stage": "MQL", "handoff_status": "pending"}

    first, second = run(), run(LATER + timedelta(hours=1))

    finding = Finding.objects.get()
    assert (finding.check_code, finding.severity, finding.lead_id) == (
        "CRM_ACCEPTED_MAP_MQL",
        "high",
        lead_id,
    )
    assert (finding.times_seen, finding.run) == (2, second)
    assert finding.last_seen_at - finding.first_seen_at >= timedelta(minutes=59)
    assert (first.new_findings, second.new_findings) == (1, 0)
    assert counts(first) == {"in_flight": 0, "compared": 3, "agreed": 2, "differed": 1}

    records[lead_id] = was
    run(LATER + timedelta(hours=2))
    finding.refresh_from_db()
    assert (finding.resolution, finding.times_seen) == ("gone", 2)


def test_what_was_ignored_stays_so_until_it_differs_otherwise(cast: Cast, records: Records) -> None:
    synced(cast, 1)
    [(lead_id, was)] = records.items()
    records[lead_id] = was | {"stage": "Recycled"}
    run()
    Finding.objects.update(resolution="ignored", resolved_at=LATER, note="A colleague tries something.")

    run(LATER + timedelta(hours=1))
    assert Finding.objects.get().resolution == "ignored"

    records[lead_id] = was | {"stage": "Nurture"}
    last = run(LATER + timedelta(hours=2))
    finding = Finding.objects.get()
    assert (finding.resolution, finding.resolved_at, finding.note, last.new_findings) == ("", None, "", 1)


def test_what_cannot_be_read_is_no_agreement(
    cast: Cast, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced(cast)
    lead_id, was = next(iter(records.items()))
    records[lead_id] = was | {"stage": "MQL"}
    run()
    monkeypatch.setattr(Played, "is_down", True)

    job = run(LATER + timedelta(hours=1))

    assert counts(job) == {"in_flight": 0, "unreachable": 3}
    assert Finding.objects.get().resolved_at is None


def test_what_changed_within_the_grace_or_is_owed_is_in_flight(cast: Cast, records: Records) -> None:
    connection = synced(cast)
    first, second, _ = records
    for lead_id in records:
        records[lead_id] = {}
    handoff = Delivery.objects.filter(lead=first).latest("pk").handoff
    assert handoff is not None
    lifecycle.note(handoff.pk, Act(LATER, cast.femke), text="Called, nobody there.")
    Delivery.objects.filter(lead=second).update(status="pending", done_at=None)
    third = Delivery.objects.exclude(lead__in=(first, second)).latest("pk")

    job = run()
    # A note says nothing of where it stands, so the first is compared.
    assert counts(job) == {"in_flight": 1, "compared": 2, "differed": 2}
    assert {row.lead_id for row in Finding.objects.exclude(handoff=None)} == {first, third.lead_id}
    connection.refresh_from_db()

    young = run(NOW + GRACE - timedelta(minutes=2))
    assert counts(young) == {"in_flight": 3}


def test_every_call_is_within_the_rate_budget(
    cast: Cast, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those too that a system needs for single records; and while it waits, the run is seen to live."""
    connection = synced(cast, 4)
    monkeypatch.setattr(Played, "batch", 2)
    monkeypatch.setattr(running, "SAID_EVERY", 0.0)
    slept: list[float] = []
    monkeypatch.setattr("leads.audit.running.time.sleep", slept.append)
    spent: list[int] = []
    answers = iter([timedelta(0), timedelta(seconds=9), *[timedelta(0)] * 9])

    def spend(pk: int, calls: int, now: datetime) -> timedelta:
        spent.append(calls)
        return next(answers)

    monkeypatch.setattr("leads.outbox.spend", spend)
    fetch = Played.fetch

    def searching(self: Played, wanted: Sequence[Wanted], now: datetime) -> dict[int, list[Seen]]:
        self.http.made += 5
        return fetch(self, wanted, now)

    monkeypatch.setattr(Played, "fetch", searching)
    Connection.objects.filter(pk=connection.pk).update(burst=3)
    job = run()
    # One before each batch of two; of the other four three and one, and the three are waited for once.
    assert spent == [1, 3, 3, 1, 1, 3, 1]
    assert slept == [2.0]
    assert counts(job) == {"in_flight": 0, "compared": 4, "agreed": 4}


def test_a_dead_letter_is_a_finding_until_it_is_settled(cast: Cast, records: Records) -> None:
    synced(cast, 1)
    last = Delivery.objects.latest("pk")
    Delivery.objects.filter(pk=last.pk).update(status="dead", last_status=400)
    run()
    finding = Finding.objects.get()
    assert (finding.check_code, finding.values, finding.lead_id) == (
        "DEAD_LETTER",
        {"theirs": "400"},
        last.lead_id,
    )
    Delivery.objects.update(status="discarded")
    run(LATER + timedelta(hours=1))
    assert Finding.objects.get().resolution == "gone"


def test_queries_do_not_grow_with_the_handoffs(cast: Cast, records: Records) -> None:
    synced(cast, 1)
    with CaptureQueriesContext(database) as one:
        run()
    for _ in range(5):
        make_handoff("accepted", cast.femke)
    connectors.deliver(Connection.objects.get(), lambda: NOW + timedelta(minutes=20), seconds=5)
    with CaptureQueriesContext(database) as six:
        run(LATER + timedelta(hours=1))
    assert len(six) == len(one)


def test_the_command_prints_coverage_and_findings(cast: Cast, records: Records) -> None:
    with pytest.raises(CommandError, match="no active connection"):
        call_command("sync_audit")
    synced(cast, 2)
    lead_id, was = next(iter(records.items()))
    records[lead_id] = was | {"stage": "MQL", "handoff_status": "pending"}
    Delivery.objects.update(occurred_at=NOW - timedelta(days=1))
    out = StringIO()
    call_command("sync_audit", "--format", "json", stdout=out)
    found = json.loads(out.getvalue())
    [numbers] = found["connections"].values()
    assert (numbers["coverage"], numbers["agreement"]) == (1.0, 0.5)
    assert [row["check"] for row in found["findings"]] == ["CRM_ACCEPTED_MAP_MQL"]
    text = StringIO()
    call_command("sync_audit", stdout=text)
    assert "100.0% covered, 50.0% of them agree; 1 differ" in text.getvalue()
    with pytest.raises(CommandError, match="'nobody'"):
        call_command("sync_audit", "--system", "nobody")
