"""The control paths: faults, log, clock, seeds, webhooks and what a user did, over HTTP.

Each does what `Doubles` does in Python, so that a test in another process can do it too. Names that are not
known are refused with 400 and the reason. Control calls are neither logged nor struck by faults.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.doubles.system import System
from tests.doubles.wire import Answer, Call, answer

if TYPE_CHECKING:
    from tests.doubles.running import Doubles

ENTRIES = 200


class Control:
    """Answers `/__...`."""

    def __init__(self, doubles: Doubles) -> None:
        self.doubles = doubles
        self.paths: dict[tuple[str, str], Callable[[Call, dict[str, Any]], Any]] = {
            ("POST", "__fault"): self.set_fault,
            ("GET", "__fault"): lambda call, body: {"faults": doubles.faults.as_json()},
            ("DELETE", "__fault"): self.drop_faults,
            ("GET", "__log"): self.log,
            ("POST", "__reset"): self.reset,
            ("POST", "__clock"): self.clock,
            ("GET", "__clock"): self.clock,
            ("POST", "__seed"): self.seed,
            ("POST", "__record"): self.record,
            ("POST", "__emit"): self.emit,
            ("GET", "__sent"): self.sent,
            ("GET", "__state"): self.state,
            ("GET", "__counts"): self.counts,
        }

    def answer(self, call: Call) -> Answer:
        parts = call.parts
        path = self.paths.get((call.method, parts[0]))
        if path is None:
            return answer(404, {"error": f"no control {call.method} /{parts[0]}"})
        try:
            body = call.json() if call.body else {}
            if not isinstance(body, dict):
                raise ValueError("the body must be a JSON object")
            return answer(200, path(call, body))
        except (ValueError, TypeError, KeyError, AttributeError, re.error) as error:
            return answer(400, {"error": f"{type(error).__name__}: {error}"})

    def set_fault(self, call: Call, body: dict[str, Any]) -> dict[str, Any]:
        """A `faults.Fault`, with `seed` to begin chance anew."""
        if "seed" in body:
            self.doubles.faults.random.seed(body.pop("seed"))
        return self.doubles.fault(**body).as_json()

    def drop_faults(self, call: Call, body: dict[str, Any]) -> dict[str, Any]:
        self.doubles.faults.clear()
        return {}

    def log(self, call: Call, body: dict[str, Any]) -> dict[str, Any]:
        """`?system=&path=&method=&last=200`: the last entries that match, and counts of all."""
        query, log = call.query, self.doubles.log
        entries = [
            entry
            for entry in list(log.entries)
            if query.get("system", entry.system) == entry.system
            and query.get("method", entry.method) == entry.method
            and query.get("path", "") in entry.path
        ]
        last = int(query.get("last", ENTRIES))
        return {
            "counts": log.counts_as_json(),
            "peak": dict(log.peak),
            "matching": len(entries),
            "entries": [entry.as_json() for entry in entries[-last:]] if last else [],
        }

    def reset(self, call: Call, body: dict[str, Any]) -> dict[str, Any]:
        """`{"seed": 1}`."""
        self.doubles.reset(int(body.get("seed", 1)))
        return {}

    def clock(self, call: Call, body: dict[str, Any]) -> dict[str, Any]:
        """`{"offset": seconds}` sets, `{"advance": seconds}` adds."""
        clock = self.doubles.clock
        clock.offset = float(body.get("offset", clock.offset))
        clock.advance(float(body.get("advance", 0)))
        return {"offset": clock.offset, "now": clock.moment().isoformat()}

    def seed(self, call: Call, body: dict[str, Any]) -> dict[str, Any]:
        return self._system(body).seed(body)

    def record(self, call: Call, body: dict[str, Any]) -> dict[str, Any]:
        return self._system(body).act(body)

    def emit(self, call: Call, body: dict[str, Any]) -> dict[str, Any]:
        """`{"system", ...}` sends what the system's `emit` says; `"wait": seconds` until all is sent."""
        found: dict[str, Any] = {}
        if "system" in body:
            found["sent"] = self._system(body).emit(body)
        if body.get("release"):
            self.doubles.emitter.release()
        if body.get("wait"):
            found["settled"] = self.doubles.settle(float(body["wait"]))
        return found

    def sent(self, call: Call, body: dict[str, Any]) -> dict[str, Any]:
        """`?system=&last=200`: the webhooks' attempts."""
        wanted = call.query.get("system")
        sent = [each for each in list(self.doubles.emitter.sent) if wanted in (None, each.system)]
        return {
            "matching": len(sent),
            "sent": [each.as_json() for each in sent[-int(call.query.get("last", ENTRIES)) :]],
        }

    def state(self, call: Call, body: dict[str, Any]) -> dict[str, Any]:
        """`/__state/{system}[/{part}[/{id}]]`."""
        found: Any = self._system({"system": (call.parts[1:] or [""])[0]}).as_json()
        for step in call.parts[2:]:
            found = found[step]
        return found if isinstance(found, dict) else {"value": found}

    def counts(self, call: Call, body: dict[str, Any]) -> dict[str, Any]:
        """How many records of people each system has: none after a start."""
        doubles = self.doubles
        books = {"mautic": doubles.mautic.contacts, "hubspot": doubles.hubspot.contacts}
        return {name: len(book) for name, book in {**books, "salesforce": doubles.salesforce.leads}.items()}

    def _system(self, body: dict[str, Any]) -> System:
        name = body.get("system", "")
        if name not in self.doubles.systems:
            raise ValueError(f"system: {name!r} is none of {sorted(self.doubles.systems)}")
        return self.doubles.systems[name]
