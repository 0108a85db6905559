"""What happens while a run is under way, and what becomes of findings that nobody asks for any more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from leads import audit, lifecycle, tasks
from leads.audit import running
from leads.audit.pruning import FINDINGS_KEPT, RUNS_KEPT
from leads.lifecycle import Act
from leads.models import Connection, Delivery, Finding, Handoff, SyncRun
from leads.slices import LEASE
from tests.conftest import Cast
from tests.factories import make_handoff
from tests.leads.audit.test_running import LATER, Records, counts, records, run, synced

__all__ = ["records"]

MQL = {"stage": "MQL", "handoff_status": "pending"}
WHOLE = {"in_flight": 0, "compared": 4, "agreed": 4}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two handoffs a chunk, and one chunk a slice."""
    monkeypatch.setattr(running, "CHUNK", 2)


def slice_of(job: SyncRun, now: Any = LATER) -> bool:
    job.refresh_from_db()
    is_left = audit.work(job, now, seconds=0)
    job.refresh_from_db()
    return is_left


def test_a_run_goes_on_where_it_was(cast: Cast, records: Records) -> None:
    synced(cast, 4)
    job = audit.start(LATER)
    assert slice_of(job) and (job.handoffs, job.total) == (2, 4)
    while slice_of(job):
        pass
    assert (job.status, job.handoffs, counts(job)) == ("done", 4, WHOLE)


def test_a_run_that_was_killed_is_taken_up_and_counts_nothing_twice(
    cast: Cast, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced(cast, 4)
    first, _, third, _ = records
    records[first] |= MQL
    records[third] |= MQL
    job = audit.start(LATER)
    assert slice_of(job)
    kept = running.findings.keep

    def die(*args: Any) -> int:
        kept(*args)
        raise SystemExit("killed")

    with monkeypatch.context() as patch:
        # In the transaction of the second chunk, after its findings were written.
        patch.setattr("leads.audit.findings.keep", die)
        with pytest.raises(SystemExit):
            slice_of(job)
    job.refresh_from_db()
    assert (job.status, job.handoffs) == ("running", 2)
    assert not audit.unfinished(LATER).exists(), "the lease still stands"
    later = LATER + LEASE + timedelta(seconds=30)
    assert audit.unfinished(later).get() == job
    while slice_of(job, later):
        pass
    assert counts(job) == {"in_flight": 0, "compared": 4, "agreed": 2, "differed": 2}
    assert (job.status, job.new_findings, Finding.objects.count()) == ("done", 2, 2)


def test_what_is_switched_off_meanwhile_is_not_covered(cast: Cast, records: Records) -> None:
    connection = synced(cast, 4)
    job = audit.start(LATER)
    assert slice_of(job)
    Connection.objects.filter(pk=connection.pk).update(is_active=False)
    while slice_of(job):
        pass
    assert counts(job) == {"in_flight": 0, "compared": 2, "agreed": 2, "unreachable": 2}


def test_what_is_switched_on_meanwhile_is_the_next_runs(cast: Cast, records: Records) -> None:
    connection = synced(cast, 4)
    job = audit.start(LATER)
    assert slice_of(job)
    other = Connection.objects.get(pk=connection.pk)
    other.pk, other.slug, other.name, other.hook_digest = None, "late", "late", None
    other.save()
    while slice_of(job):
        pass
    assert set(job.counts) == {connection.slug}


def test_handoffs_that_are_merged_meanwhile_are_counted_once_or_not(cast: Cast, records: Records) -> None:
    synced(cast, 4)
    rows = list(Handoff.objects.order_by("pk"))
    for lead_id in records:
        records[lead_id] |= MQL
    job = audit.start(LATER)
    assert slice_of(job)
    # One that was compared goes into one that was not.
    lifecycle.merge(rows[3].lead, rows[0].lead, Act(LATER, cast.otto))
    Delivery.objects.filter(done_at__isnull=True).update(status="done", done_at=LATER)
    while slice_of(job):
        pass
    assert job.status == "done"
    assert counts(job) == {"in_flight": 0, "compared": 4, "differed": 4}
    left = Finding.objects.filter(resolved_at__isnull=True).values_list("handoff", flat=True)
    assert set(left) == {row.pk for row in rows[1:]}
    assert Finding.objects.get(handoff=rows[0]).resolution == "gone"


@pytest.mark.parametrize("how", ["closed long ago", "followed by a newer one", "erased"])
def test_what_nobody_asks_for_any_more_is_no_drift(cast: Cast, records: Records, how: str) -> None:
    synced(cast, 1)
    [lead_id] = records
    records[lead_id] |= MQL
    run()
    finding = Finding.objects.get()
    handoff = Handoff.objects.get()
    if how == "closed long ago":
        lifecycle.reject(handoff.pk, Act(LATER, cast.femke), reason="not_icp")
        Handoff.objects.update(closed_at=LATER - timedelta(days=40))
    elif how == "erased":
        Handoff.objects.update(state="erased", assignee=None, next_due_at=None, closed_at=LATER)
    else:
        lifecycle.reject(handoff.pk, Act(LATER, cast.femke), reason="not_icp")
        make_handoff("assigned", cast.jonas, lead=handoff.lead, at=LATER + timedelta(days=1))
        records.pop(lead_id)
    Delivery.objects.filter(done_at__isnull=True).update(status="done", done_at=LATER)
    run(LATER + timedelta(days=2))
    finding.refresh_from_db()
    assert finding.resolution == "gone"


def test_only_what_was_settled_long_ago_is_pruned(cast: Cast, records: Records, time_machine: Any) -> None:
    synced(cast, 4)
    for lead_id in records:
        records[lead_id] |= MQL
    job = run()
    still_open, ignored, seen, gone = Finding.objects.order_by("pk")
    Finding.objects.exclude(pk=still_open.pk).update(resolved_at=LATER, resolution="gone")
    Finding.objects.filter(pk=ignored.pk).update(resolution="ignored")
    old = LATER + FINDINGS_KEPT + timedelta(days=1)
    Finding.objects.filter(pk=ignored.pk).update(last_seen_at=old)
    Finding.objects.filter(pk=seen.pk).update(last_seen_at=old - timedelta(days=1))
    empty = SyncRun.objects.create(created_at=LATER, status="done")
    waiting = SyncRun.objects.create(created_at=LATER, status="waiting")
    time_machine.move_to(old, tick=False)
    tasks.prune()
    assert set(Finding.objects.all()) == {still_open, ignored, seen}
    assert SyncRun.objects.count() == 3
    time_machine.move_to(LATER + RUNS_KEPT + timedelta(days=1), tick=False)
    tasks.prune()
    assert set(SyncRun.objects.all()) == {job, waiting}, f"{empty.pk} is named by no finding"
    assert set(Finding.objects.all()) == {still_open}, "the ignored one is not seen any more either"
    assert not Finding.objects.filter(pk=gone.pk).exists()
