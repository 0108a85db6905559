"""A mixed load on a site behind nginx: what people and systems do, and what of it was acknowledged.

Each writer sends the same again until it is answered, as its contract says; readers only count. Owns the load
and its book; what is done to the site meanwhile is `test_faults`.
"""

from __future__ import annotations

import http.client
import itertools
import json
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.deployed import Front
from tests.factories import event

SOURCE = "/mixed"


@dataclass
class Book:
    """What was answered. Times are of the monotonic clock."""

    events: set[str] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)
    contacted: set[str] = field(default_factory=set)
    refused: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    answered: int = 0
    # When each write that was answered well had begun and ended, newest last.
    writes: list[tuple[float, float]] = field(default_factory=list)


class Load:
    """So many requests a second: a third events, alone and in batches, a third pages, a third acts."""

    def __init__(self, front: Front, key: str, cookie: str, rate: float) -> None:
        self.front, self.key, self.cookie = front, key, cookie
        self.book, self.lock = Book(), threading.Lock()
        self.over, self.going = threading.Event(), threading.Event()
        self.going.set()
        # Seconds for which it was not paused, without those since the last pause; and since when it goes on.
        self.loaded, self._since = 0.0, time.monotonic()
        self.idle = Counter[int]()
        self.numbers = itertools.count(1)
        self.to_act: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        lanes: list[tuple[Callable[[_Client], None], float]] = [
            (self.one_event, 0.17), (self.one_event, 0.17), (self.batch, 0.06),
            (self.page("/inbox/"), 0.2), (self.page("/handoffs/"), 0.1),
            (self.act, 0.15), (self.act, 0.15),
        ]  # fmt: skip
        self.threads = [
            threading.Thread(target=self._lane, args=(number, what, 1 / (rate * share)), daemon=True)
            for number, (what, share) in enumerate(lanes)
        ]

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *wrong: object) -> None:
        self.over.set()
        self.going.set()
        for thread in self.threads:
            thread.join(timeout=90)

    def pause(self) -> None:
        """Let everybody bring to its answer what was begun, and stand still. What is not answered within two
        minutes never will be."""
        self.going.clear()
        self.loaded += time.monotonic() - self._since
        deadline = time.monotonic() + 120
        while len(self.idle) < len(self.threads):
            assert time.monotonic() < deadline, "a request was never answered"
            time.sleep(0.05)

    def go_on(self) -> None:
        self._since = time.monotonic()
        self.going.set()

    def _lane(self, number: int, what: Callable[[_Client], None], pause: float) -> None:
        client = _Client(self)
        while not self.over.is_set():
            if not self.going.is_set():
                self.idle[number] = 1
                self.going.wait()
                self.idle.pop(number, None)
                continue
            began = time.monotonic()
            what(client)
            self.over.wait(max(0.0, pause - (time.monotonic() - began)))

    def one_event(self, client: _Client) -> None:
        made = self._made()
        status, answer = client.until_answered("POST", "/api/v1/intake", made)
        self._taken([made], [answer] if status == 200 else [])

    def batch(self, client: _Client) -> None:
        made = [self._made() for _ in range(5)]
        status, answer = client.until_answered("POST", "/api/v1/intake", made)
        self._taken(made, answer["results"] if status == 200 else [])

    def page(self, path: str) -> Callable[[_Client], None]:
        return lambda client: client.read(path)

    def act(self, client: _Client) -> None:
        """Accept what came in a moment ago and log a contact, each with a key of its own."""
        try:
            handoff = self.to_act.get(timeout=0.2)
        except queue.Empty:
            return client.read("/leads/")
        who = {"on_behalf_of": handoff["assignee"]}
        for verb, body, book in (
            ("accept", who, self.book.accepted),
            ("contact", who | {"channel": "phone", "outcome": "reached"}, self.book.contacted),
        ):
            path = f"/api/v1/handoffs/{handoff['id']}/{verb}"
            status, answer = client.until_answered("POST", path, body, f"{verb}-{handoff['id']}")
            with self.lock:
                if status != 200:
                    self.book.refused[f"{verb} {status} {answer.get('detail', '')[:60]}"] += 1
                    return None
                book.add(handoff["id"])
        return None

    def _made(self) -> dict[str, Any]:
        return event(next(self.numbers), at=datetime.now(UTC), source=SOURCE)

    def _taken(self, made: list[dict[str, Any]], answers: list[dict[str, Any]]) -> None:
        with self.lock:
            for one, answer in itertools.zip_longest(made, answers):
                if answer is None or answer["status"] not in ("processed", "duplicate"):
                    self.book.refused[f"event {answer and answer['reason']}"] += 1
                    continue
                self.book.events.add(one["id"])
                if answer["handoff"] and answer["handoff"]["assignee"]:
                    self.to_act.put(answer["handoff"])


class _Client:
    """One lane's connection, kept as long as it lasts."""

    def __init__(self, load: Load) -> None:
        self.load, self.kept = load, load.front.open()
        self.kept.timeout = 90

    def read(self, path: str) -> None:
        status, _ = self._ask("GET", path, None, {"Cookie": self.load.cookie})
        with self.load.lock:
            if status == 200:
                self.load.book.answered += 1
            else:
                self.load.book.failed[f"page {status}"] += 1

    def until_answered(self, method: str, path: str, body: Any, once: str = "") -> tuple[int, Any]:
        """The answer that is no failure of the moment; the same is sent again, a second later, until then."""
        kind = "application/cloudevents-batch+json" if isinstance(body, list) else "application/json"
        headers = {"Authorization": f"Bearer {self.load.key}", "Content-Type": kind}
        if once:
            headers["Idempotency-Key"] = once
        while True:
            began = time.monotonic()
            status, text = self._ask(method, path, json.dumps(body), headers)
            with self.load.lock:
                if 0 < status < 500 and status != 429:
                    self.load.book.answered += 1
                    if status == 200:
                        self.load.book.writes.append((began, time.monotonic()))
                    return status, json.loads(text)
                self.load.book.failed[f"write {status or 'cut off'}"] += 1
            if self.load.over.is_set():
                return 0, {}
            time.sleep(0.5)

    def _ask(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, bytes]:
        try:
            self.kept.request(method, path, body, headers)
            answer = self.kept.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self.kept.close()
            return 0, b""
