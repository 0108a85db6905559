"""Rows of the outbox for tests: what is owed, written directly."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from leads.models import Connection, Delivery, Lead
from leads.outbox import Outcome, Result
from tests.conftest import NOW

_numbers = itertools.count(1)


def owed(connection: Connection, lead: Lead | None = None, at: datetime = NOW, **fields: Any) -> Delivery:
    """A delivery that waits until `at`: an event unless `kind` says otherwise."""
    values = {
        "kind": "event",
        "type": "handoff.accepted",
        "message_id": f"msg_{next(_numbers)}",
        "body": "{}",
        "revision": 1,
        "next_attempt_at": at,
        "occurred_at": at,
        "created_at": at,
    } | fields
    return Delivery.objects.create(connection=connection, lead=lead, **values)


def after(**span: float) -> datetime:
    return NOW + timedelta(**span)


def outcome(result: str, **fields: Any) -> Outcome:
    return Outcome(Result(result), **fields)


def pks(rows: Iterable[Delivery]) -> list[int]:
    return [row.pk for row in rows]
