"""Telling marketing ops what a run came to: new grave findings, agreement that fell, a run that failed.

Owns whom, when, and that it is once a run. What stood before is not told again: a finding only when it is
new or open again, agreement only when it falls below the wanted share. The words are `leads.notifications`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count

from leads import notifications
from leads.audit.reporting import by_connection
from leads.models import Finding, Notification, SyncRun
from leads.notifications import SYNC_DRIFT, SYNC_FAILED
from routing.people import MARKETING, User

# Of fewer handoffs a share says nothing.
FEWEST = 20


@transaction.atomic
def tell(run: SyncRun, now: datetime) -> int:
    """Tell of a run that is over, if there is something to tell; the number of messages. Safe to repeat."""
    is_failed = run.status == SyncRun.Status.FAILED
    if not is_failed and run.status != SyncRun.Status.DONE:
        return 0
    if not SyncRun.objects.filter(pk=run.pk, told_at__isnull=True).update(told_at=now):
        return 0
    data = {"run_id": run.pk} if is_failed else news(run)
    kind = SYNC_FAILED if is_failed else SYNC_DRIFT
    messages = [notifications.message(user, None, kind, now, data) for user in _whom()] if data else []
    return len(Notification.objects.bulk_create(messages))


def news(run: SyncRun) -> dict[str, Any]:
    """What is new: {"run_id", "found": grave findings by connection, "below": percent by connection}; {} for
    nothing."""
    new = Finding.objects.filter(
        run=run,
        severity=Finding.Severity.HIGH,
        resolved_at__isnull=True,
        first_seen_at__gte=run.created_at,
    )
    found = dict(new.order_by().values_list("connection__name").annotate(Count("pk")))
    below = _fell_below(run, settings.SYNC_AGREEMENT_PERCENT / 100)
    return {"run_id": run.pk, "found": found, "below": below} if found or below else {}


def _fell_below(run: SyncRun, least: float) -> dict[str, float]:
    """Connections whose agreement is below the wanted share and was not in the run before, with percent."""
    before = SyncRun.objects.filter(pk__lt=run.pk, system=run.system, status=SyncRun.Status.DONE).first()
    former = by_connection(before) if before is not None else {}
    fell = {}
    for slug, numbers in by_connection(run).items():
        agreement, was = numbers["agreement"], former.get(slug, {}).get("agreement")
        if agreement is None or agreement >= least or numbers["compared"] < FEWEST:
            continue
        if was is None or was >= least:
            fell[slug] = int(agreement * 1000) / 10
    return fell


def _whom() -> list[User]:
    marketing = User.objects.filter(is_active=True, groups__name=MARKETING).order_by("pk")
    return list(marketing) or notifications.admins()
