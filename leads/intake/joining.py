"""Single events that come at the same time are taken in together: one transaction for all that waited.

A batch costs a fraction of its events one by one, and a sender of single events sends several at once.
So the first to come takes its event in, whoever comes meanwhile waits, and the next of them takes all
that wait, those among them who were answered a moment ago and have one more. Nobody waits on an idle process.
What goes wrong with one is its own: the others are then taken alone. Owns who takes and who waits in this
process; never what an event means, nor its answer.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from leads.intake.receiving import CHUNK, NOT_STORED, Answer, receive
from leads.models import ApiKey
from routing.passing import is_away, is_blocked

# Seconds for which the next to take waits for another of those who were just answered, a fraction of a take;
# and for how long they count as that.
LINGER, JUST = 0.008, 0.08
Receive = Callable[[Sequence[Any], ApiKey, datetime], list[Answer]]


@dataclass
class Place:
    """An event in the queue; `turn` is set when it was answered, or when its thread is to take."""

    raw: Any
    now: datetime
    turn: threading.Event = field(default_factory=threading.Event)
    answer: Answer | None = None
    error: BaseException | None = None
    # It may have failed by those it was taken with.
    is_spoiled: bool = False


class Queue:
    """The events of one sender in this process. One thread takes at a time, at most a chunk, and hands on."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._lock = threading.Lock()
        self._arrival = threading.Condition(self._lock)
        self._waiting: deque[Place] = deque()
        self._is_taken = False
        # How many the last take answered or left waiting, and when.
        self._expected, self._ended = 0, 0.0

    def take(self, raw: Any, key: ApiKey, now: datetime) -> Answer:
        """The answer to this event, as `receive` gives it. Raises what `receive` raises."""
        place = Place(raw, now)
        with self._lock:
            self._waiting.append(place)
            self._arrival.notify()
            is_first, self._is_taken = not self._is_taken, True
        if not is_first:
            place.turn.wait()
        if place.answer is None and place.error is None:
            self._take_waiting(key)
        if place.is_spoiled:
            # Alone it says why, as if it had never had company.
            return self._receive([raw], key, now)[0]
        if place.error is not None:
            raise place.error
        if place.answer is None:
            raise RuntimeError("the event was taken and not answered")
        return place.answer

    def _take_waiting(self, key: ApiKey) -> None:
        """Take all that wait, this thread's own among them; then let the next one take."""
        with self._lock:
            self._linger()
            places = [self._waiting.popleft() for _ in range(min(CHUNK, len(self._waiting)))]
        try:
            # As of the latest: a moment in the future would be taken for a wrong clock.
            answers = self._receive([place.raw for place in places], key, max(place.now for place in places))
            for place, answer in zip(places, answers, strict=True):
                place.answer, place.is_spoiled = answer, answer["reason"] == NOT_STORED
        except BaseException as error:
            # The end of this thread, of which nobody else tells the others, and a database that is away are
            # so for all; a row that somebody holds is not.
            is_ending = not isinstance(error, Exception)
            is_for_all = is_ending or (is_away(error) and not is_blocked(error))
            for place in places:
                place.error, place.is_spoiled = error, len(places) > 1 and not is_for_all
            if is_ending:
                raise
        finally:
            with self._lock:
                self._expected, self._ended = len(self._waiting) + len(places), time.monotonic()
                if self._waiting:
                    self._waiting[0].turn.set()
                else:
                    self._is_taken = False
            for place in places:
                place.turn.set()

    def _linger(self) -> None:
        """Wait until those who were answered a moment ago are here again, or no more of them come, or it is
        no longer a moment ago: whoever waits pays for each that comes."""
        until = self._ended + JUST
        while len(self._waiting) < min(CHUNK, self._expected) and time.monotonic() < until:
            if not self._arrival.wait(LINGER):
                return


_queues: defaultdict[tuple[int, bool], Queue] = defaultdict(lambda: Queue(receive))
_lock = threading.Lock()


def receive_one(raw: Any, key: ApiKey, now: datetime) -> Answer:
    """As `receive` of this event alone, with those that the same key sends to this process meanwhile."""
    with _lock:
        queue = _queues[key.pk, key.is_quiet]
    return queue.take(raw, key, now)
