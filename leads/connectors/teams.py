"""Microsoft Teams: a workflow that takes a card when it is called, and what its answers mean.

Owns the card (Adaptive Card 1.4, under 28 kB; what came from outside stands in runs of text, which know no
Markdown) and the reading of its answers. Teams answers before its flow has run, so a flow that fails is never
heard of here. The address ends in a signature, which is the secret.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from leads.connectors.base import outcome_of
from leads.connectors.chat import Chat
from leads.connectors.client import Answer
from leads.connectors.messages import Message
from leads.connectors.options import Option
from leads.outbox import Outcome, Result

LARGEST = 28 * 1024
# In characters; together they stay under LARGEST at four bytes a character, or six where one is escaped.
HEAD, FIELDS, LABEL, VALUE, ADDRESS = 150, 12, 40, 200, 1000
CARD = "application/vnd.microsoft.card.adaptive"
SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"


class Teams(Chat):
    """Secret `url`: the address that the workflow "When a Teams webhook request is received" shows."""

    SECRETS = (
        Option(
            "url",
            "Address of the workflow",
            "In Teams, Workflows, “When a Teams webhook request is received”: the whole address with sig= at"
            " its end. Whoever knows it can write to the channel.",
        ),
    )

    def body(self, message: Message) -> bytes:
        body: list[dict[str, Any]] = [
            {
                "type": "TextBlock",
                "size": "Large",
                "weight": "Bolder",
                "text": message.head[:HEAD],
                "wrap": True,
            },
        ]
        for label, value in message.fields[:FIELDS]:
            shown = _run(value[:VALUE] or "–")
            body.append(_line(_run(f"{label[:LABEL]}: ", isSubtle=True), shown))
        if message.due:
            what, at = message.due
            # Our own words alone, so that this block may be read as Markdown.
            body.append({"type": "TextBlock", "text": f"{what[:LABEL]}: {moment(at)}", "wrap": True})
        if message.note:
            body.append(_line(_run(message.note[:VALUE], isSubtle=True, size="Small")))
        card = {
            "$schema": SCHEMA,
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": body,
            "actions": [
                {"type": "Action.OpenUrl", "title": message.link[:LABEL], "url": message.url[:ADDRESS]}
            ],
        }
        content = {
            "type": "message",
            "attachments": [{"contentType": CARD, "contentUrl": None, "content": card}],
        }
        return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()

    def read(self, answer: Answer, request: str) -> Outcome:
        outcome = outcome_of(answer, request, f"Teams answers {answer.status}.")
        if answer.status in (403, 404, 410) or 300 <= answer.status < 400:
            words = (
                f"Teams answers {answer.status}: the workflow is gone or switched off. Set its new address."
            )
            return replace(outcome, result=Result.GONE, error=words)
        if outcome.result == Result.UNAUTHORISED:
            words = f"Teams answers {answer.status}: the signature in the address does not fit."
            return replace(outcome, error=words)
        return outcome


def moment(at: datetime) -> str:
    """A moment that each reader sees by their own clock."""
    plain = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{{{{DATE({plain}, SHORT)}}}} {{{{TIME({plain})}}}}"


def _line(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, **look: Any) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **look}
