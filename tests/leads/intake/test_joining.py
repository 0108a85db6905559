"""Single events that come at once: who takes, who waits, what each is answered when something fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import OperationalError

from leads.intake.joining import Queue
from leads.intake.receiving import NOT_STORED
from leads.models import ApiKey
from tests.conftest import NOW

WAIT = 10.0


class Taker:
    """Stands for `receive`: holds its first call until told, remembers each call's events and moment."""

    def __init__(self, answer: Callable[[Any], dict[str, Any]] | None = None) -> None:
        self.calls: list[tuple[list[Any], Any]] = []
        self.is_in, self.go_on = threading.Event(), threading.Event()
        self.answer = answer or (lambda raw: {"id": raw, "reason": None})

    def __call__(self, raw: Sequence[Any], key: ApiKey, now: Any) -> list[dict[str, Any]]:
        self.calls.append((list(raw), now))
        if len(self.calls) == 1:
            self.is_in.set()
            assert self.go_on.wait(WAIT)
        return [self.answer(one) for one in raw]


def all_at_once(queue: Queue, taker: Taker, count: int) -> dict[int, Any]:
    """Event 0 is being taken when the others come, in order; then what each was answered, or its error."""
    told: dict[int, Any] = {}

    def send(number: int) -> None:
        try:
            told[number] = queue.take(number, ApiKey(), NOW + timedelta(seconds=number))
        except BaseException as error:
            told[number] = error

    run(queue, taker, [threading.Thread(target=send, args=(number,)) for number in range(count)])
    return told


def run(queue: Queue, taker: Taker, threads: Sequence[threading.Thread]) -> None:
    """The first is being taken when the others come, in order; until all have ended."""
    threads[0].start()
    assert taker.is_in.wait(WAIT)
    for number, thread in enumerate(threads[1:], start=1):
        thread.start()
        while len(queue._waiting) < number:
            threading.Event().wait(0.001)
    taker.go_on.set()
    for thread in threads:
        thread.join(WAIT)
        assert not thread.is_alive()


def failing(number: int, error: BaseException) -> Callable[[Any], dict[str, Any]]:
    """Answers for a Taker all but this event, which fails by the error."""

    def answer(raw: Any) -> dict[str, Any]:
        if raw == number:
            raise error
        return {"id": raw, "reason": None}

    return answer


def test_what_comes_meanwhile_is_taken_in_one_go_as_of_the_latest() -> None:
    taker = Taker()
    told = all_at_once(Queue(taker), taker, 5)
    assert told == {number: {"id": number, "reason": None} for number in range(5)}
    assert taker.calls == [([0], NOW), ([1, 2, 3, 4], NOW + timedelta(seconds=4))]


def test_at_most_a_chunk_is_taken_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leads.intake.joining.CHUNK", 2)
    taker = Taker()
    told = all_at_once(Queue(taker), taker, 6)
    assert [raw for raw, _ in taker.calls] == [[0], [1, 2], [3, 4], [5]]
    assert told == {number: {"id": number, "reason": None} for number in range(6)}


def test_one_after_the_other_each_goes_alone() -> None:
    taker = Taker()
    taker.go_on.set()
    queue = Queue(taker)
    for number in range(3):
        assert queue.take(number, ApiKey(), NOW) == {"id": number, "reason": None}
    assert [raw for raw, _ in taker.calls] == [[0], [1], [2]]


def test_who_was_just_answered_and_has_one_more_is_taken_with_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("leads.intake.joining.LINGER", WAIT)
    monkeypatch.setattr("leads.intake.joining.JUST", WAIT)
    taker = Taker()
    queue = Queue(taker)

    def send(name: str, count: int) -> None:
        for number in range(count):
            queue.take(f"{name}{number}", ApiKey(), NOW)

    # The first is in the first take alone, and so has one more.
    counts = {"a": 4, "b": 3, "c": 3}
    run(queue, taker, [threading.Thread(target=send, args=given) for given in counts.items()])
    assert [sorted(raw) for raw, _ in taker.calls] == [
        ["a0"], ["a1", "b0", "c0"], ["a2", "b1", "c1"], ["a3", "b2", "c2"]
    ]  # fmt: skip


def test_who_was_answered_long_ago_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leads.intake.joining.JUST", 0.0)
    taker = Taker()
    queue = Queue(taker)
    all_at_once(queue, taker, 3)
    monkeypatch.setattr("leads.intake.joining.LINGER", WAIT)
    began = time.monotonic()
    assert queue.take(9, ApiKey(), NOW) == {"id": 9, "reason": None}
    assert time.monotonic() - began < WAIT / 2


def test_nobody_waits_longer_than_a_moment_for_those_who_come_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of five who were answered the second comes when that is no longer a moment ago."""
    taker = Taker()
    queue = Queue(taker)
    all_at_once(queue, taker, 5)
    queue._expected, queue._ended = 5, time.monotonic()
    monkeypatch.setattr("leads.intake.joining.LINGER", WAIT)
    monkeypatch.setattr("leads.intake.joining.JUST", 0.5)
    senders = [
        threading.Thread(target=queue.take, args=(number, ApiKey(), NOW), daemon=True) for number in (6, 7)
    ]
    began = time.monotonic()
    senders[0].start()
    time.sleep(0.6)
    senders[1].start()
    for sender in senders:
        sender.join(WAIT)
    assert time.monotonic() - began < WAIT / 2
    assert [number for raw, _ in taker.calls[2:] for number in raw] == [6, 7]


def test_who_could_not_be_stored_in_company_is_taken_alone() -> None:
    def answer(raw: Any) -> dict[str, Any]:
        if raw == 2 and len(taker.calls) == 2:
            return {"id": 2, "reason": NOT_STORED}
        return {"id": raw, "reason": None}

    taker = Taker(answer)
    told = all_at_once(Queue(taker), taker, 4)
    assert told == {number: {"id": number, "reason": None} for number in range(4)}
    assert [raw for raw, _ in taker.calls] == [[0], [1, 2, 3], [2]]


@pytest.mark.parametrize("error", [OperationalError("the database is away"), SystemExit()])
def test_what_is_so_for_all_is_told_to_all_of_it_and_to_nobody_else(error: BaseException) -> None:
    taker = Taker(failing(1, error))
    queue = Queue(taker)
    told = all_at_once(queue, taker, 3)
    assert told == {0: {"id": 0, "reason": None}, 1: error, 2: error}
    assert [raw for raw, _ in taker.calls] == [[0], [1, 2]]
    # The next one finds nobody in its way.
    assert queue.take(9, ApiKey(), NOW) == {"id": 9, "reason": None}


def blocked() -> OperationalError:
    """As Django tells that a lock was waited for too long."""
    error = OperationalError("canceling statement due to lock timeout")
    error.__cause__ = psycopg.errors.LockNotAvailable()
    return error


@pytest.mark.parametrize("error", [ValueError("cannot be read"), blocked()])
def test_what_fails_by_one_is_told_to_that_one_alone(error: Exception) -> None:
    taker = Taker(failing(1, error))
    queue = Queue(taker)
    told = all_at_once(queue, taker, 4)
    assert told == {number: {"id": number, "reason": None} for number in (0, 2, 3)} | {1: error}
    calls = [raw for raw, _ in taker.calls]
    assert (calls[:2], sorted(calls[2:])) == ([[0], [1, 2, 3]], [[1], [2], [3]])
    assert queue.take(9, ApiKey(), NOW) == {"id": 9, "reason": None}


def test_who_is_alone_is_not_taken_twice() -> None:
    taker = Taker(failing(1, ValueError("cannot be read")))
    taker.go_on.set()
    with pytest.raises(ValueError, match="cannot be read"):
        Queue(taker).take(1, ApiKey(), NOW)
    assert len(taker.calls) == 1
