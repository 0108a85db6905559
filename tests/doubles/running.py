"""The doubles as a whole: a call's way through faults, system and log; starting, resetting, stopping.

A call's first path segment names its system. The order is fixed: log entry opened, fault taken, delay, tokens
expired, effect, answer replaced or socket closed, log entry closed. What a system does is the system's
business; what the control paths (`/__...`) do is `control`'s.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections import Counter, deque
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from tests.doubles import serving
from tests.doubles.chat import Slack, Teams
from tests.doubles.clock import Clock
from tests.doubles.control import Control
from tests.doubles.emitting import Emitter
from tests.doubles.faults import AFTER, BEFORE, MIDWAY, Fault, Faults
from tests.doubles.hooks import Hooks
from tests.doubles.hubspot import HubSpot
from tests.doubles.mautic import Mautic
from tests.doubles.page import PATHS, Pages
from tests.doubles.salesforce import Salesforce
from tests.doubles.system import System
from tests.doubles.wire import Answer, Call, Refused, plain, text

KEPT = 50_000
SHOWN = 4_000


@dataclass(slots=True)
class Entry:
    """One request in the log. `status` 0: the socket was closed without an answer; `fault` is its id, or
    0."""

    at: float
    system: str
    method: str
    path: str
    request: bytes
    headers: dict[str, str]
    status: int = 0
    ms: float = 0.0
    response: bytes = b""
    fault: int = 0

    def as_json(self) -> dict[str, Any]:
        return {
            "at": self.at,
            "system": self.system,
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "ms": round(self.ms, 3),
            "fault": self.fault,
            "headers": self.headers,
            "request": self.request[:SHOWN].decode(errors="replace"),
            "response": self.response[:SHOWN].decode(errors="replace"),
        }


class Log:
    """The last requests, and counts of all of them since the last reset."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=KEPT)
        self.counts: Counter[tuple[str, int]] = Counter()
        self.under_way: Counter[str] = Counter()
        self.peak: Counter[str] = Counter()

    def opened(self, system: str) -> None:
        with self._lock:
            self.under_way[system] += 1
            if self.under_way[system] > self.peak[system]:
                self.peak[system] = self.under_way[system]

    def closed(self, entry: Entry) -> None:
        with self._lock:
            self.under_way[entry.system] -= 1
            self.counts[entry.system, entry.status] += 1
            self.entries.append(entry)

    def of(self, system: str, path: str = "", method: str = "") -> list[Entry]:
        """The entries of a system whose path contains `path`, oldest first."""
        return [
            entry
            for entry in list(self.entries)
            if entry.system == system and path in entry.path and method in ("", entry.method)
        ]

    def counts_as_json(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for (system, status), number in sorted(self.counts.items()):
            found.setdefault(system, {})[str(status)] = number
        return found


class Doubles:
    """All systems on one port. See the package's docstring for how to use it."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, seed: int = 1) -> None:
        self.clock = Clock()
        self.faults = Faults(seed)
        self.log = Log()
        self.emitter = Emitter(self.clock, self.faults)
        self.mautic = Mautic(self.clock, self.emitter)
        self.hubspot = HubSpot(self.clock, self.emitter)
        self.salesforce = Salesforce(self.clock, self.emitter)
        self.slack = Slack(self.clock, self.emitter)
        self.teams = Teams(self.clock, self.emitter)
        self.hooks = Hooks(self.clock, self.emitter)
        every: list[System] = [
            self.mautic, self.hubspot, self.salesforce, self.slack, self.teams, self.hooks
        ]  # fmt: skip
        self.systems = {system.name: system for system in every}
        self.control = Control(self)
        self.pages = Pages(self)
        self._server, self._thread = serving.serve(host, port, self.answer_call)
        self.port: int = self._server.server_port
        self.url = f"http://{host}:{self.port}"

    def __enter__(self) -> Doubles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def fault(self, **what: Any) -> Fault:
        """Set a fault; `faults.Fault` says what there is. Raises TypeError or ValueError for a senseless
        one."""
        system = what.get("system", "*")
        if system != "*" and system not in self.systems:
            raise ValueError(f"system: {system!r} is none of {sorted(self.systems)}")
        if what.get("kind"):
            if system == "*":
                raise ValueError("kind: it is a vendor's word, so name the system")
            self.systems[system].check_kind(what["kind"], bool(what.get("items") or what.get("item_match")))
        return self.faults.add(**what)

    def reset(self, seed: int = 1) -> None:
        """Everything as at the start: no records, faults, log, webhooks, offset."""
        self.emitter.clear()
        self.faults.clear(seed)
        self.clock.offset = 0.0
        for system in self.systems.values():
            system.reset()
        self.log.clear()

    def settle(self, seconds: float = 10.0) -> bool:
        """Wait until every webhook is sent; whether that came about."""
        return self.emitter.settle(seconds)

    def stop(self) -> None:
        """End the server, its connections and the sender of webhooks."""
        self._server.stop()
        self._thread.join(timeout=10)
        self.emitter.stop()

    def answer_call(self, call: Call) -> Answer | None:
        """What a call gets; None closes its socket."""
        if call.path in PATHS:
            return self.pages.answer(call)
        if call.path.startswith("/__"):
            return self.control.answer(call)
        began = time.perf_counter()
        name, _, rest = call.path[1:].partition("/")
        system = self.systems.get(name)
        if system is None:
            return text(404, f"No system here has the path /{name}")
        target = call.path + (f"?{call.query_text}" if call.query_text else "")
        entry = Entry(self.clock.now(), name, call.method, target, call.body, dict(call.headers))
        call.path = "/" + rest
        self.log.opened(name)
        given: Answer | None = None
        try:
            fault = self.faults.take(name, call)
            entry.fault = fault.id if fault else 0
            given = self._answer(system, call) if fault is None else self._struck(system, call, fault)
        finally:
            entry.ms = (time.perf_counter() - began) * 1000
            if given is not None:
                entry.status, entry.response = given.status, given.body
            self.log.closed(entry)
        return given

    def _answer(self, system: System, call: Call) -> Answer:
        with system.lock:
            try:
                given = system.handle(call)
            except Refused as refused:
                given = refused.answer
            except Exception as error:
                # The double is at fault, not the system it plays: to be seen, not guessed from a reset.
                traceback.print_exc()
                given = text(500, f"The double of {system.name} failed: {type(error).__name__}: {error}")
            system.finish(call, given)
        return given

    def _struck(self, system: System, call: Call, fault: Fault) -> Answer | None:
        if fault.delay_ms:
            time.sleep(fault.delay_ms / 1000)
        if fault.expire_tokens:
            system.expire_tokens()
        if fault.drop == BEFORE:
            return None
        if fault.spoils_items:
            call.spoil = spoiler(fault)
        if fault.drop == AFTER:
            self._answer(system, call)
            return None
        if not fault.answers:
            given = self._answer(system, call)
            given.cut = fault.drop == MIDWAY
            return given
        if fault.apply:
            self._answer(system, call)
        given = system.refusal(fault.kind) if fault.kind and not fault.status else _verbatim(fault)
        given.headers.update(fault.headers)
        system.finish(call, given)
        return given


def spoiler(fault: Fault) -> Any:
    """Which kind of refusal a batch's item gets: by its index, or by a pattern in its JSON."""

    def spoil(index: int, item: Any) -> str:
        hit = index in fault.items or (
            fault.item_match and fault.item_pattern.search(plain(item).decode()) is not None
        )
        return fault.kind if hit else ""

    return spoil


def _verbatim(fault: Fault) -> Answer:
    if isinstance(fault.body, str):
        return text(fault.status, fault.body)
    if fault.body is None:
        return Answer(fault.status)
    return Answer(fault.status, plain(fault.body), {"Content-Type": "application/json"})
