"""Faults: what goes wrong, where, how often, and in which way.

A fault of a request is taken before the call is handled; it can answer in the system's place, close the
socket before or after the effect, be slow, lose tokens, or spoil some items of a batch. A fault of a webhook
changes how an emitted one arrives. Which body a vendor gives a kind of fault is the system's business. Chance
comes from one seeded generator.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from tests.doubles.wire import Call

BEFORE, AFTER, MIDWAY = "before", "after", "midway"
FOR_EVER = -1


@dataclass
class Fault:
    """One fault. Empty conditions match everything of its system.

    `system` a name or "*"; `match` a regular expression searched in "METHOD /path?query"; `body_match` one
    searched in the body. `skip` passes so many matching calls first, `times` strikes so often (-1 for ever),
    `probability` each time.

    Effects on a request, together if given together: `delay_ms`; `drop` closes the socket "before" or "after"
    the effect without an answer, or "midway" through the answer; `kind` a refusal in the vendor's own words
    (see each system's REFUSALS), or `status`, `body`, `headers` verbatim; `apply` lets the call take effect
    before that answer is given in place of the true one; `expire_tokens` ends every token first; `items`
    spoils a batch's items (indexes) or those whose JSON has `item_match`, with `kind` as their reason.

    Effects on a webhook (`webhook` true; `match` is searched in its event types): `duplicate` more copies,
    `bad_signature`, `stale_timestamp` seconds, `lose` (never sent), `delay_ms`, `reorder` so many are held
    and then sent the last one first.
    """

    system: str = "*"
    match: str = ""
    body_match: str = ""
    times: int = 1
    skip: int = 0
    probability: float = 1.0
    delay_ms: int = 0
    drop: str = ""
    kind: str = ""
    status: int = 0
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    apply: bool = False
    expire_tokens: bool = False
    items: list[int] = field(default_factory=list)
    item_match: str = ""
    webhook: bool = False
    duplicate: int = 0
    bad_signature: bool = False
    stale_timestamp: int = 0
    lose: bool = False
    reorder: int = 0
    id: int = 0
    struck: int = 0

    def __post_init__(self) -> None:
        if self.drop not in ("", BEFORE, AFTER, MIDWAY):
            raise ValueError('drop: "before", "after" or "midway"')
        if self.spoils_items and not self.kind:
            raise ValueError("kind: items are spoilt by a kind of refusal")
        self.pattern = re.compile(self.match)
        self.body_pattern = re.compile(self.body_match.encode())
        self.item_pattern = re.compile(self.item_match)

    @property
    def spoils_items(self) -> bool:
        return bool(self.items or self.item_match)

    @property
    def answers(self) -> bool:
        """Whether it answers in the system's place."""
        return bool(self.status or (self.kind and not self.spoils_items))

    def as_json(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}


class Faults:
    """The faults that are set, in order; the first that matches strikes."""

    def __init__(self, seed: int = 1) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._next = 1
        self.random = random.Random(seed)

    def add(self, **what: Any) -> Fault:
        """Set a fault. Raises TypeError for an unknown name and ValueError for a senseless value."""
        fault = Fault(**what)
        with self._lock:
            fault.id = self._next
            self._next += 1
            self._faults = [*self._faults, fault]
        return fault

    def clear(self, seed: int | None = None) -> None:
        with self._lock:
            self._faults = []
            if seed is not None:
                self.random, self._next = random.Random(seed), 1

    def drop(self, system: str) -> None:
        """Take back the faults of one system."""
        with self._lock:
            self._faults = [kept for kept in self._faults if kept.system != system]

    def take(self, system: str, call: Call) -> Fault | None:
        """The fault that strikes this call, counted as struck."""
        if not self._faults:
            return None
        target = f"{call.method} {call.path}" + (f"?{call.query_text}" if call.query_text else "")
        return self._strike(
            fault
            for fault in self._faults
            if not fault.webhook
            and fault.system in ("*", system)
            and fault.pattern.search(target)
            and fault.body_pattern.search(call.body)
        )

    def take_webhook(self, system: str, types: str, body: bytes) -> Fault | None:
        """The fault that strikes this webhook, counted as struck."""
        if not self._faults:
            return None
        return self._strike(
            fault
            for fault in self._faults
            if fault.webhook
            and fault.system in ("*", system)
            and fault.pattern.search(types)
            and fault.body_pattern.search(body)
        )

    def as_json(self) -> list[dict[str, Any]]:
        return [fault.as_json() for fault in self._faults]

    def _strike(self, matching: Iterable[Fault]) -> Fault | None:
        for fault in matching:
            with self._lock:
                if fault.skip > 0:
                    fault.skip -= 1
                elif fault.times != 0 and self.random.random() < fault.probability:
                    fault.times -= fault.times > 0
                    fault.struck += 1
                    if fault.times == 0:
                        self._faults = [kept for kept in self._faults if kept is not fault]
                    return fault
        return None
