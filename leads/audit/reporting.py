"""What a run says: coverage, agreement, findings, lags, as plain values for pages, the command and files.

Owns the shape and the words. Coverage comes first: what could not be compared is no agreement.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings

from leads.audit.checks import ABOUT, Code
from leads.models import Finding, SyncRun
from leads.representation import time


def share(part: int, whole: int) -> float | None:
    """A share to four places, None of nothing."""
    return round(part / whole, 4) if whole else None


def by_connection(run: SyncRun) -> dict[str, dict[str, Any]]:
    """For each connection: how many were compared, agreed, differed, were in flight or unreachable; coverage
    (compared of all that were not in flight) and agreement (agreed of compared)."""
    found = {}
    for slug, counts in sorted(run.counts.items()):
        numbers = {
            name: counts.get(name, 0)
            for name in ("compared", "agreed", "differed", "in_flight", "unreachable")
        }
        reach = numbers["compared"] + numbers["unreachable"]
        found[slug] = numbers | {
            "coverage": share(numbers["compared"], reach),
            "agreement": share(numbers["agreed"], numbers["compared"]),
        }
    return found


def summary(run: SyncRun) -> dict[str, Any]:
    """A finished run as JSON, with the findings that are open now in its connections."""
    open_ones = Finding.objects.filter(resolved_at__isnull=True, connection__slug__in=run.counts)
    rows = open_ones.select_related("connection").order_by("severity", "first_seen_at", "pk")
    return {
        "run": run.pk,
        "system": run.system or None,
        "started_at": time(run.created_at),
        "finished_at": time(run.finished_at),
        "handoffs": run.handoffs,
        "connections": by_connection(run),
        "lags": run.lags,
        "versions": run.versions,
        "new_findings": run.new_findings,
        "findings": [_finding(row) for row in rows[:1000]],
    }


def _finding(row: Finding) -> dict[str, Any]:
    return {
        "check": row.check_code,
        "severity": row.severity,
        "connection": row.connection.slug,
        "handoff": str(row.handoff_id) if row.handoff_id else None,
        "url": f"{settings.PUBLIC_URL}/handoffs/{row.handoff_id}/" if row.handoff_id else None,
        "values": row.values,
        "cause": row.cause,
        "first_seen_at": time(row.first_seen_at),
        "last_seen_at": time(row.last_seen_at),
        "times_seen": row.times_seen,
    }


def lines(found: dict[str, Any]) -> Iterator[str]:
    """The same in lines for a terminal."""
    yield f"Looked at {found['handoffs']} handoffs."
    for slug, numbers in found["connections"].items():
        coverage, agreement = numbers["coverage"], numbers["agreement"]
        covered = "nothing to compare" if coverage is None else f"{coverage:.1%} covered"
        agreed = "" if agreement is None else f", {agreement:.1%} of them agree"
        yield (
            f"{slug}: {covered}{agreed}; {numbers['differed']} differ, {numbers['in_flight']} in flight, "
            f"{numbers['unreachable']} could not be read."
        )
    for row in found["findings"]:
        where = f"handoff {row['handoff']}" if row["handoff"] else row["connection"]
        words = ABOUT[Code(row["check"])].words
        yield f"{row['severity']}: {row['check']} at {row['connection']}, {where}: {words}."
