"""The open work of one world: who holds how many at a moment, and the most they ever held.

A replay keeps two of these side by side: what was, from the ledger, and what would have been. Work occupies
its holder from the decision to its release. Plain JSON between two slices.
"""

from __future__ import annotations

from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Any, NamedTuple


class _Hold(NamedTuple):
    """Who holds a piece of work, until when, and whether in truth it waited in a queue meanwhile."""

    user_id: int
    until: datetime | None
    waits: bool


class Load:
    """Open work by person. `now` only moves forward."""

    def __init__(self) -> None:
        self.open: dict[int, int] = {}
        self.peak: dict[int, int] = {}
        self._holds: dict[str, _Hold] = {}
        self._ends: list[tuple[datetime, str]] = []

    def advance(self, now: datetime) -> None:
        """Release what ended by this moment."""
        while self._ends and self._ends[0][0] <= now:
            until, ref = heappop(self._ends)
            hold = self._holds.get(ref)
            # The work may have changed hands since; then this end is not its own.
            if hold is not None and hold.until == until:
                self.drop(ref)

    def take(self, ref: str, user_id: int, until: datetime | None, *, waits: bool = False) -> None:
        """This person holds the work from now on, whoever held it before."""
        self.drop(ref)
        self._holds[ref] = _Hold(user_id, until, waits)
        count = self.open[user_id] = self.open.get(user_id, 0) + 1
        if count > self.peak.get(user_id, 0):
            self.peak[user_id] = count
        if until is not None:
            heappush(self._ends, (until, ref))

    def drop(self, ref: str) -> None:
        """Nobody holds the work any longer."""
        if (hold := self._holds.pop(ref, None)) is not None:
            self.open[hold.user_id] -= 1

    def until_now(self, ref: str, now: datetime) -> int | None:
        """Who holds the work up to this very moment; asked before `advance` lets go of it."""
        hold = self._holds.get(ref)
        return hold.user_id if hold is not None and (hold.until is None or hold.until >= now) else None

    def keep(self, ref: str, until: datetime | None) -> int | None:
        """In truth the work left the queue in which it waited. Whoever holds it in this world, and had it
        all the while, keeps it for as long as it was held then; None when nobody does."""
        hold = self._holds.get(ref)
        if hold is None or not hold.waits:
            return None
        self._holds[ref] = _Hold(hold.user_id, until, False)
        if until is not None:
            heappush(self._ends, (until, ref))
        return hold.user_id

    def to_json(self) -> dict[str, Any]:
        holds = [
            [ref, hold.user_id, hold.until.isoformat() if hold.until else None, hold.waits]
            for ref, hold in self._holds.items()
        ]
        return {"peak": {str(user): most for user, most in self.peak.items()}, "holds": holds}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Load:
        load = cls()
        load.peak = {int(user): most for user, most in data["peak"].items()}
        for ref, user_id, until, waits in data["holds"]:
            moment = datetime.fromisoformat(until) if until else None
            load._holds[ref] = _Hold(user_id, moment, waits)
            load.open[user_id] = load.open.get(user_id, 0) + 1
            if moment is not None:
                load._ends.append((moment, ref))
        heapify(load._ends)
        return load
