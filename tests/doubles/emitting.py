"""The sender of webhooks: one queue, one thread, plain POSTs, and every way in which webhooks go wrong.

A system hands over a `Parcel`: where to, the exact bytes, and how to sign them. Duplicates, reordering, lost
ones, delays, bad signatures and stale timestamps come from the faults that are set. Each attempt is kept as a
`Delivery`. It never builds a body and never alters one: what is signed is what is sent.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from tests.doubles.clock import Clock
from tests.doubles.faults import Fault, Faults

# Body and the moment of the attempt in Unix seconds, to headers.
Signer = Callable[[bytes, float], dict[str, str]]


@dataclass
class Parcel:
    """One webhook to send. `types` names its events; `answered` is told the status (0: no answer).

    `retries` are the pauses in seconds before further attempts; `rebuild` gives the body of an attempt when
    it carries the attempt's number.
    """

    system: str
    url: str
    types: str
    body: bytes
    sign: Signer
    retries: tuple[float, ...] = ()
    rebuild: Callable[[int], bytes] | None = None
    answered: Callable[[int], None] | None = None
    timeout: float = 5.0
    attempt: int = 0
    forged: bool = False
    stale: int = 0


@dataclass(frozen=True)
class Delivery:
    """One attempt: what was sent, and the status it got; 0 without an answer, -1 when a fault lost it."""

    at: float
    system: str
    url: str
    types: str
    attempt: int
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {**self.__dict__, "body": self.body.decode(errors="replace")}


class Emitter:
    """Sends parcels in the order they came, unless a fault says otherwise."""

    def __init__(self, clock: Clock, faults: Faults) -> None:
        self.clock = clock
        self.faults = faults
        self.sent: deque[Delivery] = deque(maxlen=20_000)
        self._ready = threading.Condition()
        self._queue: list[tuple[float, int, Parcel]] = []
        self._held: list[Parcel] = []
        self._holding = 0
        self._number = 0
        self._busy = False
        self._stopped = False
        self._thread: threading.Thread | None = None
        self._connections: dict[str, http.client.HTTPConnection] = {}

    def put(self, parcel: Parcel) -> None:
        """Queue a webhook; returns at once."""
        fault = self.faults.take_webhook(parcel.system, parcel.types, parcel.body)
        with self._ready:
            if fault and fault.reorder:
                self._holding = max(self._holding, fault.reorder)
            if self._holding:
                self._held.append(parcel)
                self._holding -= 1
                if not self._holding:
                    self._release()
                return
            self._spoiled(parcel, fault)

    def release(self) -> None:
        """Send what a reordering fault holds, the last one first."""
        with self._ready:
            self._holding = 0
            self._release()

    def settle(self, seconds: float = 10.0) -> bool:
        """Wait until nothing is left to send, retries included; whether that came about."""
        deadline = time.monotonic() + seconds
        with self._ready:
            while self._queue or self._busy:
                if time.monotonic() >= deadline:
                    return False
                self._ready.wait(0.05)
        return True

    def clear(self) -> None:
        """Forget what waits and what was sent."""
        with self._ready:
            self._queue.clear()
            self._held.clear()
            self._holding = 0
            self.sent.clear()

    def stop(self) -> None:
        with self._ready:
            self._stopped = True
            self._queue.clear()
            self._ready.notify_all()
        if self._thread:
            self._thread.join(timeout=10)

    def _spoiled(self, parcel: Parcel, fault: Fault | None) -> None:
        """Queue a parcel as a fault would have it."""
        if fault is None:
            self._push(parcel, 0.0)
            return
        if fault.lose:
            self.sent.append(self._delivery(parcel, -1, parcel.body, {}))
            return
        parcel = replace(parcel, forged=fault.bad_signature, stale=fault.stale_timestamp)
        for _ in range(1 + fault.duplicate):
            self._push(replace(parcel), fault.delay_ms / 1000)

    def _release(self) -> None:
        held, self._held = self._held[::-1], []
        for parcel in held:
            self._push(parcel, 0.0)

    def _push(self, parcel: Parcel, pause: float) -> None:
        with self._ready:
            if self._stopped:
                return
            self._number += 1
            self._queue.append((time.monotonic() + pause if pause else 0.0, self._number, parcel))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="doubles-webhooks", daemon=True)
                self._thread.start()
            self._ready.notify_all()

    def _run(self) -> None:
        while True:
            with self._ready:
                parcel = self._due()
                if parcel is None:
                    return
                self._busy = True
            try:
                self._send(parcel)
            finally:
                with self._ready:
                    self._busy = False
                    self._ready.notify_all()

    def _due(self) -> Parcel | None:
        """The next parcel, waited for; None at the end. With the condition held."""
        while not self._stopped:
            now = time.monotonic()
            found = min(
                (item for item in self._queue if item[0] <= now), default=None, key=lambda item: item[1]
            )
            if found:
                self._queue.remove(found)
                return found[2]
            soonest = min((item[0] for item in self._queue), default=None)
            self._ready.wait(None if soonest is None else soonest - now)
        return None

    def _send(self, parcel: Parcel) -> None:
        body = parcel.rebuild(parcel.attempt) if parcel.rebuild else parcel.body
        headers = parcel.sign(body, self.clock.now() - parcel.stale)
        if parcel.forged:
            headers = {name: _forged(name, value) for name, value in headers.items()}
        status = self._post(parcel, body, {"Content-Type": "application/json", **headers})
        self.sent.append(self._delivery(parcel, status, body, headers))
        if parcel.answered:
            parcel.answered(status)
        if not 200 <= status < 300 and parcel.attempt < len(parcel.retries):
            self._push(replace(parcel, attempt=parcel.attempt + 1), parcel.retries[parcel.attempt])

    def _post(self, parcel: Parcel, body: bytes, headers: dict[str, str]) -> int:
        where = urlsplit(parcel.url)
        path = (where.path or "/") + (f"?{where.query}" if where.query else "")
        kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
        # A kept connection may have been closed by the other side meanwhile: once more on a fresh one.
        for kept in (True, False):
            connection = self._connections.pop(where.netloc, None) if kept else None
            if kept and connection is None:
                continue
            connection = connection or kind(where.netloc, timeout=parcel.timeout)
            try:
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                answer.read()
            except TimeoutError:
                connection.close()
                return 0
            except (OSError, http.client.HTTPException):
                connection.close()
                continue
            self._connections[where.netloc] = connection
            return answer.status
        return 0

    def _delivery(self, parcel: Parcel, status: int, body: bytes, headers: dict[str, str]) -> Delivery:
        return Delivery(
            self.clock.now(), parcel.system, parcel.url, parcel.types, parcel.attempt, status, body, headers
        )


def _forged(name: str, value: str) -> str:
    """A signature with one character changed; other headers as they are."""
    if "signature" not in name.lower() or name.lower().endswith("version"):
        return value
    place = len(value) // 2
    return value[:place] + ("A" if value[place] != "A" else "B") + value[place + 1 :]
