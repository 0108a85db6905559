"""Calls to Salesforce: versioned paths, the session, the org's limit of calls, and what a refusal means.

Owns the one way to call the org and the reading of its errors. Whoever calls gets the answer's JSON or a
`Refusal` that carries the outcome. Knows no record, never waits and never tries again, but for one fresh
session. Sources: the REST API guide ("Status Codes and Error Responses", "Limit Info Header"); the codes
marked [R] in the notes on integrations were never seen live.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from leads.connectors import base
from leads.connectors.addresses import Forbidden
from leads.connectors.base import Denied, outcome_of
from leads.connectors.client import Answer, Http, Unreachable
from leads.connectors.salesforce import sessions
from leads.models import Connection
from leads.outbox import Outcome, Result

KEPT_WORDS = 250
MOST_PAGES = 50
# The limit is of the last 24 hours and moves on all the time, so a few calls come free all the time; a
# quarter of an hour of them is enough to go on with. No answer says how long to wait.
LIMIT_WAIT = timedelta(minutes=15)
# Too many at once, on the other hand, is over as soon as one of them ends.
BUSY_WAIT = timedelta(seconds=10)
USUAL_SPARE = 5
_USAGE = re.compile(r"(?<![\w-])api-usage=(\d+)/(\d+)")
# Whatever is not named here means what its status means: mostly "never".
_RESULTS: Mapping[str, Result] = {
    "UNABLE_TO_LOCK_ROW": Result.TRANSIENT,
    "SERVER_UNAVAILABLE": Result.TRANSIENT,
    "UNKNOWN_EXCEPTION": Result.TRANSIENT,
    "REQUEST_RUNNING_TOO_LONG": Result.TRANSIENT,
    "QUERY_TIMEOUT": Result.TRANSIENT,
    "API_CURRENTLY_DISABLED": Result.TRANSIENT,
    "ALL_OR_NONE_OPERATION_ROLLED_BACK": Result.TRANSIENT,
    "PROCESSING_HALTED": Result.TRANSIENT,
    "REQUEST_LIMIT_EXCEEDED": Result.THROTTLED,
    "API_DISABLED_FOR_ORG": Result.UNAUTHORISED,
}
SEVERAL = "Several Leads there have the number of ours. Leave it to one of them."


class Refusal(Unreachable):
    """Salesforce refused, or gave no answer. `outcome` is what that means for what was to be done; `code` is
    its own word for it, "" without one."""

    def __init__(self, outcome: Outcome, code: str = "") -> None:
        super().__init__(outcome.error)
        self.outcome = outcome
        self.code = code


class Barred(Refusal, Denied):
    """Salesforce refuses our credentials, fresh ones too."""


def refusal(outcome: Outcome, code: str = "") -> Refusal:
    """What to raise for an outcome."""
    kind = Barred if outcome.result == Result.UNAUTHORISED else Refusal
    return kind(outcome, code)


class Calls:
    """Calls for one connection. `usage` is what the org's header told last: calls of the last 24 hours, and
    how many there may be; (0, 0) for nothing yet."""

    def __init__(
        self, connection: Connection, http: Http, options: Mapping[str, Any], secrets: Mapping[str, str]
    ) -> None:
        self._connection, self._http, self._secrets = connection, http, secrets
        self._audience = str(options.get("audience") or sessions.LOGIN)
        self._login = "" if connection.base_url else self._audience
        self._share = 1 - _percent(options.get("spare", USUAL_SPARE)) / 100
        self.usage = (0, 0)
        # Of the last call that went well, for the log of what was sent.
        self.said = Outcome(Result.DONE)

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        return self.call("GET", path, params=params)

    def query(self, soql: str, *, deleted: bool = False) -> Iterator[dict[str, Any]]:
        """The rows of a query, page by page; the deleted ones too if asked for. Raises Refusal."""
        page = self.get("/queryAll" if deleted else "/query", {"q": soql})
        for _ in range(MOST_PAGES):
            yield from page.get("records") or ()
            following = page.get("nextRecordsUrl")
            if page.get("done", True) or not following:
                return
            page = self.call("GET", str(following), is_whole=True)

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        data: Any = None,
        is_whole: bool = False,
    ) -> Any:
        """What the call answers, {} where that is nothing. `path` is under the API's version, or the whole of
        it as Salesforce itself gave it. Raises Refusal."""
        request = f"{method} {path}"
        used, most = self.usage
        if most and used >= most * self._share:
            error = f"Of the {most} calls that the org may make in 24 hours {used} are used."
            raise refusal(Outcome(Result.THROTTLED, error=error, retry_after=LIMIT_WAIT, request=request))
        if not is_whole:
            path = f"/services/data/v{settings.SALESFORCE_API_VERSION}{path}"
        elif not path.startswith("/services/data/"):
            raise refusal(
                Outcome(Result.TRANSIENT, error="The next page is somewhere else.", request=request)
            )
        try:
            answer = self._answer(method, path, params, data, fresh=False)
            if answer.status == 401:
                # Once: should a fresh session be refused too, the connection stops.
                answer = self._answer(method, path, params, data, fresh=True)
            self._heed(answer)
            if 200 <= answer.status < 300:
                self.said = replace(outcome_of(answer, request), answer="")
                return answer.json() if answer.body else {}
        except Denied as error:
            raise refusal(Outcome(Result.UNAUTHORISED, error=str(error), request=request)) from None
        except Unreachable as error:
            raise refusal(Outcome(Result.TRANSIENT, error=str(error), request=request)) from None
        except Forbidden as error:
            raise refusal(Outcome(Result.PERMANENT, error=str(error), request=request)) from None
        code, _ = told(answer)
        raise refusal(refused(answer, request), code)

    def _answer(
        self, method: str, path: str, params: Mapping[str, str] | None, data: Any, *, fresh: bool
    ) -> Answer:
        session, extra = base.token(self._connection, self._sign_in, fresh=fresh)
        headers = {
            "Authorization": f"Bearer {session}",
            "Accept": "application/json",
            # Without it an update would hand the Lead to whom the org's own rules say.
            "Sforce-Auto-Assign": "FALSE",
        }
        url = f"{extra['instance_url']}{path}"
        return self._http.call(method, url, headers=headers, params=params, data=data)

    def _sign_in(self) -> tuple[str, timedelta, Mapping[str, str]]:
        return sessions.sign_in(self._http, self._secrets, self._audience, self._login, timezone.now())

    def _heed(self, answer: Answer) -> None:
        found = _USAGE.search(answer.headers.get("sforce-limit-info", ""))
        if found:
            self.usage = (int(found[1]), int(found[2]))


def _percent(value: Any) -> int:
    return min(100, int(value)) if isinstance(value, int | str) and str(value).isdigit() else USUAL_SPARE


def told(answer: Answer) -> tuple[str, str]:
    """The first error's code and words, "" where there are none: a list of errors, each part optional."""
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return "", ""
    errors = [one for one in body if isinstance(one, dict)] if isinstance(body, list) else []
    return error_of(errors[0]) if errors else ("", "")


def error_of(error: Mapping[str, Any]) -> tuple[str, str]:
    """Code and words of one error, of a call's or of one item's (which calls its code otherwise)."""
    code = str(error.get("errorCode") or error.get("statusCode") or "")[:80]
    return code, str(error.get("message") or "")[:KEPT_WORDS]


def refused(answer: Answer, request: str) -> Outcome:
    """What an answer that is not 2xx means."""
    code, words = told(answer)
    if answer.status == 300:
        words = SEVERAL
    elif answer.status == 401:
        words = "it answers 401 to what we sign in with."
    outcome = replace(outcome_of(answer, request, words), answer=code)
    result = _RESULTS.get(code, outcome.result)
    return replace(outcome, result=result, retry_after=_wait(result, words, outcome.retry_after))


def item_refused(errors: Any, request: str, milliseconds: int = 0) -> tuple[Outcome, str]:
    """What the errors of one item mean, whose call went well: the outcome and the code."""
    found = [one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
    code, words = error_of(found[0]) if found else ("", "")
    if code == "DUPLICATE_EXTERNAL_ID":
        words = SEVERAL
    result = _RESULTS.get(code, Result.PERMANENT)
    outcome = Outcome(
        result,
        status=200,
        error=words or f"Salesforce refused it ({code or 'no reason given'}).",
        retry_after=_wait(result, words, None),
        request=request,
        answer=code,
        milliseconds=milliseconds,
    )
    return outcome, code


def _wait(result: Result, words: str, asked: timedelta | None) -> timedelta | None:
    if result != Result.THROTTLED:
        return asked
    return max(asked or timedelta(0), BUSY_WAIT if "concurrent" in words.lower() else LIMIT_WAIT)
