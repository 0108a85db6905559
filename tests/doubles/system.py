"""What the doubles of all systems share: settings, tokens, a lock, a random generator, and refusals by name.

A system handles one call at a time, as one database would. It is asked through `handle`, told what a user did
through `act`, filled through `seed`, looked into through `as_json`. It knows nothing of sockets and faults.
"""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from tests.doubles.clock import Clock
from tests.doubles.emitting import Emitter
from tests.doubles.wire import Answer, Call

Self = TypeVar("Self", bound="System")
Given = ParamSpec("Given")
Found = TypeVar("Found")


def locked(method: Callable[Concatenate[Self, Given], Found]) -> Callable[Concatenate[Self, Given], Found]:
    """A method that has its system to itself, whoever calls it: a test's thread or the server's."""

    @wraps(method)
    def alone(self: Self, *given: Given.args, **named: Given.kwargs) -> Found:
        with self.lock:
            return method(self, *given, **named)

    return alone


class System:
    """Base of every double. `name` is its path's first segment.

    Settings are public attributes named in `SETTINGS`, put back by `reset`.
    """

    name = ""
    SETTINGS: dict[str, Any] = {}
    # Kinds of refusal of a call by name, and those that a batch's item can have; a fault's `kind` picks one.
    REFUSALS: dict[str, Callable[[], Answer]] = {}
    ITEM_KINDS: frozenset[str] = frozenset()

    def __init__(self, clock: Clock, emitter: Emitter) -> None:
        self.clock = clock
        self.emitter = emitter
        self.lock = threading.RLock()
        self.random = random.Random(1)
        self.tokens: dict[str, float] = {}
        self.counter = itertools.count(1)
        self.configure(**self.SETTINGS)

    def configure(self, **settings: Any) -> None:
        """Change settings. Raises ValueError for a name that is none."""
        for name, value in settings.items():
            if name not in self.SETTINGS:
                raise ValueError(f"{self.name} has no setting {name!r}; it has {sorted(self.SETTINGS)}")
            setattr(self, name, type(value)(value) if isinstance(value, dict | list) else value)

    @locked
    def reset(self) -> None:
        """Empty, with the settings it began with."""
        self.tokens.clear()
        self.random = random.Random(1)
        self.counter = itertools.count(1)
        self.configure(**self.SETTINGS)
        self.clear()

    def clear(self) -> None:
        """Drop the records; each system has its own."""
        raise NotImplementedError

    def handle(self, call: Call) -> Answer:
        """Answer one call, under the lock. Raises wire.Refused."""
        raise NotImplementedError

    def refusal(self, kind: str) -> Answer:
        """The vendor's own answer for a kind of trouble."""
        return self.REFUSALS[kind]()

    def check_kind(self, kind: str, of_items: bool) -> None:
        """Raises ValueError for a kind of refusal that the system does not know."""
        known = self.ITEM_KINDS if of_items else set(self.REFUSALS)
        if kind not in known:
            raise ValueError(f"{self.name} has no kind {kind!r} there; it has {sorted(known)}")

    def finish(self, call: Call, given: Answer) -> None:
        """Put headers on an answer that every answer of the system has, faults' ones included."""

    def seed(self, what: dict[str, Any]) -> dict[str, Any]:
        """Put records in without webhooks; what was made."""
        raise NotImplementedError

    def act(self, what: dict[str, Any]) -> dict[str, Any]:
        """Do as a user in that system would, webhooks included; what came of it."""
        raise NotImplementedError

    def emit(self, what: dict[str, Any]) -> int:
        """Send webhooks as told; how many events."""
        raise ValueError(f"{self.name} sends no webhooks")

    def as_json(self) -> dict[str, Any]:
        raise NotImplementedError

    def issue_token(self, prefix: str, life: float) -> str:
        token = f"{prefix}{self.random.getrandbits(128):032x}"
        self.tokens[token] = self.clock.now() + life
        return token

    def token_state(self, token: str) -> str:
        """ "good", "expired" or "unknown"."""
        ends = self.tokens.get(token)
        if ends is None:
            return "unknown"
        return "good" if ends > self.clock.now() else "expired"

    @locked
    def expire_tokens(self) -> None:
        """End every token that was issued; they stay known as expired."""
        self.tokens = dict.fromkeys(self.tokens, 0.0)


def bearer(call: Call) -> str:
    """The bearer token of a call, or ""."""
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
