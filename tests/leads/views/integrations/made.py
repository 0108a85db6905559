"""Connections, deliveries and calls as the tests of these pages need them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from leads import outbox, sealing
from leads.models import Connection, Delivery, DeliveryAttempt, Handoff, InboundCall
from tests.conftest import NOW
from tests.leads.connectors.conftest import SECRET, make_connection

PAGE = "/integrations/"


def made(name: str = "Warehouse", **fields: Any) -> Connection:
    """A webhook connection with an address; its slug is its name in small letters."""
    values = {"name": name, "slug": name.lower(), "base_url": "https://hooks.example.com/in"} | fields
    return make_connection(values.pop("kind", "webhook"), **values)


def delivery(connection: Connection, status: str = "done", **fields: Any) -> Delivery:
    is_done = status not in ("pending", "sending")
    at = fields.pop("at", NOW - timedelta(hours=1))
    values = {
        "kind": "event",
        "type": "handoff.accepted",
        "message_id": outbox.new_id(),
        "body": json.dumps({"type": "handoff.accepted"}),
        "status": status,
        "next_attempt_at": at,
        "occurred_at": at,
        "created_at": at,
        "done_at": at + timedelta(seconds=3) if is_done else None,
    } | fields
    return Delivery.objects.create(connection=connection, **values)


def of(handoff: Handoff) -> dict[str, Any]:
    return {"handoff": handoff, "lead": handoff.lead}


def attempt(row: Delivery, number: int = 1, **fields: Any) -> DeliveryAttempt:
    values = {"at": NOW, "milliseconds": 120, "status": 503, "outcome": "transient"} | fields
    return DeliveryAttempt.objects.create(delivery=row, number=number, **values)


def call(connection: Connection, status: str = "taken", **fields: Any) -> InboundCall:
    values = {
        "identity": outbox.new_id(),
        "body": b'{"type":"lead.qualified"}',
        "body_digest": "0" * 64,
        "received_at": NOW - timedelta(minutes=5),
        "status": status,
        "tries": 1,
        "try_after": NOW,
        "done_at": None if status == "waiting" else NOW,
    } | fields
    return InboundCall.objects.create(connection=connection, **values)


def secrets(connection: Connection) -> dict[str, str]:
    connection.refresh_from_db()
    return sealing.open_sealed(connection.sealed)


__all__ = ["NOW", "PAGE", "SECRET", "attempt", "call", "delivery", "made", "of", "secrets"]
