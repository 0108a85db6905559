"""Segment's events as canonical ones: who it is, what they are and what they did.

Owns what each type means, the identity of an event, which ids are taken for one person's, and what is left
out with the reason. Of a person without an address it tells only those who are known here, but for a form or
the like: every visitor has an id. Calls nobody.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from leads.choices import ActivityKind
from leads.connectors.mapping import as_text
from leads.connectors.mautic.contacts import clean
from leads.connectors.segment import moments, traits
from leads.connectors.sifting import KNOWN_ONLY

Event = dict[str, Any]
USER, ANONYMOUS = "user", "anonymous"
TYPES = ("identify", "track", "page", "screen", "group", "alias")
LONGEST_EVENT, LONGEST_ID = 32 * 1024, 100
MOST_PROPERTIES, LONGEST_PROPERTY = 30, 500
# Segment's own names (Email, B2B SaaS); what a connection lists comes before them.
USUAL: Mapping[str, str] = {
    "form submitted": ActivityKind.FORM_SUBMISSION,
    "trial started": ActivityKind.TRIAL_SIGNUP,
    "signed up": ActivityKind.TRIAL_SIGNUP,
    "email delivered": ActivityKind.EMAIL_SENT,
    "email opened": ActivityKind.EMAIL_OPEN,
    "email link clicked": ActivityKind.EMAIL_CLICK,
    "unsubscribed": ActivityKind.UNSUBSCRIBE,
}
# What somebody fills in about themselves: an address in it is theirs, and it is lost on nobody.
FORMS = frozenset(
    {ActivityKind.FORM_SUBMISSION, ActivityKind.DEMO_REQUEST, ActivityKind.PRICING_INQUIRY}
    | {ActivityKind.TRIAL_SIGNUP, ActivityKind.EVENT_REGISTRATION}
)
_PLAIN_ID = re.compile(r"[\x21-\x7e]{1,100}")


class LeftOut(ValueError):
    """No event is made of it. `code` is for counting; the message holds nothing of what it said."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


def listed(lines: Any) -> dict[str, str]:
    """Event names (lower case) to kinds, of lines such as "Demo Requested = demo_request"."""
    found = {}
    for line in lines if isinstance(lines, list | tuple) else ():
        name, _, kind = str(line).rpartition("=")
        if name.strip() and kind.strip() in ActivityKind.values:
            found[name.strip().lower()] = kind.strip()
    return found


def name_of(event: Mapping[str, Any]) -> str:
    """By what it is known when it comes again: its messageId, or a digest where it has none."""
    given = event.get("messageId")
    if given is None or given == "":
        content = json.dumps(event, sort_keys=True, separators=(",", ":"))
        return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
    if not isinstance(given, str) or not _PLAIN_ID.fullmatch(given):
        raise LeftOut("bad_id", f"its messageId is not a text of at most {LONGEST_ID} plain characters")
    return given


@dataclass
class Reader:
    """Reads the events of one call. `known` are the anonymous ids that somebody has here already; an id is
    taken for the person who was named with it first, for a browser may be used by several."""

    slug: str
    system: str
    kinds: Mapping[str, str]
    pricing: Sequence[str]
    words: frozenset[str]
    known: Collection[tuple[str, str]]
    claimed: dict[str, str] = field(default_factory=dict)

    def event(self, given: Any, kind: str, shared: Mapping[str, Any], received_at: datetime) -> Event:
        """The canonical event of one of theirs; `kind` is its type where it does not say so itself. Raises
        LeftOut."""
        if not isinstance(given, dict):
            raise LeftOut("malformed", "it is no object")
        if (
            len(json.dumps(given, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace"))
            > LONGEST_EVENT
        ):
            raise LeftOut("too_long", f"it is longer than {LONGEST_EVENT // 1024} kB")
        said = given.get("type")
        kind = said if isinstance(said, str) and said else kind
        if kind not in TYPES:
            raise LeftOut("unknown_type", f"its type is none of {', '.join(TYPES)}")
        name, at = name_of(given), moments.happened(given, shared, received_at)
        context = {**traits.part(shared, "context"), **traits.part(given, "context")}
        read: Callable[[dict[str, Any], Mapping[str, Any], str, datetime], Event] = getattr(self, f"_{kind}")
        return read(given, context, name, at)

    def _identify(self, given: dict[str, Any], context: Mapping[str, Any], name: str, at: datetime) -> Event:
        # RudderStack says them in the context.
        said = {**traits.part(context, "traits"), **traits.part(given, "traits")}
        lead, is_known = self._who(given, context, said)
        parts = {
            "lead": lead | traits.person(said, context, self.words),
            "company": traits.employer(said, self.words),
        }
        # Who has a user's id there may be heard of again under it.
        is_named = is_known or bool(id_of(given.get("userId")))
        return self._made("lead.updated", name, at, context, parts, is_named)

    def _group(self, given: dict[str, Any], context: Mapping[str, Any], name: str, at: datetime) -> Event:
        lead, is_known = self._who(given, context)
        parts = {"lead": lead, "company": traits.company(traits.part(given, "traits"), self.words)}
        return self._made("lead.updated", name, at, context, parts, is_known)

    def _alias(self, given: dict[str, Any], context: Mapping[str, Any], name: str, at: datetime) -> Event:
        """One more id of a person. Two leads stay two: they are shown as possible duplicates."""
        before, now = id_of(given.get("previousId")), id_of(given.get("userId"))
        if not before or not now:
            raise LeftOut("nobody", "it names no two ids")
        kind = ANONYMOUS if (ANONYMOUS, before) in self.known or (USER, before) not in self.known else USER
        ids = [self._external(kind, before), self._external(USER, now)]
        return self._made("lead.updated", name, at, context, {"lead": {"external_ids": ids}}, False)

    def _page(self, given: dict[str, Any], context: Mapping[str, Any], name: str, at: datetime) -> Event:
        said = traits.part(given, "properties")
        url = clean(said.get("url")) or clean(traits.part(context, "page").get("url"))
        is_pricing = any(piece in url.lower() for piece in self.pricing)
        kind = ActivityKind.PRICING_VIEW if is_pricing else ActivityKind.PAGE_VIEW
        title = clean(said.get("title"), 300) or clean(given.get("name"), 300) or clean(said.get("name"), 300)
        return self._did(given, context, name, at, kind, {"title": title, "url": url})

    def _screen(self, given: dict[str, Any], context: Mapping[str, Any], name: str, at: datetime) -> Event:
        title = clean(given.get("name"), 300) or clean(traits.part(given, "properties").get("name"), 300)
        return self._did(given, context, name, at, ActivityKind.PAGE_VIEW, {"title": title})

    def _track(self, given: dict[str, Any], context: Mapping[str, Any], name: str, at: datetime) -> Event:
        called = clean(given.get("event"), 300)
        if not called:
            raise LeftOut("malformed", "it has no name")
        kind = self.kinds.get(called.lower()) or USUAL.get(called.lower()) or ActivityKind.OTHER
        what = {
            "title": called,
            "url": clean(traits.part(context, "page").get("url")),
            "properties": _properties(traits.part(given, "properties")),
        }
        return self._did(given, context, name, at, str(kind), what)

    def _did(
        self,
        given: dict[str, Any],
        context: Mapping[str, Any],
        name: str,
        at: datetime,
        kind: str,
        what: Mapping[str, Any],
    ) -> Event:
        is_form = kind in FORMS
        answers = traits.part(given, "properties") if is_form else traits.NOBODY
        lead, is_known = self._who(given, context, traits.part(given, "traits"), answers)
        activity = {
            "id": f"{self.slug}:{name}",
            "kind": str(kind),
            "occurred_at": as_text(at),
            "campaign": clean(traits.part(context, "campaign").get("name")),
            **what,
        }
        parts = {
            "lead": lead,
            "activities": [{key: value for key, value in activity.items() if value}],
        }
        is_named = is_known or (is_form and bool(id_of(given.get("userId"))))
        return self._made("lead.activity", name, at, context, parts, is_named)

    def _who(
        self, given: Mapping[str, Any], context: Mapping[str, Any], *places: Mapping[str, Any]
    ) -> tuple[dict[str, Any], bool]:
        """The person, and whether by an address. Raises LeftOut for nobody."""
        user, anonymous = id_of(given.get("userId")), id_of(given.get("anonymousId"))
        address = traits.email(*places, traits.part(context, "traits"), {"email": user})
        ids = [self._external(USER, user)] if user else []
        who = user or address
        if anonymous and (not who or self._is_free(anonymous, who)):
            ids.append(self._external(ANONYMOUS, anonymous))
        if not ids and not address:
            raise LeftOut("nobody", "it names nobody")
        return {"external_ids": ids, **({"email": address} if address else {})}, bool(address)

    def _is_free(self, anonymous: str, who: str) -> bool:
        """Whether an anonymous id is nobody else's yet."""
        return (ANONYMOUS, anonymous) not in self.known and self.claimed.setdefault(anonymous, who) == who

    def _external(self, kind: str, value: str) -> dict[str, str]:
        return {"system": self.system, "object": kind, "id": value}

    def _made(
        self,
        kind: str,
        name: str,
        at: datetime,
        context: Mapping[str, Any],
        parts: Mapping[str, Any],
        is_named: bool,
    ) -> Event:
        data = {**parts, "source": traits.source(context)}
        found: Event = {
            "specversion": "1.0",
            "id": name,
            "source": f"/connections/{self.slug}",
            "type": kind,
            "time": as_text(at),
            "data": {key: value for key, value in data.items() if value},
        }
        return found if is_named else {**found, KNOWN_ONLY: True}


def id_of(value: Any) -> str:
    """An id as text; "" for none, or for one that is longer than is kept."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = clean(value, 201)
    return text if len(text) <= 200 else ""


def _properties(given: Mapping[str, Any]) -> dict[str, str]:
    """What an event says beside its name: plain values, bounded; what is nested is left out."""
    plain = {
        clean(name, 100): clean(value, LONGEST_PROPERTY)
        for name, value in list(given.items())[:MOST_PROPERTIES]
        if isinstance(value, str | int | float)
    }
    return {name: value for name, value in plain.items() if name and value}
