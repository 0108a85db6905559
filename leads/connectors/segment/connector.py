"""The connector of Segment: a call verified, named, and read into canonical events.

Owns how a call is known when it comes again, how its signature is checked, and what of a batch could not be
taken, by place. Whoever calls is known by the address or the write key (`leads.views.collector`). Sends
nothing and polls nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from leads import preflight
from leads.choices import ActivityKind
from leads.connectors import signatures
from leads.connectors.base import Arrived, Connector, Unreadable
from leads.connectors.options import Option
from leads.connectors.segment.reading import ANONYMOUS, TYPES, USER, LeftOut, Reader, id_of, listed, name_of
from leads.models import ExternalId

BATCH = "batch"
COLLECTED = "/collect/v1/"
MOST_EVENTS = 2500
SYSTEM = "segment"


class Segment(Connector):
    """Options `events` (names of track events to kinds of ours, "Demo Requested = demo_request") and
    `pricing_pages` (parts of addresses). Secret `secret`, if any: calls are signed with it (X-Signature)."""

    OPTIONS = (
        Option(
            "events",
            "What events mean",
            "One a line, such as “Demo Requested = demo_request” or “Report Shared = product_usage”. Only"
            " demo_request and pricing_inquiry open a handoff by themselves. Segment’s own names (Form"
            " Submitted, Trial Started, Signed Up, Email …, Unsubscribed) are known; any other is “other”.",
            kind="list",
            default=(),
        ),
        Option(
            "pricing_pages",
            "Pricing pages",
            "Parts of addresses, one a line: a page whose address has one of them is a look at the prices.",
            kind="list",
            default=("/pricing",),
        ),
    )
    SECRETS = (
        Option(
            "secret",
            "Signing secret",
            "Only where the sender signs (Segment’s webhook destination does, SDKs do not). Then every call"
            " has to be signed. Of a batch Segment signs the first event alone.",
        ),
    )

    @classmethod
    def wrong(cls, name: str, given: Any) -> str:
        for line in given if name == "events" else ():
            event, _, kind = str(line).rpartition("=")
            if not event.strip() or kind.strip() not in ActivityKind.values:
                known = ", ".join(ActivityKind.values)
                return f"“{line}” is not “name = kind”. Kinds are {known}."
        return ""

    def identify(self, arrived: Arrived, now: datetime) -> str:
        if secret := self.secrets.get("secret"):
            signatures.verify_segment(secret, arrived.headers, arrived.body)
        kind = arrived.url.partition("?")[0].rpartition(COLLECTED)[2] if COLLECTED in arrived.url else ""
        try:
            content = json.loads(arrived.body)
        except (ValueError, RecursionError):
            content = None
        if isinstance(content, dict) and not isinstance(content.get("batch"), list):
            said = content.get("type")
            kind = said if isinstance(said, str) and said in TYPES else kind
            try:
                return f"{kind or 'event'}/{name_of(content)}"
            except (LeftOut, ValueError, RecursionError):
                pass
        return f"{kind}/sha256:{hashlib.sha256(arrived.body).hexdigest()}"

    def translate(self, body: bytes, identity: str, received_at: datetime) -> list[dict[str, Any]]:
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            raise Unreadable("The body is not JSON.") from None
        events, shared = _batch(content)
        if len(events) > MOST_EVENTS:
            raise Unreadable(f"At most {MOST_EVENTS:,} events are taken at once.")
        kind, reader, found = identity.partition("/")[0], self._reader(events), []
        for number, given in enumerate(events, 1):
            try:
                found.append(reader.event(given, kind, shared, received_at))
            except LeftOut as why:
                self.leave_out(why.code, f"Event {number}: {why}.")
            except RecursionError:
                self.leave_out("malformed", f"Event {number}: it is nested too deeply.")
        return found

    def _reader(self, events: list[Any]) -> Reader:
        system = self.connection.id_system or SYSTEM
        names = {
            id_of(event.get(name))
            for event in events
            if isinstance(event, dict)
            for name in ("anonymousId", "previousId")
        } - {""}
        rows = ExternalId.objects.filter(system=system, object__in=(ANONYMOUS, USER))
        pages = self.options.get("pricing_pages", ("/pricing",))
        return Reader(
            slug=self.connection.slug,
            system=system,
            kinds=listed(self.options.get("events")),
            pricing=[str(piece).lower() for piece in pages if str(piece).strip()],
            words=preflight.placeholder_words(preflight.settings()),
            known=set(rows.filter(value__in=names).values_list("object", "value")) if names else (),
        )


def _batch(content: Any) -> tuple[list[Any], Mapping[str, Any]]:
    """The events of a body, and what is said around them for all. Raises Unreadable."""
    if isinstance(content, list):
        return content, {}
    if isinstance(content, dict):
        batch = content.get("batch")
        return (batch, content) if isinstance(batch, list) else ([content], {})
    raise Unreadable("An event or a batch of events is expected.")
