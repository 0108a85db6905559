"""Slack's incoming webhook and the Teams workflow that takes a card: what they accept, what they say, what
came.

Slack: 200 `ok`, plain-text errors 400 invalid_payload and no_text, 403 action_prohibited, 404 no_service, 410
channel_is_archived, 429 with Retry-After [2, section 10]; header of 150 characters [V], section of 3000 and
10 fields of 2000 [2], 50 blocks and one message a second [R]. Teams: 202 whatever becomes of the card [2], 28
kB [R].
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.doubles.clock import Clock
from tests.doubles.emitting import Emitter
from tests.doubles.system import System, locked
from tests.doubles.wire import Answer, Call, answer, text

BLOCKS, HEADER, SECTION, FIELDS, FIELD = 50, 150, 3000, 10, 2000
LONGEST_CARD = 28 * 1024
CARD = "application/vnd.microsoft.card.adaptive"


@dataclass(frozen=True)
class Message:
    """A message that came; `shown` is False for a card that Teams would drop without telling."""

    at: float
    path: str
    value: dict[str, Any]
    shown: bool = True


class Chat(System):
    """What both share: a list of messages."""

    messages: list[Message]

    def __init__(self, clock: Clock, emitter: Emitter) -> None:
        super().__init__(clock, emitter)
        self.clear()

    def clear(self) -> None:
        self.messages = []

    @locked
    def seed(self, what: dict[str, Any]) -> dict[str, Any]:
        """`{"settings": {...}}`."""
        self.configure(**what.get("settings", {}))
        return {}

    @locked
    def act(self, what: dict[str, Any]) -> dict[str, Any]:
        raise ValueError(f"{self.name} has no records")

    @locked
    def as_json(self) -> dict[str, Any]:
        return {"messages": [message.__dict__ for message in self.messages]}


class Slack(Chat):
    """`POST /slack/hook[/...]`. Setting `state`: "live", "archived", "revoked" or "prohibited"."""

    name = "slack"
    SETTINGS = {"state": "live", "enforce_limits": False}
    state: str
    enforce_limits: bool
    REFUSALS = {
        "invalid_payload": lambda: text(400, "invalid_payload"),
        "no_text": lambda: text(400, "no_text"),
        "invalid_blocks": lambda: text(400, "invalid_blocks"),
        "prohibited": lambda: text(403, "action_prohibited"),
        "channel_not_found": lambda: text(404, "channel_not_found"),
        "revoked": lambda: text(404, "no_service"),
        "archived": lambda: text(410, "channel_is_archived"),
        "rate_limited": lambda: text(429, "rate_limited", {"Retry-After": "1"}),
        "server_error": lambda: text(500, "rollup_error"),
    }

    def handle(self, call: Call) -> Answer:
        if call.parts[:1] != ["hook"]:
            return self.refusal("revoked")
        if call.method != "POST":
            return text(405, "method_not_allowed")
        if self.state != "live":
            return self.refusal(self.state)
        now = self.clock.now()
        if self.enforce_limits and self.messages and now - self.messages[-1].at < 1:
            return self.refusal("rate_limited")
        value = _payload(call)
        if value is None:
            return self.refusal("invalid_payload")
        blocks = value.get("blocks")
        if not value.get("text") and not blocks and not value.get("attachments"):
            return self.refusal("no_text")
        if blocks is not None and not _good_blocks(blocks):
            return self.refusal("invalid_blocks")
        self.messages.append(Message(now, call.path, value))
        return text(200, "ok")


class Teams(Chat):
    """`POST /teams/hook?...&sig=...`. Setting `sig`: what the query must carry, if not empty."""

    name = "teams"
    SETTINGS = {"sig": ""}
    sig: str
    REFUSALS = {
        "unauthorized": lambda: answer(
            401, {"error": {"code": "DirectApiAuthorizationRequired", "message": "The signature is wrong."}}
        ),
        "too_large": lambda: answer(
            413, {"error": {"code": "RequestEntityTooLarge", "message": "Too large."}}
        ),
        "rate_limited": lambda: answer(
            429, {"error": {"code": "TooManyRequests", "message": "Slow down."}}, {"Retry-After": "2"}
        ),
        "server_error": lambda: answer(502, {"error": {"code": "BadGateway", "message": "No response."}}),
    }

    def handle(self, call: Call) -> Answer:
        if call.parts[:1] != ["hook"]:
            return answer(404, {"error": {"code": "WorkflowNotFound", "message": "No such workflow."}})
        if call.method != "POST":
            return answer(405, {"error": {"code": "MethodNotAllowed", "message": "Only POST."}})
        if self.sig and call.query.get("sig") != self.sig:
            return self.refusal("unauthorized")
        if len(call.body) > LONGEST_CARD:
            return self.refusal("too_large")
        try:
            value = call.json()
        except ValueError:
            value = None
        known = value if isinstance(value, dict) else {}
        self.messages.append(Message(self.clock.now(), call.path, known, _is_card_message(known)))
        return Answer(202)


def _payload(call: Call) -> dict[str, Any] | None:
    """The message, as JSON or in the form field `payload`."""
    form = call.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    try:
        value = json.loads(call.form.get("payload", "")) if form else call.json()
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _good_blocks(blocks: Any) -> bool:
    return (
        isinstance(blocks, list)
        and len(blocks) <= BLOCKS
        and all(isinstance(block, dict) and _good_block(block) for block in blocks)
    )


def _good_block(block: dict[str, Any]) -> bool:
    kind = block.get("type")
    if kind == "header":
        words = block.get("text", {})
        return words.get("type") == "plain_text" and 0 < len(words.get("text", "")) <= HEADER
    if kind == "section":
        fields = block.get("fields", [])
        words = block.get("text", {}).get("text", "")
        return (
            bool(words or fields)
            and len(words) <= SECTION
            and len(fields) <= FIELDS
            and all(len(field.get("text", "")) <= FIELD for field in fields)
        )
    return isinstance(kind, str)


def _is_card_message(value: dict[str, Any]) -> bool:
    cards = value.get("attachments")
    return (
        value.get("type") == "message"
        and isinstance(cards, list)
        and bool(cards)
        and all(
            isinstance(card, dict)
            and card.get("contentType") == CARD
            and isinstance(card.get("content"), dict)
            and card["content"].get("type") == "AdaptiveCard"
            for card in cards
        )
    )
