"""A receiver of Standard Webhooks at `/hooks/{name}`: keeps what came, raw, and says whether it was signed
rightly.

By the specification 1.0.0 [V, section 1]: the headers, the tolerance of 5 minutes, several signatures, and
that the same `webhook-id` is the same event. It answers 200 (by setting 401) even for a bad signature, so
that a test sees what was sent; other answers, such as 410 or a redirect, are faults.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.doubles import signing
from tests.doubles.clock import Clock
from tests.doubles.emitting import Emitter
from tests.doubles.system import System, locked
from tests.doubles.wire import Answer, Call, answer, text


@dataclass(frozen=True)
class Received:
    """One message. `problem` is why its signature is not right, "" when it is, None when no secret is
    known."""

    at: float
    name: str
    headers: dict[str, str]
    body: bytes
    problem: str | None

    @property
    def id(self) -> str:
        return self.headers.get("webhook-id", "")

    def json(self) -> Any:
        return json.loads(self.body)

    def as_json(self) -> dict[str, Any]:
        return {**self.__dict__, "body": self.body.decode(errors="replace"), "id": self.id}


class Hooks(System):
    """`received` is everything in order. Settings: `secrets` name to `whsec_...`, `refuse_unsigned`."""

    name = "hooks"
    SETTINGS: dict[str, Any] = {"secrets": {}, "refuse_unsigned": False}
    secrets: dict[str, str]
    refuse_unsigned: bool
    REFUSALS = {
        "gone": lambda: text(410, "gone"),
        "redirect": lambda: Answer(302, b"", {"Location": "http://127.0.0.1:9/elsewhere"}),
        "rate_limited": lambda: text(429, "slow down", {"Retry-After": "2"}),
        "unavailable": lambda: text(503, "unavailable", {"Retry-After": "2"}),
        "server_error": lambda: text(500, "error"),
    }

    def __init__(self, clock: Clock, emitter: Emitter) -> None:
        super().__init__(clock, emitter)
        self.clear()

    def clear(self) -> None:
        self.received: list[Received] = []

    def of(self, name: str) -> list[Received]:
        """What came to one name, oldest first."""
        return [message for message in self.received if message.name == name]

    def repeats(self) -> dict[str, int]:
        """The ids that came more than once, and how often."""
        counts = Counter(message.id for message in self.received)
        return {key: number for key, number in counts.items() if number > 1}

    def handle(self, call: Call) -> Answer:
        name = "/".join(call.parts)
        if not name:
            return text(404, "a hook has a name")
        if call.method != "POST":
            return text(405, "only POST")
        secret, now = self.secrets.get(name), self.clock.now()
        problem = signing.problem(secret, call.headers, call.body, now) if secret else None
        self.received.append(Received(now, name, dict(call.headers), call.body, problem))
        if problem and self.refuse_unsigned:
            return answer(401, {"error": problem})
        return answer(200, {"status": "received"})

    @locked
    def seed(self, what: dict[str, Any]) -> dict[str, Any]:
        """`{"settings": {"secrets": {name: secret}}}`."""
        self.configure(**what.get("settings", {}))
        return {}

    @locked
    def act(self, what: dict[str, Any]) -> dict[str, Any]:
        raise ValueError("hooks has no records")

    @locked
    def as_json(self) -> dict[str, Any]:
        return {"received": [message.as_json() for message in self.received], "repeats": self.repeats()}
