"""What all chats share: one POST of one message to an address that is a secret, and what is told and named.

Owns reading the handoff when a message is sent, the one call, and that the address is nowhere but in the
call: not in a log, an attempt or an error. How a message is written and what an answer means is the chat's.
Never posts twice by itself, and can take nothing back that stands in a channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from leads.connectors import messages
from leads.connectors.addresses import Forbidden, checked_url
from leads.connectors.base import Connector, failed
from leads.connectors.client import Answer, Unreachable
from leads.connectors.messages import ESCALATION, NEW_DEMO, REMINDER, Message, Names
from leads.connectors.options import Option
from leads.models import Delivery, Event
from leads.outbox import Outcome, Result
from leads.outbox.catalogue import TEST

HEADERS = {"Content-Type": "application/json"}
# Shorter parts of an address stand in anything.
_SHORTEST_SECRET = 6


class Chat(Connector):
    """A channel. Options `tells` (which messages) and `names` (how much of a person they name); secret
    `url`, the address that is posted to."""

    OPTIONS = (
        Option(
            "tells",
            "What the channel is told of",
            "A message that was overtaken before it could leave is not sent.",
            kind="list",
            default=(ESCALATION, NEW_DEMO),
            choices={
                ESCALATION: "Escalations: a deadline missed, a lead taken away, flags, black holes",
                NEW_DEMO: "New demo leads",
                REMINDER: "Reminders before a deadline",
            },
        ),
        Option(
            "names",
            "What it names of a lead",
            "Everybody in the channel reads it, and what stands there stays: an erasure here takes no message"
            " back.",
            kind="choice",
            default=Names.NONE,
            choices={
                Names.NONE: "Company and number only",
                Names.NAME: "Name and company",
                Names.FULL: "Name, job title and company",
            },
        ),
    )
    SECRETS = (Option("url", "Address of the channel", "Whoever knows it can write there."),)

    @classmethod
    def wrong(cls, name: str, given: Any) -> str:
        if name != "url":
            return ""
        try:
            checked_url(given)
        except Forbidden as error:
            return str(error)
        return ""

    def body(self, message: Message) -> bytes:
        """The message in this chat's form, within its bounds."""
        raise NotImplementedError

    def read(self, answer: Answer, request: str) -> Outcome:
        """What its answer means."""
        raise NotImplementedError

    def post(self, deliveries: Sequence[Delivery], now: datetime) -> list[Outcome]:
        return [self._post(delivery, now) for delivery in deliveries]

    def _post(self, delivery: Delivery, now: datetime) -> Outcome:
        if not self.has_time:
            return Outcome(Result.LEFT)
        url = self.secrets.get("url", "")
        if not url:
            return Outcome(Result.UNAUTHORISED, error="there is no address to write to")
        message = self._message(delivery, now)
        if isinstance(message, str):
            return Outcome(Result.DONE, request=f"Nothing: {message}")
        content = self.body(message)
        request = f"POST {delivery.type} “{message.head}”, {len(content)} bytes"
        try:
            answer = self.http.call("POST", url, headers=HEADERS, content=content)
        except Forbidden as error:
            return Outcome(Result.GONE, error=f"The address may not be called. {error}", request=request)
        except Unreachable as error:
            return failed(error, request)
        return self.read(self._without_secret(answer, url), request)

    def _message(self, delivery: Delivery, now: datetime) -> Message | str:
        """The message, or in words why there is none any more."""
        if delivery.type == TEST:
            return messages.sample(self.connection, now)
        found = Event.objects.filter(handoff=delivery.handoff_id, number=delivery.revision)
        event = found.select_related("handoff__lead__company", "handoff__assignee", "handoff__queue").first()
        if event is None:
            return "what it tells of is not there any more."
        past = messages.overtaken(delivery.type, event, event.handoff)
        return past or messages.worded(delivery.type, event, event.handoff, self._names())

    def _names(self) -> Names:
        chosen = self.options.get("names")
        return Names(chosen) if chosen in list(Names) else Names.NONE

    def _without_secret(self, answer: Answer, url: str) -> Answer:
        """The answer without any part of the address that could be the secret in it."""
        parts = urlsplit(url)
        secrets = [url, *parts.path.split("/"), parts.query, *(value for _, value in parse_qsl(parts.query))]
        body = answer.body
        for secret in sorted(secrets, key=len, reverse=True):
            if len(secret) >= _SHORTEST_SECRET:
                body = body.replace(secret.encode(), "…".encode())
        return Answer(answer.status, answer.headers, body, answer.milliseconds)
