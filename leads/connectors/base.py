"""What every connector is: the one interface over all systems, and the values that go through it.

Owns the interface, its values, and the tokens that a process keeps for a while. A connector translates and
calls; it never writes a row, never retries and never decides when: that is `leads.connectors.delivering`,
`receiving`, `polling` and `leads.outbox`.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from leads import sealing
from leads.connectors.client import Answer, Http, Unreachable
from leads.connectors.options import Option
from leads.models import Connection, Delivery
from leads.outbox import Outcome, Result, Wanted

Values = Mapping[str, str]
# One claim's calls begin within this time and end within that one: well before the lease and the task do.
BEGIN_SECONDS, END_SECONDS = 10.0, 40.0


class NotOffered(Exception):
    """This system, or this connection as it is set up, can't do that. The message is fit for a page."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What came of writing one lead's state: the outcome and, when it went well, the record and the values
    that now stand there by our writing (field names of the other system, values as text)."""

    outcome: Outcome
    object: str = ""
    remote_id: str = ""
    written: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """A record as the other system has it now. `values` are by its own field names, as text; `changed_at` and
    `changed_by` say when and by whom it was last changed, where it tells; `merged_into` is the id that a
    merged record goes by now; `opted_out` whether mail is refused there, None where it does not say.
    `email` is as `identity.normalise_email` gives it."""

    object: str
    remote_id: str
    values: Values
    email: str = ""
    changed_at: datetime | None = None
    changed_by: str = ""
    is_deleted: bool = False
    merged_into: str = ""
    opted_out: bool | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """One page of what changed there: canonical intake events, the records as seen, and where to go on."""

    events: Sequence[Mapping[str, Any]]
    records: Sequence[Seen]
    cursor: Mapping[str, Any]
    is_more: bool


@dataclass(frozen=True, slots=True)
class Offered:
    """What the other system offers to choose from: fields by object, values of status fields, owners by
    e-mail, stages by id. Empty where it does not tell."""

    fields: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    stages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A call as it came: our public address of it, its method, its headers by lower-case name, its bytes."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


class Connector:
    """One system, for one connection, while its client is open.

    `batch` is how many states go out together; `calls` what one of them costs of the rate budget, 0 when a
    batch is one call. What a system does not do raises NotOffered.
    """

    batch = 1
    calls = 1
    OPTIONS: Sequence[Option] = ()
    SECRETS: Sequence[Option] = ()

    def __init__(self, connection: Connection, http: Http) -> None:
        self.connection = connection
        self.http = http
        self.options: Mapping[str, Any] = connection.options
        self.secrets: Mapping[str, str] = sealing.open_sealed(connection.sealed)
        self._begins_until: float | None = None
        # What `translate` made no event of: how many by reason, and in words, without what they said.
        self.left_out: Counter[str] = Counter()
        self.remarks: list[str] = []

    def start(self) -> None:
        """An attempt, or the reading of a call, begins: its calls share `END_SECONDS`."""
        self._begins_until = time.monotonic() + BEGIN_SECONDS
        self.http.give(END_SECONDS)

    def leave_out(self, reason: str, words: str) -> None:
        """Part of a call makes no event. `reason` is one word, `words` say which part and why."""
        self.left_out[reason] += 1
        self.remarks.append(words)

    @property
    def has_time(self) -> bool:
        """Whether another call of this attempt may begin. What has to wait is `Result.LEFT`."""
        return self._begins_until is None or time.monotonic() < self._begins_until

    @classmethod
    def wrong(cls, name: str, given: Any) -> str:
        """What is wrong with this one of OPTIONS or SECRETS as it was typed, in words for a page; "" for
        nothing."""
        return ""

    def push(self, wanted: Sequence[Wanted], now: datetime) -> list[Pushed]:
        """Write these leads' states, at most `batch`, one a lead; what came of each, in order."""
        raise NotOffered(f"{self.connection.get_kind_display()} keeps no state of a handoff.")

    def post(self, deliveries: Sequence[Delivery], now: datetime) -> list[Outcome]:
        """Send these events or messages, at most `batch`; what came of each, in order."""
        raise NotOffered(f"{self.connection.get_kind_display()} takes no events.")

    def forget(self, deliveries: Sequence[Delivery], now: datetime) -> list[Outcome]:
        """Ask for people's records to be erased there, by the ids in the bodies (`forgotten_ids`); what came
        of each, in order."""
        raise NotOffered(f"{self.connection.get_kind_display()} can't be asked to erase a record.")

    def expected(self, wanted: Wanted) -> Values:
        """The values its record should have, by its field names: `push` writes and audits compare them."""
        raise NotOffered(f"{self.connection.get_kind_display()} keeps no state of a handoff.")

    def fetch(self, wanted: Sequence[Wanted], now: datetime) -> dict[int, list[Seen]]:
        """The records of these leads there, by lead id: none, one, or several of one person."""
        raise NotOffered(f"{self.connection.get_kind_display()} can't be read.")

    def changes(self, cursor: Mapping[str, Any], now: datetime) -> Changes:
        """What changed there since the cursor ({} for the first time), oldest first, one page."""
        raise NotOffered(f"{self.connection.get_kind_display()} can't be polled.")

    def offered(self) -> Offered:
        """What there is to map to."""
        raise NotOffered(f"{self.connection.get_kind_display()} offers nothing to choose from.")

    def identify(self, arrived: Arrived, now: datetime) -> str:
        """The identity of a call if it is signed as it should be. Raises signatures.Refused."""
        raise NotOffered(f"{self.connection.get_kind_display()} sends us nothing.")

    def translate(self, body: bytes, identity: str, received_at: datetime) -> list[dict[str, Any]]:
        """The canonical events in a stored call; may read the other system where it only names a record.
        Raises Unreadable for what can never be read, Unreachable to be tried again."""
        raise NotOffered(f"{self.connection.get_kind_display()} sends us nothing.")

    def check(self) -> str:
        """Call the other system once without changing anything; what it said. Raises Unreachable."""
        raise NotOffered("There is nothing to try without sending something.")


def forgotten_ids(delivery: Delivery) -> list[tuple[str, str]]:
    """The records that an erasure is about, as (object, id)."""
    return [(str(kind), str(value)) for kind, value in json.loads(delivery.body)]


class Unreadable(Exception):
    """What came in makes no sense and never will. The message holds no personal data."""


class Denied(Unreachable):
    """Our credentials are refused, fresh ones too: everything waits until somebody looks. The message is fit
    for a page and holds no secret."""


def failed(error: Unreachable, request: str = "") -> Outcome:
    """No answer came: worth another try."""
    return Outcome(Result.TRANSIENT, error=str(error), request=request)


# 4xx that say "not now" rather than "never".
_TRANSIENT = frozenset({408, 409, 421, 423, 425, 477, 500, 502, 503, 504, 507, 520, 521, 522, 523, 524})


def outcome_of(answer: Answer, request: str = "", error: str = "") -> Outcome:
    """The outcome by the status alone; a connector that knows its errors better says so itself."""
    if 200 <= answer.status < 300:
        result = Result.DONE
    elif answer.status == 429:
        result = Result.THROTTLED
    elif answer.status in _TRANSIENT or answer.status >= 500:
        result = Result.TRANSIENT
    elif answer.status == 401:
        result = Result.UNAUTHORISED
    else:
        result = Result.PERMANENT
    is_good = result == Result.DONE
    return Outcome(
        result,
        status=answer.status,
        error="" if is_good else error or f"The other side answered {answer.status}.",
        retry_after=answer.retry_after(),
        request=request,
        answer=answer.text(),
        milliseconds=answer.milliseconds,
    )


@dataclass
class _Token:
    value: str
    ends: float
    extra: Mapping[str, str]


_tokens: dict[tuple[int, str], _Token] = {}
_lock = threading.Lock()
# A token is given up a little before it ends, so that none ends on its way.
EARLY = timedelta(seconds=60)


def token(
    connection: Connection,
    fetch: Callable[[], tuple[str, timedelta, Mapping[str, str]]],
    *,
    fresh: bool = False,
) -> tuple[str, Mapping[str, str]]:
    """An access token and what came with it (such as the instance's address), kept in this process until it
    ends or `fresh` is asked for. `fetch` gives token, life and extras, and may raise Unreachable."""
    key = (connection.pk, connection.sealed)
    with _lock:
        kept = _tokens.get(key)
    if kept is not None and not fresh and kept.ends > time.monotonic():
        return kept.value, kept.extra
    value, life, extra = fetch()
    with _lock:
        # Of an older secret nothing is kept.
        for old in [known for known in _tokens if known[0] == connection.pk]:
            del _tokens[old]
        _tokens[key] = _Token(value, time.monotonic() + (life - EARLY).total_seconds(), extra)
    return value, extra


def forget_tokens() -> None:
    """Drop the kept tokens."""
    with _lock:
        _tokens.clear()
