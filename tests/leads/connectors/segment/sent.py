"""Segment's calls as the tests send them: through the view's storing, then taken in."""

from __future__ import annotations

import json
from typing import Any

from leads import connectors
from leads.connectors.base import Arrived
from leads.models import Connection, InboundCall
from tests.conftest import NOW
from tests.leads.connectors.conftest import make_connection

PLACE = "https://handoff.example.com"


def make_segment(**fields: Any) -> Connection:
    values = {"secrets": {}, "id_system": "segment", "slug": "site", "name": "Site"} | fields
    return make_connection("segment", **values)


def send(connection: Connection, content: Any, kind: str = "batch", now=NOW) -> InboundCall:
    """One call, taken in; its row as it is afterwards. `content` is bytes, or made into JSON."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    arrived = Arrived("POST", f"{PLACE}/collect/v1/{kind}", {}, body)
    with connectors.opened(connection) as connector:
        identity = connector.identify(arrived, now)
    connectors.store(connection, arrived, identity, now)
    connectors.take_waiting(lambda: now, seconds=20)
    return InboundCall.objects.get(connection=connection, identity=identity)


def batch(*events: Any, **around: Any) -> dict[str, Any]:
    return {"batch": list(events), **around}


def identify(user: str = "42", message: str = "m-identify", **traits: Any) -> dict[str, Any]:
    given = {"email": "jane@acme.example.com", "firstName": "Jane", "lastName": "Doe"} | traits
    return {"type": "identify", "messageId": message, "userId": user, "traits": given}


def track(event: str, message: str = "m-track", **members: Any) -> dict[str, Any]:
    return {"type": "track", "messageId": message, "event": event} | members
