"""One back-test from its first decision to its last, a chunk at a time.

Owns the order: what was open before the span, then decisions and turns as they came, then imported history.
Between two chunks a run is plain JSON, so that another process can go on. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leads.backtesting import reading
from leads.backtesting.imported import DIFFERS, Comparison, Differing, History
from routing.backtest import Holder, Replay, TurnTaken, Verdict
from routing.engine import Ruleset


@dataclass(frozen=True, slots=True)
class Move:
    """One lead that would have gone elsewhere, or by another rule; see `BacktestMove`."""

    handoff_id: int
    at: datetime
    kind: str
    before: dict[str, Any]
    after: dict[str, Any]


class Run:
    """A replay of the span [since, until) through a document. `state` is what an earlier part left."""

    def __init__(
        self,
        document: Mapping[str, Any],
        since: datetime,
        until: datetime,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        state = state or {}
        self.ruleset = Ruleset(document)
        self.crowd = reading.crowd(since, until)
        self.replay = Replay(self.ruleset, self.crowd, reading.windows(), state.get("replay"))
        self.phase = state.get("phase", "before")
        self.done = state.get("done", 0)
        self.unreadable = state.get("unreadable", 0)
        self.decisions = reading.Decisions(since, until, self.crowd, _place(state.get("decision")))
        self.history = History(
            self.ruleset,
            self.crowd,
            since,
            until,
            _place(state.get("imported")),
            Comparison.from_json(state["history"]) if "history" in state else None,
        )

    def count(self) -> int:
        """How many there are to go through."""
        return self.decisions.rows.count() + self.history.rows.count()

    @property
    def is_done(self) -> bool:
        return bool(self.phase == "done")

    def step(self) -> list[Move]:
        """Go through one chunk; the leads of it that would have gone elsewhere."""
        if self.phase == "before":
            for turn in self.decisions.open_before():
                self.replay.turn(turn)
            self.phase = "decisions"
        if self.phase == "decisions":
            return list(self._decisions())
        if self.phase == "history":
            differing, read = self.history.next()
            self.done += read
            if not read:
                self.phase = "done"
            return [_of_history(found) for found in differing]
        return []

    def state(self) -> dict[str, Any]:
        return {
            "phase": self.phase,
            "done": self.done,
            "unreadable": self.unreadable,
            "replay": self.replay.state(),
            "history": self.history.found.to_json(),
            "decision": _stored(self.decisions.after),
            "imported": _stored(self.history.after),
        }

    def _decisions(self) -> Iterator[Move]:
        kept, by_hand, read = self.decisions.next()
        self.done += read
        self.unreadable += read - len(kept)
        if not read:
            self.phase = "history"
        turns = _Turns(by_hand)
        for decision in kept:
            for turn in turns.until(decision.past.at):
                self.replay.turn(turn)
            verdict = self.replay.decision(decision.past)
            if verdict.kind != "same":
                yield _of_decision(decision, verdict)
        for turn in turns.rest():
            self.replay.turn(turn)


class _Turns:
    """Turns in order of time, given out as time passes."""

    def __init__(self, turns: Sequence[TurnTaken]) -> None:
        self._turns, self._next = turns, 0

    def until(self, at: datetime) -> Iterator[TurnTaken]:
        while self._next < len(self._turns) and self._turns[self._next].at <= at:
            self._next += 1
            yield self._turns[self._next - 1]

    def rest(self) -> Sequence[TurnTaken]:
        return self._turns[self._next :]


def _of_decision(kept: reading.Kept, verdict: Verdict) -> Move:
    past = kept.past
    before = {"decision": past.key, "rule": past.rule, "name": kept.rule_name} | _holder(past.holder)
    after = {"rule": verdict.rule, "name": verdict.rule_name, "candidates": list(verdict.candidates)}
    return Move(kept.handoff_id, past.at, verdict.kind, before, after | _holder(verdict.holder))


def _of_history(found: Differing) -> Move:
    target = found.target
    after: dict[str, Any] = {"rule": found.rule, "name": found.rule_name, "cause": found.cause}
    if target is not None:
        kind = target.kind if target.kind in ("pool", "queue") else "rep"
        after |= {"kind": kind, "id": target.id, "why": target.why}
    before = {"kind": "rep", "id": str(found.assignee_id)}
    return Move(found.handoff_id, found.at, DIFFERS, before, after)


def _holder(holder: Holder) -> dict[str, Any]:
    pool = {} if holder.pool is None else {"pool": holder.pool}
    return {"kind": holder.kind, "id": holder.id, "why": holder.why} | pool


def _place(stored: Sequence[Any] | None) -> tuple[datetime, int] | None:
    return None if stored is None else (datetime.fromisoformat(stored[0]), stored[1])


def _stored(place: tuple[datetime, int] | None) -> list[Any] | None:
    return None if place is None else [place[0].isoformat(), place[1]]
