"""How long the sync audit takes over many handoffs in two systems, and that a clean system gives no finding.

STORM_CLEAN changes how many stand in the doubles (10,000), STORM_AUDITED how many are timed (50,000). For
those the two systems are kept in memory, so what is measured is the audit itself and its waiting for the
usual rate budget (10 calls a second, 20 at once); half of the records in one system drift in a second run,
whose findings are then all gone in a third.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from leads import audit
from leads.connectors import kinds
from leads.connectors.base import Seen
from leads.connectors.keeping import Keeper
from leads.connectors.mautic.connector import Mautic
from leads.connectors.salesforce.connector import Salesforce
from leads.models import Connection, Finding, SyncRun
from leads.outbox import Wanted
from tests import doubles
from tests.conftest import NOW, Cast
from tests.factories import make_handoff
from tests.leads.audit.planted import clean
from tests.leads.connectors.conftest import make_connection
from tests.leads.connectors.contract.conftest import _outer, outer
from tests.storm.opened import clone_open

__all__ = ["_outer", "outer"]

HANDOFFS = int(os.environ.get("STORM_AUDITED", "50000"))
CLEAN = int(os.environ.get("STORM_CLEAN", "10000"))
MOST_SECONDS = 300
LATER = NOW + timedelta(hours=1)
pytestmark = [pytest.mark.storm, pytest.mark.django_db]


class _Kept(Keeper):
    """What was written, as it is asked for; of `drifting` leads another reason."""

    drifting: frozenset[int] = frozenset()

    def fetch(self, wanted: Sequence[Wanted], now: datetime) -> dict[int, list[Seen]]:
        return {
            want.lead_id: [Seen("contact", f"r{want.lead_id}", self._values(want), email=want.email)]
            for want in wanted
        }

    def _values(self, want: Wanted) -> dict[str, str]:
        values = dict(self.expected(want))
        if want.lead_id in self.drifting:
            values[self.mapping.fields["reason"]] = "another"
        return values


class KeptMap(_Kept):
    batch, USUAL = Mautic.batch, Mautic.USUAL


class KeptCrm(_Kept):
    batch, USUAL = Salesforce.batch, Salesforce.USUAL


def run(now: datetime) -> tuple[SyncRun, float]:
    job, began = audit.start(now), time.monotonic()
    while audit.work(job, now + timedelta(seconds=time.monotonic() - began)):
        job.refresh_from_db()
    job.refresh_from_db()
    assert (job.status, job.error) == ("done", "")
    return job, time.monotonic() - began


def test_a_clean_system_gives_no_finding(cast: Cast, outer: doubles.Doubles) -> None:
    """On the doubles of Mautic and Salesforce; the suite does the same with 300."""
    clean(cast, outer, CLEAN)
    job, _ = run(LATER)
    assert job.handoffs == CLEAN
    for numbers in job.counts.values():
        assert numbers == {"compared": CLEAN, "agreed": CLEAN, "in_flight": 0}
    assert not Finding.objects.exists()


def test_many_handoffs_are_compared_in_time(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(kinds.CONNECTORS, Connection.Kind.MAUTIC, KeptMap)
    monkeypatch.setitem(kinds.CONNECTORS, Connection.Kind.SALESFORCE, KeptCrm)
    make_handoff("assigned", cast.femke)
    clone_open(HANDOFFS - 1, NOW)
    for kind, role in (("mautic", "map"), ("salesforce", "crm")):
        make_connection(kind, role=role, secrets={}, id_system=kind, rate=10, burst=20)

    job, took = run(LATER)

    assert job.handoffs == job.total == HANDOFFS
    for numbers in job.counts.values():
        assert numbers == {"compared": HANDOFFS, "agreed": HANDOFFS, "in_flight": 0}
    assert not Finding.objects.exists()
    with capsys.disabled():
        print(f"\n{HANDOFFS:,} handoffs in two systems: {took:.1f} s, {HANDOFFS / took:,.0f} a second")
    assert took < MOST_SECONDS * HANDOFFS / 50_000 + 30

    odd = frozenset(number for number in range(job.after + 1) if number % 2)
    monkeypatch.setattr(KeptCrm, "drifting", odd)
    again, took = run(LATER + timedelta(hours=1))
    drifting = Finding.objects.filter(resolved_at__isnull=True).count()
    assert drifting == again.new_findings > 0
    with capsys.disabled():
        print(f"{drifting:,} of them drifting: {took:.1f} s")
    monkeypatch.setattr(KeptCrm, "drifting", frozenset())
    last, took = run(LATER + timedelta(hours=2))
    with capsys.disabled():
        print(f"and agreeing again: {took:.1f} s")
    assert last.new_findings == 0
    assert not Finding.objects.filter(resolved_at__isnull=True).exists()
