"""Two leads that became one, or two again: what waits and what is known elsewhere goes with the lead.

Owns moving deliveries that have not left and records in other systems, and owing the present state anew. Of
two records in one system the kept lead's counts; the other stays with the merged lead, where an audit finds
it. Called by merges only, inside their transaction.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from leads.models import Connection, Delivery, RemoteRecord
from leads.outbox.owing import KEEPS_STATE, owe_states

Kind, Status = Delivery.Kind, Delivery.Status


def follow(keep_id: int, gone_id: int, now: datetime) -> None:
    """What is owed of the merged lead is the kept one's from now on, in its order. A state that still waits
    is superseded: the kept lead's stands for both."""
    waiting = Delivery.objects.filter(lead=gone_id, done_at__isnull=True)
    waiting.filter(kind=Kind.STATE, status=Status.PENDING).update(status=Status.SUPERSEDED, done_at=now)
    waiting.update(lead=keep_id)
    _records(gone_id, keep_id).update(lead=keep_id)
    owe_present([keep_id], now)


def records_back(ids: Collection[int], keep_id: int, gone_id: int) -> None:
    """These records are the merged lead's again, unless it has got another one meanwhile."""
    _records(keep_id, gone_id).filter(pk__in=ids).update(lead=gone_id)


def owe_present(lead_ids: Collection[int], now: datetime) -> None:
    """The present state of these leads is owed to all who keep one."""
    keepers = Connection.objects.filter(is_active=True, kind__in=[str(kind) for kind in KEEPS_STATE])
    for connection in keepers.order_by("pk"):
        owe_states(connection, lead_ids, now)


def _records(of: int, but_not: int) -> QuerySet[RemoteRecord]:
    """The records of one lead in systems that have none of the other's."""
    other = RemoteRecord.objects.filter(
        lead=but_not, connection=OuterRef("connection"), object=OuterRef("object")
    )
    return RemoteRecord.objects.filter(~Exists(other), lead=of)
