"""Deleting a connection: stopped at once, its log taken away in slices, then the row itself.

Owns the order: from the first moment nothing is sent, nothing is taken, and its secrets are gone. A log may
be long, so what is not done while somebody waits goes on in the worker. Its history stays.
"""

from __future__ import annotations

import time
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from leads.connecting import changing
from leads.connecting.changing import Edit, NotDone
from leads.models import Connection, Delivery, InboundCall, RemoteRecord
from routing import draft

SLICE = 500
GOING = "Being deleted."


def begin(pk: int, edit: Edit, typed: str) -> Connection:
    """Stop it for good. `typed` is its name, as proof that this very one is meant. Raises NotDone."""
    with transaction.atomic():
        connection = changing.claim(pk, edit)
        if " ".join(typed.split()) != connection.name:
            raise NotDone(f"Type “{connection.name}” to delete it.")
        if connection.paused_why != GOING:
            connection.is_active, connection.paused_why, connection.paused_until = False, GOING, None
            connection.sealed, connection.hook_digest = "", None
            fields = ["is_active", "paused_why", "paused_until", "sealed", "hook_digest"]
            changing.save(connection, edit, fields, "Deletion begun")
        return connection


def work(pk: int, seconds: float) -> bool:
    """Take away what hangs on it, for so many seconds; whether there is more to do. The row goes last."""
    ends = time.monotonic() + seconds
    connection = Connection.objects.filter(pk=pk, is_active=False, paused_why=GOING).first()
    if connection is None:
        return False
    logs: tuple[QuerySet[Any], ...] = (
        Delivery.objects.filter(connection=pk),
        InboundCall.objects.filter(connection=pk),
        RemoteRecord.objects.filter(connection=pk),
    )
    for rows in logs:
        while keys := list(rows.order_by().values_list("pk", flat=True)[:SLICE]):
            rows.model._default_manager.filter(pk__in=keys).delete()
            if time.monotonic() > ends:
                return True
    begun = connection.history.select_related("history_user").order_by("-history_id").first()
    draft.signed(connection, begun.history_user if begun else None, reason="Deleted")
    connection.delete()
    return False
