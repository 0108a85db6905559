"""A client of the API as others would write one: httpx and types, nothing of the site's own code.

Owns retries that do nothing twice (one Idempotency-Key an act, events known by their ids), polling without
gaps, and reading with what is known already. Never guesses: what the API refuses is raised as it was told.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import httpx

from tests.api_client.shapes import (
    Answer,
    Channel,
    Detail,
    Event,
    Group,
    Handoff,
    Metrics,
    Outcome,
    Page,
    State,
    Trouble,
)

BATCH = 500
TRIES = 4
AGAIN = frozenset({429, 500, 502, 503, 504})
Json = dict[str, Any]


@dataclass
class Refused(Exception):
    """A problem as the API told it (RFC 9457)."""

    status: int
    detail: str
    errors: list[Trouble] = field(default_factory=list)
    code: str = ""
    state: str = ""
    by: str = ""
    at: str | None = None

    def __str__(self) -> str:
        told = "; ".join(f"{error['pointer']}: {error['detail']}" for error in self.errors)
        return f"{self.status} {self.detail} {told}".strip()


@dataclass
class Client:
    """Talks to one site with one key. `pause` is the first wait between tries in seconds; it doubles."""

    http: httpx.Client
    key: str
    pause: float = 0.2
    _known: dict[str, tuple[str, Detail]] = field(default_factory=dict)

    # Events

    def send(self, *events: Event) -> list[Answer]:
        """What became of each event, in order; of any number. One that is not valid spoils no other."""
        answers: list[Answer] = []
        for first in range(0, len(events), BATCH):
            told = self._call("POST", "/intake", json=list(events[first : first + BATCH]))
            answers += told.json()["results"]
        return answers

    # Reading

    def handoff(self, handoff_id: str) -> Detail:
        """One handoff with all that is known of it; sent again only if it changed."""
        tag, known = self._known.get(handoff_id, ("", None))
        headers = {"If-None-Match": tag} if tag else {}
        told = self._call("GET", f"/handoffs/{handoff_id}", headers=headers)
        if told.status_code == 304 and known is not None:
            return known
        detail = cast(Detail, told.json())
        self._known[handoff_id] = (told.headers["ETag"], detail)
        return detail

    def changes(
        self, since: str = "", *, state: State | None = None, assignee: str | None = None, limit: int = 200
    ) -> tuple[list[Handoff], str]:
        """The handoffs that changed since, and what to give as `since` the next time; all at first."""
        found: list[Handoff] = []
        asked: Json = {"cursor": since, "state": state or "", "assignee": assignee or "", "limit": limit}
        while True:
            page = cast(Page, self._call("GET", "/handoffs", params=asked).json())
            found += page["results"]
            if page["next"] is None:
                return found, page["latest"] or since
            asked["cursor"] = page["next"]

    def metrics(self, *, weeks: int | None = None, by: Group | None = None) -> Metrics:
        asked = {name: str(value) for name, value in (("weeks", weeks), ("by", by)) if value is not None}
        return cast(Metrics, self._call("GET", "/metrics", params=asked).json())

    # Acting

    def accept(self, seen: Handoff, by: str) -> Handoff:
        return self.act(seen, "accept", by)

    def claim(self, seen: Handoff, by: str) -> Handoff:
        return self.act(seen, "claim", by)

    def reject(self, seen: Handoff, by: str, reason: str, *, note: str = "", until: str = "") -> Handoff:
        return self.act(seen, "reject", by, {"reason": reason, "note": note, "until": until})

    def defer(self, seen: Handoff, by: str, until: str, explanation: str) -> Handoff:
        return self.act(seen, "defer", by, {"until": until, "explanation": explanation})

    def resume(self, seen: Handoff, by: str) -> Handoff:
        return self.act(seen, "resume", by)

    def contact(
        self,
        seen: Handoff,
        by: str,
        channel: Channel,
        outcome: Outcome,
        *,
        at: str = "",
        activity_id: str = "",
        note: str = "",
        next_touch_at: str = "",
    ) -> Handoff:
        fields = {"channel": channel, "outcome": outcome, "at": at, "activity_id": activity_id}
        return self.act(seen, "contact", by, fields | {"note": note, "next_touch_at": next_touch_at})

    def opportunity(
        self,
        seen: Handoff,
        by: str,
        *,
        external_id: str = "",
        amount: str = "",
        currency: str = "",
        stage: str = "",
        at: str = "",
    ) -> Handoff:
        fields = {
            "external_id": external_id,
            "amount": amount,
            "currency": currency,
            "stage": stage,
            "at": at,
        }
        return self.act(seen, "opportunity", by, fields)

    def disqualify(self, seen: Handoff, by: str, reason: str, *, note: str = "") -> Handoff:
        return self.act(seen, "disqualify", by, {"reason": reason, "note": note})

    def note(self, seen: Handoff, by: str, text: str) -> Handoff:
        return self.act(seen, "note", by, {"text": text})

    def reassign(self, seen: Handoff, by: str, to: str, reason: str) -> Handoff:
        return self.act(seen, "reassign", by, {"to": to, "reason": reason})

    def waive(self, seen: Handoff, by: str, check: str, reason: str) -> Handoff:
        return self.act(seen, "waive", by, {"check": check, "reason": reason})

    def recheck(self, seen: Handoff, by: str) -> Handoff:
        return self.act(seen, "recheck", by)

    def discard(self, seen: Handoff, by: str, reason: str) -> Handoff:
        return self.act(seen, "discard", by, {"reason": reason})

    def act(
        self,
        seen: Handoff,
        verb: str,
        by: str,
        fields: Mapping[str, str] | None = None,
        *,
        strictly: bool = False,
    ) -> Handoff:
        """HANDOFF after the verb, done once however often it has to be sent. Refused (409) when others moved
        the handoff since it was `seen`; `strictly` also when anything else about it changed (412)."""
        headers = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
        if strictly:
            headers["If-Match"] = self._known[seen["id"]][0]
        body: Json = {"on_behalf_of": by, "revision": seen["revision"]}
        body |= {name: value for name, value in (fields or {}).items() if value}
        told = self._call("POST", f"/handoffs/{seen['id']}/{verb}", json=body, headers=headers)
        return cast(Handoff, told.json())

    def _call(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **rest: Any
    ) -> httpx.Response:
        """The answer, 200 or 304. Sent again when nobody answered or the site asked for patience."""
        sent = {"Authorization": f"Bearer {self.key}", **(headers or {})}
        wait = self.pause
        for left in reversed(range(TRIES)):
            try:
                told = self.http.request(method, f"/api/v1{path}", headers=sent, **rest)
            except httpx.TransportError:
                if not left:
                    raise
            else:
                if told.status_code < 400:
                    return told
                if told.status_code not in AGAIN or not left:
                    raise _refused(told)
                wait = max(wait, float(told.headers.get("Retry-After", 0)))
            time.sleep(wait)
            wait *= 2
        raise AssertionError("the last try returns or raises")


def _refused(told: httpx.Response) -> Refused:
    problem = told.json()
    names = ("detail", "errors", "code", "state", "by", "at")
    return Refused(told.status_code, **{name: problem[name] for name in names if name in problem})
