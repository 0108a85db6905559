"""Marketing ops are told once a run, of what is new; not of what stood before, and of a run that failed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings

from leads import audit, notifications
from leads.audit import alerting, running
from leads.models import Finding, Notification, SyncRun
from tests.conftest import NOW, Cast
from tests.leads.audit.test_running import LATER, Records, records, run, synced

__all__ = ["records"]

HOUR = timedelta(hours=1)
MQL = {"stage": "MQL", "handoff_status": "pending"}


def told() -> list[tuple[str, Any, dict[str, Any]]]:
    rows = Notification.objects.filter(kind__startswith="sync_").order_by("pk")
    return [(row.kind, row.user, row.data) for row in rows]


def test_new_grave_findings_are_told_once(cast: Cast, records: Records) -> None:
    connection = synced(cast, 3)
    first, second, third = records
    records[first] |= MQL
    records[third] |= {"owner": "99", "handoff_reason": "x"}
    job = run()
    assert told() == [
        ("sync_drift", cast.otto, {"run_id": job.pk, "found": {connection.name: 1}, "below": {}})
    ]
    # The same once more is old; what is ignored and what is graver than it was by name is not.
    run(LATER + HOUR)
    assert alerting.tell(SyncRun.objects.latest("pk"), LATER + HOUR) == 0
    assert len(told()) == 1
    records[second] |= MQL
    job = run(LATER + 2 * HOUR)
    assert told()[1:] == [
        ("sync_drift", cast.otto, {"run_id": job.pk, "found": {connection.name: 1}, "below": {}})
    ]
    # Settled, and there again.
    Finding.objects.filter(lead=first).update(resolved_at=LATER, resolution="pushed")
    run(LATER + 3 * HOUR)
    assert len(told()) == 3


def test_the_message_says_how_many_where_and_leads_there(cast: Cast, records: Records) -> None:
    connection = synced(cast, 1)
    connection.name = "Mautic\r\nBcc: eve@evil.com"
    connection.save()
    [lead_id] = records
    records[lead_id] |= MQL
    run()
    row = Notification.objects.get(kind="sync_drift")
    said = notifications.words(row)
    assert said.text == "1 new grave finding: 1 in Mautic Bcc: eve @ evil. com."
    assert (said.subject, said.url, said.todo) == (
        "Systems differ",
        "/integrations/audit/",
        notifications.Todo.LOOK,
    )
    assert row.mail == "pending"
    assert notifications.deliver_due(LATER + HOUR) >= 1


def test_agreement_is_told_when_it_falls_below(
    cast: Cast, records: Records, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerting, "FEWEST", 3)
    connection = synced(cast, 4)
    run()
    for lead_id in list(records)[:2]:
        records[lead_id] |= {"handoff_reason": "x"}
    job = run(LATER + HOUR)
    assert told() == [
        ("sync_drift", cast.otto, {"run_id": job.pk, "found": {}, "below": {connection.slug: 50.0}})
    ]
    said = notifications.words(Notification.objects.get(kind="sync_drift"))
    assert said.text == f"Only 50 % of the handoffs agree with {connection.slug}."
    run(LATER + 2 * HOUR)
    assert len(told()) == 1, "it is as low as before"
    settings.SYNC_AGREEMENT_PERCENT = 0
    SyncRun.objects.all().delete() if not Finding.objects.exists() else Finding.objects.all().delete()
    run(LATER + 3 * HOUR)
    assert len(told()) == 1


def test_a_clean_run_tells_nobody(cast: Cast, records: Records) -> None:
    synced(cast, 1)
    run()
    assert told() == []
    assert SyncRun.objects.get().told_at is not None


def test_a_run_that_failed_is_told_once(
    cast: Cast, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced(cast, 1)
    monkeypatch.setattr(running, "_look", lambda *args: {}["no such thing"])
    job = audit.start(LATER)
    assert not audit.work(job, LATER)
    job.refresh_from_db()
    assert not audit.work(job, LATER)
    assert job.status == "failed"
    assert told() == [("sync_failed", cast.otto, {"run_id": job.pk})]
    said = notifications.words(Notification.objects.get(kind="sync_failed"))
    assert (said.subject, "not looked at to the end" in said.text) == ("The sync audit failed", True)


def test_without_marketing_ops_the_admins_are_told(cast: Cast, records: Records) -> None:
    synced(cast, 1)
    cast.otto.is_active = False
    cast.otto.save()
    [lead_id] = records
    records[lead_id] |= MQL
    run()
    assert [user for _, user, _ in told()] == [cast.ada]
    assert NOW < LATER
