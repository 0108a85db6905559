"""What is kept of the audit, and for how long.

Owns the periods and which rows are past them. What is open never goes, and what somebody ignored stays as
long as it is seen. Deletes nothing itself: `leads.tasks.prune` does, in bounded batches.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from leads.models import Finding, SyncRun
from leads.slices import UNFINISHED

FINDINGS_KEPT, RUNS_KEPT = timedelta(days=180), timedelta(days=400)


def old(now: datetime) -> tuple[QuerySet[Any], ...]:
    """What may go: findings that were settled and not seen since, then runs that no finding names."""
    settled = Finding.objects.filter(
        resolved_at__isnull=False, resolved_at__lt=now - FINDINGS_KEPT, last_seen_at__lt=now - FINDINGS_KEPT
    )
    named = Finding.objects.filter(run=OuterRef("pk"))
    over = SyncRun.objects.filter(created_at__lt=now - RUNS_KEPT).exclude(status__in=UNFINISHED)
    return settled, over.filter(~Exists(named))
