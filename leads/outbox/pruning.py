"""What is kept of the outbox and of what came in, and for how long.

Owns the periods and which rows are past them. What is not settled is never among them, whatever its age.
Deletes nothing itself: `leads.tasks.prune` does, in bounded batches.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from leads.models import Delivery, InboundCall

Status = Delivery.Status
# Long enough to answer "did it leave, and what did they say?"; what was given up is somebody's to look at.
SETTLED_KEPT, DEAD_KEPT = timedelta(days=30), timedelta(days=90)
# The body of a call is personal data; its row goes on telling a late repeat from a new call.
BODIES_KEPT, CALLS_KEPT = timedelta(days=30), timedelta(days=90)


def old(now: datetime) -> tuple[QuerySet[Any], ...]:
    """What may go: deliveries (with their attempts) and calls."""
    settled = Q(done_at__lt=now - SETTLED_KEPT) & ~Q(status=Status.DEAD)
    return (
        Delivery.objects.filter(settled | Q(done_at__lt=now - DEAD_KEPT), done_at__lt=now - SETTLED_KEPT),
        InboundCall.objects.filter(received_at__lt=now - CALLS_KEPT).exclude(
            status=InboundCall.Status.WAITING
        ),
    )


def empty_bodies(now: datetime, most: int) -> int:
    """Empty the bodies of calls that were taken in long ago, this many at most; how many."""
    calls = InboundCall.objects.filter(received_at__lt=now - BODIES_KEPT).exclude(body=b"")
    calls = calls.exclude(status=InboundCall.Status.WAITING)
    keys = list(calls.order_by().values_list("pk", flat=True)[:most])
    return InboundCall.objects.filter(pk__in=keys).update(body=b"")
