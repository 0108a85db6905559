"""Signed webhooks, out and in, per Standard Webhooks 1.0: for whatever system can call and be called.

Owns one POST for one event, and reading what others send in the same form: a body that is a canonical
intake event, or a list of them. Never follows a redirect; a 410 stops the connection.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from leads.connectors import signatures
from leads.connectors.addresses import Forbidden
from leads.connectors.base import Arrived, Connector, Unreadable, failed, outcome_of
from leads.connectors.client import Unreachable
from leads.connectors.options import Option
from leads.models import Delivery
from leads.outbox import Outcome, Result
from leads.outbox.catalogue import ALL_TYPES

# Others may send at most what the intake's batch takes.
MOST_EVENTS = 500


class StandardWebhooks(Connector):
    """`secret` signs; while it is changed `former_secret` signs as well and is taken from others too, until
    `former_until` (an option, RFC 3339)."""

    batch = 20
    calls = 1
    OPTIONS = (
        Option(
            "types",
            "Events",
            "Which events it is told of; all of them where none is chosen.",
            kind="list",
            default=(),
            choices={name: name for name in ALL_TYPES},
        ),
    )
    SECRETS = (Option("secret", "Signing secret", "whsec_ and base64; 24 to 64 bytes."),)

    @classmethod
    def wrong(cls, name: str, given: Any) -> str:
        return signatures.problem(given) if name == "secret" else ""

    def keys(self, now: datetime) -> list[str]:
        names = ["secret"]
        if (until := self.options.get("former_until")) and now < datetime.fromisoformat(until):
            names.append("former_secret")
        return [self.secrets[name] for name in names if self.secrets.get(name)]

    def post(self, deliveries: Sequence[Delivery], now: datetime) -> list[Outcome]:
        return [self._post(delivery, now) for delivery in deliveries]

    def _post(self, delivery: Delivery, now: datetime) -> Outcome:
        if not self.has_time:
            return Outcome(Result.LEFT)
        if not self.keys(now):
            return Outcome(Result.UNAUTHORISED, error="there is no signing secret")
        body = delivery.body.encode()
        request = f"POST {delivery.type} {delivery.message_id}, {len(body)} bytes"
        signed = signatures.headers(self.keys(now), delivery.message_id, now, body)
        try:
            answer = self.http.call(
                "POST", "", headers={**signed, "Content-Type": "application/json"}, content=body
            )
        except Unreachable as error:
            return failed(error, request)
        except Forbidden as error:
            return Outcome(Result.PERMANENT, error=str(error), request=request)
        outcome = outcome_of(answer, request)
        if answer.status == 410:
            return replace(outcome, result=Result.GONE, error="The address answers 410: it wants no more.")
        if answer.status in (401, 403, 404) or 300 <= answer.status < 400:
            # An address that is being moved or mended answers so; the schedule gives it three days.
            return replace(outcome, result=Result.TRANSIENT)
        return outcome

    def identify(self, arrived: Arrived, now: datetime) -> str:
        return signatures.verify(self.keys(now), arrived.headers, arrived.body, now)

    def translate(self, body: bytes, identity: str, received_at: datetime) -> list[dict[str, Any]]:
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            raise Unreadable("The body is not JSON.") from None
        events = content if isinstance(content, list) else [content]
        if len(events) > MOST_EVENTS or not all(isinstance(event, dict) for event in events):
            raise Unreadable(f"An event or a list of at most {MOST_EVENTS} events is expected.")
        return [self._canonical(event, identity, number) for number, event in enumerate(events)]

    def _canonical(self, event: dict[str, Any], identity: str, number: int) -> dict[str, Any]:
        """A CloudEvent as it is; of the plain form (type, timestamp, data) the rest is filled in."""
        if "specversion" in event:
            return event
        return {
            "specversion": "1.0",
            "id": f"{identity}/{number}" if number else identity,
            "source": f"/connections/{self.connection.slug}",
            "type": event.get("type"),
            "time": event.get("timestamp"),
            "data": event.get("data"),
        }
