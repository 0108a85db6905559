"""What the OpenAPI document promises, and a site in this process that is held to it by schemathesis.

Owns the schema, the values of its formats, and how a case that may succeed is sent: about handoffs that are
there, for people who are there. Which cases, and how many, is the tests' business.

Not held to, because a schema cannot say it: an array takes bad events and answers each; query parameters that
nobody knows are ignored; an event has limits on all that is in it, known or not; whether a move is allowed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from django.utils import timezone
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.core.transport import Response

from handoff_site.wsgi import application
from leads import keys, roles
from leads.api import limits
from routing.models import Queue
from tests.conftest import Cast
from tests.factories import make_handoff

FIRST, LAST = date(1991, 1, 1), date(2199, 1, 1)
MOMENTS = st.datetimes(
    datetime.combine(FIRST, datetime.min.time()),
    datetime.combine(LAST, datetime.min.time()),
    timezones=st.just(UTC),
)
schemathesis.openapi.format("date-time", MOMENTS.map(datetime.isoformat))
schemathesis.openapi.format("date", st.dates(FIRST, LAST).map(str))
schemathesis.openapi.format("email", st.from_regex(r"[a-z]{1,8}@[a-z]{1,8}\.example\.com", fullmatch=True))

REFUSALS = [400, 401, 403, 404, 405, 406, 409, 411, 412, 413, 415, 422, 429]


def schema(*, at_the_edges: bool) -> Any:
    """The document as the site serves it; with or without the cases at the edges of every bound, which are
    hundreds."""
    chosen = {
        "checks": {
            "negative_data_rejection": {"expected-statuses": REFUSALS},
            "positive_data_acceptance": {"expected-statuses": ["2xx", 304, 401, 403, 404, 409, 412, 422]},
        },
        "phases": {"coverage": {"enabled": at_the_edges}},
    }
    config = schemathesis.Config.from_dict(chosen)
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application, config=config)


NOT_SAID = {
    "/api/v1/intake": ["negative_data_rejection", "positive_data_acceptance"],
    "/api/v1/handoffs": ["negative_data_rejection"],
    "/api/v1/metrics": ["negative_data_rejection"],
}
STATES = ("assigned", "accepted", "queued", "incomplete", "deferred", "working", "rejected", "converted")
# So many cases use up what there was to act on.
AFRESH = 200


class Site:
    """The site in this process, a key that may everything, and handoffs in every state, made anew now and
    then. `answered` counts the answers by operation and status."""

    def __init__(self, cast: Cast) -> None:
        self.cast, self.answered = cast, Counter[tuple[str, int]]()
        self.key = keys.make_key("Promises", keys.SCOPES, timezone.now())[1]
        self.people = [cast.femke.email, cast.otto.email, cast.mia.email, cast.jonas.email]
        self.able = dict.fromkeys((*roles.COMPLETING, "note"), cast.otto.email)
        self.able["reassign"] = cast.mia.email
        Queue.objects.get(kind=Queue.Kind.OVERFLOW).members.add(cast.femke)
        self.handoffs: list[str] = []
        self.cases = 0

    def stock(self) -> None:
        at = timezone.now() - timedelta(minutes=3)
        made = [make_handoff(state, self.cast.femke, at=at) for state in STATES]
        self.handoffs = [str(handoff.pk) for handoff in made]

    def hold(self, case: schemathesis.Case) -> None:
        """Send this case and hold the answer to all that the document says."""
        self.before(case)
        response = case.call(headers=self.headers)
        self.after(case, response)
        self.judge(case, response)

    def judge(self, case: schemathesis.Case, response: Response) -> None:
        """Raise what the answer does otherwise than the document says."""
        sent, left_out = self.headers, CHECKS.get_by_names(NOT_SAID.get(case.path, []))
        case.validate_response(
            response, headers=sent, excluded_checks=left_out, transport_kwargs={"headers": sent}
        )

    @property
    def headers(self) -> dict[str, str]:
        # This caller asks for compressed answers and does not unpack them.
        return {"Authorization": f"Bearer {self.key}", "Accept-Encoding": "identity"}

    def before(self, case: schemathesis.Case) -> None:
        """Of the cases that may succeed most are about something that is there, for somebody who is there."""
        limits.forget()
        if self.cases % AFRESH == 0:
            self.stock()
        self.cases += 1
        may_succeed = case.meta is None or case.meta.generation.mode == GenerationMode.POSITIVE
        if not may_succeed or self.cases % 5 == 0:
            return
        if "handoff_id" in (case.path_parameters or {}):
            case.path_parameters["handoff_id"] = self.handoffs[self.cases % len(self.handoffs)]
        if isinstance(case.body, dict) and "on_behalf_of" in case.body:
            verb = case.path.rpartition("/")[2]
            who = self.people[self.cases // 7 % len(self.people)]
            case.body["on_behalf_of"] = self.able.get(verb, self.people[0]) if self.cases % 4 else who
            # No tag that is made up is any handoff's.
            (case.headers or {}).pop("If-Match", None)

    def after(self, case: schemathesis.Case, response: Response) -> None:
        self.answered[f"{case.method} {case.path}", response.status_code] += 1

    def told(self) -> str:
        """How many cases, and how they were answered."""
        by_status: Counter[int] = Counter()
        for (_, status), count in self.answered.items():
            by_status[status] += count
        return f"{sum(by_status.values())} cases, answered {dict(sorted(by_status.items()))}"


@contextmanager
def opened(cast: Cast) -> Iterator[Site]:
    """The site; the test's connection outlives its requests."""
    for receiver in (request_started, request_finished):
        receiver.disconnect(close_old_connections)
    try:
        yield Site(cast)
    finally:
        for receiver in (request_started, request_finished):
            receiver.connect(close_old_connections)


def walks(document: Any, site: Site) -> Any:
    """A state machine that follows the document's links from answer to answer. Each walk begins with the same
    handoffs, and what it did is undone, so that a walk can be gone again."""

    class Walks(document.as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            self.done = transaction.atomic()
            self.done.__enter__()
            site.cases = 0

        def teardown(self) -> None:
            transaction.set_rollback(True)
            self.done.__exit__(None, None, None)

        def before_call(self, case: schemathesis.Case) -> None:
            site.before(case)

        def get_call_kwargs(self, case: schemathesis.Case) -> dict[str, Any]:
            return {"headers": site.headers}

        def after_call(self, response: Response, case: schemathesis.Case) -> None:
            site.after(case, response)

        def validate_response(self, response: Response, case: schemathesis.Case, **rest: Any) -> None:
            site.judge(case, response)

    return Walks
