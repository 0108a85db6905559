"""Slack's incoming webhook: a message as blocks, and what its answers mean.

Owns the form (Block Kit, within its bounds; only & < > are escaped, which is all that Slack asks for) and the
reading of its plain words. 403, 404 and 410 mean that the webhook or its channel is gone, and stop the
connection. Slack takes about one message a second.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from leads.connectors.base import outcome_of
from leads.connectors.chat import Chat
from leads.connectors.client import Answer
from leads.connectors.messages import Message
from leads.connectors.options import Option
from leads.outbox import Outcome, Result

# docs.slack.dev, Block Kit: characters, as they are sent.
HEADER, SECTION, FIELDS, FIELD = 150, 3000, 10, 2000
BUTTON, ADDRESS = 75, 3000
_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_GONE: Mapping[str, str] = {
    "action_prohibited": "an admin of the workspace has forbidden it",
    "channel_not_found": "the channel is not there any more",
    "channel_is_archived": "the channel is archived",
    "no_service": "the webhook was removed or switched off",
    "no_team": "the workspace is not there any more",
    "user_not_found": "whoever made the webhook is not there any more",
}


class Slack(Chat):
    """Secret `url`: the address of the incoming webhook, https://hooks.slack.com/services/..."""

    SECRETS = (
        Option(
            "url",
            "Address of the incoming webhook",
            "From the app's page “Incoming Webhooks”, https://hooks.slack.com/services/… Whoever knows it can"
            " write to the channel.",
        ),
    )

    def body(self, message: Message) -> bytes:
        fields = [_field(label, escaped(value, FIELD - 100)) for label, value in message.fields]
        if message.due:
            fields.append(_field(message.due[0], moment(message.due[1])))
        blocks: list[dict[str, Any]] = [
            {"type": "header", "text": {"type": "plain_text", "text": message.head[:HEADER]}},
        ]
        if fields:
            blocks.append({"type": "section", "fields": fields[:FIELDS]})
        if message.note:
            blocks.append({"type": "context", "elements": [_mrkdwn(escaped(message.note, FIELD))]})
        button = {"type": "plain_text", "text": message.link[:BUTTON]}
        action = {"type": "button", "text": button, "url": message.url[:ADDRESS], "style": "primary"}
        blocks.append({"type": "actions", "elements": [action]})
        content = {"text": escaped(message.text, SECTION), "blocks": blocks}
        return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()

    def read(self, answer: Answer, request: str) -> Outcome:
        said = answer.text(100).strip()
        outcome = outcome_of(answer, request, f"Slack answers {answer.status}: {said or 'nothing'}.")
        if answer.status in (403, 404, 410) or 300 <= answer.status < 400:
            why = _GONE.get(said, said or "it is not there")
            words = f"Slack answers {answer.status}: {why}. Make a new webhook there and set its address."
            return replace(outcome, result=Result.GONE, error=words)
        if outcome.result == Result.DONE and said != "ok":
            words = f"It answers {answer.status} and not “ok”: is this the address of a Slack webhook?"
            return replace(outcome, result=Result.PERMANENT, error=words)
        return outcome


def escaped(text: str, most: int) -> str:
    """Text as Slack reads it, no longer than `most` with what it escapes; never cut within an escape."""
    found, length = [], 0
    for sign in text:
        shown = _ESCAPED.get(sign, sign)
        length += len(shown)
        if length > most:
            break
        found.append(shown)
    return "".join(found)


def moment(at: datetime) -> str:
    """A moment that each reader sees by their own clock; UTC where that can't be."""
    plain = at.astimezone(UTC)
    return f"<!date^{int(plain.timestamp())}^{{date_short_pretty}} {{time}}|{plain:%Y-%m-%d %H:%M} UTC>"


def _field(label: str, value: str) -> dict[str, Any]:
    return _mrkdwn(f"*{escaped(label, 90)}*\n{value or '–'}")


def _mrkdwn(text: str) -> dict[str, Any]:
    # Verbatim: what looks like an address or a mention in somebody's name becomes no link.
    return {"type": "mrkdwn", "text": text, "verbatim": True}
