"""Calls to HubSpot: versioned paths, credentials, rate headers, and what a refusal means.

Owns the one way to call the account and the reading of its errors. Whoever calls gets the answer's JSON or a
`Refusal` that carries the outcome. Knows no record, never waits and never tries again, but for one fresh
access token. Sources: HubSpot's usage guidelines and error handling pages; the codes 423, 477 and 524 and the
waits by policy are second-hand.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.utils import timezone

from leads.connectors.addresses import Forbidden
from leads.connectors.base import Denied, outcome_of, token
from leads.connectors.client import Answer, Http, Unreachable
from leads.models import Connection
from leads.outbox import Outcome, Result

HOME = "https://api.hubapi.com"
KEPT_WORDS = 250
# A 429 promises no Retry-After: its policy says how long it lasts. DAILY lasts until midnight there.
WAITS: Mapping[str, timedelta] = {
    "TEN_SECONDLY_ROLLING": timedelta(seconds=10),
    "SECONDLY": timedelta(seconds=1),
}
LOCKED_FOR = timedelta(seconds=2)


class Refusal(Unreachable):
    """HubSpot refused, or gave no answer. `outcome` is what that means for what was to be done; `category`
    is HubSpot's own word for it, "" without one."""

    def __init__(self, outcome: Outcome, category: str = "") -> None:
        super().__init__(outcome.error)
        self.outcome = outcome
        self.category = category


class Barred(Refusal, Denied):
    """HubSpot refuses our credentials, fresh ones too."""


def refusal(outcome: Outcome, category: str = "") -> Refusal:
    """What to raise for an outcome."""
    kind = Barred if outcome.result == Result.UNAUTHORISED else Refusal
    return kind(outcome, category)


class Calls:
    """Calls for one connection. `secrets` hold a service key, or client id, client secret and refresh
    token."""

    def __init__(
        self, connection: Connection, http: Http, options: Mapping[str, Any], secrets: Mapping[str, str]
    ) -> None:
        self._connection, self._http, self._secrets = connection, http, secrets
        self._base = "" if connection.base_url else HOME
        self._zone = str(options.get("time_zone") or "UTC")
        self._spent_until = 0.0
        # Of the last call that went well, for the log of what was sent.
        self.said = Outcome(Result.DONE)

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        return self.call("GET", path, params=params)

    def post(self, path: str, data: Any) -> Any:
        return self.call("POST", path, data=data)

    def call(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, data: Any = None
    ) -> Any:
        """What the call answers, {} where that is nothing. Raises Refusal."""
        request = f"{method} {path}"
        left = self._spent_until - time.monotonic()
        if left > 0:
            error = "The calls that this account may make in these seconds are used up."
            raise refusal(Outcome(Result.THROTTLED, error=error, retry_after=timedelta(seconds=left)))
        try:
            answer = self._answer(method, path, params, data, fresh=False)
            if answer.status == 401 and not self._secrets.get("service_key"):
                # Once, whatever it was kept for: should a fresh one be refused too, the connection stops.
                answer = self._answer(method, path, params, data, fresh=True)
            self._heed(answer)
            if 200 <= answer.status < 300:
                self.said = replace(outcome_of(answer, request), answer="")
                return answer.json() if answer.body else {}
        except Refusal:
            raise
        except Unreachable as error:
            raise refusal(Outcome(Result.TRANSIENT, error=str(error), request=request)) from None
        except Forbidden as error:
            raise refusal(Outcome(Result.PERMANENT, error=str(error), request=request)) from None
        raise refusal(refused(answer, request, self._zone, timezone.now()), _told(answer).get("category", ""))

    def _answer(
        self, method: str, path: str, params: Mapping[str, str] | None, data: Any, *, fresh: bool
    ) -> Answer:
        headers = {"Authorization": f"Bearer {self._credential(fresh=fresh)}"}
        return self._http.call(method, self._base + path, headers=headers, params=params, data=data)

    def _credential(self, *, fresh: bool) -> str:
        if key := self._secrets.get("service_key"):
            return key
        if not self._secrets.get("refresh_token"):
            raise refusal(Outcome(Result.UNAUTHORISED, error="Neither a service key nor a refresh token."))
        return token(self._connection, self._fetched, fresh=fresh)[0]

    def _fetched(self) -> tuple[str, timedelta, Mapping[str, str]]:
        path = f"/oauth/{settings.HUBSPOT_API_VERSION}/token"
        form = {"grant_type": "refresh_token"} | {
            name: self._secrets.get(name, "") for name in ("client_id", "client_secret", "refresh_token")
        }
        answer = self._http.call("POST", self._base + path, form=form)
        if answer.status == 200:
            given = answer.json()
            return str(given["access_token"]), timedelta(seconds=int(given["expires_in"])), {}
        outcome = refused(answer, f"POST {path}", self._zone, timezone.now())
        if outcome.result == Result.PERMANENT:
            outcome = replace(outcome, result=Result.UNAUTHORISED)
        raise refusal(outcome)

    def _heed(self, answer: Answer) -> None:
        """Where nothing is left of these seconds' calls, the next is not made before they are over."""
        if answer.headers.get("x-hubspot-ratelimit-remaining") == "0":
            span = answer.headers.get("x-hubspot-ratelimit-interval-milliseconds", "")
            self._spent_until = time.monotonic() + (min(int(span), 60_000) / 1000 if span.isdigit() else 10)


def objects(kind: str, *rest: str) -> str:
    """The path of an object type, such as contacts, and of what is under it."""
    return "/".join((f"/crm/objects/{settings.HUBSPOT_API_VERSION}/{kind}", *rest))


def crm(area: str, *rest: str) -> str:
    """The path of another part of the CRM: properties, owners, pipelines."""
    return "/".join((f"/crm/{area}/{settings.HUBSPOT_API_VERSION}", *rest))


def refused(answer: Answer, request: str, zone: str, now: datetime) -> Outcome:
    """What an answer that is not 2xx means. `zone` is the account's time zone, in which its day ends."""
    told = _told(answer)
    outcome = replace(outcome_of(answer, request, words(told)), answer=told.get("category", ""))
    asked = outcome.retry_after or timedelta(0)
    if answer.status == 429:
        policy = str(told.get("policyName", ""))
        wait = until_midnight(now, zone) if policy == "DAILY" else WAITS.get(policy, timedelta(seconds=10))
        return replace(outcome, retry_after=max(asked, wait))
    if answer.status == 423:
        return replace(outcome, retry_after=max(asked, LOCKED_FOR))
    return outcome


def until_midnight(now: datetime, zone: str) -> timedelta:
    """How long the day of a time zone lasts, on the clock of that zone; of an unknown one, the day of UTC."""
    try:
        there = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        there = ZoneInfo("UTC")
    local = now.astimezone(there)
    midnight = datetime.combine(local.date() + timedelta(days=1), datetime.min.time(), tzinfo=there)
    return midnight.astimezone(ZoneInfo("UTC")) - now


def words(told: Mapping[str, Any]) -> str:
    """What an error says in words, cut short; "" where it says nothing."""
    found = told.get("errors")
    given = found if isinstance(found, list) else []
    parts = [str(part["message"]) for part in given if isinstance(part, dict) and part.get("message")]
    return ("; ".join(parts) or str(told.get("message") or ""))[:KEPT_WORDS]


def _told(answer: Answer) -> dict[str, Any]:
    """The body of an error. All of its parts are optional, also that it is JSON."""
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
